/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/machine-object-private.h"
#include <glib/gi18n.h>

gboolean machine_object_on_console_open(VitrineDBusMachine1 *dbus,
                                        GDBusMethodInvocation *invocation, GUnixFDList *in_fds,
                                        MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!object->engine->serial)
        return machine_object_refuse(invocation, APP_ERROR_NOT_FOUND,
                                     _("The machine has no serial port"));
    int fd = serial_log_open_console(object->engine->serial, &error);
    if (fd < 0) {
        machine_object_return_error(invocation, error);
        return TRUE;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);
    vitrine_dbus_machine1_complete_console_open(dbus, invocation, fds, g_variant_new_handle(0));
    return TRUE;
}

/* A wait ends by a match, its time, or the client's going. */
typedef struct {
    MachineObject *object;
    GDBusMethodInvocation *invocation;
    gulong closed_handler;
} TextWait;

static void text_wait_free(TextWait *wait)
{
    GDBusConnection *connection = g_dbus_method_invocation_get_connection(wait->invocation);
    g_signal_handler_disconnect(connection, wait->closed_handler);
    g_free(wait);
}

static void on_text_found(gpointer opaque, const char *source, const char *match,
                          const GError *error)
{
    TextWait *wait = opaque;
    GDBusMethodInvocation *invocation = g_object_ref(wait->invocation);
    text_wait_free(wait);
    if (error)
        machine_object_return_error(invocation, error);
    else
        vitrine_dbus_machine1_complete_wait_for_text(NULL, invocation, source, match);
    g_object_unref(invocation);
}

static void on_waiter_gone(GDBusConnection *connection, gboolean remote, GError *error,
                           gpointer opaque)
{
    TextWait *wait = opaque;
    GDBusMethodInvocation *invocation = wait->invocation;
    if (wait->object->engine->watch)
        text_watch_forget(wait->object->engine->watch, wait);
    text_wait_free(wait);
    machine_object_refuse(invocation, APP_ERROR_FAILED, _("The client went away"));
}

gboolean machine_object_on_wait_for_text(VitrineDBusMachine1 *dbus,
                                         GDBusMethodInvocation *invocation, const char *regex,
                                         unsigned timeout_ms, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    TextWait *wait = g_new0(TextWait, 1);
    wait->object = object;
    wait->invocation = invocation;
    wait->closed_handler = g_signal_connect(g_dbus_method_invocation_get_connection(invocation),
                                            "closed", G_CALLBACK(on_waiter_gone), wait);
    if (!text_watch_add(object->engine->watch, regex, timeout_ms, on_text_found, wait, &error)) {
        text_wait_free(wait);
        machine_object_return_error(invocation, error);
    }
    return TRUE;
}
