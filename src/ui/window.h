/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The app's window: the library, and the machine that is open. All of it takes drops. */

#include "ui/library.h"
#include <adwaita.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_WINDOW (vitrine_window_get_type())
G_DECLARE_FINAL_TYPE(VitrineWindow, vitrine_window, VITRINE, WINDOW, AdwApplicationWindow)

GtkWidget *vitrine_window_new(GtkApplication *app, VitrineLibrary *library);
/* A file that somebody dropped, opened or named: a disc or disk image begins a new machine (or goes
 * into the open one's drive), a bundle is opened. */
void vitrine_window_open_path(VitrineWindow *self, const char *path);
/* Shows machine @bundle, as soon as the library has it; @start: and starts it. */
void vitrine_window_show_bundle(VitrineWindow *self, const char *bundle, bool start);

/* Shows the library with @text in its search. */
void vitrine_window_search(VitrineWindow *self, const char *text);

G_END_DECLS
