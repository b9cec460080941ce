/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/address-space.h"

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
    bool writes_may_wait;
    const DoorbellSet *doorbells; /* borrowed */
};

typedef struct {
    void (*changed)(void *opaque, FlatView *view);
    void *opaque;
} Listener;

struct AddressSpace {
    /* owned */
    char *name;
    GPtrArray *regions; /* Region, the one that answers first in front */
    GPtrArray *rams;    /* Ram, borrowed: every block that was ever mapped here, for dma_done() */
    GArray *listeners;  /* of Listener */
    FlatView *view;

    uint64_t size;
    uint64_t next_sequence;
    unsigned transaction_depth;
    bool is_stale; /* regions changed inside a transaction */
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
        return (Span){ start,
                       end,
                       SPAN_DEVICE,
                       NULL,
                       0,
                       region->device,
                       region->offset + skip,
                       region->writes_may_wait,
                       region->doorbells };
    case REGION_HOLE: break;
    }
    return (Span){ start, end, SPAN_NONE, NULL, 0, NULL, 0 };
}

static bool span_continues(const Span *a, const Span *b)
{
    uint64_t length = a->end - a->start;

    return a->end == b->start && a->kind == b->kind && a->ram == b->ram && a->device == b->device &&
           a->writes_may_wait == b->writes_may_wait && a->doorbells == b->doorbells &&
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
    for (unsigned i = 0; i < as->listeners->len; i++) {
        const Listener *listener = &g_array_index(as->listeners, Listener, i);
        listener->changed(listener->opaque, as->view);
    }
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
    as->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
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
    g_array_unref(as->listeners);
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

void region_let_writes_wait(Region *region)
{
    region->writes_may_wait = true;
    address_space_changed(region->as);
}

void region_set_doorbells(Region *region, const DoorbellSet *doorbells)
{
    region->doorbells = doorbells;
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

void address_space_add_listener(AddressSpace *as, void (*changed)(void *opaque, FlatView *view),
                                void *opaque)
{
    Listener listener = { changed, opaque };

    g_array_append_val(as->listeners, listener);
}

void address_space_remove_listener(AddressSpace *as, void *opaque)
{
    for (unsigned i = as->listeners->len; i-- > 0;)
        if (g_array_index(as->listeners, Listener, i).opaque == opaque)
            g_array_remove_index(as->listeners, i);
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
