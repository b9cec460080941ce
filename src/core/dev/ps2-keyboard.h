/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The AT keyboard at the other end of the controller's wire: scan code sets 1 to 3, commands of the
 * IBM PS/2 technical reference. Included by i8042.c and its test. Lock of the controller held. */

#include "core/dev/ps2-queue.h"

typedef struct {
    /* guest state */
    Ps2Queue events, answers;
    uint8_t command; /* waits for its argument; 0: none */
    uint8_t last;    /* for FEh, resend */
    uint8_t set, leds, rate;
    bool scanning;
    uint8_t modifiers;  /* Ctrl, Shift and Alt that are down: see ps2-keyboard.c */
    uint8_t breaks[32]; /* set 3: a bit for each code whose release is told */
} Ps2Keyboard;

extern const StateField ps2_keyboard_state[];

void ps2_keyboard_reset(Ps2Keyboard *keyboard); /* power on, without the self-test's AAh */
void ps2_keyboard_write(Ps2Keyboard *keyboard, uint8_t value);
/* See i8042_key(). */
bool ps2_keyboard_key(Ps2Keyboard *keyboard, unsigned key, bool down);
bool ps2_keyboard_has_byte(const Ps2Keyboard *keyboard);
uint8_t ps2_keyboard_take(Ps2Keyboard *keyboard);
/* What the controller's translation makes of a byte of set 2. */
uint8_t ps2_translate(uint8_t set_2);
