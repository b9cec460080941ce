/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* MC146818 real-time clock with 128 bytes of CMOS RAM at ports 70h/71h. Time of day runs on the
 * machine's clock; the century is byte 32h. Included by the board and the HPET (legacy
 * replacement). */

#include "core/dev/device.h"
#include "core/irq/irq.h"

typedef struct Rtc Rtc;

/* @base_seconds: time of day (since 1970, UTC) when the machine's clock is 0; -1: the host's time
 * at realize, kept in step by rtc_resync(). */
Device *rtc_new(IrqLine irq8, int64_t base_seconds);
/* The board's bytes (memory sizes, boot order); time and control registers (0-Dh) are refused. */
void rtc_set_cmos(Rtc *rtc, uint8_t index, uint8_t value);
uint8_t rtc_get_cmos(const Rtc *rtc, uint8_t index);
/* After a pause: catches up with the host's time, if it follows the host. Board lock. */
void rtc_resync(Rtc *rtc);
/* Cuts the wire to IRQ 8 while the HPET replaces it. Board lock. */
void rtc_set_irq_connected(Rtc *rtc, bool connected);
