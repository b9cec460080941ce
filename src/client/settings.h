/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The user's settings, data/org.vitrine.Vitrine.gschema.xml. What belongs to one machine is in its
 * definition instead. Included by front ends. */

#include <gio/gio.h>

typedef enum { VIEW_MODE_GRID, VIEW_MODE_LIST } ViewMode;
typedef enum { SORT_ORDER_NAME, SORT_ORDER_RECENT, SORT_ORDER_STATE } SortOrder;
typedef enum { ON_CLOSE_KEEP_RUNNING, ON_CLOSE_POWER_OFF } OnClose;
typedef enum { DISC_ON_RUNNING_ASK, DISC_ON_RUNNING_INSERT, DISC_ON_RUNNING_NEW } DiscOnRunning;

/* A new object for the settings; all of them show the same values. Finds the schema in the build
 * tree, too. */
GSettings *client_settings_new(void);
/* machines-folder, or bundle_default_root() when that is empty or not absolute. */
char *client_settings_dup_machines_folder(GSettings *settings);
/* Puts @path first in a list of paths ("recent-media", "known-bundles"), at most @max long. */
void client_settings_remember(GSettings *settings, const char *key, const char *path, unsigned max);
