/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* BT BTS BTR BTC, BSF BSR, POPCNT, CRC32. */

#include "core/cpu/soft/int.h"

/* The bit number is taken modulo the operand's width; where the operand is memory and the number a
 * register, the address has taken the rest. */
#define EVAL_BIT(N, S, LOCK, D, CONSTRAINT, BIT)                                                   \
    do {                                                                                           \
        uint32_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS LOCK #N INT_SUFFIX_##S " %[b], %[d]" INT_SAVE_FLAGS                 \
                : [d] CONSTRAINT(D), "+&a"(flags)                                                  \
                : [b] "r"((INT_TYPE_##S)(BIT))                                                     \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)

/* Offset of the operand that holds bit number @bit (sign-extended) counted from the address. */
INT_INLINE uint64_t bit_offset(SoftCpu *cpu, const SoftOp *op, unsigned size, int64_t bit)
{
    unsigned shift = size == 2 ? 4 : size == 4 ? 5 : 6;
    return (soft_ea(cpu, op) + (uint64_t)((bit >> shift) * (int64_t)size)) &
           (~UINT64_C(0) >> op->ashift);
}
INT_INLINE void *bit_pointer(SoftCpu *cpu, const SoftOp *op, uint64_t offset, unsigned size,
                             bool write)
{
    const SoftSegment *seg = &cpu->seg[op->seg];
    if (G_UNLIKELY(offset + size > seg->end[write]))
        return NULL;
    uint64_t linear = (seg->base + offset) & cpu->linear_mask;
    return write ? soft_tlb_write(cpu, linear, size) : soft_tlb_read(cpu, linear, size);
}

#define BIT_NUMBER_R(S) (INT_SIGNED_##S) INT_GET_##S(cpu, op->src)
/* An immediate has been reduced by the decoder, so its offset is the address itself. */
#define BIT_NUMBER_I(S) (INT_SIGNED_##S) op->imm

#define BIT_TEST(S, F, NUMBER)                                                                     \
    INT_FAST bt_r##F##_##S(SoftCpu *cpu, SoftOp *op)                                               \
    {                                                                                              \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_BIT(bt, S, "", d, "+r", NUMBER(S));                                                   \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW bt_m##F##_slow_##S(SoftCpu *cpu, SoftOp *op)                                          \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL_BIT(bt, S, "", d, "+r", NUMBER(S) & (S * 8 - 1));                                     \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST bt_m##F##_##S(SoftCpu *cpu, SoftOp *op)                                               \
    {                                                                                              \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        const INT_TYPE_##S *p = bit_pointer(cpu, op, offset, S, false);                            \
        if (G_UNLIKELY(!p))                                                                        \
            return bt_m##F##_slow_##S(cpu, op);                                                    \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL_BIT(bt, S, "", d, "+r", NUMBER(S) & (S * 8 - 1));                                     \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define BIT_CHANGE(N, S, F, NUMBER)                                                                \
    INT_FAST N##_r##F##_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        INT_TYPE_##S d = INT_GET_##S(cpu, op->dst);                                                \
        EVAL_BIT(N, S, "", d, "+r", NUMBER(S));                                                    \
        INT_SET_##S(cpu, op->dst, d);                                                              \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_SLOW N##_m##F##_slow_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        soft_probe_store(cpu, op->seg, offset, S);                                                 \
        INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                         \
        EVAL_BIT(N, S, "", d, "+r", NUMBER(S) & (S * 8 - 1));                                      \
        soft_store(cpu, op->seg, offset, S, d);                                                    \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_SLOW N##_lock_m##F##_slow_##S(SoftCpu *cpu, SoftOp *op)                                    \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        INT_TYPE_##S *p = int_lock_pointer(cpu, op, offset, S);                                    \
        if (p) {                                                                                   \
            EVAL_BIT(N, S, "lock ", *p, "+m", NUMBER(S) & (S * 8 - 1));                            \
        } else {                                                                                   \
            soft_exclusive_begin(cpu);                                                             \
            INT_TYPE_##S d = (INT_TYPE_##S)soft_load(cpu, op->seg, offset, S);                     \
            EVAL_BIT(N, S, "", d, "+r", NUMBER(S) & (S * 8 - 1));                                  \
            soft_store(cpu, op->seg, offset, S, d);                                                \
            soft_exclusive_end(cpu);                                                               \
        }                                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FAST N##_m##F##_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        INT_TYPE_##S *p = bit_pointer(cpu, op, offset, S, true);                                   \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_m##F##_slow_##S(cpu, op);                                                   \
        INT_TYPE_##S d = *p;                                                                       \
        EVAL_BIT(N, S, "", d, "+r", NUMBER(S) & (S * 8 - 1));                                      \
        *p = d;                                                                                    \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST N##_lock_m##F##_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        uint64_t offset = bit_offset(cpu, op, S, NUMBER(S));                                       \
        INT_TYPE_##S *p = bit_pointer(cpu, op, offset, S, true);                                   \
        if (G_UNLIKELY(!p || INT_MISALIGNED(p, S)))                                                \
            return N##_lock_m##F##_slow_##S(cpu, op);                                              \
        EVAL_BIT(N, S, "lock ", *p, "+m", NUMBER(S) & (S * 8 - 1));                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define BIT_SIZE(S)                                                                                \
    BIT_TEST(S, r, BIT_NUMBER_R)                                                                   \
    BIT_TEST(S, i, BIT_NUMBER_I)                                                                   \
    BIT_CHANGE(bts, S, r, BIT_NUMBER_R)                                                            \
    BIT_CHANGE(bts, S, i, BIT_NUMBER_I)                                                            \
    BIT_CHANGE(btr, S, r, BIT_NUMBER_R)                                                            \
    BIT_CHANGE(btr, S, i, BIT_NUMBER_I)                                                            \
    BIT_CHANGE(btc, S, r, BIT_NUMBER_R)                                                            \
    BIT_CHANGE(btc, S, i, BIT_NUMBER_I)
BIT_SIZE(2)
BIT_SIZE(4)
BIT_SIZE(8)
/* [BT BTS BTR BTC][size][rr, ri, mr, mi, locked mr, locked mi] */
#define BIT_ROW_TEST(S)                                                                            \
    {                                                                                              \
        bt_rr_##S, bt_ri_##S, bt_mr_##S, bt_mi_##S                                                 \
    }
#define BIT_ROW(N, S)                                                                              \
    {                                                                                              \
        N##_rr_##S, N##_ri_##S, N##_mr_##S, N##_mi_##S, N##_lock_mr_##S, N##_lock_mi_##S           \
    }
static SoftHandler *const bit_handlers[4][3][6] = {
    { BIT_ROW_TEST(2), BIT_ROW_TEST(4), BIT_ROW_TEST(8) },
    { BIT_ROW(bts, 2), BIT_ROW(bts, 4), BIT_ROW(bts, 8) },
    { BIT_ROW(btr, 2), BIT_ROW(btr, 4), BIT_ROW(btr, 8) },
    { BIT_ROW(btc, 2), BIT_ROW(btc, 4), BIT_ROW(btc, 8) },
};

/* BSF BSR POPCNT. The destination goes in and out whole: BSF of zero leaves it, as processors do.
 */
#define EVAL_SCAN(N, S, MODIFIER, D, SOURCE)                                                       \
    do {                                                                                           \
        uint32_t flags = cpu->flags;                                                               \
        __asm__(INT_LOAD_FLAGS #N INT_SUFFIX_##S " %[s], %" MODIFIER "[d]" INT_SAVE_FLAGS          \
                : [d] "+&r"(D), "+&a"(flags)                                                       \
                : [s] "r"(SOURCE)                                                                  \
                : "cc");                                                                           \
        cpu->flags = flags;                                                                        \
    } while (0)
#define SCAN_SIZE(N, S, MODIFIER)                                                                  \
    static SoftNext N##_rr_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        uint64_t d = SOFT_R64(cpu, op->dst);                                                       \
        EVAL_SCAN(N, S, MODIFIER, d, INT_GET_##S(cpu, op->src));                                   \
        SOFT_R64(cpu, op->dst) = d;                                                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    static SoftNext N##_rm_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S s = (INT_TYPE_##S)soft_read_operand(cpu, op, S);                              \
        uint64_t d = SOFT_R64(cpu, op->dst);                                                       \
        EVAL_SCAN(N, S, MODIFIER, d, s);                                                           \
        SOFT_R64(cpu, op->dst) = d;                                                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define SCAN(N)                                                                                    \
    SCAN_SIZE(N, 2, "w")                                                                           \
    SCAN_SIZE(N, 4, "k")                                                                           \
    SCAN_SIZE(N, 8, "q")
SCAN(bsf)
SCAN(bsr)
SCAN(popcnt)
#define SCAN_ROW(N)                                                                                \
    {                                                                                              \
        { N##_rr_2, N##_rm_2 }, { N##_rr_4, N##_rm_4 },                                            \
        {                                                                                          \
            N##_rr_8, N##_rm_8                                                                     \
        }                                                                                          \
    }
enum { SCAN_BSF, SCAN_BSR, SCAN_POPCNT };
static SoftHandler *const scan_handlers[3][3][2] = { SCAN_ROW(bsf), SCAN_ROW(bsr),
                                                     SCAN_ROW(popcnt) };

/* CRC32 r32, r/m. */
#define CRC32(S, MODIFIER)                                                                         \
    INT_INLINE uint32_t crc32_step_##S(uint64_t crc, INT_TYPE_##S s)                               \
    {                                                                                              \
        __asm__("crc32" INT_SUFFIX_##S " %1, %" MODIFIER "0" : "+r"(crc) : "r"(s));                \
        return (uint32_t)crc;                                                                      \
    }                                                                                              \
    static SoftNext crc32_rr_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        SOFT_R64(cpu, op->dst) =                                                                   \
            crc32_step_##S(SOFT_R32(cpu, op->dst), INT_GET_##S(cpu, op->src));                     \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    static SoftNext crc32_rm_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        INT_TYPE_##S s = (INT_TYPE_##S)soft_read_operand(cpu, op, S);                              \
        SOFT_R64(cpu, op->dst) = crc32_step_##S(SOFT_R32(cpu, op->dst), s);                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }
CRC32(1, "k")
CRC32(2, "k")
CRC32(4, "k")
CRC32(8, "q")
static SoftHandler *const crc32_handlers[4][2] = { { crc32_rr_1, crc32_rm_1 },
                                                   { crc32_rr_2, crc32_rm_2 },
                                                   { crc32_rr_4, crc32_rm_4 },
                                                   { crc32_rr_8, crc32_rm_8 } };

static bool bits_decode_test(SoftDecode *d, unsigned operation, bool immediate)
{
    SoftOp *op = d->op;
    if (!d->is_memory)
        op->dst = SOFT_REG(d->rm);
    if (immediate)
        op->imm = soft_fetch8(d) & (d->operand_size * 8 - 1);
    else
        op->src = SOFT_REG(d->reg);
    unsigned form = (d->is_memory ? d->lock ? 4 : 2 : 0) + immediate;
    op->fn = bit_handlers[operation][int_size_index(d->operand_size) - 1][form];
    return true;
}

static bool bits_decode_scan(SoftDecode *d, unsigned operation)
{
    d->op->dst = SOFT_REG(d->reg);
    if (!d->is_memory)
        d->op->src = SOFT_REG(d->rm);
    d->op->fn = scan_handlers[operation][int_size_index(d->operand_size) - 1][d->is_memory];
    return true;
}

bool soft_decode_bits(SoftDecode *d)
{
    if (d->map == 2) { /* F2 0F 38 F0, F1 */
        unsigned size = d->opcode & 1 ? d->operand_size : 1;
        d->op->dst = SOFT_REG(d->reg);
        if (!d->is_memory)
            d->op->src = soft_decode_reg(d, d->rm, size);
        d->op->fn = crc32_handlers[int_size_index(size)][d->is_memory];
        return true;
    }
    switch (d->opcode) {
    case 0xB8: return d->rep == 0xF3 && bits_decode_scan(d, SCAN_POPCNT);
    case 0xBA: return (d->reg & 7) >= 4 && bits_decode_test(d, d->reg & 3, true);
    /* With F3 these are TZCNT and LZCNT on later processors; this one has neither. */
    case 0xBC: return bits_decode_scan(d, SCAN_BSF);
    case 0xBD: return bits_decode_scan(d, SCAN_BSR);
    default: return bits_decode_test(d, (d->opcode >> 3) & 3, false); /* A3 AB B3 BB */
    }
}
