/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* SSSE3, SSE4.1 and SSE4.2: the maps 0F 38 and 0F 3A. */

#define PAIR _mm_unpacklo_epi64(a, b)
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

/* SSSE3 --------------------------------------------------------------------------------------- */

EACH(pshufb, _mm_shuffle_epi8(a, b),
     _mm_shuffle_epi8(a, _mm_and_si128(b, _mm_set1_epi8((char)0x87))))
EACH(phaddw, _mm_hadd_epi16(a, b), _mm_hadd_epi16(PAIR, PAIR))
EACH(phaddd, _mm_hadd_epi32(a, b), _mm_hadd_epi32(PAIR, PAIR))
EACH(phaddsw, _mm_hadds_epi16(a, b), _mm_hadds_epi16(PAIR, PAIR))
EACH(phsubw, _mm_hsub_epi16(a, b), _mm_hsub_epi16(PAIR, PAIR))
EACH(phsubd, _mm_hsub_epi32(a, b), _mm_hsub_epi32(PAIR, PAIR))
EACH(phsubsw, _mm_hsubs_epi16(a, b), _mm_hsubs_epi16(PAIR, PAIR))
BOTH(pmaddubsw, _mm_maddubs_epi16(a, b))
BOTH(psignb, _mm_sign_epi8(a, b))
BOTH(psignw, _mm_sign_epi16(a, b))
BOTH(psignd, _mm_sign_epi32(a, b))
BOTH(pmulhrsw, _mm_mulhrs_epi16(a, b))
BOTH(pabsb, _mm_abs_epi8(b))
BOTH(pabsw, _mm_abs_epi16(b))
BOTH(pabsd, _mm_abs_epi32(b))

/* Bytes i … i + 15 of a:b. */
SIMD_BINARY_IMM(palignr, i < 16 ? _mm_or_si128(simd_bytes_down(b, i), simd_bytes_up(a, 16 - i))
                                : simd_bytes_down(a, i - 16))
static inline uint64_t sse4_align_mmx(uint64_t a, uint64_t b, unsigned i)
{
    if (i == 0)
        return b;
    if (i < 8)
        return b >> 8 * i | a << (64 - 8 * i);
    return i < 16 ? a >> 8 * (i - 8) : 0;
}
static SoftNext palignr_mmx_r(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    mmx_enter(cpu);
    mmx_write(cpu, op->dst,
              sse4_align_mmx(mmx_read(cpu, op->dst), mmx_read(cpu, op->src), (uint8_t)op->imm));
    SOFT_NEXT(cpu, op);
}
static SoftNext palignr_mmx_m(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    uint64_t b = soft_read_operand(cpu, op, 8);
    mmx_enter(cpu);
    mmx_write(cpu, op->dst, sse4_align_mmx(mmx_read(cpu, op->dst), b, (uint8_t)op->imm));
    SOFT_NEXT(cpu, op);
}

/* SSE4.1 integer ------------------------------------------------------------------------------ */

SIMD_BINARY(pmuldq, _mm_mul_epi32(a, b))
SIMD_BINARY(pcmpeqq, _mm_cmpeq_epi64(a, b))
SIMD_BINARY(pcmpgtq, _mm_cmpgt_epi64(a, b))
SIMD_BINARY(packusdw, _mm_packus_epi32(a, b))
SIMD_BINARY(pminsb, _mm_min_epi8(a, b))
SIMD_BINARY(pminsd, _mm_min_epi32(a, b))
SIMD_BINARY(pminuw, _mm_min_epu16(a, b))
SIMD_BINARY(pminud, _mm_min_epu32(a, b))
SIMD_BINARY(pmaxsb, _mm_max_epi8(a, b))
SIMD_BINARY(pmaxsd, _mm_max_epi32(a, b))
SIMD_BINARY(pmaxuw, _mm_max_epu16(a, b))
SIMD_BINARY(pmaxud, _mm_max_epu32(a, b))
SIMD_BINARY(pmulld, _mm_mullo_epi32(a, b))
SIMD_BINARY(phminposuw, _mm_minpos_epu16(b))
SIMD_WIDEN(pmovsxbw, 8, _mm_cvtepi8_epi16(b))
SIMD_WIDEN(pmovsxbd, 4, _mm_cvtepi8_epi32(b))
SIMD_WIDEN(pmovsxbq, 2, _mm_cvtepi8_epi64(b))
SIMD_WIDEN(pmovsxwd, 8, _mm_cvtepi16_epi32(b))
SIMD_WIDEN(pmovsxwq, 4, _mm_cvtepi16_epi64(b))
SIMD_WIDEN(pmovsxdq, 8, _mm_cvtepi32_epi64(b))
SIMD_WIDEN(pmovzxbw, 8, _mm_cvtepu8_epi16(b))
SIMD_WIDEN(pmovzxbd, 4, _mm_cvtepu8_epi32(b))
SIMD_WIDEN(pmovzxbq, 2, _mm_cvtepu8_epi64(b))
SIMD_WIDEN(pmovzxwd, 8, _mm_cvtepu16_epi32(b))
SIMD_WIDEN(pmovzxwq, 4, _mm_cvtepu16_epi64(b))
SIMD_WIDEN(pmovzxdq, 8, _mm_cvtepu32_epi64(b))

