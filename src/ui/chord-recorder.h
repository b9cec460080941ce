/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A small window that listens for keys: for modifiers by position, as the release chord has them,
 * or for an accelerator. Included by the preferences. */

#include <adwaita.h>

G_BEGIN_DECLS

typedef enum { CHORD_RELEASE, CHORD_ACCELERATOR } ChordKind;

/* @text: as release_chord_parse() or gtk_accelerator_parse() take it. Not called when the user
 * cancels (Esc, alone). */
typedef void (*ChordRecorded)(const char *text, gpointer opaque);

/* @opaque is a GObject; when it goes first nobody is called. */
void chord_recorder_show(GtkWindow *parent, ChordKind kind, ChordRecorded recorded,
                         gpointer opaque);

G_END_DECLS
