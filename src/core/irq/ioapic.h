/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* 82093AA I/O APIC with 24 inputs, version 0x20 (with the EOI register), at FEC00000h. */

#include "core/dev/device.h"
#include "core/irq/apic.h"

#define IOAPIC_INPUTS 24
typedef struct Ioapic Ioapic;

Device *ioapic_new(LapicBus *bus);
void ioapic_set_irq(Ioapic *ioapic, unsigned input, bool level);
void ioapic_on_eoi(Ioapic *ioapic, uint8_t vector);
