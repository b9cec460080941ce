/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B; NOP and PAUSE, which are XCHG by opcode. */

#include "core/cpu/soft/int.h"

/* Each EVAL runs the host's instruction on (memory or register D, register R). */
#define EVAL_XCHG(S, LOCK, D, CONSTRAINT, R)                                                       \
    __asm__ volatile("xchg" INT_SUFFIX_##S " %[r], %[d]"                                           \
                     : [d] CONSTRAINT(D), [r] "+r"(R)                                              \
                     :                                                                             \
                     : "memory")
#define EVAL_XADD(S, LOCK, D, CONSTRAINT, R)                                                       \
    do {                                                                                           \
        uint32_t flags;                                                                            \
        __asm__ volatile(LOCK "xadd" INT_SUFFIX_##S " %[r], %[d]" INT_SAVE_FLAGS                   \
                         : [d] CONSTRAINT(D), [r] "+&r"(R), "=&a"(flags)                           \
                         :                                                                         \
                         : "cc", "memory");                                                        \
        cpu->flags = flags;                                                                        \
    } while (0)

/* The operand out of line, with the register in r. */
#define INT_LOCKED(LOCK) (sizeof(LOCK) > 1)
#define EXCHANGE_SLOWLY(S, EVAL, LOCK)                                                             \
    uint64_t offset = soft_ea(cpu, op);                                                            \
    soft_probe_store(cpu, op->seg, offset, S);                                                     \
    INT_TYPE_##S *p = INT_LOCKED(LOCK) ? int_lock_pointer(cpu, op, offset, S) : NULL;              \
    if (p) {                                                                                       \
        EVAL(S, LOCK, *p, "+m", r);                                                                \
    } else {                                                                                       \
        if (INT_LOCKED(LOCK))                                                                      \
            soft_exclusive_begin(cpu);                                                             \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL(S, "", d, "+r", r);                                                                   \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        if (INT_LOCKED(LOCK))                                                                      \
            soft_exclusive_end(cpu);                                                               \
    }

/* Memory forms. XCHG is always locked. */
#define EXCHANGE_MEMORY(EA, N, S, EVAL, LOCK)                                                      \
    INT_FAST N##_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p || (INT_LOCKED(LOCK) && INT_MISALIGNED(p, S))))                          \
            return N##_mr_slow_##S(cpu, op);                                                       \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src);                                                \
        EVAL(S, LOCK, *p, "+m", r);                                                                \
        INT_SET_##S(cpu, op->src, r);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define EXCHANGE_SIZE(N, S, EVAL, LOCK)                                                            \
    INT_SLOW N##_mr_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src);                                                \
        EXCHANGE_SLOWLY(S, EVAL, LOCK)                                                             \
        INT_SET_##S(cpu, op->src, r);                                                              \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FOR_EA(EXCHANGE_MEMORY, N, S, EVAL, LOCK)
/* Registers: the destination is written last, as it is when both are the same. */
#define EXCHANGE_REGISTERS(N, S, EVAL)                                                             \
    INT_FAST N##_rr_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src), d = INT_GET_##S(cpu, op->dst);                 \
        EVAL(S, "", d, "+r", r);                                                                   \
        INT_SET_##S(cpu, op->src, r);                                                              \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define EXCHANGE(S)                                                                                \
    EXCHANGE_REGISTERS(xchg, S, EVAL_XCHG)                                                         \
    EXCHANGE_SIZE(xchg, S, EVAL_XCHG, "lock ")                                                     \
    EXCHANGE_REGISTERS(xadd, S, EVAL_XADD)                                                         \
    EXCHANGE_SIZE(xadd, S, EVAL_XADD, "")                                                          \
    EXCHANGE_SIZE(xadd_lock, S, EVAL_XADD, "lock ")
EXCHANGE(1)
EXCHANGE(2)
EXCHANGE(4)
EXCHANGE(8)

/* CMPXCHG: RAX as a whole goes through the host's instruction, so that what a 32-bit one does to
 * its upper half is the processor's business. */