SIMD_MEM(movntdqa, 16, 16, XMM_I(op->dst) = *(const __m128i *)p)

/* PTEST: ZF = (src AND dst) is 0, CF = (src AND NOT dst) is 0, the others clear. */
static inline uint32_t sse4_test(__m128i a, __m128i b)
{
    return (_mm_testz_si128(a, b) ? SOFT_FLAG_ZF : 0) | (_mm_testc_si128(a, b) ? SOFT_FLAG_CF : 0) |
           0x200;
}
SIMD_REG(ptest, cpu->flags = sse4_test(XMM_I(op->dst), XMM_I(op->src)))
SIMD_MEM(ptest, 16, 16, cpu->flags = sse4_test(XMM_I(op->dst), *(const __m128i *)p))

/* Blends: the mask is XMM0's sign bits, or each bit of the immediate widened to its lane. */
#define BLEND_V(name, fn, type)                                                                    \
    SIMD_REG(name, XMM_I(op->dst) =                                                                \
                       (__m128i)fn((type)XMM_I(op->dst), (type)XMM_I(op->src), (type)XMM_I(0)))    \
    SIMD_MEM(name, 16, 16,                                                                         \
             XMM_I(op->dst) =                                                                      \
                 (__m128i)fn((type)XMM_I(op->dst), (type) * (const __m128i *)p, (type)XMM_I(0)))
BLEND_V(pblendvb, _mm_blendv_epi8, __m128i)
BLEND_V(blendvps, _mm_blendv_ps, __m128)
BLEND_V(blendvpd, _mm_blendv_pd, __m128d)
#define BLEND_IMM(name, mask_value) SIMD_BINARY_IMM(name, _mm_blendv_epi8(a, b, mask_value))
static inline __m128i sse4_mask_words(unsigned i)
{
    __m128i bits = _mm_set_epi16(128, 64, 32, 16, 8, 4, 2, 1);
    return _mm_cmpeq_epi16(_mm_and_si128(_mm_set1_epi16((short)i), bits), bits);
}
static inline __m128i sse4_mask_dwords(unsigned i)
{
    __m128i bits = _mm_set_epi32(8, 4, 2, 1);
    return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32((int)i), bits), bits);
}
static inline __m128i sse4_mask_qwords(unsigned i)
{
    __m128i bits = _mm_set_epi64x(2, 1);
    return _mm_cmpeq_epi64(_mm_and_si128(_mm_set1_epi64x((int64_t)i), bits), bits);
}
BLEND_IMM(pblendw, sse4_mask_words(i))
BLEND_IMM(blendps, sse4_mask_dwords(i))
BLEND_IMM(blendpd, sse4_mask_qwords(i))

/* Extracts and inserts ------------------------------------------------------------------------ */

/* A lane to a general register (zero-extended) or to memory. */
#define EXTRACT(name, size, lane)                                                                  \
    SIMD_REG(name, SOFT_R64(cpu, op->dst) = lane)                                                  \
    static SoftNext name##_m(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        soft_write_operand(cpu, op, size, lane);                                                   \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
