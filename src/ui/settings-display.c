/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/settings-pages.h"
#include <glib/gstdio.h>

struct _VitrineSettingsDisplay {
    AdwPreferencesPage parent;
    GtkSwitch *thumbnail;
    VitrineMachine *machine; /* owned */
    bool shown;              /* the thumbnail, when last looked at */
};

G_DEFINE_FINAL_TYPE(VitrineSettingsDisplay, vitrine_settings_display, ADW_TYPE_PREFERENCES_PAGE)

/* A picture that is no longer wanted goes at once, and a wanted one comes. */
static void page_update_thumbnail(SettingsStore *store, VitrineSettingsDisplay *self)
{
    const Definition *definition = settings_store_get_definition(store);
    if (!definition || definition->thumbnail == self->shown)
        return;
    self->shown = definition->thumbnail;
    g_autofree char *path =
        g_build_filename(settings_store_get_bundle(store), BUNDLE_THUMBNAIL, NULL);
    if (!self->shown)
        g_unlink(path);
    vitrine_machine_refresh_thumbnail(self->machine);
}

static void vitrine_settings_display_dispose(GObject *object)
{
    g_clear_object(&VITRINE_SETTINGS_DISPLAY(object)->machine);
    G_OBJECT_CLASS(vitrine_settings_display_parent_class)->dispose(object);
}

static void vitrine_settings_display_class_init(VitrineSettingsDisplayClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_settings_display_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/settings-display.ui");
    gtk_widget_class_bind_template_child(widget_class, VitrineSettingsDisplay, thumbnail);
}

static void vitrine_settings_display_init(VitrineSettingsDisplay *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}

AdwPreferencesPage *vitrine_settings_display_new(VitrineMachine *machine, SettingsStore *store)
{
    VitrineSettingsDisplay *self = g_object_new(VITRINE_TYPE_SETTINGS_DISPLAY, NULL);
    const Definition *definition = settings_store_get_definition(store);
    self->machine = g_object_ref(machine);
    self->shown = definition && definition->thumbnail;
    settings_bind_switch(store, "thumbnail", self->thumbnail, "true", "false");
    g_signal_connect_object(store, "changed", G_CALLBACK(page_update_thumbnail), self, 0);
    return ADW_PREFERENCES_PAGE(self);
}
