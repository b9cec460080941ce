/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/application.h"
#include "ui/preferences-window.h"
#include "ui/window.h"
#include <glib/gi18n.h>

struct _VitrineApplication {
    AdwApplication parent;
    VitrineLibrary *library; /* owned; made with the first window */
};

G_DEFINE_FINAL_TYPE(VitrineApplication, vitrine_application, ADW_TYPE_APPLICATION)

static VitrineWindow *application_window(VitrineApplication *self)
{
    GtkWindow *window = gtk_application_get_active_window(GTK_APPLICATION(self));
    while (window && !VITRINE_IS_WINDOW(window))
        window = gtk_window_get_transient_for(window);
    if (!window) {
        if (!self->library)
            self->library = vitrine_library_new();
        window = GTK_WINDOW(vitrine_window_new(GTK_APPLICATION(self), self->library));
    }
    gtk_window_present(window);
    return VITRINE_WINDOW(window);
}

static void application_activate(GApplication *app)
{
    application_window(VITRINE_APPLICATION(app));
}

static void application_open(GApplication *app, GFile **files, int n_files, const char *hint)
{
    VitrineWindow *window = application_window(VITRINE_APPLICATION(app));
    for (int i = 0; i < n_files; i++) {
        g_autofree char *path = g_file_get_path(files[i]);
        if (path)
            vitrine_window_open_path(window, path);
    }
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
    static const GActionEntry entries[] = { { .name = "about", .activate = action_about },
                                            { .name = "preferences",
                                              .activate = action_preferences },
                                            { .name = "quit", .activate = action_quit } };
    G_APPLICATION_CLASS(vitrine_application_parent_class)->startup(app);
    g_action_map_add_action_entries(G_ACTION_MAP(app), entries, G_N_ELEMENTS(entries), app);
    gtk_window_set_default_icon_name(VITRINE_APP_ID);
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
}

static void vitrine_application_init(VitrineApplication *self)
{
}

VitrineApplication *vitrine_application_new(void)
{
    return g_object_new(VITRINE_TYPE_APPLICATION, "application-id", VITRINE_APP_ID,
                        "resource-base-path", "/org/vitrine/Vitrine", "flags",
                        G_APPLICATION_HANDLES_OPEN, NULL);
}
