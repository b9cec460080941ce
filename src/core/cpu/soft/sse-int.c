/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* MMX and SSE2 integer instructions. An MMX operation is the low half of the 128-bit one on
 * operands whose high half is zero; where that is not so it has an expression of its own. */

/* MMX: op->pointer is the SimdFn. */
#define MMX_APPLY(b_value)                                                                         \
    do {                                                                                           \
        SimdFn *fn = (SimdFn *)op->pointer;                                                        \
        __m128i a = _mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->dst));                            \
        mmx_write(cpu, op->dst, (uint64_t)_mm_cvtsi128_si64(fn(a, b_value)));                      \
        mmx_enter(cpu);                                                                            \
    } while (0)
SoftNext soft_mmx_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    MMX_APPLY(_mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->src)));
    SOFT_NEXT(cpu, op);
}
SoftNext soft_mmx_m(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    MMX_APPLY(_mm_cvtsi64_si128((int64_t)soft_read_operand(cpu, op, 8)));
    SOFT_NEXT(cpu, op);
}
/* PUNPCKL*: reads 32 bits. */
SoftNext soft_mmx_m32(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    MMX_APPLY(_mm_cvtsi64_si128((int64_t)soft_read_operand(cpu, op, 4)));
    SOFT_NEXT(cpu, op);
}

/* Both widths by one expression, or by two. */
#define MMX_FN(name, expression)                                                                   \
    static __m128i name##_mmx(__m128i a, __m128i b)                                                \
    {                                                                                              \
        return expression;                                                                         \
    }
#define BOTH(name, expression)                                                                     \
    SIMD_BINARY(name, expression)                                                                  \
    MMX_FN(name, expression)
#define EACH(name, expression, mmx_expression)                                                     \
    SIMD_BINARY(name, expression)                                                                  \
    MMX_FN(name, mmx_expression)
/* Second half of a 64-bit interleave; both operands side by side. */
#define HIGH(x) _mm_srli_si128(x, 8)
#define PAIR _mm_unpacklo_epi64(a, b)

BOTH(punpcklbw, _mm_unpacklo_epi8(a, b))
BOTH(punpcklwd, _mm_unpacklo_epi16(a, b))
BOTH(punpckldq, _mm_unpacklo_epi32(a, b))
SIMD_BINARY(punpcklqdq, _mm_unpacklo_epi64(a, b))
EACH(punpckhbw, _mm_unpackhi_epi8(a, b), HIGH(_mm_unpacklo_epi8(a, b)))
EACH(punpckhwd, _mm_unpackhi_epi16(a, b), HIGH(_mm_unpacklo_epi16(a, b)))
EACH(punpckhdq, _mm_unpackhi_epi32(a, b), HIGH(_mm_unpacklo_epi32(a, b)))
SIMD_BINARY(punpckhqdq, _mm_unpackhi_epi64(a, b))
EACH(packsswb, _mm_packs_epi16(a, b), _mm_packs_epi16(PAIR, PAIR))
EACH(packssdw, _mm_packs_epi32(a, b), _mm_packs_epi32(PAIR, PAIR))
EACH(packuswb, _mm_packus_epi16(a, b), _mm_packus_epi16(PAIR, PAIR))

BOTH(pcmpgtb, _mm_cmpgt_epi8(a, b))
BOTH(pcmpgtw, _mm_cmpgt_epi16(a, b))
BOTH(pcmpgtd, _mm_cmpgt_epi32(a, b))
BOTH(pcmpeqb, _mm_cmpeq_epi8(a, b))
BOTH(pcmpeqw, _mm_cmpeq_epi16(a, b))
BOTH(pcmpeqd, _mm_cmpeq_epi32(a, b))

BOTH(paddb, _mm_add_epi8(a, b))
BOTH(paddw, _mm_add_epi16(a, b))
BOTH(paddd, _mm_add_epi32(a, b))
BOTH(paddq, _mm_add_epi64(a, b))
BOTH(paddsb, _mm_adds_epi8(a, b))
BOTH(paddsw, _mm_adds_epi16(a, b))
BOTH(paddusb, _mm_adds_epu8(a, b))
BOTH(paddusw, _mm_adds_epu16(a, b))
BOTH(psubb, _mm_sub_epi8(a, b))
BOTH(psubw, _mm_sub_epi16(a, b))
BOTH(psubd, _mm_sub_epi32(a, b))
BOTH(psubq, _mm_sub_epi64(a, b))
BOTH(psubsb, _mm_subs_epi8(a, b))
BOTH(psubsw, _mm_subs_epi16(a, b))
BOTH(psubusb, _mm_subs_epu8(a, b))
BOTH(psubusw, _mm_subs_epu16(a, b))

