/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* SSE and SSE2 moves between XMM registers, general registers and memory; the MMX moves. */

#define LOADU(p) _mm_loadu_si128((const __m128i_u *)(p))

/* Whole registers: aligned or not. */
SIMD_REG(mova, XMM_I(op->dst) = XMM_I(op->src))
SIMD_MEM(mova, 16, 16, XMM_I(op->dst) = *(const __m128i *)p)
SIMD_MEM(movu, 16, 1, XMM_I(op->dst) = LOADU(p))
SIMD_STORE(mova_store, 16, 16, 0, *(__m128i *)p = XMM_I(op->src))
SIMD_STORE(movu_store, 16, 1, 0, _mm_storeu_si128((__m128i_u *)p, XMM_I(op->src)))

/* Scalars: a load clears the rest of the register, a move between registers keeps it. */
SIMD_REG(movss, cpu->xmm[op->dst].d[0] = cpu->xmm[op->src].d[0])
SIMD_MEM(movss, 4, 1, XMM_I(op->dst) = simd_load_4(p))
SIMD_STORE(movss_store, 4, 1, 0, *(uint32_t *)p = cpu->xmm[op->src].d[0])
SIMD_REG(movsd, cpu->xmm[op->dst].q[0] = cpu->xmm[op->src].q[0])
SIMD_MEM(movsd, 8, 1, XMM_I(op->dst) = simd_load_8(p))
SIMD_STORE(movsd_store, 8, 1, 0, *(uint64_t *)p = cpu->xmm[op->src].q[0])
SIMD_REG(movq, XMM_I(op->dst) = _mm_move_epi64(XMM_I(op->src)))

/* Halves. */
SIMD_MEM(movlp, 8, 1, cpu->xmm[op->dst].q[0] = *(const uint64_t *)p)
SIMD_MEM(movhp, 8, 1, cpu->xmm[op->dst].q[1] = *(const uint64_t *)p)
SIMD_STORE(movhp_store, 8, 1, 8, *(uint64_t *)p = cpu->xmm[op->src].q[1])
SIMD_REG(movhlps, cpu->xmm[op->dst].q[0] = cpu->xmm[op->src].q[1])
SIMD_REG(movlhps, cpu->xmm[op->dst].q[1] = cpu->xmm[op->src].q[0])
SIMD_REG(movddup, XMM_I(op->dst) = _mm_unpacklo_epi64(XMM_I(op->src), XMM_I(op->src)))
SIMD_MEM(movddup, 8, 1, XMM_I(op->dst) = _mm_set1_epi64x(*(const int64_t *)p))
SIMD_BINARY(movsldup, _mm_shuffle_epi32(b, 0xA0))
SIMD_BINARY(movshdup, _mm_shuffle_epi32(b, 0xF5))

/* From and to general registers. */
SIMD_REG(movd, XMM_I(op->dst) = _mm_cvtsi32_si128((int32_t)SOFT_R32(cpu, op->src)))
SIMD_REG(movd_wide, XMM_I(op->dst) = _mm_cvtsi64_si128((int64_t)SOFT_R64(cpu, op->src)))
SIMD_REG(movd_store, SOFT_R64(cpu, op->dst) = cpu->xmm[op->src].d[0])
SIMD_REG(movd_store_wide, SOFT_R64(cpu, op->dst) = cpu->xmm[op->src].q[0])
SIMD_REG(movmskps, SOFT_R64(cpu, op->dst) = (uint32_t)_mm_movemask_ps(XMM_PS(op->src)))
SIMD_REG(movmskpd, SOFT_R64(cpu, op->dst) = (uint32_t)_mm_movemask_pd(XMM_PD(op->src)))

