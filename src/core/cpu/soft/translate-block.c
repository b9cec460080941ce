/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Translation of one block: its instructions are decoded again from the guest's bytes, into the
 * block's own records, which may have been fused and are from now on for call-outs only; flags that
 * somebody will see are found from the end backwards, then each instruction is emitted. Cold paths
 * (TLB misses, leaving for attention, links not made yet) come behind the block. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/translate-insn.h"

enum { A = HOST_RAX, B = HOST_R13, ADDRESS = HOST_R14 }; /* scratch */
#define CC_E 4
#define CC_NE 5
#define CC_A 7
#define CC_S 8

/* Most bytes that one instruction, and its share of the cold part, may take. */
#define MOST_BYTES 640

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

static uint8_t home_of(unsigned n)
{
    return translate_home[n];
}

static EmitMem register_field(unsigned n)
{
    return EMIT_MEM(TRANSLATE_STATE, (int32_t)(offsetof(SoftCpu, gpr) + n * 8 - TRANSLATE_BIAS));
}

/* The 64-bit register @n in a host register: its home, or @scratch after a load. */
static unsigned read_register(Translation *t, unsigned n, unsigned scratch)
{
    if (home_of(n) != HOST_NONE)
        return home_of(n);
    emit_load64(&t->e, scratch, register_field(n));
    return scratch;
}

/* RAX = register @n as an address. */
static void copy_register_to_a(Translation *t, unsigned n)
{
    if (home_of(n) != HOST_NONE)
        emit_rr(&t->e, (EmitInsn){ .opcode = 0x8B, .wide = t->word == 8 }, A, home_of(n));
    else
        emit_load64(&t->e, A, register_field(n));
}

/* Moves between registers and memory, and LEA, at the width of an address. */
static void load_word(Translation *t, unsigned to, EmitMem from)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x8B, .wide = t->word == 8 }, to, from);
}
static void store_word(Translation *t, EmitMem to, unsigned from)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x89, .wide = t->word == 8 }, from, to);
}
static void lea_word(Translation *t, unsigned to, EmitMem address)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x8D, .wide = t->word == 8 }, to, address);
}

static void write_register(Translation *t, unsigned n, unsigned from)
{
    if (home_of(n) == HOST_NONE)
        emit_store64(&t->e, register_field(n), from);
    else if (home_of(n) != from)
        emit_mov_rr(&t->e, home_of(n), from);
}

/* Cold paths --------------------------------------------------------------------------------- */

static Cold *add_cold(Translation *t, ColdKind kind, uint8_t *from)
{
    Cold *cold = &t->cold[t->n_cold++];
    *cold = (Cold){ .kind = kind, .from = { from }, .n_from = from != NULL };
    return cold;
}

/* Flags --------------------------------------------------------------------------------------- */

static void emit_load_flags(Emit *e)
{
    emit_load32(e, A, TRANSLATE_FIELD(flags));
    emit8(e, 0x04); /* ADD AL, 7Fh: OF */
    emit8(e, 0x7F);
    emit8(e, 0x9E); /* SAHF */
}

static void save_flags(Translation *t)
{
    emit8(&t->e, 0x9F); /* LAHF; SETO AL */
    emit_rr(&t->e, (EmitInsn){ .map = 1, .opcode = 0x90, .byte = true }, 0, A);
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x89 }, A, TRANSLATE_FIELD(flags));
    t->flags_in_memory = true;
}

/* EFLAGS are about to be destroyed. */
static void give_up_host_flags(Translation *t, bool live)
{
    if (live && t->flags_in_host && !t->flags_in_memory)
        save_flags(t);
    t->flags_in_host = false;
}

static void want_host_flags(Translation *t)
{
    if (!t->flags_in_host)
        emit_load_flags(&t->e);
    t->flags_in_host = true;
}

static void flags_written(Translation *t, bool live)
{
    t->flags_in_host = live;
    t->flags_in_memory = false;
}

/* Memory -------------------------------------------------------------------------------------- */

#define SLOT_NUMBER(slot) ((slot) / 8u)
enum { SLOT_ZERO_NUMBER = 16, SLOT_RIP_NUMBER = 17 };

