/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/keymap-us.h"
#include <string.h>

/* Rows of the main block: characters in key order from the first key's number on. */
static const struct {
    unsigned first;
    const char *plain, *shifted;
} rows[] = {
    { 0x02, "1234567890-=", "!@#$%^&*()_+" },
    { 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
    { 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
    { 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
    { 0x39, " ", " " },
};

static const struct {
    const char *name;
    unsigned key;
} names[] = {
    { "esc", 0x01 },        { "escape", 0x01 },     { "backspace", 0x0e },  { "tab", 0x0f },
    { "enter", 0x1c },      { "return", 0x1c },     { "ret", 0x1c },        { "ctrl", 0x1d },
    { "control", 0x1d },    { "shift", 0x2a },      { "rightshift", 0x36 }, { "shift_r", 0x36 },
    { "alt", 0x38 },        { "space", 0x39 },      { "spc", 0x39 },        { "capslock", 0x3a },
    { "f1", 0x3b },         { "f2", 0x3c },         { "f3", 0x3d },         { "f4", 0x3e },
    { "f5", 0x3f },         { "f6", 0x40 },         { "f7", 0x41 },         { "f8", 0x42 },
    { "f9", 0x43 },         { "f10", 0x44 },        { "f11", 0x57 },        { "f12", 0x58 },
    { "numlock", 0x45 },    { "scrolllock", 0x46 }, { "kp7", 0x47 },        { "kp8", 0x48 },
    { "kp9", 0x49 },        { "kpminus", 0x4a },    { "kp4", 0x4b },        { "kp5", 0x4c },
    { "kp6", 0x4d },        { "kpplus", 0x4e },     { "kp1", 0x4f },        { "kp2", 0x50 },
    { "kp3", 0x51 },        { "kp0", 0x52 },        { "kpdot", 0x53 },      { "kpstar", 0x37 },
    { "kpenter", 0x9c },    { "kpslash", 0xb5 },    { "rightctrl", 0x9d },  { "ctrl_r", 0x9d },
    { "rightalt", 0xb8 },   { "alt_r", 0xb8 },      { "altgr", 0xb8 },      { "home", 0xc7 },
    { "up", 0xc8 },         { "pgup", 0xc9 },       { "pageup", 0xc9 },     { "left", 0xcb },
    { "right", 0xcd },      { "end", 0xcf },        { "down", 0xd0 },       { "pgdn", 0xd1 },
    { "pagedown", 0xd1 },   { "insert", 0xd2 },     { "ins", 0xd2 },        { "delete", 0xd3 },
    { "del", 0xd3 },        { "super", 0xdb },      { "meta", 0xdb },       { "win", 0xdb },
    { "rightsuper", 0xdc }, { "menu", 0xdd },       { "compose", 0xdd },    { "print", 0xb7 },
    { "sysrq", 0x54 },      { "pause", 0xc6 },      { "plus", 0x0d },       { "minus", 0x0c },
    { "less", 0x56 },
};

bool keymap_from_char(gunichar character, unsigned *out_key, bool *out_shift)
{
    static const struct {
        gunichar character;
        unsigned key;
    } controls[] = { { '\n', KEY_ENTER }, { '\r', KEY_ENTER },     { '\t', KEY_TAB },
                     { 27, KEY_ESCAPE },  { '\b', KEY_BACKSPACE }, { 127, KEY_BACKSPACE } };
    for (unsigned i = 0; i < G_N_ELEMENTS(controls); i++)
        if (controls[i].character == character) {
            *out_key = controls[i].key;
            *out_shift = false;
            return true;
        }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows) && character >= ' ' && character < 127; i++) {
        const char *plain = strchr(rows[i].plain, character);
        const char *shifted = strchr(rows[i].shifted, character);
        if (!plain && !shifted)
            continue;
        *out_key = rows[i].first + (plain ? plain - rows[i].plain : shifted - rows[i].shifted);
        *out_shift = !plain;
        return true;
    }
    return false;
}

unsigned keymap_from_name(const char *name)
{
    unsigned key;
    bool shift;
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(names[i].name, name) == 0)
            return names[i].key;
    if (name[0] && !name[1] && keymap_from_char(g_ascii_tolower(name[0]), &key, &shift) && !shift)
        return key;
    return 0;
}
