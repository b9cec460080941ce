/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The machine's private D-Bus socket: lets in only our own user (and root), exports the objects on
 * each connection. Main thread. */

#include <gio/gio.h>
#include <stdbool.h>

typedef struct Server Server;

/* Serves at @path, replacing a socket that nobody serves any more. @objects: skeletons with their
 * paths, exported on every connection; borrowed until server_free(). */
typedef struct {
    GDBusInterfaceSkeleton *skeleton;
    const char *path;
} ServerObject;

Server *server_new(const char *path, const ServerObject *objects, unsigned n_objects,
                   GError **error);
/* All that was said goes out to clients; calls that arrived but were not handled yet, and later
 * ones, find no objects any more. */
void server_withdraw(Server *server);
void server_free(Server *server);
