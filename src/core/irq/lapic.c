/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/lapic-internal.h"

static const StateField lapic_state[] = {
    STATE_UINT(Lapic, base),
    STATE_UINT(Lapic, tpr),
    STATE_UINT(Lapic, ldr),
    STATE_UINT(Lapic, dfr),
    STATE_UINT(Lapic, svr),
    STATE_ARRAY(Lapic, isr),
    STATE_ARRAY(Lapic, tmr),
    STATE_ARRAY(Lapic, irr),
    STATE_UINT(Lapic, esr),
    STATE_UINT(Lapic, esr_pending),
    STATE_UINT(Lapic, icr),
    STATE_ARRAY(Lapic, lvt),
    STATE_UINT(Lapic, initial_count),
    STATE_UINT(Lapic, divide),
    STATE_UINT(Lapic, timer_start_ns),
    STATE_UINT(Lapic, timer_next_ns),
    STATE_BOOL(Lapic, lint0_level),
    STATE_BOOL(Lapic, extint),
    STATE_UINT(Lapic, sipi_vector),
    STATE_END,
};

/* Vectors and priorities */

uint32_t lapic_ppr(const Lapic *lapic)
{
    int in_service = bits_highest(lapic->isr);
    uint32_t class = in_service < 0 ? 0 : (uint32_t)in_service & 0xF0;

    return (lapic->tpr & 0xF0) >= class ? lapic->tpr : class;
}

/* The vector that may be delivered now, or -1. */
static int lapic_deliverable(const Lapic *lapic)
{
    bool ours = lapic_accepts(lapic) && !lapic_is_kept_elsewhere(lapic);
    int wanted = ours ? bits_highest(lapic->irr) : -1;

    return wanted >= 0 && (uint32_t)(wanted & 0xF0) > (lapic_ppr(lapic) & 0xF0) ? wanted : -1;
}

/* Whether the PIC is to be asked: through LINT0 in ExtINT mode, past a disabled APIC, or by an
 * ExtINT message. */
static bool lapic_wants_extint(const Lapic *lapic)
{
    uint32_t lint0 = lapic->lvt[LVT_LINT0];

    if (lapic_is_kept_elsewhere(lapic)) /* who knows whether the APIC lets it pass */
        return lapic->lint0_level && lapic->id == 0;
    if (lapic->extint)
        return true;
    if (!lapic->lint0_level)
        return false;
    return !lapic_is_enabled(lapic) ||
           (!(lint0 & LVT_MASKED) && LVT_DELIVERY(lint0) == APIC_EXTINT);
}

void lapic_update_pending(Lapic *lapic)
{
    bool is_pending = lapic_wants_extint(lapic) || lapic_deliverable(lapic) >= 0;

    __atomic_store_n(&lapic->is_pending, is_pending, __ATOMIC_RELEASE);
    if (is_pending && lapic->bus->signal)
        lapic->bus->signal(lapic->bus->opaque, lapic->id, VCPU_SIGNAL_INTERRUPT);
}

static void lapic_accept_fixed(Lapic *lapic, uint8_t vector, bool level)
{
    if (!lapic_accepts(lapic))
        return;
    if (vector < 16) {
        lapic_set_error(lapic, ERROR_RECEIVE_VECTOR);
        return;
    }
    bits_set(lapic->irr, vector, true);
    bits_set(lapic->tmr, vector, level);
    lapic_update_pending(lapic);
}

/* INIT resets the APIC with its processor (SDM §11.4.7.3). */
static void lapic_take_init(Lapic *lapic)
{
    lapic_reset_registers(lapic);
    lapic_update_timer(lapic);
    lapic_update_pending(lapic);
}

void lapic_deliver(Lapic *lapic, ApicDelivery delivery, uint8_t vector, bool level)
{
    LapicBus *bus = lapic->bus;

    switch (delivery) {
    case APIC_FIXED:
    case APIC_LOWEST: lapic_accept_fixed(lapic, vector, level); break;
    case APIC_NMI:
        if (bus->signal)
            bus->signal(bus->opaque, lapic->id, VCPU_SIGNAL_NMI);
        break;
    case APIC_INIT:
        lapic_take_init(lapic);
        if (bus->signal)
            bus->signal(bus->opaque, lapic->id, VCPU_SIGNAL_INIT);
        break;
    case APIC_SIPI:
        lapic->sipi_vector = vector;
        if (bus->signal)
            bus->signal(bus->opaque, lapic->id, VCPU_SIGNAL_SIPI);
        break;
    case APIC_EXTINT:
        lapic->extint = true;
        lapic_update_pending(lapic);
        break;
    case APIC_SMI: /* there is no SMM */
    case APIC_REMOTE_READ: break;
    }
}

void lapic_deliver_local(Lapic *lapic, unsigned which)
{
    uint32_t lvt = lapic->lvt[which];

    if (!(lvt & LVT_MASKED))
        lapic_deliver(lapic,
                      which == LVT_ERROR || which == LVT_TIMER ? APIC_FIXED : LVT_DELIVERY(lvt),
                      (uint8_t)lvt, false);
}

