/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#pragma once

/* What the files of the window share: window.c has the template, the two pages and what is said;
 * window-files.c what is chosen, window-drop.c what is dropped; window-manage.c and window-trash.c
 * what is done with a machine as a thing; window-screenshot.c a picture of it; window-actions.c
 * what the buttons and menus do. Included by those, and window-work.h. */

#include "ui/library-page.h"
#include "ui/machine-page.h"
#include "ui/window.h"

struct _VitrineWindow {
    AdwApplicationWindow parent;
    AdwLeaflet *leaflet;
    AdwToastOverlay *toasts;
    VitrineLibraryPage *library_page;
    GtkWidget *machine_box, *drop_highlight;
    GtkBox *jobs;          /* what takes long, at the lower edge */
    AdwFlap *machine_flap; /* the header above the page; over it in full screen */
    GtkLabel *drop_label;
    GtkDropTarget *drop_target;   /* borrowed: the window's */
    VitrineMachine *drop_machine; /* owned, or NULL: the running one under a drag */
    unsigned drop_generation;     /* of what the highlight says */
    AdwWindowTitle *machine_title;
    GtkButton *pause_button, *fullscreen_button, *cpu_badge, *power_button;
    guint fold_idle;             /* the header is to be folded or unfolded */
    bool narrow, narrow_library; /* too narrow for all the buttons of either page's header */
    VitrineMachinePage *page;
    VitrineLibrary *library; /* owned */
    char *last_bundle;       /* owned, or NULL: of the machine that was left, for going forward */
    char *pending_bundle;    /* owned: to be shown when the library has it */
    bool pending_start;
    char *returning_bundle;     /* owned: to have the keyboard when the library has it again */
    AdwToast *fullscreen_toast; /* borrowed, or NULL: not shown */
    GPtrArray *undo_toasts;     /* owned, of AdwToast: those that offer to undo, the newest last */
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
/* What the "machine." actions are about: the open machine, or the one selected in the library. */
VitrineMachine *window_subject(VitrineWindow *self);
void window_open_machine(VitrineWindow *self, VitrineMachine *machine);
void window_show_library(VitrineWindow *self);
/* The actions that make sense now, and the header. */
void window_update_actions(VitrineWindow *self);

void window_update_header(VitrineWindow *self, VitrineMachine *machine);

/* window-files.c */
/* The demo disc, or NULL where there is none. */
const char *window_get_demo(void);
/* Shows the discs that were used lately, once the window has been drawn. */
void window_offer_recent(VitrineWindow *self);
void window_create(VitrineWindow *self, const char *source);
/* A file chooser; @insert: for the open machine's drive, else for a new machine. */
void window_choose_file(VitrineWindow *self, const char *title, bool insert);
/* Puts @path first among the discs that were used lately. */
void window_remember_medium(VitrineWindow *self, const char *path);

/* window-drop.c */
void window_add_drop_target(VitrineWindow *self);
void window_insert(VitrineWindow *self, VitrineMachine *machine, const char *path);

/* window-manage.c: each reports its own failure. */
void window_rename(VitrineWindow *self, VitrineMachine *machine);
void window_clone(VitrineWindow *self, VitrineMachine *machine);
void window_forget(VitrineWindow *self, VitrineMachine *machine);
/* @bundle is not a machine any more: neither the list nor the window shows it. */
void window_leave_bundle(VitrineWindow *self, const char *bundle);
void window_locate(VitrineWindow *self, VitrineMachine *machine);
/* What is missing, and what can be done about it. */
void window_tell_missing(VitrineWindow *self, VitrineMachine *machine);
void window_show_files(VitrineWindow *self, VitrineMachine *machine);
void window_set_thumbnail(VitrineWindow *self, VitrineMachine *machine, bool shown);

/* window-trash.c: each reports its own failure. */
void window_trash(VitrineWindow *self, VitrineMachine *machine);
void window_undo_trash(VitrineWindow *self, const char *trashed, const char *bundle);
/* The last one that was moved there, as long as its toast offers so. */
void window_undo_last(VitrineWindow *self);

/* window-screenshot.c: says where it is, or why not. */
void window_take_screenshot(VitrineWindow *self, VitrineMachine *machine);

/* window-actions.c */
void window_install_actions(GtkWidgetClass *klass);
