/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The keys that take keyboard and pointer back from a guest: pressed together and let go without
 * another key between, so that Ctrl+Alt+Delete and the like still reach the guest. Keys are
 * positions. Pure; included by the display widget, vitrine-view and the preferences. */

#include <glib.h>
#include <stdbool.h>

#define RELEASE_CHORD_DEFAULT "left-ctrl+left-alt"
#define RELEASE_CHORD_MAX_KEYS 3

typedef struct {
    unsigned keys[RELEASE_CHORD_MAX_KEYS]; /* evdev */
    bool held[RELEASE_CHORD_MAX_KEYS];
    unsigned n_keys;
    bool armed;  /* all were down at once … */
    bool broken; /* … but another key came between */
} ReleaseChord;

/* @text: key names joined by "+": left- or right- with ctrl, alt, shift, super; pause, scroll-lock,
 * menu, caps-lock. False, and the default chord, when it is not that. */
bool release_chord_parse(ReleaseChord *chord, const char *text);
/* The name of a key that a chord may have; NULL for any other. */
const char *release_chord_key_name(unsigned evdev);
/* For each key that goes to the guest. True when this one, a release, completes the chord. */
bool release_chord_key(ReleaseChord *chord, unsigned evdev, bool down);
/* Forgets what is held. */
void release_chord_clear(ReleaseChord *chord);
/* For the user: "Left Ctrl + left Alt", translated. */
char *release_chord_dup_label(const ReleaseChord *chord);
/* Where there is little room: "Ctrl+Alt". */
char *release_chord_dup_brief_label(const ReleaseChord *chord);