/* @to = effective address, without the segment. Keeps EFLAGS. */
static void emit_effective_address(Translation *t, unsigned to, const SoftOp *op)
{
    unsigned base = SLOT_NUMBER(op->base), index = SLOT_NUMBER(op->index);
    EmitMem mem = { .index = HOST_NONE, .scale = op->scale, .disp = op->disp };
    if (index != SLOT_ZERO_NUMBER)
        mem.index = (uint8_t)read_register(t, index, B);
    if (base == SLOT_ZERO_NUMBER) {
        uint64_t disp = (uint64_t)(int64_t)op->disp;
        emit_constant(&t->e, ADDRESS, t->word == 8 ? disp : (uint32_t)disp);
        mem.base = ADDRESS;
        mem.disp = 0;
    } else if (base == SLOT_RIP_NUMBER) {
        emit_load64(&t->e, ADDRESS, TRANSLATE_FIELD(rip));
        mem.base = ADDRESS;
    } else {
        mem.base = (uint8_t)read_register(t, base, ADDRESS);
    }
    if (mem.base != to || mem.index != HOST_NONE || mem.disp || t->word != 8)
        lea_word(t, to, mem);
}

/* ADDRESS, linear, becomes a host address. The jump that is taken when the TLB does not know. */
static uint8_t *emit_tlb(Translation *t, unsigned size, bool write)
{
    Emit *e = &t->e;
    emit_mov32_rr(e, A, ADDRESS);
    emit_rr(e, (EmitInsn){ .opcode = 0xC1 }, 5, A); /* SHR */
    emit8(e, 7);
    emit8(e, 0x25); /* AND EAX, … */
    emit32(e, (SOFT_TLB_SIZE - 1) << 5);
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = true }, A, TRANSLATE_FIELD(tlb));
    emit_lea64(e, B, EMIT_MEM(ADDRESS, (int32_t)size - 1));
    emit_rr(e, (EmitInsn){ .opcode = 0x81, .wide = true }, 4, B); /* AND */
    emit32(e, 0xFFFFF000);
    size_t tag = write ? offsetof(SoftTlbEntry, write) : offsetof(SoftTlbEntry, read);
    emit_rm(e, (EmitInsn){ .opcode = 0x3B, .wide = true }, B, EMIT_MEM(A, (int32_t)tag));
    uint8_t *miss = emit_jcc(e, CC_NE);
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = true }, ADDRESS,
            EMIT_MEM(A, offsetof(SoftTlbEntry, addend)));
    return miss;
}

static EmitMem segment_field(unsigned seg, size_t field)
{
    return EMIT_MEM(TRANSLATE_STATE, (int32_t)(offsetof(SoftCpu, seg) + seg * sizeof(SoftSegment) +
                                               field - TRANSLATE_BIAS));
}

/* ADDRESS, an offset in FS or GS, becomes linear; outside 64-bit mode within the limit. */
static void emit_segment(Translation *t, unsigned seg, unsigned size, bool write, Cold *miss)
{
    Emit *e = &t->e;
    if (t->word == 4) {
        emit_lea64(e, A, EMIT_MEM(ADDRESS, (int32_t)size));
        emit_rm(e, (EmitInsn){ .opcode = 0x3B, .wide = true }, A,
                segment_field(seg, offsetof(SoftSegment, end) + write * sizeof(uint64_t)));
        miss->from[miss->n_from++] = emit_jcc(e, CC_A);
    }
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = t->word == 8 }, ADDRESS,
            segment_field(seg, offsetof(SoftSegment, base)));
}

/* ADDRESS = host address of the memory operand; the miss goes to a cold path of @kind. */
static Cold *emit_memory(Translation *t, Item *item, ColdKind kind, unsigned size, bool write)
{
    const SoftOp *op = item->ops;
    give_up_host_flags(t, item->live_before);
    emit_effective_address(t, ADDRESS, op);
    Cold *cold = add_cold(t, kind, NULL);
    if (op->seg == CPU_FS || op->seg == CPU_GS)
        emit_segment(t, op->seg, size, write, cold);
    cold->from[cold->n_from++] = emit_tlb(t, size, write);
    cold->record = item->record;
    return cold;
}

