/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Ticks of the PIT (or the HPET in its place) that the guest could not take in time,
 * as its vCPU was kept waiting by a busy host. A real PC is never so slow, and guests count ticks:
 * Linux concludes that the timer is not wired, others lose time. A tick that comes while the last
 * one still waits is kept, and given when that is acknowledged. Board lock held.
 *
 * Where the CPU keeps the local APICs itself (KVM in the kernel), this is so for ticks that go by
 * the PIC, which every CPU acknowledges here. Of one that goes by the I/O APIC only the kernel
 * knows whether it still waits: KVM_GET_LAPIC waits for the vCPU to leave KVM_RUN, which it does
 * late just when ticks get lost, and the end of an interrupt is told of level-triggered routes. (A
 * level route with the tick's vector beside the edge message that is sent would have its end told;
 * but there are KVMs that end an interrupt as they deliver it, and one end that is not told would
 * stop the guest's clock.) So these ticks merge in the kernel's IRR, as on hardware. */

#include "core/irq/ioapic.h"
#include "core/irq/pic.h"

typedef struct {
    const Pic *pic;       /* borrowed */
    const Ioapic *ioapic; /* borrowed */
    IrqLine line;         /* the wire, to pulse again */
    unsigned irq, ioapic_input;
    unsigned owed;
} LostTicks;

/* The wire is about to rise: true when this tick is kept for later. */
bool lost_ticks_keep(LostTicks *ticks);
/* A vCPU has taken @vector: gives one kept tick if that was ours. */
void lost_ticks_on_acknowledge(LostTicks *ticks, int vector);
