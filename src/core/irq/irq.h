/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* An interrupt wire: the output of a device, bound by the board to an input of somebody. Levels, as
 * on real wires; an edge is two calls. Board lock held. */

#include <stdbool.h>
#include <stddef.h>

typedef struct IrqLine {
    void (*set)(void *opaque, unsigned input, bool level); /* NULL: not connected */
    void *opaque;
    unsigned input;
} IrqLine;

static inline void irq_set(const IrqLine *line, bool level)
{
    if (line->set)
        line->set(line->opaque, line->input, level);
}

static inline void irq_pulse(const IrqLine *line)
{
    irq_set(line, true);
    irq_set(line, false);
}
