/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/application.h"
#include "client/settings.h"
#include "ui/background.h"
#include "ui/inhibitor.h"
#include "ui/notifications.h"
#include "ui/preferences-window.h"
#include "ui/search-provider.h"
#include "ui/window.h"
#include <glib/gi18n.h>

#define SERVICE_PATIENCE_MS 30000 /* the desktop's search asks several times in a row */

struct _VitrineApplication {
    AdwApplication parent;
    /* Owned; made when the application starts, and gone before it ends. */
    VitrineLibrary *library;
    SearchProvider *search;
    Notifications *notifications;
    Inhibitor *inhibitor;
};

G_DEFINE_FINAL_TYPE(VitrineApplication, vitrine_application, ADW_TYPE_APPLICATION)

static bool machine_runs(VitrineMachine *machine)
{
    return vitrine_machine_get_state(machine) == CLIENT_RUNNING &&
           vitrine_machine_get_connection(machine);
}

/* Array of machines (owned) that run and can be reached. */
static GPtrArray *application_running(VitrineApplication *self)
{
    GPtrArray *running = g_ptr_array_new_with_free_func(g_object_unref);
    guint n = g_list_model_get_n_items(G_LIST_MODEL(self->library));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(self->library), i);
        if (machine_runs(machine))
            g_ptr_array_add(running, g_steal_pointer(&machine));
    }
    return running;
}

/* Machines outlive the window, unless the user would rather have them turned off with it. */
static gboolean on_close_request(GtkWindow *window, VitrineApplication *self)
{
    g_autoptr(GPtrArray) running = application_running(self);
    GSettings *settings = vitrine_library_get_settings(self->library);
    bool power_off = g_settings_get_enum(settings, "on-close") == ON_CLOSE_POWER_OFF;
    for (guint i = 0; power_off && i < running->len; i++) {
        vitrine_machine_press_power(running->pdata[i]);
        g_dbus_connection_flush_sync(vitrine_machine_get_connection(running->pdata[i]), NULL, NULL);
    }
    if (!power_off && running->len > 0 && background_needs_leave())
        background_request(G_APPLICATION(self));
    return GDK_EVENT_PROPAGATE;
}

static VitrineWindow *application_window(VitrineApplication *self)
{
    GtkWindow *window = gtk_application_get_active_window(GTK_APPLICATION(self));
    while (window && !VITRINE_IS_WINDOW(window))
        window = gtk_window_get_transient_for(window);
    if (!window) {
        window = GTK_WINDOW(vitrine_window_new(GTK_APPLICATION(self), self->library));
        g_signal_connect_object(window, "close-request", G_CALLBACK(on_close_request), self, 0);
    }
    gtk_window_present(window);
    return VITRINE_WINDOW(window);
}

static void application_activate(GApplication *app)
{
    application_window(VITRINE_APPLICATION(app));
}

/* File managers open files, never folders, with an app: a machine's definition stands for it. */
static char *dup_bundle_of_definition(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *folder = g_path_get_dirname(path);
    return strcmp(name, BUNDLE_DEFINITION) == 0 && bundle_is_bundle(folder)
               ? g_steal_pointer(&folder)
               : NULL;
}

static void application_open(GApplication *app, GFile **files, int n_files, const char *hint)
{
    VitrineWindow *window = application_window(VITRINE_APPLICATION(app));
    for (int i = 0; i < n_files; i++) {
        g_autofree char *path = g_file_get_path(files[i]);
        g_autofree char *bundle = path ? dup_bundle_of_definition(path) : NULL;
        if (path)
            vitrine_window_open_path(window, bundle ? bundle : path);
    }
}

/* Actions; notifications, the desktop file and the search reach them over D-Bus, too ------------
 */

static void action_new_machine(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    gtk_widget_activate_action(GTK_WIDGET(application_window(opaque)), "win.new", NULL);
}

static void action_show_machine(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    vitrine_window_show_bundle(application_window(opaque), g_variant_get_string(parameter, NULL),
                               false);
}

static void action_resume_machine(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineApplication *self = opaque;
    VitrineMachine *machine =
        vitrine_library_find(self->library, g_variant_get_string(parameter, NULL));
    if (machine && vitrine_machine_get_proxy(machine))
        vitrine_machine_resume(machine);
}

static void action_search(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    vitrine_window_search(application_window(opaque), g_variant_get_string(parameter, NULL));
}

static void action_about(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    adw_show_about_window(gtk_application_get_active_window(opaque), "application-name", "Vitrine",
                          "application-icon", VITRINE_APP_ID, "version", VITRINE_VERSION,
                          "license-type", GTK_LICENSE_GPL_3_0, "developer-name",
                          _("The Vitrine developers"), "comments",
                          _("Virtual machines without setup"), NULL);
}

static void action_preferences(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    gtk_window_present(
        GTK_WINDOW(vitrine_preferences_window_new(gtk_application_get_active_window(opaque))));
}

static void action_quit(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    g_application_quit(opaque); /* machines keep running */
}

