/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Keyboard controller with an AT keyboard (scan code sets 1 to 3) and an IntelliMouse (3 and 4
 * bytes, 5 buttons): ports 60h and 64h, IRQ 1 and 12, A20 and reset lines. The input side is here
 * too: callers on any thread. */

#include "core/dev/device.h"
#include "core/irq/irq.h"

typedef struct I8042 I8042;

Device *i8042_new(IrqLine keyboard_irq, IrqLine mouse_irq);
/* @key: QEMU qnum, that is the set 1 scan code with 0x80 added for E0-prefixed keys (0x1C Enter,
 * 0x9C keypad Enter, 0xC6 Pause, 0xB7 Print). False when the keyboard's queue is full: try again
 * later. */
bool i8042_key(I8042 *i8042, unsigned key, bool down);
/* Relative motion, wheel steps (down positive), buttons as bits: left, right, middle, side, extra.
 */
void i8042_mouse(I8042 *i8042, int dx, int dy, int dz, unsigned buttons);
/* Bytes that wait to be read by the guest, to pace typed text. */
unsigned i8042_keyboard_queued(I8042 *i8042);
/* LEDs: bit 0 scroll, 1 num, 2 caps. */
unsigned i8042_leds(I8042 *i8042);
