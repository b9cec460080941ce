/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#pragma once

/* What the files of the window share: window.c has the template, the two pages and what is said;
 * window-files.c what is dropped and chosen; window-actions.c what the buttons and menus do.
 * Included by those three. */

#include "ui/machine-page.h"
#include "ui/window.h"

struct _VitrineWindow {
    AdwApplicationWindow parent;
    AdwLeaflet *leaflet;
    AdwToastOverlay *toasts;
    GtkStack *library_stack;
    GtkGridView *grid;
    GtkWidget *library_box, *machine_box, *demo_button, *drop_highlight;
    AdwFlap *machine_flap; /* the header above the page; over it in full screen */
    GtkLabel *drop_label;
    AdwWindowTitle *machine_title;
    GtkButton *pause_button, *fullscreen_button, *cpu_badge;
    VitrineMachinePage *page;
    VitrineLibrary *library; /* owned */
    GtkSelectionModel *selection;
    char *pending_bundle; /* owned: to be shown when the library has it */
    bool pending_start;
    GPtrArray *machine_signals; /* machines whose "failed" is connected */
};

/* A few words that pass; what failed and why, with a button that copies both; a plain message. */
void window_toast(VitrineWindow *self, const char *text);
void window_alert(VitrineWindow *self, const char *what, const char *why);
void window_tell(VitrineWindow *self, const char *what, const char *why);

/* The machine that is open, or NULL; whether its page is the one in view; whether its engine runs.
 */
VitrineMachine *window_machine(VitrineWindow *self);
bool window_shows_machine(VitrineWindow *self);
bool window_machine_is_live(VitrineWindow *self);
void window_show_library(VitrineWindow *self);

/* window-files.c */
void window_create(VitrineWindow *self, const char *source);
/* A file chooser; @insert: for the open machine's drive, else for a new machine. */
void window_choose_file(VitrineWindow *self, const char *title, bool insert);
void window_add_drop_target(VitrineWindow *self);

/* window-actions.c */
void window_install_actions(GtkWidgetClass *klass);
