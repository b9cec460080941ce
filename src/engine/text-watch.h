/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Waiting for the guest to say something: regular expressions over the serial console and the text
 * screen. Looks a few times a second while somebody waits, not at all otherwise. Main thread. */

#include "core/dev/vga.h"
#include "engine/serial-log.h"

typedef struct TextWatch TextWatch;

/* @error NULL: @match was found in @source ("serial", "screen"). */
typedef void (*TextWatchDone)(gpointer opaque, const char *source, const char *match,
                              const GError *error);

/* Either may be NULL. */
TextWatch *text_watch_new(Vga *vga, SerialLog *serial);
void text_watch_free(TextWatch *watch); /* whoever waits is told */
/* @done is called once, maybe at once; not when false is returned. @timeout_ms 0: no limit. */
bool text_watch_add(TextWatch *watch, const char *regex, unsigned timeout_ms, TextWatchDone done,
                    gpointer opaque, GError **error);
/* The one who waits is gone: its @done is not called. */
void text_watch_forget(TextWatch *watch, gpointer opaque);
