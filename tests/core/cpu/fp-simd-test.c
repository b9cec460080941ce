/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fp-native.h"
#include <string.h>

/* MMX and SSE instructions against the processor. */

typedef enum { X, M, G, NONE } Kind; /* what reg and rm name: XMM, MMX, general register */
typedef struct {
    const char *name;
    uint8_t prefix, map, opcode;
    Kind reg, rm;
    uint8_t forms;  /* FORM_* */
    uint8_t extend; /* fixed ModRM.reg + 1 for groups */
} Template;
enum {
    REG = 1,
    MEM = 2,
    IMM = 4,
    WIDE = 8,       /* with REX.W too */
    UNALIGNED = 16, /* any address */
};
#define RM (REG | MEM)
#define SCALAR (REG | MEM | UNALIGNED)

#define PS_PD_SS_SD(name, op)                                                                      \
    { name "ps", 0, 1, op, X, X, RM }, { name "pd", 0x66, 1, op, X, X, RM },                       \
        { name "ss", 0xF3, 1, op, X, X, SCALAR },                                                  \
    {                                                                                              \
        name "sd", 0xF2, 1, op, X, X, SCALAR                                                       \
    }
#define BOTH(name, map, op)                                                                        \
    { name " mm", 0, map, op, M, M, SCALAR },                                                      \
    {                                                                                              \
        name " xmm", 0x66, map, op, X, X, RM                                                       \
    }
#define SHIFT(name, op, group)                                                                     \
    { name " mm, imm", 0, 1, op, NONE, M, REG | IMM, group + 1 },                                  \
    {                                                                                              \
        name " xmm, imm", 0x66, 1, op, NONE, X, REG | IMM, group + 1                               \
    }

static const Template moves[] = {
    { "movups", 0, 1, 0x10, X, X, SCALAR },
    { "movupd", 0x66, 1, 0x10, X, X, SCALAR },
    { "movss", 0xF3, 1, 0x10, X, X, SCALAR },
    { "movsd", 0xF2, 1, 0x10, X, X, SCALAR },
    { "movups st", 0, 1, 0x11, X, X, SCALAR },
    { "movupd st", 0x66, 1, 0x11, X, X, SCALAR },
    { "movss st", 0xF3, 1, 0x11, X, X, SCALAR },
    { "movsd st", 0xF2, 1, 0x11, X, X, SCALAR },
    { "movlps/movhlps", 0, 1, 0x12, X, X, SCALAR },
    { "movlpd", 0x66, 1, 0x12, X, X, MEM | UNALIGNED },
    { "movsldup", 0xF3, 1, 0x12, X, X, RM },
    { "movddup", 0xF2, 1, 0x12, X, X, SCALAR },
    { "movlps st", 0, 1, 0x13, X, X, MEM | UNALIGNED },
    { "movlpd st", 0x66, 1, 0x13, X, X, MEM | UNALIGNED },
    { "movhps/movlhps", 0, 1, 0x16, X, X, SCALAR },
    { "movhpd", 0x66, 1, 0x16, X, X, MEM | UNALIGNED },
    { "movshdup", 0xF3, 1, 0x16, X, X, RM },
    { "movhps st", 0, 1, 0x17, X, X, MEM | UNALIGNED },
    { "movhpd st", 0x66, 1, 0x17, X, X, MEM | UNALIGNED },
    { "movaps", 0, 1, 0x28, X, X, RM },
    { "movapd", 0x66, 1, 0x28, X, X, RM },
    { "movaps st", 0, 1, 0x29, X, X, RM },
    { "movapd st", 0x66, 1, 0x29, X, X, RM },
    { "movntps", 0, 1, 0x2B, X, X, MEM },
    { "movntpd", 0x66, 1, 0x2B, X, X, MEM },
    { "movmskps", 0, 1, 0x50, G, X, REG },
    { "movmskpd", 0x66, 1, 0x50, G, X, REG },
    { "movd mm", 0, 1, 0x6E, M, G, SCALAR | WIDE },
    { "movd xmm", 0x66, 1, 0x6E, X, G, SCALAR | WIDE },
    { "movq mm", 0, 1, 0x6F, M, M, SCALAR },
    { "movdqa", 0x66, 1, 0x6F, X, X, RM },
    { "movdqu", 0xF3, 1, 0x6F, X, X, SCALAR },
    { "movd mm st", 0, 1, 0x7E, M, G, SCALAR | WIDE },
    { "movd xmm st", 0x66, 1, 0x7E, X, G, SCALAR | WIDE },
    { "movq xmm", 0xF3, 1, 0x7E, X, X, SCALAR },
    { "movq mm st", 0, 1, 0x7F, M, M, SCALAR },
    { "movdqa st", 0x66, 1, 0x7F, X, X, RM },
    { "movdqu st", 0xF3, 1, 0x7F, X, X, SCALAR },
    { "movnti", 0, 1, 0xC3, G, G, MEM | UNALIGNED | WIDE },
    { "movq xmm st", 0x66, 1, 0xD6, X, X, SCALAR },
    { "movq2dq", 0xF3, 1, 0xD6, X, M, REG },
    { "movdq2q", 0xF2, 1, 0xD6, M, X, REG },
    { "movntq", 0, 1, 0xE7, M, M, MEM | UNALIGNED },
    { "movntdq", 0x66, 1, 0xE7, X, X, MEM },
    { "lddqu", 0xF2, 1, 0xF0, X, X, MEM | UNALIGNED },
    { "movntdqa", 0x66, 2, 0x2A, X, X, MEM },
};

