/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where machines are looked for: the folders that hold them, and bundles that were opened from
 * elsewhere once. Nothing is registered: a folder is read anew each time, and an opened bundle that
 * is gone is looked for by its UUID. Included by front ends. */

#include "client/client.h"

typedef struct {
    GPtrArray *folders; /* owned, of char *: the default one, and the user's own if there is one */
    GPtrArray *bundles; /* owned, of char *: opened from elsewhere */
} ClientPlaces;

/* A copy of what the settings say, for a thread to work on. */
ClientPlaces *client_places_new(GSettings *settings);
void client_places_free(ClientPlaces *places);

/* As client_list_machines(), in @places. Bundles that were opened once and are gone now are in it,
 * as missing. Blocks; any thread. */
GPtrArray *client_list_machines_in(const ClientPlaces *places);

/* Remembers @bundle, unless it lies in one of the folders; and forgets it. */
void client_places_add(GSettings *settings, const char *bundle);
void client_places_remove(GSettings *settings, const char *bundle);
/* What has moved, says a list, is remembered where it is now. */
void client_places_follow(GSettings *settings, GPtrArray *machines);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ClientPlaces, client_places_free)
