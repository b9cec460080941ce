/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* VMCALL and VMMCALL, by the convention of KVM (Documentation/virt/kvm/x86/hypercalls.rst of
 * Linux): the number in RAX, arguments in RBX and RCX, the answer in RAX. */

#include "core/cpu/soft/system.h"

#define NOT_PERMITTED (-INT64_C(1))

static uint64_t argument(const SoftCpu *cpu, unsigned reg)
{
    return soft_in_64bit(cpu) ? cpu->gpr[reg] : (uint32_t)cpu->gpr[reg];
}

static G_GNUC_NO_INLINE int64_t call(SoftCpu *cpu)
{
    soft_leave_for_board(cpu);
    int64_t answer = paravirt_call(cpu->vcpu.board, soft_paravirt_tsc(cpu), argument(cpu, 0),
                                   argument(cpu, 3), argument(cpu, 1));
    soft_guest_enter(cpu);
    return answer;
}

SoftNext soft_op_hypercall(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (!cpu->vcpu.board->model.features[CPU_FEATURES_KVM])
        soft_fault(cpu, X86_UD);
    int64_t answer = cpu->cpl != 0 ? NOT_PERMITTED : call(cpu);
    cpu->gpr[0] = soft_in_64bit(cpu) ? (uint64_t)answer : (uint32_t)answer;
    soft_finish(cpu, op);
    SOFT_GO(cpu);
}