static const Template floats[] = {
    { "unpcklps", 0, 1, 0x14, X, X, RM },
    { "unpcklpd", 0x66, 1, 0x14, X, X, RM },
    { "unpckhps", 0, 1, 0x15, X, X, RM },
    { "unpckhpd", 0x66, 1, 0x15, X, X, RM },
    { "cvtpi2ps", 0, 1, 0x2A, X, M, SCALAR },
    { "cvtpi2pd", 0x66, 1, 0x2A, X, M, REG },
    { "cvtsi2ss", 0xF3, 1, 0x2A, X, G, SCALAR | WIDE },
    { "cvtsi2sd", 0xF2, 1, 0x2A, X, G, SCALAR | WIDE },
    { "cvttps2pi", 0, 1, 0x2C, M, X, SCALAR },
    { "cvttpd2pi", 0x66, 1, 0x2C, M, X, RM },
    { "cvttss2si", 0xF3, 1, 0x2C, G, X, SCALAR | WIDE },
    { "cvttsd2si", 0xF2, 1, 0x2C, G, X, SCALAR | WIDE },
    { "cvtps2pi", 0, 1, 0x2D, M, X, SCALAR },
    { "cvtpd2pi", 0x66, 1, 0x2D, M, X, RM },
    { "cvtss2si", 0xF3, 1, 0x2D, G, X, SCALAR | WIDE },
    { "cvtsd2si", 0xF2, 1, 0x2D, G, X, SCALAR | WIDE },
    { "ucomiss", 0, 1, 0x2E, X, X, SCALAR },
    { "ucomisd", 0x66, 1, 0x2E, X, X, SCALAR },
    { "comiss", 0, 1, 0x2F, X, X, SCALAR },
    { "comisd", 0x66, 1, 0x2F, X, X, SCALAR },
    PS_PD_SS_SD("sqrt", 0x51),
    { "rsqrtps", 0, 1, 0x52, X, X, RM },
    { "rsqrtss", 0xF3, 1, 0x52, X, X, SCALAR },
    { "rcpps", 0, 1, 0x53, X, X, RM },
    { "rcpss", 0xF3, 1, 0x53, X, X, SCALAR },
    { "andps", 0, 1, 0x54, X, X, RM },
    { "andnpd", 0x66, 1, 0x55, X, X, RM },
    { "orps", 0, 1, 0x56, X, X, RM },
    { "xorpd", 0x66, 1, 0x57, X, X, RM },
    PS_PD_SS_SD("add", 0x58),
    PS_PD_SS_SD("mul", 0x59),
    { "cvtps2pd", 0, 1, 0x5A, X, X, SCALAR },
    { "cvtpd2ps", 0x66, 1, 0x5A, X, X, RM },
    { "cvtss2sd", 0xF3, 1, 0x5A, X, X, SCALAR },
    { "cvtsd2ss", 0xF2, 1, 0x5A, X, X, SCALAR },
    { "cvtdq2ps", 0, 1, 0x5B, X, X, RM },
    { "cvtps2dq", 0x66, 1, 0x5B, X, X, RM },
    { "cvttps2dq", 0xF3, 1, 0x5B, X, X, RM },
    PS_PD_SS_SD("sub", 0x5C),
    PS_PD_SS_SD("min", 0x5D),
    PS_PD_SS_SD("div", 0x5E),
    PS_PD_SS_SD("max", 0x5F),
    { "haddpd", 0x66, 1, 0x7C, X, X, RM },
    { "haddps", 0xF2, 1, 0x7C, X, X, RM },
    { "hsubpd", 0x66, 1, 0x7D, X, X, RM },
    { "hsubps", 0xF2, 1, 0x7D, X, X, RM },
    { "cmpps", 0, 1, 0xC2, X, X, RM | IMM },
    { "cmppd", 0x66, 1, 0xC2, X, X, RM | IMM },
    { "cmpss", 0xF3, 1, 0xC2, X, X, SCALAR | IMM },
    { "cmpsd", 0xF2, 1, 0xC2, X, X, SCALAR | IMM },
    { "shufps", 0, 1, 0xC6, X, X, RM | IMM },
    { "shufpd", 0x66, 1, 0xC6, X, X, RM | IMM },
    { "addsubpd", 0x66, 1, 0xD0, X, X, RM },
    { "addsubps", 0xF2, 1, 0xD0, X, X, RM },
    { "cvttpd2dq", 0x66, 1, 0xE6, X, X, RM },
    { "cvtdq2pd", 0xF3, 1, 0xE6, X, X, SCALAR },
    { "cvtpd2dq", 0xF2, 1, 0xE6, X, X, RM },
    { "roundps", 0x66, 3, 0x08, X, X, RM | IMM },
    { "roundpd", 0x66, 3, 0x09, X, X, RM | IMM },
    { "roundss", 0x66, 3, 0x0A, X, X, SCALAR | IMM },
    { "roundsd", 0x66, 3, 0x0B, X, X, SCALAR | IMM },
    { "dpps", 0x66, 3, 0x40, X, X, RM | IMM },
    { "dppd", 0x66, 3, 0x41, X, X, RM | IMM },
};

