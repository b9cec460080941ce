/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* MOVS STOS LODS SCAS CMPS INS OUTS with and without REP; CLD and STD.
 *
 * A repeated instruction works through its elements in steps; after each step the registers stand
 * as if it had been interrupted there, so a fault in the next leaves it restartable, and attention
 * stops it with RIP on itself. Where both operands are plain memory a step is up to a page. */

#include "core/cpu/soft/int.h"

#define STRING_RAX SOFT_REG(0)
#define STRING_RCX SOFT_REG(1)
#define STRING_RDX SOFT_REG(2)
#define STRING_RSI SOFT_REG(6)
#define STRING_RDI SOFT_REG(7)

/* Fields of the record: src = bytes of an element, dst = address size, seg = segment of the source,
 * imm = REP prefix or 0. */

static inline uint64_t string_mask(const SoftOp *op)
{
    return ~UINT64_C(0) >> op->ashift;
}
static inline uint64_t string_get(SoftCpu *cpu, const SoftOp *op, uint8_t slot)
{
    return SOFT_R64(cpu, slot) & string_mask(op);
}
/* Moves a pointer or counter on by @delta, at the address size. */
static inline void string_move(SoftCpu *cpu, const SoftOp *op, uint8_t slot, uint64_t delta)
{
    int_set(cpu, slot, op->dst, SOFT_R64(cpu, slot) + delta);
}
static inline uint64_t string_stride(const SoftCpu *cpu, const SoftOp *op)
{
    return cpu->rflags & RFLAGS_DF ? -(uint64_t)op->src : op->src;
}

/* One element. */
static uint64_t string_load(SoftCpu *cpu, const SoftOp *op, unsigned seg, uint64_t offset)
{
    return soft_load(cpu, seg, offset, op->src);
}

/* How many elements from @offset on lie in the segment, in the address space and (both ways round)
 * before @offset wraps; 0: let the slow door decide. */
static uint64_t string_room(SoftCpu *cpu, const SoftOp *op, unsigned seg, uint64_t offset,
                            bool write)
{
    uint64_t end = cpu->seg[seg].end[write];
    if (offset >= end)
        return 0;
    uint64_t room = end - offset;
    if (op->dst != 8)
        room = MIN(room, string_mask(op) - offset + 1);
    return room / op->src;
}

/* Elements that can be done at once at @offset, at most @count, and where their bytes are. 0: one
 * by one. */
static uint64_t string_span_read(SoftCpu *cpu, const SoftOp *op, unsigned seg, uint64_t offset,
                                 uint64_t count, const uint8_t **out_bytes)
{
    uint64_t room = string_room(cpu, op, seg, offset, false);
    if (room == 0)
        return 0;
    unsigned length;
    const uint8_t *p = soft_span_read(cpu, soft_linear(cpu, seg, offset, op->src, false), &length);
    if (!p)
        return 0;
    *out_bytes = p;
    return MIN(MIN(room, count), length / op->src);
}
static uint64_t string_span_write(SoftCpu *cpu, const SoftOp *op, uint64_t offset, uint64_t count,
                                  uint8_t **out_bytes)
{
    uint64_t room = string_room(cpu, op, CPU_ES, offset, true);
    if (room == 0)
        return 0;
    unsigned length;
    uint8_t *p = soft_span_write(cpu, soft_linear(cpu, CPU_ES, offset, op->src, true), &length);
    if (!p)
        return 0;
    *out_bytes = p;
    return MIN(MIN(room, count), length / op->src);
}

/* Element by element upwards, as the instruction does: an overlap repeats a pattern. */
static void string_copy(uint8_t *to, const uint8_t *from, uint64_t n, unsigned size)
{
    uint64_t bytes = n * size;
    if (to <= from || to >= from + bytes) {
        memmove(to, from, bytes);
        return;
    }
    switch (size) {
    case 1: __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); break;
    case 2: __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); break;
    case 4: __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); break;
    default: __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); break;
    }
}
static void string_fill(uint8_t *to, uint64_t value, uint64_t n, unsigned size)
{
    switch (size) {
    case 1: memset(to, (uint8_t)value, n); break;
    case 2: __asm__ volatile("rep stosw" : "+D"(to), "+c"(n) : "a"(value) : "memory"); break;
    case 4: __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(value) : "memory"); break;
    default: __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(value) : "memory"); break;
    }
}

