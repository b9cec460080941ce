/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/apic.h"

#include <string.h>

/* Registers, as offsets in the xAPIC page (SDM vol. 3A table 11-1). The x2APIC MSR of a register is
 * 800h + offset / 16. */
enum {
    LAPIC_ID = 0x020,
    LAPIC_VERSION = 0x030,
    LAPIC_TPR = 0x080,
    LAPIC_APR = 0x090,
    LAPIC_PPR = 0x0A0,
    LAPIC_EOI = 0x0B0,
    LAPIC_RRD = 0x0C0,
    LAPIC_LDR = 0x0D0,
    LAPIC_DFR = 0x0E0,
    LAPIC_SVR = 0x0F0,
    LAPIC_ISR = 0x100,
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_LVT_CMCI = 0x2F0,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_INITIAL_COUNT = 0x380,
    LAPIC_CURRENT_COUNT = 0x390,
    LAPIC_DIVIDE = 0x3E0,
    LAPIC_SELF_IPI = 0x3F0,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_COUNTER, LVT_LINT0, LVT_LINT1, LVT_ERROR, N_LVT };

#define MSR_APIC_BASE 0x01B
#define MSR_TSC_DEADLINE 0x6E0
#define MSR_X2APIC_FIRST 0x800
#define MSR_X2APIC_LAST 0x8FF
#define BASE_BOOT_CPU (UINT64_C(1) << 8)
#define BASE_X2APIC (UINT64_C(1) << 10)
#define BASE_ENABLED (UINT64_C(1) << 11)
#define BASE_ADDRESS UINT64_C(0x000FFFFFFFFFF000)

#define VERSION_VALUE (0x14u | (N_LVT - 1) << 16)
#define SVR_ENABLED (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_LEVEL (1u << 15)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_DELIVERY(lvt) ((lvt) >> 8 & 7)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_WRITABLE 0x000CCFFFu

enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };
enum {
    ERROR_SEND_VECTOR = 1 << 5,
    ERROR_RECEIVE_VECTOR = 1 << 6,
    ERROR_REGISTER = 1 << 7,
};

/* A guest that programs a shorter period gets this one: the host must be able to breathe. */
#define TIMER_MIN_PERIOD_NS 10000

typedef struct Lapic {
    Device dev;
    LapicBus *bus;
    unsigned id;
    ClockTimer timer;
    int is_pending; /* atomic: lapic_pending() */

    /* guest state */
    uint64_t base; /* IA32_APIC_BASE; atomic */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_pending; /* what reads, and what the next write latches */
    uint64_t icr;
    uint32_t lvt[N_LVT];
    uint32_t initial_count, divide;
    uint64_t timer_start_ns; /* when the count was written, or last reloaded */
    uint64_t timer_next_ns;  /* when it reaches zero; CLOCK_NEVER: it stands */
    bool lint0_level;        /* the wire from the PIC */
    bool extint;             /* an ExtINT message waits for its INTA */
    uint8_t sipi_vector;
} Lapic;

struct LapicBus {
    unsigned n;
    Lapic **lapic; /* owned */
    Clock *clock;  /* borrowed */
    void (*signal)(void *opaque, unsigned id, unsigned signals);
    void (*on_eoi)(void *opaque, uint8_t vector);
    void *opaque;
};

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

static bool lapic_is_enabled(const Lapic *lapic)
{
    return lapic->base & BASE_ENABLED;
}

static bool lapic_is_x2apic(const Lapic *lapic)
{
    return lapic->base & BASE_X2APIC;
}

static bool lapic_accepts(const Lapic *lapic) /* fixed interrupts */
{
    return lapic_is_enabled(lapic) && (lapic->svr & SVR_ENABLED);
}

/* Vectors and priorities */

static int bits_highest(const uint32_t bits[8])
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return 32 * i + 31 - __builtin_clz(bits[i]);
    return -1;
}

static void bits_set(uint32_t bits[8], unsigned vector, bool value)
{
    uint32_t bit = 1u << (vector & 31);

    bits[vector >> 5] = value ? bits[vector >> 5] | bit : bits[vector >> 5] & ~bit;
}

static bool bits_get(const uint32_t bits[8], unsigned vector)
{
    return bits[vector >> 5] >> (vector & 31) & 1;
}

