/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/lapic-internal.h"

#include "core/cpu/msr.h"

static bool lapic_write_base(Lapic *lapic, uint64_t value)
{
    uint64_t mode = value & (BASE_ENABLED | BASE_X2APIC);
    uint64_t before = lapic->base & (BASE_ENABLED | BASE_X2APIC);

    /* SDM figure 11-27: x2APIC is entered from xAPIC and left only through off. */
    if ((value & ~(BASE_ADDRESS | BASE_BOOT_CPU | BASE_ENABLED | BASE_X2APIC)) ||
        mode == BASE_X2APIC || (before == 0 && mode == (BASE_ENABLED | BASE_X2APIC)) ||
        (before == (BASE_ENABLED | BASE_X2APIC) && mode == BASE_ENABLED))
        return false;

    value = (value & ~BASE_BOOT_CPU) | (lapic->base & BASE_BOOT_CPU);
    __atomic_store_n(&lapic->base, value, __ATOMIC_RELEASE);
    if (mode == 0 && before != 0)
        lapic_reset_registers(lapic);
    if (mode != before && (mode & BASE_X2APIC))
        lapic->icr = (uint32_t)lapic->icr;
    lapic_update_timer(lapic);
    lapic_update_pending(lapic);
    return true;
}

static bool x2apic_can_read(unsigned offset)
{
    switch (offset) {
    case LAPIC_ID:
    case LAPIC_VERSION:
    case LAPIC_TPR:
    case LAPIC_PPR:
    case LAPIC_LDR:
    case LAPIC_SVR:
    case LAPIC_ESR:
    case LAPIC_ICR:
    case LAPIC_INITIAL_COUNT:
    case LAPIC_CURRENT_COUNT:
    case LAPIC_DIVIDE: return true;
    default:
        return (offset >= LAPIC_ISR && offset < LAPIC_ESR) ||
               (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_LVT_ERROR);
    }
}

/* The bits that may be set in a write; UINT64_MAX: the register cannot be written. */
static uint64_t x2apic_reserved_bits(unsigned offset)
{
    switch (offset) {
    case LAPIC_TPR: return ~UINT64_C(0xFF);
    case LAPIC_EOI:
    case LAPIC_ESR: return ~UINT64_C(0);
    case LAPIC_SVR: return ~UINT64_C(0x1FF);
    case LAPIC_ICR: return 0x00000000FFF32000;
    case LAPIC_LVT_TIMER: return ~UINT64_C(0x710FF);
    case LAPIC_LVT_TIMER + 0x10:
    case LAPIC_LVT_TIMER + 0x20: return ~UINT64_C(0x117FF);
    case LAPIC_LVT_TIMER + 0x30:
    case LAPIC_LVT_TIMER + 0x40: return ~UINT64_C(0x1F7FF);
    case LAPIC_LVT_ERROR: return ~UINT64_C(0x110FF);
    case LAPIC_INITIAL_COUNT: return ~UINT64_C(0xFFFFFFFF);
    case LAPIC_DIVIDE: return ~UINT64_C(0xB);
    case LAPIC_SELF_IPI: return ~UINT64_C(0xFF);
    default: return UINT64_MAX;
    }
}

static bool x2apic_can_write(unsigned offset)
{
    return offset == LAPIC_EOI || offset == LAPIC_ESR || x2apic_reserved_bits(offset) != UINT64_MAX;
}

static bool x2apic_write(Lapic *lapic, unsigned offset, uint64_t value)
{
    if (!x2apic_can_write(offset) || (value & x2apic_reserved_bits(offset)))
        return false;
    if (offset == LAPIC_SELF_IPI) {
        if (value < 16)
            lapic_set_error(lapic, ERROR_SEND_VECTOR);
        else
            lapic_deliver(lapic, APIC_FIXED, (uint8_t)value, false);
        return true;
    }
    if (offset == LAPIC_ICR)
        lapic->icr = value & ~UINT64_C(0xFFFFFFFF);
    lapic_write_register(lapic, offset, (uint32_t)value);
    return true;
}

static bool lapic_write_tsc_deadline(Lapic *lapic, uint64_t deadline_ns)
{
    lapic_timer_catch_up(lapic);
    lapic_set_deadline_ns(lapic, deadline_ns);
    lapic_update_timer(lapic);
    return true;
}

bool lapic_read_msr(LapicBus *bus, unsigned id, uint32_t msr, uint64_t *out_value)
{
    Lapic *lapic = bus->lapic[id];

    if (msr == MSR_APIC_BASE) {
        *out_value = lapic->base;
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        lapic_timer_catch_up(lapic);
        *out_value = lapic_deadline_ns(lapic);
        return true;
    }
    unsigned offset = (msr - MSR_X2APIC_FIRST) << 4;
    if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(lapic) ||
        !x2apic_can_read(offset))
        return false;
    *out_value = offset == LAPIC_ICR ? lapic->icr : lapic_read_register(lapic, offset);
    return true;
}

bool lapic_write_msr(LapicBus *bus, unsigned id, uint32_t msr, uint64_t value)
{
    Lapic *lapic = bus->lapic[id];

    if (msr == MSR_APIC_BASE)
        return lapic_write_base(lapic, value);
    if (msr == MSR_TSC_DEADLINE)
        return lapic_write_tsc_deadline(lapic, value);
    if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(lapic))
        return false;
    return x2apic_write(lapic, (msr - MSR_X2APIC_FIRST) << 4, value);
}
