/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* MUL, IMUL, DIV, IDIV, AAM, AAD. */

#include "core/cpu/soft/int-quiet.h"

#define RAX SOFT_REG(0)
#define RDX SOFT_REG(2)

/* One-operand instructions: the host's own on RDX:RAX, with the guest's flags loaded. RAX is where
 * the flags travel too, hence the moves. */
#define EVAL_WIDE(INSTRUCTION, S, LOW, HIGH, SOURCE)                                               \
    do {                                                                                           \
        uint64_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS "movq %[low], %%rax\n\t" INSTRUCTION INT_SUFFIX_##S                 \
                " %[s]\n\tmovq %%rax, %[low]" INT_SAVE_FLAGS                                       \
                : [low] "+&r"(LOW), "+&d"(HIGH), "+&a"(flags)                                      \
                : [s] "r"(SOURCE)                                                                  \
                : "cc");                                                                           \
        cpu->flags = (uint32_t)flags;                                                              \
    } while (0)

/* RDX:RAX or AX, into registers by size. */
INT_INLINE void muldiv_store(SoftCpu *cpu, unsigned size, uint64_t low, uint64_t high)
{
    if (size == 1) {
        SOFT_R16(cpu, RAX) = (uint16_t)low;
    } else {
        int_set(cpu, RAX, size, low);
        int_set(cpu, RDX, size, high);
    }
}

