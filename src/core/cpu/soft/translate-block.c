/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Translation of one block: its instructions are decoded again from the guest's bytes, into the
 * block's own records, which may have been fused and are from now on for call-outs only; flags that
 * somebody will see are found from the end backwards, then each instruction is emitted. Cold paths
 * (TLB misses, leaving for attention, links not made yet) come behind the block. */

#include "core/cpu/soft/translate-emit.h"

/* Most bytes that one instruction, and its share of the cold part, may take. */
#define MOST_BYTES 640

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
        emit_give_up_flags(t, true);
        emit_exit(t, item->ops->disp, item->ordinal + 1);
        break;
    case TRANSLATE_CALL: emit_call(t, item); break;
    case TRANSLATE_RETURN: emit_ret(t, item); break;
    case TRANSLATE_JUMP_INDIRECT: emit_jump_indirect(t, item); break;
    case TRANSLATE_CALL_INDIRECT: emit_call_indirect(t, item); break;
    }
}

static void emit_cold_path(Translation *t, Cold *cold)
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
static bool translation_decode(Translation *t)
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
    if (!translation_decode(t)) {
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
        emit_give_up_flags(t, true);
        emit_exit(t, (int32_t)t->length, t->n);
    }
    for (unsigned i = 0; i < t->n_cold; i++)
        emit_cold_path(t, &t->cold[i]);
    translator->used = ((size_t)(t->e.at - translator->write) + 15) & ~(size_t)15;
    return translate_running(translator, start);
}
