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
/* Whether @input is unmasked; whether an edge on it went to a local APIC and waits there; and the
 * vector it has. */
bool ioapic_input_is_open(const Ioapic *ioapic, unsigned input);
bool ioapic_input_is_waiting(const Ioapic *ioapic, unsigned input);
uint8_t ioapic_vector(const Ioapic *ioapic, unsigned input);
void ioapic_on_eoi(Ioapic *ioapic, uint8_t vector);