/* The same for the stack slot at RSP + @offset. */
static Cold *emit_stack(Translation *t, Item *item, ColdKind kind, int offset, bool write)
{
    give_up_host_flags(t, item->live_before);
    lea_word(t, ADDRESS, EMIT_MEM(home_of(4), offset));
    Cold *cold = add_cold(t, kind, emit_tlb(t, t->word, write));
    cold->record = item->record;
    return cold;
}

static void move_stack(Translation *t, int32_t offset)
{
    lea_word(t, home_of(4), EMIT_MEM(home_of(4), offset));
}

/* Instructions -------------------------------------------------------------------------------- */

static void emit_call_out(Translation *t, Item *item)
{
    give_up_host_flags(t, item->live_before);
    emit_constant(&t->e, ADDRESS, item->record);
    emit_call_to(&t->e, t->translator->stub.call_out);
    t->flags_in_memory = true;
}

/* After a fast path: the call-out that stands in for it comes back here, with the flags where the
 * fast path leaves them. */
static void join(Translation *t, Cold *cold)
{
    cold->back = t->e.at;
    cold->load_flags = t->flags_in_host;
}

static bool must_load(unsigned use, unsigned size)
{
    return use & TRANSLATE_IN || (use & TRANSLATE_OUT && size < 4);
}

static unsigned operand_register(Translation *t, unsigned n, unsigned use, unsigned size,
                                 unsigned scratch)
{
    if (home_of(n) != HOST_NONE || must_load(use, size))
        return read_register(t, n, scratch);
    return scratch;
}

static void emit_plain(Translation *t, Item *item)
{
    const TranslateInsn *insn = &item->insn;
    const SoftOp *op = item->ops;
    unsigned traits = insn->traits;
    bool memory = item->d.is_memory && !(traits & TRANSLATE_NO_MODRM);
    Cold *cold = NULL;
    if (memory)
        cold = emit_memory(t, item, COLD_CALL_OUT, insn->mem_size, insn->rm_use & TRANSLATE_OUT);
    if (memory && traits & TRANSLATE_LOCKED && insn->mem_size > 1) {
        emit_rr(&t->e, (EmitInsn){ .opcode = 0xF6, .byte = true }, 0, ADDRESS); /* TEST */
        emit8(&t->e, insn->mem_size - 1u);
        cold->from[cold->n_from++] = emit_jcc(&t->e, CC_NE);
    }
    if (traits & TRANSLATE_READS || (traits & TRANSLATE_WRITES && item->live_after))
        want_host_flags(t);
    unsigned reg = insn->reg, rm = ADDRESS;
    if (!insn->has_extension && !(traits & TRANSLATE_NO_MODRM))
        reg = operand_register(t, insn->reg, insn->reg_use, insn->size, B);
    if (!memory && !(traits & TRANSLATE_NO_MODRM)) {
        unsigned size = insn->rm_use & TRANSLATE_OUT ? insn->size : 8;
        rm = operand_register(t, insn->rm, insn->rm_use, size, ADDRESS);
    }
    if (traits & TRANSLATE_RAX_IN)
        emit_mov_rr(&t->e, A, home_of(0));
    if (traits & TRANSLATE_NO_MODRM)
        emit_head(&t->e, insn->host, 0, 0, 0, false);
    else if (memory)
        emit_rm(&t->e, insn->host, reg, EMIT_MEM(ADDRESS, 0));
    else
        emit_rr(&t->e, insn->host, reg, rm);
    if (insn->imm_size)
        emit_imm(&t->e, insn->imm_size, op->imm);
    if (traits & TRANSLATE_RAX_OUT)
        emit_mov_rr(&t->e, home_of(0), A);
    if (!insn->has_extension && insn->reg_use & TRANSLATE_OUT)
        write_register(t, insn->reg, reg);
    if (!memory && insn->rm_use & TRANSLATE_OUT)
        write_register(t, insn->rm, rm);
    if (traits & (TRANSLATE_KILLS | TRANSLATE_WRITES))
        flags_written(t, item->live_after);
    if (cold)
        join(t, cold);
}

static void emit_lea(Translation *t, Item *item)
{
    unsigned n = item->insn.reg, to = home_of(n) != HOST_NONE ? home_of(n) : ADDRESS;
    emit_effective_address(t, to, item->ops);
    if (item->insn.size == 4)
        emit_mov32_rr(&t->e, to, to);
    write_register(t, n, to);
}

