/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The ways out of a translated block: by a branch, to the interpreter, for attention. */

#include "core/cpu/soft/translate-emit.h"

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

void emit_add_rip(Translation *t, int32_t disp)
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
void emit_exit(Translation *t, int32_t disp, unsigned retired)
{
    Cold *leave = emit_add_cold(t, COLD_LEAVE, NULL);
    emit_budget(t, retired);
    leave->from[leave->n_from++] = emit_jcc(&t->e, CC_LE);
    leave->from[leave->n_from++] = emit_attention(t);
    leave->disp = disp;
    if (disp)
        emit_add_rip(t, disp);
    Cold *link = emit_add_cold(t, COLD_LINK, NULL);
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
    emit_jcc_to(e, CC_LE, t->translator->stub.leave);
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

void emit_conditional(Translation *t, Item *item)
{
    unsigned retired = item->ordinal + 1;
    if (t->flags_in_host && !t->flags_in_memory)
        emit_save_flags(t);
    emit_want_flags(t);
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
    emit_lea_word(t, A, EMIT_MEM(A, item->ops->offset + item->ops->len));
    emit_store_word(t, EMIT_MEM(ADDRESS, 0), A);
}

void emit_call(Translation *t, Item *item)
{
    emit_stack(t, item, COLD_TAIL, -(int)t->word, true);
    emit_push_return(t, item);
    emit_move_stack(t, -(int)t->word);
    emit_exit(t, item->ops->disp, item->ordinal + 1);
}

void emit_call_indirect(Translation *t, Item *item)
{
    bool memory = item->d.is_memory;
    if (memory) {
        emit_memory(t, item, COLD_TAIL, t->word, false);
        emit_load_word(t, A, EMIT_MEM(ADDRESS, 0));
        emit_store64(&t->e, TRANSLATE_FIELD(branch_target), A);
    }
    emit_stack(t, item, COLD_TAIL, -(int)t->word, true);
    emit_push_return(t, item);
    if (memory)
        emit_load64(&t->e, A, TRANSLATE_FIELD(branch_target));
    else
        emit_copy_to_a(t, item->insn.rm);
    emit_move_stack(t, -(int)t->word);
    emit_exit_indirect(t, item->ordinal + 1);
}

void emit_jump_indirect(Translation *t, Item *item)
{
    if (item->d.is_memory) {
        emit_memory(t, item, COLD_TAIL, t->word, false);
        emit_load_word(t, A, EMIT_MEM(ADDRESS, 0));
    } else {
        emit_give_up_flags(t, true);
        emit_copy_to_a(t, item->insn.rm);
    }
    emit_exit_indirect(t, item->ordinal + 1);
}

void emit_ret(Translation *t, Item *item)
{
    emit_stack(t, item, COLD_TAIL, 0, false);
    emit_load_word(t, A, EMIT_MEM(ADDRESS, 0));
    emit_move_stack(t, (int32_t)t->word + (int32_t)item->ops->imm);
    emit_exit_indirect(t, item->ordinal + 1);
}

void emit_tail(Translation *t, Item *item)
{
    emit_give_up_flags(t, true);
    emit_constant(&t->e, A, item->record);
    emit_jump_to(&t->e, t->translator->stub.leave_record);
}