/* MMX. The tags change with the register, after the last access that may fault. */
#define MMX_REG(name, ...)                                                                         \
    static SoftNext name##_r(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        mmx_enter(cpu);                                                                            \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define MMX_LOAD(name, size)                                                                       \
    static SoftNext name##_m(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t value = soft_read_operand(cpu, op, size);                                         \
        mmx_enter(cpu);                                                                            \
        mmx_write(cpu, op->dst, value);                                                            \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define MMX_STORE(name, size)                                                                      \
    static SoftNext name##_m(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        SOFT_AT(cpu, op);                                                                          \
        soft_write_operand(cpu, op, size, mmx_read(cpu, op->src));                                 \
        mmx_enter(cpu);                                                                            \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
MMX_REG(mmx_movd, mmx_write(cpu, op->dst, SOFT_R32(cpu, op->src)))
MMX_REG(mmx_movd_wide, mmx_write(cpu, op->dst, SOFT_R64(cpu, op->src)))
MMX_REG(mmx_movd_store, SOFT_R64(cpu, op->dst) = (uint32_t)mmx_read(cpu, op->src))
MMX_REG(mmx_movd_store_wide, SOFT_R64(cpu, op->dst) = mmx_read(cpu, op->src))
MMX_REG(mmx_movq, mmx_write(cpu, op->dst, mmx_read(cpu, op->src)))
MMX_REG(movq2dq, XMM_I(op->dst) = _mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->src)))
MMX_REG(movdq2q, mmx_write(cpu, op->dst, cpu->xmm[op->src].q[0]))
MMX_LOAD(mmx_movd, 4)
MMX_LOAD(mmx_movq, 8)
MMX_STORE(mmx_movd_store, 4)
MMX_STORE(mmx_movq_store, 8)

/* MOVNTI stores a general register, and needs neither CR4.OSFXSR nor a clear CR0.TS. */
static SoftNext movnti_m(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 4, SOFT_R32(cpu, op->src));
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext movnti_wide_m(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 8, SOFT_R64(cpu, op->src));
    SOFT_NEXT_STORED(cpu, op);
}

/* MASKMOVDQU and MASKMOVQ: the bytes of dst whose mask byte in src has bit 7, to DS:[rDI]. The
 * decoder has set the address. One byte after the other, but all of them probed first. */
static void maskmov_store(SoftCpu *cpu, const SoftOp *op, const uint8_t *bytes, const uint8_t *mask,
                          unsigned count)
{
    uint64_t base = soft_ea(cpu, op);
    uint64_t wrap = ~UINT64_C(0) >> op->ashift;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < count; i++) {
            uint64_t offset = (base + i) & wrap;
            if (!(mask[i] & 0x80))
                continue;
            if (pass == 0)
                soft_probe_store(cpu, op->seg, offset, 1);
            else
                soft_store(cpu, op->seg, offset, 1, bytes[i]);
        }
    }
}
static SoftNext maskmovdqu_r(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    maskmov_store(cpu, op, cpu->xmm[op->dst].b, cpu->xmm[op->src].b, 16);
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext maskmovq_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    maskmov_store(cpu, op, (const uint8_t *)&cpu->fpu.fpr[op->dst],
                  (const uint8_t *)&cpu->fpu.fpr[op->src], 8);
    mmx_enter(cpu);
    SOFT_NEXT_STORED(cpu, op);
}

/* Tables -------------------------------------------------------------------------------------- */

#define ONE(name)                                                                                  \
    {                                                                                              \
        name##_m, name##_m, name##_m                                                               \
    }
#define LOAD(reg_name, mem_name)                                                                   \
    {                                                                                              \
        .reg = reg_name##_r, .mem = SIMD_MEMS(mem_name)                                            \
    }
#define STORE(reg_name, mem_name)                                                                  \
    {                                                                                              \
        .reg = reg_name##_r, .mem = SIMD_MEMS(mem_name), .flags = SIMD_STORES                      \
    }

