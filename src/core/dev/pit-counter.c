/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/pit-counter.h"

enum { STATUS_NULL_COUNT = 1 << 6, STATUS_OUT = 1 << 7 };

const StateField pit_counter_state[] = {
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

bool pit_counter_is_periodic(const PitCounter *counter)
{
    return counter->mode == 2 || counter->mode == 3;
}

/* A low gate stops modes 0, 2, 3 and 4; in 1 and 5 only its rise matters. */
bool pit_counter_runs(const PitCounter *counter)
{
    return counter->is_counting && (counter->gate || counter->mode == 1 || counter->mode == 5);
}

uint32_t pit_counter_period(const PitCounter *counter)
{
    return counter->count ? counter->count : 65536;
}

/* Ticks since the count was loaded. */
uint64_t pit_counter_ticks(const PitCounter *counter, uint64_t now)
{
    uint64_t elapsed = now > counter->start_ns ? now - counter->start_ns : 0;

    return counter->held_ticks +
           (pit_counter_runs(counter) ? clock_ns_to_ticks(elapsed, PIT_HZ) : 0);
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
void pit_counter_sync(PitCounter *counter, uint64_t now)
{
    uint32_t period = pit_counter_period(counter);

    if (!counter->reload || pit_counter_ticks(counter, now) < period)
        return;
    uint64_t left = period - counter->held_ticks % period;
    counter_load(counter, counter->reload, counter->start_ns + clock_ticks_to_ns(left, PIT_HZ));
}

bool pit_counter_out(const PitCounter *counter, uint64_t now)
{
    uint64_t ticks = pit_counter_ticks(counter, now);
    uint32_t period = pit_counter_period(counter);

    switch (counter->mode) {
    case 0: return counter->is_counting && ticks >= period;
    case 1: return !counter->is_counting || ticks >= period;
    case 2: return !pit_counter_runs(counter) || ticks % period != period - 1;
    case 3: return !pit_counter_runs(counter) || ticks % period < (period + 1) / 2;
    default: return !counter->is_counting || ticks != period;
    }
}

static uint16_t counter_value(const PitCounter *counter, uint64_t now)
{
    uint64_t ticks = pit_counter_ticks(counter, now);
    uint32_t period = pit_counter_period(counter), wrap = counter->is_bcd ? 10000 : 65536, value;

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

void pit_counter_set_gate(PitCounter *counter, bool gate, uint64_t now)
{
    if (gate == counter->gate)
        return;
    pit_counter_sync(counter, now);
    if (!gate) {
        counter->held_ticks = pit_counter_ticks(counter, now);
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
    } else if (pit_counter_is_periodic(counter) && counter->is_counting) {
        counter->reload = count;
    } else {
        counter_load(counter, count, now);
    }
}

void pit_counter_write(PitCounter *counter, uint8_t value, uint64_t now)
{
    switch (counter->access) {
    case PIT_ACCESS_LOW: counter_write_count(counter, value, now); break;
    case PIT_ACCESS_HIGH: counter_write_count(counter, (uint16_t)(value << 8), now); break;
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

void pit_counter_latch(PitCounter *counter, uint64_t now)
{
    if (counter->latch_bytes)
        return; /* the first latch holds until it is read */
    counter->latched_count = counter_value(counter, now);
    counter->latch_bytes = counter->access == PIT_ACCESS_BOTH ? 2 : 1;
}

void pit_counter_latch_status(PitCounter *counter, uint64_t now)
{
    bool is_waiting = counter->reload || !counter->is_counting;

    if (counter->has_status)
        return;
    counter->latched_status = (pit_counter_out(counter, now) ? STATUS_OUT : 0) |
                              (is_waiting ? STATUS_NULL_COUNT : 0) | counter->access << 4 |
                              counter->mode << 1 | (counter->is_bcd ? 1 : 0);
    counter->has_status = true;
}

uint8_t pit_counter_read(PitCounter *counter, uint64_t now)
{
    if (counter->has_status) {
        counter->has_status = false;
        return counter->latched_status;
    }
    uint16_t value = counter->latch_bytes ? counter->latched_count : counter_value(counter, now);
    bool high = counter->access == PIT_ACCESS_HIGH;
    if (counter->access == PIT_ACCESS_BOTH) {
        high = counter->latch_bytes ? counter->latch_bytes == 1 : counter->reads_high;
        counter->reads_high = !high;
    }
    if (counter->latch_bytes)
        counter->latch_bytes--;
    return (uint8_t)(high ? value >> 8 : value);
}

void pit_counter_write_mode(PitCounter *counter, uint8_t value)
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
