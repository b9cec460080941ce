/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/choose.h"

bool cpu_needs_probe(CpuWish wish, bool deterministic)
{
    return wish != CPU_WISH_SOFTWARE && !deterministic;
}

CpuDecision cpu_decide(CpuWish wish, bool deterministic, const CpuProbe *probe)
{
    if (wish == CPU_WISH_SOFTWARE)
        return (CpuDecision){ &cpu_soft_ops, CPU_REASON_SET, { { 0 } } };
    if (deterministic)
        return (CpuDecision){ &cpu_soft_ops, CPU_REASON_DETERMINISTIC, { { 0 } } };

    bool is_wished = wish == CPU_WISH_KVM;
    if (probe->trouble.kind != KVM_TROUBLE_NONE)
        return (CpuDecision){ is_wished ? NULL : &cpu_soft_ops, CPU_REASON_TROUBLE, *probe };
    if (probe->kvm_mips < probe->software_mips)
        return (CpuDecision){ is_wished ? &cpu_kvm_ops : &cpu_soft_ops, CPU_REASON_SLOW, *probe };
    return (CpuDecision){ &cpu_kvm_ops, is_wished ? CPU_REASON_SET : CPU_REASON_FASTER, *probe };
}

CpuDecision cpu_decide_again(CpuWish wish, const KvmTrouble *trouble)
{
    const CpuProbe now = { .trouble = *trouble };
    return cpu_decide(wish, false, &now);
}
