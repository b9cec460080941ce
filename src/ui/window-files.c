/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is dropped on the window, or chosen for it. */

#include "client/settings.h"
#include "model/bundle.h"
#include "model/medium.h"
#include "ui/create-page.h"
#include "ui/window-private.h"
#include <glib/gi18n.h>

static void window_remember_medium(VitrineWindow *self, const char *path);

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
    GtkWidget *page = vitrine_create_page_new(GTK_WINDOW(self), source);
    g_signal_connect_object(page, "created", G_CALLBACK(on_created), self, 0);
    gtk_window_present(GTK_WINDOW(page));
}

typedef struct {
    VitrineWindow *window;
    char *path;
} Choice;

static void choice_free(gpointer data, GClosure *closure)
{
    Choice *choice = data;
    g_free(choice->path);
    g_free(choice);
}

static void on_insert_or_new(AdwMessageDialog *dialog, const char *response, Choice *choice)
{
    VitrineMachine *machine = window_machine(choice->window);
    if (strcmp(response, "insert") == 0 && machine)
        vitrine_machine_insert(machine, choice->path);
    else if (strcmp(response, "new") == 0)
        window_create(choice->window, choice->path);
}

static void window_ask_insert(VitrineWindow *self, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *body =
        g_strdup_printf(_("“%s” can go into the disc drive of “%s”, or begin a new machine."), name,
                        vitrine_machine_get_name(window_machine(self)));
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), _("Insert the Disc?"), body);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "new",
                                     _("_New Machine"), "insert", _("_Insert"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "insert",
                                               ADW_RESPONSE_SUGGESTED);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "insert");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    Choice *choice = g_new(Choice, 1);
    *choice = (Choice){ self, g_strdup(path) };
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_insert_or_new), choice, choice_free, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* Whatever is no disc goes to the create page, which takes disks and says what is wrong. */
static bool path_is_disc(const char *path)
{
    g_autoptr(Medium) medium = medium_identify(path, NULL);
    return medium && medium->kind == MEDIUM_DISC;
}

void vitrine_window_open_path(VitrineWindow *self, const char *path)
{
    if (bundle_is_bundle(path))
        vitrine_window_show_bundle(self, path, false);
    else if (window_machine_is_live(self) && path_is_disc(path))
        window_ask_insert(self, path);
    else
        window_create(self, path);
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

static void window_remember_medium(VitrineWindow *self, const char *path)
{
    client_settings_remember(vitrine_library_get_settings(self->library), "recent-media", path, 10);
    window_offer_recent(self);
}

/* Drops ------------------------------------------------------------------------------------------
 */

static gboolean on_drop(GtkDropTarget *target, const GValue *value, double x, double y,
                        VitrineWindow *self)
{
    GSList *files = g_value_get_boxed(value);
    gtk_widget_set_visible(self->drop_highlight, FALSE);
    if (!files)
        return FALSE;
    g_autofree char *path = g_file_get_path(files->data);
    if (!path) {
        window_alert(self, _("This cannot be opened"),
                     _("Only files on this computer can be used. Copy it here first."));
        return FALSE;
    }
    if (files->next)
        window_toast(self, _("One file at a time: the first one was taken"));
    vitrine_window_open_path(self, path);
    return TRUE;
}

static GdkDragAction on_drag_enter(GtkDropTarget *target, double x, double y, VitrineWindow *self)
{
    bool live = window_machine_is_live(self);
    gtk_label_set_text(self->drop_label,
                       live ? _("Drop to insert the disc, or to begin a new machine")
                            : _("Drop to begin a new machine"));
    gtk_widget_set_visible(self->drop_highlight, TRUE);
    return GDK_ACTION_COPY;
}

static void on_drag_leave(GtkDropTarget *target, VitrineWindow *self)
{
    gtk_widget_set_visible(self->drop_highlight, FALSE);
}

static void on_file_chosen(GtkNativeDialog *dialog, int response, VitrineWindow *self)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
        g_autofree char *path = g_file_get_path(file);
        bool insert = g_object_get_data(G_OBJECT(dialog), "insert") != NULL;
        VitrineMachine *machine = window_machine(self);
        if (path && insert && machine)
            vitrine_machine_insert(machine, path);
        else if (path)
            window_create(self, path);
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

void window_add_drop_target(VitrineWindow *self)
{
    GtkDropTarget *target = gtk_drop_target_new(GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
    g_signal_connect(target, "drop", G_CALLBACK(on_drop), self);
    g_signal_connect(target, "enter", G_CALLBACK(on_drag_enter), self);
    g_signal_connect(target, "leave", G_CALLBACK(on_drag_leave), self);
    gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(target));
}