#define MULTIPLY(N, S)                                                                             \
    INT_INLINE void N##_##S(SoftCpu *cpu, INT_TYPE_##S s)                                          \
    {                                                                                              \
        uint64_t low = SOFT_R64(cpu, RAX), high = SOFT_R64(cpu, RDX);                              \
        EVAL_WIDE(#N, S, low, high, s);                                                            \
        muldiv_store(cpu, S, low, high);                                                           \
    }                                                                                              \
    MULDIV_FORMS(N, S)
#define MULDIV_FORMS(N, S)                                                                         \
    static SoftNext N##_r_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        N##_##S(cpu, INT_GET_##S(cpu, op->src));                                                   \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    static SoftNext N##_m_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        N##_##S(cpu, (INT_TYPE_##S)soft_read_operand(cpu, op, S));                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }

/* #DE before the host could raise it. */
#define DIVIDE_UNSIGNED(S, TWICE, BITS)                                                            \
    INT_INLINE void div_##S(SoftCpu *cpu, INT_TYPE_##S s)                                          \
    {                                                                                              \
        uint64_t low = SOFT_R64(cpu, RAX), high = SOFT_R64(cpu, RDX);                              \
        INT_TYPE_##S top = S == 1 ? (INT_TYPE_##S)(low >> 8) : (INT_TYPE_##S)high;                 \
        if (G_UNLIKELY(top >= s))                                                                  \
            soft_fault(cpu, X86_DE);                                                               \
        EVAL_WIDE("div", S, low, high, s);                                                         \
        muldiv_store(cpu, S, low, high);                                                           \
    }                                                                                              \
    MULDIV_FORMS(div, S)
/* Whether the quotient of @magnitude / |@s| fits: by magnitudes, which cannot overflow TWICE as
 * unsigned. */
#define DIVIDE_SIGNED(S, TWICE, BITS)                                                              \
    INT_INLINE void idiv_##S(SoftCpu *cpu, INT_TYPE_##S s)                                         \
    {                                                                                              \
        uint64_t low = SOFT_R64(cpu, RAX), high = SOFT_R64(cpu, RDX);                              \
        TWICE dividend =                                                                           \
            S == 1 ? (TWICE)(uint16_t)low : (TWICE)(INT_TYPE_##S)high << BITS | (INT_TYPE_##S)low; \
        bool negative_dividend = dividend >> (2 * BITS - 1) & 1;                                   \
        bool negative_divisor = s >> (BITS - 1) & 1;                                               \
        TWICE magnitude = negative_dividend ? (TWICE)-dividend : dividend;                         \
        INT_TYPE_##S divisor = negative_divisor ? (INT_TYPE_##S) - s : s;                          \
        INT_TYPE_##S limit = (INT_TYPE_##S)((INT_TYPE_##S)1 << (BITS - 1));                        \
        /* quotient ≤ limit - 1, or limit when the signs differ */                               \
        TWICE bound = (TWICE)divisor * limit;                                                      \
        if (negative_dividend != negative_divisor)                                                 \
            bound += divisor;                                                                      \
        if (G_UNLIKELY(magnitude >= bound))                                                        \
            soft_fault(cpu, X86_DE);                                                               \
        EVAL_WIDE("idiv", S, low, high, s);                                                        \
        muldiv_store(cpu, S, low, high);                                                           \
    }                                                                                              \
    MULDIV_FORMS(idiv, S)

MULTIPLY(mul, 1)
MULTIPLY(mul, 2)
MULTIPLY(mul, 4)
MULTIPLY(mul, 8)
MULTIPLY(imul, 1)
MULTIPLY(imul, 2)
MULTIPLY(imul, 4)
MULTIPLY(imul, 8)
DIVIDE_UNSIGNED(1, uint16_t, 8)
DIVIDE_UNSIGNED(2, uint32_t, 16)
DIVIDE_UNSIGNED(4, uint64_t, 32)
DIVIDE_UNSIGNED(8, unsigned __int128, 64)
DIVIDE_SIGNED(1, uint16_t, 8)
DIVIDE_SIGNED(2, uint32_t, 16)
DIVIDE_SIGNED(4, uint64_t, 32)
DIVIDE_SIGNED(8, unsigned __int128, 64)

/* [MUL IMUL DIV IDIV][size][register, memory] */
#define MULDIV_ROW(N)                                                                              \
    {                                                                                              \
        { N##_r_1, N##_m_1 }, { N##_r_2, N##_m_2 }, { N##_r_4, N##_m_4 },                          \
        {                                                                                          \
            N##_r_8, N##_m_8                                                                       \
        }                                                                                          \
    }
static SoftHandler *const muldiv_handlers[4][4][2] = { MULDIV_ROW(mul), MULDIV_ROW(imul),
                                                       MULDIV_ROW(div), MULDIV_ROW(idiv) };

/* IMUL r, r/m and IMUL r, r/m, imm. */
#define EVAL_IMUL(S, D, SOURCE)                                                                    \
    do {                                                                                           \
        uint32_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS "imul" INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                  \
                : [d] "+r"(D), "+&a"(flags)                                                        \
                : [s] "r"(SOURCE)                                                                  \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)
#define IMUL_MEMORY(EA, S)                                                                         \
    INT_FAST imul_rm_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                          \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return imul_rm_slow_##S(cpu, op);                                                      \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_IMUL(S, d, *p);                                                                       \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST imul_rmi_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return imul_rmi_slow_##S(cpu, op);                                                     \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL_IMUL(S, d, (INT_TYPE_##S)op->imm);                                                    \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define IMUL(S)                                                                                    \
    INT_FAST imul_rr_##S(SoftCpu *cpu, SoftOp *op)                                                 \
    {                                                                                              \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_IMUL(S, d, INT_GET_##S(cpu, op->src));                                                \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST imul_rri_##S(SoftCpu *cpu, SoftOp *op)                                                \
    {                                                                                              \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->src);                                                \
        EVAL_IMUL(S, d, (INT_TYPE_##S)op->imm);                                                    \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW imul_rm_slow_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S s = (INT_TYPE_##S)soft_load(cpu, op->seg, soft_ea(cpu, op), S);               \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_IMUL(S, d, s);                                                                        \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW imul_rmi_slow_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, soft_ea(cpu, op), S);               \
        EVAL_IMUL(S, d, (INT_TYPE_##S)op->imm);                                                    \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FOR_EA(IMUL_MEMORY, S)
IMUL(2)
IMUL(4)
IMUL(8)
#define IMUL_ROW(F, S)                                                                             \
    {                                                                                              \
        imul_rr##F##_##S, imul_rm##F##_b_##S, imul_rm##F##_bi_##S, imul_rm##F##_g_##S              \
    }
static SoftHandler *const imul_handlers[3][1 + SOFT_N_EA] = { IMUL_ROW(, 2), IMUL_ROW(, 4),
                                                              IMUL_ROW(, 8) };
static SoftHandler *const imul_imm_handlers[3][1 + SOFT_N_EA] = { IMUL_ROW(i, 2), IMUL_ROW(i, 4),
                                                                  IMUL_ROW(i, 8) };

static void muldiv_set_al_flags(SoftCpu *cpu, uint8_t al)
{
    uint32_t flags;
    __asm__("testb %1, %1" INT_SAVE_FLAGS : "=a"(flags) : "r"(al) : "cc");
    cpu->flags = flags;
}
static SoftNext aam(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint8_t base = (uint8_t)op->imm, al = SOFT_R8(cpu, RAX);
    if (base == 0)
        soft_fault(cpu, X86_DE);
    SOFT_R16(cpu, RAX) = (uint16_t)((al / base) << 8 | al % base);
    muldiv_set_al_flags(cpu, SOFT_R8(cpu, RAX));
    SOFT_NEXT(cpu, op);
}
/* The flags are those of the 8-bit addition inside. */
static SoftNext aad(SoftCpu *cpu, SoftOp *op)
{
    uint8_t al = SOFT_R8(cpu, RAX);
    uint8_t tens = (uint8_t)(SOFT_R8(cpu, SOFT_REG_HIGH(4)) * (uint8_t)op->imm);
    uint32_t flags;
    __asm__("addb %[s], %[d]" INT_SAVE_FLAGS : [d] "+r"(al), "=&a"(flags) : [s] "r"(tens) : "cc");
    cpu->flags = flags;
    SOFT_R16(cpu, RAX) = al;
    SOFT_NEXT(cpu, op);
}

bool soft_decode_muldiv(SoftDecode *d)
{
    SoftOp *op = d->op;
    unsigned size = d->operand_size, form = d->is_memory ? 1 + d->ea : 0;
    if (d->map == 0 && d->opcode >= 0xF6) {
        size = d->opcode & 1 ? size : 1;
        if (!d->is_memory)
            op->src = soft_decode_reg(d, d->rm, size);
        op->fn = muldiv_handlers[d->reg & 3][int_size_index(size)][d->is_memory];
        return true;
    }
    if (d->map == 0 && d->opcode >= 0xD4) {
        op->imm = soft_fetch8(d);
        op->fn = d->opcode == 0xD4 ? aam : aad;
        return true;
    }
    op->dst = SOFT_REG(d->reg);
    if (!d->is_memory)
        op->src = SOFT_REG(d->rm);
    if (d->map == 1) { /* 0F AF */
        op->fn = imul_handlers[int_size_index(size) - 1][form];
        if (form == 0 && size >= 4)
            quiet_note(op, QUIET_TWIN, QUIET_IMUL_RR + (size == 8));
        return true;
    }
    op->imm = soft_fetch_immediate(d, d->opcode == 0x6B ? 1 : MIN(size, 4));
    op->fn = imul_imm_handlers[int_size_index(size) - 1][form];
    if (form == 0 && size >= 4)
        quiet_note(op, QUIET_TWIN, QUIET_IMUL_RRI + (size == 8));
    return true;
}