/* Steps: each does 1 to @count elements, moves RSI and RDI, and returns how many. @count is 1
 * without REP. Those that compare set flags and say in *@out_stop whether the condition of the
 * prefix ends the repetition. */
typedef uint64_t StringStep(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop);

/* Elements of @size from the one at @linear down that lie in its page. */
static uint64_t string_page_down(uint64_t linear, unsigned size)
{
    unsigned at = linear & (RAM_PAGE_SIZE - 1);
    return at + size <= RAM_PAGE_SIZE ? at / size + 1 : 0;
}

/* MOVS downwards (DF set), as memmove() of boot loaders does it: how many elements were copied at
 * once; 0: one by one. */
static uint64_t movs_down(SoftCpu *cpu, const SoftOp *op, uint64_t from, uint64_t to,
                          uint64_t count)
{
    unsigned size = op->src;
    if (!string_room(cpu, op, op->seg, from, false) || !string_room(cpu, op, CPU_ES, to, true))
        return 0;
    uint64_t source_at = soft_linear(cpu, op->seg, from, size, false);
    uint64_t target_at = soft_linear(cpu, CPU_ES, to, size, true);
    uint64_t n = MIN(count, MIN(from, to) / size + 1);
    n = MIN(n, MIN(string_page_down(source_at, size), string_page_down(target_at, size)));
    if (n < 2)
        return 0;
    unsigned length;
    uint64_t below = (n - 1) * size;
    const uint8_t *source = soft_span_read(cpu, source_at - below, &length);
    uint8_t *target = source ? soft_span_write(cpu, target_at - below, &length) : NULL;
    if (!target)
        return 0;
    if (target >= source || target + n * size <= source)
        memmove(target, source, n * size);
    else /* an overlap repeats a pattern */
        for (uint64_t i = n; i-- > 0;)
            memmove(target + i * size, source + i * size, size);
    return n;
}

static uint64_t step_movs(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint64_t from = string_get(cpu, op, STRING_RSI), to = string_get(cpu, op, STRING_RDI);
    uint64_t n = 0, stride = string_stride(cpu, op);
    if (count > 1 && stride == op->src) {
        const uint8_t *source;
        uint8_t *target;
        n = string_span_read(cpu, op, op->seg, from, count, &source);
        if (n > 1)
            n = string_span_write(cpu, op, to, n, &target);
        else
            n = 0;
        if (n)
            string_copy(target, source, n, op->src);
    } else if (count > 1) {
        n = movs_down(cpu, op, from, to, count);
    }
    if (!n) {
        soft_store(cpu, CPU_ES, to, op->src, string_load(cpu, op, op->seg, from));
        n = 1;
    }
    string_move(cpu, op, STRING_RSI, n * stride);
    string_move(cpu, op, STRING_RDI, n * stride);
    return n;
}

static uint64_t step_stos(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint64_t to = string_get(cpu, op, STRING_RDI);
    uint64_t n = 0, stride = string_stride(cpu, op);
    if (count > 1 && stride == op->src) {
        uint8_t *target;
        n = string_span_write(cpu, op, to, count, &target);
        if (n)
            string_fill(target, SOFT_R64(cpu, STRING_RAX), n, op->src);
    }
    if (!n) {
        soft_store(cpu, CPU_ES, to, op->src, SOFT_R64(cpu, STRING_RAX));
        n = 1;
    }
    string_move(cpu, op, STRING_RDI, n * stride);
    return n;
}

static uint64_t step_lods(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint64_t value = string_load(cpu, op, op->seg, string_get(cpu, op, STRING_RSI));
    int_set(cpu, STRING_RAX, op->src, value);
    string_move(cpu, op, STRING_RSI, string_stride(cpu, op));
    return 1;
}

