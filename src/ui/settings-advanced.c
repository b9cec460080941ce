/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/settings-pages.h"

struct _VitrineSettingsAdvanced {
    AdwPreferencesPage parent;
    AdwEntryRow *kernel, *initrd, *command_line;
    AdwActionRow *clock_row, *folder_row, *uuid_row;
    GtkSwitch *clock;
    SettingsStore *store; /* owned */
};

G_DEFINE_FINAL_TYPE(VitrineSettingsAdvanced, vitrine_settings_advanced, ADW_TYPE_PREFERENCES_PAGE)

static void page_open(VitrineSettingsAdvanced *self, const char *path)
{
    g_autofree char *uri = g_filename_to_uri(path, NULL, NULL);
    gtk_show_uri(GTK_WINDOW(gtk_widget_get_root(GTK_WIDGET(self))), uri, GDK_CURRENT_TIME);
}

static void on_open_folder(GtkButton *button, VitrineSettingsAdvanced *self)
{
    page_open(self, settings_store_get_bundle(self->store));
}

static void on_open_definition(GtkButton *button, VitrineSettingsAdvanced *self)
{
    g_autofree char *path =
        g_build_filename(settings_store_get_bundle(self->store), BUNDLE_DEFINITION, NULL);
    page_open(self, path);
}

static void on_copy_uuid(GtkButton *button, VitrineSettingsAdvanced *self)
{
    gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(self)),
                           adw_action_row_get_subtitle(self->uuid_row));
}

static void page_update(SettingsStore *store, VitrineSettingsAdvanced *self)
{
    const Definition *definition = settings_store_get_definition(store);
    if (!definition)
        return;
    bool boots_kernel = definition->kernel[0] != '\0';
    bool repeatable = definition->clock == CLOCK_CHOICE_DETERMINISTIC;
    gtk_widget_set_sensitive(GTK_WIDGET(self->initrd), boots_kernel);
    gtk_widget_set_sensitive(GTK_WIDGET(self->command_line), boots_kernel);
    gtk_widget_set_sensitive(GTK_WIDGET(self->clock_row), definition->n_cpus == 1 || repeatable);
    adw_action_row_set_subtitle(self->uuid_row, definition->uuid);
    adw_action_row_set_subtitle(self->folder_row, settings_store_get_bundle(store));
}

static void vitrine_settings_advanced_dispose(GObject *object)
{
    g_clear_object(&VITRINE_SETTINGS_ADVANCED(object)->store);
    G_OBJECT_CLASS(vitrine_settings_advanced_parent_class)->dispose(object);
}

static void vitrine_settings_advanced_class_init(VitrineSettingsAdvancedClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_settings_advanced_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/settings-advanced.ui");
#define CHILD(name)                                                                                \
    gtk_widget_class_bind_template_child(widget_class, VitrineSettingsAdvanced, name)
    CHILD(kernel);
    CHILD(initrd);
    CHILD(command_line);
    CHILD(clock_row);
    CHILD(folder_row);
    CHILD(uuid_row);
    CHILD(clock);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_open_folder);
    gtk_widget_class_bind_template_callback(widget_class, on_open_definition);
    gtk_widget_class_bind_template_callback(widget_class, on_copy_uuid);
}

static void vitrine_settings_advanced_init(VitrineSettingsAdvanced *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}

AdwPreferencesPage *vitrine_settings_advanced_new(VitrineMachine *machine, SettingsStore *store)
{
    VitrineSettingsAdvanced *self = g_object_new(VITRINE_TYPE_SETTINGS_ADVANCED, NULL);
    self->store = g_object_ref(store);
    settings_bind_entry(store, "linux.kernel", self->kernel);
    settings_bind_entry(store, "linux.initrd", self->initrd);
    settings_bind_entry(store, "linux.command-line", self->command_line);
    settings_bind_switch(store, "clock", self->clock, "deterministic", "real");
    settings_note_next_start(machine, GTK_WIDGET(self->clock_row));
    /* After the rows: it has the last word on what is sensitive. */
    g_signal_connect_object(store, "changed", G_CALLBACK(page_update), self, 0);
    page_update(store, self);
    return ADW_PREFERENCES_PAGE(self);
}
