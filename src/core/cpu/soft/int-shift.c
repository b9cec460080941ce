/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* ROL ROR RCL RCR SHL SHR SAR, SHLD SHRD. The host's instruction runs with the guest's flags
 * loaded, so a count of zero leaves them, rotates keep theirs, and undefined ones are the
 * processor's. */

#include "core/cpu/soft/int-quiet.h"

#define SHIFT_RCX SOFT_REG(1)

#define EVAL_SHIFT(N, S, D, COUNT)                                                                 \
    do {                                                                                           \
        uint32_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS #N INT_SUFFIX_##S " %%cl, %[d]" INT_SAVE_FLAGS                      \
                : [d] "+r"(D), "+&a"(flags)                                                        \
                : "c"((uint8_t)(COUNT))                                                            \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)
/* For shifts by a count that is not zero: nothing of the old flags remains. */
#define EVAL_SHIFT_NONZERO(N, S, D, COUNT)                                                         \
    do {                                                                                           \
        uint32_t flags;                                                                            \
        __asm__(#N INT_SUFFIX_##S " %%cl, %[d]" INT_SAVE_FLAGS                                     \
                : [d] "+r"(D), "=&a"(flags)                                                        \
                : "c"((uint8_t)(COUNT))                                                            \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)

/* ROL and ROR of a register by an immediate other than 1: OF is undefined, and where the forms with
 * CL or memory compute something, this one leaves it (seen on processors since Sandy Bridge). */
#define EVAL_ROTATE_KEEP(N, S, D, COUNT)                                                           \
    do {                                                                                           \
        uint32_t overflow = cpu->flags & SOFT_FLAG_OF;                                             \
        EVAL_SHIFT(N, S, D, COUNT);                                                                \
        cpu->flags = (cpu->flags & ~SOFT_FLAG_OF) | overflow;                                      \
    } while (0)

#define SHIFT_REGISTER(N, S, FORM, EVAL, COUNT)                                                    \
    INT_FAST N##_##FORM##_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        EVAL(N, S, d, COUNT);                                                                      \
        INT_SET_##S(cpu, slot, d);                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define SHIFT_MEMORY(N, S, FORM, COUNT)                                                            \
    INT_SLOW N##_##FORM##_slow_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        soft_probe_store(cpu, op->seg, offset, S);                                                 \
        uint32_t before = cpu->flags;                                                              \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL_SHIFT(N, S, d, COUNT);                                                                \
        uint32_t after = cpu->flags;                                                               \
        cpu->flags = before;                                                                       \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        cpu->flags = after;                                                                        \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FAST N##_##FORM##_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, SOFT_EA_G, S, true);                                   \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_##FORM##_slow_##S(cpu, op);                                                 \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL_SHIFT(N, S, d, COUNT);                                                                \
        *p = d;                                                                                    \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define SHIFT_SIZE(N, S)                                                                           \
    SHIFT_REGISTER(N, S, ri, EVAL_SHIFT, op->imm)                                                  \
    SHIFT_REGISTER(N, S, rc, EVAL_SHIFT, SOFT_R8(cpu, SHIFT_RCX))                                  \
    SHIFT_MEMORY(N, S, mi, op->imm)                                                                \
    SHIFT_MEMORY(N, S, mc, SOFT_R8(cpu, SHIFT_RCX))
#define SHIFT(N)                                                                                   \
    SHIFT_SIZE(N, 1)                                                                               \
    SHIFT_SIZE(N, 2)                                                                               \
    SHIFT_SIZE(N, 4)                                                                               \
    SHIFT_SIZE(N, 8)
SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)
SHIFT(shl)
SHIFT(shr)
SHIFT(sar)
#define ROTATE_KEEP(N)                                                                             \
    SHIFT_REGISTER(N, 1, rk, EVAL_ROTATE_KEEP, op->imm)                                            \
    SHIFT_REGISTER(N, 2, rk, EVAL_ROTATE_KEEP, op->imm)
ROTATE_KEEP(rol)
ROTATE_KEEP(ror)
/* The usual sizes without the detour: CF is the bit that went round. The count is not zero. */
#define ROTATE_FAST(N, S, CARRY)                                                                   \
    INT_FAST N##_rk_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        __asm__(#N INT_SUFFIX_##S " %%cl, %[d]" : [d] "+r"(d) : "c"((uint8_t)op->imm) : "cc");     \
        INT_SET_##S(cpu, slot, d);                                                                 \
        cpu->flags = (cpu->flags & ~SOFT_FLAG_CF) | (uint32_t)(CARRY) << 8;                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }
ROTATE_FAST(rol, 4, d & 1)
ROTATE_FAST(rol, 8, d & 1)
ROTATE_FAST(ror, 4, d >> 31)
ROTATE_FAST(ror, 8, d >> 63)
#define SHIFT_IMMEDIATE(N)                                                                         \
    SHIFT_REGISTER(N, 1, rn, EVAL_SHIFT_NONZERO, op->imm)                                          \
    SHIFT_REGISTER(N, 2, rn, EVAL_SHIFT_NONZERO, op->imm)                                          \
    SHIFT_REGISTER(N, 4, rn, EVAL_SHIFT_NONZERO, op->imm)                                          \
    SHIFT_REGISTER(N, 8, rn, EVAL_SHIFT_NONZERO, op->imm)
SHIFT_IMMEDIATE(shl)
SHIFT_IMMEDIATE(shr)
SHIFT_IMMEDIATE(sar)

enum { SHIFT_RI, SHIFT_RC, SHIFT_MI, SHIFT_MC, SHIFT_N_FORMS };
#define SHIFT_ROW(N, S)                                                                            \
    {                                                                                              \
        N##_ri_##S, N##_rc_##S, N##_mi_##S, N##_mc_##S                                             \
    }
