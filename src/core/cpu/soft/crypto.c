/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* AES-NI and PCLMULQDQ. */

SIMD_BINARY(aesimc, _mm_aesimc_si128(b))
SIMD_BINARY(aesenc, _mm_aesenc_si128(a, b))
SIMD_BINARY(aesenclast, _mm_aesenclast_si128(a, b))
SIMD_BINARY(aesdec, _mm_aesdec_si128(a, b))
SIMD_BINARY(aesdeclast, _mm_aesdeclast_si128(a, b))

/* With round constant 0 the host gives the substituted and rotated words; the constant is XORed to
 * the rotated ones (lanes 1 and 3). */
SIMD_BINARY_IMM(aeskeygenassist,
                _mm_xor_si128(_mm_aeskeygenassist_si128(b, 0), _mm_set_epi32((int)i, 0, (int)i, 0)))

static inline __m128i crypto_clmul(__m128i a, __m128i b, unsigned i)
{
    return _mm_clmulepi64_si128(i & 1 ? _mm_unpackhi_epi64(a, a) : a,
                                i & 16 ? _mm_unpackhi_epi64(b, b) : b, 0);
}
SIMD_BINARY_IMM(pclmulqdq, crypto_clmul(a, b, i))

const SimdRow *crypto_row(const SoftDecode *d, unsigned prefix)
{
    static const SimdRow rounds[5] = { V(aesimc), V(aesenc), V(aesenclast), V(aesdec),
                                       V(aesdeclast) };
    static const SimdRow key = VI(aeskeygenassist), multiply = VI(pclmulqdq);
    if (prefix != SIMD_66)
        return NULL;
    if (d->map == 2 && d->opcode >= 0xDB && d->opcode <= 0xDF)
        return &rounds[d->opcode - 0xDB];
    if (d->map == 3 && d->opcode == 0x44)
        return &multiply;
    return d->map == 3 && d->opcode == 0xDF ? &key : NULL;
}