static const Template integers[] = {
    BOTH("punpcklbw", 1, 0x60),
    BOTH("punpcklwd", 1, 0x61),
    BOTH("punpckldq", 1, 0x62),
    BOTH("packsswb", 1, 0x63),
    BOTH("pcmpgtb", 1, 0x64),
    BOTH("pcmpgtw", 1, 0x65),
    BOTH("pcmpgtd", 1, 0x66),
    BOTH("packuswb", 1, 0x67),
    BOTH("punpckhbw", 1, 0x68),
    BOTH("punpckhwd", 1, 0x69),
    BOTH("punpckhdq", 1, 0x6A),
    BOTH("packssdw", 1, 0x6B),
    { "punpcklqdq", 0x66, 1, 0x6C, X, X, RM },
    { "punpckhqdq", 0x66, 1, 0x6D, X, X, RM },
    { "pshufw", 0, 1, 0x70, M, M, SCALAR | IMM },
    { "pshufd", 0x66, 1, 0x70, X, X, RM | IMM },
    { "pshufhw", 0xF3, 1, 0x70, X, X, RM | IMM },
    { "pshuflw", 0xF2, 1, 0x70, X, X, RM | IMM },
    SHIFT("psrlw", 0x71, 2),
    SHIFT("psraw", 0x71, 4),
    SHIFT("psllw", 0x71, 6),
    SHIFT("psrld", 0x72, 2),
    SHIFT("psrad", 0x72, 4),
    SHIFT("pslld", 0x72, 6),
    SHIFT("psrlq", 0x73, 2),
    SHIFT("psllq", 0x73, 6),
    { "psrldq", 0x66, 1, 0x73, NONE, X, REG | IMM, 4 },
    { "pslldq", 0x66, 1, 0x73, NONE, X, REG | IMM, 8 },
    BOTH("pcmpeqb", 1, 0x74),
    BOTH("pcmpeqw", 1, 0x75),
    BOTH("pcmpeqd", 1, 0x76),
    { "pinsrw mm", 0, 1, 0xC4, M, G, SCALAR | IMM },
    { "pinsrw xmm", 0x66, 1, 0xC4, X, G, SCALAR | IMM },
    { "pextrw mm", 0, 1, 0xC5, G, M, REG | IMM },
    { "pextrw xmm", 0x66, 1, 0xC5, G, X, REG | IMM },
    BOTH("psrlw", 1, 0xD1),
    BOTH("psrld", 1, 0xD2),
    BOTH("psrlq", 1, 0xD3),
    BOTH("paddq", 1, 0xD4),
    BOTH("pmullw", 1, 0xD5),
    { "pmovmskb mm", 0, 1, 0xD7, G, M, REG },
    { "pmovmskb xmm", 0x66, 1, 0xD7, G, X, REG },
    BOTH("psubusb", 1, 0xD8),
    BOTH("psubusw", 1, 0xD9),
    BOTH("pminub", 1, 0xDA),
    BOTH("pand", 1, 0xDB),
    BOTH("paddusb", 1, 0xDC),
    BOTH("paddusw", 1, 0xDD),
    BOTH("pmaxub", 1, 0xDE),
    BOTH("pandn", 1, 0xDF),
    BOTH("pavgb", 1, 0xE0),
    BOTH("psraw", 1, 0xE1),
    BOTH("psrad", 1, 0xE2),
    BOTH("pavgw", 1, 0xE3),
    BOTH("pmulhuw", 1, 0xE4),
    BOTH("pmulhw", 1, 0xE5),
    BOTH("psubsb", 1, 0xE8),
    BOTH("psubsw", 1, 0xE9),
    BOTH("pminsw", 1, 0xEA),
    BOTH("por", 1, 0xEB),
    BOTH("paddsb", 1, 0xEC),
    BOTH("paddsw", 1, 0xED),
    BOTH("pmaxsw", 1, 0xEE),
    BOTH("pxor", 1, 0xEF),
    BOTH("psllw", 1, 0xF1),
    BOTH("pslld", 1, 0xF2),
    BOTH("psllq", 1, 0xF3),
    BOTH("pmuludq", 1, 0xF4),
    BOTH("pmaddwd", 1, 0xF5),
    BOTH("psadbw", 1, 0xF6),
    BOTH("psubb", 1, 0xF8),
    BOTH("psubw", 1, 0xF9),
    BOTH("psubd", 1, 0xFA),
    BOTH("psubq", 1, 0xFB),
    BOTH("paddb", 1, 0xFC),
    BOTH("paddw", 1, 0xFD),
    BOTH("paddd", 1, 0xFE),
    { "emms", 0, 1, 0x77, NONE, NONE, REG },
};