BOTH(pmullw, _mm_mullo_epi16(a, b))
BOTH(pmulhw, _mm_mulhi_epi16(a, b))
BOTH(pmulhuw, _mm_mulhi_epu16(a, b))
BOTH(pmuludq, _mm_mul_epu32(a, b))
BOTH(pmaddwd, _mm_madd_epi16(a, b))
BOTH(psadbw, _mm_sad_epu8(a, b))
BOTH(pavgb, _mm_avg_epu8(a, b))
BOTH(pavgw, _mm_avg_epu16(a, b))
BOTH(pminub, _mm_min_epu8(a, b))
BOTH(pminsw, _mm_min_epi16(a, b))
BOTH(pmaxub, _mm_max_epu8(a, b))
BOTH(pmaxsw, _mm_max_epi16(a, b))

BOTH(pand, _mm_and_si128(a, b))
BOTH(pandn, _mm_andnot_si128(a, b))
BOTH(por, _mm_or_si128(a, b))
BOTH(pxor, _mm_xor_si128(a, b))

/* Shifts by the low 64 bits of the source. */
BOTH(psrlw, _mm_srl_epi16(a, b))
BOTH(psrld, _mm_srl_epi32(a, b))
BOTH(psrlq, _mm_srl_epi64(a, b))
BOTH(psraw, _mm_sra_epi16(a, b))
BOTH(psrad, _mm_sra_epi32(a, b))
BOTH(psllw, _mm_sll_epi16(a, b))
BOTH(pslld, _mm_sll_epi32(a, b))
BOTH(psllq, _mm_sll_epi64(a, b))

/* Immediate shifts ---------------------------------------------------------------------------- */

/* The count register is op->imm. dst is the operand. */
#define SHIFT_IMMEDIATE(name, expression)                                                          \
    SIMD_REG(name##_imm, {                                                                         \
        __m128i a = XMM_I(op->dst), b = _mm_cvtsi64_si128((int64_t)op->imm);                       \
        XMM_I(op->dst) = expression;                                                               \
    })                                                                                             \
    static SoftNext name##_imm_mmx(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        mmx_enter(cpu);                                                                            \
        __m128i a = _mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->dst));                            \
        __m128i b = _mm_cvtsi64_si128((int64_t)op->imm);                                           \
        mmx_write(cpu, op->dst, (uint64_t)_mm_cvtsi128_si64(expression));                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
SHIFT_IMMEDIATE(psrlw, _mm_srl_epi16(a, b))
SHIFT_IMMEDIATE(psrld, _mm_srl_epi32(a, b))
SHIFT_IMMEDIATE(psrlq, _mm_srl_epi64(a, b))
SHIFT_IMMEDIATE(psraw, _mm_sra_epi16(a, b))
SHIFT_IMMEDIATE(psrad, _mm_sra_epi32(a, b))
SHIFT_IMMEDIATE(psllw, _mm_sll_epi16(a, b))
SHIFT_IMMEDIATE(pslld, _mm_sll_epi32(a, b))
SHIFT_IMMEDIATE(psllq, _mm_sll_epi64(a, b))
SIMD_REG(psrldq_imm, XMM_I(op->dst) = simd_bytes_down(XMM_I(op->dst), (uint8_t)op->imm))
SIMD_REG(pslldq_imm, XMM_I(op->dst) = simd_bytes_up(XMM_I(op->dst), (uint8_t)op->imm))

/* Shuffles ------------------------------------------------------------------------------------ */

SIMD_BINARY_SHUFFLE(pshufd, _mm_shuffle_epi8(b, mask))

/* Words: op->imm is the PSHUFB mask of the low four; added to the high ones it selects those. */
#define SHUFFLE_WORDS(name, mask)                                                                  \
    SIMD_REG(name, XMM_I(op->dst) = _mm_shuffle_epi8(XMM_I(op->src), mask))                        \
    SIMD_MEM(name, 16, 16, XMM_I(op->dst) = _mm_shuffle_epi8(*(const __m128i *)p, mask))
