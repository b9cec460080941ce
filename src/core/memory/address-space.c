/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/address-space.h"

#include <string.h>

typedef enum { REGION_RAM, REGION_ROM, REGION_DEVICE, REGION_HOLE } RegionKind;

struct Region {
    AddressSpace *as; /* borrowed */
    RegionKind kind;
    uint64_t start, size;
    int priority;
    uint64_t sequence; /* the newer wins among equal priorities */
    bool enabled;
    Ram *ram;
    uint64_t ram_offset;
    Device *device;
    uint64_t offset;
};

struct AddressSpace {
    /* owned */
    char *name;
    GPtrArray *regions; /* Region, the one that answers first in front */
    GPtrArray *rams;    /* Ram, borrowed: every block that was ever mapped here, for dma_done() */
    FlatView *view;

    uint64_t size;
    uint64_t next_sequence;
    unsigned transaction_depth;
    bool is_stale; /* regions changed inside a transaction */
    void (*changed)(void *opaque, FlatView *view);
    void *changed_opaque;
};

/* Flattening */

FlatView *flat_view_ref(FlatView *view)
{
    g_atomic_ref_count_inc(&view->refs);
    return view;
}

void flat_view_unref(FlatView *view)
{
    if (view && g_atomic_ref_count_dec(&view->refs)) {
        g_free(view->spans);
        g_free(view);
    }
}

/* The last address of the window inside the space; the caller has checked that it starts inside. */
static uint64_t region_end(const Region *region)
{
    uint64_t room = region->as->size - region->start;
    return region->start + MIN(region->size, room);
}

static bool region_is_visible(const Region *region)
{
    return region->enabled && region->size > 0 && region->start < region->as->size;
}

static Span region_span(const Region *region, uint64_t start, uint64_t end)
{
    uint64_t skip = start - region->start;

    switch (region->kind) {
    case REGION_RAM:
        return (Span){ start, end, SPAN_RAM, region->ram, region->ram_offset + skip, NULL, 0 };
    case REGION_ROM:
        return (Span){ start,
                       end,
                       SPAN_ROM,
                       region->ram,
                       region->ram_offset + skip,
                       region->device,
                       region->offset + skip };
    case REGION_DEVICE:
        return (Span){ start, end, SPAN_DEVICE, NULL, 0, region->device, region->offset + skip };
    case REGION_HOLE: break;
    }
    return (Span){ start, end, SPAN_NONE, NULL, 0, NULL, 0 };
}

