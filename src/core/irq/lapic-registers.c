/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/lapic-internal.h"

uint32_t lapic_read_register(Lapic *lapic, unsigned offset)
{
    unsigned word = offset >> 4 & 7;

    if (offset >= LAPIC_ISR && offset < LAPIC_TMR)
        return lapic->isr[word];
    if (offset >= LAPIC_TMR && offset < LAPIC_IRR)
        return lapic->tmr[word];
    if (offset >= LAPIC_IRR && offset < LAPIC_ESR)
        return lapic->irr[word];
    if (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_LVT_ERROR)
        return lapic->lvt[(offset - LAPIC_LVT_TIMER) >> 4];

    switch (offset) {
    case LAPIC_ID: return lapic_is_x2apic(lapic) ? lapic->id : lapic->id << 24;
    case LAPIC_VERSION: return VERSION_VALUE;
    case LAPIC_TPR: return lapic->tpr;
    case LAPIC_APR:
    case LAPIC_RRD: return 0;
    case LAPIC_PPR: return lapic_ppr(lapic);
    case LAPIC_LDR:
        return lapic_is_x2apic(lapic) ? (lapic->id >> 4) << 16 | 1u << (lapic->id & 15)
                                      : lapic->ldr;
    case LAPIC_DFR: return lapic->dfr;
    case LAPIC_SVR: return lapic->svr;
    case LAPIC_ESR: return lapic->esr;
    case LAPIC_ICR: return (uint32_t)lapic->icr;
    case LAPIC_ICR_HIGH: return (uint32_t)(lapic->icr >> 32);
    case LAPIC_INITIAL_COUNT: return lapic->initial_count;
    case LAPIC_CURRENT_COUNT: return lapic_timer_count(lapic);
    case LAPIC_DIVIDE: return lapic->divide;
    case LAPIC_EOI:
    case LAPIC_SELF_IPI: return 0;
    default: lapic_set_error(lapic, ERROR_REGISTER); return 0;
    }
}

static void lapic_write_eoi(Lapic *lapic)
{
    int vector = bits_highest(lapic->isr);

    if (vector < 0)
        return;
    bits_set(lapic->isr, (unsigned)vector, false);
    if (bits_get(lapic->tmr, (unsigned)vector) && lapic->bus->on_eoi)
        lapic->bus->on_eoi(lapic->bus->opaque, (uint8_t)vector);
}

static void lapic_write_svr(Lapic *lapic, uint32_t value)
{
    lapic->svr = value & 0x1FF;
    if (!(lapic->svr & SVR_ENABLED))
        for (unsigned i = 0; i < N_LVT; i++)
            lapic->lvt[i] |= LVT_MASKED;
}

static void lapic_write_lvt(Lapic *lapic, unsigned which, uint32_t value)
{
    static const uint32_t writable[N_LVT] = {
        0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF
    };

    value &= writable[which];
    if (!(lapic->svr & SVR_ENABLED))
        value |= LVT_MASKED;
    if (which == LVT_TIMER)
        lapic_write_lvt_timer(lapic, value);
    else
        lapic->lvt[which] = value;
}

void lapic_write_register(Lapic *lapic, unsigned offset, uint32_t value)
{
    lapic_timer_catch_up(lapic);
    if (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_LVT_ERROR) {
        lapic_write_lvt(lapic, (offset - LAPIC_LVT_TIMER) >> 4, value);
    } else {
        switch (offset) {
        case LAPIC_TPR: lapic->tpr = value & 0xFF; break;
        case LAPIC_EOI: lapic_write_eoi(lapic); break;
        case LAPIC_LDR: lapic->ldr = value & 0xFF000000; break;
        case LAPIC_DFR: lapic->dfr = value | 0x0FFFFFFF; break;
        case LAPIC_SVR: lapic_write_svr(lapic, value); break;
        case LAPIC_ESR:
            lapic->esr = lapic->esr_pending;
            lapic->esr_pending = 0;
            break;
        case LAPIC_ICR:
            lapic->icr = (lapic->icr & ~UINT64_C(0xFFFFFFFF)) | (value & ICR_WRITABLE);
            lapic_send_icr(lapic);
            break;
        case LAPIC_ICR_HIGH:
            lapic->icr = (uint32_t)lapic->icr | (uint64_t)(value & 0xFF000000) << 32;
            break;
        case LAPIC_INITIAL_COUNT:
            if (lapic_timer_mode(lapic) != TIMER_DEADLINE)
                lapic_timer_restart(lapic, value);
            break;
        case LAPIC_DIVIDE: lapic_write_divide(lapic, value); break;
        case LAPIC_ID:
        case LAPIC_VERSION:
        case LAPIC_APR:
        case LAPIC_PPR:
        case LAPIC_RRD:
        case LAPIC_CURRENT_COUNT: break; /* read-only */
        default: lapic_set_error(lapic, ERROR_REGISTER);
        }
    }
    lapic_update_timer(lapic);
    lapic_update_pending(lapic);
}

/* Registers are 32 bits wide at multiples of 16 bytes; narrower reads see a part of them. */
uint64_t lapic_read(LapicBus *bus, unsigned id, uint64_t offset, unsigned size)
{
    unsigned at = offset & 0xFFF, skip = at & 15;

    if (skip >= 4)
        return 0;
    uint64_t value = (uint64_t)lapic_read_register(bus->lapic[id], at & ~15u) >> 8 * skip;
    return size >= 4 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

void lapic_write(LapicBus *bus, unsigned id, uint64_t offset, unsigned size, uint64_t value)
{
    if ((offset & 15) == 0 && size >= 4) /* anything else is undefined (SDM §11.4.1); ignored */
        lapic_write_register(bus->lapic[id], offset & 0xFFF, (uint32_t)value);
}
