/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/pit.h"

#include "core/machine/machine.h"

/* Offsets from port 40h. */
enum { PIT_COMMAND = 3, PIT_PORT_61 = 0x21 };
enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
enum {
    PORT_61_GATE2 = 1 << 0,
    PORT_61_SPEAKER = 1 << 1,
    PORT_61_WRITABLE = 0x0F,
    PORT_61_REFRESH = 1 << 4,
    PORT_61_OUT2 = 1 << 5,
};
enum { STATUS_NULL_COUNT = 1 << 6, STATUS_OUT = 1 << 7 };

#define REFRESH_NS 15085 /* one DRAM refresh, 18 ticks of the 8254 */
/* A guest that programs a shorter period gets this one: the host must be able to breathe. */
#define PIT_MIN_PERIOD_NS 10000

typedef struct {
    uint8_t mode, access;
    bool is_bcd, gate;
    bool is_counting;    /* a count is loaded and the counter was triggered, where it needs to be */
    uint32_t count;      /* in ticks, 1..65536 (10000) */
    uint32_t reload;     /* 0, or the count that follows at the end of this period (modes 2, 3) */
    uint64_t start_ns;   /* when the count was loaded, or the gate opened again … */
    uint64_t held_ticks; /* … after this many ticks */
    /* The bus side. */
    uint8_t low_written;
    bool has_low, reads_high;
    uint8_t latch_bytes; /* bytes of latched_count still to be read */
    uint16_t latched_count;
    bool has_status;
    uint8_t latched_status;
} PitCounter;

struct Pit {
    Device dev;
    /* wiring */
    IrqLine irq0;
    Clock *clock;
    ClockTimer timer; /* next rising edge of OUT0 */
    bool is_disconnected;
    /* guest state */
    PitCounter counter[3];
    uint8_t port_61;
    uint64_t edge_ns; /* when OUT0 rises next; CLOCK_NEVER: not by itself */
};

static const StateField pit_counter_state[] = {
    STATE_UINT_MAX(PitCounter, mode, 5),
    STATE_UINT_MAX(PitCounter, access, 3),
    STATE_BOOL(PitCounter, is_bcd),
    STATE_BOOL(PitCounter, gate),
    STATE_BOOL(PitCounter, is_counting),
    STATE_UINT_MAX(PitCounter, count, 65536),
    STATE_UINT_MAX(PitCounter, reload, 65536),
    STATE_UINT(PitCounter, start_ns),
    STATE_UINT(PitCounter, held_ticks),
    STATE_UINT(PitCounter, low_written),
    STATE_BOOL(PitCounter, has_low),
    STATE_BOOL(PitCounter, reads_high),
    STATE_UINT_MAX(PitCounter, latch_bytes, 2),
    STATE_UINT(PitCounter, latched_count),
    STATE_BOOL(PitCounter, has_status),
    STATE_UINT(PitCounter, latched_status),
    STATE_END,
};

static const StateField pit_state[] = {
    STATE_STRUCTS(Pit, counter, pit_counter_state),
    STATE_UINT(Pit, port_61),
    STATE_UINT(Pit, edge_ns),
    STATE_END,
};

/* Counters */

static bool counter_is_periodic(const PitCounter *counter)
{
    return counter->mode == 2 || counter->mode == 3;
}

/* A low gate stops modes 0, 2, 3 and 4; in 1 and 5 only its rise matters. */
static bool counter_runs(const PitCounter *counter)
{
    return counter->is_counting && (counter->gate || counter->mode == 1 || counter->mode == 5);
}

static uint32_t counter_period(const PitCounter *counter)
{
    return counter->count ? counter->count : 65536;
}

/* Ticks since the count was loaded. */
static uint64_t counter_ticks(const PitCounter *counter, uint64_t now)
{
    uint64_t elapsed = now > counter->start_ns ? now - counter->start_ns : 0;

    return counter->held_ticks + (counter_runs(counter) ? clock_ns_to_ticks(elapsed, PIT_HZ) : 0);
}

static void counter_load(PitCounter *counter, uint32_t count, uint64_t now)
{
    counter->count = count;
    counter->reload = 0;
    counter->start_ns = now;
    counter->held_ticks = 0;
    counter->is_counting = true;
}

