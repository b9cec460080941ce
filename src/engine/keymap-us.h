/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The US keyboard as key numbers (QEMU qnum: set 1 scan code, 80h added for E0 keys): which key
 * gives a character, and what keys are called. For typing on a guest's behalf. */

#include <glib.h>
#include <stdbool.h>

#define KEY_ESCAPE 0x01
#define KEY_BACKSPACE 0x0e
#define KEY_TAB 0x0f
#define KEY_ENTER 0x1c
#define KEY_SHIFT 0x2a

/* False when no key gives it. */
bool keymap_from_char(gunichar character, unsigned *out_key, bool *out_shift);
/* "ctrl", "f12", "pgup", "a", … in any case; 0 when there is no such key. */
unsigned keymap_from_name(const char *name);