EXTRACT(pextrb, 1, cpu->xmm[op->src].b[op->imm & 15])
EXTRACT(pextrw, 2, cpu->xmm[op->src].w[op->imm & 7])
EXTRACT(pextrd, 4, cpu->xmm[op->src].d[op->imm & 3])
EXTRACT(pextrq, 8, cpu->xmm[op->src].q[op->imm & 1])
SIMD_REG(pinsrb, cpu->xmm[op->dst].b[op->imm & 15] = SOFT_R8(cpu, op->src))
SIMD_MEM(pinsrb, 1, 1, cpu->xmm[op->dst].b[op->imm & 15] = *(const uint8_t *)p)
SIMD_REG(pinsrd, cpu->xmm[op->dst].d[op->imm & 3] = SOFT_R32(cpu, op->src))
SIMD_MEM(pinsrd, 4, 1, cpu->xmm[op->dst].d[op->imm & 3] = *(const uint32_t *)p)
SIMD_REG(pinsrq, cpu->xmm[op->dst].q[op->imm & 1] = SOFT_R64(cpu, op->src))
SIMD_MEM(pinsrq, 8, 1, cpu->xmm[op->dst].q[op->imm & 1] = *(const uint64_t *)p)

/* INSERTPS: lane, place and zero mask. */
static inline void sse4_insert_single(SoftCpu *cpu, const SoftOp *op, uint32_t value)
{
    unsigned i = (uint8_t)op->imm;
    __m128i keep = _mm_xor_si128(sse4_mask_dwords(i & 15), _mm_set1_epi32(-1));
    cpu->xmm[op->dst].d[i >> 4 & 3] = value;
    XMM_I(op->dst) = _mm_and_si128(XMM_I(op->dst), keep);
}
SIMD_REG(insertps, sse4_insert_single(cpu, op, cpu->xmm[op->src].d[op->imm >> 6 & 3]))
SIMD_MEM(insertps, 4, 1, sse4_insert_single(cpu, op, *(const uint32_t *)p))

/* Instructions whose immediate the host needs as a constant ------------------------------------ */

#define CASES_4(m, n) m(n) m((n) + 1) m((n) + 2) m((n) + 3)
#define CASES_16(m, n) CASES_4(m, n) CASES_4(m, (n) + 4) CASES_4(m, (n) + 8) CASES_4(m, (n) + 12)
#define CASES_64(m, n)                                                                             \
    CASES_16(m, n) CASES_16(m, (n) + 16) CASES_16(m, (n) + 32) CASES_16(m, (n) + 48)

/* ROUND: bits 0-3. A function per instruction; floating point, so under the precise regime. */
#define ROUND_CASE(n)                                                                              \
    case n:                                                                                        \
        asm(ROUND_INSN " %2, %1, %0" : "+x"(d) : "x"(s), "i"(n));                                  \
        break;
