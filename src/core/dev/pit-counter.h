/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* One counter of the 8254: mode, gate, count and the bytes of its port, computed from the time that
 * the caller passes. Included by the PIT only. */

#include "core/clock/clock.h"
#include "core/dev/pit.h"

enum { PIT_ACCESS_LATCH, PIT_ACCESS_LOW, PIT_ACCESS_HIGH, PIT_ACCESS_BOTH };

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

extern const StateField pit_counter_state[];

bool pit_counter_is_periodic(const PitCounter *counter); /* modes 2 and 3 */
bool pit_counter_runs(const PitCounter *counter);
uint32_t pit_counter_period(const PitCounter *counter); /* in ticks */
uint64_t pit_counter_ticks(const PitCounter *counter,
                           uint64_t now); /* since the count was loaded */
bool pit_counter_out(const PitCounter *counter, uint64_t now);
/* Takes over a count that waited for the end of the period. Before a read or a change. */
void pit_counter_sync(PitCounter *counter, uint64_t now);
void pit_counter_set_gate(PitCounter *counter, bool gate, uint64_t now);
void pit_counter_write_mode(PitCounter *counter, uint8_t value);
void pit_counter_write(PitCounter *counter, uint8_t value, uint64_t now);
uint8_t pit_counter_read(PitCounter *counter, uint64_t now);
void pit_counter_latch(PitCounter *counter, uint64_t now);
void pit_counter_latch_status(PitCounter *counter, uint64_t now);
