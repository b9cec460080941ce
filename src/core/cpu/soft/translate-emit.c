/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Translated instructions that go on to the next one. */

#include "core/cpu/soft/translate-emit.h"

void emit_call_out(Translation *t, Item *item)
{
    emit_give_up_flags(t, item->live_before);
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
    if (translate_home_of(n) != HOST_NONE || must_load(use, size))
        return emit_read_register(t, n, scratch);
    return scratch;
}

void emit_plain(Translation *t, Item *item)
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
        emit_want_flags(t);
    unsigned reg = insn->reg, rm = ADDRESS;
    if (!insn->has_extension && !(traits & TRANSLATE_NO_MODRM))
        reg = operand_register(t, insn->reg, insn->reg_use, insn->size, B);
    if (!memory && !(traits & TRANSLATE_NO_MODRM)) {
        unsigned size = insn->rm_use & TRANSLATE_OUT ? insn->size : 8;
        rm = operand_register(t, insn->rm, insn->rm_use, size, ADDRESS);
    }
    if (traits & TRANSLATE_RAX_IN)
        emit_mov_rr(&t->e, A, translate_home_of(0));
    if (traits & TRANSLATE_NO_MODRM)
        emit_head(&t->e, insn->host, 0, 0, 0, false);
    else if (memory)
        emit_rm(&t->e, insn->host, reg, EMIT_MEM(ADDRESS, 0));
    else
        emit_rr(&t->e, insn->host, reg, rm);
    if (insn->imm_size)
        emit_imm(&t->e, insn->imm_size, op->imm);
    if (traits & TRANSLATE_RAX_OUT)
        emit_mov_rr(&t->e, translate_home_of(0), A);
    if (!insn->has_extension && insn->reg_use & TRANSLATE_OUT)
        emit_write_register(t, insn->reg, reg);
    if (!memory && insn->rm_use & TRANSLATE_OUT)
        emit_write_register(t, insn->rm, rm);
    if (traits & (TRANSLATE_KILLS | TRANSLATE_WRITES))
        emit_flags_written(t, item->live_after);
    if (cold)
        join(t, cold);
}

void emit_lea(Translation *t, Item *item)
{
    unsigned n = item->insn.reg,
             to = translate_home_of(n) != HOST_NONE ? translate_home_of(n) : ADDRESS;
    emit_effective_address(t, to, item->ops);
    if (item->insn.size == 4)
        emit_mov32_rr(&t->e, to, to);
    emit_write_register(t, n, to);
}

void emit_set_constant(Translation *t, Item *item)
{
    unsigned n = item->insn.reg, to = translate_home_of(n) != HOST_NONE ? translate_home_of(n) : A;
    uint64_t value = item->ops->imm;
    emit_constant(&t->e, to, item->insn.size == 4 ? (uint32_t)value : value);
    emit_write_register(t, n, to);
}

void emit_swap(Translation *t, Item *item)
{
    unsigned reg = emit_read_register(t, item->insn.reg, A);
    bool wide = item->insn.size == 8;
    if (wide || reg >= 8)
        emit8(&t->e, 0x40 | wide << 3 | (reg >> 3));
    emit8(&t->e, 0x0F);
    emit8(&t->e, 0xC8 | (reg & 7));
    emit_write_register(t, item->insn.reg, reg);
}

void emit_push(Translation *t, Item *item)
{
    int word = (int)t->word;
    Cold *cold = emit_stack(t, item, COLD_CALL_OUT, -word, true);
    if (item->insn.kind == TRANSLATE_PUSH_IMMEDIATE) {
        emit_rm(&t->e, (EmitInsn){ .opcode = 0xC7, .wide = word == 8 }, 0, EMIT_MEM(ADDRESS, 0));
        emit32(&t->e, (uint32_t)item->ops->imm);
    } else {
        emit_store_word(t, EMIT_MEM(ADDRESS, 0), emit_read_register(t, item->insn.reg, A));
    }
    emit_move_stack(t, -word);
    join(t, cold);
}

void emit_pop(Translation *t, Item *item)
{
    unsigned n = item->insn.reg, to = translate_home_of(n) != HOST_NONE ? translate_home_of(n) : A;
    Cold *cold = emit_stack(t, item, COLD_CALL_OUT, 0, false);
    if (n != 4)
        emit_move_stack(t, (int32_t)t->word);
    emit_load_word(t, to, EMIT_MEM(ADDRESS, 0));
    emit_write_register(t, n, to);
    join(t, cold);
}

/* LEAVE: the frame pointer becomes the stack pointer, then it is popped. */
void emit_leave(Translation *t, Item *item)
{
    emit_give_up_flags(t, item->live_before);
    emit_lea_word(t, ADDRESS, EMIT_MEM(translate_home_of(5), 0));
    Cold *cold = emit_add_cold(t, COLD_CALL_OUT, emit_tlb(t, t->word, false));
    cold->record = item->record;
    emit_lea_word(t, translate_home_of(4), EMIT_MEM(translate_home_of(5), (int32_t)t->word));
    emit_load_word(t, translate_home_of(5), EMIT_MEM(ADDRESS, 0));
    join(t, cold);
}
