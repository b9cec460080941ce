/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/cpu/soft/int-quiet.h"

#define QUIET(NAME, S, EXPRESSION)                                                                 \
    INT_FAST quiet_##NAME##_##S(SoftCpu *cpu, SoftOp *op)                                          \
    {                                                                                              \
        uint64_t *slot = soft_slot(cpu, op->dst);                                                  \
        INT_TYPE_##S d = (INT_TYPE_##S) * slot;                                                    \
        d = EXPRESSION;                                                                            \
        __asm__("" : "+r"(d));                                                                     \
        *slot = d;                                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define QUIET_SIZES(NAME, EXPRESSION_4, EXPRESSION_8)                                              \
    QUIET(NAME, 4, EXPRESSION_4)                                                                   \
    QUIET(NAME, 8, EXPRESSION_8)
#define QUIET_ALU(NAME, OPERATOR)                                                                  \
    QUIET_SIZES(NAME##_rr, d OPERATOR INT_GET_4(cpu, op->src), d OPERATOR INT_GET_8(cpu, op->src)) \
    QUIET_SIZES(NAME##_ri, d OPERATOR(uint32_t) op->imm, d OPERATOR op->imm)
QUIET_ALU(add, +)
QUIET_ALU(or, |)
QUIET_ALU(and, &)
QUIET_ALU(sub, -)
QUIET_ALU(xor, ^)
QUIET_SIZES(shl, d << (op->imm & 31), d << (op->imm & 63))
QUIET_SIZES(shr, d >> (op->imm & 31), d >> (op->imm & 63))
QUIET_SIZES(sar, (uint32_t)((int32_t)d >> (op->imm & 31)), (uint64_t)((int64_t)d >> (op->imm & 63)))
QUIET_SIZES(rol, d << (op->imm & 31) | d >> (-op->imm & 31),
            d << (op->imm & 63) | d >> (-op->imm & 63))
QUIET_SIZES(ror, d >> (op->imm & 31) | d << (-op->imm & 31),
            d >> (op->imm & 63) | d << (-op->imm & 63))
QUIET_SIZES(inc, d + 1, d + 1)
QUIET_SIZES(dec, d - 1, d - 1)
QUIET_SIZES(neg, -d, -d)
QUIET_SIZES(imul_rr, d *INT_GET_4(cpu, op->src), d *INT_GET_8(cpu, op->src))

INT_FAST quiet_imul_rri_4(SoftCpu *cpu, SoftOp *op)
{
    INT_SET_4(cpu, op->dst, INT_GET_4(cpu, op->src) * (uint32_t)op->imm);
    SOFT_NEXT(cpu, op);
}
INT_FAST quiet_imul_rri_8(SoftCpu *cpu, SoftOp *op)
{
    INT_SET_8(cpu, op->dst, INT_GET_8(cpu, op->src) * op->imm);
    SOFT_NEXT(cpu, op);
}
INT_FAST quiet_zero(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R64(cpu, op->dst) = 0;
    SOFT_NEXT(cpu, op);
}

#define QUIET_ROW(NAME) quiet_##NAME##_4, quiet_##NAME##_8
#define QUIET_ALU_ROW(NAME) QUIET_ROW(NAME##_rr), QUIET_ROW(NAME##_ri)
static SoftHandler *const quiet_handlers[QUIET_N] = {
    [QUIET_ADD] = QUIET_ALU_ROW(add),       [QUIET_OR] = QUIET_ALU_ROW(or),
    [QUIET_AND] = QUIET_ALU_ROW(and),       [QUIET_SUB] = QUIET_ALU_ROW(sub),
    [QUIET_XOR] = QUIET_ALU_ROW(xor),       [QUIET_SHL] = QUIET_ROW(shl),
    [QUIET_SHR] = QUIET_ROW(shr),           [QUIET_SAR] = QUIET_ROW(sar),
    [QUIET_ROL] = QUIET_ROW(rol),           [QUIET_ROR] = QUIET_ROW(ror),
    [QUIET_INC] = QUIET_ROW(inc),           [QUIET_DEC] = QUIET_ROW(dec),
    [QUIET_NEG] = QUIET_ROW(neg),           [QUIET_IMUL_RR] = QUIET_ROW(imul_rr),
    [QUIET_IMUL_RRI] = QUIET_ROW(imul_rri), [QUIET_ZERO] = quiet_zero,
};

void soft_quieten(SoftOp *first, SoftOp *previous, const SoftOp *op)
{
    if (op->index != QUIET_NOTE || !(op->scale & QUIET_KILLS))
        return;
    for (SoftOp *at = previous; at >= first; at--) {
        if (at->index == QUIET_NOTE && at->scale & QUIET_TWIN) {
            at->fn = quiet_handlers[at->base];
            at->scale = QUIET_TRANSPARENT;
            return;
        }
        bool transparent =
            at->index == QUIET_NOTE ? at->scale & QUIET_TRANSPARENT : soft_is_lea(at);
        if (!transparent)
            return;
    }
}
