/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "client/guard.h"

typedef struct {
    GuardLimits limits;
    gint64 second;    /* began then; the connection's own thread's */
    unsigned n_in_it; /* likewise */
    int closed;       /* atomic */
} Guard;

static GQuark guard_quark(void)
{
    return g_quark_from_static_string("vitrine-guard");
}

static gsize message_size(GDBusMessage *message)
{
    GVariant *body = g_dbus_message_get_body(message);
    return body ? g_variant_get_size(body) : 0;
}

static gboolean guard_allows(Guard *guard, GDBusMessage *message)
{
    GDBusMessageType type = g_dbus_message_get_message_type(message);
    gint64 now = g_get_monotonic_time();
    if (guard->limits.message_bytes && message_size(message) > guard->limits.message_bytes)
        return FALSE;
    if (type != G_DBUS_MESSAGE_TYPE_METHOD_CALL && type != G_DBUS_MESSAGE_TYPE_SIGNAL)
        return TRUE;
    if (now - guard->second >= G_USEC_PER_SEC) {
        guard->second = now;
        guard->n_in_it = 0;
    }
    return ++guard->n_in_it <= guard->limits.messages_per_second;
}

static gboolean close_in_idle(gpointer connection)
{
    g_dbus_connection_close(connection, NULL, NULL, NULL);
    return G_SOURCE_REMOVE;
}

/* In the connection's own thread, before anything else sees the message. */
static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message,
                                gboolean incoming, gpointer opaque)
{
    Guard *guard = opaque;
    if (!incoming)
        return message;
    if (!g_atomic_int_get(&guard->closed)) {
        if (guard_allows(guard, message))
            return message;
        g_atomic_int_set(&guard->closed, 1);
        g_idle_add_full(G_PRIORITY_HIGH, close_in_idle, g_object_ref(connection), g_object_unref);
    }
    g_object_unref(message);
    return NULL;
}

void guard_connection(GDBusConnection *connection, GuardLimits limits)
{
    Guard *guard = g_new0(Guard, 1);
    guard->limits = limits;
    g_object_set_qdata_full(G_OBJECT(connection), guard_quark(), guard, g_free);
    g_dbus_connection_add_filter(connection, on_message, guard, NULL);
}

gboolean guard_has_closed(GDBusConnection *connection)
{
    Guard *guard = g_object_get_qdata(G_OBJECT(connection), guard_quark());
    return guard && g_atomic_int_get(&guard->closed);
}