static uint32_t lapic_ppr(const Lapic *lapic)
{
    int in_service = bits_highest(lapic->isr);
    uint32_t class = in_service < 0 ? 0 : (uint32_t)in_service & 0xF0;

    return (lapic->tpr & 0xF0) >= class ? lapic->tpr : class;
}

/* The vector that may be delivered now, or -1. */
static int lapic_deliverable(const Lapic *lapic)
{
    int wanted = lapic_accepts(lapic) ? bits_highest(lapic->irr) : -1;

    return wanted >= 0 && (uint32_t)(wanted & 0xF0) > (lapic_ppr(lapic) & 0xF0) ? wanted : -1;
}

/* Whether the PIC is to be asked: through LINT0 in ExtINT mode, past a disabled APIC, or by an
 * ExtINT message. */
static bool lapic_wants_extint(const Lapic *lapic)
{
    uint32_t lint0 = lapic->lvt[LVT_LINT0];

    if (lapic->extint)
        return true;
    if (!lapic->lint0_level)
        return false;
    return !lapic_is_enabled(lapic) ||
           (!(lint0 & LVT_MASKED) && LVT_DELIVERY(lint0) == APIC_EXTINT);
}

static void lapic_update_pending(Lapic *lapic)
{
    bool is_pending = lapic_wants_extint(lapic) || lapic_deliverable(lapic) >= 0;

    __atomic_store_n(&lapic->is_pending, is_pending, __ATOMIC_RELEASE);
    if (is_pending && lapic->bus->signal)
        lapic->bus->signal(lapic->bus->opaque, lapic->id, VCPU_SIGNAL_INTERRUPT);
}

static void lapic_set_error(Lapic *lapic, uint32_t error);

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

