/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/hpet.h"

#include "core/machine/machine.h"

#define HPET_N_TIMERS 3
#define HPET_PERIOD_FS UINT64_C(10000000)
/* Revision 1, vendor 8086h, legacy replacement, 64-bit counter, three timers. */
#define HPET_CAPABILITIES (HPET_PERIOD_FS << 32 | 0x8086A201)

enum {
    HPET_CAPABILITY = 0x000,
    HPET_CONFIG = 0x010,
    HPET_STATUS = 0x020,
    HPET_COUNTER = 0x0F0,
    HPET_TIMER = 0x100, /* 20h bytes each: configuration, comparator, FSB route */
};
enum { CONFIG_ENABLE = 1 << 0, CONFIG_LEGACY = 1 << 1 };
enum {
    TIMER_LEVEL = 1 << 1,
    TIMER_INTERRUPT = 1 << 2,
    TIMER_PERIODIC = 1 << 3,
    TIMER_CAN_PERIODIC = 1 << 4,
    TIMER_CAN_64 = 1 << 5,
    TIMER_SET_VALUE = 1 << 6,
    TIMER_32 = 1 << 8,
    TIMER_ROUTE_SHIFT = 9,
    TIMER_WRITABLE = 0x3F4E,
};
/* A guest that programs a shorter period gets this one: the host must be able to breathe. */
#define HPET_MIN_PERIOD_NS 10000

typedef struct {
    uint64_t config;     /* the low half; the high half is the route capability */
    uint64_t comparator; /* as the guest wrote it, or the periodic accumulator */
    uint64_t period;     /* in ticks */
    uint64_t match;      /* the counter value of the next event, if has_match */
    bool has_match;
} HpetTimer;

struct Hpet {
    Device dev;
    /* wiring */
    IrqLine gsi[HPET_N_INPUTS];
    Pit *pit;
    Rtc *rtc;
    Clock *clock;
    ClockTimer event;
    /* guest state */
    uint64_t config, status; /* config: atomic */
    uint64_t counter;        /* while it stands; else what to add to the clock's ticks; atomic */
    HpetTimer timer[HPET_N_TIMERS];
};

static const StateField hpet_timer_state[] = {
    STATE_UINT(HpetTimer, config), STATE_UINT(HpetTimer, comparator), STATE_UINT(HpetTimer, period),
    STATE_UINT(HpetTimer, match),  STATE_BOOL(HpetTimer, has_match),  STATE_END,
};

static const StateField hpet_state[] = {
    STATE_UINT(Hpet, config),
    STATE_UINT(Hpet, status),
    STATE_UINT(Hpet, counter),
    STATE_STRUCTS(Hpet, timer, hpet_timer_state),
    STATE_END,
};

static uint64_t hpet_clock_ticks(const Hpet *hpet)
{
    return clock_ns_to_ticks(clock_now_ns(hpet->clock), HPET_HZ);
}

static uint64_t hpet_counter(const Hpet *hpet)
{
    uint64_t config = __atomic_load_n(&hpet->config, __ATOMIC_ACQUIRE);
    uint64_t counter = __atomic_load_n(&hpet->counter, __ATOMIC_RELAXED);

    return config & CONFIG_ENABLE ? counter + hpet_clock_ticks(hpet) : counter;
}

/* The interrupt wires of a timer */

static unsigned hpet_route(const Hpet *hpet, unsigned index)
{
    if ((hpet->config & CONFIG_LEGACY) && index < 2)
        return index == 0 ? 0 : 8; /* in place of the PIT and the RTC */
    return hpet->timer[index].config >> TIMER_ROUTE_SHIFT & 31;
}

/* Inputs that timer @index may be routed to: 20-23, and 11 for timer 2 (ICH9 §20.1.5). */
static uint32_t hpet_route_capability(unsigned index)
{
    return index == 2 ? 0x00F00800 : 0x00F00000;
}

