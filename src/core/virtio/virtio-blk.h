/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* virtio block device 1AF4:1042 (virtio 1.2 §5.2): a disk with a queue a vCPU, flush, discard and
 * write zeroes, whose cache the driver may switch between write-back and write-through. Included by
 * the board. */

#include "core/block/disk.h"
#include "core/virtio/virtio-pci.h"

typedef struct VirtioBlk VirtioBlk;

/* @serial: at most 20 characters. The board keeps @disk, frees it first and the device then:
 * freeing a disk ends what waits on it. */
Device *virtio_blk_new(PciBus *bus, uint8_t devfn, const char *id, Disk *disk, const char *serial,
                       unsigned n_cpus);