#define EVAL_CMPXCHG(S, LOCK, D, CONSTRAINT, R)                                                    \
    do {                                                                                           \
        uint64_t accumulator, flags = SOFT_R64(cpu, SOFT_REG(0));                                  \
        __asm__ volatile(LOCK "cmpxchg" INT_SUFFIX_##S                                             \
                         " %[r], %[d]\n\tmovq %%rax, %[x]" INT_SAVE_FLAGS                          \
                         : [d] CONSTRAINT(D), [x] "=&r"(accumulator), "+&a"(flags)                 \
                         : [r] "r"(R)                                                              \
                         : "cc", "memory");                                                        \
        SOFT_R64(cpu, SOFT_REG(0)) = accumulator;                                                  \
        cpu->flags = (uint32_t)flags;                                                              \
    } while (0)
#define CMPXCHG_MEMORY(EA, N, S, LOCK)                                                             \
    INT_FAST N##_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p || (INT_LOCKED(LOCK) && INT_MISALIGNED(p, S))))                          \
            return N##_mr_slow_##S(cpu, op);                                                       \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src);                                                \
        EVAL_CMPXCHG(S, LOCK, *p, "+m", r);                                                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define CMPXCHG_SLOW(N, S, LOCK)                                                                   \
    INT_SLOW N##_mr_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src);                                                \
        EXCHANGE_SLOWLY(S, EVAL_CMPXCHG, LOCK)                                                     \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
#define CMPXCHG(S)                                                                                 \
    INT_FAST cmpxchg_rr_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        INT_TYPE_##S r = INT_GET_##S(cpu, op->src);                                                \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        bool equal = d == INT_GET_##S(cpu, SOFT_REG(0));                                           \
        EVAL_CMPXCHG(S, "", d, "+r", r);                                                           \
        if (equal)                                                                                 \
            INT_SET_##S(cpu, op->dst, d);                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    CMPXCHG_SLOW(cmpxchg, S, "")                                                                   \
    CMPXCHG_SLOW(cmpxchg_lock, S, "lock ")                                                         \
    INT_FOR_EA(CMPXCHG_MEMORY, cmpxchg, S, "")                                                     \
    INT_FOR_EA(CMPXCHG_MEMORY, cmpxchg_lock, S, "lock ")
CMPXCHG(1)
CMPXCHG(2)
CMPXCHG(4)
CMPXCHG(8)

