/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/pit.h"

#include "core/dev/pit-counter.h"
#include "core/machine/machine.h"

/* Offsets from port 40h. */
enum { PIT_COMMAND = 3, PIT_PORT_61 = 0x21 };
enum {
    PORT_61_GATE2 = 1 << 0,
    PORT_61_SPEAKER = 1 << 1,
    PORT_61_WRITABLE = 0x0F,
    PORT_61_REFRESH = 1 << 4,
    PORT_61_OUT2 = 1 << 5,
};

#define REFRESH_NS 15085 /* one DRAM refresh, 18 ticks of the 8254 */
/* A guest that programs a shorter period gets this one: the host must be able to breathe. */
#define PIT_MIN_PERIOD_NS 10000

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

static const StateField pit_state[] = {
    STATE_STRUCTS(Pit, counter, pit_counter_state),
    STATE_UINT(Pit, port_61),
    STATE_UINT(Pit, edge_ns),
    STATE_END,
};

/* Counter 0 and its interrupt */

/* When OUT0 rises next, after @now. */
static uint64_t pit_next_edge(const Pit *pit, uint64_t now)
{
    const PitCounter *counter = &pit->counter[0];
    uint64_t ticks = pit_counter_ticks(counter, now), period = pit_counter_period(counter), at;

    if (!pit_counter_runs(counter))
        return CLOCK_NEVER;
    if (pit_counter_is_periodic(counter))
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
        irq_set(&pit->irq0, pit_counter_is_periodic(counter) || pit_counter_out(counter, now));
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
        pit_counter_sync(&pit->counter[i], now);
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
           (pit_counter_out(&pit->counter[2], now) ? PORT_61_OUT2 : 0);
}

static uint64_t pit_read(Device *dev, uint64_t offset, unsigned size)
{
    Pit *pit = (Pit *)dev;
    uint64_t now = clock_now_ns(pit->clock);

    if (offset == PIT_PORT_61)
        return pit_read_port_61(pit, now);
    if (offset >= PIT_COMMAND)
        return 0xFF;
    pit_counter_sync(&pit->counter[offset], now);
    return pit_counter_read(&pit->counter[offset], now);
}

static void pit_write_command(Pit *pit, uint8_t value, uint64_t now)
{
    unsigned which = value >> 6;

    if (which == 3) { /* read-back */
        for (unsigned i = 0; i < 3; i++) {
            if (!(value & 2 << i))
                continue;
            if (!(value & 1 << 5))
                pit_counter_latch(&pit->counter[i], now);
            if (!(value & 1 << 4))
                pit_counter_latch_status(&pit->counter[i], now);
        }
    } else if ((value >> 4 & 3) == PIT_ACCESS_LATCH) {
        pit_counter_latch(&pit->counter[which], now);
    } else {
        pit_counter_write_mode(&pit->counter[which], value);
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
        pit_counter_set_gate(&pit->counter[2], value & PORT_61_GATE2, now);
    } else if (offset == PIT_COMMAND) {
        pit_write_command(pit, (uint8_t)value, now);
    } else if (offset < PIT_COMMAND) {
        pit_counter_write(&pit->counter[offset], (uint8_t)value, now);
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
        pit->counter[i] = (PitCounter){ .mode = 3, .access = PIT_ACCESS_BOTH, .gate = i != 2 };
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
