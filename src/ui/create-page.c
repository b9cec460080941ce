/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/create-page.h"
#include "client/client.h"
#include "model/defaults.h"
#include "model/medium.h"
#include "ui/os-info.h"
#include <glib/gi18n.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct _VitrineCreatePage {
    AdwWindow parent;
    AdwPreferencesGroup *source_group;
    GtkWidget *settings_group;
    AdwActionRow *source_row;
    AdwEntryRow *name;
    GtkSpinButton *memory, *cpus, *disk;
    AdwActionRow *disk_row;
    GtkLabel *warning;
    GtkWidget *warning_bar, *start, *create_only;
    GtkSpinner *spinner;
    char *source; /* owned, or NULL */
    OsInfo *os;   /* owned, or NULL until known */
    bool is_disk_image, named;
    GCancellable *cancellable;
};

enum { SIGNAL_CREATED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineCreatePage, vitrine_create_page, ADW_TYPE_WINDOW)

static void page_say(VitrineCreatePage *self, const char *text, bool is_error)
{
    gtk_label_set_text(self->warning, text ? text : "");
    gtk_widget_set_visible(self->warning_bar, text && *text);
    if (is_error)
        gtk_widget_add_css_class(GTK_WIDGET(self->warning), "error");
    else
        gtk_widget_remove_css_class(GTK_WIDGET(self->warning), "error");
}

static void page_set_defaults(VitrineCreatePage *self)
{
    MachineDefaults defaults;
    machine_defaults_get(self->os ? self->os->id : NULL, self->os ? self->os->minimum_memory : 0,
                         self->os ? self->os->recommended_memory : 0, &defaults);
    uint64_t disk = MAX(defaults.disk_bytes, self->os ? self->os->recommended_disk : 0);
    gtk_spin_button_set_value(self->memory, (double)(defaults.memory_bytes / MIB));
    gtk_spin_button_set_value(self->cpus, defaults.n_cpus);
    gtk_spin_button_set_value(self->disk, (double)(disk / GIB));
}

static void page_set_name(VitrineCreatePage *self, const char *name)
{
    if (self->named)
        return;
    g_autofree char *root = bundle_default_root();
    g_autofree char *free_name = bundle_dup_free_name(root, name);
    gtk_editable_set_text(GTK_EDITABLE(self->name), free_name);
    self->named = false;
}

static void on_detected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(OsInfo) info = os_info_detect_finish(result);
    VitrineCreatePage *self = opaque;
    if (info && !g_cancellable_is_cancelled(self->cancellable)) {
        self->os = g_steal_pointer(&info);
        if (self->os->name) {
            adw_preferences_row_set_title(ADW_PREFERENCES_ROW(self->source_row), self->os->name);
            page_set_name(self, self->os->name);
        }
        page_set_defaults(self);
    }
    gtk_spinner_stop(self->spinner);
    g_object_unref(self);
}

static void page_look_at_source(VitrineCreatePage *self)
{
    GError *error = NULL;
    g_autofree char *file_name = g_path_get_basename(self->source);
    g_autofree char *shown = g_filename_display_name(file_name);
    g_autoptr(Medium) medium = medium_identify(self->source, &error);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(self->source_row), shown);
    if (!medium) {
        adw_action_row_set_subtitle(self->source_row, _("Cannot be used"));
        page_say(self, error->message, true);
        adw_action_row_set_icon_name(self->source_row, "dialog-warning-symbolic");
        gtk_widget_set_sensitive(self->start, FALSE);
        gtk_widget_set_visible(self->create_only, FALSE);
        gtk_widget_set_visible(self->settings_group, FALSE);
        g_error_free(error);
        return;
    }
    self->is_disk_image = medium->kind == MEDIUM_DISK;
    g_autofree char *size = g_format_size(medium->size_bytes);
    g_autofree char *what =
        g_strdup_printf(self->is_disk_image ? _("Disk image, %s") : _("Disc image, %s"), size);
    adw_action_row_set_subtitle(self->source_row, what);
    gtk_widget_set_visible(GTK_WIDGET(self->disk_row), !self->is_disk_image);
    page_say(self, medium->warning, false);
    char *dot = strrchr(shown, '.');
    if (dot && dot != shown)
        *dot = '\0';
    page_set_name(self, medium->label && *medium->label ? medium->label : shown);
    if (medium->kind == MEDIUM_DISC) {
        gtk_spinner_start(self->spinner);
        os_info_detect_async(self->source, self->cancellable, on_detected, g_object_ref(self));
    }
}

typedef struct {
    char *source, *name, *os;
    ClientCreateOptions options;
    char *warning;
    bool start;
} Creation;

static void creation_free(gpointer data)
{
    Creation *creation = data;
    g_free(creation->source);
    g_free(creation->name);
    g_free(creation->os);
    g_free(creation->warning);
    g_free(creation);
}

