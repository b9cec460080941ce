/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The flash memory in which UEFI firmware keeps its variables: NOR flash that reads as memory and
 * is written by commands (Intel's basic command set, found by the Common Flash Interface, JEDEC
 * JESD68.01). An 8-bit part with blocks of 4 KiB; programming clears bits, erasing a block sets
 * them. While it reads as memory its image is mapped, so that only writes come here. Included by
 * the board. */

#include "core/dev/device.h"
#include "core/memory/address-space.h"

#define PFLASH_BLOCK_SIZE 0x1000u

typedef struct Pflash Pflash;

typedef struct {
    AddressSpace *memory;
    uint64_t base;
    Ram *image; /* what it holds, a whole number of blocks; not part of the device's own state */
    /* The image has just changed. Board lock held; must not wait. */
    void (*on_changed)(void *opaque);
    void *opaque;
} PflashWiring;

Device *pflash_new(const PflashWiring *wiring);
