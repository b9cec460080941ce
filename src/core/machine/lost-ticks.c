/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/lost-ticks.h"

/* More than this is no delay but a stop: the guest is better off with a gap than with a burst. */
#define LOST_TICKS_MAX 250

/* A guest that opens the I/O APIC's input takes ticks there, whatever it has left in the PIC. */
static bool takes_from_ioapic(const LostTicks *ticks)
{
    return ioapic_input_is_open(ticks->ioapic, ticks->ioapic_input);
}

bool lost_ticks_keep(LostTicks *ticks)
{
    bool is_waiting = takes_from_ioapic(ticks)
                          ? ioapic_input_is_waiting(ticks->ioapic, ticks->ioapic_input)
                          : pic_irq_is_waiting(ticks->pic, ticks->irq);

    if (!is_waiting)
        ticks->owed = 0; /* masked or set up anew since: nobody counts on those any more */
    else if (ticks->owed < LOST_TICKS_MAX)
        ticks->owed++;
    return is_waiting;
}

void lost_ticks_on_acknowledge(LostTicks *ticks, int vector)
{
    int ours = takes_from_ioapic(ticks) ? ioapic_vector(ticks->ioapic, ticks->ioapic_input)
                                        : pic_vector(ticks->pic, ticks->irq);

    if (ticks->owed == 0 || vector != ours)
        return;
    ticks->owed--;
    irq_set(&ticks->line, false);
    irq_set(&ticks->line, true);
}
