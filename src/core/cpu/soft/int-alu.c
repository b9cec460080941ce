/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, the carry flag's instructions and decimal
 * adjustment. */

#include "core/cpu/soft/int-quiet.h"

/* The host instruction on (destination, source), in registers or on memory; flags into cpu->flags.
 * PLAIN needs no flags, CARRY begins with CF. */
#define ALU_EVAL_PLAIN(N, S, LOCK, D, CONSTRAINT, SRC, SRC_CONSTRAINT)                             \
    do {                                                                                           \
        uint32_t alu_flags;                                                                        \
        __asm__(LOCK #N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                                \
                : [d] CONSTRAINT(D), "=&a"(alu_flags)                                              \
                : [s] SRC_CONSTRAINT(SRC)                                                          \
                : "cc");                                                                           \
        cpu->flags = alu_flags;                                                                    \
    } while (0)
#define ALU_EVAL_CARRY(N, S, LOCK, D, CONSTRAINT, SRC, SRC_CONSTRAINT)                             \
    do {                                                                                           \
        uint32_t alu_flags = cpu->flags;                                                           \
        __asm__(INT_LOAD_CARRY LOCK #N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                 \
                : [d] CONSTRAINT(D), "+&a"(alu_flags)                                              \
                : [s] SRC_CONSTRAINT(SRC)                                                          \
                : "cc");                                                                           \
        cpu->flags = alu_flags;                                                                    \
    } while (0)

/* Two operands, the destination is written. Load, operate, store, and no host instruction that does
 * all on memory: what it stores is slower to load again. */