SHUFFLE_WORDS(pshuflw, _mm_set_epi64x(0x0F0E0D0C0B0A0908, (int64_t)op->imm))
SHUFFLE_WORDS(pshufhw, _mm_set_epi64x((int64_t)op->imm + 0x0808080808080808, 0x0706050403020100))

static inline void int_shuffle_mmx(SoftCpu *cpu, const SoftOp *op, uint64_t q)
{
    __m128i mask = _mm_cvtsi64_si128((int64_t)op->imm);
    mmx_enter(cpu);
    mmx_write(cpu, op->dst,
              (uint64_t)_mm_cvtsi128_si64(_mm_shuffle_epi8(_mm_cvtsi64_si128((int64_t)q), mask)));
}
static SoftNext pshufw_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    int_shuffle_mmx(cpu, op, mmx_read(cpu, op->src));
    SOFT_NEXT(cpu, op);
}
static SoftNext pshufw_m(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    int_shuffle_mmx(cpu, op, soft_read_operand(cpu, op, 8));
    SOFT_NEXT(cpu, op);
}

/* PINSRW, PEXTRW, PMOVMSKB -------------------------------------------------------------------- */

SIMD_REG(pinsrw, cpu->xmm[op->dst].w[op->imm & 7] = SOFT_R16(cpu, op->src))
SIMD_MEM(pinsrw, 2, 1, cpu->xmm[op->dst].w[op->imm & 7] = *(const uint16_t *)p)
SIMD_REG(pextrw, SOFT_R64(cpu, op->dst) = cpu->xmm[op->src].w[op->imm & 7])
SIMD_REG(pmovmskb, SOFT_R64(cpu, op->dst) = (uint32_t)_mm_movemask_epi8(XMM_I(op->src)))

static inline void int_mmx_insert(SoftCpu *cpu, const SoftOp *op, uint16_t word)
{
    unsigned shift = (op->imm & 3) * 16;
    uint64_t q = mmx_read(cpu, op->dst);
    mmx_enter(cpu);
    mmx_write(cpu, op->dst, (q & ~(UINT64_C(0xFFFF) << shift)) | (uint64_t)word << shift);
}
static SoftNext pinsrw_mmx_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    int_mmx_insert(cpu, op, SOFT_R16(cpu, op->src));
    SOFT_NEXT(cpu, op);
}
static SoftNext pinsrw_mmx_m(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    int_mmx_insert(cpu, op, (uint16_t)soft_read_operand(cpu, op, 2));
    SOFT_NEXT(cpu, op);
}
static SoftNext pextrw_mmx_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    mmx_enter(cpu);
    SOFT_R64(cpu, op->dst) = (uint16_t)(mmx_read(cpu, op->src) >> (op->imm & 3) * 16);
    SOFT_NEXT(cpu, op);
}
static SoftNext pmovmskb_mmx_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    mmx_enter(cpu);
    SOFT_R64(cpu, op->dst) =
        (uint32_t)_mm_movemask_epi8(_mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->src)));
    SOFT_NEXT(cpu, op);
}

/* Tables -------------------------------------------------------------------------------------- */