static void emit_set_constant(Translation *t, Item *item)
{
    unsigned n = item->insn.reg, to = home_of(n) != HOST_NONE ? home_of(n) : A;
    uint64_t value = item->ops->imm;
    emit_constant(&t->e, to, item->insn.size == 4 ? (uint32_t)value : value);
    write_register(t, n, to);
}

static void emit_swap(Translation *t, Item *item)
{
    unsigned reg = read_register(t, item->insn.reg, A);
    bool wide = item->insn.size == 8;
    if (wide || reg >= 8)
        emit8(&t->e, 0x40 | wide << 3 | (reg >> 3));
    emit8(&t->e, 0x0F);
    emit8(&t->e, 0xC8 | (reg & 7));
    write_register(t, item->insn.reg, reg);
}

static void emit_push(Translation *t, Item *item)
{
    int word = (int)t->word;
    Cold *cold = emit_stack(t, item, COLD_CALL_OUT, -word, true);
    if (item->insn.kind == TRANSLATE_PUSH_IMMEDIATE) {
        emit_rm(&t->e, (EmitInsn){ .opcode = 0xC7, .wide = word == 8 }, 0, EMIT_MEM(ADDRESS, 0));
        emit32(&t->e, (uint32_t)item->ops->imm);
    } else {
        store_word(t, EMIT_MEM(ADDRESS, 0), read_register(t, item->insn.reg, A));
    }
    move_stack(t, -word);
    join(t, cold);
}

static void emit_pop(Translation *t, Item *item)
{
    unsigned n = item->insn.reg, to = home_of(n) != HOST_NONE ? home_of(n) : A;
    Cold *cold = emit_stack(t, item, COLD_CALL_OUT, 0, false);
    if (n != 4)
        move_stack(t, (int32_t)t->word);
    load_word(t, to, EMIT_MEM(ADDRESS, 0));
    write_register(t, n, to);
    join(t, cold);
}

/* LEAVE: the frame pointer becomes the stack pointer, then it is popped. */
static void emit_leave(Translation *t, Item *item)
{
    give_up_host_flags(t, item->live_before);
    lea_word(t, ADDRESS, EMIT_MEM(home_of(5), 0));
    Cold *cold = add_cold(t, COLD_CALL_OUT, emit_tlb(t, t->word, false));
    cold->record = item->record;
    lea_word(t, home_of(4), EMIT_MEM(home_of(5), (int32_t)t->word));
    load_word(t, home_of(5), EMIT_MEM(ADDRESS, 0));
    join(t, cold);
}

/* Ends of the block --------------------------------------------------------------------------- */

static void emit_budget(Translation *t, unsigned retired)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x83, .wide = true }, 5,
            TRANSLATE_FIELD(budget)); /* SUB */
    emit8(&t->e, retired);            /* fits: SOFT_BLOCK_MAX */
}

static uint8_t *emit_attention(Translation *t)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x83 }, 7, TRANSLATE_FIELD(attention)); /* CMP */
    emit8(&t->e, 0);
    return emit_jcc(&t->e, CC_NE);
}

static void emit_add_rip(Translation *t, int32_t disp)
{
    Emit *e = &t->e;
    bool small = disp == (int8_t)disp;
    emit_rm(e, (EmitInsn){ .opcode = small ? 0x83 : 0x81, .wide = t->word == 8 }, 0,
            TRANSLATE_FIELD(rip));
    emit_imm(e, small ? 1 : 4, (uint64_t)(int64_t)disp);
}

static uint32_t place_of(Translation *t, const uint8_t *at)
{
    return (uint32_t)(at - t->translator->write);
}

static bool block_is_global(Translation *t)
{
    const SoftItlbEntry *entry = &t->cpu->itlb[(t->cpu->rip >> 12) & (SOFT_ITLB_SIZE - 1)];
    return entry->info & SOFT_TLB_GLOBAL;
}

/* The key must be as it was when the link was made, and so must RIP: the page may be mapped twice.
 * The immediate is one XOR the other. */