static const SimdTable move_table = {
    [0x10] = { LOAD(mova, movu), LOAD(mova, movu), V(movss), V(movsd) },
    [0x11] = { STORE(mova, movu_store), STORE(mova, movu_store), STORE(movss, movss_store),
               STORE(movsd, movsd_store) },
    [0x12] = { LOAD(movhlps, movlp), ROW_M(movlp, V, 0), V(movsldup), V(movddup) },
    [0x13] = { ROW_M(movsd_store, V, SIMD_STORES), ROW_M(movsd_store, V, SIMD_STORES) },
    [0x16] = { LOAD(movlhps, movhp), ROW_M(movhp, V, 0), V(movshdup) },
    [0x17] = { ROW_M(movhp_store, V, SIMD_STORES), ROW_M(movhp_store, V, SIMD_STORES) },
    [0x28] = { V(mova), V(mova) },
    [0x29] = { STORE(mova, mova_store), STORE(mova, mova_store) },
    [0x2B] = { ROW_M(mova_store, V, SIMD_STORES), ROW_M(mova_store, V, SIMD_STORES) },
    [0x50] = { ROW_R(movmskps, G, V, 0), ROW_R(movmskpd, G, V, 0) },
    [0x6E] = { { mmx_movd_r, ONE(mmx_movd), SIMD_M, SIMD_G },
               { movd_r, SIMD_MEMS(movss), SIMD_V, SIMD_G } },
    [0x6F] = { { mmx_movq_r, ONE(mmx_movq), SIMD_M, SIMD_M }, V(mova), LOAD(mova, movu) },
    [0x7E] = { { mmx_movd_store_r, ONE(mmx_movd_store), SIMD_M, SIMD_G, SIMD_STORES },
               { movd_store_r, SIMD_MEMS(movss_store), SIMD_V, SIMD_G, SIMD_STORES },
               LOAD(movq, movsd) },
    [0x7F] = { { mmx_movq_r, ONE(mmx_movq_store), SIMD_M, SIMD_M, SIMD_STORES },
               STORE(mova, mova_store),
               STORE(mova, movu_store) },
    [0xC3] = { { .mem = ONE(movnti),
                 .reg_kind = SIMD_G,
                 .rm_kind = SIMD_G,
                 .flags = SIMD_STORES } },
    [0xD6] = { [SIMD_66] = STORE(movq, movsd_store),
               [SIMD_F3] = ROW_R(movq2dq, V, M, 0),
               [SIMD_F2] = ROW_R(movdq2q, M, V, 0) },
    [0xE7] = { { .mem = ONE(mmx_movq_store),
                 .reg_kind = SIMD_M,
                 .rm_kind = SIMD_M,
                 .flags = SIMD_STORES },
               ROW_M(mova_store, V, SIMD_STORES) },
    [0xF0] = { [SIMD_F2] = ROW_M(movu, V, 0) },
    [0xF7] = { ROW_R(maskmovq, M, M, 0), ROW_R(maskmovdqu, V, V, 0) },
};

/* With REX.W: MOVQ instead of MOVD. */
static const SimdRow move_wide[2][2] = {
    { { mmx_movd_wide_r, ONE(mmx_movq), SIMD_M, SIMD_G },
      { movd_wide_r, SIMD_MEMS(movsd), SIMD_V, SIMD_G } },
    { { mmx_movd_store_wide_r, ONE(mmx_movq_store), SIMD_M, SIMD_G, SIMD_STORES },
      { movd_store_wide_r, SIMD_MEMS(movsd_store), SIMD_V, SIMD_G, SIMD_STORES } },
};
static const SimdRow move_movnti_wide = {
    .mem = ONE(movnti_wide), .reg_kind = SIMD_G, .rm_kind = SIMD_G, .flags = SIMD_STORES
};

const SimdRow *sse_move_row(const SoftDecode *d, unsigned prefix)
{
    if (d->map != 1)
        return NULL;
    if (d->rex & 8) {
        if ((d->opcode == 0x6E || d->opcode == 0x7E) && prefix <= SIMD_66)
            return &move_wide[d->opcode == 0x7E][prefix];
        if (d->opcode == 0xC3 && prefix == SIMD_NONE)
            return &move_movnti_wide;
    }
    return simd_row(move_table, d, prefix);
}
