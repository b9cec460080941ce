/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* 8254 interval timer at ports 40h-43h, with port 61h: speaker gate and data, refresh toggle, OUT2.
 * Counters are computed from the machine's clock at each read, so a guest that calibrates against
 * them sees exact time. Included by the board and the HPET (legacy replacement). */

#include "core/dev/device.h"
#include "core/irq/irq.h"

#define PIT_HZ UINT64_C(1193182)

typedef struct Pit Pit;

/* @irq0: OUT of counter 0. */
Device *pit_new(IrqLine irq0);
/* Cuts the wire to IRQ 0 while the HPET replaces it. Board lock. */
void pit_set_irq_connected(Pit *pit, bool connected);
