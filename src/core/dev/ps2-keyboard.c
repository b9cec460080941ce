/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/ps2-keyboard.h"

#include <string.h>

#define PS2_ACK 0xFAu
#define PS2_RESEND 0xFEu
#define PS2_SELF_TEST_PASSED 0xAAu
#define PS2_LONGEST_KEY 8u /* Pause, in set 2 */

enum {
    KEY_CTRL = 0x1D,
    KEY_SHIFT = 0x2A,
    KEY_RIGHT_SHIFT = 0x36,
    KEY_ALT = 0x38,
    KEY_SYSRQ = 0x54
};
enum { KEY_PRINT = 0xB7, KEY_PAUSE = 0xC6, KEY_EXTENDED = 0x80 };
enum {
    MODIFIER_LEFT_CTRL = 1,
    MODIFIER_RIGHT_CTRL = 2,
    MODIFIER_SHIFTS = 4 | 8,
    MODIFIER_ALTS = 16 | 32,
    MODIFIER_CTRLS = 1 | 2
};

const StateField ps2_keyboard_state[] = {
    PS2_QUEUE_STATE(Ps2Keyboard, events),
    PS2_QUEUE_STATE(Ps2Keyboard, answers),
    STATE_UINT(Ps2Keyboard, command),
    STATE_UINT(Ps2Keyboard, last),
    STATE_UINT_MAX(Ps2Keyboard, set, 3),
    STATE_UINT(Ps2Keyboard, leds),
    STATE_UINT(Ps2Keyboard, rate),
    STATE_BOOL(Ps2Keyboard, scanning),
    STATE_UINT(Ps2Keyboard, modifiers),
    STATE_BYTES(Ps2Keyboard, breaks),
    STATE_END,
};

/* Set 2 to set 1, as every 8042 has it in its ROM. From 85h on nothing changes. */
static const uint8_t ps2_translation[0x85] = {
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29,
    0x59, 0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11,
    0x03, 0x5B, 0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14,
    0x13, 0x06, 0x5D, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24,
    0x16, 0x08, 0x09, 0x5F, 0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35,
    0x26, 0x27, 0x19, 0x0C, 0x61, 0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36,
    0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C,
    0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F, 0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45,
    0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54, 0x80, 0x81, 0x82, 0x41, 0x54,
};

/* Set 1 to set 3, plain keys and those with E0h. 0: no such key. */
static const uint8_t ps2_set_3[128] = {
    0x00, 0x08, 0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45, 0x4E, 0x55, 0x66, 0x0D,
    0x15, 0x1D, 0x24, 0x2D, 0x2C, 0x35, 0x3C, 0x43, 0x44, 0x4D, 0x54, 0x5B, 0x5A, 0x11, 0x1C, 0x1B,
    0x23, 0x2B, 0x34, 0x33, 0x3B, 0x42, 0x4B, 0x4C, 0x52, 0x0E, 0x12, 0x5C, 0x1A, 0x22, 0x21, 0x2A,
    0x32, 0x31, 0x3A, 0x41, 0x49, 0x4A, 0x59, 0x7E, 0x19, 0x29, 0x14, 0x07, 0x0F, 0x17, 0x1F, 0x27,
    0x2F, 0x37, 0x3F, 0x47, 0x4F, 0x76, 0x5F, 0x6C, 0x75, 0x7D, 0x84, 0x6B, 0x73, 0x74, 0x7C, 0x69,
    0x72, 0x7A, 0x70, 0x71, 0x57, 0x00, 0x13, 0x56, 0x5E, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x87, 0x00, 0x00, 0x51, 0x00, 0x00, 0x00, 0x00, 0x00, 0x86, 0x00, 0x85, 0x00, 0x5D, 0x7B, 0x00,
};
static const uint8_t ps2_set_3_extended[128] = {
    [0x1C] = 0x79, [0x1D] = 0x58, [0x35] = 0x77, [0x37] = 0x57, [0x38] = 0x39,
    [0x46] = 0x62, [0x47] = 0x6E, [0x48] = 0x63, [0x49] = 0x6F, [0x4B] = 0x61,
    [0x4D] = 0x6A, [0x4F] = 0x65, [0x50] = 0x60, [0x51] = 0x6D, [0x52] = 0x67,
    [0x53] = 0x64, [0x5B] = 0x8B, [0x5C] = 0x8C, [0x5D] = 0x8D,
};
/* Keys whose release is told in set 3 by default: Shift, Ctrl, Alt and Caps Lock. */
static const uint8_t ps2_set_3_breaks[] = { 0x11, 0x12, 0x14, 0x19, 0x39, 0x58, 0x59 };