static void emit_key_check(Translation *t, Cold *link)
{
    Emit *e = &t->e;
    TranslateSite *site = &link->site;
    site->global = block_is_global(t);
    emit8(e, 0x48); /* MOV RAX, imm64 */
    emit8(e, 0xB8);
    site->key = place_of(t, e->at) & INT32_MAX;
    emit64(e, UINT64_MAX);
    emit_rm(e, (EmitInsn){ .opcode = 0x33, .wide = true }, A, TRANSLATE_FIELD(rip));
    emit_rm(e, (EmitInsn){ .opcode = 0x3B, .wide = true }, A,
            site->global ? TRANSLATE_FIELD(jump_key[1]) : TRANSLATE_FIELD(jump_key[0]));
    link->from[link->n_from++] = emit_jcc(e, CC_NE);
}

/* To the instruction @disp bytes from the block's start, @retired instructions done. */
static void emit_exit(Translation *t, int32_t disp, unsigned retired)
{
    Cold *leave = add_cold(t, COLD_LEAVE, NULL);
    emit_budget(t, retired);
    leave->from[leave->n_from++] = emit_jcc(&t->e, CC_S);
    leave->from[leave->n_from++] = emit_attention(t);
    leave->disp = disp;
    if (disp)
        emit_add_rip(t, disp);
    Cold *link = add_cold(t, COLD_LINK, NULL);
    int64_t place = (int64_t)(t->cpu->rip & 0xFFF) + disp;
    if (place < 0 || place >= RAM_PAGE_SIZE)
        emit_key_check(t, link);
    uint8_t *jump = emit_jump(&t->e);
    link->site.jump = place_of(t, jump);
    link->from[link->n_from++] = jump;
}

/* To the address in RAX. */
static void emit_exit_indirect(Translation *t, unsigned retired)
{
    Emit *e = &t->e;
    emit_store64(e, TRANSLATE_FIELD(rip), A);
    emit_budget(t, retired);
    emit_jcc_to(e, CC_S, t->translator->stub.leave);
    emit_patch(emit_attention(t), t->translator->stub.leave);
    emit_mov_rr(e, B, A);
    emit_rr(e, (EmitInsn){ .opcode = 0xC1, .wide = true }, 5, B); /* SHR */
    emit8(e, TRANSLATE_JUMP_BITS);
    emit_rr(e, (EmitInsn){ .opcode = 0x33 }, B, A);
    emit_rr(e, (EmitInsn){ .opcode = 0x81 }, 4, B); /* AND */
    emit32(e, (1u << TRANSLATE_JUMP_BITS) - 1);
    emit_rr(e, (EmitInsn){ .opcode = 0xC1 }, 4, B); /* SHL */
    emit8(e, 5);
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = true }, B, TRANSLATE_FIELD(jump_table));
    EmitInsn compare = { .opcode = 0x3B, .wide = true };
    emit_rm(e, compare, A, EMIT_MEM(B, offsetof(TranslateJump, linear)));
    emit_jcc_to(e, CC_NE, t->translator->stub.leave_indirect);
    emit_load64(e, A, EMIT_MEM(B, offsetof(TranslateJump, key)));
    emit_rm(e, compare, A, TRANSLATE_FIELD(jump_key[0]));
    uint8_t *hit = emit_jcc(e, CC_E);
    emit_rm(e, compare, A, TRANSLATE_FIELD(jump_key[1]));
    emit_jcc_to(e, CC_NE, t->translator->stub.leave_indirect);
    emit_patch(hit, e->at);
    emit_rm(e, (EmitInsn){ .opcode = 0xFF }, 4, EMIT_MEM(B, offsetof(TranslateJump, code)));
}

static void emit_conditional(Translation *t, Item *item)
{
    unsigned retired = item->ordinal + 1;
    if (t->flags_in_host && !t->flags_in_memory)
        save_flags(t);
    want_host_flags(t);
    uint8_t *taken = emit_jcc(&t->e, item->ops[0].dst);
    t->flags_in_host = false;
    emit_exit(t, item->ops[1].disp, retired);
    emit_patch(taken, t->e.at);
    emit_exit(t, item->ops[0].disp, retired);
}

/* The return address of @item goes on the stack; its cold path has been made. */
static void emit_push_return(Translation *t, Item *item)
{
    emit_load64(&t->e, A, TRANSLATE_FIELD(rip));
    lea_word(t, A, EMIT_MEM(A, item->ops->offset + item->ops->len));
    store_word(t, EMIT_MEM(ADDRESS, 0), A);
}