#define SSE4(name, map, op, forms)                                                                 \
    {                                                                                              \
        name, 0x66, map, op, X, X, forms                                                           \
    }
static const Template sse4[] = {
    BOTH("pshufb", 2, 0x00),
    BOTH("phaddw", 2, 0x01),
    BOTH("phaddd", 2, 0x02),
    BOTH("phaddsw", 2, 0x03),
    BOTH("pmaddubsw", 2, 0x04),
    BOTH("phsubw", 2, 0x05),
    BOTH("phsubd", 2, 0x06),
    BOTH("phsubsw", 2, 0x07),
    BOTH("psignb", 2, 0x08),
    BOTH("psignw", 2, 0x09),
    BOTH("psignd", 2, 0x0A),
    BOTH("pmulhrsw", 2, 0x0B),
    SSE4("pblendvb", 2, 0x10, RM),
    SSE4("blendvps", 2, 0x14, RM),
    SSE4("blendvpd", 2, 0x15, RM),
    SSE4("ptest", 2, 0x17, RM),
    BOTH("pabsb", 2, 0x1C),
    BOTH("pabsw", 2, 0x1D),
    BOTH("pabsd", 2, 0x1E),
    SSE4("pmovsxbw", 2, 0x20, SCALAR),
    SSE4("pmovsxbd", 2, 0x21, SCALAR),
    SSE4("pmovsxbq", 2, 0x22, SCALAR),
    SSE4("pmovsxwd", 2, 0x23, SCALAR),
    SSE4("pmovsxwq", 2, 0x24, SCALAR),
    SSE4("pmovsxdq", 2, 0x25, SCALAR),
    SSE4("pmuldq", 2, 0x28, RM),
    SSE4("pcmpeqq", 2, 0x29, RM),
    SSE4("packusdw", 2, 0x2B, RM),
    SSE4("pmovzxbw", 2, 0x30, SCALAR),
    SSE4("pmovzxbd", 2, 0x31, SCALAR),
    SSE4("pmovzxbq", 2, 0x32, SCALAR),
    SSE4("pmovzxwd", 2, 0x33, SCALAR),
    SSE4("pmovzxwq", 2, 0x34, SCALAR),
    SSE4("pmovzxdq", 2, 0x35, SCALAR),
    SSE4("pcmpgtq", 2, 0x37, RM),
    SSE4("pminsb", 2, 0x38, RM),
    SSE4("pminsd", 2, 0x39, RM),
    SSE4("pminuw", 2, 0x3A, RM),
    SSE4("pminud", 2, 0x3B, RM),
    SSE4("pmaxsb", 2, 0x3C, RM),
    SSE4("pmaxsd", 2, 0x3D, RM),
    SSE4("pmaxuw", 2, 0x3E, RM),
    SSE4("pmaxud", 2, 0x3F, RM),
    SSE4("pmulld", 2, 0x40, RM),
    SSE4("phminposuw", 2, 0x41, RM),
    SSE4("aesimc", 2, 0xDB, RM),
    SSE4("aesenc", 2, 0xDC, RM),
    SSE4("aesenclast", 2, 0xDD, RM),
    SSE4("aesdec", 2, 0xDE, RM),
    SSE4("aesdeclast", 2, 0xDF, RM),
    SSE4("blendps", 3, 0x0C, RM | IMM),
    SSE4("blendpd", 3, 0x0D, RM | IMM),
    SSE4("pblendw", 3, 0x0E, RM | IMM),
    { "palignr mm", 0, 3, 0x0F, M, M, SCALAR | IMM },
    SSE4("palignr", 3, 0x0F, RM | IMM),
    { "pextrb", 0x66, 3, 0x14, X, G, SCALAR | IMM },
    { "pextrw", 0x66, 3, 0x15, X, G, SCALAR | IMM },
    { "pextrd", 0x66, 3, 0x16, X, G, SCALAR | IMM | WIDE },
    { "extractps", 0x66, 3, 0x17, X, G, SCALAR | IMM },
    { "pinsrb", 0x66, 3, 0x20, X, G, SCALAR | IMM },
    SSE4("insertps", 3, 0x21, SCALAR | IMM),
    { "pinsrd", 0x66, 3, 0x22, X, G, SCALAR | IMM | WIDE },
    SSE4("mpsadbw", 3, 0x42, RM | IMM),
    SSE4("pclmulqdq", 3, 0x44, RM | IMM),
    SSE4("aeskeygenassist", 3, 0xDF, RM | IMM),
};