static const IrqLine *hpet_line(const Hpet *hpet, unsigned index)
{
    static const IrqLine none;
    unsigned route = hpet_route(hpet, index);
    bool is_legacy = (hpet->config & CONFIG_LEGACY) && index < 2;

    if (route >= HPET_N_INPUTS || (!is_legacy && !(hpet_route_capability(index) & 1u << route)))
        return &none;
    return &hpet->gsi[route];
}

static void hpet_fire(Hpet *hpet, unsigned index)
{
    const HpetTimer *timer = &hpet->timer[index];

    if (timer->config & TIMER_LEVEL) {
        hpet->status |= 1u << index;
        if (timer->config & TIMER_INTERRUPT)
            irq_set(hpet_line(hpet, index), true);
    } else if (timer->config & TIMER_INTERRUPT) {
        irq_pulse(hpet_line(hpet, index));
    }
}

/* Comparators */

static uint64_t timer_mask(const HpetTimer *timer)
{
    return timer->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

/* Finds the next match after @counter from the comparator. */
static void timer_rearm(HpetTimer *timer, uint64_t counter)
{
    uint64_t ahead = (timer->comparator - counter) & timer_mask(timer);

    /* A 64-bit comparator in the past matches after 5000 years: never. */
    timer->has_match = ahead < UINT64_C(1) << 62;
    timer->match = counter + ahead;
}

/* Handles the matches up to @counter, before registers change. */
static void hpet_catch_up(Hpet *hpet)
{
    uint64_t counter = hpet_counter(hpet);

    if (!(hpet->config & CONFIG_ENABLE))
        return;
    for (unsigned i = 0; i < HPET_N_TIMERS; i++) {
        HpetTimer *timer = &hpet->timer[i];
        if (!timer->has_match || (int64_t)(counter - timer->match) < 0)
            continue;
        if ((timer->config & TIMER_PERIODIC) && timer->period) {
            uint64_t missed = (counter - timer->match) / timer->period;
            timer->match += (missed + 1) * timer->period;
            timer->comparator = timer->match & timer_mask(timer);
        } else if (timer->config & TIMER_32) {
            timer->match += UINT64_C(1) << 32; /* when it comes round */
        } else {
            timer->has_match = false;
        }
        hpet_fire(hpet, i);
    }
}

static void hpet_schedule(Hpet *hpet, uint64_t not_before_ns)
{
    uint64_t next = CLOCK_NEVER, counter = hpet_counter(hpet);
    uint64_t clock_ticks = hpet_clock_ticks(hpet);

    for (unsigned i = 0; i < HPET_N_TIMERS && (hpet->config & CONFIG_ENABLE); i++) {
        const HpetTimer *timer = &hpet->timer[i];
        /* Without interrupt or status bit nobody can tell that it matched. */
        if (!timer->has_match || !(timer->config & (TIMER_INTERRUPT | TIMER_LEVEL)))
            continue;
        uint64_t ahead = timer->match - counter;
        if ((int64_t)ahead < 0)
            ahead = 0;
        if (ahead < UINT64_C(1) << 60)
            next = MIN(next, clock_ticks_to_ns(clock_ticks + ahead, HPET_HZ));
    }
    if (next != CLOCK_NEVER)
        next = MAX(next, not_before_ns);
    clock_timer_set(&hpet->event, next);
}

static void on_hpet_event(void *opaque)
{
    Hpet *hpet = opaque;

    hpet_catch_up(hpet);
    hpet_schedule(hpet, clock_now_ns(hpet->clock) + HPET_MIN_PERIOD_NS);
}

static void hpet_update(Device *dev)
{
    Hpet *hpet = (Hpet *)dev;
    bool is_legacy = hpet->config & CONFIG_LEGACY;

    if (hpet->pit)
        pit_set_irq_connected(hpet->pit, !is_legacy);
    if (hpet->rtc)
        rtc_set_irq_connected(hpet->rtc, !is_legacy);
    for (unsigned i = 0; i < HPET_N_TIMERS; i++) {
        const HpetTimer *timer = &hpet->timer[i];
        if (timer->config & TIMER_LEVEL)
            irq_set(hpet_line(hpet, i),
                    (hpet->status & 1u << i) && (timer->config & TIMER_INTERRUPT));
    }
    hpet_schedule(hpet, 0);
}

/* Registers */

static uint64_t hpet_read_register(Hpet *hpet, uint64_t offset) /* multiple of 8 */
{
    if (offset >= HPET_TIMER && offset < HPET_TIMER + 0x20 * HPET_N_TIMERS) {
        unsigned index = (offset - HPET_TIMER) / 0x20;
        const HpetTimer *timer = &hpet->timer[index];
        switch (offset & 0x1F) {
        case 0x00:
            return timer->config | TIMER_CAN_PERIODIC | TIMER_CAN_64 |
                   (uint64_t)hpet_route_capability(index) << 32;
        case 0x08: return timer->comparator;
        default: return 0;
        }
    }
    switch (offset) {
    case HPET_CAPABILITY: return HPET_CAPABILITIES;
    case HPET_CONFIG: return hpet->config;
    case HPET_STATUS: return hpet->status;
    case HPET_COUNTER: return hpet_counter(hpet);
    default: return 0;
    }
}

static uint64_t hpet_read(Device *dev, uint64_t offset, unsigned size)
{
    Hpet *hpet = (Hpet *)dev;

    hpet_catch_up(hpet);
    uint64_t value = hpet_read_register(hpet, offset & ~UINT64_C(7));
    return size == 8 ? value : value >> 8 * (offset & 4) & UINT32_MAX;
}

static bool hpet_read_lockless(Device *dev, uint64_t offset, unsigned size, uint64_t *out_value)
{
    if ((offset != HPET_COUNTER && offset != HPET_COUNTER + 4) || (size != 4 && size != 8) ||
        (offset & (size - 1)))
        return false;
    uint64_t value = hpet_counter((const Hpet *)dev) >> 8 * (offset & 4);
    *out_value = size == 8 ? value : value & UINT32_MAX;
    return true;
}

static void hpet_rearm_all(Hpet *hpet)
{
    uint64_t counter = hpet_counter(hpet);

    for (unsigned i = 0; i < HPET_N_TIMERS; i++)
        timer_rearm(&hpet->timer[i], counter);
}

static void hpet_set_counter(Hpet *hpet, uint64_t counter)
{
    if (hpet->config & CONFIG_ENABLE)
        counter -= hpet_clock_ticks(hpet);
    __atomic_store_n(&hpet->counter, counter, __ATOMIC_RELAXED);
    hpet_rearm_all(hpet);
}

static void hpet_write_config(Hpet *hpet, uint64_t value)
{
    uint64_t counter = hpet_counter(hpet);

    value &= CONFIG_ENABLE | CONFIG_LEGACY;
    for (unsigned i = 0; i < HPET_N_TIMERS; i++) /* routes may move: let go of the wires */
        if (((value ^ hpet->config) & CONFIG_LEGACY) && (hpet->timer[i].config & TIMER_LEVEL))
            irq_set(hpet_line(hpet, i), false);
    bool was_enabled = hpet->config & CONFIG_ENABLE;
    __atomic_store_n(&hpet->config, value, __ATOMIC_RELEASE);
    if (was_enabled != (bool)(value & CONFIG_ENABLE))
        hpet_set_counter(hpet, counter);
}

static void hpet_write_timer_config(Hpet *hpet, unsigned index, uint64_t value)
{
    HpetTimer *timer = &hpet->timer[index];

    if (timer->config & TIMER_LEVEL)
        irq_set(hpet_line(hpet, index), false);
    timer->config = value & TIMER_WRITABLE;
    if (!(timer->config & TIMER_LEVEL))
        hpet->status &= ~(1u << index);
    if (timer->config & TIMER_32) {
        timer->comparator &= UINT32_MAX;
        timer->period &= UINT32_MAX;
    }
    timer_rearm(timer, hpet_counter(hpet));
}

/* @mask: which half, or both, was written. */
static void hpet_write_comparator(Hpet *hpet, unsigned index, uint64_t value, uint64_t mask)
{
    HpetTimer *timer = &hpet->timer[index];
    bool is_periodic = timer->config & TIMER_PERIODIC;

    if (timer->config & TIMER_32)
        mask &= UINT32_MAX;
    if (!is_periodic || (timer->config & TIMER_SET_VALUE))
        timer->comparator = (timer->comparator & ~mask) | (value & mask);
    if (is_periodic) /* the accumulator is set directly only once, then it is the period */
        timer->period = (timer->period & ~mask) | (value & mask);
    timer->config &= ~(uint64_t)TIMER_SET_VALUE;
    timer_rearm(timer, hpet_counter(hpet));
}

static void hpet_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Hpet *hpet = (Hpet *)dev;
    uint64_t at = offset & ~UINT64_C(7), shift = size == 8 ? 0 : 8 * (offset & 4);
    uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;

    hpet_catch_up(hpet);
    uint64_t merged = (hpet_read_register(hpet, at) & ~mask) | (value << shift & mask);
    if (at >= HPET_TIMER && at < HPET_TIMER + 0x20 * HPET_N_TIMERS) {
        unsigned index = (at - HPET_TIMER) / 0x20;
        if ((at & 0x1F) == 0x00 && (mask & 1))
            hpet_write_timer_config(hpet, index, merged);
        else if ((at & 0x1F) == 0x08)
            hpet_write_comparator(hpet, index, value << shift, mask);
    } else if (at == HPET_CONFIG) {
        hpet_write_config(hpet, merged);
    } else if (at == HPET_STATUS) {
        hpet->status &= ~(value << shift);
    } else if (at == HPET_COUNTER) {
        hpet_set_counter(hpet, merged);
    }
    hpet_update(dev);
}

