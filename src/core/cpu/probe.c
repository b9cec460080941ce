/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/probe.h"
#include "core/cpu/kvm/kvm-probe.h"
#include "core/cpu/probe-cache.h"
#include "core/cpu/probe-soft.h"
#include <unistd.h>

#define MS INT64_C(1000000)
#define KVM_BUDGET (5 * MS)
#define KVM_LIMIT (70 * MS) /* of the 100 that a start may wait; a sound KVM needs ten */
#define SOFT_BUDGET (3 * MS / 2)

static void measure(CpuProbe *probe)
{
    KvmProbe kvm;
    ProbeGuest software;
    kvm_probe(KVM_BUDGET, KVM_LIMIT, &kvm);
    probe->trouble = kvm.trouble;
    probe->kvm_mips = kvm.mips;
    if (kvm.trouble.kind != KVM_TROUBLE_NONE)
        return;
    probe_guest_init(&software, SOFT_BUDGET);
    if (probe_soft_run(&software))
        probe->software_mips = software.mips;
}

void cpu_probe(const char *cache_path, CpuProbe *out_probe)
{
    *out_probe = (CpuProbe){ 0 };
    int fd = kvm_device_open(&out_probe->trouble);
    if (fd < 0)
        return;
    close(fd);
    if (cache_path && probe_cache_load(cache_path, out_probe))
        return;
    measure(out_probe);
    if (cache_path && out_probe->trouble.kind == KVM_TROUBLE_NONE)
        probe_cache_save(cache_path, out_probe);
}
