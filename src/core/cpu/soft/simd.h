/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* How the SIMD instruction files are written: each operation is one line of a macro below, which
 * makes the handlers for a register source and for a memory source in the three address forms
 * (NAME_r, NAME_mb, NAME_mbi, NAME_mg) and a twin for what the TLB cannot answer at once
 * (NAME_slow). The tables at the end of each file map opcodes to them. */

#include "core/cpu/soft/decode.h"
#include "core/cpu/soft/fp.h"
#include <immintrin.h>

#define XMM_I(n) (*(__m128i *)&cpu->xmm[n])
#define XMM_PS(n) (*(__m128 *)&cpu->xmm[n])
#define XMM_PD(n) (*(__m128d *)&cpu->xmm[n])

/* Handlers with a memory source. The statements use p, the host address of the operand. */
#define SIMD_MEM_FORM(name, suffix, kind, size, alignment, ...)                                    \
    static SoftNext name##_##suffix(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        const void *p = soft_ptr(cpu, op, kind, size, false);                                      \
        if (G_UNLIKELY(!p || ((uintptr_t)p & ((alignment)-1))))                                    \
            return name##_slow(cpu, op);                                                           \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define SIMD_MEM(name, size, alignment, ...)                                                       \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        const void *p = soft_fp_fetch(cpu, size, alignment);                                       \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    SIMD_MEM_FORM(name, mb, SOFT_EA_B, size, alignment, __VA_ARGS__)                               \
    SIMD_MEM_FORM(name, mbi, SOFT_EA_BI, size, alignment, __VA_ARGS__)                             \
    SIMD_MEM_FORM(name, mg, SOFT_EA_G, size, alignment, __VA_ARGS__)
/* A handler with registers only. */
#define SIMD_REG(name, ...)                                                                        \
    static SoftNext name##_r(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
/* Handlers that store @size bytes of cpu->xmm[src] from byte @from. */
#define SIMD_STORE_FORM(name, suffix, kind, size, alignment, statement)                            \
    static SoftNext name##_##suffix(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        void *p = soft_ptr(cpu, op, kind, size, true);                                             \
        if (G_UNLIKELY(!p || ((uintptr_t)p & ((alignment)-1))))                                    \
            return name##_slow(cpu, op);                                                           \
        statement;                                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define SIMD_STORE(name, size, alignment, from, statement)                                         \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        soft_store_bytes(cpu, op->seg, soft_fp_check_operand(cpu, size, alignment, true),          \
                         cpu->xmm[op->src].b + (from), size);                                      \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    SIMD_STORE_FORM(name, mb, SOFT_EA_B, size, alignment, statement)                               \
    SIMD_STORE_FORM(name, mbi, SOFT_EA_BI, size, alignment, statement)                             \
    SIMD_STORE_FORM(name, mg, SOFT_EA_G, size, alignment, statement)

