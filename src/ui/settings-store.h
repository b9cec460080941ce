/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* One machine's machine.conf as the settings pages see it: values by key in their written form, as
 * definition_set() has them, saved at once; and told when the file changes, whoever changes it.
 * Main thread. Included by the settings pages. */

#include "model/bundle.h"
#include <gio/gio.h>

G_BEGIN_DECLS

#define SETTINGS_TYPE_STORE (settings_store_get_type())
G_DECLARE_FINAL_TYPE(SettingsStore, settings_store, SETTINGS, STORE, GObject)

/* Signals: "changed": read everything again. "failed" (char *why): a change was refused or could
 * not be written; what the file says still counts. */

SettingsStore *settings_store_new(const char *bundle);
const char *settings_store_get_bundle(SettingsStore *self);
/* After the machine was renamed: its folder is elsewhere now. */
void settings_store_set_bundle(SettingsStore *self, const char *bundle);
/* NULL while the file cannot be read. Borrowed until the next "changed". */
const Definition *settings_store_get_definition(SettingsStore *self);
/* NULL when there is no such key now. */
char *settings_store_dup(SettingsStore *self, const char *key);
/* Nothing happens when the value is the same already. False: "failed" was emitted. */
bool settings_store_set(SettingsStore *self, const char *key, const char *value);
/* For others that change the file or fail to: reads it again, or reports @why. */
void settings_store_reload(SettingsStore *self);
void settings_store_report(SettingsStore *self, const char *why);

G_END_DECLS
