/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The code area, the way in and out of it, and the links between translated blocks. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/translate-private.h"
#include <sys/mman.h>
#include <unistd.h>

/* How often a block is interpreted first. Translating costs about as much as interpreting the block
 * this many times. */
#define TRANSLATE_PATIENCE 24

/* Handlers that return the next record cannot be called out to. */
#if defined(__x86_64__) && !defined(SOFT_CPU_LOOP)
#define TRANSLATE_POSSIBLE true
#else
#define TRANSLATE_POSSIBLE false
#endif

/* What enter() returns: a record to go on with, or one of these in its low bits. */
enum { OUT_LEAVE = 0, OUT_INDIRECT = 1, OUT_SITE = 2, OUT_BITS = 2, OUT_MASK = 3 };

const uint8_t translate_home[16] = {
    [0] = HOST_R9,   [1] = HOST_RCX,  [2] = HOST_RDX,   [3] = HOST_RBX,
    [4] = HOST_R10,  [5] = HOST_RBP,  [6] = HOST_RSI,   [7] = HOST_RDI,
    [8] = HOST_R8,   [9] = HOST_NONE, [10] = HOST_NONE, [11] = HOST_NONE,
    [12] = HOST_R12, [13] = HOST_R11, [14] = HOST_NONE, [15] = HOST_NONE,
};

static void emit_registers(Emit *e, bool store)
{
    for (unsigned n = 0; n < 16; n++)
        if (translate_home[n] != HOST_NONE)
            emit_rm(e, (EmitInsn){ .opcode = store ? 0x89 : 0x8B, .wide = true }, translate_home[n],
                    TRANSLATE_FIELD(gpr[n]));
}

static const uint8_t saved_registers[] = { HOST_RBX, HOST_RBP, HOST_R12,
                                           HOST_R13, HOST_R14, HOST_R15 };

static void emit_push(Emit *e, unsigned reg, bool pop)
{
    if (reg >= 8)
        emit8(e, 0x41);
    emit8(e, (pop ? 0x58 : 0x50) | (reg & 7));
}

/* RSP += @count. */
static void emit_stack_adjust(Emit *e, int count)
{
    emit_lea64(e, HOST_RSP, EMIT_MEM(HOST_RSP, count));
}

static void emit_enter(Emit *e)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(saved_registers); i++)
        emit_push(e, saved_registers[i], false);
    emit_stack_adjust(e, -8); /* aligned where code runs */
    emit_lea64(e, TRANSLATE_STATE, EMIT_MEM(HOST_RDI, TRANSLATE_BIAS));
    emit_mov_rr(e, HOST_RAX, HOST_RSI);
    emit_registers(e, false);
    emit_rr(e, (EmitInsn){ .opcode = 0xFF }, 4, HOST_RAX); /* JMP RAX */
}

/* RAX is the result; guest registers have been stored. */
static void emit_return(Emit *e)
{
    emit_stack_adjust(e, 8);
    for (unsigned i = G_N_ELEMENTS(saved_registers); i-- > 0;)
        emit_push(e, saved_registers[i], true);
    emit8(e, 0xC3);
}

static const uint8_t *emit_leave(Emit *e, unsigned out)
{
    const uint8_t *at = e->at;
    if (out == OUT_SITE) {
        emit_push(e, HOST_RAX, true); /* the return address */
        emit_rr(e, (EmitInsn){ .opcode = 0xC1, .wide = true }, 4, HOST_RAX); /* SHL RAX, … */
        emit8(e, OUT_BITS);
        emit_rr(e, (EmitInsn){ .opcode = 0x83, .wide = true }, 1, HOST_RAX); /* OR RAX, … */
        emit8(e, out);
    } else {
        emit_constant(e, HOST_RAX, out);
    }
    emit_registers(e, true);
    emit_return(e);
    return at;
}

static const uint8_t *emit_leave_record(Emit *e)
{
    const uint8_t *at = e->at;
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = true }, HOST_RAX, TRANSLATE_FIELD(block_arena));
    emit_registers(e, true);
    emit_return(e);
    return at;
}

/* What the record behind that of a call-out does: the handler went on. */
static SoftNext soft_op_called_out(SoftCpu *cpu, SoftOp *op)
{
    cpu->called_out = true;
    SOFT_LEAVE(cpu);
}

