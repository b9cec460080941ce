/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What virtio-pci.c (the registers) and virtio-data.c (the queues and their thread) share. */

#include "core/virtio/virtio-pci.h"

#define VIRTIO_SIGNAL_CONFIG (1u << 31) /* Virtio.to_signal: status or configuration changed */

enum { /* device status, §2.1 */
       VIRTIO_STATUS_ACKNOWLEDGE = 1,
       VIRTIO_STATUS_DRIVER = 2,
       VIRTIO_STATUS_DRIVER_OK = 4,
       VIRTIO_STATUS_FEATURES_OK = 8,
       VIRTIO_STATUS_NEEDS_RESET = 64,
       VIRTIO_STATUS_FAILED = 128,
};
enum { /* feature bits, §6 */
       VIRTIO_F_INDIRECT_DESC = 28,
       VIRTIO_F_EVENT_IDX = 29,
       VIRTIO_F_VERSION_1 = 32,
       VIRTIO_F_RING_RESET = 40,
};
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

/* virtio-data.c. Board lock held. */
bool virtio_data_init(Virtio *virtio, GError **error);
void virtio_data_stop(Virtio *virtio); /* its thread ends; board lock not held */
void virtio_data_clear(Virtio *virtio);
/* Follows the registers: runs or not, with which features and rings. */
void virtio_data_update(Virtio *virtio);
/* Nothing is under way afterwards, and the queues are as after power-on. */
void virtio_data_reset(Virtio *virtio);
void virtio_data_reset_queue(Virtio *virtio, unsigned queue);
/* Somebody has to look at the queues. */
void virtio_ring(Virtio *virtio);

/* virtio-pci.c. No lock of the data side held; any thread. */
void virtio_interrupt(Virtio *virtio, unsigned vector, uint8_t isr);
