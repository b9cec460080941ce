/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/soft-machine.h"

/* A vCPU that is alone gives that up while it is outside: a device may wait for a lock whose holder
 * wants to be alone, or want that itself. No device can tell that a locked access came in two
 * parts.
 */
void soft_guest_leave(SoftCpu *cpu)
{
    SoftMachine *machine = cpu->machine;
    if (G_UNLIKELY(cpu->alone)) {
        soft_machine_exclusive_end(machine);
        return;
    }
    cpu_gate_leave(&machine->gate, &cpu->vcpu);
}

void soft_guest_enter(SoftCpu *cpu)
{
    SoftMachine *machine = cpu->machine;
    if (G_UNLIKELY(cpu->alone)) {
        soft_machine_exclusive_begin(machine);
        return;
    }
    cpu_gate_enter(&machine->gate, &cpu->vcpu);
}

void soft_machine_exclusive_begin(SoftMachine *machine)
{
    cpu_gate_close(&machine->gate);
}

void soft_machine_exclusive_end(SoftMachine *machine)
{
    cpu_gate_open(&machine->gate);
}

/* With one vCPU nobody else executes guest code, and whoever else asks for exclusion waits until
 * this vCPU is outside: it is alone already. */
void soft_exclusive_begin(SoftCpu *cpu)
{
    if (cpu->machine->n_vcpus == 1)
        return;
    soft_guest_leave(cpu);
    soft_machine_exclusive_begin(cpu->machine);
    cpu->alone = true;
}

void soft_exclusive_end(SoftCpu *cpu)
{
    if (cpu->machine->n_vcpus == 1)
        return;
    cpu->alone = false;
    soft_machine_exclusive_end(cpu->machine);
    soft_guest_enter(cpu);
}

void soft_machine_post_code_written(SoftMachine *machine, SoftCpu *self, uint64_t host_page,
                                    uint64_t lines)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        SoftCpu *cpu = machine->vcpu[i];
        if (!cpu || cpu == self)
            continue;
        g_mutex_lock(&machine->mail_lock);
        struct SoftMailbox *box = &machine->mailbox[i];
        if (box->n > 0 && box->page[box->n - 1].host_page == host_page) {
            box->page[box->n - 1].lines |= lines;
        } else if (box->n < SOFT_MAILBOX) {
            box->page[box->n].host_page = host_page;
            box->page[box->n].lines = lines;
            box->n++;
        } else {
            box->overflow = true;
        }
        g_mutex_unlock(&machine->mail_lock);
        __atomic_fetch_or(&cpu->vcpu.signals, VCPU_SIGNAL_WORK, __ATOMIC_SEQ_CST);
        soft_request_attention(cpu);
    }
}

void soft_read_mailbox(SoftCpu *cpu)
{
    SoftMachine *machine = cpu->machine;
    g_mutex_lock(&machine->mail_lock);
    struct SoftMailbox box = machine->mailbox[cpu->vcpu.id];
    machine->mailbox[cpu->vcpu.id].n = 0;
    machine->mailbox[cpu->vcpu.id].overflow = false;
    g_mutex_unlock(&machine->mail_lock);
    if (box.overflow) {
        soft_code_cache_flush(cpu);
        return;
    }
    for (unsigned i = 0; i < box.n; i++)
        soft_code_cache_written(cpu, box.page[i].host_page, box.page[i].lines, false);
}
