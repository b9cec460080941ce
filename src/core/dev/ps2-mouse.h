/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A PS/2 mouse that becomes an IntelliMouse (wheel, ID 3) or an IntelliMouse Explorer (five
 * buttons, ID 4) when the driver knocks. Included by i8042.c and its test. Lock of the controller
 * held. */

#include "core/dev/ps2-queue.h"

typedef struct {
    /* guest state */
    Ps2Queue events, answers;
    uint8_t command; /* waits for its argument; 0: none */
    uint8_t last;    /* for FEh, resend */
    uint8_t id, rate, resolution;
    uint8_t rates[3]; /* the last ones set: the knock */
    bool reporting, remote, wrap, scaling;
    int32_t dx, dy, dz; /* not yet told */
    uint8_t buttons, told_buttons;
} Ps2Mouse;

extern const StateField ps2_mouse_state[];

void ps2_mouse_reset(Ps2Mouse *mouse);
void ps2_mouse_write(Ps2Mouse *mouse, uint8_t value);
/* See i8042_mouse(). */
void ps2_mouse_move(Ps2Mouse *mouse, int dx, int dy, int dz, unsigned buttons);
bool ps2_mouse_has_byte(const Ps2Mouse *mouse);
uint8_t ps2_mouse_take(Ps2Mouse *mouse);