void lapic_set_error(Lapic *lapic, uint32_t error)
{
    if (lapic->esr_pending & error)
        return;
    lapic->esr_pending |= error; /* before delivery: a bad vector in LVT error must not recurse */
    lapic_deliver_local(lapic, LVT_ERROR);
}

/* What the vCPU asks */

bool lapic_pending(const LapicBus *bus, unsigned id)
{
    return __atomic_load_n(&bus->lapic[id]->is_pending, __ATOMIC_ACQUIRE);
}

int lapic_acknowledge(LapicBus *bus, unsigned id)
{
    Lapic *lapic = bus->lapic[id];
    int vector = -1;

    if (lapic_wants_extint(lapic)) {
        lapic->extint = false;
        vector = -2;
    } else if ((vector = lapic_deliverable(lapic)) >= 0) {
        bits_set(lapic->irr, (unsigned)vector, false);
        bits_set(lapic->isr, (unsigned)vector, true);
    }
    lapic_update_pending(lapic);
    return vector;
}

uint64_t lapic_page(const LapicBus *bus, unsigned id)
{
    uint64_t base = __atomic_load_n(&bus->lapic[id]->base, __ATOMIC_ACQUIRE);

    return (base & (BASE_ENABLED | BASE_X2APIC)) == BASE_ENABLED ? base & BASE_ADDRESS : UINT64_MAX;
}

uint8_t lapic_get_cr8(LapicBus *bus, unsigned id)
{
    return bus->lapic[id]->tpr >> 4;
}

void lapic_set_cr8(LapicBus *bus, unsigned id, uint8_t value)
{
    Lapic *lapic = bus->lapic[id];

    lapic->tpr = (uint32_t)(value & 15) << 4;
    lapic_update_pending(lapic);
}

/* Device and bus */

void lapic_reset_registers(Lapic *lapic)
{
    *lapic = (Lapic){
        .dev = lapic->dev,
        .bus = lapic->bus,
        .id = lapic->id,
        .timer = lapic->timer,
        .is_pending = lapic->is_pending,
        .base = lapic->base,
        .dfr = UINT32_MAX,
        .svr = 0xFF,
        .timer_next_ns = CLOCK_NEVER,
        .lint0_level = lapic->lint0_level, /* the PIC's */
    };
    for (unsigned i = 0; i < N_LVT; i++)
        lapic->lvt[i] = LVT_MASKED;
    /* Virtual wire mode, as a BIOS leaves it and the PIC's first users expect it. */
    if (lapic->id == 0)
        lapic->lvt[LVT_LINT0] = (uint32_t)APIC_EXTINT << 8;
}

static void lapic_update(Device *dev)
{
    Lapic *lapic = (Lapic *)dev;

    lapic_update_timer(lapic);
    lapic_update_pending(lapic);
}

static void lapic_reset(Device *dev)
{
    Lapic *lapic = (Lapic *)dev;

    lapic->base = APIC_BASE_DEFAULT | BASE_ENABLED | (lapic->id == 0 ? BASE_BOOT_CPU : 0);
    lapic_reset_registers(lapic);
}

static uint64_t lapic_device_read(Device *dev, uint64_t offset, unsigned size)
{
    Lapic *lapic = (Lapic *)dev;

    return lapic_read(lapic->bus, lapic->id, offset, size);
}

static void lapic_device_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Lapic *lapic = (Lapic *)dev;

    lapic_write(lapic->bus, lapic->id, offset, size, value);
}

static const DeviceOps lapic_ops = {
    .name = "lapic",
    .instance_size = sizeof(Lapic),
    .state_version = 1,
    .state = lapic_state,
    .min_access = 4,
    .max_access = 4,
    .reset = lapic_reset,
    .update = lapic_update,
    .read = lapic_device_read,
    .write = lapic_device_write,
};

LapicBus *lapic_bus_new(unsigned n, Clock *clock,
                        void (*signal)(void *opaque, unsigned id, unsigned signals),
                        void (*on_eoi)(void *opaque, uint8_t vector), void *opaque)
{
    LapicBus *bus = g_new0(LapicBus, 1);

    bus->n = n;
    bus->clock = clock;
    bus->signal = signal;
    bus->on_eoi = on_eoi;
    bus->opaque = opaque;
    bus->lapic = g_new0(Lapic *, n);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *id = g_strdup_printf("lapic%u", i);
        Lapic *lapic = device_alloc(&lapic_ops, id);
        lapic->bus = bus;
        lapic->id = i;
        clock_timer_init(&lapic->timer, clock, on_lapic_timer, lapic);
        bus->lapic[i] = lapic;
        lapic_reset(&lapic->dev);
    }
    return bus;
}

void lapic_bus_free(LapicBus *bus)
{
    if (!bus)
        return;
    for (unsigned i = 0; i < bus->n; i++) {
        clock_timer_cancel(&bus->lapic[i]->timer);
        device_free(&bus->lapic[i]->dev);
    }
    g_free(bus->lapic);
    g_free(bus);
}

Device *lapic_bus_device(LapicBus *bus, unsigned id)
{
    return &bus->lapic[id]->dev;
}
