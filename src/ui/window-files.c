/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is chosen for a new machine or a drive, and what was chosen lately. */

#include "client/settings.h"
#include "ui/create-page.h"
#include "ui/window-private.h"
#include <glib/gi18n.h>

static void on_created(VitrineCreatePage *page, const char *bundle, gboolean start,
                       VitrineWindow *self)
{
    const char *source = vitrine_create_page_get_source(page);
    if (source)
        window_remember_medium(self, source);
    vitrine_window_show_bundle(self, bundle, start);
}

void window_create(VitrineWindow *self, const char *source)
{
    g_autofree char *root =
        client_settings_dup_machines_folder(vitrine_library_get_settings(self->library));
    GtkWidget *page = vitrine_create_page_new(GTK_WINDOW(self), source, root);
    g_signal_connect_object(page, "created", G_CALLBACK(on_created), self, 0);
    gtk_window_present(GTK_WINDOW(page));
}

/* Recent discs -----------------------------------------------------------------------------------
 */

#define MAX_RECENT 5

const char *window_get_demo(void)
{
    const char *demo = g_getenv("VITRINE_DEMO_ISO");
    return demo && *demo && g_file_test(demo, G_FILE_TEST_IS_REGULAR) ? demo : NULL;
}

static void add_recent(GPtrArray *paths, const char *path)
{
    if (path && paths->len < MAX_RECENT &&
        !g_ptr_array_find_with_equal_func(paths, path, g_str_equal, NULL) &&
        g_file_test(path, G_FILE_TEST_IS_REGULAR))
        g_ptr_array_add(paths, g_strdup(path));
}

static int compare_visits(gconstpointer a, gconstpointer b)
{
    return g_date_time_compare(gtk_recent_info_get_modified((GtkRecentInfo *)b),
                               gtk_recent_info_get_modified((GtkRecentInfo *)a));
}

/* Ours first, then what other programs had: a browser's download, say. */
static gboolean on_offer_recent(gpointer opaque)
{
    VitrineWindow *self = opaque;
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) own =
        g_settings_get_strv(vitrine_library_get_settings(self->library), "recent-media");
    for (unsigned i = 0; own[i]; i++)
        add_recent(paths, own[i]);
    GList *infos =
        g_list_sort(gtk_recent_manager_get_items(gtk_recent_manager_get_default()), compare_visits);
    for (GList *at = infos; at; at = at->next) {
        const char *type = gtk_recent_info_get_mime_type(at->data);
        g_autofree char *path = g_filename_from_uri(gtk_recent_info_get_uri(at->data), NULL, NULL);
        if (type && (strcmp(type, "application/x-cd-image") == 0 ||
                     strcmp(type, "application/x-qemu-disk") == 0))
            add_recent(paths, path);
    }
    g_list_free_full(infos, (GDestroyNotify)gtk_recent_info_unref);
    g_ptr_array_add(paths, NULL);
    vitrine_library_page_set_recent(self->library_page, (const char *const *)paths->pdata);
    return G_SOURCE_REMOVE;
}

void window_offer_recent(VitrineWindow *self)
{
    g_idle_add_full(G_PRIORITY_LOW, on_offer_recent, g_object_ref(self), g_object_unref);
}

void window_remember_medium(VitrineWindow *self, const char *path)
{
    client_settings_remember(vitrine_library_get_settings(self->library), "recent-media", path, 10);
    window_offer_recent(self);
}

/* The file chooser -------------------------------------------------------------------------------
 */

static void on_file_chosen(GtkNativeDialog *dialog, int response, VitrineWindow *self)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
        g_autofree char *path = g_file_get_path(file);
        bool insert = g_object_get_data(G_OBJECT(dialog), "insert") != NULL;
        VitrineMachine *machine = window_subject(self);
        if (path && insert && machine)
            window_insert(self, machine, path);
        else if (path)
            vitrine_window_open_path(self, path);
    }
    g_object_unref(dialog);
}

void window_choose_file(VitrineWindow *self, const char *title, bool insert)
{
    GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
        title, GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_OPEN, NULL, NULL);
    g_autoptr(GtkFileFilter) images = gtk_file_filter_new();
    gtk_file_filter_set_name(images, insert ? _("Discs") : _("Discs and disks"));
    static const char *const patterns[] = { "*.iso", "*.ISO", "*.img", "*.qcow2", "*.raw", NULL };
    for (size_t i = 0; patterns[i] && (!insert || i < 3); i++)
        gtk_file_filter_add_pattern(images, patterns[i]);
    g_autoptr(GtkFileFilter) all = gtk_file_filter_new();
    gtk_file_filter_set_name(all, _("All files"));
    gtk_file_filter_add_pattern(all, "*");
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), images);
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), all);
    if (insert)
        g_object_set_data(G_OBJECT(dialog), "insert", GINT_TO_POINTER(1));
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_file_chosen), self, 0);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}
