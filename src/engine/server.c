/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/server.h"
#include "base/errors.h"
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

struct Server {
    GDBusServer *server;
    GDBusAuthObserver *observer;
    char *path;
    ServerObject *objects;
    unsigned n_objects;
    GPtrArray *connections; /* owned refs */
};

static gboolean on_allow_mechanism(GDBusAuthObserver *observer, const char *mechanism,
                                   gpointer opaque)
{
    return strcmp(mechanism, "EXTERNAL") == 0;
}

/* On GDBus's worker thread. */
static gboolean on_authorize(GDBusAuthObserver *observer, GIOStream *stream,
                             GCredentials *credentials, gpointer opaque)
{
    if (!credentials)
        return FALSE;
    uid_t uid = g_credentials_get_unix_user(credentials, NULL);
    return uid == geteuid() || uid == 0;
}

static void on_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer opaque)
{
    Server *server = opaque;
    g_signal_handlers_disconnect_by_data(connection, server);
    for (unsigned i = 0; i < server->n_objects; i++)
        if (g_dbus_interface_skeleton_has_connection(server->objects[i].skeleton, connection))
            g_dbus_interface_skeleton_unexport_from_connection(server->objects[i].skeleton,
                                                               connection);
    g_ptr_array_remove(server->connections, connection);
}

static gboolean on_new_connection(GDBusServer *bus, GDBusConnection *connection, gpointer opaque)
{
    Server *server = opaque;
    for (unsigned i = 0; i < server->n_objects; i++) {
        g_autoptr(GError) error = NULL;
        if (!g_dbus_interface_skeleton_export(server->objects[i].skeleton, connection,
                                              server->objects[i].path, &error))
            g_warning("Cannot export %s: %s", server->objects[i].path, error->message);
    }
    g_ptr_array_add(server->connections, g_object_ref(connection));
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), server);
    return TRUE;
}

static bool somebody_serves(const char *path)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
    return connection != NULL;
}

Server *server_new(const char *path, const ServerObject *objects, unsigned n_objects,
                   GError **error)
{
    if (somebody_serves(path)) {
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                    _("A machine with the same UUID is running already. If this one is a copy, "
                      "change uuid in its "
                      "machine.conf"));
        return NULL;
    }
    g_unlink(path);

    Server *server = g_new0(Server, 1);
    server->path = g_strdup(path);
    server->objects = g_memdup2(objects, n_objects * sizeof *objects);
    server->n_objects = n_objects;
    server->connections = g_ptr_array_new_with_free_func(g_object_unref);
    server->observer = g_dbus_auth_observer_new();
    g_signal_connect(server->observer, "allow-mechanism", G_CALLBACK(on_allow_mechanism), NULL);
    g_signal_connect(server->observer, "authorize-authenticated-peer", G_CALLBACK(on_authorize),
                     NULL);
    g_autofree char *escaped = g_dbus_address_escape_value(path);
    g_autofree char *address = g_strconcat("unix:path=", escaped, NULL);
    g_autofree char *guid = g_dbus_generate_guid();
    server->server = g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid,
                                            server->observer, NULL, error);
    if (!server->server) {
        g_prefix_error(error, _("Cannot make the machine's socket “%s”: "), path);
        server_free(server);
        return NULL;
    }
    g_chmod(path, 0600);
    g_signal_connect(server->server, "new-connection", G_CALLBACK(on_new_connection), server);
    g_dbus_server_start(server->server);
    return server;
}

void server_withdraw(Server *server)
{
    for (unsigned i = 0; i < server->connections->len; i++)
        g_dbus_connection_flush_sync(server->connections->pdata[i], NULL, NULL);
    for (unsigned i = 0; i < server->n_objects; i++)
        if (g_dbus_interface_skeleton_get_connection(server->objects[i].skeleton))
            g_dbus_interface_skeleton_unexport(server->objects[i].skeleton);
}

void server_free(Server *server)
{
    if (!server)
        return;
    if (server->server) {
        g_dbus_server_stop(server->server);
        g_unlink(server->path);
        g_object_unref(server->server);
    }
    server_withdraw(server);
    for (unsigned i = 0; i < server->connections->len; i++) {
        GDBusConnection *connection = server->connections->pdata[i];
        g_signal_handlers_disconnect_by_data(connection, server);
        g_dbus_connection_flush_sync(connection, NULL, NULL);
        g_dbus_connection_close_sync(connection, NULL, NULL);
    }
    g_ptr_array_unref(server->connections);
    g_object_unref(server->observer);
    g_free(server->objects);
    g_free(server->path);
    g_free(server);
}
