/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/address-space.h"

#include <string.h>

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

/* Bytes of an access that lie in @span; what lies past it is nobody's. */
static unsigned bytes_inside(const Span *span, uint64_t addr, unsigned size)
{
    uint64_t room = span->end - addr;
    return (unsigned)MIN(size, room);
}

bool span_read_lockless(const Span *span, uint64_t addr, unsigned size, uint64_t *out_value)
{
    unsigned inside = bytes_inside(span, addr, size);
    if (span->kind == SPAN_NONE) {
        *out_value = all_ones(size);
        return true;
    }
    if (span->kind != SPAN_DEVICE || !span->device->ops->read_lockless ||
        !span->device->ops->read_lockless(span->device, span->offset + (addr - span->start), inside,
                                          out_value))
        return false;
    if (inside < size)
        *out_value |= all_ones(size) & ~all_ones(inside);
    return true;
}

bool span_write_lockless(const Span *span, uint64_t addr, unsigned size, uint64_t value)
{
    uint64_t offset = span->offset + (addr - span->start);
    unsigned inside = bytes_inside(span, addr, size);

    if (span->kind == SPAN_NONE)
        return true;
    if (span->kind != SPAN_DEVICE || !span->device)
        return false;
    const Doorbell *bell =
        span->doorbells ? doorbell_find(span->doorbells, offset, inside, value) : NULL;
    if (bell) {
        doorbell_ring(bell);
        return true;
    }
    return span->device->ops->write_lockless &&
           span->device->ops->write_lockless(span->device, offset, inside, value);
}

uint64_t span_read(const Span *span, uint64_t addr, unsigned size, bool lock)
{
    uint64_t skip = addr - span->start;
    unsigned inside = bytes_inside(span, addr, size);
    uint64_t beyond = inside < size ? all_ones(size) & ~all_ones(inside) : 0;

    switch (span->kind) {
    case SPAN_RAM:
    case SPAN_ROM: return memory_read(span->ram->host + span->ram_offset + skip, inside) | beyond;
    case SPAN_DEVICE: {
        Device *device = span->device;
        uint64_t offset = span->offset + skip, value;
        if (lock && span_read_lockless(span, addr, size, &value))
            return value;
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
    uint64_t skip = addr - span->start;
    unsigned inside = bytes_inside(span, addr, size);

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
    FlatView *view = flat_view_ref(address_space_view(as));
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
    FlatView *view = flat_view_ref(address_space_view(as));

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
