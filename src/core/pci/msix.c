/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/pci/msix.h"

enum {
    MSIX_ID = 0x11,
    MSIX_SIZE = 12,
    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_PBA = 8,
};
enum { CONTROL_MASK_ALL = 1 << 14, CONTROL_ENABLE = 1 << 15 };
#define ENTRY_MASKED 1u
#define ENTRY_SIZE 16

static const StateField entry_state[] = {
    STATE_UINT(MsixEntry, address),
    STATE_UINT(MsixEntry, address_high),
    STATE_UINT(MsixEntry, data),
    STATE_UINT(MsixEntry, control),
    STATE_END,
};

const StateField msix_state[] = {
    STATE_STRUCTS(Msix, entry, entry_state),
    STATE_UINT(Msix, pending),
    STATE_END,
};

static uint16_t control(const Msix *msix)
{
    return pci_get16(msix->pci, msix->pci->msix_capability + MSIX_CONTROL);
}

static uint64_t entry_address(const MsixEntry *entry)
{
    return (uint64_t)entry->address_high << 32 | entry->address;
}

/* Whether message @vector may be sent now. A device that may not write to memory sends none. */
static bool is_open(const Msix *msix, unsigned vector)
{
    return (control(msix) & (CONTROL_ENABLE | CONTROL_MASK_ALL)) == CONTROL_ENABLE &&
           !(msix->entry[vector].control & ENTRY_MASKED) && pci_device_bus_master(msix->pci);
}

/* A route's signal that has no shorter way. */
static void deliver(void *opaque, unsigned vector)
{
    Msix *msix = opaque;
    const MsixEntry *entry = &msix->entry[vector];

    if (is_open(msix, vector))
        pci_bus_send_msi(msix->pci->bus, entry_address(entry), entry->data);
    else if (control(msix) & CONTROL_ENABLE)
        msix->pending |= UINT64_C(1) << vector;
}

static void update_vector(Msix *msix, unsigned vector)
{
    const MsixEntry *entry = &msix->entry[vector];
    uint64_t bit = UINT64_C(1) << vector;

    if (!is_open(msix, vector)) {
        if (msix->route[vector])
            msi_route_disconnect(msix->route[vector]);
        return;
    }
    if (msix->route[vector])
        msi_route_connect(msix->route[vector], entry_address(entry), entry->data);
    if (msix->pending & bit) {
        msix->pending &= ~bit;
        deliver(msix, vector);
    }
}

void msix_update(Msix *msix)
{
    __atomic_store_n(&msix->is_enabled, (control(msix) & CONTROL_ENABLE) != 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < msix->n; i++)
        update_vector(msix, i);
}

bool msix_is_enabled(const Msix *msix)
{
    return __atomic_load_n(&msix->is_enabled, __ATOMIC_SEQ_CST);
}

void msix_signal(Msix *msix, unsigned vector)
{
    if (vector >= msix->n)
        return;
    if (msix->route[vector]) {
        msi_route_signal(msix->route[vector]);
        return;
    }
    device_enter(&msix->pci->dev);
    deliver(msix, vector);
    device_leave(&msix->pci->dev);
}

uint64_t msix_read(const Msix *msix, uint64_t offset, unsigned size)
{
    unsigned shift = 8 * (offset & 3), vector = (unsigned)(offset / ENTRY_SIZE);
    const uint32_t *words;

    if (offset >= MSIX_PENDING_OFFSET) {
        offset -= MSIX_PENDING_OFFSET;
        return offset < 8 ? msix->pending >> 8 * offset : 0;
    }
    if (vector >= msix->n)
        return 0;
    words = &msix->entry[vector].address;
    return words[offset % ENTRY_SIZE / 4] >> shift;
}

void msix_write(Msix *msix, uint64_t offset, uint32_t value)
{
    unsigned vector = (unsigned)(offset / ENTRY_SIZE);

    if (vector >= msix->n || offset >= MSIX_PENDING_OFFSET)
        return;
    MsixEntry *entry = &msix->entry[vector];
    switch (offset % ENTRY_SIZE) {
    case 0: entry->address = value & ~3u; break;
    case 4: entry->address_high = value; break;
    case 8: entry->data = value; break;
    case 12: entry->control = value & ENTRY_MASKED; break;
    }
    update_vector(msix, vector);
}

void msix_reset(Msix *msix)
{
    for (unsigned i = 0; i < MSIX_MAX_VECTORS; i++)
        msix->entry[i] = (MsixEntry){ .control = ENTRY_MASKED };
    msix->pending = 0;
}

void msix_init(Msix *msix, PciDevice *pci, unsigned n, unsigned bar)
{
    g_return_if_fail(n >= 1 && n <= MSIX_MAX_VECTORS);
    uint8_t at = pci_device_add_capability(pci, MSIX_ID, MSIX_SIZE);

    msix->pci = pci;
    msix->n = n;
    pci->msix_capability = at;
    pci_set16(pci, at + MSIX_CONTROL, (uint16_t)(n - 1));
    pci_set32(pci, at + MSIX_TABLE, bar);
    pci_set32(pci, at + MSIX_PBA, MSIX_PENDING_OFFSET | bar);
    pci->writable[at + MSIX_CONTROL + 1] = (CONTROL_ENABLE | CONTROL_MASK_ALL) >> 8;
    for (unsigned i = 0; i < n; i++)
        msix->route[i] = msi_route_new(pci_bus_msi_router(pci->bus), &pci->dev, deliver, msix, i);
    msix_reset(msix);
}

void msix_clear(Msix *msix)
{
    for (unsigned i = 0; i < msix->n; i++)
        g_clear_pointer(&msix->route[i], msi_route_free);
    msix->n = 0;
}
