/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/lapic-internal.h"

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

static bool lapic_matches(const Lapic *lapic, uint32_t destination, bool logical)
{
    if (!lapic_is_enabled(lapic))
        return false;
    if (destination == UINT32_MAX)
        return true;
    if (!logical)
        return destination == 0xFF || destination == lapic->id;
    if (lapic_is_x2apic(lapic)) {
        uint32_t ldr = (lapic->id >> 4) << 16 | 1u << (lapic->id & 15);
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xFFFF);
    }
    uint32_t ldr = lapic->ldr >> 24;
    destination &= 0xFF;
    if (lapic->dfr >> 28 == 0xF) /* flat */
        return destination & ldr;
    return (destination >> 4 == 0xF || destination >> 4 == ldr >> 4) && (destination & ldr & 0xF);
}

void lapic_bus_send(LapicBus *bus, const ApicMessage *message)
{
    Lapic *lowest = NULL;

    if (bus->keeper_send) {
        bus->keeper_send(bus->keeper, message);
        return;
    }
    for (unsigned i = 0; i < bus->n; i++) {
        Lapic *lapic = bus->lapic[i];
        if (!lapic_matches(lapic, message->destination, message->logical))
            continue;
        if (message->delivery != APIC_LOWEST)
            lapic_deliver(lapic, message->delivery, message->vector, message->level);
        else if (lapic_accepts(lapic) && (!lowest || lapic_ppr(lapic) < lapic_ppr(lowest)))
            lowest = lapic;
    }
    if (lowest)
        lapic_deliver(lowest, APIC_FIXED, message->vector, message->level);
}

bool lapic_bus_is_requested(const LapicBus *bus, uint8_t vector)
{
    for (unsigned i = 0; i < bus->n; i++)
        if (bits_get(bus->lapic[i]->irr, vector))
            return true;
    return false;
}

void lapic_bus_send_msi(LapicBus *bus, uint64_t address, uint32_t data)
{
    if (address >> 20 != APIC_BASE_DEFAULT >> 20)
        return; /* a write to somewhere that is no APIC: lost */
    ApicMessage message = {
        .destination = address >> 12 & 0xFF,
        .logical = address & 4,
        .level = data & 1 << 15,
        .delivery = data >> 8 & 7,
        .vector = (uint8_t)data,
    };
    /* A level that is de-asserted carries nothing. */
    if (!message.level || (data & 1 << 14))
        lapic_bus_send(bus, &message);
}

void lapic_send_icr(Lapic *lapic)
{
    LapicBus *bus = lapic->bus;
    uint32_t icr = (uint32_t)lapic->icr;
    ApicMessage message = {
        .destination = lapic_is_x2apic(lapic) ? lapic->icr >> 32 : lapic->icr >> 56,
        .logical = icr & ICR_LOGICAL,
        .delivery = icr >> 8 & 7,
        .vector = (uint8_t)icr,
    };
    unsigned shorthand = icr >> 18 & 3;

    /* INIT level de-assert only concerns arbitration IDs, which are no more. */
    if (message.delivery == APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
        return;
    if ((message.delivery == APIC_FIXED || message.delivery == APIC_LOWEST) &&
        message.vector < 16) {
        lapic_set_error(lapic, ERROR_SEND_VECTOR);
        return;
    }
    if (shorthand == SHORTHAND_NONE) {
        lapic_bus_send(bus, &message);
        return;
    }
    for (unsigned i = 0; i < bus->n; i++) {
        bool is_self = bus->lapic[i] == lapic;
        bool is_meant = is_self ? shorthand != SHORTHAND_OTHERS : shorthand != SHORTHAND_SELF;
        if (is_meant && lapic_is_enabled(bus->lapic[i]))
            lapic_deliver(bus->lapic[i], message.delivery, message.vector, false);
    }
}

void lapic_bus_set_lint0(LapicBus *bus, bool level)
{
    Lapic *lapic = bus->lapic[0];
    uint32_t lint0 = lapic->lvt[LVT_LINT0];
    bool rises = level && !lapic->lint0_level;

    lapic->lint0_level = level;
    if (rises && !bus->keeper_send && lapic_is_enabled(lapic) && LVT_DELIVERY(lint0) != APIC_EXTINT)
        lapic_deliver_local(lapic, LVT_LINT0);
    lapic_update_pending(lapic);
}

uint8_t lapic_bus_sipi_vector(LapicBus *bus, unsigned id)
{
    return bus->lapic[id]->sipi_vector;
}