uint8_t ps2_translate(uint8_t set_2)
{
    return set_2 < G_N_ELEMENTS(ps2_translation) ? ps2_translation[set_2] : set_2;
}

/* Of the two codes that translate to F7 and SysRq, keyboards send the higher. */
static uint8_t ps2_set_1_to_2(uint8_t set_1)
{
    for (unsigned i = G_N_ELEMENTS(ps2_translation) - 1; i > 0; i--) {
        if (ps2_translation[i] == set_1)
            return i;
    }
    return 0;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* One code of sets 1 or 2: @set_1 without prefix. */
static void ps2_keyboard_send(Ps2Keyboard *keyboard, bool extended, uint8_t set_1, bool down)
{
    if (extended)
        ps2_queue_push(&keyboard->events, 0xE0);
    if (keyboard->set == 1) {
        ps2_queue_push(&keyboard->events, set_1 | (down ? 0 : 0x80));
        return;
    }
    if (!down)
        ps2_queue_push(&keyboard->events, 0xF0);
    ps2_queue_push(&keyboard->events, ps2_set_1_to_2(set_1));
}

/* Pause tells press and release at once, on the press; with Ctrl it is Break. */
static void ps2_keyboard_send_pause(Ps2Keyboard *keyboard)
{
    static const uint8_t pause[2][8] = { { 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5 },
                                         { 0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77 } };
    const uint8_t *bytes = pause[keyboard->set != 1];

    if (keyboard->modifiers & MODIFIER_CTRLS) {
        ps2_keyboard_send(keyboard, true, 0x46, true);
        ps2_keyboard_send(keyboard, true, 0x46, false);
        return;
    }
    for (unsigned i = 0; i < 8 && bytes[i]; i++)
        ps2_queue_push(&keyboard->events, bytes[i]);
}

/* Print Screen comes with a shift of its own, unless one is held; with Alt it is SysRq. */
static void ps2_keyboard_send_print(Ps2Keyboard *keyboard, bool down)
{
    bool bare = keyboard->modifiers & (MODIFIER_CTRLS | MODIFIER_SHIFTS);

    if (keyboard->modifiers & MODIFIER_ALTS) {
        ps2_keyboard_send(keyboard, false, KEY_SYSRQ, down);
        return;
    }
    if (down && !bare)
        ps2_keyboard_send(keyboard, true, KEY_SHIFT, true);
    ps2_keyboard_send(keyboard, true, 0x37, down);
    if (!down && !bare)
        ps2_keyboard_send(keyboard, true, KEY_SHIFT, false);
}

static void ps2_keyboard_send_set_3(Ps2Keyboard *keyboard, unsigned key, bool down)
{
    uint8_t code = key & KEY_EXTENDED ? ps2_set_3_extended[key & 0x7F] : ps2_set_3[key];

    if (!code || (!down && !(keyboard->breaks[code / 8] & 1 << code % 8)))
        return;
    if (!down)
        ps2_queue_push(&keyboard->events, 0xF0);
    ps2_queue_push(&keyboard->events, code);
}

static uint8_t ps2_modifier_bit(unsigned key)
{
    switch (key) {
    case KEY_CTRL: return MODIFIER_LEFT_CTRL;
    case KEY_CTRL | KEY_EXTENDED: return MODIFIER_RIGHT_CTRL;
    case KEY_SHIFT: return 4;
    case KEY_RIGHT_SHIFT: return 8;
    case KEY_ALT: return 16;
    case KEY_ALT | KEY_EXTENDED: return 32;
    default: return 0;
    }
}

bool ps2_keyboard_key(Ps2Keyboard *keyboard, unsigned key, bool down)
{
    uint8_t modifier = ps2_modifier_bit(key);

    if (key == 0 || key > 0xFF)
        return true;
    if (keyboard->scanning && ps2_queue_room(&keyboard->events) < PS2_LONGEST_KEY)
        return false;
    keyboard->modifiers = down ? keyboard->modifiers | modifier : keyboard->modifiers & ~modifier;
    if (!keyboard->scanning)
        return true;
    if (keyboard->set == 3)
        ps2_keyboard_send_set_3(keyboard, key, down);
    else if (key == KEY_PRINT)
        ps2_keyboard_send_print(keyboard, down);
    else if (key != KEY_PAUSE)
        ps2_keyboard_send(keyboard, key & KEY_EXTENDED, key & 0x7F, down);
    else if (down)
        ps2_keyboard_send_pause(keyboard);
    return true;
}

/* --- commands --------------------------------------------------------------------------------- */

static void ps2_keyboard_set_defaults(Ps2Keyboard *keyboard)
{
    ps2_queue_clear(&keyboard->events);
    keyboard->rate = 0x2B;
    keyboard->set = 2;
    memset(keyboard->breaks, 0, sizeof(keyboard->breaks));
    for (unsigned i = 0; i < G_N_ELEMENTS(ps2_set_3_breaks); i++)
        keyboard->breaks[ps2_set_3_breaks[i] / 8] |= 1 << ps2_set_3_breaks[i] % 8;
}

void ps2_keyboard_reset(Ps2Keyboard *keyboard)
{
    /* Keys that a person holds stay held. */
    *keyboard = (Ps2Keyboard){ .scanning = true, .modifiers = keyboard->modifiers };
    ps2_keyboard_set_defaults(keyboard);
}

static void ps2_keyboard_answer(Ps2Keyboard *keyboard, uint8_t byte)
{
    ps2_queue_push(&keyboard->answers, byte);
}

static void ps2_keyboard_self_test(Ps2Keyboard *keyboard)
{
    ps2_keyboard_reset(keyboard);
    ps2_keyboard_answer(keyboard, PS2_ACK);
    ps2_keyboard_answer(keyboard, PS2_SELF_TEST_PASSED);
}

static void ps2_keyboard_select_set(Ps2Keyboard *keyboard, uint8_t set)
{
    ps2_keyboard_answer(keyboard, set <= 3 ? PS2_ACK : PS2_RESEND);
    if (set == 0)
        ps2_keyboard_answer(keyboard, keyboard->set);
    else if (set <= 3)
        keyboard->set = set;
}

/* Returns whether @value was an argument, not a command. */
static bool ps2_keyboard_argument(Ps2Keyboard *keyboard, uint8_t value)
{
    uint8_t command = keyboard->command;

    if (!command || value >= 0xED) { /* a new command ends one that waits */
        keyboard->command = 0;
        return false;
    }
    if (command < 0xFB) /* the lists of FB to FD go on until a command */
        keyboard->command = 0;
    switch (command) {
    case 0xF0: ps2_keyboard_select_set(keyboard, value); return true;
    case 0xED: keyboard->leds = value & 7; break;
    case 0xF3: keyboard->rate = value & 0x7F; break;
    case 0xFC: keyboard->breaks[value / 8] |= 1 << value % 8; break;
    default: keyboard->breaks[value / 8] &= ~(1 << value % 8); break;
    }
    ps2_keyboard_answer(keyboard, PS2_ACK);
    return true;
}

void ps2_keyboard_write(Ps2Keyboard *keyboard, uint8_t value)
{
    if (value == PS2_RESEND) {
        ps2_keyboard_answer(keyboard, keyboard->last);
        return;
    }
    ps2_queue_clear(&keyboard->answers); /* nobody waits for the answers of an earlier command */
    if (ps2_keyboard_argument(keyboard, value))
        return;
    switch (value) {
    case 0xED: /* lamps */
    case 0xF0: /* scan code set */
    case 0xF3: /* repeat rate */
    case 0xFB: /* set 3, some keys: repeat */
    case 0xFC: /* … tell releases */
    case 0xFD: /* … neither */ keyboard->command = value; break;
    case 0xEE: ps2_keyboard_answer(keyboard, 0xEE); return;
    case 0xF2:
        ps2_keyboard_answer(keyboard, PS2_ACK);
        ps2_keyboard_answer(keyboard, 0xAB);
        ps2_keyboard_answer(keyboard, 0x83);
        return;
    case 0xF4:
        ps2_queue_clear(&keyboard->events);
        keyboard->scanning = true;
        break;
    case 0xF5:
        ps2_keyboard_set_defaults(keyboard);
        keyboard->scanning = false;
        break;
    case 0xF6: ps2_keyboard_set_defaults(keyboard); break;
    case 0xF7:
    case 0xF9: memset(keyboard->breaks, 0, sizeof(keyboard->breaks)); break;
    case 0xF8:
    case 0xFA: memset(keyboard->breaks, 0xFF, sizeof(keyboard->breaks)); break;
    case 0xFF: ps2_keyboard_self_test(keyboard); return;
    default: ps2_keyboard_answer(keyboard, PS2_RESEND); return;
    }
    ps2_keyboard_answer(keyboard, PS2_ACK);
}

bool ps2_keyboard_has_byte(const Ps2Keyboard *keyboard)
{
    /* Events wait while a command is under way, as its sender takes them for the answer. */
    return keyboard->answers.count || (keyboard->events.count && !keyboard->command);
}

uint8_t ps2_keyboard_take(Ps2Keyboard *keyboard)
{
    keyboard->last =
        ps2_queue_pop(keyboard->answers.count ? &keyboard->answers : &keyboard->events);
    return keyboard->last;
}
