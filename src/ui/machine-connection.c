/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A machine's connection to its engine: made when one runs, followed, and given up when it goes. */

#include "client/stop-words.h"
#include "ui/machine-private.h"

static void machine_cpu_changed(VitrineMachine *self)
{
    g_object_notify(G_OBJECT(self), "cpu-text");
    g_object_notify(G_OBJECT(self), "cpu-reason");
    g_object_notify(G_OBJECT(self), "pointer-absolute");
}

static void machine_tell_connection(VitrineMachine *self)
{
    machine_cpu_changed(self);
    g_object_notify(G_OBJECT(self), "live");
}

void machine_drop_proxy(VitrineMachine *self)
{
    if (!self->proxy)
        return;
    g_signal_handlers_disconnect_by_data(self->proxy, self);
    g_signal_handlers_disconnect_by_data(g_dbus_proxy_get_connection(G_DBUS_PROXY(self->proxy)),
                                         self);
    g_clear_object(&self->proxy);
}

static void on_state(VitrineDBusMachine1 *proxy, const char *state, const char *problem,
                     VitrineMachine *self)
{
    int parsed = client_state_parse(state);
    StopRecord stop = { .reason = stop_reason_parse(vitrine_dbus_machine1_get_stop_reason(proxy)),
                        .subject = (char *)vitrine_dbus_machine1_get_stop_subject(proxy) };
    /* The engine's words, unless there are some in the user's language. */
    g_autofree char *words =
        stop_is_trouble(stop.reason) ? stop_dup_explanation(&stop, self->bundle) : NULL;
    if (parsed >= 0)
        machine_set_state(self, (ClientState)parsed, words ? words : problem);
}

static void open_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_task_return_pointer(task, client_open_machine(data), (GDestroyNotify)client_machine_free);
}

static void on_reopened(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineMachine *self = VITRINE_MACHINE(source);
    g_autoptr(ClientMachine) client = g_task_propagate_pointer(G_TASK(result), NULL);
    if (client)
        vitrine_machine_update(self, client);
}

/* The engine has gone: its bundle says whether that was a clean end. */
static void on_closed(GDBusConnection *connection, gboolean remote, GError *error,
                      VitrineMachine *self)
{
    machine_drop_proxy(self);
    machine_tell_connection(self);
    g_autoptr(GTask) task = g_task_new(self, self->cancellable, on_reopened, NULL);
    g_task_set_task_data(task, g_strdup(self->bundle), g_free);
    g_task_run_in_thread(task, open_thread);
}

static void connect_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;
    VitrineDBusMachine1 *proxy = client_connect_machine(data, &error);
    if (proxy)
        g_task_return_pointer(task, proxy, g_object_unref);
    else
        g_task_return_error(task, error);
}

static void on_proxy(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineMachine *self = VITRINE_MACHINE(source);
    self->connecting = false;
    g_autoptr(VitrineDBusMachine1) proxy = g_task_propagate_pointer(G_TASK(result), NULL);
    if (!proxy || self->proxy ||
        g_dbus_connection_is_closed(g_dbus_proxy_get_connection(G_DBUS_PROXY(proxy))))
        return; /* it went away meanwhile: the next look at the library tells */
    self->proxy = g_steal_pointer(&proxy);
    g_signal_connect(self->proxy, "state-changed", G_CALLBACK(on_state), self);
    g_signal_connect_swapped(self->proxy, "notify::cpu-backend", G_CALLBACK(machine_cpu_changed),
                             self);
    g_signal_connect_swapped(self->proxy, "notify::cpu-reason", G_CALLBACK(machine_cpu_changed),
                             self);
    g_signal_connect(g_dbus_proxy_get_connection(G_DBUS_PROXY(self->proxy)), "closed",
                     G_CALLBACK(on_closed), self);
    on_state(self->proxy, vitrine_dbus_machine1_get_state(self->proxy),
             vitrine_dbus_machine1_get_problem(self->proxy), self);
    machine_tell_connection(self);
}

void machine_connect(VitrineMachine *self)
{
    if (self->proxy || self->connecting || !self->uuid)
        return;
    self->connecting = true;
    g_autoptr(GTask) task = g_task_new(self, self->cancellable, on_proxy, NULL);
    g_task_set_task_data(task, g_strdup(self->uuid), g_free);
    g_task_run_in_thread(task, connect_thread);
}