static bool span_continues(const Span *a, const Span *b)
{
    uint64_t length = a->end - a->start;

    return a->end == b->start && a->kind == b->kind && a->ram == b->ram && a->device == b->device &&
           (!a->ram || a->ram_offset + length == b->ram_offset) &&
           (!a->device || a->offset + length == b->offset);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Cuts the space at every border of a region and asks for each piece which region is on top. */
static FlatView *address_space_flatten(AddressSpace *as)
{
    FlatView *view = g_new0(FlatView, 1);
    g_autofree uint64_t *cuts = g_new(uint64_t, 2 * as->regions->len + 1);
    unsigned n_cuts = 0;

    g_atomic_ref_count_init(&view->refs);
    for (unsigned i = 0; i < as->regions->len; i++) {
        const Region *region = as->regions->pdata[i];
        if (!region_is_visible(region))
            continue;
        cuts[n_cuts++] = region->start;
        cuts[n_cuts++] = region_end(region);
    }
    if (n_cuts == 0)
        return view;
    qsort(cuts, n_cuts, sizeof(*cuts), compare_u64);

    view->spans = g_new(Span, n_cuts);
    for (unsigned c = 0; c + 1 < n_cuts; c++) {
        if (cuts[c] == cuts[c + 1])
            continue;
        for (unsigned i = 0; i < as->regions->len; i++) {
            const Region *region = as->regions->pdata[i];
            if (!region_is_visible(region) || cuts[c] < region->start ||
                cuts[c] >= region_end(region))
                continue;
            Span span = region_span(region, cuts[c], cuts[c + 1]);
            if (span.kind == SPAN_NONE)
                break;
            if (view->n > 0 && span_continues(&view->spans[view->n - 1], &span))
                view->spans[view->n - 1].end = span.end;
            else
                view->spans[view->n++] = span;
            break;
        }
    }
    return view;
}

static void address_space_changed(AddressSpace *as)
{
    if (as->transaction_depth > 0) {
        as->is_stale = true;
        return;
    }
    FlatView *old = as->view;
    as->is_stale = false;
    as->view = address_space_flatten(as);
    if (as->changed)
        as->changed(as->changed_opaque, as->view);
    flat_view_unref(old);
}

/* Regions */

AddressSpace *address_space_new(const char *name, uint64_t size)
{
    AddressSpace *as = g_new0(AddressSpace, 1);

    as->name = g_strdup(name);
    as->size = size;
    as->regions = g_ptr_array_new_with_free_func(g_free);
    as->rams = g_ptr_array_new();
    as->view = address_space_flatten(as);
    return as;
}

void address_space_free(AddressSpace *as)
{
    if (!as)
        return;
    flat_view_unref(as->view);
    g_ptr_array_unref(as->regions);
    g_ptr_array_unref(as->rams);
    g_free(as->name);
    g_free(as);
}

static int region_compare(const void *a, const void *b)
{
    const Region *x = *(Region *const *)a, *y = *(Region *const *)b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->sequence > y->sequence ? -1 : x->sequence < y->sequence;
}

static Region *address_space_map(AddressSpace *as, const Region *model)
{
    Region *region = g_new(Region, 1);

    *region = *model;
    region->as = as;
    region->enabled = true;
    region->sequence = as->next_sequence++;
    if (region->ram && !g_ptr_array_find(as->rams, region->ram, NULL))
        g_ptr_array_add(as->rams, region->ram);
    g_ptr_array_add(as->regions, region);
    g_ptr_array_sort(as->regions, region_compare);
    address_space_changed(as);
    return region;
}

Region *address_space_map_ram(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                              Ram *ram, uint64_t ram_offset)
{
    g_return_val_if_fail(ram_offset <= ram->size && size <= ram->size - ram_offset, NULL);
    return address_space_map(as, &(Region){ .kind = REGION_RAM,
                                            .start = start,
                                            .size = size,
                                            .priority = priority,
                                            .ram = ram,
                                            .ram_offset = ram_offset });
}

Region *address_space_map_rom(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                              Ram *ram, uint64_t ram_offset, Device *device, uint64_t offset)
{
    g_return_val_if_fail(ram_offset <= ram->size && size <= ram->size - ram_offset, NULL);
    return address_space_map(as, &(Region){ .kind = REGION_ROM,
                                            .start = start,
                                            .size = size,
                                            .priority = priority,
                                            .ram = ram,
                                            .ram_offset = ram_offset,
                                            .device = device,
                                            .offset = offset });
}

Region *address_space_map_device(AddressSpace *as, uint64_t start, uint64_t size, int priority,
                                 Device *device, uint64_t offset)
{
    return address_space_map(as, &(Region){ .kind = REGION_DEVICE,
                                            .start = start,
                                            .size = size,
                                            .priority = priority,
                                            .device = device,
                                            .offset = offset });
}

Region *address_space_map_hole(AddressSpace *as, uint64_t start, uint64_t size, int priority)
{
    return address_space_map(
        as, &(Region){ .kind = REGION_HOLE, .start = start, .size = size, .priority = priority });
}

void address_space_unmap(AddressSpace *as, Region *region)
{
    if (!region)
        return;
    bool was_visible = region_is_visible(region);
    g_ptr_array_remove(as->regions, region);
    if (was_visible)
        address_space_changed(as);
}

void region_set_enabled(Region *region, bool enabled)
{
    if (region->enabled == enabled)
        return;
    region->enabled = enabled;
    address_space_changed(region->as);
}

void region_set_start(Region *region, uint64_t start)
{
    if (region->start == start)
        return;
    region->start = start;
    if (region->enabled)
        address_space_changed(region->as);
}

void address_space_begin(AddressSpace *as)
{
    as->transaction_depth++;
}

void address_space_commit(AddressSpace *as)
{
    g_return_if_fail(as->transaction_depth > 0);
    if (--as->transaction_depth == 0 && as->is_stale)
        address_space_changed(as);
}

FlatView *address_space_view(AddressSpace *as)
{
    return as->view;
}

void address_space_set_listener(AddressSpace *as, void (*changed)(void *opaque, FlatView *view),
                                void *opaque)
{
    as->changed = changed;
    as->changed_opaque = opaque;
}

Ram *address_space_find_ram(AddressSpace *as, const void *host, uint64_t *out_offset)
{
    for (unsigned i = 0; i < as->rams->len; i++) {
        Ram *ram = as->rams->pdata[i];
        uintptr_t offset = (uintptr_t)host - (uintptr_t)ram->host;
        if (offset < ram->size) {
            *out_offset = offset;
            return ram;
        }
    }
    return NULL;
}

/* Access */

const Span *flat_view_find(const FlatView *view, uint64_t addr, Span *out_gap)
{
    unsigned low = 0, n = view->n;

    /* The first span that ends after @addr. */
    while (n > 0) {
        unsigned half = n / 2;
        if (view->spans[low + half].end <= addr) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    if (low < view->n && view->spans[low].start <= addr)
        return &view->spans[low];
    if (out_gap) {
        *out_gap = (Span){ .kind = SPAN_NONE };
        out_gap->start = low > 0 ? view->spans[low - 1].end : 0;
        out_gap->end = low < view->n ? view->spans[low].start : UINT64_MAX;
    }
    return NULL;
}

static uint64_t all_ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

static uint64_t memory_read(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1: return *host;
    case 2: memcpy(&value, host, 2); break;
    case 4: memcpy(&value, host, 4); break;
    case 8: memcpy(&value, host, 8); break;
    default: memcpy(&value, host, MIN(size, 8));
    }
    return value;
}

static void memory_write(uint8_t *host, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: *host = (uint8_t)value; break;
    case 2: memcpy(host, &value, 2); break;
    case 4: memcpy(host, &value, 4); break;
    case 8: memcpy(host, &value, 8); break;
    default: memcpy(host, &value, MIN(size, 8));
    }
}

