/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* CPUID: the machine's model, and the two bits of it that follow the guest. */

#include "core/cpu/soft/system.h"

#define LEAF_1_ECX_OSXSAVE (UINT32_C(1) << 27)
#define LEAF_80000001_EDX_SYSCALL (UINT32_C(1) << 11)

void soft_cpuid(SoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    cpu_model_leaf(&cpu->vcpu.board->model, cpu->vcpu.id, leaf, subleaf, out);
    if (leaf == 1 && cpu->cr4 & CR4_OSXSAVE)
        out[2] |= LEAF_1_ECX_OSXSAVE;
    if (leaf == 0x80000001 && !soft_in_64bit(cpu))
        out[3] &= ~LEAF_80000001_EDX_SYSCALL;
}

static G_GNUC_NO_INLINE void cpuid(SoftCpu *cpu)
{
    uint32_t out[4];
    soft_cpuid(cpu, (uint32_t)cpu->gpr[0], (uint32_t)cpu->gpr[1], out);
    cpu->gpr[0] = out[0];
    cpu->gpr[3] = out[1];
    cpu->gpr[1] = out[2];
    cpu->gpr[2] = out[3];
}

SoftNext soft_op_cpuid(SoftCpu *cpu, SoftOp *op)
{
    cpuid(cpu);
    SOFT_NEXT(cpu, op);
}