static void string_compare(SoftCpu *cpu, unsigned size, uint64_t a, uint64_t b)
{
    uint32_t flags;
    switch (size) {
    case 1:
        __asm__("cmpb %2, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"((uint8_t)a), "r"((uint8_t)b));
        break;
    case 2:
        __asm__("cmpw %2, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"((uint16_t)a), "r"((uint16_t)b));
        break;
    case 4:
        __asm__("cmpl %2, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"((uint32_t)a), "r"((uint32_t)b));
        break;
    default: __asm__("cmpq %2, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"(a), "r"(b)); break;
    }
    cpu->flags = flags;
}
/* REPE goes on while equal, REPNE while not. */
static bool string_stops(const SoftOp *op, bool equal)
{
    return op->imm == 0xF3 ? !equal : equal;
}
static uint64_t string_element(const uint8_t *bytes, uint64_t i, unsigned size)
{
    switch (size) {
    case 1: return bytes[i];
    case 2: return ((const IntUnaligned2 *)bytes)[i];
    case 4: return ((const IntUnaligned4 *)bytes)[i];
    default: return ((const IntUnaligned8 *)bytes)[i];
    }
}

static uint64_t step_scas(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint64_t at = string_get(cpu, op, STRING_RDI), stride = string_stride(cpu, op);
    uint64_t wanted = int_get(cpu, STRING_RAX, op->src), found = 0, n = 0;
    if (count > 1 && stride == op->src) {
        const uint8_t *bytes;
        uint64_t most = string_span_read(cpu, op, CPU_ES, at, count, &bytes);
        while (n < most) {
            found = string_element(bytes, n++, op->src);
            if (string_stops(op, found == wanted))
                break;
        }
    }
    if (!n) {
        found = string_load(cpu, op, CPU_ES, at);
        n = 1;
    }
    string_move(cpu, op, STRING_RDI, n * stride);
    string_compare(cpu, op->src, wanted, found);
    *out_stop = string_stops(op, found == wanted);
    return n;
}

static uint64_t step_cmps(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint64_t first = string_get(cpu, op, STRING_RSI), second = string_get(cpu, op, STRING_RDI);
    uint64_t stride = string_stride(cpu, op), a = 0, b = 0, n = 0;
    if (count > 1 && stride == op->src) {
        const uint8_t *one, *two;
        uint64_t most = string_span_read(cpu, op, op->seg, first, count, &one);
        if (most)
            most = string_span_read(cpu, op, CPU_ES, second, most, &two);
        while (n < most) {
            a = string_element(one, n, op->src);
            b = string_element(two, n, op->src);
            n++;
            if (string_stops(op, a == b))
                break;
        }
    }
    if (!n) {
        a = string_load(cpu, op, op->seg, first);
        b = string_load(cpu, op, CPU_ES, second);
        n = 1;
    }
    string_move(cpu, op, STRING_RSI, n * stride);
    string_move(cpu, op, STRING_RDI, n * stride);
    string_compare(cpu, op->src, a, b);
    *out_stop = string_stops(op, a == b);
    return n;
}

static uint64_t step_ins(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint16_t port = SOFT_R16(cpu, STRING_RDX);
    uint64_t to = string_get(cpu, op, STRING_RDI);
    soft_check_io(cpu, port, op->src);
    /* What a port gives is gone: the store must not fail. */
    soft_probe_store(cpu, CPU_ES, to, op->src);
    soft_store(cpu, CPU_ES, to, op->src, soft_port_read(cpu, port, op->src));
    string_move(cpu, op, STRING_RDI, string_stride(cpu, op));
    return 1;
}

static uint64_t step_outs(SoftCpu *cpu, const SoftOp *op, uint64_t count, bool *out_stop)
{
    uint16_t port = SOFT_R16(cpu, STRING_RDX);
    soft_check_io(cpu, port, op->src);
    uint64_t value = string_load(cpu, op, op->seg, string_get(cpu, op, STRING_RSI));
    soft_port_write(cpu, port, op->src, (uint32_t)value);
    string_move(cpu, op, STRING_RSI, string_stride(cpu, op));
    return 1;
}