#define B(name)                                                                                    \
    {                                                                                              \
        ROW_MMX(name##_mmx), V(name)                                                               \
    }
#define B32(name)                                                                                  \
    {                                                                                              \
        { .reg = soft_mmx_r,                                                                       \
          .mem = { soft_mmx_m32, soft_mmx_m32, soft_mmx_m32 },                                     \
          .reg_kind = SIMD_M,                                                                      \
          .rm_kind = SIMD_M,                                                                       \
          .pointer = name##_mmx },                                                                 \
            V(name)                                                                                \
    }
static const SimdTable int_table = {
    [0x60] = B32(punpcklbw),
    [0x61] = B32(punpcklwd),
    [0x62] = B32(punpckldq),
    [0x63] = B(packsswb),
    [0x64] = B(pcmpgtb),
    [0x65] = B(pcmpgtw),
    [0x66] = B(pcmpgtd),
    [0x67] = B(packuswb),
    [0x68] = B(punpckhbw),
    [0x69] = B(punpckhwd),
    [0x6A] = B(punpckhdq),
    [0x6B] = B(packssdw),
    [0x6C] = { [SIMD_66] = V(punpcklqdq) },
    [0x6D] = { [SIMD_66] = V(punpckhqdq) },
    [0x70] = { { pshufw_r, { pshufw_m, pshufw_m, pshufw_m }, SIMD_M, SIMD_M, SIMD_SHUFFLE_WORDS },
               ROW(pshufd, V, V, SIMD_SHUFFLE_DWORDS),
               ROW(pshufhw, V, V, SIMD_SHUFFLE_WORDS),
               ROW(pshuflw, V, V, SIMD_SHUFFLE_WORDS) },
    [0x74] = B(pcmpeqb),
    [0x75] = B(pcmpeqw),
    [0x76] = B(pcmpeqd),
    [0xC4] = { { pinsrw_mmx_r,
                 { pinsrw_mmx_m, pinsrw_mmx_m, pinsrw_mmx_m },
                 SIMD_M,
                 SIMD_G,
                 SIMD_IMM8 },
               ROW(pinsrw, V, G, SIMD_IMM8) },
    [0xC5] = { ROW_R(pextrw_mmx, G, M, SIMD_IMM8), ROW_R(pextrw, G, V, SIMD_IMM8) },
    [0xD1] = B(psrlw),
    [0xD2] = B(psrld),
    [0xD3] = B(psrlq),
    [0xD4] = B(paddq),
    [0xD5] = B(pmullw),
    [0xD7] = { ROW_R(pmovmskb_mmx, G, M, 0), ROW_R(pmovmskb, G, V, 0) },
    [0xD8] = B(psubusb),
    [0xD9] = B(psubusw),
    [0xDA] = B(pminub),
    [0xDB] = B(pand),
    [0xDC] = B(paddusb),
    [0xDD] = B(paddusw),
    [0xDE] = B(pmaxub),
    [0xDF] = B(pandn),
    [0xE0] = B(pavgb),
    [0xE1] = B(psraw),
    [0xE2] = B(psrad),
    [0xE3] = B(pavgw),
    [0xE4] = B(pmulhuw),
    [0xE5] = B(pmulhw),
    [0xE8] = B(psubsb),
    [0xE9] = B(psubsw),
    [0xEA] = B(pminsw),
    [0xEB] = B(por),
    [0xEC] = B(paddsb),
    [0xED] = B(paddsw),
    [0xEE] = B(pmaxsw),
    [0xEF] = B(pxor),
    [0xF1] = B(psllw),
    [0xF2] = B(pslld),
    [0xF3] = B(psllq),
    [0xF4] = B(pmuludq),
    [0xF5] = B(pmaddwd),
    [0xF6] = B(psadbw),
    [0xF8] = B(psubb),
    [0xF9] = B(psubw),
    [0xFA] = B(psubd),
    [0xFB] = B(psubq),
    [0xFC] = B(paddb),
    [0xFD] = B(paddw),
    [0xFE] = B(paddd),
};

/* 0F 71, 72, 73: the operand is rm, ModRM.reg says which shift. [opcode - 71][reg][prefix] */
#define SHIFT_ROW(handler, kind)                                                                   \
    {                                                                                              \
        .reg = handler, .reg_kind = kind, .rm_kind = kind, .flags = SIMD_STORES | SIMD_IMM8        \
    }
#define SHIFT(name)                                                                                \
    {                                                                                              \
        SHIFT_ROW(name##_imm_mmx, SIMD_M), SHIFT_ROW(name##_imm_r, SIMD_V)                         \
    }
static const SimdRow int_shifts[3][8][2] = {
    { [2] = SHIFT(psrlw), [4] = SHIFT(psraw), [6] = SHIFT(psllw) },
    { [2] = SHIFT(psrld), [4] = SHIFT(psrad), [6] = SHIFT(pslld) },
    { [2] = SHIFT(psrlq),
      [3] = { { NULL }, SHIFT_ROW(psrldq_imm_r, SIMD_V) },
      [6] = SHIFT(psllq),
      [7] = { { NULL }, SHIFT_ROW(pslldq_imm_r, SIMD_V) } },
};

const SimdRow *sse_int_row(const SoftDecode *d, unsigned prefix)
{
    if (d->map != 1)
        return NULL;
    if (d->opcode >= 0x71 && d->opcode <= 0x73)
        return prefix > SIMD_66 ? NULL : &int_shifts[d->opcode - 0x71][d->modrm >> 3 & 7][prefix];
    return simd_row(int_table, d, prefix);
}
