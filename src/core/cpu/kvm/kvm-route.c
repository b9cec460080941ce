/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The kernel's table of interrupt routes: numbers (GSIs) and the message that each stands for. The
 * first KVM_LEVEL_ROUTES are those of the I/O APIC's inputs, which the kernel looks at to know
 * whose EOI we want to hear of (kvm-irq.c); the others belong to eventfds, whose events the kernel
 * turns into messages by itself (irq/msi-route.h). Board lock held. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/irq/apic.h"
#include <errno.h>
#include <gio/gio.h>
#include <sys/ioctl.h>

#define MESSAGE_ROUTES 104
#define MAX_ROUTES (KVM_LEVEL_ROUTES + MESSAGE_ROUTES)

void kvm_route_init(KvmMachine *machine)
{
    machine->routes =
        g_malloc0(sizeof *machine->routes + MAX_ROUTES * sizeof machine->routes->entries[0]);
}

static struct kvm_irq_routing_entry *find(const KvmMachine *machine, unsigned gsi)
{
    for (unsigned i = 0; i < machine->routes->nr; i++)
        if (machine->routes->entries[i].gsi == gsi)
            return &machine->routes->entries[i];
    return NULL;
}

static bool tell_kernel(KvmMachine *machine)
{
    if (ioctl(machine->vm_fd, KVM_SET_GSI_ROUTING, machine->routes) == 0)
        return true;
    g_warning("KVM: interrupt routes: %s", g_strerror(errno));
    return false;
}

bool kvm_route_set(KvmMachine *machine, unsigned gsi, uint64_t address, uint32_t data)
{
    struct kvm_irq_routing_entry *entry = find(machine, gsi);

    if (!entry)
        entry = &machine->routes->entries[machine->routes->nr++];
    *entry = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = { .address_lo = (uint32_t)address,
                   .address_hi = (uint32_t)(address >> 32),
                   .data = data },
    };
    return tell_kernel(machine);
}

static void clear(KvmMachine *machine, unsigned gsi)
{
    struct kvm_irq_routing_entry *entry = find(machine, gsi);

    *entry = machine->routes->entries[--machine->routes->nr];
    tell_kernel(machine);
}

bool kvm_route_is_level(const KvmMachine *machine, uint32_t address, uint32_t data)
{
    for (unsigned i = 0; i < machine->routes->nr; i++) {
        const struct kvm_irq_routing_entry *entry = &machine->routes->entries[i];
        if (entry->gsi < KVM_LEVEL_ROUTES && entry->u.msi.address_lo == address &&
            entry->u.msi.data == data)
            return true;
    }
    return false;
}

static int set_irqfd(KvmMachine *machine, int fd, unsigned gsi, uint32_t flags)
{
    struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = gsi, .flags = flags };

    return ioctl(machine->vm_fd, KVM_IRQFD, &irqfd);
}

/* -1 where there are no more, and for what is no message to a local APIC: the kernel would take it
 * for one. */
int kvm_attach_message(void *backend, int fd, uint64_t address, uint32_t data)
{
    KvmMachine *machine = backend;
    unsigned gsi = KVM_LEVEL_ROUTES;

    while (gsi < MAX_ROUTES && find(machine, gsi))
        gsi++;
    if (gsi == MAX_ROUTES || address >> 20 != APIC_BASE_DEFAULT >> 20)
        return -1;
    if (kvm_route_set(machine, gsi, address, data) && set_irqfd(machine, fd, gsi, 0) == 0)
        return (int)gsi;
    clear(machine, gsi);
    return -1;
}

/* The kernel has injected what it took from the eventfd when this ioctl returns. */
void kvm_detach_message(void *backend, int number, int fd)
{
    KvmMachine *machine = backend;

    if (set_irqfd(machine, fd, (unsigned)number, KVM_IRQFD_FLAG_DEASSIGN) < 0)
        g_warning("KVM: an interrupt's eventfd: %s", g_strerror(errno));
    clear(machine, (unsigned)number);
}