/* The size of the next naturally aligned piece of an access, or 0 where the device needs a wider
 * one. */
static unsigned device_piece(const DeviceOps *ops, uint64_t offset, unsigned size)
{
    unsigned piece = MIN(MAX(ops->max_access, 1), 8);

    while (piece > size || (offset & (piece - 1)))
        piece >>= 1;
    return piece < ops->min_access ? 0 : piece;
}

static uint64_t device_read(Device *device, uint64_t offset, unsigned size)
{
    const DeviceOps *ops = device->ops;
    uint64_t value = 0;

    if (!ops->read)
        return all_ones(size);
    for (unsigned done = 0; done < size;) {
        uint64_t at = offset + done;
        unsigned piece = device_piece(ops, at, size - done);
        uint64_t part;
        if (piece) {
            part = ops->read(device, at, piece) & all_ones(piece);
        } else { /* read the whole register, keep the bytes that were asked for */
            unsigned skip = at & (ops->min_access - 1);
            piece = MIN(ops->min_access - skip, size - done);
            part = ops->read(device, at - skip, ops->min_access) >> 8 * skip & all_ones(piece);
        }
        value |= part << 8 * done;
        done += piece;
    }
    return value;
}

static void device_write(Device *device, uint64_t offset, unsigned size, uint64_t value)
{
    const DeviceOps *ops = device->ops;

    if (!ops->write)
        return;
    for (unsigned done = 0; done < size;) {
        uint64_t at = offset + done;
        unsigned piece = device_piece(ops, at, size - done);
        if (piece) {
            ops->write(device, at, piece, value >> 8 * done & all_ones(piece));
        } else { /* put the bytes into the register as it is */
            unsigned skip = at & (ops->min_access - 1);
            piece = MIN(ops->min_access - skip, size - done);
            uint64_t mask = all_ones(piece) << 8 * skip;
            uint64_t whole = ops->read ? ops->read(device, at - skip, ops->min_access) : 0;
            whole = (whole & ~mask) | (value >> 8 * done << 8 * skip & mask);
            ops->write(device, at - skip, ops->min_access, whole);
        }
        done += piece;
    }
}