static const Template strings[] = {
    { "pcmpestrm", 0x66, 3, 0x60, X, X, SCALAR | IMM | WIDE },
    { "pcmpestri", 0x66, 3, 0x61, X, X, SCALAR | IMM | WIDE },
    { "pcmpistrm", 0x66, 3, 0x62, X, X, SCALAR | IMM },
    { "pcmpistri", 0x66, 3, 0x63, X, X, SCALAR | IMM },
};

/* Encoding ------------------------------------------------------------------------------------ */

/* Number of a register of @kind, from those that a case stores. */
static unsigned random_register(Kind kind)
{
    return kind == X ? fp_random_below(16) : kind == M ? fp_random_below(8) : fp_random_below(3);
}

static unsigned encode(const Template *t, bool memory, uint8_t *out)
{
    uint8_t *p = out;
    unsigned reg = t->extend ? t->extend - 1u : random_register(t->reg);
    unsigned rm = memory ? 3 : random_register(t->rm), rex = 0;
    unsigned address = fp_random_below(3); /* base; base and index; 32-bit address */
    if (memory && address == 2)
        *p++ = 0x67;
    if (t->prefix)
        *p++ = t->prefix;
    if (t->forms & WIDE && fp_random_below(2))
        rex |= 8;
    rex |= (reg & 8) >> 1 | (rm & 8) >> 3;
    if (rex || fp_random_below(4) == 0)
        *p++ = 0x40 | rex;
    *p++ = 0x0F;
    if (t->map > 1)
        *p++ = t->map == 2 ? 0x38 : 0x3A;
    *p++ = t->opcode;
    if (t->rm == NONE)
        return p - out;
    if (memory) { /* [rbx + disp32], or [rbx + rsi * n + disp32] */
        uint32_t disp = FP_OPERAND_OFFSET;
        if (t->forms & UNALIGNED)
            disp += fp_random_below(17);
        else
            disp += 16 * fp_random_below(2);
        *p++ = 0x80 | (reg & 7) << 3 | (address == 1 ? 4 : 3);
        if (address == 1)
            *p++ = 0x33 | fp_random_below(4) << 6;
        memcpy(p, &disp, 4);
        p += 4;
    } else {
        *p++ = 0xC0 | (reg & 7) << 3 | (rm & 7);
    }
    if (t->forms & IMM)
        *p++ = fp_random_below(4) ? (uint8_t)fp_random_below(40) : (uint8_t)(fp_random() >> 9);
    return p - out;
}