#define SHIFT_ROWS(N)                                                                              \
    {                                                                                              \
        SHIFT_ROW(N, 1), SHIFT_ROW(N, 2), SHIFT_ROW(N, 4), SHIFT_ROW(N, 8)                         \
    }
static SoftHandler *const shift_handlers[8][4][SHIFT_N_FORMS] = {
    SHIFT_ROWS(rol), SHIFT_ROWS(ror), SHIFT_ROWS(rcl), SHIFT_ROWS(rcr),
    SHIFT_ROWS(shl), SHIFT_ROWS(shr), SHIFT_ROWS(shl), SHIFT_ROWS(sar),
};
#define SHIFT_NONZERO_ROW(N)                                                                       \
    {                                                                                              \
        N##_rn_1, N##_rn_2, N##_rn_4, N##_rn_8                                                     \
    }
static SoftHandler *const shift_nonzero_handlers[4][4] = {
    SHIFT_NONZERO_ROW(shl), SHIFT_NONZERO_ROW(shr), SHIFT_NONZERO_ROW(shl), SHIFT_NONZERO_ROW(sar)
};

#define ROTATE_KEEP_ROW(N)                                                                         \
    {                                                                                              \
        N##_rk_1, N##_rk_2, N##_rk_4, N##_rk_8                                                     \
    }
static SoftHandler *const rotate_keep_handlers[2][4] = { ROTATE_KEEP_ROW(rol),
                                                         ROTATE_KEEP_ROW(ror) };

/* SHLD and SHRD: dst or memory, src, count. */
#define EVAL_DOUBLE(N, S, D, COUNT)                                                                \
    do {                                                                                           \
        uint32_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS #N INT_SUFFIX_##S " %%cl, %[s], %[d]" INT_SAVE_FLAGS                \
                : [d] "+r"(D), "+&a"(flags)                                                        \
                : [s] "r"(INT_GET_##S(cpu, op->src)), "c"((uint8_t)(COUNT))                        \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)
#define DOUBLE_FORM(N, S, C, COUNT)                                                                \
    INT_FAST N##_r##C##_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_DOUBLE(N, S, d, COUNT);                                                               \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW N##_m##C##_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        soft_probe_store(cpu, op->seg, offset, S);                                                 \
        uint32_t before = cpu->flags;                                                              \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL_DOUBLE(N, S, d, COUNT);                                                               \
        uint32_t after = cpu->flags;                                                               \
        cpu->flags = before;                                                                       \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        cpu->flags = after;                                                                        \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
#define DOUBLE_SIZE(N, S)                                                                          \
    DOUBLE_FORM(N, S, i, op->imm)                                                                  \
    DOUBLE_FORM(N, S, c, SOFT_R8(cpu, SHIFT_RCX))
#define DOUBLE(N)                                                                                  \
    DOUBLE_SIZE(N, 2)                                                                              \
    DOUBLE_SIZE(N, 4)                                                                              \
    DOUBLE_SIZE(N, 8)
DOUBLE(shld)
DOUBLE(shrd)
#define DOUBLE_ROW(N)                                                                              \
    {                                                                                              \
        SHIFT_ROW(N, 2), SHIFT_ROW(N, 4), SHIFT_ROW(N, 8)                                          \
    }
static SoftHandler *const double_handlers[2][3][SHIFT_N_FORMS] = { DOUBLE_ROW(shld),
                                                                   DOUBLE_ROW(shrd) };

static bool shift_decode_double(SoftDecode *d)
{
    unsigned by_cl = d->opcode & 1, size = d->operand_size;
    d->op->src = SOFT_REG(d->reg);
    if (!d->is_memory)
        d->op->dst = SOFT_REG(d->rm);
    if (!by_cl)
        d->op->imm = soft_fetch8(d);
    d->op->fn = double_handlers[d->opcode >= 0xA8][int_size_index(size) - 1]
                               [(d->is_memory ? SHIFT_MI : SHIFT_RI) + by_cl];
    return true;
}

/* A register shifted by an immediate. */
static void shift_note(SoftOp *op, unsigned operation, unsigned size, unsigned count)
{
    static const uint8_t twins[8] = { QUIET_ROL, QUIET_ROR, 0,         0,
                                      QUIET_SHL, QUIET_SHR, QUIET_SHL, QUIET_SAR };
    bool kills = operation >= 4 && count != 0;
    if (operation == 2 || operation == 3) /* through the carry */
        return;
    if (size >= 4)
        quiet_note(op, QUIET_TWIN | (kills ? QUIET_KILLS : 0), twins[operation] + (size == 8));
    else if (kills)
        quiet_note(op, QUIET_KILLS, 0);
}

bool soft_decode_shift(SoftDecode *d)
{
    if (d->map == 1)
        return shift_decode_double(d);
    SoftOp *op = d->op;
    unsigned size = d->opcode & 1 ? d->operand_size : 1, operation = d->reg & 7;
    bool by_cl = (d->opcode & 0xFE) == 0xD2;
    if (!d->is_memory)
        op->dst = soft_decode_reg(d, d->rm, size);
    if (!by_cl)
        op->imm = d->opcode >= 0xD0 ? 1 : soft_fetch8(d);
    op->fn = shift_handlers[operation][int_size_index(size)]
                           [(d->is_memory ? SHIFT_MI : SHIFT_RI) + by_cl];
    unsigned count = op->imm & (size == 8 ? 63 : 31);
    if (by_cl || d->is_memory)
        return true;
    if (operation <= 1 && count > 1)
        op->fn = rotate_keep_handlers[operation][int_size_index(size)];
    else if (operation >= 4 && count != 0)
        op->fn = shift_nonzero_handlers[operation - 4][int_size_index(size)];
    shift_note(op, operation, size, count);
    return true;
}