static void create_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Creation *creation = data;
    GError *error = NULL;
    char *bundle = client_create(&creation->options, &creation->warning, &error);
    if (bundle)
        g_task_return_pointer(task, bundle, g_free);
    else
        g_task_return_error(task, error);
}

static void on_created(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineCreatePage *self = VITRINE_CREATE_PAGE(source);
    Creation *creation = g_task_get_task_data(G_TASK(result));
    GError *error = NULL;
    g_autofree char *bundle = g_task_propagate_pointer(G_TASK(result), &error);
    gtk_widget_set_sensitive(self->start, TRUE);
    gtk_widget_set_sensitive(self->create_only, TRUE);
    if (!bundle) {
        page_say(self, error->message, true);
        g_error_free(error);
        return;
    }
    g_signal_emit(self, signals[SIGNAL_CREATED], 0, bundle, (gboolean)creation->start);
    gtk_window_close(GTK_WINDOW(self));
}

static void page_create(VitrineCreatePage *self, bool start)
{
    Creation *creation = g_new0(Creation, 1);
    creation->source = g_strdup(self->source);
    creation->name = g_strstrip(g_strdup(gtk_editable_get_text(GTK_EDITABLE(self->name))));
    creation->os = g_strdup(self->os ? self->os->id : NULL);
    creation->start = start;
    creation->options = (ClientCreateOptions){
        .source = creation->source,
        .name = *creation->name ? creation->name : NULL,
        .os = creation->os,
        .memory_bytes = (uint64_t)gtk_spin_button_get_value(self->memory) * MIB,
        .n_cpus = (unsigned)gtk_spin_button_get_value(self->cpus),
        .disk_bytes =
            self->is_disk_image ? 0 : (uint64_t)gtk_spin_button_get_value(self->disk) * GIB,
    };
    creation->options.no_disk = !self->is_disk_image && creation->options.disk_bytes == 0;
    gtk_widget_set_sensitive(self->start, FALSE);
    gtk_widget_set_sensitive(self->create_only, FALSE);
    g_autoptr(GTask) task = g_task_new(self, NULL, on_created, NULL);
    g_task_set_task_data(task, creation, creation_free);
    g_task_run_in_thread(task, create_thread);
}

static void on_start_clicked(GtkButton *button, VitrineCreatePage *self)
{
    page_create(self, true);
}

static void on_create_clicked(GtkButton *button, VitrineCreatePage *self)
{
    page_create(self, false);
}

static void on_name_changed(GtkEditable *editable, VitrineCreatePage *self)
{
    if (gtk_widget_has_focus(GTK_WIDGET(gtk_editable_get_delegate(editable))))
        self->named = true;
}

static void vitrine_create_page_dispose(GObject *object)
{
    VitrineCreatePage *self = VITRINE_CREATE_PAGE(object);
    if (self->cancellable)
        g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->cancellable);
    g_clear_pointer(&self->source, g_free);
    g_clear_pointer(&self->os, os_info_free);
    G_OBJECT_CLASS(vitrine_create_page_parent_class)->dispose(object);
}

static void vitrine_create_page_class_init(VitrineCreatePageClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_create_page_dispose;
    signals[SIGNAL_CREATED] =
        g_signal_new("created", VITRINE_TYPE_CREATE_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_BOOLEAN);
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/create-page.ui");
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, source_group);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, settings_group);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, source_row);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, name);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, memory);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, cpus);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, disk);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, disk_row);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, warning);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, warning_bar);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, start);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, create_only);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, spinner);
    gtk_widget_class_bind_template_callback(widget_class, on_start_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_create_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_name_changed);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void vitrine_create_page_init(VitrineCreatePage *self)
{
    self->cancellable = g_cancellable_new();
    gtk_widget_init_template(GTK_WIDGET(self));
    uint64_t host = host_memory_bytes();
    gtk_spin_button_set_range(self->memory, 16, host ? (double)(host / MIB) : 1 << 20);
    gtk_spin_button_set_range(self->cpus, 1, DEFINITION_MAX_CPUS);
}

GtkWidget *vitrine_create_page_new(GtkWindow *parent, const char *source)
{
    VitrineCreatePage *self = g_object_new(VITRINE_TYPE_CREATE_PAGE, "transient-for", parent, NULL);
    self->source = g_strdup(source);
    gtk_widget_set_visible(GTK_WIDGET(self->source_group), source != NULL);
    page_set_defaults(self);
    if (source)
        page_look_at_source(self);
    else
        page_set_name(self, _("New machine"));
    gtk_window_set_default_widget(GTK_WINDOW(self), self->start);
    gtk_widget_grab_focus(self->start);
    return GTK_WIDGET(self);
}

const char *vitrine_create_page_get_source(VitrineCreatePage *self)
{
    return self->source;
}
