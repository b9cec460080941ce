/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Local APICs that change their keeper: a CPU backend may keep them itself, as KVM does in the
 * kernel. Their registers travel in the form of the xAPIC page. */

#include "core/irq/lapic-internal.h"

#define REGISTER(apic, offset) ((apic)->registers[(offset) / 16])
#define ID_SHIFT 24

void lapic_bus_set_keeper(LapicBus *bus, void (*send)(void *opaque, const ApicMessage *message),
                          void *opaque)
{
    bus->keeper_send = send;
    bus->keeper = opaque;
    for (unsigned i = 0; i < bus->n; i++) {
        lapic_update_timer(bus->lapic[i]);
        lapic_update_pending(bus->lapic[i]);
    }
}

/* Entries of the local vector table in register order; the page has CMCI apart. */
static unsigned lvt_offset(unsigned which)
{
    return LAPIC_LVT_TIMER + which * 16;
}

void lapic_get(LapicBus *bus, unsigned id, CpuApic *out)
{
    Lapic *lapic = bus->lapic[id];

    lapic_timer_catch_up(lapic);
    *out = (CpuApic){ .base = lapic->base, .deadline_ns = lapic_deadline_ns(lapic) };
    REGISTER(out, LAPIC_ID) = id << ID_SHIFT;
    REGISTER(out, LAPIC_VERSION) = VERSION_VALUE;
    REGISTER(out, LAPIC_TPR) = lapic->tpr;
    REGISTER(out, LAPIC_PPR) = lapic_ppr(lapic);
    REGISTER(out, LAPIC_LDR) =
        lapic_is_x2apic(lapic) ? (id >> 4) << 16 | 1u << (id & 15) : lapic->ldr;
    REGISTER(out, LAPIC_DFR) = lapic->dfr;
    REGISTER(out, LAPIC_SVR) = lapic->svr;
    REGISTER(out, LAPIC_ESR) = lapic->esr;
    for (unsigned i = 0; i < 8; i++) {
        REGISTER(out, LAPIC_ISR + i * 16) = lapic->isr[i];
        REGISTER(out, LAPIC_TMR + i * 16) = lapic->tmr[i];
        REGISTER(out, LAPIC_IRR + i * 16) = lapic->irr[i];
    }
    for (unsigned i = 0; i < N_LVT; i++)
        REGISTER(out, lvt_offset(i)) = lapic->lvt[i];
    REGISTER(out, LAPIC_ICR) = (uint32_t)lapic->icr;
    REGISTER(out, LAPIC_ICR_HIGH) = (uint32_t)(lapic->icr >> 32);
    REGISTER(out, LAPIC_INITIAL_COUNT) = lapic->initial_count;
    REGISTER(out, LAPIC_CURRENT_COUNT) = lapic_timer_count(lapic);
    REGISTER(out, LAPIC_DIVIDE) = lapic->divide;
}

void lapic_set(LapicBus *bus, unsigned id, const CpuApic *apic)
{
    Lapic *lapic = bus->lapic[id];

    lapic->base = apic->base;
    lapic->tpr = REGISTER(apic, LAPIC_TPR) & 0xFF;
    lapic->ldr = REGISTER(apic, LAPIC_LDR);
    lapic->dfr = REGISTER(apic, LAPIC_DFR);
    lapic->svr = REGISTER(apic, LAPIC_SVR);
    lapic->esr = REGISTER(apic, LAPIC_ESR);
    for (unsigned i = 0; i < 8; i++) {
        lapic->isr[i] = REGISTER(apic, LAPIC_ISR + i * 16);
        lapic->tmr[i] = REGISTER(apic, LAPIC_TMR + i * 16);
        lapic->irr[i] = REGISTER(apic, LAPIC_IRR + i * 16);
    }
    for (unsigned i = 0; i < N_LVT; i++)
        lapic->lvt[i] = REGISTER(apic, lvt_offset(i));
    lapic->icr = REGISTER(apic, LAPIC_ICR) | (uint64_t)REGISTER(apic, LAPIC_ICR_HIGH) << 32;
    lapic->divide = REGISTER(apic, LAPIC_DIVIDE) & 0xB;
    lapic_timer_continue(lapic, REGISTER(apic, LAPIC_INITIAL_COUNT),
                         REGISTER(apic, LAPIC_CURRENT_COUNT));
    lapic_set_deadline_ns(lapic, apic->deadline_ns);
    lapic_update_timer(lapic);
    lapic_update_pending(lapic);
}
