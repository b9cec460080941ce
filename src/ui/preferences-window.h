/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the user prefers for all machines; the schema's keys. Included by the application. */

#include <adwaita.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_PREFERENCES_WINDOW (vitrine_preferences_window_get_type())
G_DECLARE_FINAL_TYPE(VitrinePreferencesWindow, vitrine_preferences_window, VITRINE,
                     PREFERENCES_WINDOW, AdwPreferencesWindow)

/* @parent may be NULL. */
GtkWidget *vitrine_preferences_window_new(GtkWindow *parent);

G_END_DECLS