/* Takes over a count that waited for the end of the period. */
static void counter_sync(PitCounter *counter, uint64_t now)
{
    uint32_t period = counter_period(counter);

    if (!counter->reload || counter_ticks(counter, now) < period)
        return;
    uint64_t left = period - counter->held_ticks % period;
    counter_load(counter, counter->reload, counter->start_ns + clock_ticks_to_ns(left, PIT_HZ));
}

static bool counter_out(const PitCounter *counter, uint64_t now)
{
    uint64_t ticks = counter_ticks(counter, now);
    uint32_t period = counter_period(counter);

    switch (counter->mode) {
    case 0: return counter->is_counting && ticks >= period;
    case 1: return !counter->is_counting || ticks >= period;
    case 2: return !counter_runs(counter) || ticks % period != period - 1;
    case 3: return !counter_runs(counter) || ticks % period < (period + 1) / 2;
    default: return !counter->is_counting || ticks != period;
    }
}

static uint16_t counter_value(const PitCounter *counter, uint64_t now)
{
    uint64_t ticks = counter_ticks(counter, now);
    uint32_t period = counter_period(counter), wrap = counter->is_bcd ? 10000 : 65536, value;

    if (counter->mode == 2)
        value = (uint32_t)(period - ticks % period);
    else if (counter->mode == 3) /* counts by two, twice a period */
        value = (uint32_t)(period - 2 * ticks % period) & ~1u;
    else
        value = (uint32_t)((period + wrap - ticks % wrap) % wrap);
    value %= wrap;
    if (!counter->is_bcd)
        return (uint16_t)value;
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

static void counter_set_gate(PitCounter *counter, bool gate, uint64_t now)
{
    if (gate == counter->gate)
        return;
    counter_sync(counter, now);
    if (!gate) {
        counter->held_ticks = counter_ticks(counter, now);
        if (counter->mode != 1 && counter->mode != 5)
            counter->start_ns = now;
        else
            counter->held_ticks = 0; /* they do not stop */
        counter->gate = false;
        return;
    }
    counter->gate = true;
    if (counter->mode == 0 || counter->mode == 4)
        counter->start_ns = now; /* goes on */
    else if (counter->count || counter->reload)
        counter_load(counter, counter->reload ? counter->reload : counter->count, now);
}

static uint32_t count_from_guest(const PitCounter *counter, uint16_t value)
{
    if (!counter->is_bcd)
        return value ? value : 65536;
    uint32_t count =
        (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
    return count ? count : 10000;
}

static void counter_write_count(PitCounter *counter, uint16_t value, uint64_t now)
{
    uint32_t count = count_from_guest(counter, value);

    if (counter->mode == 1 || counter->mode == 5) {
        counter->reload = count; /* waits for the gate to rise */
        if (!counter->is_counting)
            counter->count = 0;
    } else if (counter_is_periodic(counter) && counter->is_counting) {
        counter->reload = count;
    } else {
        counter_load(counter, count, now);
    }
}

static void counter_write(PitCounter *counter, uint8_t value, uint64_t now)
{
    switch (counter->access) {
    case ACCESS_LOW: counter_write_count(counter, value, now); break;
    case ACCESS_HIGH: counter_write_count(counter, (uint16_t)(value << 8), now); break;
    default:
        if (!counter->has_low) {
            counter->low_written = value;
            counter->has_low = true;
            if (counter->mode == 0) { /* the first byte stops the count, OUT goes low */
                counter->is_counting = false;
                counter->held_ticks = 0;
            }
        } else {
            counter->has_low = false;
            counter_write_count(counter, (uint16_t)(value << 8 | counter->low_written), now);
        }
    }
}

static void counter_latch(PitCounter *counter, uint64_t now)
{
    if (counter->latch_bytes)
        return; /* the first latch holds until it is read */
    counter->latched_count = counter_value(counter, now);
    counter->latch_bytes = counter->access == ACCESS_BOTH ? 2 : 1;
}

static void counter_latch_status(PitCounter *counter, uint64_t now)
{
    bool is_waiting = counter->reload || !counter->is_counting;

    if (counter->has_status)
        return;
    counter->latched_status = (counter_out(counter, now) ? STATUS_OUT : 0) |
                              (is_waiting ? STATUS_NULL_COUNT : 0) | counter->access << 4 |
                              counter->mode << 1 | (counter->is_bcd ? 1 : 0);
    counter->has_status = true;
}

static uint8_t counter_read(PitCounter *counter, uint64_t now)
{
    if (counter->has_status) {
        counter->has_status = false;
        return counter->latched_status;
    }
    uint16_t value = counter->latch_bytes ? counter->latched_count : counter_value(counter, now);
    bool high = counter->access == ACCESS_HIGH;
    if (counter->access == ACCESS_BOTH) {
        high = counter->latch_bytes ? counter->latch_bytes == 1 : counter->reads_high;
        counter->reads_high = !high;
    }
    if (counter->latch_bytes)
        counter->latch_bytes--;
    return (uint8_t)(high ? value >> 8 : value);
}

static void counter_write_mode(PitCounter *counter, uint8_t value)
{
    uint8_t mode = value >> 1 & 7;

    *counter = (PitCounter){
        .mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
        .access = value >> 4 & 3,
        .is_bcd = value & 1,
        .gate = counter->gate,
        .latched_status = counter->latched_status,
        .has_status = counter->has_status,
    };
}

/* Counter 0 and its interrupt */

/* When OUT0 rises next, after @now. */
static uint64_t pit_next_edge(const Pit *pit, uint64_t now)
{
    const PitCounter *counter = &pit->counter[0];
    uint64_t ticks = counter_ticks(counter, now), period = counter_period(counter), at;

    if (!counter_runs(counter))
        return CLOCK_NEVER;
    if (counter_is_periodic(counter))
        at = (ticks / period + 1) * period;
    else if (counter->mode == 4 || counter->mode == 5)
        at = period + 1;
    else
        at = period;
    if (at <= ticks)
        return CLOCK_NEVER;
    return counter->start_ns + clock_ticks_to_ns(at - counter->held_ticks, PIT_HZ);
}

/* The line shows OUT0, but for the low half of a period, which nobody sees: the wire goes low and
 * high again at the rise. */
static void pit_set_line(Pit *pit, uint64_t now)
{
    const PitCounter *counter = &pit->counter[0];

    if (!pit->is_disconnected)
        irq_set(&pit->irq0, counter_is_periodic(counter) || counter_out(counter, now));
}

/* Delivers the edge that is due, before registers change. */
static void pit_catch_up(Pit *pit, uint64_t now)
{
    if (pit->edge_ns <= now) {
        if (!pit->is_disconnected) {
            irq_set(&pit->irq0, false);
            irq_set(&pit->irq0, true);
        }
        pit->edge_ns = CLOCK_NEVER;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(pit->counter); i++)
        counter_sync(&pit->counter[i], now);
}

static void pit_schedule(Pit *pit, uint64_t now)
{
    if (pit->edge_ns == CLOCK_NEVER) {
        uint64_t next = pit_next_edge(pit, now);
        pit->edge_ns = next == CLOCK_NEVER ? next : MAX(next, now + 1);
    }
    clock_timer_set(&pit->timer, pit->edge_ns);
}

static void on_pit_timer(void *opaque)
{
    Pit *pit = opaque;
    uint64_t now = clock_now_ns(pit->clock);

    pit_catch_up(pit, now);
    pit_schedule(pit, now);
    if (pit->edge_ns != CLOCK_NEVER && pit->edge_ns < now + PIT_MIN_PERIOD_NS)
        clock_timer_set(&pit->timer, now + PIT_MIN_PERIOD_NS);
}

/* After counter 0 changed: the edge that was expected is not the one that comes. */
static void pit_reschedule(Pit *pit, uint64_t now)
{
    pit->edge_ns = CLOCK_NEVER;
    pit_set_line(pit, now);
    pit_schedule(pit, now);
}

void pit_set_irq_connected(Pit *pit, bool connected)
{
    if (pit->is_disconnected == !connected)
        return;
    if (!connected)
        irq_set(&pit->irq0, false);
    pit->is_disconnected = !connected;
    pit_set_line(pit, clock_now_ns(pit->clock));
}

/* Registers */

static uint8_t pit_read_port_61(Pit *pit, uint64_t now)
{
    return pit->port_61 | (now / REFRESH_NS & 1 ? PORT_61_REFRESH : 0) |
           (counter_out(&pit->counter[2], now) ? PORT_61_OUT2 : 0);
}

static uint64_t pit_read(Device *dev, uint64_t offset, unsigned size)
{
    Pit *pit = (Pit *)dev;
    uint64_t now = clock_now_ns(pit->clock);

    if (offset == PIT_PORT_61)
        return pit_read_port_61(pit, now);
    if (offset >= PIT_COMMAND)
        return 0xFF;
    counter_sync(&pit->counter[offset], now);
    return counter_read(&pit->counter[offset], now);
}

static void pit_write_command(Pit *pit, uint8_t value, uint64_t now)
{
    unsigned which = value >> 6;

    if (which == 3) { /* read-back */
        for (unsigned i = 0; i < 3; i++) {
            if (!(value & 2 << i))
                continue;
            if (!(value & 1 << 5))
                counter_latch(&pit->counter[i], now);
            if (!(value & 1 << 4))
                counter_latch_status(&pit->counter[i], now);
        }
    } else if ((value >> 4 & 3) == ACCESS_LATCH) {
        counter_latch(&pit->counter[which], now);
    } else {
        counter_write_mode(&pit->counter[which], value);
        if (which == 0)
            pit_reschedule(pit, now);
    }
}

static void pit_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Pit *pit = (Pit *)dev;
    uint64_t now = clock_now_ns(pit->clock);

    pit_catch_up(pit, now);
    if (offset == PIT_PORT_61) {
        pit->port_61 = value & PORT_61_WRITABLE;
        counter_set_gate(&pit->counter[2], value & PORT_61_GATE2, now);
    } else if (offset == PIT_COMMAND) {
        pit_write_command(pit, (uint8_t)value, now);
    } else if (offset < PIT_COMMAND) {
        counter_write(&pit->counter[offset], (uint8_t)value, now);
        if (offset == 0)
            pit_reschedule(pit, now);
    }
    pit_schedule(pit, now);
}

static void pit_update(Device *dev)
{
    Pit *pit = (Pit *)dev;
    uint64_t now = clock_now_ns(pit->clock);

    pit_set_line(pit, now);
    pit_schedule(pit, now);
}

static void pit_reset(Device *dev)
{
    Pit *pit = (Pit *)dev;

    /* The chip comes up undefined; firmware expects counters that stand. */
    for (unsigned i = 0; i < 3; i++)
        pit->counter[i] = (PitCounter){ .mode = 3, .access = ACCESS_BOTH, .gate = i != 2 };
    pit->port_61 = 0;
    pit->edge_ns = CLOCK_NEVER;
}

static bool pit_realize(Device *dev, Machine *machine, GError **error)
{
    Pit *pit = (Pit *)dev;

    pit->clock = machine->clock;
    clock_timer_init(&pit->timer, machine->clock, on_pit_timer, pit);
    address_space_map_device(machine->ports, 0x40, 4, MAP_PRIORITY_CHIPSET, dev, 0);
    address_space_map_device(machine->ports, 0x61, 1, MAP_PRIORITY_CHIPSET, dev, PIT_PORT_61);
    return true;
}

static void pit_unrealize(Device *dev)
{
    clock_timer_cancel(&((Pit *)dev)->timer);
}

static const DeviceOps pit_ops = {
    .name = "pit",
    .instance_size = sizeof(Pit),
    .state_version = 1,
    .state = pit_state,
    .min_access = 1,
    .max_access = 1,
    .realize = pit_realize,
    .unrealize = pit_unrealize,
    .reset = pit_reset,
    .update = pit_update,
    .read = pit_read,
    .write = pit_write,
};

Device *pit_new(IrqLine irq0)
{
    Pit *pit = device_alloc(&pit_ops, "pit");

    pit->irq0 = irq0;
    return &pit->dev;
}
