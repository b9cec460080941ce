/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A split virtqueue (virtio 1.2 §2.7) as the device has it: chains of buffers out of guest memory,
 * and answers back into it. Included by the transport (virtio-pci.h) and by tests.
 *
 * Nothing in the rings is believed. Each field is read once, then checked: indices against the
 * queue's size, chains against loops and against more buffers than the queue may have, every buffer
 * against the guest's memory. What cannot be breaks the queue (is_broken): it then gives no more
 * chains until it is reset.
 *
 * Threads. The caller has one lock around all calls for one queue, the data side's, and holds a
 * reference to the FlatView that it gave last. The guest's CPUs write to the rings meanwhile. */

#include "core/memory/address-space.h"
#include "core/state/state.h"
#include <sys/uio.h>

#define VIRTQUEUE_MAX_SIZE 256
#define VIRTQUEUE_MAX_SEGMENTS VIRTQUEUE_MAX_SIZE /* buffers of a chain, indirect ones too */
#define VIRTQUEUE_NO_VECTOR 0xFFFF

typedef struct {
    /* guest state */
    uint16_t size, vector;
    bool is_enabled;
    uint64_t descriptors, driver, device; /* where the three parts are; §2.7.1 */
    uint16_t next_avail, next_used;
    uint16_t signalled; /* next_used when the driver was last interrupted, if … */
    bool has_signalled;
    bool is_broken;
    uint8_t in_flight[VIRTQUEUE_MAX_SIZE / 8]; /* chains taken and not given back, by their heads */

    /* derived */
    bool has_event_index, has_indirect;    /* negotiated */
    uint8_t begun[VIRTQUEUE_MAX_SIZE / 8]; /* of in_flight: those that somebody works on */
    const FlatView *view;                  /* borrowed */
    uint8_t *descriptor_ring, *avail_ring, *used_ring; /* NULL: not mapped */
    Ram *used_ram;
} Virtqueue;

extern const StateField virtqueue_state[];

/* A chain of buffers, those to be read before those to be written; owned by who popped it. */
typedef struct {
    uint16_t head;
    unsigned n_out, n_in;           /* pieces of host memory in iov: first the out, then the in */
    uint64_t out_length, in_length; /* bytes */
    Ram **ram;                      /* of each piece */
    struct iovec *iov;
} VirtChain;

void virtqueue_reset(Virtqueue *queue, uint16_t size);
/* Finds the rings in @view: after the queue is enabled, its state loaded, or the view changed.
 * False: they are not there, or not in one piece; the queue then gives no chains. */
bool virtqueue_map(Virtqueue *queue, const FlatView *view);

/* The next chain, or NULL: there is none, or the queue is broken. */
VirtChain *virtqueue_pop(Virtqueue *queue);
/* A chain that was in flight when the state was saved; NULL: no more. */
VirtChain *virtqueue_pop_in_flight(Virtqueue *queue);
/* Gives the buffers back with @written bytes in them, and frees @chain. */
void virtqueue_push(Virtqueue *queue, VirtChain *chain, uint32_t written);
void virt_chain_free(VirtChain *chain); /* the driver has forgotten it */

/* Whether the driver wants to be interrupted for what was pushed since the last call. */
bool virtqueue_take_signal(Virtqueue *queue);
/* Asks the driver for a doorbell, or asks it to save them. After an asking: whether there is
 * something already, for which it may not come. */
bool virtqueue_want_doorbell(Virtqueue *queue, bool want);

/* Between a chain's buffers and flat memory, from byte @at of the out or of the in part; the bytes
 * that there were. */
size_t virt_chain_read(const VirtChain *chain, uint64_t at, void *out, size_t length);
size_t virt_chain_write(const VirtChain *chain, uint64_t at, const void *bytes, size_t length);
/* The pieces of @length bytes from byte @at of one part, in a new array for the caller to free;
 * NULL when there are not as many. */
struct iovec *virt_chain_dup_iov(const VirtChain *chain, bool in, uint64_t at, uint64_t length,
                                 unsigned *out_n);