/* CMPXCHG8B and 16B, done locked always. @pointer as soft_lock_pointer gave it. */
static void exchange_8b(SoftCpu *cpu, const SoftOp *op)
{
    uint64_t offset = soft_ea(cpu, op);
    uint64_t expected = SOFT_R32(cpu, SOFT_REG(0)) | (uint64_t)SOFT_R32(cpu, SOFT_REG(2)) << 32;
    uint64_t desired = SOFT_R32(cpu, SOFT_REG(3)) | (uint64_t)SOFT_R32(cpu, SOFT_REG(1)) << 32;
    uint64_t found = expected;
    uint64_t *p = int_lock_pointer(cpu, op, offset, 8);
    if (p) {
        __atomic_compare_exchange_n(p, &found, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    } else {
        soft_exclusive_begin(cpu);
        found = soft_load(cpu, op->seg, offset, 8);
        soft_store(cpu, op->seg, offset, 8, found == expected ? desired : found);
        soft_exclusive_end(cpu);
    }
    if (found == expected) {
        cpu->flags |= SOFT_FLAG_ZF;
    } else {
        cpu->flags &= ~SOFT_FLAG_ZF;
        SOFT_R64(cpu, SOFT_REG(0)) = (uint32_t)found;
        SOFT_R64(cpu, SOFT_REG(2)) = found >> 32;
    }
}

static void exchange_16b(SoftCpu *cpu, const SoftOp *op)
{
    uint64_t offset = soft_ea(cpu, op);
    uint64_t linear = soft_linear(cpu, op->seg, offset, 16, true);
    if (linear & 15)
        soft_fault_error(cpu, X86_GP, 0);
    uint64_t low = SOFT_R64(cpu, SOFT_REG(0)), high = SOFT_R64(cpu, SOFT_REG(2));
    bool equal;
    void *p = soft_lock_pointer(cpu, op->seg, offset, 16);
    if (p) {
        __asm__ volatile("lock cmpxchg16b %[m]\n\tsete %[e]"
                         : [m] "+m"(*(unsigned __int128 *)p), [e] "=q"(equal), "+a"(low), "+d"(high)
                         : "b"(SOFT_R64(cpu, SOFT_REG(3))), "c"(SOFT_R64(cpu, SOFT_REG(1)))
                         : "cc", "memory");
    } else {
        soft_exclusive_begin(cpu);
        uint64_t found_low = soft_load(cpu, op->seg, offset, 8);
        uint64_t found_high = soft_load(cpu, op->seg, offset + 8, 8);
        equal = found_low == low && found_high == high;
        soft_store(cpu, op->seg, offset, 8, equal ? SOFT_R64(cpu, SOFT_REG(3)) : found_low);
        soft_store(cpu, op->seg, offset + 8, 8, equal ? SOFT_R64(cpu, SOFT_REG(1)) : found_high);
        soft_exclusive_end(cpu);
        low = found_low;
        high = found_high;
    }
    if (equal) {
        cpu->flags |= SOFT_FLAG_ZF;
    } else {
        cpu->flags &= ~SOFT_FLAG_ZF;
        SOFT_R64(cpu, SOFT_REG(0)) = low;
        SOFT_R64(cpu, SOFT_REG(2)) = high;
    }
}

static SoftNext cmpxchg8b(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    exchange_8b(cpu, op);
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext cmpxchg16b(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    exchange_16b(cpu, op);
    SOFT_NEXT_STORED(cpu, op);
}

#define EXCHANGE_ROW(N, R, S)                                                                      \
    {                                                                                              \
        R##_rr_##S, N##_mr_b_##S, N##_mr_bi_##S, N##_mr_g_##S                                      \
    }
#define EXCHANGE_SIZES(N, R)                                                                       \
    {                                                                                              \
        EXCHANGE_ROW(N, R, 1), EXCHANGE_ROW(N, R, 2), EXCHANGE_ROW(N, R, 4), EXCHANGE_ROW(N, R, 8) \
    }
enum { XCHG, XADD, XADD_LOCK, CMPXCHG, CMPXCHG_LOCK };
static SoftHandler *const exchange_handlers[][4][1 + SOFT_N_EA] = {
    [XCHG] = EXCHANGE_SIZES(xchg, xchg),
    [XADD] = EXCHANGE_SIZES(xadd, xadd),
    [XADD_LOCK] = EXCHANGE_SIZES(xadd_lock, xadd),
    [CMPXCHG] = EXCHANGE_SIZES(cmpxchg, cmpxchg),
    [CMPXCHG_LOCK] = EXCHANGE_SIZES(cmpxchg_lock, cmpxchg),
};

bool soft_decode_exchange(SoftDecode *d)
{
    SoftOp *op = d->op;
    unsigned size = d->opcode & 1 ? d->operand_size : 1, which = XCHG;
    if (d->map == 0 && d->opcode >= 0x90) {
        unsigned n = (d->opcode & 7) | (d->rex & 1) << 3;
        op->dst = SOFT_REG(n);
        op->src = SOFT_REG(0);
        if (n == 0 && d->rep == 0xF3 && d->cpu->machine->n_vcpus > 1) {
            op->fn = soft_op_pause;
            return true;
        }
        if (n == 0)
            return soft_decode_nop(d);
        op->fn = exchange_handlers[XCHG][int_size_index(d->operand_size)][0];
        return true;
    }
    if (d->map == 1 && d->opcode == 0xC7) {
        op->fn = d->operand_size == 8 ? cmpxchg16b : cmpxchg8b;
        return true;
    }
    op->src = soft_decode_reg(d, d->reg, size);
    if (!d->is_memory)
        op->dst = soft_decode_reg(d, d->rm, size);
    if (d->map == 1)
        which = (d->opcode >= 0xC0 ? XADD : CMPXCHG) + d->lock;
    op->fn = exchange_handlers[which][int_size_index(size)][d->is_memory ? 1 + d->ea : 0];
    return true;
}