#define ALU_WRITING_MEMORY(EA, N, S, EVAL)                                                         \
    INT_FAST N##_rm_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_rm_slow_##S(cpu, op);                                                       \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(N, S, "", d, "+r", *p, "rm");                                                         \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_mr_slow_##S(cpu, op);                                                       \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL(N, S, "", d, "+r", INT_GET_##S(cpu, op->src), "rm");                                  \
        *p = d;                                                                                    \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_mi_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_mi_slow_##S(cpu, op);                                                       \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL(N, S, "", d, "+r", *(INT_TYPE_##S *)&op->imm, "rm");                                  \
        *p = d;                                                                                    \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_lock_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p || INT_MISALIGNED(p, S)))                                                \
            return N##_lock_mr_slow_##S(cpu, op);                                                  \
        EVAL(N, S, "lock ", *p, "+m", INT_GET_##S(cpu, op->src), "r");                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_lock_mi_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p || INT_MISALIGNED(p, S)))                                                \
            return N##_lock_mi_slow_##S(cpu, op);                                                  \
        EVAL(N, S, "lock ", *p, "+m", (INT_TYPE_##S)op->imm, "r");                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }

/* Memory destination out of line: the value is computed aside, stored, and only then the flags
 * change, for the store may fault. */
#define ALU_WRITING_SLOW(N, S, EVAL, FORM, SRC)                                                    \
    INT_SLOW N##_##FORM##_slow_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        soft_probe_store(cpu, op->seg, offset, S);                                                 \
        uint32_t before = cpu->flags;                                                              \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL(N, S, "", d, "+r", SRC, "r");                                                         \
        uint32_t after = cpu->flags;                                                               \
        cpu->flags = before;                                                                       \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        cpu->flags = after;                                                                        \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_SLOW N##_lock_##FORM##_slow_##S(SoftCpu *cpu, SoftOp *op)                                  \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        INT_TYPE_##S *p = int_lock_pointer(cpu, op, offset, S);                                    \
        if (p) {                                                                                   \
            EVAL(N, S, "lock ", *p, "+m", SRC, "r");                                               \
        } else {                                                                                   \
            soft_exclusive_begin(cpu);                                                             \
            INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                     \
            EVAL(N, S, "", d, "+r", SRC, "r");                                                     \
            soft_store(cpu, op->seg, offset, S, d);                                                \
            soft_exclusive_end(cpu);                                                               \
        }                                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }

#define ALU_WRITING_SIZE(N, S, EVAL)                                                               \
    INT_FAST N##_rr_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(N, S, "", d, "+r", INT_GET_##S(cpu, op->src), "rm");                                  \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_ri_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(N, S, "", d, "+r", *(INT_TYPE_##S *)&op->imm, "rm");                                  \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW N##_rm_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S s = (INT_TYPE_##S)soft_load(cpu, op->seg, soft_ea(cpu, op), S);               \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(N, S, "", d, "+r", s, "r");                                                           \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    ALU_WRITING_SLOW(N, S, EVAL, mr, INT_GET_##S(cpu, op->src))                                    \
    ALU_WRITING_SLOW(N, S, EVAL, mi, (INT_TYPE_##S)op->imm)                                        \
    INT_FOR_EA(ALU_WRITING_MEMORY, N, S, EVAL)
#define ALU_WRITING(N, EVAL)                                                                       \
    ALU_WRITING_SIZE(N, 1, EVAL)                                                                   \
    ALU_WRITING_SIZE(N, 2, EVAL)                                                                   \
    ALU_WRITING_SIZE(N, 4, EVAL)                                                                   \
    ALU_WRITING_SIZE(N, 8, EVAL)

ALU_WRITING(add, ALU_EVAL_PLAIN)
ALU_WRITING(or, ALU_EVAL_PLAIN)
ALU_WRITING(adc, ALU_EVAL_CARRY)
ALU_WRITING(sbb, ALU_EVAL_CARRY)
ALU_WRITING(and, ALU_EVAL_PLAIN)
ALU_WRITING(sub, ALU_EVAL_PLAIN)
ALU_WRITING(xor, ALU_EVAL_PLAIN)

/* Two operands, flags only. */
#define ALU_EVAL_COMPARE(N, S, D, D_CONSTRAINT, SRC, SRC_CONSTRAINT)                               \
    do {                                                                                           \
        uint32_t alu_flags;                                                                        \
        __asm__(#N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                                     \
                : "=a"(alu_flags)                                                                  \
                : [d] D_CONSTRAINT(D), [s] SRC_CONSTRAINT(SRC)                                     \
                : "cc");                                                                           \
        cpu->flags = alu_flags;                                                                    \
    } while (0)

#define ALU_COMPARING_MEMORY(EA, N, S)                                                             \
    INT_FAST N##_rm_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_rm_slow_##S(cpu, op);                                                       \
        ALU_EVAL_COMPARE(N, S, INT_GET_##S(cpu, op->dst), "r", *p, "m");                           \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_mr_slow_##S(cpu, op);                                                       \
        ALU_EVAL_COMPARE(N, S, *p, "m", INT_GET_##S(cpu, op->src), "r");                           \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_mi_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_mi_slow_##S(cpu, op);                                                       \
        ALU_EVAL_COMPARE(N, S, *p, "m", (INT_TYPE_##S)op->imm, "r");                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define ALU_COMPARING_SLOW(N, S, FORM, D, SRC)                                                     \
    INT_SLOW N##_##FORM##_slow_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S m = (INT_TYPE_##S)soft_load(cpu, op->seg, soft_ea(cpu, op), S);               \
        ALU_EVAL_COMPARE(N, S, D, "r", SRC, "r");                                                  \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define ALU_COMPARING_SIZE(N, S)                                                                   \
    INT_FAST N##_rr_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        ALU_EVAL_COMPARE(N, S, INT_GET_##S(cpu, op->dst), "r", INT_GET_##S(cpu, op->src), "r");    \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_ri_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        ALU_EVAL_COMPARE(N, S, INT_GET_##S(cpu, op->dst), "m", (INT_TYPE_##S)op->imm, "r");        \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    ALU_COMPARING_SLOW(N, S, rm, INT_GET_##S(cpu, op->dst), m)                                     \
    ALU_COMPARING_SLOW(N, S, mr, m, INT_GET_##S(cpu, op->src))                                     \
    ALU_COMPARING_SLOW(N, S, mi, m, (INT_TYPE_##S)op->imm)                                         \
    INT_FOR_EA(ALU_COMPARING_MEMORY, N, S)
#define ALU_COMPARING(N)                                                                           \
    ALU_COMPARING_SIZE(N, 1)                                                                       \
    ALU_COMPARING_SIZE(N, 2)                                                                       \
    ALU_COMPARING_SIZE(N, 4)                                                                       \
    ALU_COMPARING_SIZE(N, 8)

ALU_COMPARING(cmp)
/* TEST has no form with the register first; the host's assembler takes it all the same. */
ALU_COMPARING(test)

/* One operand. INC and DEC keep CF, NOT all flags. */
#define ALU_EVAL_NEG(S, INSTRUCTION, D, CONSTRAINT)                                                \
    do {                                                                                           \
        uint32_t alu_flags;                                                                        \
        __asm__(INSTRUCTION INT_SUFFIX_##S " %[d]" INT_SAVE_FLAGS                                  \
                : [d] CONSTRAINT(D), "=&a"(alu_flags)                                              \
                :                                                                                  \
                : "cc");                                                                           \
        cpu->flags = alu_flags;                                                                    \
    } while (0)
#define ALU_EVAL_STEP(S, INSTRUCTION, D, CONSTRAINT)                                               \
    do {                                                                                           \
        uint32_t alu_flags = cpu->flags;                                                           \
        __asm__(INT_LOAD_CARRY INSTRUCTION INT_SUFFIX_##S " %[d]" INT_SAVE_FLAGS                   \
                : [d] CONSTRAINT(D), "+&a"(alu_flags)                                              \
                :                                                                                  \
                : "cc");                                                                           \
        cpu->flags = alu_flags;                                                                    \
    } while (0)
#define ALU_EVAL_NOT(S, INSTRUCTION, D, CONSTRAINT)                                                \
    __asm__(INSTRUCTION INT_SUFFIX_##S " %[d]" : [d] CONSTRAINT(D))

#define ALU_UNARY_MEMORY(EA, N, S, EVAL)                                                           \
    INT_FAST N##_m_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_m_slow_##S(cpu, op);                                                        \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL(S, #N, d, "+r");                                                                      \
        *p = d;                                                                                    \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_lock_m_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p || INT_MISALIGNED(p, S)))                                                \
            return N##_lock_m_slow_##S(cpu, op);                                                   \
        EVAL(S, "lock " #N, *p, "+m");                                                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define ALU_UNARY_SIZE(N, S, EVAL)                                                                 \
    INT_FAST N##_r_##S(SoftCpu *cpu, SoftOp *op)                                                   \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(S, #N, d, "+r");                                                                      \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW N##_m_slow_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        soft_probe_store(cpu, op->seg, offset, S);                                                 \
        uint32_t before = cpu->flags;                                                              \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL(S, #N, d, "+r");                                                                      \
        uint32_t after = cpu->flags;                                                               \
        cpu->flags = before;                                                                       \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        cpu->flags = after;                                                                        \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_SLOW N##_lock_m_slow_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        INT_TYPE_##S *p = int_lock_pointer(cpu, op, offset, S);                                    \
        if (p) {                                                                                   \
            EVAL(S, "lock " #N, *p, "+m");                                                         \
        } else {                                                                                   \
            soft_exclusive_begin(cpu);                                                             \
            INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                     \
            EVAL(S, #N, d, "+r");                                                                  \
            soft_store(cpu, op->seg, offset, S, d);                                                \
            soft_exclusive_end(cpu);                                                               \
        }                                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FOR_EA(ALU_UNARY_MEMORY, N, S, EVAL)
#define ALU_UNARY(N, EVAL)                                                                         \
    ALU_UNARY_SIZE(N, 1, EVAL)                                                                     \
    ALU_UNARY_SIZE(N, 2, EVAL)                                                                     \
    ALU_UNARY_SIZE(N, 4, EVAL)                                                                     \
    ALU_UNARY_SIZE(N, 8, EVAL)

ALU_UNARY(inc, ALU_EVAL_STEP)
ALU_UNARY(dec, ALU_EVAL_STEP)
ALU_UNARY(neg, ALU_EVAL_NEG)
ALU_UNARY(not, ALU_EVAL_NOT)

/* Flag instructions and decimal adjustment. */

static SoftNext clc(SoftCpu *cpu, SoftOp *op)
{
    cpu->flags &= ~SOFT_FLAG_CF;
    SOFT_NEXT(cpu, op);
}
static SoftNext stc(SoftCpu *cpu, SoftOp *op)
{
    cpu->flags |= SOFT_FLAG_CF;
    SOFT_NEXT(cpu, op);
}
static SoftNext cmc(SoftCpu *cpu, SoftOp *op)
{
    cpu->flags ^= SOFT_FLAG_CF;
    SOFT_NEXT(cpu, op);
}
static SoftNext salc(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R8(cpu, SOFT_REG(0)) = cpu->flags & SOFT_FLAG_CF ? 0xFF : 0;
    SOFT_NEXT(cpu, op);
}

/* SF, ZF and PF of @al as TEST gives them, with AF and CF as told and OF clear. */
static void alu_set_decimal_flags(SoftCpu *cpu, uint8_t al, bool af, bool cf)
{
    uint32_t flags;
    __asm__("testb %1, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"(al) : "cc");
    cpu->flags = (flags & ~(SOFT_FLAG_AF | SOFT_FLAG_CF)) | (af ? SOFT_FLAG_AF : 0) |
                 (cf ? SOFT_FLAG_CF : 0);
}

/* DAA, DAS: SDM vol. 2A. */
static SoftNext daa(SoftCpu *cpu, SoftOp *op)
{
    uint8_t al = SOFT_R8(cpu, 0), before = al;
    bool af = cpu->flags & SOFT_FLAG_AF, cf = cpu->flags & SOFT_FLAG_CF;
    bool carry = before > 0x99 || cf;
    af = (al & 0xF) > 9 || af;
    if (af)
        al += 6;
    if (carry)
        al += 0x60;
    SOFT_R8(cpu, 0) = al;
    alu_set_decimal_flags(cpu, al, af, carry);
    SOFT_NEXT(cpu, op);
}
static SoftNext das(SoftCpu *cpu, SoftOp *op)
{
    uint8_t al = SOFT_R8(cpu, 0), before = al;
    bool af = cpu->flags & SOFT_FLAG_AF, cf = cpu->flags & SOFT_FLAG_CF;
    bool carry = cf;
    af = (al & 0xF) > 9 || af;
    if (af) {
        carry = cf || al < 6;
        al -= 6;
    }
    if (before > 0x99 || cf) {
        al -= 0x60;
        carry = true;
    }
    SOFT_R8(cpu, 0) = al;
    alu_set_decimal_flags(cpu, al, af, carry);
    SOFT_NEXT(cpu, op);
}
static SoftNext aaa(SoftCpu *cpu, SoftOp *op)
{
    uint16_t ax = SOFT_R16(cpu, 0);
    bool adjust = (ax & 0xF) > 9 || (cpu->flags & SOFT_FLAG_AF);
    if (adjust)
        ax += 0x106;
    ax &= 0xFF0F;
    SOFT_R16(cpu, 0) = ax;
    alu_set_decimal_flags(cpu, (uint8_t)ax, adjust, adjust);
    SOFT_NEXT(cpu, op);
}
static SoftNext aas(SoftCpu *cpu, SoftOp *op)
{
    uint16_t ax = SOFT_R16(cpu, 0);
    bool adjust = (ax & 0xF) > 9 || (cpu->flags & SOFT_FLAG_AF);
    if (adjust)
        ax -= 0x106;
    ax &= 0xFF0F;
    SOFT_R16(cpu, 0) = ax;
    alu_set_decimal_flags(cpu, (uint8_t)ax, adjust, adjust);
    SOFT_NEXT(cpu, op);
}

/* Tables: operation, size, form. The order of forms is IntForm's. */

#define ALU_ROW_COMPARING(N, S)                                                                    \
    {                                                                                              \
        N##_rr_##S, N##_ri_##S, N##_rm_b_##S, N##_rm_bi_##S, N##_rm_g_##S, N##_mr_b_##S,           \
            N##_mr_bi_##S, N##_mr_g_##S, N##_mi_b_##S, N##_mi_bi_##S, N##_mi_g_##S                 \
    }
#define ALU_ROW(N, S)                                                                              \
    {                                                                                              \
        N##_rr_##S, N##_ri_##S, N##_rm_b_##S, N##_rm_bi_##S, N##_rm_g_##S, N##_mr_b_##S,           \
            N##_mr_bi_##S, N##_mr_g_##S, N##_mi_b_##S, N##_mi_bi_##S, N##_mi_g_##S,                \
            N##_lock_mr_b_##S, N##_lock_mr_bi_##S, N##_lock_mr_g_##S, N##_lock_mi_b_##S,           \
            N##_lock_mi_bi_##S, N##_lock_mi_g_##S                                                  \
    }
#define ALU_SIZES(ROW, N)                                                                          \
    {                                                                                              \
        ROW(N, 1), ROW(N, 2), ROW(N, 4), ROW(N, 8)                                                 \
    }
SoftHandler *const soft_alu_handlers[INT_N_ALU][4][INT_N_FORMS] = {
    [INT_ADD] = ALU_SIZES(ALU_ROW, add),
    [INT_OR] = ALU_SIZES(ALU_ROW, or),
    [INT_ADC] = ALU_SIZES(ALU_ROW, adc),
    [INT_SBB] = ALU_SIZES(ALU_ROW, sbb),
    [INT_AND] = ALU_SIZES(ALU_ROW, and),
    [INT_SUB] = ALU_SIZES(ALU_ROW, sub),
    [INT_XOR] = ALU_SIZES(ALU_ROW, xor),
    [INT_CMP] = ALU_SIZES(ALU_ROW_COMPARING, cmp),
    [INT_TEST] = ALU_SIZES(ALU_ROW_COMPARING, test),
};

#define ALU_ROW_UNARY(N, S)                                                                        \
    {                                                                                              \
        N##_r_##S, N##_m_b_##S, N##_m_bi_##S, N##_m_g_##S, N##_lock_m_b_##S, N##_lock_m_bi_##S,    \
            N##_lock_m_g_##S                                                                       \
    }
SoftHandler *const soft_unary_handlers[INT_N_UNARY][4][INT_N_UNARY_FORMS] = {
    [INT_INC] = ALU_SIZES(ALU_ROW_UNARY, inc),
    [INT_DEC] = ALU_SIZES(ALU_ROW_UNARY, dec),
    [INT_NOT] = ALU_SIZES(ALU_ROW_UNARY, not ),
    [INT_NEG] = ALU_SIZES(ALU_ROW_UNARY, neg),
};

/* XOR or SUB of a 32- or 64-bit register with itself: waits for nothing. */
INT_FAST alu_zero(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R64(cpu, op->dst) = 0;
    cpu->flags = SOFT_FLAG_ZF | SOFT_FLAG_PF | 0x200;
    SOFT_NEXT(cpu, op);
}

static void alu_note(SoftDecode *d, unsigned operation, unsigned size, unsigned form)
{
    static const uint8_t twins[INT_N_ALU] = {
        [INT_ADD] = QUIET_ADD, [INT_OR] = QUIET_OR,   [INT_AND] = QUIET_AND,
        [INT_SUB] = QUIET_SUB, [INT_XOR] = QUIET_XOR,
    };
    SoftOp *op = d->op;
    if (operation == INT_ADC || operation == INT_SBB)
        return;
    if (size < 4 || operation >= INT_CMP) {
        quiet_note(op, QUIET_KILLS, 0);
    } else if (form == INT_FORM_RR && op->dst == op->src &&
               (operation == INT_XOR || operation == INT_SUB)) {
        op->fn = alu_zero;
        quiet_note(op, QUIET_KILLS | QUIET_TWIN, QUIET_ZERO);
    } else {
        quiet_note(op, QUIET_KILLS | QUIET_TWIN, twins[operation] + 2 * form + (size == 8));
    }
}

static void alu_set(SoftDecode *d, unsigned operation, unsigned size, unsigned form)
{
    if (form >= INT_FORM_RM)
        form += d->ea;
    if (d->lock)
        form += INT_FORM_LOCK;
    d->op->fn = soft_alu_handlers[operation][int_size_index(size)][form];
    if (form < INT_FORM_RM)
        alu_note(d, operation, size, form);
}

/* op r/m, r */
static void alu_decode_store(SoftDecode *d, unsigned operation, unsigned size)
{
    d->op->src = soft_decode_reg(d, d->reg, size);
    if (!d->is_memory)
        d->op->dst = soft_decode_reg(d, d->rm, size);
    alu_set(d, operation, size, d->is_memory ? INT_FORM_MR : INT_FORM_RR);
}
/* op r, r/m */
static void alu_decode_load(SoftDecode *d, unsigned operation, unsigned size)
{
    d->op->dst = soft_decode_reg(d, d->reg, size);
    if (!d->is_memory)
        d->op->src = soft_decode_reg(d, d->rm, size);
    alu_set(d, operation, size, d->is_memory ? INT_FORM_RM : INT_FORM_RR);
}
/* op r/m, imm */
static void alu_decode_immediate(SoftDecode *d, unsigned operation, unsigned size,
                                 unsigned immediate_size)
{
    if (!d->is_memory)
        d->op->dst = soft_decode_reg(d, d->rm, size);
    d->op->imm = soft_fetch_immediate(d, immediate_size);
    alu_set(d, operation, size, d->is_memory ? INT_FORM_MI : INT_FORM_RI);
}

static void alu_decode_unary(SoftDecode *d, unsigned operation, unsigned size)
{
    unsigned form = 0;
    if (d->is_memory)
        form = 1 + d->ea + (d->lock ? 3 : 0);
    else
        d->op->dst = soft_decode_reg(d, d->rm, size);
    d->op->fn = soft_unary_handlers[operation][int_size_index(size)][form];
    static const uint8_t twins[INT_N_UNARY] = { QUIET_INC, QUIET_DEC, 0, QUIET_NEG };
    if (form == 0 && size >= 4 && operation != INT_NOT)
        quiet_note(d->op, QUIET_TWIN | (operation == INT_NEG ? QUIET_KILLS : 0),
                   twins[operation] + (size == 8));
    else if (form == 0 && operation == INT_NOT)
        quiet_note(d->op, QUIET_TRANSPARENT, 0);
}

bool soft_decode_alu(SoftDecode *d)
{
    unsigned size = d->opcode & 1 ? d->operand_size : 1;
    unsigned immediate = MIN(size, 4), reg = d->reg & 7;
    switch (d->opcode) {
    case 0x27: d->op->fn = daa; return true;
    case 0x2F: d->op->fn = das; return true;
    case 0x37: d->op->fn = aaa; return true;
    case 0x3F: d->op->fn = aas; return true;
    case 0x80:
    case 0x81:
    case 0x82: alu_decode_immediate(d, reg, size, immediate); return true;
    case 0x83: alu_decode_immediate(d, reg, size, 1); return true;
    case 0x84:
    case 0x85: alu_decode_store(d, INT_TEST, size); return true;
    case 0xA8:
    case 0xA9:
        d->rm = 0;
        alu_decode_immediate(d, INT_TEST, size, immediate);
        return true;
    case 0xD6: d->op->fn = salc; return true;
    case 0xF5: d->op->fn = cmc; return true;
    case 0xF8: d->op->fn = clc; return true;
    case 0xF9: d->op->fn = stc; return true;
    case 0xF6:
    case 0xF7:
        if (reg <= 1)
            alu_decode_immediate(d, INT_TEST, size, immediate);
        else
            alu_decode_unary(d, reg == 2 ? INT_NOT : INT_NEG, size);
        return true;
    case 0xFE:
    case 0xFF: alu_decode_unary(d, reg ? INT_DEC : INT_INC, size); return true;
    default: break;
    }
    if (d->opcode >= 0x40) { /* 40-4F: INC, DEC outside 64-bit mode */
        d->rm = d->opcode & 7;
        alu_decode_unary(d, d->opcode & 8 ? INT_DEC : INT_INC, d->operand_size);
        return true;
    }
    unsigned operation = d->opcode >> 3;
    switch (d->opcode & 7) {
    case 0:
    case 1: alu_decode_store(d, operation, size); break;
    case 2:
    case 3: alu_decode_load(d, operation, size); break;
    default:
        d->rm = 0;
        alu_decode_immediate(d, operation, size, immediate);
        break;
    }
    return true;
}
