/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The pair of 8259A interrupt controllers of a PC, with ELCR (ICH9 datasheet §13.4). Ports 20h/21h,
 * A0h/A1h, 4D0h/4D1h. */

#include "core/dev/device.h"
#include "core/irq/irq.h"

typedef struct Pic Pic;

/* @intr: the INTR wire to the boot CPU. */
Device *pic_new(IrqLine intr);
void pic_set_irq(Pic *pic, unsigned irq, bool level); /* 0..15; 2 is the cascade and ignored */
/* Whether an edge on @irq is latched, unmasked, and not yet acknowledged; and the vector it will
 * have. */
bool pic_irq_is_waiting(const Pic *pic, unsigned irq);
uint8_t pic_vector(const Pic *pic, unsigned irq);
int pic_acknowledge(Pic *pic); /* the two INTA cycles: a vector (spurious 7/15 as the chip does) */
