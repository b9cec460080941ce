/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Where a translated instruction finds its operands: guest registers, flags, memory. */

#include "core/cpu/soft/translate-emit.h"

/* The 64-bit register @n in a host register: its home, or @scratch after a load. */
unsigned emit_read_register(Translation *t, unsigned n, unsigned scratch)
{
    if (translate_home_of(n) != HOST_NONE)
        return translate_home_of(n);
    emit_load64(&t->e, scratch, register_field(n));
    return scratch;
}

/* RAX = register @n as an address. */
void emit_copy_to_a(Translation *t, unsigned n)
{
    if (translate_home_of(n) != HOST_NONE)
        emit_rr(&t->e, (EmitInsn){ .opcode = 0x8B, .wide = t->word == 8 }, A, translate_home_of(n));
    else
        emit_load64(&t->e, A, register_field(n));
}

/* Moves between registers and memory, and LEA, at the width of an address. */
void emit_load_word(Translation *t, unsigned to, EmitMem from)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x8B, .wide = t->word == 8 }, to, from);
}
void emit_store_word(Translation *t, EmitMem to, unsigned from)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x89, .wide = t->word == 8 }, from, to);
}
void emit_lea_word(Translation *t, unsigned to, EmitMem address)
{
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x8D, .wide = t->word == 8 }, to, address);
}

void emit_write_register(Translation *t, unsigned n, unsigned from)
{
    if (translate_home_of(n) == HOST_NONE)
        emit_store64(&t->e, register_field(n), from);
    else if (translate_home_of(n) != from)
        emit_mov_rr(&t->e, translate_home_of(n), from);
}

/* Cold paths --------------------------------------------------------------------------------- */

Cold *emit_add_cold(Translation *t, ColdKind kind, uint8_t *from)
{
    Cold *cold = &t->cold[t->n_cold++];
    *cold = (Cold){ .kind = kind, .from = { from }, .n_from = from != NULL };
    return cold;
}

/* Flags --------------------------------------------------------------------------------------- */

void emit_load_flags(Emit *e)
{
    emit_load32(e, A, TRANSLATE_FIELD(flags));
    emit8(e, 0x04); /* ADD AL, 7Fh: OF */
    emit8(e, 0x7F);
    emit8(e, 0x9E); /* SAHF */
}

void emit_save_flags(Translation *t)
{
    emit8(&t->e, 0x9F); /* LAHF; SETO AL */
    emit_rr(&t->e, (EmitInsn){ .map = 1, .opcode = 0x90, .byte = true }, 0, A);
    emit_rm(&t->e, (EmitInsn){ .opcode = 0x89 }, A, TRANSLATE_FIELD(flags));
    t->flags_in_memory = true;
}

/* EFLAGS are about to be destroyed. */
void emit_give_up_flags(Translation *t, bool live)
{
    if (live && t->flags_in_host && !t->flags_in_memory)
        emit_save_flags(t);
    t->flags_in_host = false;
}

void emit_want_flags(Translation *t)
{
    if (!t->flags_in_host)
        emit_load_flags(&t->e);
    t->flags_in_host = true;
}

/* Memory -------------------------------------------------------------------------------------- */

#define SLOT_NUMBER(slot) ((slot) / 8u)
enum { SLOT_ZERO_NUMBER = 16, SLOT_RIP_NUMBER = 17 };

/* @to = effective address, without the segment. Keeps EFLAGS. */
void emit_effective_address(Translation *t, unsigned to, const SoftOp *op)
{
    unsigned base = SLOT_NUMBER(op->base), index = SLOT_NUMBER(op->index);
    EmitMem mem = { .index = HOST_NONE, .scale = op->scale, .disp = op->disp };
    if (index != SLOT_ZERO_NUMBER)
        mem.index = (uint8_t)emit_read_register(t, index, B);
    if (base == SLOT_ZERO_NUMBER) {
        uint64_t disp = (uint64_t)(int64_t)op->disp;
        emit_constant(&t->e, ADDRESS, t->word == 8 ? disp : (uint32_t)disp);
        mem.base = ADDRESS;
        mem.disp = 0;
    } else if (base == SLOT_RIP_NUMBER) {
        emit_load64(&t->e, ADDRESS, TRANSLATE_FIELD(rip));
        mem.base = ADDRESS;
    } else {
        mem.base = (uint8_t)emit_read_register(t, base, ADDRESS);
    }
    if (mem.base != to || mem.index != HOST_NONE || mem.disp || t->word != 8)
        emit_lea_word(t, to, mem);
}

/* ADDRESS, linear, becomes a host address. The jump that is taken when the TLB does not know. */
uint8_t *emit_tlb(Translation *t, unsigned size, bool write)
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
Cold *emit_memory(Translation *t, Item *item, ColdKind kind, unsigned size, bool write)
{
    const SoftOp *op = item->ops;
    emit_give_up_flags(t, item->live_before);
    emit_effective_address(t, ADDRESS, op);
    Cold *cold = emit_add_cold(t, kind, NULL);
    if (op->seg == CPU_FS || op->seg == CPU_GS)
        emit_segment(t, op->seg, size, write, cold);
    cold->from[cold->n_from++] = emit_tlb(t, size, write);
    cold->record = item->record;
    return cold;
}

/* The same for the stack slot at RSP + @offset. */
Cold *emit_stack(Translation *t, Item *item, ColdKind kind, int offset, bool write)
{
    emit_give_up_flags(t, item->live_before);
    emit_lea_word(t, ADDRESS, EMIT_MEM(translate_home_of(4), offset));
    Cold *cold = emit_add_cold(t, kind, emit_tlb(t, t->word, write));
    cold->record = item->record;
    return cold;
}

void emit_move_stack(Translation *t, int32_t offset)
{
    emit_lea_word(t, translate_home_of(4), EMIT_MEM(translate_home_of(4), offset));
}
