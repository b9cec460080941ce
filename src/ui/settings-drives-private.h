/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of the drives page share: settings-drives.c has the page and the rows,
 * settings-drive-actions.c what is added, removed, inserted and ejected. Included by those two. */

#include "ui/settings-pages.h"

struct _VitrineSettingsDrives {
    AdwPreferencesPage parent;
    AdwPreferencesGroup *drives_group;
    AdwComboRow *boot_row;
    AdwActionRow *boot_menu_row;
    GtkSwitch *boot_menu;
    GPtrArray *rows;         /* borrowed widgets in drives_group */
    VitrineMachine *machine; /* owned */
    SettingsStore *store;    /* owned */
};

/* The actions drives.add-…, drives.insert(u), drives.eject(u), drives.remove(u). */
void settings_drives_install_actions(GtkWidgetClass *klass);
