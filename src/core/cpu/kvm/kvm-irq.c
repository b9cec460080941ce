/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Messages from the board to the local APICs, which are in the kernel. The kernel must know the
 * level-triggered ones beforehand, by its routing table, to tell us when the guest has handled
 * them: the table is learnt from the messages themselves. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/irq/apic.h"
#include <sys/ioctl.h>

#define N_VECTORS 256

/* A message in MSI form (SDM vol. 3A §11.11). */
static uint32_t msi_address(const ApicMessage *message)
{
    return APIC_BASE_DEFAULT | (message->destination & 0xFF) << 12 |
           (message->logical ? 1u << 2 : 0);
}

static uint32_t msi_data(const ApicMessage *message)
{
    return message->vector | (uint32_t)message->delivery << 8 |
           (message->level ? 1u << 15 | 1u << 14 : 0);
}

/* The kernel will not say when @vector is handled, and the I/O APIC would wait for that for ever:
 * the guest leaves KVM, and what was not said is made up for when its CPUs rest. */
static void expect_no_end(KvmMachine *machine, uint8_t vector)
{
    machine->unended[vector / 32] |= 1u << vector % 32;
    __atomic_store_n(&machine->has_unended, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (machine->vcpu[i])
            vcpu_signal(&machine->vcpu[i]->vcpu, VCPU_SIGNAL_WORK);
}

/* The oldest makes room: guests set their inputs up once. */
static void learn_route(KvmMachine *machine, uint32_t address, uint32_t data)
{
    if (kvm_route_is_level(machine, address, data))
        return;
    if (!kvm_route_set(machine, machine->next_route++ % KVM_LEVEL_ROUTES, address, data))
        expect_no_end(machine, (uint8_t)data);
}

/* An end too many makes an interrupt whose wire is up come once more, which guests expect of
 * level-triggered ones; an end too few, never again. */
void kvm_irq_make_up_for_ends(KvmMachine *machine)
{
    const CpuBoard *board = machine->board;

    g_rec_mutex_lock(board->lock);
    for (unsigned vector = 0; machine->has_unended && vector < N_VECTORS; vector++)
        if (machine->unended[vector / 32] & 1u << vector % 32)
            board->apic_eoi(board->opaque, (uint8_t)vector);
    g_rec_mutex_unlock(board->lock);
}

void kvm_irq_expect_end(KvmMachine *machine, unsigned apic_id, uint8_t vector)
{
    const ApicMessage message = { .destination = apic_id, .level = true, .vector = vector };

    g_rec_mutex_lock(machine->board->lock);
    learn_route(machine, msi_address(&message), msi_data(&message));
    g_rec_mutex_unlock(machine->board->lock);
}

void kvm_irq_send(void *backend, const ApicMessage *message)
{
    KvmMachine *machine = backend;
    struct kvm_msi msi = { .address_lo = msi_address(message), .data = msi_data(message) };

    if (message->level)
        learn_route(machine, msi.address_lo, msi.data);
    ioctl(machine->vm_fd, KVM_SIGNAL_MSI, &msi); /* nobody there: lost, as on the bus */
}
