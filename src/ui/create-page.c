/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/create-page.h"
#include "client/client.h"
#include "model/defaults.h"
#include "model/medium-name.h"
#include "model/medium.h"
#include "ui/findings.h"
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
    AdwComboRow *firmware; /* its items are DefinitionFirmware */
    AdwActionRow *disk_row;
    AdwActionRow *memory_row;
    VitrineFindings *findings;
    GtkWidget *start, *create_only;
    GtkSpinner *spinner;
    char *source, *root; /* owned; no source: NULL */
    OsInfo *os;          /* owned, or NULL until known */
    Medium *medium;      /* owned, or NULL: no source, not known yet, or not to be used */
    bool named, sized,
        firmware_chosen; /* by the user: kept, whatever is found out about the source */
    bool defaulting, creating;
    GCancellable *cancellable;
};

enum { SIGNAL_CREATED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineCreatePage, vitrine_create_page, ADW_TYPE_WINDOW)

static bool page_is_disk_image(VitrineCreatePage *self)
{
    return self->medium && self->medium->kind == MEDIUM_DISK;
}

static void page_update_buttons(VitrineCreatePage *self)
{
    bool ready = (!self->source || self->medium) && !self->creating &&
                 vitrine_findings_can_work(self->findings);
    gtk_widget_set_sensitive(self->start, ready);
    gtk_widget_set_sensitive(self->create_only, ready);
}

static void page_look_at_host(VitrineCreatePage *self, bool now)
{
    uint64_t disk = (uint64_t)gtk_spin_button_get_value(self->disk) * GIB;
    PreflightWants wants = {
        .root = self->root,
        .memory_bytes = (uint64_t)gtk_spin_button_get_value(self->memory) * MIB,
        .disk_bytes = page_is_disk_image(self) ? 0 : disk,
        .firmware = adw_combo_row_get_selected(self->firmware),
    };
    vitrine_findings_look(self->findings, &wants, now);
}

/* What it is made of ----------------------------------------------------------------------------
 */

static void page_set_defaults(VitrineCreatePage *self)
{
    MachineDefaults defaults;
    machine_defaults_get(self->os ? self->os->id : NULL, self->os ? self->os->minimum_memory : 0,
                         self->os ? self->os->recommended_memory : 0, &defaults);
    uint64_t disk = MAX(defaults.disk_bytes, self->os ? self->os->recommended_disk : 0);
    self->defaulting = true;
    gtk_spin_button_set_value(self->memory, (double)(defaults.memory_bytes / MIB));
    gtk_spin_button_set_value(self->cpus, defaults.n_cpus);
    gtk_spin_button_set_value(self->disk, (double)(disk / GIB));
    self->defaulting = false;
}

/* BIOS, unless the system or what it boots from wants UEFI. */
static void page_set_firmware(VitrineCreatePage *self)
{
    if (self->firmware_chosen)
        return;
    MachineDefaults defaults;
    machine_defaults_get(self->os ? self->os->id : NULL, 0, 0, &defaults);
    bool needs_uefi =
        (self->medium && self->medium->needs_uefi) || (self->os && self->os->needs_uefi);
    self->defaulting = true;
    adw_combo_row_set_selected(self->firmware, needs_uefi ? FIRMWARE_UEFI : defaults.firmware);
    self->defaulting = false;
}

static void page_set_name(VitrineCreatePage *self, const char *name)
{
    if (self->named)
        return;
    g_autofree char *free_name = bundle_dup_free_name(self->root, name);
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
        if (!self->sized)
            page_set_defaults(self);
        page_set_firmware(self);
    }
    gtk_spinner_stop(self->spinner);
    g_object_unref(self);
}

static void page_refuse_source(VitrineCreatePage *self, const char *why)
{
    adw_action_row_set_subtitle(self->source_row, _("Cannot be used"));
    adw_action_row_set_icon_name(self->source_row, "dialog-warning-symbolic");
    vitrine_findings_refuse(self->findings, why);
    gtk_widget_set_visible(self->create_only, FALSE);
    gtk_widget_set_visible(self->settings_group, FALSE);
}

static void page_take_medium(VitrineCreatePage *self, Medium *medium)
{
    g_autofree char *size = g_format_size(medium->size_bytes);
    self->medium = medium;
    bool is_disk = page_is_disk_image(self);
    g_autofree char *what =
        g_strdup_printf(is_disk ? _("Disk image, %s") : _("Disc image, %s"), size);
    adw_action_row_set_subtitle(self->source_row, what);
    gtk_widget_set_visible(GTK_WIDGET(self->disk_row), !is_disk);
    g_autofree char *label = medium_dup_name_of_label(medium->label);
    g_autofree char *file = medium_dup_name_of_file(self->source);
    vitrine_findings_set_warning(self->findings, medium->warning);
    page_set_name(self, label ? label : file ? file : _("New machine"));
    page_set_firmware(self);
    page_look_at_host(self, true);
    page_update_buttons(self);
    if (!is_disk) {
        gtk_spinner_start(self->spinner);
        os_info_detect_async(self->source, self->cancellable, on_detected, g_object_ref(self));
    }
}

static void identify_thread(GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
    GError *error = NULL;
    Medium *medium = medium_identify(path, &error);
    if (medium)
        g_task_return_pointer(task, medium, (GDestroyNotify)medium_free);
    else
        g_task_return_error(task, error);
}

