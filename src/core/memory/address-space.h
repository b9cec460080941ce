/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the guest sees at each physical address, or at each port: RAM, ROM, a device's window, or
 * nothing. The board maps regions with priorities; the space flattens them into a FlatView, a
 * sorted array of spans that readers search without a lock. Included by the board, PCI and CPU
 * backends.
 *
 * Threads. Mapping calls are made with the board lock held. A FlatView is immutable; whoever keeps
 * one across lock releases holds a reference (each vCPU does) and is told of a new one by the
 * listener. */

#include "core/dev/device.h"
#include "core/memory/doorbell.h"
#include "core/memory/ram.h"

typedef struct AddressSpace AddressSpace;
typedef struct Region Region;

typedef enum {
    SPAN_NONE,   /* nobody answers: reads all ones, writes are lost */
    SPAN_RAM,    /* plain memory */
    SPAN_ROM,    /* reads memory; writes go to @device if there is one, else are lost */
    SPAN_DEVICE, /* each access is a call */
} SpanKind;

/* One flat range of guest addresses with one answer. */
typedef struct {
    uint64_t start, end; /* [start, end) */
    SpanKind kind;
    Ram *ram;            /* RAM, ROM */
    uint64_t ram_offset; /* offset in @ram of the byte at @start */
    Device *device;      /* DEVICE, or who takes the writes of a ROM */
    uint64_t offset;     /* what the device's ops get as offset for the byte at @start */
    bool writes_may_wait;
    const DoorbellSet *doorbells; /* by the device's offsets; NULL: none */
} Span;

typedef struct FlatView {
    gatomicrefcount refs;
    unsigned n;
    Span *spans; /* sorted, disjoint; addresses between them are SPAN_NONE */
} FlatView;

/* The usual priorities, from the bottom: what a guest may place anywhere must not hide what has a
 * fixed place. */
enum {
    MAP_PRIORITY_BAR = 0,     /* PCI windows */
    MAP_PRIORITY_RAM = 1,     /* main memory */
    MAP_PRIORITY_CHIPSET = 2, /* fixed windows: APICs, HPET, firmware, legacy ports */
    MAP_PRIORITY_OVERLAY = 3, /* what shadows those: PAM, the VGA window */
};

/* @size: number of addresses, 1 << 16 for ports. */
AddressSpace *address_space_new(const char *name, uint64_t size);
void address_space_free(AddressSpace *as);

/* Each maps a window and returns its handle, owned by the space. Of overlapping windows the one
 * with the higher @priority answers; the newer wins among equals. */
Region *address_space_map_ram(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                              Ram *ram, uint64_t ram_offset);
/* Reads come from @ram; writes go to @device (may be NULL) with @offset as in map_device. */
Region *address_space_map_rom(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                              Ram *ram, uint64_t ram_offset, Device *device, uint64_t offset);
/* @offset is what the device's read and write get for the first byte of the window: a device with
 * several windows tells them apart by it. */
Region *address_space_map_device(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                                 Device *device, uint64_t offset);
/* Reads all ones and swallows writes, hiding what lies below (a shadowed range that is switched
 * off). */
Region *address_space_map_hole(AddressSpace *as, uint64_t start, uint64_t size, int priority);
void address_space_unmap(AddressSpace *as, Region *region); /* NULL is fine */
void region_set_enabled(Region *region, bool enabled);
void region_set_start(Region *region, uint64_t start);
/* Writes to this device's window have no effect but on what it shows: a CPU may hand them over
 * late, in their order, before any other access and before Ram.dirty is asked for. */
void region_let_writes_wait(Region *region);
/* Some registers of this device's window are doorbells. @doorbells stays the device's. */
void region_set_doorbells(Region *region, const DoorbellSet *doorbells);

/* Between begin and commit changes are gathered into one new view. Nests. */
void address_space_begin(AddressSpace *as);
void address_space_commit(AddressSpace *as);

/* The view of now. Borrowed under the board lock; ref it to keep it. */
FlatView *address_space_view(AddressSpace *as);
FlatView *flat_view_ref(FlatView *view);
void flat_view_unref(FlatView *view);
/* The span at @addr; where nobody answers, *@out_gap (if not NULL) is filled with a SPAN_NONE span
 * and NULL is returned. Lock-free. */
const Span *flat_view_find(const FlatView *view, uint64_t addr, Span *out_gap);

/* @changed is called with the board lock held after each new view. The listeners are CPU backends,
 * which must not return before every vCPU has stopped using the older view. */
void address_space_add_listener(AddressSpace *as, void (*changed)(void *opaque, FlatView *view),
                                void *opaque);
void address_space_remove_listener(AddressSpace *as, void *opaque);

/* The block that @host points into and where; NULL: none that was ever mapped here. */
Ram *address_space_find_ram(AddressSpace *as, const void *host, uint64_t *out_offset);

/* What of an access needs no lock: nobody there, a doorbell, or a register that its device offers
 * so. False: to be done by span_read() or span_write(). Never waits, so a vCPU may stay in guest
 * code. */
bool span_read_lockless(const Span *span, uint64_t addr, unsigned size, uint64_t *out_value);
bool span_write_lockless(const Span *span, uint64_t addr, unsigned size, uint64_t value);

/* One access of @size 1, 2, 4 or 8 at @addr through a span found before, split or widened to what
 * the device takes. Takes the device's lock when @lock (the caller does not hold it). */
uint64_t span_read(const Span *span, uint64_t addr, unsigned size, bool lock);
void span_write(const Span *span, uint64_t addr, unsigned size, uint64_t value, bool lock);

/* Convenience for tests and slow paths: looks up, then accesses; also crosses span borders. Board
 * lock held by the caller. */
uint64_t address_space_read(AddressSpace *as, uint64_t addr, unsigned size);
void address_space_write(AddressSpace *as, uint64_t addr, unsigned size, uint64_t value);
