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
    __atomic_store_n(&cpu->in_guest, 0, __ATOMIC_SEQ_CST);
    if (G_UNLIKELY(__atomic_load_n(&machine->exclusive_wanted, __ATOMIC_SEQ_CST))) {
        g_mutex_lock(&machine->lock);
        g_cond_broadcast(&machine->changed);
        g_mutex_unlock(&machine->lock);
    }
}

void soft_guest_enter(SoftCpu *cpu)
{
    SoftMachine *machine = cpu->machine;
    if (G_UNLIKELY(cpu->alone)) {
        soft_machine_exclusive_begin(machine);
        return;
    }
    for (;;) {
        /* Sequentially consistent on both sides: either we see the wish, or its maker sees us
         * inside. */
        __atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
        if (G_LIKELY(!__atomic_load_n(&machine->exclusive_wanted, __ATOMIC_SEQ_CST)))
            return;
        soft_guest_leave(cpu);
        g_mutex_lock(&machine->lock);
        while (__atomic_load_n(&machine->exclusive_wanted, __ATOMIC_SEQ_CST))
            g_cond_wait(&machine->changed, &machine->lock);
        g_mutex_unlock(&machine->lock);
    }
}

static bool soft_machine_is_quiet(SoftMachine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        SoftCpu *cpu = machine->vcpu[i];
        if (cpu && __atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST))
            return false;
    }
    return true;
}

void soft_machine_exclusive_begin(SoftMachine *machine)
{
    g_mutex_lock(&machine->lock);
    while (machine->exclusive_taken)
        g_cond_wait(&machine->changed, &machine->lock);
    machine->exclusive_taken = true;
    __atomic_store_n(&machine->exclusive_wanted, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (machine->vcpu[i])
            soft_request_attention(machine->vcpu[i]);
    while (!soft_machine_is_quiet(machine))
        g_cond_wait(&machine->changed, &machine->lock);
    g_mutex_unlock(&machine->lock);
}

void soft_machine_exclusive_end(SoftMachine *machine)
{
    g_mutex_lock(&machine->lock);
    machine->exclusive_taken = false;
    __atomic_store_n(&machine->exclusive_wanted, 0, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&machine->changed);
    g_mutex_unlock(&machine->lock);
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
