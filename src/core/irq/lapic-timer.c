/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/lapic-internal.h"

/* A guest that programs a shorter period gets this one: the host must be able to breathe. */
#define TIMER_MIN_PERIOD_NS 10000

unsigned lapic_timer_mode(const Lapic *lapic)
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

uint32_t lapic_timer_count(const Lapic *lapic)
{
    uint64_t now = clock_now_ns(lapic->bus->clock), left;

    if (lapic->timer_next_ns == CLOCK_NEVER || lapic_timer_mode(lapic) == TIMER_DEADLINE)
        return 0;
    if (now < lapic->timer_next_ns) {
        left = lapic->timer_next_ns - now;
    } else { /* its event is due and has not been handled yet */
        uint64_t period = timer_period_ns(lapic);
        if (lapic_timer_mode(lapic) != TIMER_PERIODIC || period == 0)
            return 0;
        left = period - (now - lapic->timer_next_ns) % period;
    }
    uint64_t count_ns = timer_count_ns(lapic);
    return (uint32_t)MIN((left + count_ns - 1) / count_ns, UINT32_MAX);
}

/* Arms the event. Only what the guest would notice costs a wake-up. */
void lapic_update_timer(Lapic *lapic)
{
    bool is_masked = lapic->lvt[LVT_TIMER] & LVT_MASKED;

    if (lapic_is_kept_elsewhere(lapic)) {
        clock_timer_cancel(&lapic->timer);
        return;
    }
    clock_timer_set(&lapic->timer, is_masked && lapic_timer_mode(lapic) != TIMER_DEADLINE
                                       ? CLOCK_NEVER
                                       : lapic->timer_next_ns);
}

/* Brings the counter up to now, delivering what it owes, before a register is read or changed. */
void lapic_timer_catch_up(Lapic *lapic)
{
    uint64_t now = clock_now_ns(lapic->bus->clock);

    if (now < lapic->timer_next_ns || lapic->timer_next_ns == CLOCK_NEVER)
        return;
    if (lapic_timer_mode(lapic) == TIMER_PERIODIC && lapic->initial_count) {
        uint64_t period = MAX(timer_period_ns(lapic), TIMER_MIN_PERIOD_NS);
        uint64_t missed = (now - lapic->timer_next_ns) / period;
        lapic->timer_next_ns += (missed + 1) * period;
    } else {
        lapic->timer_next_ns = CLOCK_NEVER;
    }
    lapic_deliver_local(lapic, LVT_TIMER);
}

void on_lapic_timer(void *opaque)
{
    Lapic *lapic = opaque;

    lapic_timer_catch_up(lapic);
    lapic_update_timer(lapic);
}

void lapic_timer_restart(Lapic *lapic, uint32_t initial_count)
{
    uint64_t now = clock_now_ns(lapic->bus->clock);

    lapic->initial_count = initial_count;
    lapic->timer_start_ns = now;
    lapic->timer_next_ns = initial_count ? now + timer_period_ns(lapic) : CLOCK_NEVER;
}

void lapic_timer_continue(Lapic *lapic, uint32_t initial_count, uint32_t count)
{
    bool runs = initial_count && (count || lapic_timer_mode(lapic) == TIMER_PERIODIC);

    lapic_timer_restart(lapic, initial_count);
    if (lapic_timer_mode(lapic) == TIMER_DEADLINE || !runs)
        lapic->timer_next_ns = CLOCK_NEVER;
    else
        lapic->timer_next_ns = lapic->timer_start_ns + count * timer_count_ns(lapic);
}

uint64_t lapic_deadline_ns(const Lapic *lapic)
{
    bool is_armed =
        lapic_timer_mode(lapic) == TIMER_DEADLINE && lapic->timer_next_ns != CLOCK_NEVER;

    return is_armed ? lapic->timer_next_ns : 0;
}

void lapic_set_deadline_ns(Lapic *lapic, uint64_t deadline_ns)
{
    if (lapic_timer_mode(lapic) == TIMER_DEADLINE)
        lapic->timer_next_ns = deadline_ns ? deadline_ns : CLOCK_NEVER;
}

void lapic_write_divide(Lapic *lapic, uint32_t value)
{
    uint32_t left = lapic_timer_count(lapic);

    lapic->divide = value & 0xB;
    if (lapic->timer_next_ns != CLOCK_NEVER && lapic_timer_mode(lapic) != TIMER_DEADLINE)
        lapic->timer_next_ns = clock_now_ns(lapic->bus->clock) + left * timer_count_ns(lapic);
}

void lapic_write_lvt_timer(Lapic *lapic, uint32_t value)
{
    unsigned before = lapic_timer_mode(lapic);

    lapic->lvt[LVT_TIMER] = value;
    /* Going into or out of TSC-deadline mode disarms (SDM §11.5.4.1). */
    if (before != lapic_timer_mode(lapic) &&
        (before == TIMER_DEADLINE || lapic_timer_mode(lapic) == TIMER_DEADLINE)) {
        lapic->timer_next_ns = CLOCK_NEVER;
        lapic->initial_count = 0;
    }
}
