/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/x87.h"

/* D9 F0 … D9 FF: transcendental and other functions, by the host's instruction. */

/* st(0) = f(st(0)) */
#define UNARY(name, insn, conditions)                                                              \
    static inline uint16_t name##_fn(long double *d)                                               \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[d]\n\t" insn "\n\t" X87_STATUS "fstpt %[d]"                           \
                     : "=&a"(status), [d] "+m"(*d));                                               \
        return status;                                                                             \
    }                                                                                              \
    X87_REG(name, {                                                                                \
        unsigned n = X87_ST(0);                                                                    \
        if (G_UNLIKELY(!x87_in_use(cpu, n))) {                                                     \
            cpu->fpu.status &= ~((conditions)&FPU_C2);                                             \
            return x87_underflow(cpu, op);                                                         \
        }                                                                                          \
        function_merge(cpu, name##_fn(&cpu->fpu.fpr[n]), conditions);                              \
    })
/* st(0) = f(st(0), st(1)), or with a pop st(1) = f(st(1), st(0)). */
#define BINARY(name, insn, conditions)                                                             \
    static inline uint16_t name##_fn(long double *d, const long double *s)                         \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[s]\n\tfldt %[d]\n\t" insn "\n\t" X87_STATUS                           \
                     "fstpt %[d]\n\tfstp %%st(0)"                                                  \
                     : "=&a"(status), [d] "+m"(*d)                                                 \
                     : [s] "m"(*s));                                                               \
        return status;                                                                             \
    }                                                                                              \
    X87_REG(name, {                                                                                \
        unsigned n = X87_ST(0), m = X87_ST(1);                                                     \
        if (G_UNLIKELY(!x87_in_use(cpu, n) || !x87_in_use(cpu, m))) {                              \
            cpu->fpu.status &= ~((conditions)&FPU_C2);                                             \
            return x87_underflow(cpu, op);                                                         \
        }                                                                                          \
        uint16_t status = name##_fn(&cpu->fpu.fpr[n], &cpu->fpu.fpr[m]);                           \
        function_merge(cpu, status, conditions);                                                   \
    })
/* The instruction may or may not have popped (unmasked exceptions): the result is the top if so.
 * The number of registers left is told by TOP, from 0 before. */
