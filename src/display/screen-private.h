/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of the display widget share: screen.c (the widget, who has the keyboard),
 * screen-keyboard.c, screen-pointer.c (mouse, wheel, fingers), screen-text.c (selecting,
 * searching), spoken-text.c (for screen readers). Included by those. */

#include "display/geometry.h"
#include "display/input.h"
#include "display/pointer-lock.h"
#include "display/release-chord.h"
#include "display/screen.h"
#include "display/text-source.h"
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
    int width, height;     /* as last drawn */
    guint suggest_timer;   /* since that changed */
    GtkWindow *window;     /* borrowed, while in one */
    GdkToplevel *toplevel; /* borrowed, while realized */
    bool grabbed, pointer_grabbed;
    /* keyboard */
    ReleaseChord release_chord, usual_chord; /* as set; and the default, which always releases */
    char **host_chords;                      /* owned, as set */
    GArray *host_keys;                       /* owned; of HostChord, the same parsed */
    /* pointer */
    double last_x, last_y; /* for relative motion; NAN: unknown */
    PointerLock *lock;     /* owned; NULL: none, or the pointer is put back instead */
    Touch touch;
    /* text */
    VitrineTextSource *text; /* owned */
    GtkWidget *spoken;       /* child: the same words, for screen readers */
    bool selecting, notify_held;
    TextSpan selection; /* empty: none */
    int anchor;         /* the cell where the drag began */
    char *needle;       /* owned, or NULL */
    GArray *found;      /* of TextSpan, owned, or NULL */
    unsigned which;     /* of them is selected; from 1 on */
};

void screen_set_host_chords(VitrineScreen *self, const char *const *accelerators);
void screen_add_keyboard(VitrineScreen *self);

/* The picture's place in the widget. */
void screen_geometry(VitrineScreen *self, DisplayGeometry *out);
/* Gives or takes the pointer of a guest with a relative mouse. */
void screen_set_pointer_grabbed(VitrineScreen *self, bool grabbed);
/* Hides it, and locks it, while a guest with a relative mouse has it. */
void screen_update_cursor(VitrineScreen *self);
void screen_add_pointer(VitrineScreen *self);

void screen_add_text(VitrineScreen *self);
void screen_drop_text(VitrineScreen *self);
void screen_snapshot_text(VitrineScreen *self, GtkSnapshot *snapshot);

/* A child that is not seen and says what @source does. */
GtkWidget *spoken_text_new(void);
void spoken_text_update(GtkWidget *spoken, const TextScreen *screen);