/* Calls the handler of a copy of the record. The record behind it (soft_op_called_out) notes that
 * the handler went on; one that did not has set RIP, and so has soft_finish() when the block must
 * be left after this instruction: its code or its mode is no longer what it was. */
static const uint8_t *emit_call_out(Emit *e)
{
    const uint8_t *at = e->at;
    emit_stack_adjust(e, -8);
    emit_registers(e, true);
    emit_rm(e, (EmitInsn){ .opcode = 0xC6 }, 0, TRANSLATE_FIELD(called_out)); /* MOV byte, 0 */
    emit8(e, 0);
    emit_load32(e, HOST_RAX, TRANSLATE_FIELD(mode));
    emit_rm(e, (EmitInsn){ .opcode = 0x89 }, HOST_RAX, TRANSLATE_FIELD(called_mode));
    emit_rm(e, (EmitInsn){ .opcode = 0x03, .wide = true }, HOST_R14, TRANSLATE_FIELD(block_arena));
    emit_lea64(e, HOST_RSI, TRANSLATE_FIELD(called[0]));
    for (unsigned i = 0; i < sizeof(SoftOp); i += 8) {
        emit_load64(e, HOST_RAX, EMIT_MEM(HOST_R14, (int32_t)i));
        emit_store64(e, EMIT_MEM(HOST_RSI, (int32_t)i), HOST_RAX);
    }
    emit_lea64(e, HOST_RDI, EMIT_MEM(TRANSLATE_STATE, -(int32_t)TRANSLATE_BIAS));
    emit_rm(e, (EmitInsn){ .opcode = 0xFF }, 2, EMIT_MEM(HOST_RSI, offsetof(SoftOp, fn)));
    emit_rm(e, (EmitInsn){ .opcode = 0x80 }, 7, TRANSLATE_FIELD(called_out)); /* CMP byte, 0 */
    emit8(e, 0);
    uint8_t *gone = emit_jcc(e, 4);
    emit_rm(e, (EmitInsn){ .opcode = 0x80 }, 7, TRANSLATE_FIELD(break_block));
    emit8(e, 0);
    uint8_t *broken = emit_jcc(e, 5);
    emit_load32(e, HOST_RAX, TRANSLATE_FIELD(mode));
    emit_rm(e, (EmitInsn){ .opcode = 0x3B }, HOST_RAX, TRANSLATE_FIELD(called_mode));
    uint8_t *other_mode = emit_jcc(e, 5);
    emit_registers(e, false);
    emit_stack_adjust(e, 8);
    emit8(e, 0xC3);
    emit_patch(broken, e->at);
    emit_patch(other_mode, e->at);
    emit_lea64(e, HOST_RDI, EMIT_MEM(TRANSLATE_STATE, -(int32_t)TRANSLATE_BIAS));
    emit_mov_rr(e, HOST_RSI, HOST_R14);
    emit_constant(e, HOST_RAX, (uintptr_t)soft_finish);
    emit_rr(e, (EmitInsn){ .opcode = 0xFF }, 2, HOST_RAX);
    emit_patch(gone, e->at);
    emit_stack_adjust(e, 16); /* the return address too */
    emit_constant(e, HOST_RAX, OUT_LEAVE);
    emit_return(e);
    return at;
}

static void emit_stubs(SoftTranslator *translator)
{
    Emit e = { translator->write };
    const uint8_t *enter = e.at;
    emit_enter(&e);
    TranslateStubs *stub = &translator->stub;
    stub->leave = emit_leave(&e, OUT_LEAVE);
    stub->leave_dead = stub->leave;
    stub->leave_indirect = emit_leave(&e, OUT_INDIRECT);
    stub->leave_site = emit_leave(&e, OUT_SITE);
    stub->leave_record = emit_leave_record(&e);
    stub->call_out = emit_call_out(&e);
    translator->first = translator->used = (size_t)(e.at - translator->write + 63) & ~(size_t)63;
    const uint8_t *running = translate_running(translator, enter);
    memcpy(&translator->enter, &running, sizeof running);
}

