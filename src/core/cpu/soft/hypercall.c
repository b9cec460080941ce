/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* VMCALL and VMMCALL, by the convention of KVM (Documentation/virt/kvm/x86/hypercalls.rst of
 * Linux): the number in RAX, the answer there too. No call is offered; guests may try. */

#include "core/cpu/soft/system.h"

#define NOT_PERMITTED (-INT64_C(1))
#define NOT_IMPLEMENTED (-INT64_C(1000))

SoftNext soft_op_hypercall(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (!cpu->vcpu.board->model.features[CPU_FEATURES_KVM])
        soft_fault(cpu, X86_UD);
    int64_t answer = cpu->cpl != 0 ? NOT_PERMITTED : NOT_IMPLEMENTED;
    cpu->gpr[0] = soft_in_64bit(cpu) ? (uint64_t)answer : (uint32_t)answer;
    SOFT_NEXT(cpu, op);
}
