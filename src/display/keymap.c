/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/keymap.h"
#include <linux/input-event-codes.h>
#include <stddef.h>

#define E0 0x80

/* Up to KEY_KPDOT and F11, F12 Linux numbers keys by their set 1 codes already. */
static const unsigned char keymap_others[][2] = {
    { KEY_102ND, 0x56 },
    { KEY_F11, 0x57 },
    { KEY_F12, 0x58 },
    { KEY_RO, 0x73 },
    { KEY_KATAKANAHIRAGANA, 0x70 },
    { KEY_HENKAN, 0x79 },
    { KEY_MUHENKAN, 0x7B },
    { KEY_YEN, 0x7D },
    { KEY_KPCOMMA, 0x7E },
    { KEY_KPEQUAL, 0x59 },
    { KEY_HANGEUL, 0x72 },
    { KEY_HANJA, 0x71 },
    { KEY_KPENTER, 0x1C | E0 },
    { KEY_RIGHTCTRL, 0x1D | E0 },
    { KEY_KPSLASH, 0x35 | E0 },
    { KEY_SYSRQ, 0x37 | E0 },
    { KEY_RIGHTALT, 0x38 | E0 },
    { KEY_HOME, 0x47 | E0 },
    { KEY_UP, 0x48 | E0 },
    { KEY_PAGEUP, 0x49 | E0 },
    { KEY_LEFT, 0x4B | E0 },
    { KEY_RIGHT, 0x4D | E0 },
    { KEY_END, 0x4F | E0 },
    { KEY_DOWN, 0x50 | E0 },
    { KEY_PAGEDOWN, 0x51 | E0 },
    { KEY_INSERT, 0x52 | E0 },
    { KEY_DELETE, 0x53 | E0 },
    { KEY_LEFTMETA, 0x5B | E0 },
    { KEY_RIGHTMETA, 0x5C | E0 },
    { KEY_COMPOSE, 0x5D | E0 },
    { KEY_PAUSE, 0x46 | E0 },
    { KEY_MUTE, 0x20 | E0 },
    { KEY_VOLUMEDOWN, 0x2E | E0 },
    { KEY_VOLUMEUP, 0x30 | E0 },
    { KEY_POWER, 0x5E | E0 },
    { KEY_SLEEP, 0x5F | E0 },
    { KEY_WAKEUP, 0x63 | E0 },
    { KEY_NEXTSONG, 0x19 | E0 },
    { KEY_PREVIOUSSONG, 0x10 | E0 },
    { KEY_PLAYPAUSE, 0x22 | E0 },
    { KEY_STOPCD, 0x24 | E0 },
    { KEY_MAIL, 0x6C | E0 },
    { KEY_CALC, 0x21 | E0 },
    { KEY_BACK, 0x6A | E0 },
    { KEY_FORWARD, 0x69 | E0 },
    { KEY_HOMEPAGE, 0x32 | E0 },
    { KEY_SEARCH, 0x65 | E0 },
    { KEY_BOOKMARKS, 0x66 | E0 },
    { KEY_REFRESH, 0x67 | E0 },
    { KEY_COMPUTER, 0x6B | E0 },
};

unsigned keymap_qnum_from_evdev(unsigned evdev)
{
    if (evdev >= KEY_ESC && evdev <= KEY_KPDOT)
        return evdev;
    for (size_t i = 0; i < sizeof keymap_others / sizeof *keymap_others; i++)
        if (keymap_others[i][0] == evdev)
            return keymap_others[i][1];
    return 0;
}
