/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-ring.h"
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define IDLE_RESETS 16 /* a signal makes the kernel put a reset off */

static struct kvm_dirty_gfn *entry_at(const KvmRing *ring, uint32_t index)
{
    return &ring->entries[index & (ring->size - 1)];
}

static uint32_t flags_at(const KvmRing *ring, uint32_t index)
{
    return __atomic_load_n(&entry_at(ring, index)->flags, __ATOMIC_ACQUIRE);
}

static bool is_dirty(const KvmRing *ring, uint32_t index)
{
    return flags_at(ring, index) & KVM_DIRTY_GFN_F_DIRTY;
}

static void set_read(KvmRing *ring, uint32_t index)
{
    __atomic_store_n(&entry_at(ring, index)->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
}

/* Kernels from 6.1 on say that loads and stores are ordered as api.rst wants it, older ones do not
 * say so; on x86 they are. */
bool kvm_ring_enable(int vm_fd, uint32_t size)
{
    static const uint32_t ways[] = { KVM_CAP_DIRTY_LOG_RING_ACQ_REL, KVM_CAP_DIRTY_LOG_RING };
    uint64_t bytes = size * sizeof(struct kvm_dirty_gfn);

    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        struct kvm_enable_cap cap = { .cap = ways[i], .args = { bytes } };
        int most = ioctl(vm_fd, KVM_CHECK_EXTENSION, ways[i]);
        if (most > 0 && (uint64_t)most >= bytes && ioctl(vm_fd, KVM_ENABLE_CAP, &cap) == 0)
            return true;
    }
    return false;
}

bool kvm_ring_map(KvmRing *ring, int vcpu_fd, uint32_t size)
{
    void *entries = mmap(NULL, size * sizeof *ring->entries, PROT_READ | PROT_WRITE, MAP_SHARED,
                         vcpu_fd, (off_t)KVM_DIRTY_LOG_PAGE_OFFSET * getpagesize());

    *ring = (KvmRing){ .entries = entries == MAP_FAILED ? NULL : entries, .size = size };
    return ring->entries != NULL;
}

void kvm_ring_unmap(KvmRing *ring)
{
    if (ring->entries)
        munmap(ring->entries, ring->size * sizeof *ring->entries);
    ring->entries = NULL;
}

static uint32_t distance_to_dirty(const KvmRing *ring, uint32_t limit)
{
    uint32_t distance = 0;

    while (distance < limit && !is_dirty(ring, ring->head + distance))
        distance++;
    return distance;
}

/* The kernel went on behind the end of the ring, by nobody knows how much. Its next entry tells;
 * those before it have been read under their newer names, and it waits for them. Entries come in
 * order, so that after one is seen a second look sees all before it. */
static void find_head(KvmRing *ring)
{
    uint32_t distance = distance_to_dirty(ring, ring->size);

    if (distance == ring->size)
        return;
    distance = distance_to_dirty(ring, distance);
    for (; distance > 0; distance--)
        set_read(ring, ring->head++);
    ring->is_adrift = false;
}

bool kvm_ring_read(KvmRing *ring, void (*on_page)(void *opaque, uint32_t slot, uint64_t page),
                   void *opaque, uint32_t *count)
{
    uint32_t start;

    if (ring->is_adrift)
        find_head(ring);
    /* Twice the ring is no ring any more, but a kernel that runs round and round. */
    for (start = ring->head; is_dirty(ring, ring->head) && ring->head - start < 2 * ring->size;) {
        const struct kvm_dirty_gfn *entry = entry_at(ring, ring->head);
        on_page(opaque, entry->slot, entry->offset);
        set_read(ring, ring->head++);
    }
    *count += ring->head - start;
    if (ring->head - ring->tail < ring->size)
        return true;
    ring->is_adrift = true;
    return false;
}

void kvm_ring_reset(int vm_fd, uint32_t n)
{
    for (unsigned idle = 0; n > 0 && idle < IDLE_RESETS;) {
        int result = ioctl(vm_fd, KVM_RESET_DIRTY_RINGS, 0);
        if (result < 0 && errno != EINTR)
            break;
        idle += result <= 0;
        n -= MIN(n, (uint32_t)MAX(result, 0));
    }
}

/* The kernel clears the flags of what it gets back. An entry that was written over and read again
 * was given back once instead of twice, and it waits for the other. */
bool kvm_ring_settle(KvmRing *ring)
{
    uint32_t limit = MIN(ring->head - ring->tail, ring->size);

    for (; limit > 0 && flags_at(ring, ring->tail) == 0; limit--)
        ring->tail++;
    for (uint32_t i = ring->tail; i != ring->head; i++)
        if (flags_at(ring, i) == 0)
            set_read(ring, i);
    return ring->tail == ring->head;
}
