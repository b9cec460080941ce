/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/ioapic.h"

#include "core/machine/machine.h"

#define IOAPIC_BASE 0xFEC00000u
#define IOAPIC_VERSION 0x20u

enum { IOAPIC_SELECT = 0x00, IOAPIC_WINDOW = 0x10, IOAPIC_EOI = 0x40 };
enum { REGISTER_ID = 0, REGISTER_VERSION = 1, REGISTER_ARBITRATION = 2, REGISTER_TABLE = 0x10 };

/* A redirection entry (82093AA §3.2.4). */
#define ENTRY_VECTOR UINT64_C(0xFF)
#define ENTRY_DELIVERY_SHIFT 8
#define ENTRY_LOGICAL (UINT64_C(1) << 11)
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL (UINT64_C(1) << 15)
#define ENTRY_MASKED (UINT64_C(1) << 16)
#define ENTRY_DESTINATION_SHIFT 56
#define ENTRY_WRITABLE UINT64_C(0xFF0000000001AFFF)

struct Ioapic {
    Device dev;
    LapicBus *bus; /* wiring */
    /* guest state */
    uint32_t id, select;
    uint32_t level; /* the input wires */
    uint64_t entry[IOAPIC_INPUTS];
};

static const StateField ioapic_state[] = {
    STATE_UINT(Ioapic, id),
    STATE_UINT(Ioapic, select),
    STATE_UINT(Ioapic, level),
    STATE_ARRAY(Ioapic, entry),
    STATE_END,
};

static bool entry_is_level(uint64_t entry)
{
    unsigned delivery = entry >> ENTRY_DELIVERY_SHIFT & 7;

    /* NMI, SMI, INIT and ExtINT are edges whatever the bit says. */
    return (entry & ENTRY_LEVEL) && (delivery == APIC_FIXED || delivery == APIC_LOWEST);
}

static void ioapic_deliver(Ioapic *ioapic, unsigned input)
{
    uint64_t *entry = &ioapic->entry[input];
    bool is_level = entry_is_level(*entry);
    ApicMessage message = {
        .destination = *entry >> ENTRY_DESTINATION_SHIFT,
        .logical = *entry & ENTRY_LOGICAL,
        .level = is_level,
        .delivery = *entry >> ENTRY_DELIVERY_SHIFT & 7,
        .vector = *entry & ENTRY_VECTOR,
    };

    if (is_level)
        *entry |= ENTRY_REMOTE_IRR;
    lapic_bus_send(ioapic->bus, &message);
}

static void ioapic_update_input(Ioapic *ioapic, unsigned input)
{
    uint64_t entry = ioapic->entry[input];

    if ((ioapic->level & 1u << input) && entry_is_level(entry) &&
        !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
        ioapic_deliver(ioapic, input);
}

static void ioapic_update(Device *dev)
{
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++)
        ioapic_update_input((Ioapic *)dev, input);
}

void ioapic_set_irq(Ioapic *ioapic, unsigned input, bool level)
{
    if (input >= IOAPIC_INPUTS)
        return;
    bool rises = level && !(ioapic->level & 1u << input);
    uint64_t entry = ioapic->entry[input];

    ioapic->level = level ? ioapic->level | 1u << input : ioapic->level & ~(1u << input);
    /* An edge on a masked input is lost (82093AA §3.2.4, interrupt mask). */
    if (rises && !entry_is_level(entry) && !(entry & ENTRY_MASKED))
        ioapic_deliver(ioapic, input);
    ioapic_update_input(ioapic, input);
}

bool ioapic_input_is_open(const Ioapic *ioapic, unsigned input)
{
    return !(ioapic->entry[input] & ENTRY_MASKED);
}

bool ioapic_input_is_waiting(const Ioapic *ioapic, unsigned input)
{
    uint64_t entry = ioapic->entry[input];

    return ioapic_input_is_open(ioapic, input) && !entry_is_level(entry) &&
           lapic_bus_is_requested(ioapic->bus, entry & ENTRY_VECTOR);
}

