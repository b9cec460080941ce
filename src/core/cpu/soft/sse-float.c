/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* SSE, SSE2 and SSE3 floating point. The instructions are written as assembly where an operand may
 * be a NaN: the compiler would feel free to exchange the operands of an addition, and with them the
 * payload of the result. */

/* Operand types as the assembler sees them in memory. */
typedef struct {
    char bytes[4];
} Memory4;
typedef struct {
    char bytes[8];
} Memory8;
typedef __m128i Memory16;

/* d = d OP s; @kind is the format of the result (SIMD_COMMIT). */
#define FLOAT_BINARY(name, kind, size, alignment)                                                  \
    SIMD_REG(name, {                                                                               \
        __m128i d = XMM_I(op->dst);                                                                \
        asm(#name " %1, %0" : "+x"(d) : "x"(XMM_I(op->src)));                                      \
        SIMD_COMMIT(kind, d);                                                                      \
    })                                                                                             \
    SIMD_MEM(name, size, alignment, {                                                              \
        __m128i d = XMM_I(op->dst);                                                                \
        asm(#name " %1, %0" : "+x"(d) : "m"(*(const Memory##size *)p));                            \
        SIMD_COMMIT(kind, d);                                                                      \
    })
/* d = OP s, the whole register written. */
#define FLOAT_UNARY(name, kind, size, alignment)                                                   \
    SIMD_REG(name, {                                                                               \
        __m128i d;                                                                                 \
        asm(#name " %1, %0" : "=x"(d) : "x"(XMM_I(op->src)));                                      \
        SIMD_COMMIT(kind, d);                                                                      \
    })                                                                                             \
    SIMD_MEM(name, size, alignment, {                                                              \
        __m128i d;                                                                                 \
        asm(#name " %1, %0" : "=x"(d) : "m"(*(const Memory##size *)p));                            \
        SIMD_COMMIT(kind, d);                                                                      \
    })

#define FLOAT_FOUR(name)                                                                           \
    FLOAT_BINARY(name##ps, ps, 16, 16)                                                             \
    FLOAT_BINARY(name##pd, pd, 16, 16)                                                             \
    FLOAT_BINARY(name##ss, ss, 4, 1)                                                               \
    FLOAT_BINARY(name##sd, sd, 8, 1)
FLOAT_FOUR(add)
FLOAT_FOUR(sub)
FLOAT_FOUR(mul)
FLOAT_FOUR(div)
/* MIN and MAX forward an operand: a denormal one is no underflow. */
#define FLOAT_FORWARD(name)                                                                        \
    FLOAT_BINARY(name##ps, xmm, 16, 16)                                                            \
    FLOAT_BINARY(name##pd, xmm, 16, 16)                                                            \
    FLOAT_BINARY(name##ss, xmm, 4, 1)                                                              \
    FLOAT_BINARY(name##sd, xmm, 8, 1)
FLOAT_FORWARD(min)
FLOAT_FORWARD(max)
FLOAT_UNARY(sqrtps, xmm, 16, 16)
FLOAT_UNARY(sqrtpd, xmm, 16, 16)
FLOAT_BINARY(sqrtss, xmm, 4, 1)
FLOAT_BINARY(sqrtsd, xmm, 8, 1)
FLOAT_UNARY(rsqrtps, xmm, 16, 16)
FLOAT_BINARY(rsqrtss, xmm, 4, 1)
FLOAT_UNARY(rcpps, xmm, 16, 16)
FLOAT_BINARY(rcpss, xmm, 4, 1)
FLOAT_BINARY(haddps, ps, 16, 16)
FLOAT_BINARY(haddpd, pd, 16, 16)
FLOAT_BINARY(hsubps, ps, 16, 16)
FLOAT_BINARY(hsubpd, pd, 16, 16)
FLOAT_BINARY(addsubps, ps, 16, 16)
FLOAT_BINARY(addsubpd, pd, 16, 16)

/* Bitwise ------------------------------------------------------------------------------------- */

SIMD_BINARY(andps, _mm_and_si128(a, b))
SIMD_BINARY(andnps, _mm_andnot_si128(a, b))
SIMD_BINARY(orps, _mm_or_si128(a, b))
SIMD_BINARY(xorps, _mm_xor_si128(a, b))
SIMD_BINARY(unpcklps, _mm_unpacklo_epi32(a, b))
SIMD_BINARY(unpckhps, _mm_unpackhi_epi32(a, b))
SIMD_BINARY(unpcklpd, _mm_unpacklo_epi64(a, b))
SIMD_BINARY(unpckhpd, _mm_unpackhi_epi64(a, b))

/* Conversions between XMM registers ----------------------------------------------------------- */

FLOAT_UNARY(cvtps2pd, xmm, 8, 1)
FLOAT_UNARY(cvtpd2ps, ps, 16, 16)
FLOAT_BINARY(cvtss2sd, xmm, 4, 1)
FLOAT_BINARY(cvtsd2ss, ss, 8, 1)
FLOAT_UNARY(cvtdq2ps, xmm, 16, 16)
FLOAT_UNARY(cvtdq2pd, xmm, 8, 1)
FLOAT_UNARY(cvtps2dq, xmm, 16, 16)
FLOAT_UNARY(cvttps2dq, xmm, 16, 16)
FLOAT_UNARY(cvtpd2dq, xmm, 16, 16)
FLOAT_UNARY(cvttpd2dq, xmm, 16, 16)

/* From and to general registers --------------------------------------------------------------- */

#define FROM_GPR(name, insn, size, type)                                                           \
    SIMD_REG(name, {                                                                               \
        __m128i d = XMM_I(op->dst);                                                                \
        asm(insn " %1, %0" : "+x"(d) : "r"(*(const type *)soft_slot(cpu, op->src)));               \
        SIMD_COMMIT(xmm, d);                                                                       \
    })                                                                                             \
    SIMD_MEM(name, size, 1, {                                                                      \
        __m128i d = XMM_I(op->dst);                                                                \
        asm(insn " %1, %0" : "+x"(d) : "m"(*(const type *)p));                                     \
        SIMD_COMMIT(xmm, d);                                                                       \
    })
FROM_GPR(cvtsi2ss, "cvtsi2ssl", 4, uint32_t)
FROM_GPR(cvtsi2ss_wide, "cvtsi2ssq", 8, uint64_t)
FROM_GPR(cvtsi2sd, "cvtsi2sdl", 4, uint32_t)
FROM_GPR(cvtsi2sd_wide, "cvtsi2sdq", 8, uint64_t)

#define COMMIT_GPR(value)                                                                          \
    do {                                                                                           \
        if (G_UNLIKELY(cpu->sse_precise))                                                          \
            return soft_fp_commit_gpr(cpu, op, value);                                             \
        SOFT_R64(cpu, op->dst) = (value);                                                          \
    } while (0)
#define TO_GPR(name, insn, size, type)                                                             \
    SIMD_REG(name, {                                                                               \
        type value;                                                                                \
        asm(insn " %1, %0" : "=r"(value) : "x"(XMM_I(op->src)));                                   \
        COMMIT_GPR(value);                                                                         \
    })                                                                                             \
    SIMD_MEM(name, size, 1, {                                                                      \
        type value;                                                                                \
        asm(insn " %1, %0" : "=r"(value) : "m"(*(const Memory##size *)p));                         \
        COMMIT_GPR(value);                                                                         \
    })
TO_GPR(cvtss2si, "cvtss2si", 4, uint32_t)
TO_GPR(cvtss2si_wide, "cvtss2si", 4, uint64_t)
TO_GPR(cvttss2si, "cvttss2si", 4, uint32_t)
TO_GPR(cvttss2si_wide, "cvttss2si", 4, uint64_t)
TO_GPR(cvtsd2si, "cvtsd2si", 8, uint32_t)
TO_GPR(cvtsd2si_wide, "cvtsd2si", 8, uint64_t)
TO_GPR(cvttsd2si, "cvttsd2si", 8, uint32_t)
TO_GPR(cvttsd2si_wide, "cvttsd2si", 8, uint64_t)

/* MMX forms: the packed conversion of the same two numbers in an XMM register whose other half is
 * zero, which raises nothing. */
#define FROM_MMX(name, insn, load, merge)                                                          \
    static SoftNext name##_r(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        mmx_enter(cpu);                                                                            \
        __m128i d, s = _mm_cvtsi64_si128((int64_t)mmx_read(cpu, op->src));                         \
        asm(insn " %1, %0" : "=x"(d) : "x"(s));                                                    \
        SIMD_COMMIT(xmm, merge);                                                                   \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    SIMD_MEM(name, 8, 1, {                                                                         \
        __m128i d, s = simd_load_8(p);                                                             \
        asm(insn " %1, %0" : "=x"(d) : "x"(s));                                                    \
        SIMD_COMMIT(xmm, merge);                                                                   \
    })
FROM_MMX(cvtpi2ps, "cvtdq2ps", 8,
         _mm_castpd_si128(_mm_move_sd(XMM_PD(op->dst), _mm_castsi128_pd(d))))
FROM_MMX(cvtpi2pd, "cvtdq2pd", 8, d)

#define COMMIT_MMX(value)                                                                          \
    do {                                                                                           \
        mmx_enter(cpu);                                                                            \
        if (G_UNLIKELY(cpu->sse_precise))                                                          \
            return soft_fp_commit_mmx(cpu, op, value);                                             \
        mmx_write(cpu, op->dst, (uint64_t)_mm_cvtsi128_si64(value));                               \
    } while (0)
#define TO_MMX(name, insn, size, alignment, load)                                                  \
    static SoftNext name##_r(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        const void *p = &cpu->xmm[op->src];                                                        \
        __m128i d;                                                                                 \
        asm(insn " %1, %0" : "=x"(d) : "x"(load));                                                 \
        COMMIT_MMX(d);                                                                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    static SoftNext name##_m(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        SOFT_AT(cpu, op);                                                                          \
        const void *p = soft_fp_fetch(cpu, size, alignment);                                       \
        __m128i d;                                                                                 \
        asm(insn " %1, %0" : "=x"(d) : "x"(load));                                                 \
        COMMIT_MMX(d);                                                                             \
        SOFT_NEXT(cpu, op);                                                                        \
    }
TO_MMX(cvtps2pi, "cvtps2dq", 8, 1, simd_load_8(p))
TO_MMX(cvttps2pi, "cvttps2dq", 8, 1, simd_load_8(p))
TO_MMX(cvtpd2pi, "cvtpd2dq", 16, 16, *(const __m128i *)p)
TO_MMX(cvttpd2pi, "cvttpd2dq", 16, 16, *(const __m128i *)p)

/* Compare ------------------------------------------------------------------------------------- */

#define COMMIT_FLAGS(value)                                                                        \
    do {                                                                                           \
        if (G_UNLIKELY(cpu->sse_precise))                                                          \
            return soft_fp_commit_flags(cpu, op, (value)&0xFF00);                                  \
        cpu->flags = (value)&0xFF00;                                                               \
    } while (0)
#define COMPARE_FLAGS(name, size)                                                                  \
    SIMD_REG(name, {                                                                               \
        uint32_t flags;                                                                            \
        asm(#name " %1, %2\n\tlahf" : "=a"(flags) : "x"(XMM_I(op->src)), "x"(XMM_I(op->dst)));     \
        COMMIT_FLAGS(flags);                                                                       \
    })                                                                                             \
    SIMD_MEM(name, size, 1, {                                                                      \
        uint32_t flags;                                                                            \
        asm(#name " %1, %2\n\tlahf"                                                                \
            : "=a"(flags)                                                                          \
            : "m"(*(const Memory##size *)p), "x"(XMM_I(op->dst)));                                 \
        COMMIT_FLAGS(flags);                                                                       \
    })
COMPARE_FLAGS(comiss, 4)
COMPARE_FLAGS(comisd, 8)
COMPARE_FLAGS(ucomiss, 4)
COMPARE_FLAGS(ucomisd, 8)

/* CMPcc: bits 0-2 of the immediate are the predicate. */
#define COMPARE_CASE(insn, n)                                                                      \
    case n:                                                                                        \
        asm(insn " $" #n ", %1, %0" : "+x"(d) : COMPARE_SOURCE);                                   \
        break;
#define COMPARE_CASES(insn)                                                                        \
    switch (op->imm & 7) {                                                                         \
        COMPARE_CASE(insn, 0)                                                                      \
        COMPARE_CASE(insn, 1)                                                                      \
        COMPARE_CASE(insn, 2)                                                                      \
        COMPARE_CASE(insn, 3)                                                                      \
        COMPARE_CASE(insn, 4)                                                                      \
        COMPARE_CASE(insn, 5)                                                                      \
        COMPARE_CASE(insn, 6)                                                                      \
        COMPARE_CASE(insn, 7)                                                                      \
    }
#define COMPARE_SOURCE "x"(s)
#define COMPARE_MASK(name, size, alignment, load)                                                  \
    SIMD_REG(name, {                                                                               \
        __m128i d = XMM_I(op->dst);                                                                \
        __m128i s = XMM_I(op->src);                                                                \
        COMPARE_CASES(#name);                                                                      \
        SIMD_COMMIT(xmm, d);                                                                       \
    })                                                                                             \
    SIMD_MEM(name, size, alignment, {                                                              \
        __m128i d = XMM_I(op->dst);                                                                \
        __m128i s = load;                                                                          \
        COMPARE_CASES(#name);                                                                      \
        SIMD_COMMIT(xmm, d);                                                                       \
    })
COMPARE_MASK(cmpps, 16, 16, *(const __m128i *)p)
COMPARE_MASK(cmppd, 16, 16, *(const __m128i *)p)
COMPARE_MASK(cmpss, 4, 1, simd_load_4(p))
COMPARE_MASK(cmpsd, 8, 1, simd_load_8(p))

/* Shuffle ------------------------------------------------------------------------------------- */

SIMD_BINARY_SHUFFLE(shufps,
                    _mm_blend_epi16(_mm_shuffle_epi8(a, mask), _mm_shuffle_epi8(b, mask), 0xF0))
SIMD_BINARY_IMM(shufpd, _mm_unpacklo_epi64(i & 1 ? _mm_unpackhi_epi64(a, a) : a,
                                           i & 2 ? _mm_unpackhi_epi64(b, b) : b))

/* Tables -------------------------------------------------------------------------------------- */

#define FOUR(name)                                                                                 \
    {                                                                                              \
        V(name##ps), V(name##pd), V(name##ss), V(name##sd)                                         \
    }
#define MMX_TARGET(name)                                                                           \
    {                                                                                              \
        .reg = name##_r, .mem = { name##_m, name##_m, name##_m }, .reg_kind = SIMD_M,              \
        .rm_kind = SIMD_V                                                                          \
    }
static const SimdTable float_table = {
    [0x14] = { V(unpcklps), V(unpcklpd) },
    [0x15] = { V(unpckhps), V(unpckhpd) },
    [0x2A] = { ROW(cvtpi2ps, V, M, 0), ROW(cvtpi2pd, V, M, 0), ROW(cvtsi2ss, V, G, 0),
               ROW(cvtsi2sd, V, G, 0) },
    [0x2C] = { MMX_TARGET(cvttps2pi), MMX_TARGET(cvttpd2pi), ROW(cvttss2si, G, V, 0),
               ROW(cvttsd2si, G, V, 0) },
    [0x2D] = { MMX_TARGET(cvtps2pi), MMX_TARGET(cvtpd2pi), ROW(cvtss2si, G, V, 0),
               ROW(cvtsd2si, G, V, 0) },
    [0x2E] = { V(ucomiss), V(ucomisd) },
    [0x2F] = { V(comiss), V(comisd) },
    [0x51] = FOUR(sqrt),
    [0x52] = { [SIMD_NONE] = V(rsqrtps), [SIMD_F3] = V(rsqrtss) },
    [0x53] = { [SIMD_NONE] = V(rcpps), [SIMD_F3] = V(rcpss) },
    [0x54] = { V(andps), V(andps) },
    [0x55] = { V(andnps), V(andnps) },
    [0x56] = { V(orps), V(orps) },
    [0x57] = { V(xorps), V(xorps) },
    [0x58] = FOUR(add),
    [0x59] = FOUR(mul),
    [0x5A] = { V(cvtps2pd), V(cvtpd2ps), V(cvtss2sd), V(cvtsd2ss) },
    [0x5B] = { V(cvtdq2ps), V(cvtps2dq), V(cvttps2dq) },
    [0x5C] = FOUR(sub),
    [0x5D] = FOUR(min),
    [0x5E] = FOUR(div),
    [0x5F] = FOUR(max),
    [0x7C] = { [SIMD_66] = V(haddpd), [SIMD_F2] = V(haddps) },
    [0x7D] = { [SIMD_66] = V(hsubpd), [SIMD_F2] = V(hsubps) },
    [0xC2] = { VI(cmpps), VI(cmppd), VI(cmpss), VI(cmpsd) },
    [0xC6] = { ROW(shufps, V, V, SIMD_SHUFFLE_DWORDS), VI(shufpd) },
    [0xD0] = { [SIMD_66] = V(addsubpd), [SIMD_F2] = V(addsubps) },
    [0xE6] = { [SIMD_66] = V(cvttpd2dq), [SIMD_F3] = V(cvtdq2pd), [SIMD_F2] = V(cvtpd2dq) },
};

/* With REX.W: 64-bit integers. [opcode - 2A][F3, F2] */
static const SimdRow float_wide[4][2] = {
    { ROW(cvtsi2ss_wide, V, G, 0), ROW(cvtsi2sd_wide, V, G, 0) },
    { { NULL } },
    { ROW(cvttss2si_wide, G, V, 0), ROW(cvttsd2si_wide, G, V, 0) },
    { ROW(cvtss2si_wide, G, V, 0), ROW(cvtsd2si_wide, G, V, 0) },
};

const SimdRow *sse_float_row(const SoftDecode *d, unsigned prefix)
{
    if (d->map != 1)
        return NULL;
    if (d->rex & 8 && d->opcode >= 0x2A && d->opcode <= 0x2D && d->opcode != 0x2B &&
        prefix >= SIMD_F3)
        return &float_wide[d->opcode - 0x2A][prefix - SIMD_F3];
    return simd_row(float_table, d, prefix);
}