static void hpet_reset(Device *dev)
{
    Hpet *hpet = (Hpet *)dev;

    hpet->config = hpet->status = hpet->counter = 0;
    for (unsigned i = 0; i < HPET_N_TIMERS; i++)
        hpet->timer[i] = (HpetTimer){ .comparator = UINT64_MAX };
}

static bool hpet_realize(Device *dev, Machine *machine, GError **error)
{
    Hpet *hpet = (Hpet *)dev;

    hpet->clock = machine->clock;
    clock_timer_init(&hpet->event, machine->clock, on_hpet_event, hpet);
    address_space_map_device(machine->memory, HPET_BASE, 0x400, MAP_PRIORITY_CHIPSET, dev, 0);
    return true;
}

static void hpet_unrealize(Device *dev)
{
    clock_timer_cancel(&((Hpet *)dev)->event);
}

static const DeviceOps hpet_ops = {
    .name = "hpet",
    .instance_size = sizeof(Hpet),
    .state_version = 1,
    .state = hpet_state,
    .min_access = 4,
    .max_access = 8,
    .realize = hpet_realize,
    .unrealize = hpet_unrealize,
    .reset = hpet_reset,
    .update = hpet_update,
    .read = hpet_read,
    .write = hpet_write,
    .read_lockless = hpet_read_lockless,
};

Device *hpet_new(const IrqLine *gsi, Pit *pit, Rtc *rtc)
{
    Hpet *hpet = device_alloc(&hpet_ops, "hpet");

    for (unsigned i = 0; i < HPET_N_INPUTS; i++)
        hpet->gsi[i] = gsi[i];
    hpet->pit = pit;
    hpet->rtc = rtc;
    return &hpet->dev;
}