uint8_t ioapic_vector(const Ioapic *ioapic, unsigned input)
{
    return ioapic->entry[input] & ENTRY_VECTOR;
}

void ioapic_on_eoi(Ioapic *ioapic, uint8_t vector)
{
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++) {
        uint64_t *entry = &ioapic->entry[input];
        if ((*entry & ENTRY_VECTOR) != vector || !(*entry & ENTRY_REMOTE_IRR))
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        ioapic_update_input(ioapic, input); /* still asserted: again */
    }
}

static uint32_t ioapic_read_register(const Ioapic *ioapic)
{
    unsigned index = ioapic->select & 0xFF;

    switch (index) {
    case REGISTER_ID:
    case REGISTER_ARBITRATION: return ioapic->id;
    case REGISTER_VERSION: return (IOAPIC_INPUTS - 1) << 16 | IOAPIC_VERSION;
    default: break;
    }
    unsigned input = (index - REGISTER_TABLE) / 2;
    if (index < REGISTER_TABLE || input >= IOAPIC_INPUTS)
        return 0;
    return (uint32_t)(ioapic->entry[input] >> (index & 1 ? 32 : 0));
}

static void ioapic_write_register(Ioapic *ioapic, uint32_t value)
{
    unsigned index = ioapic->select & 0xFF;
    unsigned input = (index - REGISTER_TABLE) / 2, shift = index & 1 ? 32 : 0;

    if (index == REGISTER_ID)
        ioapic->id = value & 0x0F000000;
    if (index < REGISTER_TABLE || input >= IOAPIC_INPUTS)
        return;
    uint64_t *entry = &ioapic->entry[input];
    uint64_t writable = ENTRY_WRITABLE & UINT64_C(0xFFFFFFFF) << shift;
    *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    /* Kernels turn an entry to edge and back to get rid of a stuck remote IRR. */
    if (!(*entry & ENTRY_LEVEL))
        *entry &= ~ENTRY_REMOTE_IRR;
}

static uint64_t ioapic_read(Device *dev, uint64_t offset, unsigned size)
{
    Ioapic *ioapic = (Ioapic *)dev;

    switch (offset & 0xFF) {
    case IOAPIC_SELECT: return ioapic->select;
    case IOAPIC_WINDOW: return ioapic_read_register(ioapic);
    default: return 0;
    }
}

static void ioapic_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Ioapic *ioapic = (Ioapic *)dev;

    switch (offset & 0xFF) {
    case IOAPIC_SELECT: ioapic->select = value & 0xFF; return;
    case IOAPIC_WINDOW: ioapic_write_register(ioapic, (uint32_t)value); break;
    case IOAPIC_EOI: ioapic_on_eoi(ioapic, (uint8_t)value); return;
    default: return;
    }
    ioapic_update(dev);
}

static void ioapic_reset(Device *dev)
{
    Ioapic *ioapic = (Ioapic *)dev;

    ioapic->id = ioapic->select = 0; /* the wires are the other devices' */
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++)
        ioapic->entry[input] = ENTRY_MASKED;
}

static bool ioapic_realize(Device *dev, Machine *machine, GError **error)
{
    address_space_map_device(machine->memory, IOAPIC_BASE, 0x1000, MAP_PRIORITY_CHIPSET, dev, 0);
    return true;
}

static const DeviceOps ioapic_ops = {
    .name = "ioapic",
    .instance_size = sizeof(Ioapic),
    .state_version = 1,
    .state = ioapic_state,
    .min_access = 4,
    .max_access = 4,
    .realize = ioapic_realize,
    .reset = ioapic_reset,
    .update = ioapic_update,
    .read = ioapic_read,
    .write = ioapic_write,
};

Device *ioapic_new(LapicBus *bus)
{
    Ioapic *ioapic = device_alloc(&ioapic_ops, "ioapic");

    ioapic->bus = bus;
    return &ioapic->dev;
}