static void fill(FpCase *fp_case)
{
    uint32_t mxcsr = 0x1F80 | (uint32_t)(fp_random() >> 7 & 0xE07F);
    if (fp_random_below(2))
        mxcsr &= ~0x803Fu; /* flags clear, no flush */
    memcpy(fp_case->in + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 16; i++)
        fp_random_vector(fp_case->in + 160 + 16 * i);
    for (unsigned i = 0; i < 8; i++) {
        fp_random_vector(fp_case->in + 32 + 16 * i);
        memset(fp_case->in + 32 + 16 * i + 10, 0, 6);
    }
    for (unsigned i = 0; i < 12; i++)
        fp_random_vector(fp_case->memory + 16 * i);
    fp_case->in[3] = (uint8_t)(fp_random() & 0x38); /* TOP */
    fp_case->in[4] = (uint8_t)fp_random();          /* tags */
    for (unsigned i = 0; i < 3; i++)
        fp_case->gpr_in[i] =
            fp_random_below(3) ? (uint64_t)(int64_t)(int)(fp_random_below(41) - 20) : fp_random();
    fp_case->flags_in = 2 | (fp_random() & 0x8D5);
}

static void compare_all(const Template *templates, unsigned n, unsigned rounds)
{
    FpBatch *batch = fp_batch_new();
    for (unsigned i = 0; i < n; i++) {
        const Template *t = &templates[i];
        for (unsigned k = 0; k < rounds; k++) {
            bool memory = !(t->forms & REG) || (t->forms & MEM && k % 2);
            uint8_t code[15];
            unsigned length = encode(t, memory, code);
            fill(fp_batch_add(batch, code, length, t->name));
        }
    }
    fp_batch_run(batch);
    fp_batch_free(batch);
}

/* Cases --------------------------------------------------------------------------------------- */

static void moves_are_the_processors(void **unused)
{
    compare_all(moves, G_N_ELEMENTS(moves), 120);
}

static void floating_point_results_and_flags_are_the_processors(void **unused)
{
    compare_all(floats, G_N_ELEMENTS(floats), 600);
}

static void integer_operations_are_the_processors(void **unused)
{
    compare_all(integers, G_N_ELEMENTS(integers), 200);
}

static void sse4_operations_are_the_processors(void **unused)
{
    compare_all(sse4, G_N_ELEMENTS(sse4), 400);
}

static void string_comparisons_are_the_processors(void **unused)
{
    compare_all(strings, G_N_ELEMENTS(strings), 4000);
}

/* Random exceptions unmasked: raised or not, and with which flags. Not DPPS and DPPD, whose steps
 * raise theirs one after the other: the software CPU sees them together. */
static void unmasked_exceptions_are_the_processors(void **unused)
{
    FpBatch *batch = fp_batch_new();
    unsigned n_raised = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(floats); i++) {
        const Template *t = &floats[i];
        if (g_str_has_prefix(t->name, "dpp"))
            continue;
        for (unsigned k = 0; k < 60 && t->reg != M && t->rm != M; k++) {
            uint8_t code[15];
            unsigned length = encode(t, t->forms & MEM && k % 2, code);
            FpCase *fp_case = fp_batch_add(batch, code, length, t->name);
            uint32_t mxcsr;
            fill(fp_case);
            memcpy(&mxcsr, fp_case->in + 24, 4);
            mxcsr &= ~(fp_random() & 0x1F80);
            memcpy(fp_case->in + 24, &mxcsr, 4);
            n_raised += fp_batch_run_unmasked(batch);
        }
    }
    assert_in_range(n_raised, 1000, 10000);
    fp_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_are_the_processors),
        cmocka_unit_test(floating_point_results_and_flags_are_the_processors),
        cmocka_unit_test(unmasked_exceptions_are_the_processors),
        cmocka_unit_test(integer_operations_are_the_processors),
        cmocka_unit_test(sse4_operations_are_the_processors),
        cmocka_unit_test(string_comparisons_are_the_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
