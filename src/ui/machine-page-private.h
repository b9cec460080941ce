/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of the machine page share: machine-page.c (screen or status, the machine it
 * shows), machine-page-input.c (who has keyboard and pointer, and saying so),
 * machine-page-actions.c (what the menus do with the screen). Included by those. */

#include "display/screen.h"
#include "ui/machine-page.h"
#include "ui/text-bar.h"
#include <adwaita.h>

struct _VitrineMachinePage {
    GtkWidget parent;
    GtkStack *stack;
    GtkBox *screen_box;
    AdwStatusPage *status;
    GtkButton *status_button, *log_button;
    GtkLabel *notice, *hint_label, *screen_problem;
    GtkRevealer *notice_revealer, *hint_revealer;
    VitrineTextBar *text_bar;
    VitrineMachine *machine;     /* owned, or NULL */
    VitrineFrame *frame;         /* owned while connected */
    VitrineScreen *screen;       /* child of screen_box while connected */
    GDBusConnection *connection; /* what the screen is connected to; borrowed */
    GSettings *settings;         /* owned */
    /* input */
    char *release_chord; /* owned; for this screen and the next */
    char **host_chords;  /* owned, or NULL: the screen's own */
    char *hint;          /* owned, or NULL */
    guint hint_timer, refusal_timer;
    GtkRoot *root; /* borrowed, while there is one */
    bool focus_in_popover;
    GActionMap *actions; /* owned; "screen.…" of the root */
};

/* Of a new screen: brings it the chords, follows who has what. */
void page_follow_input(VitrineMachinePage *self);
/* The screen goes: nothing is grabbed, nothing to say. */
void page_forget_input(VitrineMachinePage *self);
void page_set_release_chord(VitrineMachinePage *self, const char *chord);
void page_set_host_chords(VitrineMachinePage *self, const char *const *accelerators);
/* Watches the focus of the window we are in, so that it comes back from menus. */
void page_follow_focus(VitrineMachinePage *self, GtkRoot *root);

/* Once; and whenever the machine or its screen changed. */
void page_make_actions(VitrineMachinePage *self);
void page_update_actions(VitrineMachinePage *self);
/* Of a new screen: its words can be selected. */
void page_follow_text(VitrineMachinePage *self);
void page_bind_text_keys(GtkWidgetClass *widget_class);