/* Elements done at once: a bound on how late attention is answered. */
#define STRING_STEP_MAX 4096

/* Runs steps until the count or the condition ends it (true), or something wants attention first
 * (false). */
static inline __attribute__((always_inline)) bool string_repeat(SoftCpu *cpu, const SoftOp *op,
                                                                StringStep *step)
{
    /* Debug traps come after each element. */
    uint64_t most = cpu->mode & SOFT_MODE_ONE ? 1 : STRING_STEP_MAX;
    for (;;) {
        uint64_t count = string_get(cpu, op, STRING_RCX);
        if (count == 0)
            return true;
        bool stop = false;
        uint64_t n = step(cpu, op, MIN(count, most), &stop);
        string_move(cpu, op, STRING_RCX, -n);
        if (stop || n == count)
            return true;
        if (G_UNLIKELY(cpu->break_block || __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED)))
            return false;
    }
}

/* Leaves with RIP on the instruction: what came before it in the block is done. */
static void string_pause(SoftCpu *cpu, const SoftOp *op)
{
    cpu->budget -= op->ordinal;
    cpu->rip = soft_rip_of(cpu, op);
}

#define STRING(N)                                                                                  \
    static __attribute__((noinline)) bool run_##N(SoftCpu *cpu, const SoftOp *op)                  \
    {                                                                                              \
        return string_repeat(cpu, op, step_##N);                                                   \
    }                                                                                              \
    static __attribute__((noinline)) void one_##N(SoftCpu *cpu, const SoftOp *op)                  \
    {                                                                                              \
        bool stop;                                                                                 \
        step_##N(cpu, op, 1, &stop);                                                               \
    }                                                                                              \
    static SoftNext N(SoftCpu *cpu, SoftOp *op)                                                    \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        one_##N(cpu, op);                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    static SoftNext rep_##N(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        if (G_UNLIKELY(!run_##N(cpu, op))) {                                                       \
            string_pause(cpu, op);                                                                 \
            SOFT_LEAVE(cpu);                                                                       \
        }                                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
STRING(movs)
STRING(stos)
STRING(lods)
STRING(scas)
STRING(cmps)
STRING(ins)
STRING(outs)

static SoftNext cld(SoftCpu *cpu, SoftOp *op)
{
    cpu->rflags &= ~(uint64_t)RFLAGS_DF;
    SOFT_NEXT(cpu, op);
}
static SoftNext std_(SoftCpu *cpu, SoftOp *op)
{
    cpu->rflags |= RFLAGS_DF;
    SOFT_NEXT(cpu, op);
}

bool soft_decode_string(SoftDecode *d)
{
    SoftOp *op = d->op;
    op->src = d->opcode & 1 ? d->operand_size : 1;
    op->dst = d->address_size;
    op->ashift = (uint8_t)(64 - 8 * d->address_size);
    op->seg = d->seg_override >= 0 ? (uint8_t)d->seg_override : CPU_DS;
    op->imm = d->rep;
    switch (d->opcode) {
    case 0x6C:
    case 0x6D:
        op->src = MIN(op->src, 4);
        op->fn = d->rep ? rep_ins : ins;
        return true;
    case 0x6E:
    case 0x6F:
        op->src = MIN(op->src, 4);
        op->fn = d->rep ? rep_outs : outs;
        return true;
    case 0xA4:
    case 0xA5: op->fn = d->rep ? rep_movs : movs; return true;
    case 0xA6:
    case 0xA7: op->fn = d->rep ? rep_cmps : cmps; return true;
    case 0xAA:
    case 0xAB: op->fn = d->rep ? rep_stos : stos; return true;
    case 0xAC:
    case 0xAD: op->fn = d->rep ? rep_lods : lods; return true;
    case 0xAE:
    case 0xAF: op->fn = d->rep ? rep_scas : scas; return true;
    case 0xFC: op->fn = cld; return true;
    case 0xFD: op->fn = std_; return true;
    default: return false;
    }
}
