/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/preferences-window.h"
#include "client/settings.h"
#include "display/release-chord.h"
#include "ui/chord-recorder.h"
#include <glib/gi18n.h>

struct _VitrinePreferencesWindow {
    AdwPreferencesWindow parent;
    AdwActionRow *folder_row, *release_row;
    AdwComboRow *on_close_row, *disc_row;
    AdwPreferencesGroup *reserved_group;
    GtkButton *reset_folder;
    GtkSwitch *thumbnails;
    GSettings *settings;      /* owned */
    GPtrArray *reserved_rows; /* borrowed widgets in reserved_group */
};

G_DEFINE_FINAL_TYPE(VitrinePreferencesWindow, vitrine_preferences_window,
                    ADW_TYPE_PREFERENCES_WINDOW)

/* The folder ------------------------------------------------------------------------------------
 */

static void window_update_folder(VitrinePreferencesWindow *self)
{
    g_autofree char *set = g_settings_get_string(self->settings, "machines-folder");
    g_autofree char *folder = client_settings_dup_machines_folder(self->settings);
    g_autofree char *escaped = g_markup_escape_text(folder, -1);
    adw_action_row_set_subtitle(self->folder_row, escaped);
    gtk_widget_set_visible(GTK_WIDGET(self->reset_folder), set[0] != '\0');
}

static void on_folder_chosen(GtkNativeDialog *dialog, int response, VitrinePreferencesWindow *self)
{
    g_autoptr(GFile) file = response == GTK_RESPONSE_ACCEPT
                                ? gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog))
                                : NULL;
    g_autofree char *path = file ? g_file_get_path(file) : NULL;
    if (path)
        g_settings_set_string(self->settings, "machines-folder", path);
    g_object_unref(dialog);
}

static void on_choose_folder(GtkButton *button, VitrinePreferencesWindow *self)
{
    GtkFileChooserNative *dialog =
        gtk_file_chooser_native_new(_("Folder for New Machines"), GTK_WINDOW(self),
                                    GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, NULL, NULL);
    gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_folder_chosen), self, 0);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void on_reset_folder(GtkButton *button, VitrinePreferencesWindow *self)
{
    g_settings_reset(self->settings, "machines-folder");
}

/* The release chord -----------------------------------------------------------------------------
 */

static void window_update_release(VitrinePreferencesWindow *self)
{
    g_autofree char *text = g_settings_get_string(self->settings, "release-chord");
    ReleaseChord chord;
    release_chord_parse(&chord, text);
    g_autofree char *label = release_chord_dup_label(&chord);
    adw_action_row_set_subtitle(self->release_row, label);
}

static void on_release_recorded(const char *text, gpointer opaque)
{
    VitrinePreferencesWindow *self = opaque;
    g_settings_set_string(self->settings, "release-chord", text);
}

static void on_record_release(GtkButton *button, VitrinePreferencesWindow *self)
{
    chord_recorder_show(GTK_WINDOW(self), CHORD_RELEASE, on_release_recorded, self);
}

/* Chords that stay here -------------------------------------------------------------------------
 */

static void on_remove_reserved(GtkButton *button, VitrinePreferencesWindow *self)
{
    const char *removed = g_object_get_data(G_OBJECT(button), "accelerator");
    g_auto(GStrv) before = g_settings_get_strv(self->settings, "reserved-chords");
    g_autoptr(GStrvBuilder) after = g_strv_builder_new();
    for (unsigned i = 0; before[i]; i++)
        if (strcmp(before[i], removed) != 0)
            g_strv_builder_add(after, before[i]);
    g_auto(GStrv) list = g_strv_builder_end(after);
    g_settings_set_strv(self->settings, "reserved-chords", (const char *const *)list);
}

static GtkWidget *reserved_row(VitrinePreferencesWindow *self, const char *accelerator)
{
    guint key = 0;
    GdkModifierType modifiers = 0;
    gtk_accelerator_parse(accelerator, &key, &modifiers);
    g_autofree char *label =
        key ? gtk_accelerator_get_label(key, modifiers) : g_strdup(accelerator);
    g_autofree char *action = g_strdup_printf(_("Remove %s"), label);
    GtkWidget *row = adw_action_row_new(),
              *remove = gtk_button_new_from_icon_name("user-trash-symbolic");
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), label);
    gtk_widget_set_valign(remove, GTK_ALIGN_CENTER);
    gtk_widget_add_css_class(remove, "flat");
    gtk_widget_set_tooltip_text(remove, action);
    gtk_accessible_update_property(GTK_ACCESSIBLE(remove), GTK_ACCESSIBLE_PROPERTY_LABEL, action,
                                   -1);
    g_object_set_data_full(G_OBJECT(remove), "accelerator", g_strdup(accelerator), g_free);
    g_signal_connect_object(remove, "clicked", G_CALLBACK(on_remove_reserved), self, 0);
    adw_action_row_add_suffix(ADW_ACTION_ROW(row), remove);
    return row;
}

