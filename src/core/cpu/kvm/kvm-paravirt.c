/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The paravirtual registers (paravirt.h) on KVM. It hands accesses to those over, so that they are
 * the board's on every CPU, and a guest's time goes on evenly when it changes its CPU. KVM's own
 * kvmclock is switched off thereby. Writes to the TSC come too: what is derived from it changes. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/msr.h"
#include "core/cpu/paravirt.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

/* What the MSRs' owner must be told of, and what cannot be had without. */
#define FILTERED_RANGES 3
static const struct {
    uint32_t first, n;
} paravirt_ranges[FILTERED_RANGES] = { { 0x11, 2 }, { 0x4B564D00, 2 }, { 0x40000000, 0x200 } };

/* Where the kernel's own choice of a clock shows that TSCs are not to be trusted. */
static bool host_tsc_is_steady(void)
{
    g_autofree char *source = NULL;

    if (!g_file_get_contents("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                             &source, NULL, NULL))
        return true;
    g_strchomp(source);
    return strcmp(source, "hpet") != 0 && strcmp(source, "acpi_pm") != 0 &&
           strcmp(source, "jiffies") != 0 && strcmp(source, "refined-jiffies") != 0;
}

static bool has_capability(const KvmMachine *machine, int capability)
{
    return ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, capability) > 0;
}

void kvm_paravirt_limit(KvmMachine *machine, const CpuModel *wanted, uint32_t out[CPU_N_FEATURES])
{
    struct kvm_enable_cap user_msrs = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
                                        .args = { KVM_MSR_EXIT_REASON_FILTER } };
    struct kvm_msr_filter nothing = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };

    out[CPU_FEATURES_KVM] = out[CPU_FEATURES_HYPERV] = 0;
    bool has_all =
        has_capability(machine, KVM_CAP_X86_USER_SPACE_MSR) &&
        has_capability(machine, KVM_CAP_X86_MSR_FILTER) &&
        has_capability(machine, KVM_CAP_VCPU_ATTRIBUTES) && /* whose TSC's offset is known */
        host_tsc_is_steady() && ioctl(machine->vm_fd, KVM_ENABLE_CAP, &user_msrs) == 0 &&
        ioctl(machine->vm_fd, KVM_X86_SET_MSR_FILTER, &nothing) == 0;
    if (!has_all)
        return;
    out[CPU_FEATURES_KVM] = wanted->features[CPU_FEATURES_KVM];
    out[CPU_FEATURES_HYPERV] = wanted->features[CPU_FEATURES_HYPERV];
}

static void add_range(struct kvm_msr_filter *filter, unsigned *n, uint32_t flags, uint32_t first,
                      uint32_t count)
{
    static uint8_t nothing_allowed[0x200 / 8] __attribute__((aligned(8)));

    filter->ranges[(*n)++] = (struct kvm_msr_filter_range){
        .flags = flags, .nmsrs = count, .base = first, .bitmap = nothing_allowed
    };
}

bool kvm_paravirt_init(KvmMachine *machine, GError **error)
{
    struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };
    const CpuModel *model = &machine->board->model;
    unsigned n = 0;

    for (unsigned i = 0; i < FILTERED_RANGES; i++)
        if (paravirt_has_msr(model, paravirt_ranges[i].first))
            add_range(&filter, &n, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                      paravirt_ranges[i].first, paravirt_ranges[i].n);
    if (n == 0)
        return true;
    if (machine->tsc_way == KVM_TSC_OFFSET) {
        add_range(&filter, &n, KVM_MSR_FILTER_WRITE, MSR_TSC, 1);
        add_range(&filter, &n, KVM_MSR_FILTER_WRITE, MSR_TSC_ADJUST, 1);
    }
    if (ioctl(machine->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) == 0)
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                _("KVM: it does not give up the registers of the guest's clock: %s"),
                g_strerror(errno));
    return false;
}

static ParavirtTsc tsc_of(KvmCpu *cpu)
{
    uint64_t offset = kvm_get_tsc_offset(cpu);

    return (ParavirtTsc){ .now = __rdtsc() + cpu->machine->tsc_ahead + offset, .offset = offset };
}

void kvm_paravirt_set_tsc(KvmCpu *cpu)
{
    paravirt_set_tsc(cpu->vcpu.board, cpu->vcpu.id, tsc_of(cpu));
}

/* Both ways of setting the counter show in IA32_TSC_ADJUST (SDM vol. 3B §17.17.3). */
static bool write_tsc(KvmCpu *cpu, uint32_t index, uint64_t value)
{
    ParavirtTsc tsc = tsc_of(cpu);
    uint64_t adjust = kvm_get_msr(cpu, MSR_TSC_ADJUST);
    uint64_t difference = value - (index == MSR_TSC ? tsc.now : adjust);

    cpu->tsc_offset = tsc.offset + difference;
    kvm_set_tsc_offset(cpu, cpu->tsc_offset);
    kvm_set_msr(cpu, MSR_TSC_ADJUST, adjust + difference);
    kvm_paravirt_set_tsc(cpu);
    return true;
}

void kvm_paravirt_on_msr(KvmCpu *cpu)
{
    struct kvm_run *run = cpu->run;
    const CpuBoard *board = cpu->vcpu.board;
    uint32_t index = run->msr.index;
    uint64_t value = run->msr.data;
    bool good;

    if (run->exit_reason == KVM_EXIT_X86_RDMSR)
        good = paravirt_read_msr(board, cpu->vcpu.id, index, tsc_of(cpu), &value);
    else if (index == MSR_TSC || index == MSR_TSC_ADJUST)
        good = write_tsc(cpu, index, value);
    else
        good = paravirt_write_msr(board, cpu->vcpu.id, index, tsc_of(cpu), value);
    run->msr.data = value;
    run->msr.error = !good;
    cpu->needs_entry = true;
}
