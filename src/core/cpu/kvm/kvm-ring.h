/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The kernel's ring of pages that a vCPU has written (api.rst, KVM_CAP_DIRTY_LOG_RING): one a vCPU,
 * in memory shared with the kernel. Each page in it is logged no more until it was read here and
 * the kernel was told so by a reset. Included by the dirty log (kvm-dirty.c) and by the trial that
 * shows what a kernel's rings are worth (kvm-ring-trial.c).
 *
 * One thread at a time a ring, and a reset is for all rings of its virtual machine; their vCPUs may
 * run meanwhile. */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    struct kvm_dirty_gfn *entries; /* owned mapping; NULL: none */
    uint32_t size;                 /* of it, in entries; a power of two */
    uint32_t head;                 /* the next to be read; never wraps, as the kernel's */
    uint32_t tail;                 /* the first that the kernel has not got back */
    bool is_adrift;                /* after an overrun: the next may come behind @head */
} KvmRing;

/* Gives the vCPUs of a virtual machine, which has none yet, rings of @size entries, a power of two.
 * From then on KVM_GET_DIRTY_LOG is of no use there. False: this kernel has none. */
bool kvm_ring_enable(int vm_fd, uint32_t size);

/* The ring of one vCPU, of the size above. False and errno: it cannot be mapped. */
bool kvm_ring_map(KvmRing *ring, int vcpu_fd, uint32_t size);
void kvm_ring_unmap(KvmRing *ring);

/* Reads all there is, with one call of @on_page each, and adds how many to *@count. False: the
 * kernel has written over some before they were read, and what these were is lost. */
bool kvm_ring_read(KvmRing *ring, void (*on_page)(void *opaque, uint32_t slot, uint64_t page),
                   void *opaque, uint32_t *count);

/* Tells the kernel of all rings' entries that were read, @n together: afterwards a write to one of
 * these pages is logged again. */
void kvm_ring_reset(int vm_fd, uint32_t n);

/* After a reset. False: the kernel has written over entries that were read, and does not log their
 * pages. One more reset may be needed. */
bool kvm_ring_settle(KvmRing *ring);

/* Whether this computer's rings can be relied on, tried once a process on a virtual machine for
 * that alone: a page that is written often must not fill the ring (KVMs that emulate log each
 * store), and a ring that gets full must lose nothing. Some milliseconds. */
bool kvm_ring_works(int device_fd);
