/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/settings-window.h"
#include "ui/settings-pages.h"
#include <glib/gi18n.h>

static void on_failed(SettingsStore *store, const char *why, AdwPreferencesWindow *window)
{
    g_autofree char *escaped = g_markup_escape_text(why, -1);
    AdwToast *toast = adw_toast_new(escaped);
    adw_toast_set_timeout(toast, 0);
    adw_preferences_window_add_toast(window, toast);
}

static void on_name(VitrineMachine *machine, GParamSpec *spec, GtkWindow *window)
{
    /* Translators: the title of a window; %s is a machine's name */
    g_autofree char *title =
        g_strdup_printf(_("Settings of %s"), vitrine_machine_get_name(machine));
    gtk_window_set_title(window, title);
}

void settings_window_show(GtkWindow *parent, VitrineMachine *machine)
{
    AdwPreferencesWindow *window =
        g_object_new(ADW_TYPE_PREFERENCES_WINDOW, "transient-for", parent, "modal", TRUE,
                     "search-enabled", TRUE, "default-width", 640, "default-height", 640, NULL);
    SettingsStore *store = settings_store_new(vitrine_machine_get_bundle(machine));
    g_object_set_data_full(G_OBJECT(window), "store", store, g_object_unref);
    g_signal_connect_object(store, "failed", G_CALLBACK(on_failed), window, 0);
    g_signal_connect_object(machine, "notify::name", G_CALLBACK(on_name), window, 0);
    on_name(machine, NULL, GTK_WINDOW(window));
    adw_preferences_window_add(window, vitrine_settings_system_new(machine, store));
    adw_preferences_window_add(window, vitrine_settings_display_new(machine, store));
    adw_preferences_window_add(window, vitrine_settings_drives_new(machine, store));
    adw_preferences_window_add(window, vitrine_settings_advanced_new(machine, store));
    if (!settings_store_get_definition(store))
        settings_store_reload(store); /* somebody listens now */
    gtk_window_present(GTK_WINDOW(window));
}
