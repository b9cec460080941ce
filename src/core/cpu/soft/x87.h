/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* How the x87 files are written. x87-live.c runs instructions straight on the host's x87 as long as
 * no exception is unmasked. In the other files the guest's registers lie in memory; each
 * instruction loads its operands into the host's (otherwise empty) x87 stack, runs the host
 * instruction under the guest's control word, reads the status and stores the result: 80-bit
 * values, flags and rounding are the processor's own. An exception that the guest has unmasked is
 * pending in the host's status word then, and FNCLEX, which does not wait, takes it away before it
 * could trap (X87_STATUS).
 *
 * The host's sticky flags are always a subset of the guest's: soft_fp_load_control clears them
 * wherever the guest's are cleared. */

#include "core/cpu/soft/decode.h"
#include "core/cpu/soft/fp.h"

#define FPU_CONDITION (FPU_C0 | FPU_C2 | FPU_C3)

/* Status into AX, pending exceptions dropped. */
#define X87_STATUS                                                                                 \
    "fnstsw %%ax\n\t"                                                                              \
    "testb $0x80, %%al\n\t"                                                                        \
    "jz 1f\n\t"                                                                                    \
    "fnclex\n"                                                                                     \
    "1:\n\t"
/* The same after an instruction that pops, unless an exception kept it from doing so. */
#define X87_STATUS_POPPED                                                                          \
    "fnstsw %%ax\n\t"                                                                              \
    "testb $0x80, %%al\n\t"                                                                        \
    "jz 1f\n\t"                                                                                    \
    "fnclex\n\t"                                                                                   \
    "emms\n"                                                                                       \
    "1:\n\t"

/* Number of the physical register that is st(i), and the register. */
#define X87_ST(i) ((cpu->fpu.top + (i)) & 7u)
static inline bool x87_in_use(const SoftCpu *cpu, unsigned n)
{
    return cpu->fpu.tag >> n & 1;
}
static inline void x87_pop(SoftCpu *cpu)
{
    cpu->fpu.tag &= ~(1u << cpu->fpu.top);
    cpu->fpu.top = (cpu->fpu.top + 1) & 7;
}
/* Makes st(-1) the top; the caller has filled it. */
static inline void x87_push(SoftCpu *cpu)
{
    cpu->fpu.top = (cpu->fpu.top - 1) & 7;
    cpu->fpu.tag |= 1u << cpu->fpu.top;
}

/* Pointers of the last non-control instruction. op->imm is its opcode, and for FSTENV and the like
 * the operand size. */
#define X87_OPERAND_16 0x10000u
#define X87_IS_MEMORY 0x20000u
#define X87_EA_SHIFT 18 /* SoftEa of the memory form */
static inline void x87_note(SoftCpu *cpu, const SoftOp *op)
{
    cpu->fpu.instruction = cpu->rip + op->offset;
    cpu->fpu.code_selector = cpu->seg[CPU_CS].selector;
    cpu->fpu.opcode = (uint16_t)op->imm;
}
static inline void x87_note_data(SoftCpu *cpu, const SoftOp *op)
{
    x87_note(cpu, op);
    cpu->fpu.data = soft_ea(cpu, op);
    cpu->fpu.data_selector = cpu->seg[op->seg].selector;
}

/* x87.c. An unmasked exception was raised: summary, board. */
void x87_unmasked(SoftCpu *cpu);
/* Takes over the host's status after an instruction. Returns false when an unmasked exception was
 * found before the computation, which then did not happen: no result, no pop, no push. */
static inline bool x87_merge(SoftCpu *cpu, uint16_t status)
{
    cpu->fpu.status = (cpu->fpu.status & ~FPU_C1) | (status & (FPU_EXCEPTIONS | FPU_C1));
    if (G_LIKELY(!(status & FPU_ES)))
        return true;
    x87_unmasked(cpu);
    return !(status & ~cpu->fpu.control & (FPU_IE | FPU_DE | FPU_ZE));
}
/* Stack fault: sets IE, SF and C1 as given. Returns whether the masked response is to follow. */
bool x87_stack_fault(SoftCpu *cpu, unsigned c1);
void x87_set_indefinite(long double *value);

/* Ends of instructions that found an empty register: the masked response is the indefinite in
 * st(op->dst). */
SoftHandler x87_underflow, x87_underflow_pop;
/* Of instructions that found st(-1) in use: the indefinite is pushed, with C1 set. */
SoftHandler x87_overflow;

/* Waiting instructions with a memory source at p. */
#define X87_MEM_FORM(name, suffix, kind, size, ...)                                                \
    static SoftNext name##_##suffix(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        const void *p = soft_ptr(cpu, op, kind, size, false);                                      \
        if (G_UNLIKELY(!p || cpu->fpu.status & FPU_ES))                                            \
            return name##_slow(cpu, op);                                                           \
        x87_note_data(cpu, op);                                                                    \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define X87_MEM(name, size, ...)                                                                   \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        SOFT_AT(cpu, op);                                                                          \
        const void *p = soft_fp_fetch(cpu, size, 1);                                               \
        x87_note_data(cpu, op);                                                                    \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    X87_MEM_FORM(name, mb, SOFT_EA_B, size, __VA_ARGS__)                                           \
    X87_MEM_FORM(name, mbi, SOFT_EA_BI, size, __VA_ARGS__)                                         \
    X87_MEM_FORM(name, mg, SOFT_EA_G, size, __VA_ARGS__)

/* Waiting instructions on registers. */
#define X87_REG(name, ...)                                                                         \
    static SoftNext name(SoftCpu *cpu, SoftOp *op)                                                 \
    {                                                                                              \
        FPU_WAIT(cpu, op);                                                                         \
        x87_note(cpu, op);                                                                         \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }

/* The record of a decoder: handler by ModRM.reg for memory, by the low six bits for registers. */
typedef struct {
    SoftHandler *mem[SOFT_N_EA];
} X87Memory;
#define X87_MEMS(name)                                                                             \
    {                                                                                              \
        {                                                                                          \
            name##_mb, name##_mbi, name##_mg                                                       \
        }                                                                                          \
    }
#define X87_ONE(name)                                                                              \
    {                                                                                              \
        {                                                                                          \
            name, name, name                                                                       \
        }                                                                                          \
    }

/* x87-arith.c: [ModRM.reg] by operand: st, single, double, 16-bit and 32-bit integer. */
extern const X87Memory x87_arith_single[8], x87_arith_double[8], x87_arith_short[8],
    x87_arith_long[8];
extern SoftHandler *const x87_arith_st0[8], *const x87_arith_sti[8], *const x87_arith_sti_pop[8];
SoftHandler x87_fcompp, x87_fucom, x87_fucomp, x87_fucompp, x87_fcomi, x87_fcomip, x87_fucomi,
    x87_fucomip, x87_ftst, x87_fxam;
/* x87-function.c: D9 F0 … D9 FF. */
extern SoftHandler *const x87_functions[16];
/* The handler that works on the state in memory, for a record of x87-live.c; and that of
 * x87-live.c, or NULL. */
SoftHandler *x87_precise_handler(const SoftOp *op);
SoftHandler *x87_live_handler(unsigned opcode, unsigned modrm, bool is_memory, SoftEa ea);
/* x87-control.c */
SoftHandler x87_fldenv, x87_fnstenv, x87_frstor, x87_fnsave, x87_fldcw, x87_fnstcw, x87_fnstsw,
    x87_fnstsw_ax, x87_fnclex, x87_fninit, x87_fwait, x87_fwait_unavailable, x87_fnop;
