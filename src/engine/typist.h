/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Fingers: puts key and mouse events into the guest no faster than it takes them. Live keys go
 * straight through while nothing waits. Main thread. */

#include "core/dev/i8042.h"
#include <gio/gio.h>

typedef struct Typist Typist;

#define TYPIST_RELEASE 0x100u
#define TYPIST_MAX_KEYS 4096u

/* @error NULL: the guest has taken all of it. */
typedef void (*TypistDone)(gpointer opaque, const GError *error);

Typist *typist_new(I8042 *i8042);
void typist_free(Typist *typist); /* what waits is reported as failed */

/* One key of a person's. Never lost, never reordered. */
void typist_key(Typist *typist, unsigned key, bool down);
/* Buttons as bits left, middle, right, side, extra of org.qemu.Display1.Mouse: 0..6. */
void typist_button(Typist *typist, unsigned button, bool down);
void typist_motion(Typist *typist, int dx, int dy);

/* @done is called once, later; not when false is returned with @error. */
bool typist_type_text(Typist *typist, const char *text, TypistDone done, gpointer opaque,
                      GError **error);
bool typist_press_chords(Typist *typist, const char *const *chords, TypistDone done,
                         gpointer opaque, GError **error);
/* @keys: numbers of keys to press, + TYPIST_RELEASE to release. */
bool typist_press_keys(Typist *typist, const uint32_t *keys, size_t n_keys, TypistDone done,
                       gpointer opaque, GError **error);
/* Drives the pointer to the corner, then to @x, @y, and clicks @button. */
void typist_click(Typist *typist, unsigned x, unsigned y, unsigned button, unsigned screen_width,
                  unsigned screen_height, TypistDone done, gpointer opaque);
