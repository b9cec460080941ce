/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/notifications.h"
#include "ui/install-watch.h"
#include <glib/gi18n.h>
#include <gtk/gtk.h>
#include <sys/statvfs.h>

#define DISK_CHECK_SECONDS 60
#define DISK_LOW_BYTES (UINT64_C(1) << 30)

/* What was last seen of a machine, to tell a change from what was so when we came. */
typedef struct {
    ClientState state;
    bool disk_low;
} Seen;

struct Notifications {
    GApplication *app;       /* borrowed */
    VitrineLibrary *library; /* borrowed */
    GHashTable *seen;        /* VitrineMachine (owned) → Seen */
    InstallWatch *installs;  /* owned */
    guint disk_timer;
};

static char *notification_id(VitrineMachine *machine, const char *what)
{
    return g_strdup_printf("%s-%s", what, vitrine_machine_get_uuid(machine));
}

/* Who looks at one of our windows sees it there. */
static bool user_is_here(Notifications *self)
{
    GtkWindow *window = gtk_application_get_active_window(GTK_APPLICATION(self->app));
    return window && gtk_window_is_active(window);
}

static GNotification *notification_new(VitrineMachine *machine, const char *title, const char *body)
{
    GNotification *notification = g_notification_new(title);
    g_autoptr(GIcon) icon = g_themed_icon_new("org.vitrine.Vitrine-symbolic");
    g_notification_set_icon(notification, icon);
    g_notification_set_body(notification, body);
    g_notification_set_default_action_and_target(notification, "app.show-machine", "s",
                                                 vitrine_machine_get_bundle(machine));
    return notification;
}

static void tell_stopped(Notifications *self, VitrineMachine *machine, ClientState state)
{
    g_autofree char *id = notification_id(machine, "stopped");
    const char *name = vitrine_machine_get_name(machine);
    g_autofree char *title = state == CLIENT_PAUSED_PROBLEM
                                 /* Translators: %s is a machine's name */
                                 ? g_strdup_printf(_("%s is paused"), name)
                                 : g_strdup_printf(_("%s stopped"), name);
    g_autoptr(GNotification) notification =
        notification_new(machine, title, vitrine_machine_get_problem(machine));
    g_notification_set_priority(notification, G_NOTIFICATION_PRIORITY_HIGH);
    if (state == CLIENT_PAUSED_PROBLEM)
        g_notification_add_button_with_target(notification, _("Resume"), "app.resume-machine", "s",
                                              vitrine_machine_get_bundle(machine));
    g_application_send_notification(self->app, id, notification);
}

static bool is_trouble(ClientState state)
{
    return state == CLIENT_PAUSED_PROBLEM || state == CLIENT_FAILED || state == CLIENT_CRASHED;
}

static void check_disk(Notifications *self, VitrineMachine *machine, Seen *seen)
{
    struct statvfs fs;
    if (statvfs(vitrine_machine_get_bundle(machine), &fs) < 0)
        return;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool was_low = seen->disk_low;
    seen->disk_low = free_bytes < DISK_LOW_BYTES;
    if (!seen->disk_low || was_low)
        return;
    g_autofree char *size = g_format_size(free_bytes);
    g_autofree char *id = notification_id(machine, "disk");
    g_autofree char *body = g_strdup_printf(
        _("%s is left where “%s” writes to. When nothing is left, the machine pauses and loses "
          "nothing."),
        size, vitrine_machine_get_name(machine));
    g_autoptr(GNotification) notification =
        notification_new(machine, _("Disk space is running out"), body);
    g_application_send_notification(self->app, id, notification);
}

static void on_state(VitrineMachine *machine, GParamSpec *spec, Notifications *self)
{
    Seen *seen = g_hash_table_lookup(self->seen, machine);
    ClientState state = vitrine_machine_get_state(machine);
    bool was_trouble = is_trouble(seen->state), was_live = client_state_is_live(seen->state);
    seen->state = state;
    if (client_state_is_live(state) && !was_live)
        check_disk(self, machine, seen);
    if (is_trouble(state) && !was_trouble && !user_is_here(self)) {
        tell_stopped(self, machine, state);
    } else if (was_trouble && !is_trouble(state)) {
        g_autofree char *id = notification_id(machine, "stopped");
        g_application_withdraw_notification(self->app, id);
    }
}

/* The library's list: machines that are new to us are watched, those that went are forgotten. */
static void on_refreshed(VitrineLibrary *library, Notifications *self)
{
    guint n = g_list_model_get_n_items(G_LIST_MODEL(library));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(library), i);
        if (g_hash_table_contains(self->seen, machine))
            continue;
        Seen *seen = g_new0(Seen, 1);
        seen->state = vitrine_machine_get_state(machine);
        g_hash_table_insert(self->seen, g_object_ref(machine), seen);
        g_signal_connect(machine, "notify::state", G_CALLBACK(on_state), self);
    }
    if (g_hash_table_size(self->seen) == n)
        return;
    GHashTableIter iter;
    gpointer machine;
    g_hash_table_iter_init(&iter, self->seen);
    while (g_hash_table_iter_next(&iter, &machine, NULL))
        if (!vitrine_library_find(library, vitrine_machine_get_bundle(machine))) {
            g_signal_handlers_disconnect_by_data(machine, self);
            g_hash_table_iter_remove(&iter);
        }
}

static gboolean on_disk_timer(gpointer opaque)
{
    Notifications *self = opaque;
    GHashTableIter iter;
    gpointer machine, seen;
    g_hash_table_iter_init(&iter, self->seen);
    while (g_hash_table_iter_next(&iter, &machine, &seen))
        if (client_state_is_live(vitrine_machine_get_state(machine)))
            check_disk(self, machine, seen);
    return G_SOURCE_CONTINUE;
}

static void on_installation(VitrineMachine *machine, bool rests, gpointer opaque)
{
    Notifications *self = opaque;
    g_autofree char *id = notification_id(machine, "installation");
    if (!rests) {
        g_application_withdraw_notification(self->app, id);
        return;
    }
    if (user_is_here(self))
        return;
    /* Translators: %s is a machine's name */
    g_autofree char *title =
        g_strdup_printf(_("%s needs attention"), vitrine_machine_get_name(machine));
    g_autoptr(GNotification) notification =
        notification_new(machine, title, _("The installation is done, or it waits for an answer."));
    g_application_send_notification(self->app, id, notification);
}

Notifications *notifications_new(GApplication *app, VitrineLibrary *library)
{
    Notifications *self = g_new0(Notifications, 1);
    self->app = app;
    self->library = library;
    self->seen = g_hash_table_new_full(NULL, NULL, g_object_unref, g_free);
    self->installs = install_watch_new(library, on_installation, self);
    self->disk_timer = g_timeout_add_seconds(DISK_CHECK_SECONDS, on_disk_timer, self);
    g_signal_connect(library, "refreshed", G_CALLBACK(on_refreshed), self);
    return self;
}

void notifications_free(Notifications *self)
{
    if (!self)
        return;
    GHashTableIter iter;
    gpointer machine;
    install_watch_free(self->installs);
    g_source_remove(self->disk_timer);
    g_signal_handlers_disconnect_by_data(self->library, self);
    g_hash_table_iter_init(&iter, self->seen);
    while (g_hash_table_iter_next(&iter, &machine, NULL))
        g_signal_handlers_disconnect_by_data(machine, self);
    g_hash_table_unref(self->seen);
    g_free(self);
}
