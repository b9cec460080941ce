/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The guest's TSC is the clock's time in ticks plus an offset that the guest may change; the
 * kernel has it as the host's TSC plus an offset. The two run at one rate, so their distance is
 * measured when the clock starts, once for all vCPUs: their TSCs are in step. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/msr.h"
#include "core/cpu/paravirt.h"
#include <sys/ioctl.h>
#include <x86intrin.h>

static uint64_t clock_ticks(const KvmMachine *machine)
{
    return clock_ns_to_ticks(clock_now_ns(machine->board->clock), machine->board->model.tsc_hz);
}

static bool access_tsc_offset(KvmCpu *cpu, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
                                    .attr = KVM_VCPU_TSC_OFFSET,
                                    .addr = (uintptr_t)offset };
    return ioctl(cpu->fd, request, &attr) == 0;
}

#define NEARLY_ZERO (UINT64_C(1) << 34) /* ticks: seconds after the counter was set to 0 */

/* Kernels since 5.16 tell and take the offset. Where they do not, the counter is written. And some
 * that run the guest on page tables alone can do neither: its TSC is the host's. */
static int find_way(KvmCpu *cpu)
{
    uint64_t offset = -(uint64_t)__rdtsc();

    if (access_tsc_offset(cpu, KVM_SET_DEVICE_ATTR, &offset) &&
        kvm_get_msr(cpu, MSR_TSC) < NEARLY_ZERO)
        return KVM_TSC_OFFSET;
    kvm_set_msr(cpu, MSR_TSC, 0);
    return kvm_get_msr(cpu, MSR_TSC) < NEARLY_ZERO ? KVM_TSC_WRITE : KVM_TSC_FIXED;
}

uint64_t kvm_get_tsc_offset(KvmCpu *cpu)
{
    KvmMachine *machine = cpu->machine;
    uint64_t kernels = 0;

    switch (machine->tsc_way) {
    case KVM_TSC_OFFSET:
        access_tsc_offset(cpu, KVM_GET_DEVICE_ATTR, &kernels);
        return kernels - machine->tsc_ahead;
    case KVM_TSC_WRITE: return kvm_get_msr(cpu, MSR_TSC) - clock_ticks(machine);
    case KVM_TSC_FIXED: break;
    }
    return -machine->tsc_ahead;
}

void kvm_set_tsc_offset(KvmCpu *cpu, uint64_t offset)
{
    KvmMachine *machine = cpu->machine;
    uint64_t kernels = machine->tsc_ahead + offset;

    switch (machine->tsc_way) {
    case KVM_TSC_OFFSET: access_tsc_offset(cpu, KVM_SET_DEVICE_ATTR, &kernels); break;
    case KVM_TSC_WRITE: kvm_set_msr(cpu, MSR_TSC, clock_ticks(machine) + offset); break;
    case KVM_TSC_FIXED: break;
    }
}

/* The closest of a few looks at both: whoever is kept waiting between two looks is no measure. */
static uint64_t measure_ahead(const KvmMachine *machine)
{
    uint64_t best = UINT64_MAX, ahead = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = __rdtsc(), ticks = clock_ticks(machine), took = __rdtsc() - before;
        if (took < best) {
            best = took;
            ahead = ticks - (before + took / 2);
        }
    }
    return ahead;
}

/* The clock and the host's TSC drift apart while the guest runs: measured anew at the first vCPU's
 * stop, so that none is set back by it later. */
void kvm_note_tsc(KvmCpu *cpu)
{
    KvmMachine *machine = cpu->machine;

    g_mutex_lock(&machine->lock);
    if (!machine->tsc_rests) {
        uint64_t before = machine->tsc_ahead;
        machine->tsc_ahead = measure_ahead(machine);
        paravirt_add_lead(machine->board, before - machine->tsc_ahead);
    }
    machine->tsc_rests = true;
    g_mutex_unlock(&machine->lock);
    cpu->tsc_offset = kvm_get_tsc_offset(cpu);
}

void kvm_resume(void *backend)
{
    KvmMachine *machine = backend;

    machine->tsc_ahead = measure_ahead(machine);
    machine->tsc_rests = false;
    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (machine->vcpu[i]) {
            kvm_set_tsc_offset(machine->vcpu[i], machine->vcpu[i]->tsc_offset);
            kvm_paravirt_set_tsc(machine->vcpu[i]);
        }
}

void kvm_tsc_init(KvmMachine *machine, KvmCpu *first)
{
    machine->tsc_way = find_way(first);
    kvm_resume(machine);
}