static void on_identified(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineCreatePage *self = VITRINE_CREATE_PAGE(source);
    g_autoptr(GError) error = NULL;
    Medium *medium = g_task_propagate_pointer(G_TASK(result), &error);
    gtk_spinner_stop(self->spinner);
    if (medium)
        page_take_medium(self, medium);
    else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        page_refuse_source(self, error->message);
}

/* A file on a server may take its time to open. */
static void page_look_at_source(VitrineCreatePage *self)
{
    g_autofree char *file_name = g_path_get_basename(self->source);
    g_autofree char *shown = g_filename_display_name(file_name);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(self->source_row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(self->source_row), shown);
    gtk_spinner_start(self->spinner);
    g_autoptr(GTask) task = g_task_new(self, self->cancellable, on_identified, NULL);
    g_task_set_task_data(task, g_strdup(self->source), g_free);
    g_task_run_in_thread(task, identify_thread);
}

/* Made ------------------------------------------------------------------------------------------
 */

typedef struct {
    char *source, *name, *os, *root;
    ClientCreateOptions options;
    DefinitionFirmware firmware;
    char *warning;
    bool start;
} Creation;

static void creation_free(gpointer data)
{
    Creation *creation = data;
    g_free(creation->source);
    g_free(creation->name);
    g_free(creation->os);
    g_free(creation->root);
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
    self->creating = false;
    if (!bundle) {
        vitrine_findings_set_problem(self->findings, error->message);
        page_look_at_host(self, true); /* which shows it, and may know why */
        page_update_buttons(self);
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
    creation->root = g_strdup(self->root);
    creation->start = start;
    creation->firmware = adw_combo_row_get_selected(self->firmware);
    creation->options = (ClientCreateOptions){
        .source = creation->source,
        .name = *creation->name ? creation->name : NULL,
        .os = creation->os,
        .root = creation->root,
        .memory_bytes = (uint64_t)gtk_spin_button_get_value(self->memory) * MIB,
        .n_cpus = (unsigned)gtk_spin_button_get_value(self->cpus),
        .firmware = &creation->firmware,
        .disk_bytes =
            page_is_disk_image(self) ? 0 : (uint64_t)gtk_spin_button_get_value(self->disk) * GIB,
    };
    creation->options.no_disk = !page_is_disk_image(self) && creation->options.disk_bytes == 0;
    self->creating = true;
    vitrine_findings_set_problem(self->findings, NULL);
    page_update_buttons(self);
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

static void on_sizes_changed(GtkSpinButton *button, VitrineCreatePage *self)
{
    if (!self->root)
        return;
    self->sized |= !self->defaulting;
    page_look_at_host(self, false);
}

static void on_firmware_changed(VitrineCreatePage *self)
{
    if (!self->root)
        return;
    self->firmware_chosen |= !self->defaulting;
    page_look_at_host(self, true);
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
    g_clear_pointer(&self->root, g_free);
    g_clear_pointer(&self->medium, medium_free);
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
    g_type_ensure(VITRINE_TYPE_FINDINGS);
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
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, firmware);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, findings);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, memory_row);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, start);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, create_only);
    gtk_widget_class_bind_template_child(widget_class, VitrineCreatePage, spinner);
    gtk_widget_class_bind_template_callback(widget_class, on_start_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_create_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_name_changed);
    gtk_widget_class_bind_template_callback(widget_class, on_firmware_changed);
    gtk_widget_class_bind_template_callback(widget_class, on_sizes_changed);
    gtk_widget_class_bind_template_callback(widget_class, page_update_buttons);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

/* From a number, too, which is taken over first. */
static void page_start_on_enter(VitrineCreatePage *self)
{
    GtkSpinButton *numbers[] = { self->memory, self->cpus, self->disk };
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        gtk_text_set_activates_default(
            GTK_TEXT(gtk_editable_get_delegate(GTK_EDITABLE(numbers[i]))), TRUE);
    gtk_window_set_default_widget(GTK_WINDOW(self), self->start);
}

static void vitrine_create_page_init(VitrineCreatePage *self)
{
    self->cancellable = g_cancellable_new();
    gtk_widget_init_template(GTK_WIDGET(self));
    page_start_on_enter(self);
    uint64_t host = host_memory_bytes();
    gtk_spin_button_set_range(self->memory, 16, host ? (double)(host / MIB) : 1 << 20);
    gtk_spin_button_set_range(self->cpus, 1, DEFINITION_MAX_CPUS);
    g_autofree char *has = g_format_size_full(host, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *memory = g_strdup_printf(_("In MiB; this computer has %s"), has);
    if (host)
        adw_action_row_set_subtitle(self->memory_row, memory);
}

GtkWidget *vitrine_create_page_new(GtkWindow *parent, const char *source, const char *root)
{
    VitrineCreatePage *self = g_object_new(VITRINE_TYPE_CREATE_PAGE, "transient-for", parent, NULL);
    self->source = g_strdup(source);
    self->root = g_strdup(root);
    gtk_widget_set_visible(GTK_WIDGET(self->source_group), source != NULL);
    page_set_defaults(self);
    page_update_buttons(self);
    if (source) {
        page_look_at_source(self);
    } else {
        page_set_name(self, _("New machine"));
        page_look_at_host(self, true);
    }
    gtk_widget_grab_focus(GTK_WIDGET(self->name));
    return GTK_WIDGET(self);
}

const char *vitrine_create_page_get_source(VitrineCreatePage *self)
{
    return self->source;
}
