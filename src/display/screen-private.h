/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of the display widget share: screen.c (the widget, who has the keyboard),
 * screen-keyboard.c, screen-pointer.c (mouse, wheel, fingers). Included by those. */

#include "display/geometry.h"
#include "display/input.h"
#include "display/release-chord.h"
#include "display/screen.h"
#include "display/touch.h"

typedef struct {
    guint keyval;
    GdkModifierType modifiers;
} HostChord;

struct _VitrineScreen {
    GtkWidget parent;
    VitrineFrame *frame;   /* owned */
    VitrineInput *input;   /* owned */
    GtkWidget *presenter;  /* child; NULL until realized */
    GtkWindow *window;     /* borrowed, while in one */
    GdkToplevel *toplevel; /* borrowed, while realized */
    bool grabbed, pointer_grabbed;
    /* keyboard */
    ReleaseChord release_chord, usual_chord; /* as set; and the default, which always releases */
    char **host_chords;                      /* owned, as set */
    GArray *host_keys;                       /* owned; of HostChord, the same parsed */
    /* pointer */
    double last_x, last_y; /* for relative motion; NAN: unknown */
    Touch touch;
};

void screen_set_host_chords(VitrineScreen *self, const char *const *accelerators);
void screen_add_keyboard(VitrineScreen *self);

/* The picture's place in the widget. */
void screen_geometry(VitrineScreen *self, DisplayGeometry *out);
/* Gives or takes the pointer of a guest with a relative mouse. */
void screen_set_pointer_grabbed(VitrineScreen *self, bool grabbed);
void screen_update_cursor(VitrineScreen *self);
void screen_add_pointer(VitrineScreen *self);
