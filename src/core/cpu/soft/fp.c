/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/fp.h"
#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/simd.h"
#include "core/cpu/soft/soft-machine.h"
#include <glib/gi18n.h>

/* Host --------------------------------------------------------------------------------------- */

bool soft_fp_host_ok(char **out_why)
{
    __builtin_cpu_init();
    const char *missing = !__builtin_cpu_supports("sse4.2")   ? "SSE4.2"
                          : !__builtin_cpu_supports("aes")    ? "AES-NI"
                          : !__builtin_cpu_supports("pclmul") ? "PCLMULQDQ"
                                                              : NULL;
    if (missing && out_why)
        *out_why = g_strdup_printf(_("The software CPU needs a processor with %s, which this "
                                     "computer's processor does not have."),
                                   missing);
    return !missing;
}

static void fp_load_host_mxcsr(uint32_t value)
{
    asm volatile("ldmxcsr %0" ::"m"(value));
}

static uint32_t fp_read_host_mxcsr(void)
{
    uint32_t value;
    asm volatile("stmxcsr %0" : "=m"(value));
    return value;
}

/* What the host's MXCSR must be for the guest's. With an exception unmasked the host's flags are
 * clear between instructions, so that each one's own can be told; and unmasked underflow turns
 * flush-to-zero off, as the guest's would. */
static void fp_load_guest_mxcsr(SoftCpu *cpu)
{
    uint32_t value = cpu->mxcsr | MXCSR_MASKS;
    cpu->sse_precise = (cpu->mxcsr & MXCSR_MASKS) != MXCSR_MASKS;
    if (cpu->sse_precise) {
        value &= ~MXCSR_FLAGS;
        if (!(cpu->mxcsr & MXCSR_UM))
            value &= ~MXCSR_FTZ;
    }
    fp_load_host_mxcsr(value);
}

uint32_t soft_fp_get_mxcsr(SoftCpu *cpu)
{
    cpu->mxcsr |= fp_read_host_mxcsr() & MXCSR_FLAGS;
    return cpu->mxcsr;
}

void soft_fp_set_mxcsr(SoftCpu *cpu, uint32_t value)
{
    cpu->mxcsr = value;
    fp_load_guest_mxcsr(cpu);
}

void soft_fp_load_control(SoftCpu *cpu)
{
    /* FNCLEX first: a sticky flag of the host that the new word unmasks would raise SIGFPE. */
    asm volatile("fnclex\n\tfldcw %0" ::"m"(cpu->fpu.control));
}

void soft_fp_enter(SoftCpu *cpu)
{
    cpu->host_mxcsr = fp_read_host_mxcsr();
    asm volatile("fnstcw %0" : "=m"(cpu->host_control));
    fp_load_guest_mxcsr(cpu);
    soft_fp_load_control(cpu);
}

void soft_fp_leave(SoftCpu *cpu)
{
    soft_fp_spill(cpu);
    soft_fp_get_mxcsr(cpu);
    fp_load_host_mxcsr(cpu->host_mxcsr);
    asm volatile("fnclex\n\tfldcw %0" ::"m"(cpu->host_control));
}

/* Operands ------------------------------------------------------------------------------------ */

uint64_t soft_fp_check_operand(SoftCpu *cpu, unsigned size, unsigned alignment, bool write)
{
    const SoftOp *op = cpu->op;
    uint64_t offset = soft_ea(cpu, op);
    uint64_t linear = soft_linear(cpu, op->seg, offset, size, write);
    if (linear & (alignment - 1))
        soft_fault_error(cpu, X86_GP, 0);
    return offset;
}

const void *soft_fp_fetch(SoftCpu *cpu, unsigned size, unsigned alignment)
{
    const SoftOp *op = cpu->op;
    uint64_t offset =
        alignment > 1 ? soft_fp_check_operand(cpu, size, alignment, false) : soft_ea(cpu, op);
    soft_load_bytes(cpu, op->seg, offset, &cpu->fp_operand, size);
    return &cpu->fp_operand;
}

/* x87 errors ---------------------------------------------------------------------------------- */

