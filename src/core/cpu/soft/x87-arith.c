/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/x87.h"

/* x87 add, subtract, multiply, divide and compare. */

/* d = d OP s, on registers and on memory operands. */
#define ARITH_FN(name, reg_insn, single, dbl, sixteen, thirty_two)                                 \
    static inline uint16_t name##_reg(long double *d, const long double *s)                        \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[s]\n\tfldt %[d]\n\t" reg_insn "\n\t" X87_STATUS                       \
                     "fstpt %[d]\n\tfstp %%st(0)"                                                  \
                     : "=&a"(status), [d] "+m"(*d)                                                 \
                     : [s] "m"(*s));                                                               \
        return status;                                                                             \
    }                                                                                              \
    ARITH_MEM_FN(name##_single, single, 4)                                                         \
    ARITH_MEM_FN(name##_double, dbl, 8)                                                            \
    ARITH_MEM_FN(name##_short, sixteen, 2)                                                         \
    ARITH_MEM_FN(name##_long, thirty_two, 4)                                                       \
    ARITH_HANDLERS(name)
typedef struct {
    char bytes[2];
} Bytes2;
typedef struct {
    char bytes[4];
} Bytes4;
typedef struct {
    char bytes[8];
} Bytes8;
#define ARITH_MEM_FN(name, insn, size)                                                             \
    static inline uint16_t name(long double *d, const void *p)                                     \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[d]\n\t" insn " %[s]\n\t" X87_STATUS "fstpt %[d]"                      \
                     : "=&a"(status), [d] "+m"(*d)                                                 \
                     : [s] "m"(*(const Bytes##size *)p));                                          \
        return status;                                                                             \
    }

#define ARITH_MEM_HANDLER(name, size)                                                              \
    X87_MEM(name##_op, size, {                                                                     \
        unsigned n = X87_ST(0);                                                                    \
        if (G_UNLIKELY(!x87_in_use(cpu, n)))                                                       \
            return x87_underflow(cpu, op);                                                         \
        x87_merge(cpu, name(&cpu->fpu.fpr[n], p));                                                 \
    })
/* st(dst) = st(dst) OP st(src) */
#define ARITH_HANDLERS(name)                                                                       \
    X87_REG(name##_op, {                                                                           \
        unsigned d = X87_ST(op->dst), s = X87_ST(op->src);                                         \
        if (G_UNLIKELY(!x87_in_use(cpu, d) || !x87_in_use(cpu, s)))                                \
            return x87_underflow(cpu, op);                                                         \
        x87_merge(cpu, name##_reg(&cpu->fpu.fpr[d], &cpu->fpu.fpr[s]));                            \
    })                                                                                             \
    X87_REG(name##_pop_op, {                                                                       \
        unsigned d = X87_ST(op->dst), s = X87_ST(op->src);                                         \
        if (G_UNLIKELY(!x87_in_use(cpu, d) || !x87_in_use(cpu, s)))                                \
            return x87_underflow_pop(cpu, op);                                                     \
        if (G_LIKELY(x87_merge(cpu, name##_reg(&cpu->fpu.fpr[d], &cpu->fpu.fpr[s]))))              \
            x87_pop(cpu);                                                                          \
    })                                                                                             \
    ARITH_MEM_HANDLER(name##_single, 4)                                                            \
    ARITH_MEM_HANDLER(name##_double, 8)                                                            \
    ARITH_MEM_HANDLER(name##_short, 2)                                                             \
    ARITH_MEM_HANDLER(name##_long, 4)

ARITH_FN(add, "fadd %%st(1), %%st", "fadds", "faddl", "fiadds", "fiaddl")
ARITH_FN(mul, "fmul %%st(1), %%st", "fmuls", "fmull", "fimuls", "fimull")
ARITH_FN(sub, "fsub %%st(1), %%st", "fsubs", "fsubl", "fisubs", "fisubl")
ARITH_FN(subr, "fsubr %%st(1), %%st", "fsubrs", "fsubrl", "fisubrs", "fisubrl")
ARITH_FN(div, "fdiv %%st(1), %%st", "fdivs", "fdivl", "fidivs", "fidivl")
ARITH_FN(divr, "fdivr %%st(1), %%st", "fdivrs", "fdivrl", "fidivrs", "fidivrl")

/* Compare ------------------------------------------------------------------------------------- */

#define COMPARE_FN(name, insn)                                                                     \
    static inline uint16_t name(const long double *d, const long double *s)                        \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[s]\n\tfldt %[d]\n\t" insn " %%st(1)\n\t" X87_STATUS                   \
                     "fstp %%st(0)\n\tfstp %%st(0)"                                                \
                     : "=&a"(status)                                                               \
                     : [d] "m"(*d), [s] "m"(*s));                                                  \
        return status;                                                                             \
    }
COMPARE_FN(compare_ordered, "fcom")
COMPARE_FN(compare_unordered, "fucom")

#define COMPARE_MEM_FN(name, insn, size)                                                           \
    static inline uint16_t name(const long double *d, const void *p)                               \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile("fldt %[d]\n\t" insn " %[s]\n\t" X87_STATUS "fstp %%st(0)"                    \
                     : "=&a"(status)                                                               \
                     : [d] "m"(*d), [s] "m"(*(const Bytes##size *)p));                             \
        return status;                                                                             \
    }
COMPARE_MEM_FN(compare_single, "fcoms", 4)
COMPARE_MEM_FN(compare_double, "fcoml", 8)
COMPARE_MEM_FN(compare_short, "ficoms", 2)
COMPARE_MEM_FN(compare_long, "ficoml", 4)

static uint16_t compare_zero(const long double *d)
{
    uint16_t status;
    asm volatile("fldt %[d]\n\tftst\n\t" X87_STATUS "fstp %%st(0)" : "=&a"(status) : [d] "m"(*d));
    return status;
}

/* The condition code is set even when an unmasked exception was raised; only pops are left out. */
static inline bool compare_merge(SoftCpu *cpu, uint16_t status)
{
    cpu->fpu.status = (cpu->fpu.status & ~FPU_CONDITION) | (status & FPU_CONDITION);
    return x87_merge(cpu, status);
}

/* Masked response to an empty operand: unordered. */
static G_GNUC_NO_INLINE bool compare_empty(SoftCpu *cpu)
{
    bool masked = x87_stack_fault(cpu, 0);
    cpu->fpu.status |= FPU_CONDITION;
    return masked;
}

#define COMPARE_BODY(second_in_use, call, n_pops)                                                  \
    {                                                                                              \
        unsigned n = X87_ST(0);                                                                    \
        bool pop;                                                                                  \
        if (G_UNLIKELY(!x87_in_use(cpu, n) || !(second_in_use)))                                   \
            pop = compare_empty(cpu);                                                              \
        else                                                                                       \
            pop = compare_merge(cpu, call);                                                        \
        if (pop && n_pops)                                                                         \
            x87_pop(cpu);                                                                          \
        if (pop && (n_pops) == 2)                                                                  \
            x87_pop(cpu);                                                                          \
    }
#define COMPARE_REG(name, fn, n_pops)                                                              \
    SoftNext name(SoftCpu *cpu, SoftOp *op)                                                        \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        x87_note(cpu, op);                                                                         \
        unsigned s = X87_ST(op->src);                                                              \
        COMPARE_BODY(x87_in_use(cpu, s), fn(&cpu->fpu.fpr[n], &cpu->fpu.fpr[s]), n_pops)           \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define COMPARE_MEM(name, fn, size, n_pops)                                                        \
    X87_MEM(name, size, COMPARE_BODY(true, fn(&cpu->fpu.fpr[n], p), n_pops))

static SoftHandler x87_fcom, x87_fcomp;
COMPARE_REG(x87_fcom, compare_ordered, 0)
COMPARE_REG(x87_fcomp, compare_ordered, 1)
COMPARE_REG(x87_fcompp, compare_ordered, 2)
COMPARE_REG(x87_fucom, compare_unordered, 0)
COMPARE_REG(x87_fucomp, compare_unordered, 1)
COMPARE_REG(x87_fucompp, compare_unordered, 2)
COMPARE_MEM(com_single, compare_single, 4, 0)
COMPARE_MEM(comp_single, compare_single, 4, 1)
COMPARE_MEM(com_double, compare_double, 8, 0)
COMPARE_MEM(comp_double, compare_double, 8, 1)
COMPARE_MEM(com_short, compare_short, 2, 0)
COMPARE_MEM(comp_short, compare_short, 2, 1)
COMPARE_MEM(com_long, compare_long, 4, 0)
COMPARE_MEM(comp_long, compare_long, 4, 1)

SoftNext x87_ftst(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    x87_note(cpu, op);
    COMPARE_BODY(true, compare_zero(&cpu->fpu.fpr[n]), 0)
    SOFT_NEXT(cpu, op);
}

/* FCOMI and relatives: the result goes to ZF, PF and CF; OF, SF and AF are cleared. */
#define COMPARE_FLAGS_FN(name, insn)                                                               \
    static inline uint16_t name(const long double *d, const long double *s, uint32_t *out_flags)   \
    {                                                                                              \
        uint16_t status;                                                                           \
        uint32_t flags;                                                                            \
        asm volatile("fldt %[s]\n\tfldt %[d]\n\t" insn " %%st(1), %%st\n\t"                        \
                     "lahf\n\tmovzwl %%ax, %[f]\n\t" X87_STATUS "fstp %%st(0)\n\tfstp %%st(0)"     \
                     : "=&a"(status), [f] "=&r"(flags)                                             \
                     : [d] "m"(*d), [s] "m"(*s));                                                  \
        *out_flags = flags & 0xFF00;                                                               \
        return status;                                                                             \
    }
COMPARE_FLAGS_FN(compare_flags_ordered, "fcomi")
COMPARE_FLAGS_FN(compare_flags_unordered, "fucomi")

static G_GNUC_NO_INLINE void compare_flags_empty(SoftCpu *cpu)
{
    x87_stack_fault(cpu, 0);
    cpu->flags = SOFT_FLAG_ZF | SOFT_FLAG_PF | SOFT_FLAG_CF | 0x200;
}

#define COMPARE_FLAGS(name, fn, n_pops)                                                            \
    SoftNext name(SoftCpu *cpu, SoftOp *op)                                                        \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        x87_note(cpu, op);                                                                         \
        unsigned n = X87_ST(0), s = X87_ST(op->src);                                               \
        if (G_UNLIKELY(!x87_in_use(cpu, n) || !x87_in_use(cpu, s))) {                              \
            compare_flags_empty(cpu);                                                              \
            if (n_pops && cpu->fpu.control & FPU_IE)                                               \
                x87_pop(cpu);                                                                      \
            SOFT_NEXT(cpu, op);                                                                    \
        }                                                                                          \
        uint16_t status = fn(&cpu->fpu.fpr[n], &cpu->fpu.fpr[s], &cpu->flags);                     \
        status = (status & ~FPU_C1) | (cpu->fpu.status & FPU_C1); /* stays */                      \
        if (x87_merge(cpu, status) && n_pops)                                                      \
            x87_pop(cpu);                                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
COMPARE_FLAGS(x87_fcomi, compare_flags_ordered, 0)
COMPARE_FLAGS(x87_fcomip, compare_flags_ordered, 1)
COMPARE_FLAGS(x87_fucomi, compare_flags_unordered, 0)
COMPARE_FLAGS(x87_fucomip, compare_flags_unordered, 1)

/* FXAM classifies an empty register too; C1 is the sign in any case. */
SoftNext x87_fxam(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    x87_note(cpu, op);
    unsigned n = X87_ST(0);
    uint16_t status;
    asm volatile("fldt %[d]\n\tfxam\n\tfnstsw %%ax\n\tfstp %%st(0)"
                 : "=&a"(status)
                 : [d] "m"(cpu->fpu.fpr[n]));
    status &= FPU_CONDITION | FPU_C1;
    if (!x87_in_use(cpu, n))
        status = (status & FPU_C1) | FPU_C3 | FPU_C0;
    cpu->fpu.status = (cpu->fpu.status & ~(FPU_CONDITION | FPU_C1)) | status;
    SOFT_NEXT(cpu, op);
}

/* Tables -------------------------------------------------------------------------------------- */

#define MEMORY_TABLE(type)                                                                         \
    {                                                                                              \
        X87_MEMS(add_##type##_op), X87_MEMS(mul_##type##_op), X87_MEMS(com_##type),                \
            X87_MEMS(comp_##type), X87_MEMS(sub_##type##_op), X87_MEMS(subr_##type##_op),          \
            X87_MEMS(div_##type##_op), X87_MEMS(divr_##type##_op)                                  \
    }
const X87Memory x87_arith_single[8] = MEMORY_TABLE(single);
const X87Memory x87_arith_double[8] = MEMORY_TABLE(double);
const X87Memory x87_arith_short[8] = MEMORY_TABLE(short);
const X87Memory x87_arith_long[8] = MEMORY_TABLE(long);
SoftHandler *const x87_arith_st0[8] = { add_op, mul_op,  x87_fcom, x87_fcomp,
                                        sub_op, subr_op, div_op,   divr_op };
/* DC and DE reverse the order of the operands, and so the meaning of the R. */
SoftHandler *const x87_arith_sti[8] = { add_op,  mul_op, x87_fcom, x87_fcomp,
                                        subr_op, sub_op, divr_op,  div_op };
SoftHandler *const x87_arith_sti_pop[8] = { add_pop_op,  mul_pop_op, x87_fcomp,   NULL,
                                            subr_pop_op, sub_pop_op, divr_pop_op, div_pop_op };