static void window_update_reserved(VitrinePreferencesWindow *self)
{
    g_auto(GStrv) chords = g_settings_get_strv(self->settings, "reserved-chords");
    for (unsigned i = 0; i < self->reserved_rows->len; i++)
        adw_preferences_group_remove(self->reserved_group, self->reserved_rows->pdata[i]);
    g_ptr_array_set_size(self->reserved_rows, 0);
    for (unsigned i = 0; chords[i]; i++) {
        GtkWidget *row = reserved_row(self, chords[i]);
        adw_preferences_group_add(self->reserved_group, row);
        g_ptr_array_add(self->reserved_rows, row);
    }
}

static void on_reserved_recorded(const char *text, gpointer opaque)
{
    VitrinePreferencesWindow *self = opaque;
    g_auto(GStrv) before = g_settings_get_strv(self->settings, "reserved-chords");
    if (g_strv_contains((const char *const *)before, text))
        return;
    g_autoptr(GStrvBuilder) after = g_strv_builder_new();
    g_strv_builder_addv(after, (const char **)before);
    g_strv_builder_add(after, text);
    g_auto(GStrv) list = g_strv_builder_end(after);
    g_settings_set_strv(self->settings, "reserved-chords", (const char *const *)list);
}

static void on_add_reserved(GtkButton *button, VitrinePreferencesWindow *self)
{
    chord_recorder_show(GTK_WINDOW(self), CHORD_ACCELERATOR, on_reserved_recorded, self);
}

/* Rows that are an enum's values in their order -------------------------------------------------
 */

static gboolean enum_to_index(GValue *value, GVariant *word, gpointer words)
{
    const char *const *all = words;
    for (guint i = 0; all[i]; i++)
        if (strcmp(all[i], g_variant_get_string(word, NULL)) == 0)
            g_value_set_uint(value, i);
    return TRUE;
}

static GVariant *index_to_enum(const GValue *value, const GVariantType *type, gpointer words)
{
    const char *const *all = words;
    return g_variant_new_string(all[g_value_get_uint(value)]);
}

static void window_bind(VitrinePreferencesWindow *self)
{
    static const char *const on_close[] = { "keep-running", "power-off", NULL };
    static const char *const disc[] = { "ask", "insert", "new", NULL };
    g_settings_bind(self->settings, "live-thumbnails", self->thumbnails, "active",
                    G_SETTINGS_BIND_DEFAULT);
    g_settings_bind_with_mapping(self->settings, "on-close", self->on_close_row, "selected",
                                 G_SETTINGS_BIND_DEFAULT, enum_to_index, index_to_enum,
                                 (gpointer)on_close, NULL);
    g_settings_bind_with_mapping(self->settings, "disc-on-running", self->disc_row, "selected",
                                 G_SETTINGS_BIND_DEFAULT, enum_to_index, index_to_enum,
                                 (gpointer)disc, NULL);
    g_signal_connect_object(self->settings, "changed::machines-folder",
                            G_CALLBACK(window_update_folder), self, G_CONNECT_SWAPPED);
    g_signal_connect_object(self->settings, "changed::release-chord",
                            G_CALLBACK(window_update_release), self, G_CONNECT_SWAPPED);
    g_signal_connect_object(self->settings, "changed::reserved-chords",
                            G_CALLBACK(window_update_reserved), self, G_CONNECT_SWAPPED);
    window_update_folder(self);
    window_update_release(self);
    window_update_reserved(self);
}

static void vitrine_preferences_window_dispose(GObject *object)
{
    VitrinePreferencesWindow *self = VITRINE_PREFERENCES_WINDOW(object);
    g_clear_object(&self->settings);
    g_clear_pointer(&self->reserved_rows, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_preferences_window_parent_class)->dispose(object);
}

static void vitrine_preferences_window_class_init(VitrinePreferencesWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_preferences_window_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/preferences-window.ui");
#define CHILD(name)                                                                                \
    gtk_widget_class_bind_template_child(widget_class, VitrinePreferencesWindow, name)
    CHILD(folder_row);
    CHILD(release_row);
    CHILD(on_close_row);
    CHILD(disc_row);
    CHILD(reserved_group);
    CHILD(reset_folder);
    CHILD(thumbnails);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_choose_folder);
    gtk_widget_class_bind_template_callback(widget_class, on_reset_folder);
    gtk_widget_class_bind_template_callback(widget_class, on_record_release);
    gtk_widget_class_bind_template_callback(widget_class, on_add_reserved);
}

static void vitrine_preferences_window_init(VitrinePreferencesWindow *self)
{
    self->settings = client_settings_new();
    self->reserved_rows = g_ptr_array_new();
    gtk_widget_init_template(GTK_WIDGET(self));
    window_bind(self);
}

GtkWidget *vitrine_preferences_window_new(GtkWindow *parent)
{
    return g_object_new(VITRINE_TYPE_PREFERENCES_WINDOW, "transient-for", parent, NULL);
}
