/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Writes that may wait: the kernel keeps them in a ring instead of leaving the guest for each
 * (api.rst, KVM_REGISTER_COALESCED_MMIO). The ring is emptied, in order, before anything else of
 * the guest's reaches the board and before anybody looks at what the writes have made. Board lock
 * held, but for the last function. */

#include "core/cpu/kvm/kvm-machine.h"
#include <gio/gio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RING_PAGE_MAX 16

/* The ring lies behind the shared page of each vCPU, and is the same for all. */
void kvm_coalesced_init(KvmMachine *machine, KvmCpu *first)
{
    int page = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
    size_t page_size = (size_t)getpagesize();

    if (page <= 0 || page > RING_PAGE_MAX || machine->run_size < ((size_t)page + 1) * page_size)
        return;
    machine->ring = (struct kvm_coalesced_mmio_ring *)((char *)first->run + page * page_size);
    machine->ring_length =
        (unsigned)((page_size - sizeof *machine->ring) / sizeof machine->ring->coalesced_mmio[0]);
    kvm_coalesced_on_view(machine, address_space_view(machine->board->memory));
}

void kvm_coalesced_clear(KvmMachine *machine)
{
    kvm_coalesced_drain(machine);
    machine->ring = NULL;
}

void kvm_coalesced_drain(KvmMachine *machine)
{
    struct kvm_coalesced_mmio_ring *ring = machine->ring;

    if (!ring || machine->ring_drains)
        return;
    machine->ring_drains = true; /* a write may change the view, which drains */
    while (ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        struct kvm_coalesced_mmio write = ring->coalesced_mmio[ring->first % machine->ring_length];
        kvm_access(machine->board->memory, write.phys_addr, write.data, MIN(write.len, 8), true);
        __atomic_store_n(&ring->first, (ring->first + 1) % machine->ring_length, __ATOMIC_RELEASE);
    }
    machine->ring_drains = false;
}

static void set_zone(KvmMachine *machine, unsigned long request, const KvmZone *zone)
{
    struct kvm_coalesced_mmio_zone in_kernel = { .addr = zone->start, .size = zone->size };
    ioctl(machine->vm_fd, request, &in_kernel); /* refused: each write is an exit, as ever */
}

/* There is one such window, or none: a change replaces it. */
void kvm_coalesced_on_view(KvmMachine *machine, const FlatView *view)
{
    KvmZone zone = { 0 };

    if (!machine->ring)
        return;
    for (unsigned i = 0; i < view->n && !zone.size; i++) {
        const Span *span = &view->spans[i];
        if (span->kind == SPAN_DEVICE && span->writes_may_wait && span->end <= UINT32_MAX)
            zone = (KvmZone){ span->start, (uint32_t)(span->end - span->start) };
    }
    if (zone.start == machine->zone.start && zone.size == machine->zone.size)
        return;
    if (machine->zone.size)
        set_zone(machine, KVM_UNREGISTER_COALESCED_MMIO, &machine->zone);
    kvm_coalesced_drain(machine);
    if (zone.size)
        set_zone(machine, KVM_REGISTER_COALESCED_MMIO, &zone);
    machine->zone = zone;
}

void kvm_coalesced_sync(KvmMachine *machine)
{
    struct kvm_coalesced_mmio_ring *ring = machine->ring;

    if (!ring || ring->first == __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE))
        return;
    g_rec_mutex_lock(machine->board->lock);
    kvm_coalesced_drain(machine);
    g_rec_mutex_unlock(machine->board->lock);
}