static void application_startup(GApplication *app)
{
    static const GActionEntry entries[] = {
        { .name = "new-machine", .activate = action_new_machine },
        { .name = "show-machine", .activate = action_show_machine, .parameter_type = "s" },
        { .name = "resume-machine", .activate = action_resume_machine, .parameter_type = "s" },
        { .name = "search", .activate = action_search, .parameter_type = "s" },
        { .name = "about", .activate = action_about },
        { .name = "preferences", .activate = action_preferences },
        { .name = "quit", .activate = action_quit },
    };
    VitrineApplication *self = VITRINE_APPLICATION(app);
    G_APPLICATION_CLASS(vitrine_application_parent_class)->startup(app);
    g_action_map_add_action_entries(G_ACTION_MAP(app), entries, G_N_ELEMENTS(entries), app);
    gtk_window_set_default_icon_name(VITRINE_APP_ID);
    if (g_application_get_flags(app) & G_APPLICATION_IS_SERVICE)
        g_application_set_inactivity_timeout(app, SERVICE_PATIENCE_MS);
    self->library = vitrine_library_new();
    self->notifications = notifications_new(app, self->library);
    self->inhibitor = inhibitor_new(app, self->library);
}

/* On the bus before the application's name is, so that whoever started us for it finds it. The
 * library is not there yet. */
static gboolean application_dbus_register(GApplication *app, GDBusConnection *connection,
                                          const char *path, GError **error)
{
    VitrineApplication *self = VITRINE_APPLICATION(app);
    if (!G_APPLICATION_CLASS(vitrine_application_parent_class)
             ->dbus_register(app, connection, path, error))
        return FALSE;
    self->search = search_provider_new(app, &self->library);
    return search_provider_export(self->search, connection, error);
}

static void application_dbus_unregister(GApplication *app, GDBusConnection *connection,
                                        const char *path)
{
    g_clear_pointer(&VITRINE_APPLICATION(app)->search, search_provider_free);
    G_APPLICATION_CLASS(vitrine_application_parent_class)->dbus_unregister(app, connection, path);
}

/* Other than files: "vitrine --new-machine", for desktops that do not start apps over D-Bus. */
static int application_local_options(GApplication *app, GVariantDict *options)
{
    g_autoptr(GError) error = NULL;
    if (g_variant_dict_contains(options, "version")) {
        g_print("vitrine %s\n", VITRINE_VERSION);
        return 0;
    }
    const char *action = g_variant_dict_contains(options, "new-machine")   ? "new-machine"
                         : g_variant_dict_contains(options, "preferences") ? "preferences"
                                                                           : NULL;
    if (!action)
        return -1;
    if (!g_application_register(app, NULL, &error)) {
        g_printerr("vitrine: %s\n", error->message);
        return 1;
    }
    g_action_group_activate_action(G_ACTION_GROUP(app), action, NULL);
    return g_application_get_is_remote(app) ? 0 : -1;
}

static void application_shutdown(GApplication *app)
{
    VitrineApplication *self = VITRINE_APPLICATION(app);
    g_clear_pointer(&self->inhibitor, inhibitor_free);
    g_clear_pointer(&self->notifications, notifications_free);
    G_APPLICATION_CLASS(vitrine_application_parent_class)->shutdown(app);
}

static void vitrine_application_dispose(GObject *object)
{
    g_clear_object(&VITRINE_APPLICATION(object)->library);
    G_OBJECT_CLASS(vitrine_application_parent_class)->dispose(object);
}

static void vitrine_application_class_init(VitrineApplicationClass *klass)
{
    GApplicationClass *app_class = G_APPLICATION_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_application_dispose;
    app_class->activate = application_activate;
    app_class->open = application_open;
    app_class->startup = application_startup;
    app_class->shutdown = application_shutdown;
    app_class->dbus_register = application_dbus_register;
    app_class->dbus_unregister = application_dbus_unregister;
    app_class->handle_local_options = application_local_options;
}

static void vitrine_application_init(VitrineApplication *self)
{
    static const GOptionEntry options[] = {
        { "new-machine", 'n', 0, G_OPTION_ARG_NONE, NULL, N_("Begin a new machine"), NULL },
        { "preferences", 0, 0, G_OPTION_ARG_NONE, NULL, N_("Open the preferences"), NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_("Print the version"), NULL },
        { NULL }
    };
    g_application_add_main_option_entries(G_APPLICATION(self), options);
    g_application_set_option_context_parameter_string(G_APPLICATION(self), _("[FILE…]"));
    g_application_set_option_context_summary(
        G_APPLICATION(self),
        _("Virtual machines. FILE is a disc or disk image, or a machine's folder."));
}

VitrineApplication *vitrine_application_new(void)
{
    return g_object_new(VITRINE_TYPE_APPLICATION, "application-id", VITRINE_APP_ID,
                        "resource-base-path", "/org/vitrine/Vitrine", "flags",
                        G_APPLICATION_HANDLES_OPEN, NULL);
}