#define ROUND(name, size, alignment, load)                                                         \
    static inline __m128i name##_fn(__m128i d, __m128i s, unsigned i)                              \
    {                                                                                              \
        switch (i & 15) {                                                                          \
            CASES_16(ROUND_CASE, 0)                                                                \
        }                                                                                          \
        return d;                                                                                  \
    }                                                                                              \
    SIMD_REG(name, SIMD_COMMIT(xmm, name##_fn(XMM_I(op->dst), XMM_I(op->src), (unsigned)op->imm))) \
    SIMD_MEM(name, size, alignment,                                                                \
             SIMD_COMMIT(xmm, name##_fn(XMM_I(op->dst), load, (unsigned)op->imm)))
#define ROUND_INSN "roundps"
ROUND(roundps, 16, 16, *(const __m128i *)p)
#undef ROUND_INSN
#define ROUND_INSN "roundpd"
ROUND(roundpd, 16, 16, *(const __m128i *)p)
#undef ROUND_INSN
#define ROUND_INSN "roundss"
ROUND(roundss, 4, 1, simd_load_4(p))
#undef ROUND_INSN
#define ROUND_INSN "roundsd"
ROUND(roundsd, 8, 1, simd_load_8(p))

#define DPPS_CASE(n)                                                                               \
    case n: asm("dpps %2, %1, %0" : "+x"(d) : "x"(s), "i"(n)); break;
static G_GNUC_NO_INLINE __m128i sse4_dpps(__m128i d, __m128i s, unsigned i)
{
    switch (i & 255) {
        CASES_64(DPPS_CASE, 0)
        CASES_64(DPPS_CASE, 64)
        CASES_64(DPPS_CASE, 128)
        CASES_64(DPPS_CASE, 192)
    }
    return d;
}
#define DPPD_CASE(n)                                                                               \
    case n: asm("dppd %2, %1, %0" : "+x"(d) : "x"(s), "i"(n)); break;
static G_GNUC_NO_INLINE __m128i sse4_dppd(__m128i d, __m128i s, unsigned i)
{
    switch (i & 63) { /* bits 2, 3, 6 and 7 are ignored */
        CASES_64(DPPD_CASE, 0)
    }
    return d;
}
SIMD_REG(dpps, SIMD_COMMIT(ps, sse4_dpps(XMM_I(op->dst), XMM_I(op->src), (unsigned)op->imm)))
SIMD_MEM(dpps, 16, 16,
         SIMD_COMMIT(ps, sse4_dpps(XMM_I(op->dst), *(const __m128i *)p, (unsigned)op->imm)))
SIMD_REG(dppd, SIMD_COMMIT(pd, sse4_dppd(XMM_I(op->dst), XMM_I(op->src), (unsigned)op->imm)))
SIMD_MEM(dppd, 16, 16,
         SIMD_COMMIT(pd, sse4_dppd(XMM_I(op->dst), *(const __m128i *)p, (unsigned)op->imm)))

#define MPSADBW_CASE(n)                                                                            \
    case n: return _mm_mpsadbw_epu8(a, b, n);
static inline __m128i sse4_mpsadbw(__m128i a, __m128i b, unsigned i)
{
    switch (i & 7) {
        CASES_4(MPSADBW_CASE, 0)
        CASES_4(MPSADBW_CASE, 4)
    }
    return a;
}
SIMD_BINARY_IMM(mpsadbw, sse4_mpsadbw(a, b, i))

/* String comparison --------------------------------------------------------------------------- */

/* PCMPESTRI … PCMPISTRM: flags in LAHF and SETO form, index in ECX or mask in XMM0. Bit 7 of the
 * immediate is ignored. The lengths of the explicit forms are RAX and RDX with REX.W, else EAX and
 * EDX. */
#define ISTRI_CASE(n)                                                                              \
    case n:                                                                                        \
        asm("pcmpistri %[i], %[b], %[a]\n\tlahf\n\tseto %%al\n\tmovzwl %%ax, %%eax"                \
            : "=a"(flags), "=c"(index)                                                             \
            : [a] "x"(a), [b] "x"(b), [i] "i"(n)                                                   \
            : "cc");                                                                               \
        break;
#define ISTRM_CASE(n)                                                                              \
    case n:                                                                                        \
        asm("pcmpistrm %[i], %[b], %[a]\n\tlahf\n\tseto %%al\n\tmovzwl %%ax, %%eax"                \
            : "=a"(flags), "=Yz"(mask)                                                             \
            : [a] "x"(a), [b] "x"(b), [i] "i"(n)                                                   \
            : "cc");                                                                               \
        break;
#define ESTRI_CASE(n)                                                                              \
    case n:                                                                                        \
        asm("rex.w pcmpestri %[i], %[b], %[a]\n\tlahf\n\tseto %%al\n\tmovzwl %%ax, %%eax"          \
            : "=a"(flags), "=c"(index)                                                             \
            : "0"(length_a), "d"(length_b), [a] "x"(a), [b] "x"(b), [i] "i"(n)                     \
            : "cc");                                                                               \
        break;
#define ESTRM_CASE(n)                                                                              \
    case n:                                                                                        \
        asm("rex.w pcmpestrm %[i], %[b], %[a]\n\tlahf\n\tseto %%al\n\tmovzwl %%ax, %%eax"          \
            : "=a"(flags), "=Yz"(mask)                                                             \
            : "0"(length_a), "d"(length_b), [a] "x"(a), [b] "x"(b), [i] "i"(n)                     \
            : "cc");                                                                               \
        break;
#define STRING_SWITCH(one_case)                                                                    \
    switch (i & 127) {                                                                             \
        CASES_64(one_case, 0)                                                                      \
        CASES_64(one_case, 64)                                                                     \
    }

static G_GNUC_NO_INLINE void sse4_istri(SoftCpu *cpu, unsigned i, __m128i a, __m128i b)
{
    uint64_t index = 0, flags = 0;
    STRING_SWITCH(ISTRI_CASE)
    cpu->gpr[1] = index;
    cpu->flags = (uint32_t)flags;
}
static G_GNUC_NO_INLINE void sse4_istrm(SoftCpu *cpu, unsigned i, __m128i a, __m128i b)
{
    uint64_t flags = 0;
    __m128i mask = a;
    STRING_SWITCH(ISTRM_CASE)
    XMM_I(0) = mask;
    cpu->flags = (uint32_t)flags;
}
/* @i has bit 8 set for 64-bit lengths. */
static G_GNUC_NO_INLINE void sse4_estri(SoftCpu *cpu, unsigned i, __m128i a, __m128i b)
{
    uint64_t index = 0, flags = 0;
    int64_t length_a = i & 256 ? (int64_t)cpu->gpr[0] : (int32_t)cpu->gpr[0];
    int64_t length_b = i & 256 ? (int64_t)cpu->gpr[2] : (int32_t)cpu->gpr[2];
    STRING_SWITCH(ESTRI_CASE)
    cpu->gpr[1] = index;
    cpu->flags = (uint32_t)flags;
}
static G_GNUC_NO_INLINE void sse4_estrm(SoftCpu *cpu, unsigned i, __m128i a, __m128i b)
{
    uint64_t flags = 0;
    __m128i mask = a;
    int64_t length_a = i & 256 ? (int64_t)cpu->gpr[0] : (int32_t)cpu->gpr[0];
    int64_t length_b = i & 256 ? (int64_t)cpu->gpr[2] : (int32_t)cpu->gpr[2];
    STRING_SWITCH(ESTRM_CASE)
    XMM_I(0) = mask;
    cpu->flags = (uint32_t)flags;
}
#define STRING(name, fn, wide)                                                                     \
    SIMD_REG(name, fn(cpu, (uint8_t)op->imm | (wide), XMM_I(op->dst), XMM_I(op->src)))             \
    SIMD_MEM(                                                                                      \
        name, 16, 1,                                                                               \
        fn(cpu, (uint8_t)op->imm | (wide), XMM_I(op->dst), _mm_loadu_si128((const __m128i_u *)p)))
STRING(pcmpistri, sse4_istri, 0)
STRING(pcmpistrm, sse4_istrm, 0)
STRING(pcmpestri, sse4_estri, 0)
STRING(pcmpestrm, sse4_estrm, 0)
STRING(pcmpestri_wide, sse4_estri, 256)
STRING(pcmpestrm_wide, sse4_estrm, 256)

/* Tables -------------------------------------------------------------------------------------- */

#define B(name)                                                                                    \
    {                                                                                              \
        ROW_MMX(name##_mmx), V(name)                                                               \
    }
#define S(name)                                                                                    \
    {                                                                                              \
        [SIMD_66] = V(name)                                                                        \
    }
#define SI(name)                                                                                   \
    {                                                                                              \
        [SIMD_66] = VI(name)                                                                       \
    }
#define EXTRACT_ROW(name)                                                                          \
    {                                                                                              \
        name##_r, { name##_m, name##_m, name##_m }, SIMD_V, SIMD_G, SIMD_STORES | SIMD_IMM8        \
    }
static const SimdTable sse4_table_38 = {
    [0x00] = B(pshufb),    [0x01] = B(phaddw),
    [0x02] = B(phaddd),    [0x03] = B(phaddsw),
    [0x04] = B(pmaddubsw), [0x05] = B(phsubw),
    [0x06] = B(phsubd),    [0x07] = B(phsubsw),
    [0x08] = B(psignb),    [0x09] = B(psignw),
    [0x0A] = B(psignd),    [0x0B] = B(pmulhrsw),
    [0x10] = S(pblendvb),  [0x14] = S(blendvps),
    [0x15] = S(blendvpd),  [0x17] = S(ptest),
    [0x1C] = B(pabsb),     [0x1D] = B(pabsw),
    [0x1E] = B(pabsd),     [0x20] = S(pmovsxbw),
    [0x21] = S(pmovsxbd),  [0x22] = S(pmovsxbq),
    [0x23] = S(pmovsxwd),  [0x24] = S(pmovsxwq),
    [0x25] = S(pmovsxdq),  [0x28] = S(pmuldq),
    [0x29] = S(pcmpeqq),   [0x2A] = { [SIMD_66] = ROW_M(movntdqa, V, 0) },
    [0x2B] = S(packusdw),  [0x30] = S(pmovzxbw),
    [0x31] = S(pmovzxbd),  [0x32] = S(pmovzxbq),
    [0x33] = S(pmovzxwd),  [0x34] = S(pmovzxwq),
    [0x35] = S(pmovzxdq),  [0x37] = S(pcmpgtq),
    [0x38] = S(pminsb),    [0x39] = S(pminsd),
    [0x3A] = S(pminuw),    [0x3B] = S(pminud),
    [0x3C] = S(pmaxsb),    [0x3D] = S(pmaxsd),
    [0x3E] = S(pmaxuw),    [0x3F] = S(pmaxud),
    [0x40] = S(pmulld),    [0x41] = S(phminposuw),
};
static const SimdTable sse4_table_3a = {
    [0x08] = SI(roundps),
    [0x09] = SI(roundpd),
    [0x0A] = SI(roundss),
    [0x0B] = SI(roundsd),
    [0x0C] = SI(blendps),
    [0x0D] = SI(blendpd),
    [0x0E] = SI(pblendw),
    [0x0F] = { { palignr_mmx_r,
                 { palignr_mmx_m, palignr_mmx_m, palignr_mmx_m },
                 SIMD_M,
                 SIMD_M,
                 SIMD_IMM8 },
               VI(palignr) },
    [0x14] = { [SIMD_66] = EXTRACT_ROW(pextrb) },
    [0x15] = { [SIMD_66] = EXTRACT_ROW(pextrw) },
    [0x16] = { [SIMD_66] = EXTRACT_ROW(pextrd) },
    [0x17] = { [SIMD_66] = EXTRACT_ROW(pextrd) }, /* EXTRACTPS */
    [0x20] = { [SIMD_66] = ROW(pinsrb, V, G, SIMD_IMM8) },
    [0x21] = SI(insertps),
    [0x22] = { [SIMD_66] = ROW(pinsrd, V, G, SIMD_IMM8) },
    [0x40] = SI(dpps),
    [0x41] = SI(dppd),
    [0x42] = SI(mpsadbw),
    [0x60] = SI(pcmpestrm),
    [0x61] = SI(pcmpestri),
    [0x62] = SI(pcmpistrm),
    [0x63] = SI(pcmpistri),
};

static const SimdRow *sse4_wide_row(unsigned opcode)
{
    static const SimdRow extract = EXTRACT_ROW(pextrq), insert = ROW(pinsrq, V, G, SIMD_IMM8);
    static const SimdRow mask = VI(pcmpestrm_wide), index = VI(pcmpestri_wide);
    switch (opcode) {
    case 0x16: return &extract;
    case 0x22: return &insert;
    case 0x60: return &mask;
    case 0x61: return &index;
    default: return NULL;
    }
}

const SimdRow *sse4_row(const SoftDecode *d, unsigned prefix)
{
    const SimdRow *wide = NULL;
    if (d->map == 2)
        return simd_row(sse4_table_38, d, prefix);
    if (d->map != 3)
        return NULL;
    if (d->rex & 8 && prefix == SIMD_66)
        wide = sse4_wide_row(d->opcode);
    return wide ? wide : simd_row(sse4_table_3a, d, prefix);
}
