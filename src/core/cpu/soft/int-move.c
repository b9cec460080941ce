/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* MOV, MOVZX, MOVSX, MOVSXD, LEA, CMOVcc, SETcc, CBW…CQO, LAHF, SAHF, BSWAP, XLAT, and what does
 * nothing. MOV of segment, control and debug registers is the system's. */

#include "core/cpu/soft/int-quiet.h"

/* MOV between registers, memory, immediates. */
#define MOVE_MEMORY(EA, S)                                                                         \
    INT_FAST mov_rm_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return mov_rm_slow_##S(cpu, op);                                                       \
        INT_SET_##S(cpu, op->dst, *p);                                                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST mov_mr_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p))                                                                        \
            return mov_mr_slow_##S(cpu, op);                                                       \
        *p = INT_GET_##S(cpu, op->src);                                                            \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST mov_mi_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, true);                                 \
        if (G_UNLIKELY(!p))                                                                        \
            return mov_mi_slow_##S(cpu, op);                                                       \
        *p = (INT_TYPE_##S)op->imm;                                                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define MOVE_SIZE(S)                                                                               \
    INT_FAST mov_rr_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, INT_GET_##S(cpu, op->src));                                      \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST mov_ri_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, op->imm);                                                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW mov_rm_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_SET_##S(cpu, op->dst, soft_load(cpu, op->seg, soft_ea(cpu, op), S));                   \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW mov_mr_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        soft_store(cpu, op->seg, soft_ea(cpu, op), S, INT_GET_##S(cpu, op->src));                  \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_SLOW mov_mi_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        soft_store(cpu, op->seg, soft_ea(cpu, op), S, (INT_TYPE_##S)op->imm);                      \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FOR_EA(MOVE_MEMORY, S)
MOVE_SIZE(1)
MOVE_SIZE(2)
MOVE_SIZE(4)
MOVE_SIZE(8)
#define MOVE_ROW(S)                                                                                \
    {                                                                                              \
        mov_rr_##S, mov_ri_##S, mov_rm_b_##S, mov_rm_bi_##S, mov_rm_g_##S, mov_mr_b_##S,           \
            mov_mr_bi_##S, mov_mr_g_##S, mov_mi_b_##S, mov_mi_bi_##S, mov_mi_g_##S                 \
    }
enum { MOV_RR, MOV_RI, MOV_RM, MOV_MR = 5, MOV_MI = 8, MOV_N_FORMS = 11 };
static SoftHandler *const mov_handlers[4][MOV_N_FORMS] = { MOVE_ROW(1), MOVE_ROW(2), MOVE_ROW(4),
                                                           MOVE_ROW(8) };

/* MOV AL…RAX, moffs64: the address is imm. */
static SoftNext mov_load_absolute(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    int_set(cpu, SOFT_REG(0), op->src, soft_load(cpu, op->seg, op->imm, op->src));
    SOFT_NEXT(cpu, op);
}
static SoftNext mov_store_absolute(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_store(cpu, op->seg, op->imm, op->src, SOFT_R64(cpu, SOFT_REG(0)));
    SOFT_NEXT_STORED(cpu, op);
}

typedef int16_t IntSigned2 __attribute__((aligned(1), may_alias));
typedef int32_t IntSigned4 __attribute__((aligned(1), may_alias));
/* MOVZX and MOVSX: name, size of the destination, type and size of the source. */
#define EXTEND_MEMORY(EA, N, S, TYPE, FROM)                                                        \
    INT_FAST N##_rm_##EA##_##S##_##FROM(SoftCpu *cpu, SoftOp *op)                                  \
    {                                                                                              \
        const TYPE *p = soft_ptr(cpu, op, INT_EA_##EA, FROM, false);                               \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_rm_slow_##S##_##FROM(cpu, op);                                              \
        INT_SET_##S(cpu, op->dst, (INT_SIGNED_##S) * p);                                           \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define EXTEND(N, S, TYPE, FROM)                                                                   \
    INT_FAST N##_rr_##S##_##FROM(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, (INT_SIGNED_##S)(TYPE)INT_GET_##FROM(cpu, op->src));             \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW N##_rm_slow_##S##_##FROM(SoftCpu *cpu, SoftOp *op)                                    \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        TYPE value = (TYPE)soft_load(cpu, op->seg, soft_ea(cpu, op), FROM);                        \
        INT_SET_##S(cpu, op->dst, (INT_SIGNED_##S)value);                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FOR_EA(EXTEND_MEMORY, N, S, TYPE, FROM)
EXTEND(movzx, 2, uint8_t, 1)
EXTEND(movzx, 4, uint8_t, 1) /* to 64 bits alike */
EXTEND(movzx, 4, IntUnaligned2, 2)
EXTEND(movsx, 2, int8_t, 1)
EXTEND(movsx, 4, int8_t, 1)
EXTEND(movsx, 8, int8_t, 1)
EXTEND(movsx, 4, IntSigned2, 2)
EXTEND(movsx, 8, IntSigned2, 2)
EXTEND(movsx, 8, IntSigned4, 4)
#define EXTEND_ROW(N, S, FROM)                                                                     \
    {                                                                                              \
        N##_rr_##S##_##FROM, N##_rm_b_##S##_##FROM, N##_rm_bi_##S##_##FROM, N##_rm_g_##S##_##FROM  \
    }
/* [log2 of source][log2 of destination][form] */
static SoftHandler *const movzx_handlers[3][4][1 + SOFT_N_EA] = {
    { [1] = EXTEND_ROW(movzx, 2, 1), EXTEND_ROW(movzx, 4, 1), EXTEND_ROW(movzx, 4, 1) },
    { [2] = EXTEND_ROW(movzx, 4, 2), EXTEND_ROW(movzx, 4, 2) },
};
static SoftHandler *const movsx_handlers[3][4][1 + SOFT_N_EA] = {
    { [1] = EXTEND_ROW(movsx, 2, 1), EXTEND_ROW(movsx, 4, 1), EXTEND_ROW(movsx, 8, 1) },
    { [2] = EXTEND_ROW(movsx, 4, 2), EXTEND_ROW(movsx, 8, 2) },
    { [3] = EXTEND_ROW(movsx, 8, 4) },
};

/* LEA: no segment, no access. */
#define LEA(S)                                                                                     \
    INT_FAST lea_b_##S(SoftCpu *cpu, SoftOp *op)                                                   \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, soft_ea_b(cpu, op));                                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST lea_bi_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, soft_ea_bi(cpu, op));                                            \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST lea_g_##S(SoftCpu *cpu, SoftOp *op)                                                   \
    {                                                                                              \
        INT_SET_##S(cpu, op->dst, soft_ea(cpu, op));                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
LEA(2)
LEA(4)
LEA(8)
static SoftHandler *const lea_handlers[4][SOFT_N_EA] = { [1] = { lea_b_2, lea_bi_2, lea_g_2 },
                                                         { lea_b_4, lea_bi_4, lea_g_4 },
                                                         { lea_b_8, lea_bi_8, lea_g_8 } };

/* CMOVcc. The source is read, and a 32-bit destination's upper half cleared, in any case. */
#define CMOV_MEMORY(EA, CC, S)                                                                     \
    INT_FAST cmov##CC##_rm_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                    \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return cmov_rm_slow_##S(cpu, op);                                                      \
        uint32_t flags = cpu->flags;                                                               \
        INT_TYPE_##S value = *p;                                                                   \
        if (!INT_CC_##CC(flags))                                                                   \
            value = INT_GET_##S(cpu, op->dst);                                                     \
        INT_SET_##S(cpu, op->dst, value);                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define CMOV(CC, S)                                                                                \
    INT_FAST cmov##CC##_rr_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        uint32_t flags = cpu->flags;                                                               \
        uint8_t from = INT_CC_##CC(flags) ? op->src : op->dst;                                     \
        INT_SET_##S(cpu, op->dst, INT_GET_##S(cpu, from));                                         \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FOR_EA(CMOV_MEMORY, CC, S)
/* imm is the condition. */
#define CMOV_SLOW(S)                                                                               \
    INT_SLOW cmov_rm_slow_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S value = (INT_TYPE_##S)soft_load(cpu, op->seg, soft_ea(cpu, op), S);           \
        if (!int_condition(cpu->flags, (unsigned)op->imm))                                         \
            value = INT_GET_##S(cpu, op->dst);                                                     \
        INT_SET_##S(cpu, op->dst, value);                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
CMOV_SLOW(2)
CMOV_SLOW(4)
CMOV_SLOW(8)
INT_FOR_CC(CMOV, 2)
INT_FOR_CC(CMOV, 4)
INT_FOR_CC(CMOV, 8)
#define CMOV_ROW_SIZE(CC, S)                                                                       \
    {                                                                                              \
        cmov##CC##_rr_##S, cmov##CC##_rm_b_##S, cmov##CC##_rm_bi_##S, cmov##CC##_rm_g_##S          \
    }
#define CMOV_ROW(CC) { CMOV_ROW_SIZE(CC, 2), CMOV_ROW_SIZE(CC, 4), CMOV_ROW_SIZE(CC, 8) },
static SoftHandler *const cmov_handlers[16][3][1 + SOFT_N_EA] = { INT_FOR_CC(CMOV_ROW) };

/* SETcc. */
#define SETCC(CC)                                                                                  \
    INT_FAST set##CC##_r(SoftCpu *cpu, SoftOp *op)                                                 \
    {                                                                                              \
        uint32_t flags = cpu->flags;                                                               \
        SOFT_R8(cpu, op->dst) = INT_CC_##CC(flags) ? 1 : 0;                                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }
INT_FOR_CC(SETCC)
#define SETCC_ROW(CC) set##CC##_r,
static SoftHandler *const setcc_handlers[16] = { INT_FOR_CC(SETCC_ROW) };
static SoftNext setcc_m(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 1, int_condition(cpu->flags, (unsigned)op->imm));
    SOFT_NEXT_STORED(cpu, op);
}

/* CBW CWDE CDQE and CWD CDQ CQO. */
#define CONVERT(S, HALF, BITS)                                                                     \
    INT_FAST cbw_##S(SoftCpu *cpu, SoftOp *op)                                                     \
    {                                                                                              \
        INT_SET_##S(cpu, SOFT_REG(0), (INT_SIGNED_##S)(HALF)SOFT_R64(cpu, SOFT_REG(0)));           \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST cwd_##S(SoftCpu *cpu, SoftOp *op)                                                     \
    {                                                                                              \
        INT_SIGNED_##S a = (INT_SIGNED_##S)INT_GET_##S(cpu, SOFT_REG(0));                          \
        INT_SET_##S(cpu, SOFT_REG(2), a >> (BITS - 1));                                            \
        SOFT_NEXT(cpu, op);                                                                        \
    }
CONVERT(2, int8_t, 16)
CONVERT(4, int16_t, 32)
CONVERT(8, int32_t, 64)
static SoftHandler *const cbw_handlers[4] = { [1] = cbw_2, cbw_4, cbw_8 };
static SoftHandler *const cwd_handlers[4] = { [1] = cwd_2, cwd_4, cwd_8 };

static SoftNext lahf(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R8(cpu, SOFT_REG_HIGH(4)) = (uint8_t)((cpu->flags >> 8 & 0xD5) | 2);
    SOFT_NEXT(cpu, op);
}
static SoftNext sahf(SoftCpu *cpu, SoftOp *op)
{
    uint32_t ah = SOFT_R8(cpu, SOFT_REG_HIGH(4));
    cpu->flags = ((ah & 0xD5) | 2) << 8 | (cpu->flags & SOFT_FLAG_OF);
    SOFT_NEXT(cpu, op);
}

/* BSWAP of a 16-bit register is undefined: processors clear it. */
static SoftNext bswap_2(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R16(cpu, op->dst) = 0;
    SOFT_NEXT(cpu, op);
}
static SoftNext bswap_4(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R64(cpu, op->dst) = GUINT32_SWAP_LE_BE(SOFT_R32(cpu, op->dst));
    SOFT_NEXT(cpu, op);
}
static SoftNext bswap_8(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R64(cpu, op->dst) = GUINT64_SWAP_LE_BE(SOFT_R64(cpu, op->dst));
    SOFT_NEXT(cpu, op);
}

static SoftNext xlat(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint64_t offset = SOFT_R64(cpu, SOFT_REG(3)) + SOFT_R8(cpu, SOFT_REG(0));
    SOFT_R8(cpu, SOFT_REG(0)) =
        (uint8_t)soft_load(cpu, op->seg, offset & (~UINT64_C(0) >> op->ashift), 1);
    SOFT_NEXT(cpu, op);
}

/* What does nothing needs no record: the next instruction's place says that it was passed. */
bool soft_decode_nop(SoftDecode *d)
{
    d->n_records = 0;
    return true;
}

bool soft_is_lea(const SoftOp *op)
{
    for (unsigned i = 1; i < 4; i++)
        for (unsigned ea = 0; ea < SOFT_N_EA; ea++)
            if (op->fn == lea_handlers[i][ea])
                return true;
    return false;
}

static void move_set(SoftDecode *d, unsigned size, unsigned form)
{
    if (form >= MOV_RM)
        form += d->ea;
    d->op->fn = mov_handlers[int_size_index(size)][form];
    if (form < MOV_RM)
        quiet_note(d->op, QUIET_TRANSPARENT, 0);
}

/* A0-A3. */
static bool move_decode_absolute(SoftDecode *d, unsigned size)
{
    SoftOp *op = d->op;
    bool store = d->opcode & 2;
    op->seg = CPU_DS;
    if (d->address_size == 8) {
        op->imm = soft_fetch64(d);
        op->src = (uint8_t)size;
        if (d->seg_override >= 0)
            op->seg = (uint8_t)d->seg_override;
        op->fn = store ? mov_store_absolute : mov_load_absolute;
        return true;
    }
    op->disp = (int32_t)(d->address_size == 2 ? soft_fetch16(d) : soft_fetch32(d));
    op->base = op->index = SOFT_SLOT_ZERO;
    d->is_memory = true;
    soft_decode_finish_address(d);
    op->dst = op->src = SOFT_REG(0);
    move_set(d, size, store ? MOV_MR : MOV_RM);
    return true;
}

static bool move_decode_extend(SoftDecode *d, bool sign, unsigned from)
{
    unsigned to = d->operand_size;
    d->op->dst = SOFT_REG(d->reg);
    if (!d->is_memory)
        d->op->src = soft_decode_reg(d, d->rm, from);
    unsigned form = d->is_memory ? 1 + d->ea : 0;
    if (form == 0)
        quiet_note(d->op, QUIET_TRANSPARENT, 0);
    if (from >= to) /* MOVSXD r16 or r32: a plain move; MOVZX and MOVSX r16, r/m16 likewise */
        move_set(d, to, d->is_memory ? MOV_RM : MOV_RR);
    else
        d->op->fn = (sign ? movsx_handlers
                          : movzx_handlers)[int_size_index(from)][int_size_index(to)][form];
    return true;
}

static bool move_decode_two_byte(SoftDecode *d)
{
    SoftOp *op = d->op;
    unsigned cc = d->opcode & 15, form = d->is_memory ? 1 + d->ea : 0;
    switch (d->opcode >> 4) {
    case 4:
        op->dst = SOFT_REG(d->reg);
        if (!d->is_memory)
            op->src = SOFT_REG(d->rm);
        op->imm = cc;
        op->fn = cmov_handlers[cc][int_size_index(d->operand_size) - 1][form];
        return true;
    case 9:
        if (d->is_memory) {
            op->imm = cc;
            op->fn = setcc_m;
        } else {
            op->dst = soft_decode_reg(d, d->rm, 1);
            op->fn = setcc_handlers[cc];
        }
        return true;
    case 0xB: return move_decode_extend(d, d->opcode & 8, d->opcode & 1 ? 2 : 1);
    case 0xC:
        op->dst = SOFT_REG((d->opcode & 7) | (d->rex & 1) << 3);
        op->fn = d->operand_size == 8 ? bswap_8 : d->operand_size == 4 ? bswap_4 : bswap_2;
        return true;
    default: return soft_decode_nop(d); /* 0D PREFETCHW, 18-1F hints, ENDBR */
    }
}

bool soft_decode_move(SoftDecode *d)
{
    SoftOp *op = d->op;
    unsigned size = d->opcode & 1 ? d->operand_size : 1;
    if (d->map == 1)
        return move_decode_two_byte(d);
    if ((d->opcode & 0xF0) == 0xB0) {
        size = d->opcode & 8 ? d->operand_size : 1;
        op->dst = soft_decode_reg(d, (d->opcode & 7) | (d->rex & 1) << 3, size);
        op->imm = soft_fetch_immediate(d, size);
        move_set(d, size, MOV_RI);
        return true;
    }
    switch (d->opcode) {
    case 0x63: return move_decode_extend(d, true, 4);
    case 0x88:
    case 0x89:
        op->src = soft_decode_reg(d, d->reg, size);
        if (!d->is_memory)
            op->dst = soft_decode_reg(d, d->rm, size);
        move_set(d, size, d->is_memory ? MOV_MR : MOV_RR);
        return true;
    case 0x8A:
    case 0x8B:
        op->dst = soft_decode_reg(d, d->reg, size);
        if (!d->is_memory)
            op->src = soft_decode_reg(d, d->rm, size);
        move_set(d, size, d->is_memory ? MOV_RM : MOV_RR);
        return true;
    case 0x8D:
        if (!d->is_memory)
            return false;
        op->dst = SOFT_REG(d->reg);
        /* The segment is not used, so an FS or GS override does not matter. */
        if (d->address_size == 8)
            d->ea = op->index == SOFT_SLOT_ZERO ? SOFT_EA_B : SOFT_EA_BI;
        op->fn = lea_handlers[int_size_index(d->operand_size)][d->ea];
        return true;
    case 0x98: op->fn = cbw_handlers[int_size_index(d->operand_size)]; return true;
    case 0x99: op->fn = cwd_handlers[int_size_index(d->operand_size)]; return true;
    case 0x9E: op->fn = sahf; return true;
    case 0x9F: op->fn = lahf; return true;
    case 0xC6:
    case 0xC7:
        if ((d->reg & 7) != 0)
            return false;
        if (!d->is_memory)
            op->dst = soft_decode_reg(d, d->rm, size);
        op->imm = soft_fetch_immediate(d, MIN(size, 4));
        move_set(d, size, d->is_memory ? MOV_MI : MOV_RI);
        return true;
    case 0xD7:
        op->seg = d->seg_override >= 0 ? (uint8_t)d->seg_override : CPU_DS;
        op->ashift = (uint8_t)(64 - 8 * d->address_size);
        op->fn = xlat;
        return true;
    default: return move_decode_absolute(d, size); /* A0-A3 */
    }
}
