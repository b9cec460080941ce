/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What all virtio devices are made of: the modern PCI transport (virtio 1.2 §4.1; no legacy one),
 * its queues, and the thread that serves them. A device is a struct whose first member is Virtio,
 * with a VirtioKind beside its DeviceOps. Included by virtio devices and by the board.
 *
 * Two sides. The guest's registers are entered with the board lock, as ever. Queues and requests,
 * the data side, have a lock of their own (virtio_enter()), so that no vCPU waits for them and they
 * for no vCPU: the guest rings a doorbell (memory/doorbell.h), the device's thread takes chains and
 * begins requests, a disk's worker ends them, and messages go by their routes (irq/msi-route.h).
 * The data side's lock is taken inside the board lock, never around it.
 *
 * With a deterministic clock there is no thread: a doorbell is answered where it is rung. */

#include "core/pci/msix.h"
#include "core/virtio/virtqueue.h"

#define VIRTIO_MAX_QUEUES 8
#define VIRTIO_CONFIG_SIZE 64 /* of a device's own configuration */

typedef struct Virtio Virtio;

typedef struct {
    uint16_t type; /* §5 */
    uint32_t class_code;
    uint64_t (*features)(const Virtio *virtio); /* offered, besides the transport's */
    /* The device's configuration as the guest reads it. */
    void (*get_config)(const Virtio *virtio, uint8_t out[VIRTIO_CONFIG_SIZE]);
    void (*set_config)(Virtio *virtio, unsigned offset, uint8_t value); /* may be NULL */
    void (*reset)(Virtio *virtio); /* own registers; may be NULL */
    /* Data side: begins the request in @chain, which ends with virtio_finish(). */
    void (*begin)(Virtio *virtio, unsigned queue, VirtChain *chain);
    /* Data side, board lock held: gives up what is under way of queues from @first to @last. When
     * it returns nobody touches the guest's memory for them. May let go of the lock in between. */
    void (*cancel)(Virtio *virtio, unsigned first, unsigned last);
    void (*drain)(Virtio *virtio); /* no lock held: waits for requests under way */
} VirtioKind;

struct Virtio {
    PciDevice pci;
    /* wiring */
    const VirtioKind *kind;
    PciBus *bus;
    uint8_t devfn;
    unsigned n_queues;
    uint16_t queue_size;
    uint8_t pci_cap; /* where the window into the BAR is, in configuration space */

    /* guest state; board lock */
    Msix msix;
    uint32_t device_feature_select, driver_feature_select;
    uint64_t driver_features;
    uint16_t config_vector, queue_select;
    uint8_t status, config_generation, isr;
    Virtqueue queue[VIRTIO_MAX_QUEUES]; /* data side, when it runs */

    /* data side */
    GMutex lock;
    GCond changed;
    FlatView *view; /* owned reference */
    bool is_running, is_resting, is_serving, needs_reset;
    unsigned to_signal; /* bits by queue: pushed to; and VIRTIO_SIGNAL_CONFIG */

    /* The thread and its bell. Owned. */
    int bell_fd;
    GThread *thread;
    bool quits; /* atomic */
    Doorbell bell[VIRTIO_MAX_QUEUES];
    DoorbellSet bells;
    uint64_t n_notified; /* doorbells that came as writes; board lock */
};

extern const StateField virtio_state[];
#define VIRTIO_STATE(type, field) STATE_STRUCT(type, field, virtio_state)
#define VIRTIO_MIN_ACCESS 1
#define VIRTIO_MAX_ACCESS 4

/* The device's DeviceOps, or the first part of them. */
bool virtio_realize(Virtio *virtio, GError **error);
void virtio_unrealize(Device *dev);
void virtio_reset(Device *dev);
void virtio_update(Device *dev);
uint64_t virtio_read(Device *dev, uint64_t offset, unsigned size);
void virtio_write(Device *dev, uint64_t offset, unsigned size, uint64_t value);

/* Into the data side, and out again with the interrupts that are due. Any thread. */
void virtio_enter(Virtio *virtio);
void virtio_leave(Virtio *virtio);
/* Data side: gives @chain back with @written bytes in it. */
void virtio_finish(Virtio *virtio, unsigned queue, VirtChain *chain, uint32_t written);
bool virtio_has_feature(const Virtio *virtio, unsigned bit); /* negotiated */
bool virtio_is_inline(const Virtio *virtio); /* doorbells are answered where they are rung */

/* Stops taking requests and waits for those under way, but what a full host disk has parked; and
 * goes on. Board lock not held. */
void virtio_rest(Virtio *virtio);
void virtio_take_no_more(Virtio *virtio); /* the first part of it, which waits for nobody's work */
void virtio_resume(Virtio *virtio);