#define BINARY_POP(name, insn)                                                                     \
    static inline uint16_t name##_fn(long double *d, const long double *s)                         \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[d]\n\tfldt %[s]\n\t" insn "\n\t"                                      \
                     "fnstsw %%ax\n\t"                                                             \
                     "testb $0x80, %%al\n\t"                                                       \
                     "jz 1f\n\t"                                                                   \
                     "fnclex\n\t"                                                                  \
                     "testb $0x07, %%al\n\t"                                                       \
                     "jz 1f\n\t"                                                                   \
                     "fstpt %[d]\n\temms\n\tjmp 2f\n"                                              \
                     "1:\n\tfstpt %[d]\n"                                                          \
                     "2:"                                                                          \
                     : "=&a"(status), [d] "+m"(*d)                                                 \
                     : [s] "m"(*s));                                                               \
        return status;                                                                             \
    }                                                                                              \
    static SoftNext name##_underflow(SoftCpu *cpu, SoftOp *op)                                     \
    {                                                                                              \
        if (x87_stack_fault(cpu, 0)) {                                                             \
            x87_set_indefinite(&cpu->fpu.fpr[X87_ST(1)]);                                          \
            x87_pop(cpu);                                                                          \
            cpu->fpu.tag |= 1u << cpu->fpu.top;                                                    \
        }                                                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    X87_REG(name, {                                                                                \
        unsigned n = X87_ST(0), m = X87_ST(1);                                                     \
        if (G_UNLIKELY(!x87_in_use(cpu, n) || !x87_in_use(cpu, m)))                                \
            return name##_underflow(cpu, op);                                                      \
        function_binary_pop(cpu, name##_fn, n, m);                                                 \
    })
/* st(0) becomes two: f(st(0)), and above it a second result. */
#define UNARY_PUSH(name, insn, conditions)                                                         \
    static uint16_t name##_fn(long double *d, long double *pushed)                                 \
    {                                                                                              \
        uint16_t status, before;                                                                   \
        asm volatile("fldt %[d]\n\tfnstsw %%ax\n\tmovl %%eax, %%edx\n\t" insn "\n\t" X87_STATUS    \
                     "xorb %%ah, %%dh\n\t"                                                         \
                     "testb $0x38, %%dh\n\t"                                                       \
                     "jz 2f\n\t"                                                                   \
                     "fstpt %[pushed]\n"                                                           \
                     "2:\n\tfstpt %[d]"                                                            \
                     : "=&a"(status), "=&d"(before), [d] "+m"(*d), [pushed] "+m"(*pushed));        \
        return status;                                                                             \
    }                                                                                              \
    X87_REG(name, function_unary_push(cpu, name##_fn, conditions))

/* C0, C2 and C3 are defined by some of the functions (@conditions) and kept by the others. */
static inline bool function_merge(SoftCpu *cpu, uint16_t status, unsigned conditions)
{
    if (status & FPU_ES && status & ~cpu->fpu.control & (FPU_IE | FPU_DE | FPU_ZE))
        conditions &= FPU_C2;
    cpu->fpu.status = (cpu->fpu.status & ~conditions) | (status & conditions);
    return x87_merge(cpu, status);
}

static G_GNUC_NO_INLINE void function_binary_pop(SoftCpu *cpu,
                                                 uint16_t (*fn)(long double *, const long double *),
                                                 unsigned n, unsigned m)
{
    long double result = cpu->fpu.fpr[m];
    uint16_t status = fn(&result, &cpu->fpu.fpr[n]);
    if (!x87_merge(cpu, status))
        return;
    memcpy(&cpu->fpu.fpr[m], &result, 10);
    x87_pop(cpu);
}

static G_GNUC_NO_INLINE void
function_unary_push(SoftCpu *cpu, uint16_t (*fn)(long double *, long double *), unsigned conditions)
{
    unsigned n = X87_ST(0), above = X87_ST(7);
    if (!x87_in_use(cpu, n) || x87_in_use(cpu, above)) {
        cpu->fpu.status &= ~(conditions & FPU_C2);
        /* C1 tells overflow from underflow; both results are the indefinite. */
        if (x87_stack_fault(cpu, x87_in_use(cpu, n) ? FPU_C1 : 0)) {
            x87_set_indefinite(&cpu->fpu.fpr[n]);
            x87_set_indefinite(&cpu->fpu.fpr[above]);
            cpu->fpu.tag |= 1u << n;
            x87_push(cpu);
        }
        return;
    }
    uint16_t status = fn(&cpu->fpu.fpr[n], &cpu->fpu.fpr[above]);
    if (function_merge(cpu, status, conditions) && !(status & conditions & FPU_C2))
        x87_push(cpu);
}

UNARY(f2xm1, "f2xm1", 0)
UNARY(fsqrt, "fsqrt", 0)
UNARY(frndint, "frndint", 0)
UNARY(fsin, "fsin", FPU_C2)
UNARY(fcos, "fcos", FPU_C2)
/* C0 and C3 are bits of the quotient; without one (NaN) they stay. */
#define REMAINDER_CONDITIONS                                                                       \
    ((((const uint16_t *)&cpu->fpu.fpr[X87_ST(0)])[4] & 0x7FFF) == 0x7FFF ? FPU_C2 : FPU_CONDITION)
BINARY(fprem, "fprem", REMAINDER_CONDITIONS)
BINARY(fprem1, "fprem1", REMAINDER_CONDITIONS)
BINARY(fscale, "fscale", 0)
BINARY_POP(fyl2x, "fyl2x")
BINARY_POP(fyl2xp1, "fyl2xp1")
BINARY_POP(fpatan, "fpatan")
UNARY_PUSH(fptan, "fptan", FPU_C2)
UNARY_PUSH(fsincos, "fsincos", FPU_C2)
UNARY_PUSH(fxtract, "fxtract", 0)

X87_REG(fdecstp, {
    cpu->fpu.top = (cpu->fpu.top - 1) & 7;
    cpu->fpu.status &= ~FPU_C1;
})
X87_REG(fincstp, {
    cpu->fpu.top = (cpu->fpu.top + 1) & 7;
    cpu->fpu.status &= ~FPU_C1;
})

SoftHandler *const x87_functions[16] = { f2xm1,   fyl2x,   fptan, fpatan,  fxtract, fprem1,
                                         fdecstp, fincstp, fprem, fyl2xp1, fsqrt,   fsincos,
                                         frndint, fscale,  fsin,  fcos };