uint64_t span_read(const Span *span, uint64_t addr, unsigned size, bool lock)
{
    uint64_t skip = addr - span->start, room = span->end - addr;
    unsigned inside = (unsigned)MIN(size, room); /* what lies past the span is nobody's */
    uint64_t beyond = inside < size ? all_ones(size) & ~all_ones(inside) : 0;

    switch (span->kind) {
    case SPAN_RAM:
    case SPAN_ROM: return memory_read(span->ram->host + span->ram_offset + skip, inside) | beyond;
    case SPAN_DEVICE: {
        Device *device = span->device;
        uint64_t offset = span->offset + skip, value;
        if (lock && device->ops->read_lockless &&
            device->ops->read_lockless(device, offset, inside, &value))
            return value | beyond;
        if (lock)
            device_enter(device);
        value = device_read(device, offset, inside);
        if (lock)
            device_leave(device);
        return value | beyond;
    }
    case SPAN_NONE: break;
    }
    return all_ones(size);
}

void span_write(const Span *span, uint64_t addr, unsigned size, uint64_t value, bool lock)
{
    uint64_t skip = addr - span->start, room = span->end - addr;
    unsigned inside = (unsigned)MIN(size, room);

    switch (span->kind) {
    case SPAN_RAM:
        memory_write(span->ram->host + span->ram_offset + skip, inside, value);
        ram_wrote(span->ram, span->ram_offset + skip, inside);
        break;
    case SPAN_ROM:
    case SPAN_DEVICE: {
        /* The write may remap things and drop the view that @span lives in. */
        Device *device = span->device;
        uint64_t offset = span->offset + skip;
        if (!device)
            break;
        if (lock)
            device_enter(device);
        device_write(device, offset, inside, value);
        if (lock)
            device_leave(device);
        break;
    }
    case SPAN_NONE: break;
    }
}

uint64_t address_space_read(AddressSpace *as, uint64_t addr, unsigned size)
{
    FlatView *view = flat_view_ref(as->view);
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        Span gap;
        const Span *span = flat_view_find(view, addr + done, &gap);
        if (!span)
            span = &gap;
        uint64_t room = span->end - (addr + done);
        unsigned piece = (unsigned)MIN(size - done, MAX(room, 1));
        value |= span_read(span, addr + done, piece, false) << 8 * done;
        done += piece;
    }
    flat_view_unref(view);
    return value;
}

void address_space_write(AddressSpace *as, uint64_t addr, unsigned size, uint64_t value)
{
    FlatView *view = flat_view_ref(as->view);

    for (unsigned done = 0; done < size;) {
        Span gap;
        const Span *span = flat_view_find(view, addr + done, &gap);
        if (!span)
            span = &gap;
        uint64_t room = span->end - (addr + done);
        unsigned piece = (unsigned)MIN(size - done, MAX(room, 1));
        span_write(span, addr + done, piece, value >> 8 * done, false);
        done += piece;
    }
    flat_view_unref(view);
}