/* An integer operation on whole registers: an expression of a (destination) and b (source). */
typedef __m128i SimdFn(__m128i a, __m128i b);
#define SIMD_BINARY(name, expression)                                                              \
    static inline __m128i name##_fn(__m128i a, __m128i b)                                          \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    SIMD_REG(name, XMM_I(op->dst) = name##_fn(XMM_I(op->dst), XMM_I(op->src)))                     \
    SIMD_MEM(name, 16, 16, XMM_I(op->dst) = name##_fn(XMM_I(op->dst), *(const __m128i *)p))
/* The same with an 8-bit immediate: i. */
#define SIMD_BINARY_IMM(name, expression)                                                          \
    static inline __m128i name##_fn(__m128i a, __m128i b, unsigned i)                              \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    SIMD_REG(name, XMM_I(op->dst) = name##_fn(XMM_I(op->dst), XMM_I(op->src), (uint8_t)op->imm))   \
    SIMD_MEM(name, 16, 16,                                                                         \
             XMM_I(op->dst) = name##_fn(XMM_I(op->dst), *(const __m128i *)p, (uint8_t)op->imm))
/* An operation on the source alone, whose memory form reads @size bytes with any alignment below
 * 16. */
#define SIMD_WIDEN(name, size, expression)                                                         \
    static inline __m128i name##_fn(__m128i b)                                                     \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    SIMD_REG(name, XMM_I(op->dst) = name##_fn(XMM_I(op->src)))                                     \
    SIMD_MEM(name, size, 1, XMM_I(op->dst) = name##_fn(simd_load_##size(p)))

static inline __m128i simd_load_2(const void *p)
{
    return _mm_cvtsi32_si128(*(const uint16_t *)p);
}
static inline __m128i simd_load_4(const void *p)
{
    return _mm_cvtsi32_si128(*(const int32_t *)p);
}
static inline __m128i simd_load_8(const void *p)
{
    return _mm_loadl_epi64((const __m128i_u *)p);
}

/* PSHUFD and SHUFPS: the decoder makes op->pointer the PSHUFB mask of the immediate. */
#define SIMD_BINARY_SHUFFLE(name, expression)                                                      \
    static inline __m128i name##_fn(__m128i a, __m128i b, __m128i mask)                            \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    SIMD_REG(name, XMM_I(op->dst) =                                                                \
                       name##_fn(XMM_I(op->dst), XMM_I(op->src), *(const __m128i *)op->pointer))   \
    SIMD_MEM(name, 16, 16,                                                                         \
             XMM_I(op->dst) =                                                                      \
                 name##_fn(XMM_I(op->dst), *(const __m128i *)p, *(const __m128i *)op->pointer))

/* A window of 16 of these bytes, from @n, moves the bytes of a PSHUFB down by n; from 16 - n of the
 * other moves them up. */
static const uint8_t simd_window[48] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
};
static inline __m128i simd_bytes_down(__m128i a, unsigned n)
{
    return _mm_shuffle_epi8(a, _mm_loadu_si128((const __m128i_u *)(simd_window + 16 + MIN(n, 16))));
}
static inline __m128i simd_bytes_up(__m128i a, unsigned n)
{
    return _mm_shuffle_epi8(a, _mm_loadu_si128((const __m128i_u *)(simd_window + 16 - MIN(n, 16))));
}

/* Results of arithmetic when the guest has unmasked an SSE exception: raises it, or stores and goes
 * on. The suffix is the format of the result, for underflow. */
SoftNext soft_fp_commit_ps(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_ss(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_pd(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_sd(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_xmm(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_gpr(SoftCpu *cpu, SoftOp *op, uint64_t value);
SoftNext soft_fp_commit_mmx(SoftCpu *cpu, SoftOp *op, __m128i value);
SoftNext soft_fp_commit_flags(SoftCpu *cpu, SoftOp *op, uint32_t flags);
#define SIMD_COMMIT(kind, value)                                                                   \
    do {                                                                                           \
        if (G_UNLIKELY(cpu->sse_precise))                                                          \
            return soft_fp_commit_##kind(cpu, op, (__m128i)(value));                               \
        XMM_I(op->dst) = (__m128i)(value);                                                         \
    } while (0)

/* MMX: register n is the significand of physical x87 register n. Every MMX instruction but EMMS
 * makes all tags valid and TOP 0; a write sets the exponent and sign to ones. */
static inline void mmx_enter(SoftCpu *cpu)
{
    cpu->fpu.top = 0;
    cpu->fpu.tag = 0xFF;
}
static inline uint64_t mmx_read(const SoftCpu *cpu, unsigned n)
{
    return *(const uint64_t *)&cpu->fpu.fpr[n];
}
static inline void mmx_write(SoftCpu *cpu, unsigned n, uint64_t value)
{
    uint16_t *words = (uint16_t *)&cpu->fpu.fpr[n];
    *(uint64_t *)words = value;
    words[4] = 0xFFFF;
}

/* Decoding ------------------------------------------------------------------------------------ */

/* What the reg and rm fields of ModRM name. */
typedef enum { SIMD_V, SIMD_G, SIMD_M } SimdKind;
enum {
    SIMD_STORES = 1, /* rm is the destination */
    SIMD_IMM8 = 2,
    SIMD_SHUFFLE_DWORDS = 4, /* the immediate becomes a PSHUFB mask: op->pointer */
    SIMD_SHUFFLE_WORDS = 8,  /* … of four words: op->imm */
};
typedef struct {
    SoftHandler *reg, *mem[SOFT_N_EA]; /* NULL: #UD */
    uint8_t reg_kind, rm_kind, flags;
    void *pointer; /* for the record, if not NULL */
} SimdRow;
/* Columns of a table: mandatory prefix. */
enum { SIMD_NONE, SIMD_66, SIMD_F3, SIMD_F2, SIMD_N_PREFIX };
typedef SimdRow SimdTable[256][SIMD_N_PREFIX];

#define SIMD_MEMS(name)                                                                            \
    {                                                                                              \
        name##_mb, name##_mbi, name##_mg                                                           \
    }
#define ROW(name, r, rm, f)                                                                        \
    {                                                                                              \
        .reg = name##_r, .mem = SIMD_MEMS(name), .reg_kind = SIMD_##r, .rm_kind = SIMD_##rm,       \
        .flags = f                                                                                 \
    }
#define ROW_R(name, r, rm, f)                                                                      \
    {                                                                                              \
        .reg = name##_r, .reg_kind = SIMD_##r, .rm_kind = SIMD_##rm, .flags = f                    \
    }
#define ROW_M(name, r, f)                                                                          \
    {                                                                                              \
        .mem = SIMD_MEMS(name), .reg_kind = SIMD_##r, .rm_kind = SIMD_##r, .flags = f              \
    }
#define V(name) ROW(name, V, V, 0)
#define VI(name) ROW(name, V, V, SIMD_IMM8)

/* An MMX operation by the low half of the 128-bit one, @name being a SimdFn. */
SoftHandler soft_mmx_r, soft_mmx_m, soft_mmx_m32;
#define ROW_MMX(fn)                                                                                \
    {                                                                                              \
        .reg = soft_mmx_r, .mem = { soft_mmx_m, soft_mmx_m, soft_mmx_m }, .reg_kind = SIMD_M,      \
        .rm_kind = SIMD_M, .pointer = fn                                                           \
    }

/* The row of the instruction, or NULL. */
const SimdRow *sse_move_row(const SoftDecode *d, unsigned prefix);
const SimdRow *sse_float_row(const SoftDecode *d, unsigned prefix);
const SimdRow *sse_int_row(const SoftDecode *d, unsigned prefix);
const SimdRow *sse4_row(const SoftDecode *d, unsigned prefix);
const SimdRow *crypto_row(const SoftDecode *d, unsigned prefix);
static inline const SimdRow *simd_row(const SimdTable table, const SoftDecode *d, unsigned prefix)
{
    const SimdRow *row = &table[d->opcode][prefix];
    return row->reg || row->mem[0] ? row : NULL;
}
/* xsave.c: 0F AE and EMMS, decoded by hand. */
bool xsave_decode(SoftDecode *d);
/* Handlers for when CR0 and CR4 do not let the instruction run: #NM or #UD. */
SoftHandler soft_op_no_sse, soft_op_no_mmx;
