/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A translation in the making, and what emits its parts: operands, flags and memory
 * (translate-operand.c), instructions (translate-emit.c), ways out of the block (translate-exit.c).
 * translate-block.c drives. Everything is written at Translation.e. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/translate-insn.h"

enum { A = HOST_RAX, B = HOST_R13, ADDRESS = HOST_R14 }; /* scratch */
#define CC_E 4
#define CC_NE 5
#define CC_A 7
#define CC_LE 14

typedef enum { COLD_CALL_OUT, COLD_TAIL, COLD_LEAVE, COLD_LINK } ColdKind;
typedef struct {
    ColdKind kind;
    uint8_t *from[3]; /* jumps that come here */
    unsigned n_from;
    uint32_t record;    /* CALL_OUT, TAIL */
    uint8_t *back;      /* CALL_OUT: where the block goes on */
    bool load_flags;    /* CALL_OUT: into EFLAGS before that */
    int32_t disp;       /* LEAVE: to add to RIP */
    TranslateSite site; /* LINK */
} Cold;

typedef struct {
    SoftDecode d;
    SoftOp ops[4];
    TranslateInsn insn;
    unsigned ordinal;
    bool live_before, live_after; /* the arithmetic flags will be looked at */
    uint32_t record;              /* where its record is, bytes from the start of the arena */
} Item;

typedef struct {
    SoftCpu *cpu;
    SoftTranslator *translator;
    SoftBlock *block;
    Emit e;
    Item item[SOFT_BLOCK_MAX];
    unsigned n;
    unsigned length; /* bytes of guest code */
    unsigned word;   /* bytes of an address and of a stack slot: 8, or 4 in 32-bit code */
    bool ended;
    bool flags_in_host,
        flags_in_memory; /* where the flags are right now; neither: nobody wants them */
    Cold cold[4 * SOFT_BLOCK_MAX];
    unsigned n_cold;
} Translation;

static inline uint8_t translate_home_of(unsigned n)
{
    return translate_home[n];
}

static inline EmitMem register_field(unsigned n)
{
    return EMIT_MEM(TRANSLATE_STATE, (int32_t)(offsetof(SoftCpu, gpr) + n * 8 - TRANSLATE_BIAS));
}

static inline void emit_flags_written(Translation *t, bool live)
{
    t->flags_in_host = live;
    t->flags_in_memory = false;
}

/* translate-operand.c --- */

/* The 64-bit register @n in a host register: its home, or @scratch after a load. */
unsigned emit_read_register(Translation *t, unsigned n, unsigned scratch);
void emit_write_register(Translation *t, unsigned n, unsigned from);
/* RAX = register @n as an address. */
void emit_copy_to_a(Translation *t, unsigned n);
/* Moves between registers and memory, and LEA, at the width of an address. */
void emit_load_word(Translation *t, unsigned to, EmitMem from);
void emit_store_word(Translation *t, EmitMem to, unsigned from);
void emit_lea_word(Translation *t, unsigned to, EmitMem address);

/* A cold path that the jump @from (or NULL: none yet) leads to. */
Cold *emit_add_cold(Translation *t, ColdKind kind, uint8_t *from);

/* EFLAGS from SoftCpu.flags, by way of RAX; and back. */
void emit_load_flags(Emit *e);
void emit_save_flags(Translation *t);
/* EFLAGS are about to be destroyed; @live: somebody will look at the guest's. */
void emit_give_up_flags(Translation *t, bool live);
/* The guest's flags are in EFLAGS afterwards. */
void emit_want_flags(Translation *t);

/* @to = effective address, without the segment. Keeps EFLAGS. */
void emit_effective_address(Translation *t, unsigned to, const SoftOp *op);
/* ADDRESS, linear, becomes a host address. The jump that is taken when the TLB does not know. */
uint8_t *emit_tlb(Translation *t, unsigned size, bool write);
/* ADDRESS = host address of the memory operand, or of the stack slot at RSP + @offset; a miss goes
 * to a cold path of @kind. */
Cold *emit_memory(Translation *t, Item *item, ColdKind kind, unsigned size, bool write);
Cold *emit_stack(Translation *t, Item *item, ColdKind kind, int offset, bool write);
void emit_move_stack(Translation *t, int32_t offset);

/* translate-emit.c: one instruction each --- */

void emit_call_out(Translation *t, Item *item);
void emit_plain(Translation *t, Item *item);
void emit_lea(Translation *t, Item *item);
void emit_set_constant(Translation *t, Item *item);
void emit_swap(Translation *t, Item *item);
void emit_push(Translation *t, Item *item);
void emit_pop(Translation *t, Item *item);
void emit_leave(Translation *t, Item *item);

/* translate-exit.c: the last instruction of a block --- */

/* On to the instruction @disp bytes from the block's start, @retired instructions done. */
void emit_exit(Translation *t, int32_t disp, unsigned retired);
void emit_add_rip(Translation *t, int32_t disp);
void emit_conditional(Translation *t, Item *item);
void emit_call(Translation *t, Item *item);
void emit_call_indirect(Translation *t, Item *item);
void emit_jump_indirect(Translation *t, Item *item);
void emit_ret(Translation *t, Item *item);
/* The interpreter does it, and goes on from there. */
void emit_tail(Translation *t, Item *item);
