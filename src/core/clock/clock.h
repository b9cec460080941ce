/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The machine's clock: guest time in nanoseconds since power-on, and the events on it. Time stands
 * still while the machine is paused. Two kinds:
 *   real           follows CLOCK_MONOTONIC; events fire from the clock's own thread;
 *   deterministic  follows retired instructions (clock_advance), one vCPU only; events fire from
 * the thread that advances it, so each run is the same as the last. Timer callbacks run with the
 * board lock held. Included by devices with timers and by the CPUs. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX
#define CLOCK_NS_PER_SECOND UINT64_C(1000000000)

typedef struct Clock Clock;

typedef enum { CLOCK_REAL, CLOCK_DETERMINISTIC } ClockKind;

/* One event, embedded in its device. Saved by STATE_TIMER. */
typedef struct ClockTimer {
    Clock *clock;               /* borrowed */
    void (*fire)(void *opaque); /* the timer is no longer armed when called */
    void *opaque;
    uint64_t deadline_ns; /* CLOCK_NEVER: not armed */
    unsigned heap_index;  /* the clock's own */
    uint64_t sequence;    /* the clock's own: equal deadlines fire in the order they were set */
} ClockTimer;

/* @lock: the board lock, held around callbacks. A new clock stands still at 0 until clock_start().
 */
Clock *clock_new(ClockKind kind, GRecMutex *lock);
void clock_free(Clock *clock);
ClockKind clock_kind(const Clock *clock);

/* Any thread, lock-free. */
uint64_t clock_now_ns(const Clock *clock);
/* Multiplies without overflow: ticks of a counter that runs at @hz. */
uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz);
/* The earliest time at which that counter has reached @ticks (rounded up). */
uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz);

void clock_start(Clock *clock); /* time runs */
void clock_stop(Clock *clock);  /* time stands; no event fires until started again */

/* Sets guest time, as a restore does; armed events keep their deadlines. While stopped. Board lock.
 */
void clock_set_now_ns(Clock *clock, uint64_t now_ns);

void clock_timer_init(ClockTimer *timer, Clock *clock, void (*fire)(void *), void *opaque);
/* Arms (or re-arms) the event. A deadline in the past fires as soon as the clock's thread can.
 * Board lock. */
void clock_timer_set(ClockTimer *timer, uint64_t deadline_ns);
void clock_timer_cancel(ClockTimer *timer);
static inline bool clock_timer_is_set(const ClockTimer *timer)
{
    return timer->deadline_ns != CLOCK_NEVER;
}

/* Deterministic clocks. The next deadline, or CLOCK_NEVER; and moving time on: fires what is due,
 * in order, each at its own time. Called by the one vCPU's thread (and by tests), lock held. */
uint64_t clock_next_deadline_ns(const Clock *clock);
void clock_advance(Clock *clock, uint64_t to_ns);
