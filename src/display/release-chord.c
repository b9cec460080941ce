/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/release-chord.h"
#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned evdev;
    const char *first, *next; /* at the beginning of the label, and later in it */
    const char *brief;        /* without the side */
} chord_keys[] = {
    { "left-ctrl", KEY_LEFTCTRL, N_("Left Ctrl"), N_("left Ctrl"), N_("Ctrl") },
    { "right-ctrl", KEY_RIGHTCTRL, N_("Right Ctrl"), N_("right Ctrl"), N_("Ctrl") },
    { "left-alt", KEY_LEFTALT, N_("Left Alt"), N_("left Alt"), N_("Alt") },
    { "right-alt", KEY_RIGHTALT, N_("Right Alt"), N_("right Alt"), N_("Alt") },
    { "left-shift", KEY_LEFTSHIFT, N_("Left Shift"), N_("left Shift"), N_("Shift") },
    { "right-shift", KEY_RIGHTSHIFT, N_("Right Shift"), N_("right Shift"), N_("Shift") },
    { "left-super", KEY_LEFTMETA, N_("Left Super"), N_("left Super"), N_("Super") },
    { "right-super", KEY_RIGHTMETA, N_("Right Super"), N_("right Super"), N_("Super") },
    { "pause", KEY_PAUSE, N_("Pause"), N_("Pause"), N_("Pause") },
    { "scroll-lock", KEY_SCROLLLOCK, N_("Scroll Lock"), N_("Scroll Lock"), N_("Scroll Lock") },
    { "caps-lock", KEY_CAPSLOCK, N_("Caps Lock"), N_("Caps Lock"), N_("Caps Lock") },
    { "menu", KEY_COMPOSE, N_("Menu"), N_("Menu"), N_("Menu") },
};

static int chord_key_by_name(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(chord_keys); i++)
        if (strcmp(chord_keys[i].name, name) == 0)
            return (int)i;
    return -1;
}

const char *release_chord_key_name(unsigned evdev)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(chord_keys); i++)
        if (chord_keys[i].evdev == evdev)
            return chord_keys[i].name;
    return NULL;
}

static bool chord_parse_keys(ReleaseChord *chord, const char *text)
{
    g_auto(GStrv) names = g_strsplit(text, "+", -1);
    *chord = (ReleaseChord){ 0 };
    for (unsigned i = 0; names[i]; i++) {
        int key = chord_key_by_name(g_strstrip(names[i]));
        if (key < 0 || chord->n_keys == RELEASE_CHORD_MAX_KEYS)
            return false;
        for (unsigned k = 0; k < chord->n_keys; k++)
            if (chord->keys[k] == chord_keys[key].evdev)
                return false;
        chord->keys[chord->n_keys++] = chord_keys[key].evdev;
    }
    return chord->n_keys > 0;
}

bool release_chord_parse(ReleaseChord *chord, const char *text)
{
    bool good = text && chord_parse_keys(chord, text);
    if (!good)
        chord_parse_keys(chord, RELEASE_CHORD_DEFAULT);
    return good;
}

bool release_chord_key(ReleaseChord *chord, unsigned evdev, bool down)
{
    unsigned n_held = 0, n_before = 0;
    bool is_ours = false;
    for (unsigned i = 0; i < chord->n_keys; i++) {
        n_before += chord->held[i];
        if (chord->keys[i] == evdev) {
            chord->held[i] = down;
            is_ours = true;
        }
        n_held += chord->held[i];
    }
    if (!is_ours) {
        chord->broken |= down;
        return false;
    }
    if (down && n_before == 0)
        chord->broken = chord->armed = false;
    chord->armed |= n_held == chord->n_keys;
    if (down || !chord->armed || chord->broken)
        return false;
    release_chord_clear(chord);
    return true;
}

void release_chord_clear(ReleaseChord *chord)
{
    memset(chord->held, 0, sizeof chord->held);
    chord->armed = chord->broken = false;
}

static char *chord_dup_joined(const ReleaseChord *chord, const char *between, bool brief)
{
    GString *label = g_string_new(NULL);
    for (unsigned i = 0; i < chord->n_keys; i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(chord_keys); k++)
            if (chord_keys[k].evdev == chord->keys[i])
                g_string_append_printf(label, "%s%s", i ? between : "",
                                       brief ? _(chord_keys[k].brief)
                                       : i   ? _(chord_keys[k].next)
                                             : _(chord_keys[k].first));
    return g_string_free(label, FALSE);
}

char *release_chord_dup_label(const ReleaseChord *chord)
{
    return chord_dup_joined(chord, " + ", false);
}

char *release_chord_dup_brief_label(const ReleaseChord *chord)
{
    return chord_dup_joined(chord, "+", true);
}
