/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Floating point and SIMD of the software CPU, as the run loop and the state code see them. The
 * host's own instructions do the arithmetic, so results and flags are the processor's: while the
 * vCPU runs, the host's MXCSR has the guest's rounding, FTZ and DAZ and collects its sticky flags,
 * and the host's x87 control word is the guest's. The instruction files include simd.h or x87.h. */

#include "core/cpu/soft/soft-cpu.h"

/* Whether this processor has what the instruction files were compiled for (SSE4.2, AES-NI,
 * PCLMULQDQ). False: *out_why is a sentence for the user, to be freed. */
bool soft_fp_host_ok(char **out_why);

/* Around the run loop, on the vCPU's thread: loads the guest's MXCSR and x87 control word into the
 * host and keeps the host's; brings the host's back and the guest's sticky flags home. */
void soft_fp_enter(SoftCpu *cpu);
void soft_fp_leave(SoftCpu *cpu);

/* XGETBV and XSETBV (0F 01 D0, D1): for the decoder of group 7. The first needs SOFT_MODE_XSAVE or
 * is #UD; both check at run time too. */
SoftHandler soft_op_xgetbv, soft_op_xsetbv;

/* Of the instruction files.
 * -------------------------------------------------------------------- */

#define MXCSR_FLAGS 0x003Fu
#define MXCSR_MASKS 0x1F80u
#define MXCSR_UM (1u << 11)
#define MXCSR_FTZ (1u << 15)
#define MXCSR_VALID 0xFFFFu

/* The guest's MXCSR with the flags raised so far. */
uint32_t soft_fp_get_mxcsr(SoftCpu *cpu);
/* Sets the guest's MXCSR and the host's with it; the caller has refused reserved bits. */
void soft_fp_set_mxcsr(SoftCpu *cpu, uint32_t value);
/* Loads the guest's x87 control word into the host and forgets the host's sticky flags. After each
 * change of fpu.control and wherever guest status flags were cleared. */
void soft_fp_load_control(SoftCpu *cpu);
/* Recomputes the error summary after fpu.control or fpu.status changed. */
void soft_fp_update_summary(SoftCpu *cpu);

/* Fetches the memory operand of cpu->op into cpu->fp_operand and returns its address. #GP unless
 * the linear address is a multiple of @alignment. */
const void *soft_fp_fetch(SoftCpu *cpu, unsigned size, unsigned alignment);
/* Checks segment and alignment of the memory operand of cpu->op; its offset. */
uint64_t soft_fp_check_operand(SoftCpu *cpu, unsigned size, unsigned alignment, bool write);

/* An x87 error is pending at a waiting instruction: #MF, or with CR0.NE clear tells the board.
 * Returns false when the instruction is to wait for the interrupt: leave the block (RIP is set). */
bool soft_fp_pending(SoftCpu *cpu, SoftOp *op);
/* To be called after ES was set by an instruction. */
void soft_fp_signal_error(SoftCpu *cpu);

#define FPU_IE 0x0001u
#define FPU_DE 0x0002u
#define FPU_ZE 0x0004u
#define FPU_OE 0x0008u
#define FPU_UE 0x0010u
#define FPU_PE 0x0020u
#define FPU_SF 0x0040u
#define FPU_ES 0x0080u
#define FPU_C0 0x0100u
#define FPU_C1 0x0200u
#define FPU_C2 0x0400u
#define FPU_C3 0x4000u
#define FPU_B 0x8000u
#define FPU_EXCEPTIONS 0x003Fu

/* Brings the x87 state into SoftCpu.fpu, for whoever looks at more than the control word. */
void soft_fp_spill_live(SoftCpu *cpu);
static inline void soft_fp_spill(SoftCpu *cpu)
{
    if (cpu->fpu.live)
        soft_fp_spill_live(cpu);
}

/* Start of each waiting x87 or MMX instruction on the state in memory. */
#define FPU_WAIT(cpu, op)                                                                          \
    do {                                                                                           \
        soft_fp_spill(cpu);                                                                        \
        if (G_UNLIKELY((cpu)->fpu.status & FPU_ES) && !soft_fp_pending(cpu, op))                   \
            SOFT_LEAVE(cpu);                                                                       \
    } while (0)

/* xsave.c: whole x87 state from and to its FXSAVE layout (first 160 bytes). @wide: 64-bit FIP and
 * FDP. load leaves the host's control word to the caller. */
void soft_fp_save_legacy(const SoftCpu *cpu, uint8_t *area, bool wide);
void soft_fp_load_legacy(SoftCpu *cpu, const uint8_t *area, bool wide);
/* FNINIT, without the host's control word. */
void soft_fp_init(SoftCpu *cpu);