void soft_fp_signal_error(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    if (cpu->cr0 & CR0_NE || cpu->fpu.error_signalled)
        return;
    cpu->fpu.error_signalled = true;
    if (board->x87_error) {
        soft_guest_leave(cpu);
        board->x87_error(board->opaque, cpu->vcpu.id);
        soft_guest_enter(cpu);
    }
    soft_request_attention(cpu);
}

bool soft_fp_pending(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (cpu->cr0 & CR0_NE)
        soft_fault(cpu, X86_MF);
    /* The processor would freeze here until IRQ 13 comes, unless IGNNE# is active, as it is in the
     * handler after the write to port F0. Give the interrupt one chance, then go on. */
    if (cpu->fpu.error_signalled)
        return true;
    soft_fp_signal_error(cpu);
    if (!(cpu->rflags & RFLAGS_IF))
        return true;
    soft_finish_at(cpu, op, soft_rip_of(cpu, op));
    return false;
}

void soft_fp_update_summary(SoftCpu *cpu)
{
    if (cpu->fpu.status & ~cpu->fpu.control & FPU_EXCEPTIONS) {
        cpu->fpu.status |= FPU_ES | FPU_B;
    } else {
        cpu->fpu.status &= ~(FPU_ES | FPU_B);
        cpu->fpu.error_signalled = false;
    }
}

/* Unmasked SSE exceptions --------------------------------------------------------------------- */

static bool fp_has_tiny_single(__m128i value, unsigned lanes)
{
    __m128i magnitude = _mm_and_si128(value, _mm_set1_epi32(0x7FFFFFFF));
    __m128i small = _mm_cmplt_epi32(magnitude, _mm_set1_epi32(0x00800000));
    __m128i zero = _mm_cmpeq_epi32(magnitude, _mm_setzero_si128());
    return _mm_movemask_ps(_mm_castsi128_ps(_mm_andnot_si128(zero, small))) & lanes;
}

static bool fp_has_tiny_double(__m128i value, unsigned lanes)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t q = (uint64_t)(i ? _mm_extract_epi64(value, 1) : _mm_cvtsi128_si64(value)) << 1;
        if (lanes >> i & 1 && q && q < UINT64_C(1) << 53)
            return true;
    }
    return false;
}

/* Flags that the instruction raised; @tiny: a result is denormal. Unmasked underflow is raised by
 * a tiny result even when it is exact, which the masked run did not flag (SDM vol. 1 §11.5.2.4). */
static void fp_check_exceptions(SoftCpu *cpu, SoftOp *op, bool tiny)
{
    uint32_t flags = fp_read_host_mxcsr() & MXCSR_FLAGS;
    if (tiny && !(cpu->mxcsr & MXCSR_UM))
        flags |= FPU_UE;
    if (!flags)
        return;
    uint32_t unmasked = flags & ~(cpu->mxcsr >> 7);
    /* An exception found before the computation keeps it from happening. */
    if (unmasked & (FPU_IE | FPU_DE | FPU_ZE))
        flags &= FPU_IE | FPU_DE | FPU_ZE;
    cpu->mxcsr |= flags;
    fp_load_guest_mxcsr(cpu);
    if (!unmasked)
        return;
    SOFT_AT(cpu, op);
    soft_fault(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? X86_XM : X86_UD);
}

SoftNext soft_fp_commit_ps(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, fp_has_tiny_single(value, 15));
    XMM_I(op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_ss(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, fp_has_tiny_single(value, 1));
    XMM_I(op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_pd(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, fp_has_tiny_double(value, 3));
    XMM_I(op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_sd(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, fp_has_tiny_double(value, 1));
    XMM_I(op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_xmm(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, false);
    XMM_I(op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_gpr(SoftCpu *cpu, SoftOp *op, uint64_t value)
{
    fp_check_exceptions(cpu, op, false);
    SOFT_R64(cpu, op->dst) = value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_mmx(SoftCpu *cpu, SoftOp *op, __m128i value)
{
    fp_check_exceptions(cpu, op, false);
    mmx_write(cpu, op->dst, (uint64_t)_mm_cvtsi128_si64(value));
    SOFT_NEXT(cpu, op);
}

SoftNext soft_fp_commit_flags(SoftCpu *cpu, SoftOp *op, uint32_t flags)
{
    fp_check_exceptions(cpu, op, false);
    cpu->flags = flags;
    SOFT_NEXT(cpu, op);
}
