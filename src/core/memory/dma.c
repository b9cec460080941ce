/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/dma.h"

#include <string.h>

/* The span at @gpa if it is memory that may be read, or written; else NULL. */
static const Span *dma_find(const FlatView *view, uint64_t gpa, bool write)
{
    const Span *span = flat_view_find(view, gpa, NULL);

    if (!span || !(span->kind == SPAN_RAM || (span->kind == SPAN_ROM && !write)))
        return NULL;
    return span;
}

/* The whole range is checked before a byte moves: a transfer happens or it does not. */
static bool dma_check(const FlatView *view, uint64_t gpa, uint64_t length, bool write)
{
    if (length > UINT64_MAX - gpa)
        return false;
    while (length > 0) {
        const Span *span = dma_find(view, gpa, write);
        if (!span)
            return false;
        uint64_t piece = MIN(length, span->end - gpa);
        gpa += piece;
        length -= piece;
    }
    return true;
}

bool dma_read(AddressSpace *as, uint64_t gpa, void *out, uint64_t length)
{
    const FlatView *view = address_space_view(as);
    uint8_t *to = out;

    if (!dma_check(view, gpa, length, false))
        return false;
    while (length > 0) {
        const Span *span = dma_find(view, gpa, false);
        uint64_t piece = MIN(length, span->end - gpa);
        memcpy(to, span->ram->host + span->ram_offset + (gpa - span->start), piece);
        gpa += piece;
        to += piece;
        length -= piece;
    }
    return true;
}

bool dma_write(AddressSpace *as, uint64_t gpa, const void *bytes, uint64_t length)
{
    const FlatView *view = address_space_view(as);
    const uint8_t *from = bytes;

    if (!dma_check(view, gpa, length, true))
        return false;
    while (length > 0) {
        const Span *span = dma_find(view, gpa, true);
        uint64_t piece = MIN(length, span->end - gpa);
        uint64_t offset = span->ram_offset + (gpa - span->start);
        memcpy(span->ram->host + offset, from, piece);
        ram_wrote(span->ram, offset, piece);
        gpa += piece;
        from += piece;
        length -= piece;
    }
    return true;
}

void *dma_view_map(const FlatView *view, uint64_t gpa, uint64_t length, bool to_memory,
                   uint64_t *out_length, Ram **out_ram)
{
    const Span *span = dma_find(view, gpa, to_memory);

    if (!span || length == 0)
        return NULL;
    *out_length = MIN(length, span->end - gpa);
    *out_ram = span->ram;
    return span->ram->host + span->ram_offset + (gpa - span->start);
}

void *dma_map(AddressSpace *as, uint64_t gpa, uint64_t length, uint64_t *out_length)
{
    Ram *ram;

    return dma_view_map(address_space_view(as), gpa, length, true, out_length, &ram);
}

void dma_done(AddressSpace *as, const void *host, uint64_t length)
{
    uint64_t offset;
    Ram *ram = address_space_find_ram(as, host, &offset);

    if (ram)
        ram_wrote(ram, offset, MIN(length, ram->size - offset));
}
