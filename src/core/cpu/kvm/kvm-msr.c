/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Model-specific registers: which of ours this KVM has, and their way out and in. */

#include "core/cpu/kvm/kvm-machine.h"
#include <string.h>
#include <sys/ioctl.h>

/* Where each MSR has its home in a CpuState. */
static const struct {
    uint32_t index;
    uint16_t offset;
} homes[] = {
    { 0xC0000081, offsetof(CpuState, msr.star) },
    { 0xC0000082, offsetof(CpuState, msr.lstar) },
    { 0xC0000083, offsetof(CpuState, msr.cstar) },
    { 0xC0000084, offsetof(CpuState, msr.sfmask) },
    { 0xC0000102, offsetof(CpuState, msr.kernel_gs_base) },
    { 0xC0000103, offsetof(CpuState, msr.tsc_aux) },
    { 0x277, offsetof(CpuState, msr.pat) },
    { 0x174, offsetof(CpuState, msr.sysenter_cs) },
    { 0x175, offsetof(CpuState, msr.sysenter_esp) },
    { 0x176, offsetof(CpuState, msr.sysenter_eip) },
    { 0x1A0, offsetof(CpuState, msr.misc_enable) },
    { 0x1D9, offsetof(CpuState, msr.debugctl) },
    { 0x48, offsetof(CpuState, msr.spec_ctrl) },
    { 0x2FF, offsetof(CpuState, msr.mtrr_def_type) },
    { 0x250, offsetof(CpuState, msr.mtrr_fixed[0]) },
    { 0x258, offsetof(CpuState, msr.mtrr_fixed[1]) },
    { 0x259, offsetof(CpuState, msr.mtrr_fixed[2]) },
    { 0x268, offsetof(CpuState, msr.mtrr_fixed[3]) },
    { 0x269, offsetof(CpuState, msr.mtrr_fixed[4]) },
    { 0x26A, offsetof(CpuState, msr.mtrr_fixed[5]) },
    { 0x26B, offsetof(CpuState, msr.mtrr_fixed[6]) },
    { 0x26C, offsetof(CpuState, msr.mtrr_fixed[7]) },
    { 0x26D, offsetof(CpuState, msr.mtrr_fixed[8]) },
    { 0x26E, offsetof(CpuState, msr.mtrr_fixed[9]) },
    { 0x26F, offsetof(CpuState, msr.mtrr_fixed[10]) },
    { 0x200, offsetof(CpuState, msr.mtrr_base[0]) },
    { 0x201, offsetof(CpuState, msr.mtrr_mask[0]) },
    { 0x202, offsetof(CpuState, msr.mtrr_base[1]) },
    { 0x203, offsetof(CpuState, msr.mtrr_mask[1]) },
    { 0x204, offsetof(CpuState, msr.mtrr_base[2]) },
    { 0x205, offsetof(CpuState, msr.mtrr_mask[2]) },
    { 0x206, offsetof(CpuState, msr.mtrr_base[3]) },
    { 0x207, offsetof(CpuState, msr.mtrr_mask[3]) },
    { 0x208, offsetof(CpuState, msr.mtrr_base[4]) },
    { 0x209, offsetof(CpuState, msr.mtrr_mask[4]) },
    { 0x20A, offsetof(CpuState, msr.mtrr_base[5]) },
    { 0x20B, offsetof(CpuState, msr.mtrr_mask[5]) },
    { 0x20C, offsetof(CpuState, msr.mtrr_base[6]) },
    { 0x20D, offsetof(CpuState, msr.mtrr_mask[6]) },
    { 0x20E, offsetof(CpuState, msr.mtrr_base[7]) },
    { 0x20F, offsetof(CpuState, msr.mtrr_mask[7]) },
};

typedef struct {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[G_N_ELEMENTS(homes)];
} MsrTable;

static uint64_t *home_of(CpuState *state, unsigned i)
{
    return (uint64_t *)((char *)state + homes[i].offset);
}

typedef struct {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
} OneMsr;

bool kvm_try_get_msr(const KvmCpu *cpu, uint32_t index, uint64_t *out_value)
{
    OneMsr one = { .head.nmsrs = 1, .entry.index = index };
    bool good = ioctl(cpu->fd, KVM_GET_MSRS, &one) == 1;

    *out_value = one.entry.data;
    return good;
}

bool kvm_try_set_msr(const KvmCpu *cpu, uint32_t index, uint64_t value)
{
    OneMsr one = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

    return ioctl(cpu->fd, KVM_SET_MSRS, &one) == 1;
}

uint64_t kvm_get_msr(KvmCpu *cpu, uint32_t index)
{
    OneMsr one = { .head.nmsrs = 1, .entry.index = index };

    kvm_must(cpu, KVM_GET_MSRS, &one, "reading a model-specific register");
    return one.entry.data;
}

void kvm_set_msr(KvmCpu *cpu, uint32_t index, uint64_t value)
{
    OneMsr one = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

    kvm_must(cpu, KVM_SET_MSRS, &one, "setting a model-specific register");
}

/* Which of ours this KVM has: the rest keep what they are. */
void kvm_msr_init(KvmMachine *machine, const KvmCpu *first)
{
    uint64_t value;

    machine->msrs = g_new0(uint32_t, G_N_ELEMENTS(homes));
    for (unsigned i = 0; i < G_N_ELEMENTS(homes); i++)
        if (kvm_try_get_msr(first, homes[i].index, &value))
            machine->msrs[machine->n_msrs++] = i;
}

void kvm_get_msrs(KvmCpu *cpu, CpuState *state)
{
    const KvmMachine *machine = cpu->machine;
    MsrTable table = { .head.nmsrs = machine->n_msrs };

    for (unsigned i = 0; i < machine->n_msrs; i++)
        table.entries[i].index = homes[machine->msrs[i]].index;
    kvm_must(cpu, KVM_GET_MSRS, &table, "reading model-specific registers");
    for (unsigned i = 0; i < machine->n_msrs; i++)
        *home_of(state, machine->msrs[i]) = table.entries[i].data;
}

void kvm_set_msrs(KvmCpu *cpu, const CpuState *state)
{
    const KvmMachine *machine = cpu->machine;
    MsrTable table = { .head.nmsrs = machine->n_msrs };

    for (unsigned i = 0; i < machine->n_msrs; i++) {
        unsigned home = machine->msrs[i];
        table.entries[i].index = homes[home].index;
        table.entries[i].data = *home_of((CpuState *)state, home);
    }
    /* It stops at the first that it does not like, and says how many it took. Such a one has a
     * value that this KVM's processor does not know, and keeps its own. */
    while (table.head.nmsrs > 0) {
        int taken = kvm_must(cpu, KVM_SET_MSRS, &table, "setting model-specific registers");
        if (taken < 0 || (unsigned)taken >= table.head.nmsrs)
            break;
        g_debug("KVM: MSR 0x%x stays", table.entries[taken].index);
        unsigned n = table.head.nmsrs - (unsigned)taken - 1;
        memmove(table.entries, table.entries + taken + 1, n * sizeof table.entries[0]);
        table.head.nmsrs = n;
    }
}
