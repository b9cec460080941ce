/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The one door from a device into guest memory. It reaches RAM only, never a device's registers: a
 * guest cannot make one device program another. Every call checks the whole range and can say no;
 * a "no" is the guest's mistake, and the device does what its datasheet says for a bus error.
 * Called with the board lock held. */

#include "core/memory/address-space.h"

bool dma_read(AddressSpace *as, uint64_t gpa, void *out, uint64_t length);
bool dma_write(AddressSpace *as, uint64_t gpa, const void *bytes, uint64_t length);

/* The same for a thread of a device's own, which holds a reference to @view: a host pointer to the
 * memory at @gpa, how many bytes follow it without a break (at most @length), and the block that
 * they are in, for ram_wrote(). @to_memory: to be written. NULL where there is no such memory. Any
 * thread. */
void *dma_view_map(const FlatView *view, uint64_t gpa, uint64_t length, bool to_memory,
                   uint64_t *out_length, Ram **out_ram);

/* A host pointer to RAM at @gpa and in *@out_length how many bytes follow it without a break (at
 * most
 * @length); NULL where there is no writable RAM. The pointer stays good for as long as the machine
 * lives, so a disk's worker may fill it; afterwards dma_done() must be called (board lock held) so
 * that the pages count as written. */
void *dma_map(AddressSpace *as, uint64_t gpa, uint64_t length, uint64_t *out_length);
void dma_done(AddressSpace *as, const void *host, uint64_t length);
