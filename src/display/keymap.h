/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Keys by position: the number that Linux gives a key becomes the number that the guest's keyboard
 * sends, whatever the host's layout makes of it. Included by the display widget. */

/* @evdev: Linux input event code (an X11 or Wayland hardware keycode less 8). QEMU's qnum, that is
 * the set 1 scan code with 0x80 added for E0-prefixed keys; 0: a PC keyboard has no such key. */
unsigned keymap_qnum_from_evdev(unsigned evdev);
