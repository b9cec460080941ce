/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/inhibitor.h"
#include "ui/shutdown-countdown.h"
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <gtk/gtk.h>
#include <unistd.h>

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"
#define USUAL_DELAY_US (5 * G_USEC_PER_SEC) /* logind's own default */
#define MARGIN_US (G_USEC_PER_SEC / 2)      /* we let go before logind stops waiting */

typedef enum { PHASE_USUAL, PHASE_SHUTDOWN, PHASE_SLEEP } Phase;

struct Inhibitor {
    GApplication *app;       /* borrowed */
    VitrineLibrary *library; /* borrowed */
    GDBusProxy *logind;      /* owned; NULL: none */
    GCancellable *cancellable;
    bool has_asked_for_logind, taking;
    int fd;               /* held: logind waits for us; -1: not */
    guint session_cookie; /* GTK's, where there is no logind */
    Phase phase;
    GHashTable *asked;            /* machines (owned) asked to turn off or paused in this phase */
    ShutdownCountdown *countdown; /* owned, or NULL */
    guint tick;
};

static void inhibitor_update(Inhibitor *self);

/* Machines -------------------------------------------------------------------------------------
 */

/* Array of machines (owned) in @state, or with @state CLIENT_N_STATES all that are live. */
static GPtrArray *machines_in_state(Inhibitor *self, ClientState state)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_object_unref);
    guint n = g_list_model_get_n_items(G_LIST_MODEL(self->library));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(self->library), i);
        ClientState now = vitrine_machine_get_state(machine);
        if (state == CLIENT_N_STATES ? client_state_is_live(now) : now == state)
            g_ptr_array_add(found, g_steal_pointer(&machine));
    }
    return found;
}

static bool any_live(Inhibitor *self)
{
    g_autoptr(GPtrArray) live = machines_in_state(self, CLIENT_N_STATES);
    return live->len > 0;
}

/* The lock ------------------------------------------------------------------------------------- */

static void inhibitor_release(Inhibitor *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

static void on_inhibited(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(source), &fds, result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Inhibitor *self = opaque;
    self->taking = false;
    if (!reply) {
        g_message("logind does not wait for machines: %s", error->message);
        return;
    }
    gint32 handle = 0;
    g_variant_get(reply, "(h)", &handle);
    inhibitor_release(self);
    self->fd = g_unix_fd_list_get(fds, handle, NULL);
    inhibitor_update(self); /* the last machine may be off by now */
}

static void inhibitor_take(Inhibitor *self)
{
    if (self->fd >= 0 || self->taking || !self->logind)
        return;
    self->taking = true;
    g_dbus_proxy_call_with_unix_fd_list(self->logind, "Inhibit",
                                        g_variant_new("(ssss)", "shutdown:sleep", "Vitrine",
                                                      _("Virtual machines are running"), "delay"),
                                        G_DBUS_CALL_FLAGS_NONE, -1, NULL, self->cancellable,
                                        on_inhibited, self);
}

static void session_update(Inhibitor *self, bool live)
{
    GtkApplication *app = GTK_APPLICATION(self->app);
    if (live && !self->session_cookie) {
        self->session_cookie = gtk_application_inhibit(app, gtk_application_get_active_window(app),
                                                       GTK_APPLICATION_INHIBIT_LOGOUT,
                                                       _("Virtual machines are running"));
    } else if (!live && self->session_cookie) {
        gtk_application_uninhibit(app, self->session_cookie);
        self->session_cookie = 0;
    }
}

static void inhibitor_update(Inhibitor *self)
{
    bool live = any_live(self);
    if (self->phase != PHASE_USUAL || !self->has_asked_for_logind)
        return;
    if (!self->logind)
        session_update(self, live);
    else if (live)
        inhibitor_take(self);
    else
        inhibitor_release(self);
}

/* Shutdown --------------------------------------------------------------------------------------
 */

static void shutdown_finish(Inhibitor *self)
{
    g_clear_handle_id(&self->tick, g_source_remove);
    g_clear_pointer(&self->countdown, shutdown_countdown_free);
    inhibitor_release(self);
}

/* Each once, and as soon as there is a connection to it. */
static void ask_running(Inhibitor *self, void (*verb)(VitrineMachine *))
{
    g_autoptr(GPtrArray) running = machines_in_state(self, CLIENT_RUNNING);
    for (guint i = 0; i < running->len; i++)
        if (vitrine_machine_get_proxy(running->pdata[i]) &&
            g_hash_table_add(self->asked, g_object_ref(running->pdata[i])))
            verb(running->pdata[i]);
}

static gboolean on_shutdown_tick(gpointer opaque)
{
    Inhibitor *self = opaque;
    vitrine_library_refresh(self->library);
    ask_running(self, vitrine_machine_press_power);
    g_autoptr(GPtrArray) live = machines_in_state(self, CLIENT_N_STATES);
    if (live->len > 0 && shutdown_countdown_update(self->countdown, live))
        return G_SOURCE_CONTINUE;
    self->tick = 0;
    shutdown_finish(self);
    return G_SOURCE_REMOVE;
}

static gint64 logind_delay_us(Inhibitor *self)
{
    g_autoptr(GVariant) value =
        g_dbus_proxy_get_cached_property(self->logind, "InhibitDelayMaxUSec");
    gint64 delay = value && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64)
                       ? (gint64)MIN(g_variant_get_uint64(value), (guint64)G_MAXINT64)
                       : USUAL_DELAY_US;
    return MAX(delay - MARGIN_US, MARGIN_US);
}