static void emit_call(Translation *t, Item *item)
{
    emit_stack(t, item, COLD_TAIL, -(int)t->word, true);
    emit_push_return(t, item);
    move_stack(t, -(int)t->word);
    emit_exit(t, item->ops->disp, item->ordinal + 1);
}

static void emit_call_indirect(Translation *t, Item *item)
{
    bool memory = item->d.is_memory;
    if (memory) {
        emit_memory(t, item, COLD_TAIL, t->word, false);
        load_word(t, A, EMIT_MEM(ADDRESS, 0));
        emit_store64(&t->e, TRANSLATE_FIELD(branch_target), A);
    }
    emit_stack(t, item, COLD_TAIL, -(int)t->word, true);
    emit_push_return(t, item);
    if (memory)
        emit_load64(&t->e, A, TRANSLATE_FIELD(branch_target));
    else
        copy_register_to_a(t, item->insn.rm);
    move_stack(t, -(int)t->word);
    emit_exit_indirect(t, item->ordinal + 1);
}

static void emit_jump_indirect(Translation *t, Item *item)
{
    if (item->d.is_memory) {
        emit_memory(t, item, COLD_TAIL, t->word, false);
        load_word(t, A, EMIT_MEM(ADDRESS, 0));
    } else {
        give_up_host_flags(t, true);
        copy_register_to_a(t, item->insn.rm);
    }
    emit_exit_indirect(t, item->ordinal + 1);
}

static void emit_ret(Translation *t, Item *item)
{
    emit_stack(t, item, COLD_TAIL, 0, false);
    load_word(t, A, EMIT_MEM(ADDRESS, 0));
    move_stack(t, (int32_t)t->word + (int32_t)item->ops->imm);
    emit_exit_indirect(t, item->ordinal + 1);
}

static void emit_tail(Translation *t, Item *item)
{
    give_up_host_flags(t, true);
    emit_constant(&t->e, A, item->record);
    emit_jump_to(&t->e, t->translator->stub.leave_record);
}

static void emit_item(Translation *t, Item *item)
{
    switch (item->insn.kind) {
    case TRANSLATE_CALL_OUT: emit_call_out(t, item); break;
    case TRANSLATE_TAIL: emit_tail(t, item); break;
    case TRANSLATE_NOP: break;
    case TRANSLATE_PLAIN: emit_plain(t, item); break;
    case TRANSLATE_LEA: emit_lea(t, item); break;
    case TRANSLATE_CONSTANT: emit_set_constant(t, item); break;
    case TRANSLATE_SWAP: emit_swap(t, item); break;
    case TRANSLATE_PUSH:
    case TRANSLATE_PUSH_IMMEDIATE: emit_push(t, item); break;
    case TRANSLATE_POP: emit_pop(t, item); break;
    case TRANSLATE_LEAVE: emit_leave(t, item); break;
    case TRANSLATE_CONDITIONAL: emit_conditional(t, item); break;
    case TRANSLATE_JUMP:
        give_up_host_flags(t, true);
        emit_exit(t, item->ops->disp, item->ordinal + 1);
        break;
    case TRANSLATE_CALL: emit_call(t, item); break;
    case TRANSLATE_RETURN: emit_ret(t, item); break;
    case TRANSLATE_JUMP_INDIRECT: emit_jump_indirect(t, item); break;
    case TRANSLATE_CALL_INDIRECT: emit_call_indirect(t, item); break;
    }
}

static void emit_cold(Translation *t, Cold *cold)
{
    Emit *e = &t->e;
    const TranslateStubs *stub = &t->translator->stub;
    for (unsigned i = 0; i < cold->n_from; i++)
        emit_patch(cold->from[i], e->at);
    switch (cold->kind) {
    case COLD_CALL_OUT:
        emit_constant(e, ADDRESS, cold->record);
        emit_call_to(e, stub->call_out);
        if (cold->load_flags)
            emit_load_flags(e);
        emit_jump_to(e, cold->back);
        break;
    case COLD_TAIL:
        emit_constant(e, A, cold->record);
        emit_jump_to(e, stub->leave_record);
        break;
    case COLD_LEAVE:
        if (cold->disp)
            emit_add_rip(t, cold->disp);
        emit_jump_to(e, stub->leave);
        break;
    case COLD_LINK:
        emit_call_to(e, stub->leave_site);
        memcpy(e->at, &cold->site, sizeof cold->site);
        e->at += sizeof cold->site;
        break;
    }
}

