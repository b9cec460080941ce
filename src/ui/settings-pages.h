/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The pages of a machine's settings, each an AdwPreferencesPage with its own template. What they
 * change is saved at once through @store. Included by the settings window. */

#include "ui/settings-rows.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_SETTINGS_SYSTEM (vitrine_settings_system_get_type())
G_DECLARE_FINAL_TYPE(VitrineSettingsSystem, vitrine_settings_system, VITRINE, SETTINGS_SYSTEM,
                     AdwPreferencesPage)
#define VITRINE_TYPE_SETTINGS_DISPLAY (vitrine_settings_display_get_type())
G_DECLARE_FINAL_TYPE(VitrineSettingsDisplay, vitrine_settings_display, VITRINE, SETTINGS_DISPLAY,
                     AdwPreferencesPage)
#define VITRINE_TYPE_SETTINGS_DRIVES (vitrine_settings_drives_get_type())
G_DECLARE_FINAL_TYPE(VitrineSettingsDrives, vitrine_settings_drives, VITRINE, SETTINGS_DRIVES,
                     AdwPreferencesPage)
#define VITRINE_TYPE_SETTINGS_ADVANCED (vitrine_settings_advanced_get_type())
G_DECLARE_FINAL_TYPE(VitrineSettingsAdvanced, vitrine_settings_advanced, VITRINE, SETTINGS_ADVANCED,
                     AdwPreferencesPage)

AdwPreferencesPage *vitrine_settings_system_new(VitrineMachine *machine, SettingsStore *store);
AdwPreferencesPage *vitrine_settings_display_new(VitrineMachine *machine, SettingsStore *store);
AdwPreferencesPage *vitrine_settings_drives_new(VitrineMachine *machine, SettingsStore *store);
AdwPreferencesPage *vitrine_settings_advanced_new(VitrineMachine *machine, SettingsStore *store);

G_END_DECLS