/* The code is written through one mapping and run through another, so no page is ever both. */
static bool map_area(SoftTranslator *translator, unsigned n_vcpus)
{
    translator->size = MAX(TRANSLATE_AREA / MAX(n_vcpus, 1), TRANSLATE_AREA / 4);
    int fd = memfd_create("vitrine-translated", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = ftruncate(fd, (off_t)translator->size) == 0;
    translator->write = mmap(NULL, translator->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    translator->run = mmap(NULL, translator->size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    return ok && translator->write != MAP_FAILED && translator->run != MAP_FAILED;
}

static void unmap_area(SoftTranslator *translator)
{
    if (translator->run != MAP_FAILED && translator->run)
        munmap(translator->run, translator->size);
    if (translator->write != MAP_FAILED && translator->write)
        munmap(translator->write, translator->size);
}

SoftTranslator *soft_translator_new(SoftCpu *cpu)
{
    const char *wish = g_getenv("VITRINE_TRANSLATOR");
    if (!TRANSLATE_POSSIBLE || g_strcmp0(wish, "never") == 0)
        return NULL;
    SoftTranslator *translator = g_new0(SoftTranslator, 1);
    if (!map_area(translator, cpu->machine->n_vcpus)) {
        unmap_area(translator);
        g_free(translator);
        return NULL;
    }
    translator->patience = g_strcmp0(wish, "always") == 0 ? 1 : TRANSLATE_PATIENCE;
    emit_stubs(translator);
    cpu->jump_table = translator->jump;
    cpu->called[1].fn = soft_op_called_out;
    return translator;
}

void soft_translator_free(SoftCpu *cpu)
{
    if (!cpu->translator)
        return;
    unmap_area(cpu->translator);
    g_clear_pointer(&cpu->translator, g_free);
}

unsigned soft_translate_patience(const SoftTranslator *translator)
{
    return translator->patience;
}

void soft_translator_flush(SoftCpu *cpu)
{
    SoftTranslator *translator = cpu->translator;
    if (!translator)
        return;
    translator->most_used = MAX(translator->most_used, translator->used);
    translator->used = translator->first;
    memset(translator->jump, 0, sizeof translator->jump);
}

void soft_translator_give_back(SoftCpu *cpu)
{
    SoftTranslator *translator = cpu->translator;
    if (!translator)
        return;
    size_t from = (translator->first + 4095) & ~(size_t)4095;
    if (translator->most_used > from)
        madvise(translator->write + from, translator->most_used - from, MADV_REMOVE);
    translator->most_used = 0;
}

/* Jump keys ----------------------------------------------------------------------------------- */

void soft_jump_keys_update(SoftCpu *cpu)
{
    if (!cpu->translator)
        return;
    uint64_t place = cpu->mode | (cpu->cpl == 3 ? UINT64_C(1) << 16 : 0);
    cpu->jump_key[0] = place | (uint64_t)cpu->translator->generation[0] << 32;
    cpu->jump_key[1] = place | (uint64_t)cpu->translator->generation[1] << 32 | 1u << 17;
}

static void forget_key(SoftTranslator *translator, unsigned which)
{
    translator->generation[which]++;
    memset(translator->target_pages[which], 0, sizeof translator->target_pages[which]);
}

void soft_jump_keys_forget(SoftCpu *cpu, bool keep_global)
{
    if (!cpu->translator)
        return;
    forget_key(cpu->translator, 0);
    if (!keep_global)
        forget_key(cpu->translator, 1);
    soft_jump_keys_update(cpu);
}

/* Whether key @which vouches for the page at @linear; two pages may share a bit. */
static uint64_t *page_filter(SoftTranslator *translator, unsigned which, uint64_t linear,
                             uint64_t *out_bit)
{
    uint64_t page = (linear >> 12) & (TRANSLATE_FILTER_BITS - 1);
    *out_bit = UINT64_C(1) << (page & 63);
    return &translator->target_pages[which][page >> 6];
}

static bool vouches_for(SoftTranslator *translator, unsigned which, uint64_t linear, unsigned shift)
{
    uint64_t bit;
    if (shift == 12)
        return *page_filter(translator, which, linear, &bit) & bit;
    if (shift > 12 + 10)
        return true;
    uint64_t *words = page_filter(translator, which, linear >> shift << shift, &bit), found = 0;
    for (unsigned i = 0; i < 1u << (shift - 12) >> 6; i++)
        found |= words[i];
    return found;
}

void soft_jump_keys_forget_range(SoftCpu *cpu, uint64_t linear, unsigned shift)
{
    SoftTranslator *translator = cpu->translator;
    for (unsigned which = 0; translator && which < 2; which++)
        if (vouches_for(translator, which, linear, shift)) {
            forget_key(translator, which);
            soft_jump_keys_update(cpu);
        }
}

/* The key under which the page at @linear, the current one, may be jumped to. */
static uint64_t key_for(SoftCpu *cpu, uint64_t linear, bool *out_global)
{
    const SoftItlbEntry *entry = &cpu->itlb[(linear >> 12) & (SOFT_ITLB_SIZE - 1)];
    *out_global = entry->info & SOFT_TLB_GLOBAL;
    uint64_t bit, *filter = page_filter(cpu->translator, *out_global, linear, &bit);
    *filter |= bit;
    return cpu->jump_key[*out_global];
}

/* Running ------------------------------------------------------------------------------------- */

static SoftNext soft_op_translated(SoftCpu *cpu, SoftOp *op);

static const uint8_t *code_of(const SoftOp *first)
{
    return first->fn == soft_op_translated ? first->pointer : NULL;
}

void soft_translation_kill(SoftCpu *cpu, SoftOp *first)
{
    SoftTranslator *translator = cpu->translator;
    const uint8_t *code = code_of(first);
    if (!code)
        return;
    Emit e = { translator->write + (code - translator->run) };
    emit_jump_to(&e, translator->stub.leave_dead);
}

static void link_site(SoftCpu *cpu, const uint8_t *at, const uint8_t *code)
{
    SoftTranslator *translator = cpu->translator;
    TranslateSite site;
    memcpy(&site, at, sizeof site);
    if (site.key) {
        bool global;
        uint64_t key = key_for(cpu, cpu->rip, &global);
        if (global != site.global)
            return;
        key ^= cpu->rip;
        memcpy(translator->write + site.key, &key, sizeof key);
    }
    emit_patch(translator->write + site.jump, translator->write + (code - translator->run));
}

static void link_indirect(SoftCpu *cpu, const uint8_t *code)
{
    uint64_t linear = cpu->rip;
    bool global;
    TranslateJump *jump =
        &cpu->translator
             ->jump[(linear ^ linear >> TRANSLATE_JUMP_BITS) & ((1 << TRANSLATE_JUMP_BITS) - 1)];
    jump->linear = linear;
    jump->key = key_for(cpu, linear, &global);
    jump->code = code;
}

/* The next record to run after leaving translated code with @out, or NULL. */
static SoftOp *find_next(SoftCpu *cpu, uintptr_t out)
{
    uint32_t generation = soft_block_generation(cpu);
    SoftOp *next = soft_block_next(cpu);
    const uint8_t *code = next ? code_of(next) : NULL;
    if (!code || generation != soft_block_generation(cpu) || cpu->shadow)
        return next;
    if ((out & OUT_MASK) == OUT_SITE)
        link_site(cpu, (const uint8_t *)(out >> OUT_BITS), code);
    else
        link_indirect(cpu, code);
    return next;
}

static SoftNext soft_op_translated(SoftCpu *cpu, SoftOp *op)
{
    SoftTranslator *translator = cpu->translator;
    const uint8_t *code = op->pointer;
    for (;;) {
        uintptr_t out = translator->enter(cpu, code);
        if (out == OUT_LEAVE)
            SOFT_LEAVE(cpu);
        SoftOp *next = (SoftOp *)out;
        if (out & OUT_MASK) {
            next = find_next(cpu, out);
            if (!next)
                SOFT_LEAVE(cpu);
            code = code_of(next);
            if (code)
                continue;
        }
        SOFT_NEXT_AT(cpu, next);
    }
}

static G_GNUC_NO_INLINE bool translate_now(SoftCpu *cpu, SoftOp *first)
{
    const uint8_t *code = translate_block(cpu, first);
    if (!code) {
        if (!soft_block_of(first)->dead) /* the area is full */
            soft_code_cache_flush(cpu);
        return false;
    }
    first->pointer = (void *)code;
    first->fn = soft_op_translated;
    return true;
}

SoftNext soft_op_count(SoftCpu *cpu, SoftOp *op)
{
    if (G_LIKELY(--op->imm))
        SOFT_NEXT(cpu, op);
    if (!translate_now(cpu, op))
        SOFT_LEAVE(cpu);
    return soft_op_translated(cpu, op);
}