/* The whole ------------------------------------------------------------------------------------ */

/* False when the bytes are no longer those of the block: another vCPU or a device has written them,
 * and word of it has not come yet. */
static bool decode(Translation *t)
{
    SoftBlock *block = t->block;
    const SoftOp *end = block->ops + block->n_records;
    SoftOp *record = block->ops + 1; /* behind that which counts */
    unsigned page_left = RAM_PAGE_SIZE - (unsigned)(block->host & (RAM_PAGE_SIZE - 1));
    while (!t->ended && t->length < block->length) {
        Item *item = &t->item[t->n];
        memset(&item->d, 0, sizeof item->d);
        memset(item->ops, 0, sizeof item->ops);
        item->d.cpu = t->cpu;
        item->d.mode = block->mode;
        item->d.bytes = (const uint8_t *)block->host + t->length;
        item->d.available = MIN(page_left - t->length, 15u);
        item->d.offset = t->length;
        item->d.op = item->ops;
        if (t->n == SOFT_BLOCK_MAX || !soft_decode_one(&item->d) ||
            record + item->d.n_records > end)
            return false;
        item->ordinal = t->n;
        for (unsigned i = 0; i < 3; i++) {
            item->ops[i].offset = (uint16_t)t->length;
            item->ops[i].ordinal = (uint16_t)t->n;
        }
        item->record = (uint32_t)((uint8_t *)record - t->cpu->block_arena);
        memcpy(record, item->ops, item->d.n_records * sizeof *record);
        record += item->d.n_records;
        translate_describe(&item->d, &item->insn);
        t->length += item->ops->len;
        t->ended = item->d.ends_block;
        t->n++;
    }
    return t->length == block->length;
}

/* A fault shows the flags, and so does whatever the block is left to. */
static void find_live_flags(Translation *t)
{
    bool live = true;
    for (unsigned i = t->n; i-- > 0;) {
        Item *item = &t->item[i];
        const TranslateInsn *insn = &item->insn;
        item->live_after = live;
        bool simple = insn->kind == TRANSLATE_PLAIN || insn->kind == TRANSLATE_LEA ||
                      insn->kind == TRANSLATE_CONSTANT || insn->kind == TRANSLATE_SWAP ||
                      insn->kind == TRANSLATE_NOP;
        if (!simple || (item->d.is_memory && insn->kind == TRANSLATE_PLAIN))
            live = true;
        else if (insn->traits & TRANSLATE_READS)
            live = true;
        else if (insn->traits & TRANSLATE_KILLS)
            live = false;
        item->live_before = live;
    }
}

const uint8_t *translate_block(SoftCpu *cpu, SoftOp *first)
{
    static __thread Translation translation; /* large, and one at a time */
    Translation *t = &translation;
    SoftTranslator *translator = cpu->translator;
    t->cpu = cpu;
    t->translator = translator;
    t->block = soft_block_of(first);
    t->word = cpu->mode & SOFT_MODE_CODE64 ? 8 : 4;
    t->e.at = translator->write + translator->used;
    t->n = t->n_cold = t->length = 0;
    t->ended = t->flags_in_host = false;
    t->flags_in_memory = true;
    if (!decode(t)) {
        soft_block_retire(cpu, first);
        return NULL;
    }
    if (translator->used + (t->n + 1) * MOST_BYTES > translator->size)
        return NULL;
    find_live_flags(t);
    const uint8_t *start = t->e.at;
    for (unsigned i = 0; i < t->n; i++)
        emit_item(t, &t->item[i]);
    if (!t->ended) {
        give_up_host_flags(t, true);
        emit_exit(t, (int32_t)t->length, t->n);
    }
    for (unsigned i = 0; i < t->n_cold; i++)
        emit_cold(t, &t->cold[i]);
    translator->used = ((size_t)(t->e.at - translator->write) + 15) & ~(size_t)15;
    return translate_running(translator, start);
}
