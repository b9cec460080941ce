/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Ties a row's widget to one key of a machine's definition, both ways, for as long as the widget
 * lives. Included by the settings pages. */

#include "ui/machine.h"
#include "ui/settings-store.h"
#include <adwaita.h>

G_BEGIN_DECLS

/* A switch that writes @on or @off ("true" and "false", or two words of a choice). */
void settings_bind_switch(SettingsStore *store, const char *key, GtkSwitch *widget, const char *on,
                          const char *off);
/* A number; @unit_bytes above 0: a size, shown in that unit. Written when the value rests. */
void settings_bind_spin(SettingsStore *store, const char *key, GtkSpinButton *widget,
                        uint64_t unit_bytes);
/* The row's items stand for @words, in the same order. */
void settings_bind_choice(SettingsStore *store, const char *key, AdwComboRow *widget,
                          const char *const *words);
/* A text, written when it is applied. */
void settings_bind_entry(SettingsStore *store, const char *key, AdwEntryRow *widget);

/* While @machine runs, @row (an AdwActionRow or one of its kind) says that what is changed here
 * counts from the next start. */
void settings_note_next_start(VitrineMachine *machine, GtkWidget *row);

G_END_DECLS