/* Those that are paused cannot feel their power button; their engines end with the session. */
static void shutdown_begin(Inhibitor *self)
{
    g_autoptr(GPtrArray) running = machines_in_state(self, CLIENT_RUNNING);
    self->phase = PHASE_SHUTDOWN;
    g_hash_table_remove_all(self->asked);
    ask_running(self, vitrine_machine_press_power);
    if (running->len == 0) {
        inhibitor_release(self);
        return;
    }
    GtkWindow *parent = gtk_application_get_active_window(GTK_APPLICATION(self->app));
    self->countdown =
        shutdown_countdown_new(parent, g_get_monotonic_time() + logind_delay_us(self));
    shutdown_countdown_update(self->countdown, running);
    self->tick = g_timeout_add(250, on_shutdown_tick, self);
}

/* Sleep -----------------------------------------------------------------------------------------
 */

static gboolean on_sleep_tick(gpointer opaque)
{
    Inhibitor *self = opaque;
    ask_running(self, vitrine_machine_pause);
    g_autoptr(GPtrArray) running = machines_in_state(self, CLIENT_RUNNING);
    if (running->len > 0)
        return G_SOURCE_CONTINUE;
    self->tick = 0;
    inhibitor_release(self);
    return G_SOURCE_REMOVE;
}

static void sleep_begin(Inhibitor *self)
{
    self->phase = PHASE_SLEEP;
    g_hash_table_remove_all(self->asked);
    ask_running(self, vitrine_machine_pause);
    g_clear_handle_id(&self->tick, g_source_remove);
    self->tick = g_timeout_add(50, on_sleep_tick, self);
}

static void sleep_end(Inhibitor *self)
{
    GHashTableIter iter;
    gpointer machine;
    g_hash_table_iter_init(&iter, self->asked);
    while (g_hash_table_iter_next(&iter, &machine, NULL))
        if (vitrine_machine_get_state(machine) == CLIENT_PAUSED)
            vitrine_machine_resume(machine);
    g_hash_table_remove_all(self->asked);
    g_clear_handle_id(&self->tick, g_source_remove);
}

static void on_logind_signal(GDBusProxy *logind, const char *sender, const char *signal,
                             GVariant *arguments, Inhibitor *self)
{
    gboolean begins = FALSE;
    bool is_shutdown = strcmp(signal, "PrepareForShutdown") == 0;
    if ((!is_shutdown && strcmp(signal, "PrepareForSleep") != 0) ||
        !g_variant_is_of_type(arguments, G_VARIANT_TYPE("(b)")))
        return;
    g_variant_get(arguments, "(b)", &begins);
    if (begins && is_shutdown) {
        shutdown_begin(self);
    } else if (begins) {
        sleep_begin(self);
    } else {
        if (is_shutdown)
            shutdown_finish(self); /* somebody thought better of it */
        else
            sleep_end(self);
        self->phase = PHASE_USUAL;
        inhibitor_update(self);
    }
}

static void on_logind(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusProxy) logind = g_dbus_proxy_new_for_bus_finish(result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Inhibitor *self = opaque;
    g_autofree char *owner = logind ? g_dbus_proxy_get_name_owner(logind) : NULL;
    self->has_asked_for_logind = true;
    if (owner) {
        self->logind = g_steal_pointer(&logind);
        g_signal_connect(self->logind, "g-signal", G_CALLBACK(on_logind_signal), self);
    }
    inhibitor_update(self);
}

Inhibitor *inhibitor_new(GApplication *app, VitrineLibrary *library)
{
    Inhibitor *self = g_new0(Inhibitor, 1);
    self->app = app;
    self->library = library;
    self->fd = -1;
    self->cancellable = g_cancellable_new();
    self->asked = g_hash_table_new_full(NULL, NULL, g_object_unref, NULL);
    g_signal_connect_swapped(library, "refreshed", G_CALLBACK(inhibitor_update), self);
    g_dbus_proxy_new_for_bus(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, NULL, LOGIND,
                             LOGIND_PATH, LOGIND_MANAGER, self->cancellable, on_logind, self);
    return self;
}

void inhibitor_free(Inhibitor *self)
{
    if (!self)
        return;
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_signal_handlers_disconnect_by_data(self->library, self);
    if (self->logind)
        g_signal_handlers_disconnect_by_data(self->logind, self);
    g_clear_object(&self->logind);
    g_clear_handle_id(&self->tick, g_source_remove);
    g_clear_pointer(&self->countdown, shutdown_countdown_free);
    g_hash_table_unref(self->asked);
    inhibitor_release(self);
    g_free(self);
}
