/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* HPET (IA-PC HPET 1.0a) at FED00000h: a 64-bit counter at 100 MHz and three comparators, each
 * one-shot or periodic, with legacy replacement. No FSB delivery. Included by the board. */

#include "core/dev/device.h"
#include "core/dev/pit.h"
#include "core/dev/rtc.h"
#include "core/irq/irq.h"

#define HPET_BASE 0xFED00000u
#define HPET_HZ UINT64_C(100000000)
#define HPET_N_INPUTS 24

typedef struct Hpet Hpet;

/* @gsi: the interrupt inputs (HPET_N_INPUTS of them, copied). In legacy replacement mode timers 0
 * and 1 take the wires of @pit and @rtc, gsi[0] and gsi[8]; each may be NULL. */
Device *hpet_new(const IrqLine *gsi, Pit *pit, Rtc *rtc);