static void lapic_deliver(Lapic *lapic, ApicDelivery delivery, uint8_t vector, bool level)
{
    LapicBus *bus = lapic->bus;

    switch (delivery) {
    case APIC_FIXED:
    case APIC_LOWEST: lapic_accept_fixed(lapic, vector, level); break;
    case APIC_NMI:
    case APIC_INIT:
        if (bus->signal)
            bus->signal(bus->opaque, lapic->id,
                        delivery == APIC_NMI ? VCPU_SIGNAL_NMI : VCPU_SIGNAL_INIT);
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

static void lapic_deliver_local(Lapic *lapic, unsigned which)
{
    uint32_t lvt = lapic->lvt[which];

    if (!(lvt & LVT_MASKED))
        lapic_deliver(lapic,
                      which == LVT_ERROR || which == LVT_TIMER ? APIC_FIXED : LVT_DELIVERY(lvt),
                      (uint8_t)lvt, false);
}

static void lapic_set_error(Lapic *lapic, uint32_t error)
{
    if (lapic->esr_pending & error)
        return;
    lapic->esr_pending |= error; /* before delivery: a bad vector in LVT error must not recurse */
    lapic_deliver_local(lapic, LVT_ERROR);
}

/* Timer */

static unsigned timer_mode(const Lapic *lapic)
{
    return lapic->lvt[LVT_TIMER] >> 17 & 3;
}

static uint64_t timer_count_ns(const Lapic *lapic) /* of one count */
{
    unsigned code = (lapic->divide & 3) | (lapic->divide >> 1 & 4);

    return code == 7 ? 1 : UINT64_C(2) << code; /* APIC_BUS_HZ is 1 GHz */
}

static uint64_t timer_period_ns(const Lapic *lapic)
{
    return lapic->initial_count * timer_count_ns(lapic);
}

static uint32_t timer_current_count(const Lapic *lapic)
{
    uint64_t now = clock_now_ns(lapic->bus->clock), left;

    if (lapic->timer_next_ns == CLOCK_NEVER || timer_mode(lapic) == TIMER_DEADLINE)
        return 0;
    if (now < lapic->timer_next_ns) {
        left = lapic->timer_next_ns - now;
    } else { /* its event is due and has not been handled yet */
        uint64_t period = timer_period_ns(lapic);
        if (timer_mode(lapic) != TIMER_PERIODIC || period == 0)
            return 0;
        left = period - (now - lapic->timer_next_ns) % period;
    }
    uint64_t count_ns = timer_count_ns(lapic);
    return (uint32_t)MIN((left + count_ns - 1) / count_ns, UINT32_MAX);
}

/* Arms the event. Only what the guest would notice costs a wake-up. */
static void lapic_update_timer(Lapic *lapic)
{
    bool is_masked = lapic->lvt[LVT_TIMER] & LVT_MASKED;

    clock_timer_set(&lapic->timer, is_masked && timer_mode(lapic) != TIMER_DEADLINE
                                       ? CLOCK_NEVER
                                       : lapic->timer_next_ns);
}

/* Brings the counter up to now, delivering what it owes, before a register is read or changed. */
static void lapic_timer_catch_up(Lapic *lapic)
{
    uint64_t now = clock_now_ns(lapic->bus->clock);

    if (now < lapic->timer_next_ns || lapic->timer_next_ns == CLOCK_NEVER)
        return;
    if (timer_mode(lapic) == TIMER_PERIODIC && lapic->initial_count) {
        uint64_t period = MAX(timer_period_ns(lapic), TIMER_MIN_PERIOD_NS);
        uint64_t missed = (now - lapic->timer_next_ns) / period;
        lapic->timer_next_ns += (missed + 1) * period;
    } else {
        lapic->timer_next_ns = CLOCK_NEVER;
    }
    lapic_deliver_local(lapic, LVT_TIMER);
}

static void on_lapic_timer(void *opaque)
{
    Lapic *lapic = opaque;

    lapic_timer_catch_up(lapic);
    lapic_update_timer(lapic);
}

static void lapic_timer_restart(Lapic *lapic, uint32_t initial_count)
{
    uint64_t now = clock_now_ns(lapic->bus->clock);

    lapic->initial_count = initial_count;
    lapic->timer_start_ns = now;
    lapic->timer_next_ns = initial_count ? now + timer_period_ns(lapic) : CLOCK_NEVER;
}

static void lapic_write_divide(Lapic *lapic, uint32_t value)
{
    uint32_t left = timer_current_count(lapic);

    lapic->divide = value & 0xB;
    if (lapic->timer_next_ns != CLOCK_NEVER && timer_mode(lapic) != TIMER_DEADLINE)
        lapic->timer_next_ns = clock_now_ns(lapic->bus->clock) + left * timer_count_ns(lapic);
}

static void lapic_write_lvt_timer(Lapic *lapic, uint32_t value)
{
    unsigned before = timer_mode(lapic);

    lapic->lvt[LVT_TIMER] = value;
    /* Going into or out of TSC-deadline mode disarms (SDM §11.5.4.1). */
    if (before != timer_mode(lapic) &&
        (before == TIMER_DEADLINE || timer_mode(lapic) == TIMER_DEADLINE)) {
        lapic->timer_next_ns = CLOCK_NEVER;
        lapic->initial_count = 0;
    }
}

/* Messages */

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

static void lapic_send_icr(Lapic *lapic)
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
    if (rises && lapic_is_enabled(lapic) && LVT_DELIVERY(lint0) != APIC_EXTINT)
        lapic_deliver_local(lapic, LVT_LINT0);
    lapic_update_pending(lapic);
}

uint8_t lapic_bus_sipi_vector(LapicBus *bus, unsigned id)
{
    return bus->lapic[id]->sipi_vector;
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

/* Registers */

static uint32_t lapic_read_register(Lapic *lapic, unsigned offset)
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
    case LAPIC_CURRENT_COUNT: return timer_current_count(lapic);
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

static void lapic_write_register(Lapic *lapic, unsigned offset, uint32_t value)
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
            if (timer_mode(lapic) != TIMER_DEADLINE)
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

/* MSRs */

static void lapic_reset_registers(Lapic *lapic)
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
    if (timer_mode(lapic) != TIMER_DEADLINE)
        return true; /* ignored */
    lapic_timer_catch_up(lapic);
    lapic->timer_next_ns = deadline_ns ? deadline_ns : CLOCK_NEVER;
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
        bool is_armed = timer_mode(lapic) == TIMER_DEADLINE && lapic->timer_next_ns != CLOCK_NEVER;
        *out_value = is_armed ? lapic->timer_next_ns : 0;
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

/* Device and bus */

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

void lapic_cpu_init(LapicBus *bus, unsigned id)
{
    Lapic *lapic = bus->lapic[id];
    uint8_t sipi_vector = lapic->sipi_vector; /* a SIPI may be on its way already */

    lapic_reset_registers(lapic);
    lapic->sipi_vector = sipi_vector;
    lapic_update(&lapic->dev);
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
