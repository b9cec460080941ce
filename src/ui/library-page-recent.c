/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is offered for new machines: discs that were used lately, and the demo. */

#include "ui/library-page-private.h"

static GtkWidget *recent_row(const char *name, const char *path)
{
    GtkWidget *row = adw_action_row_new();
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *shown = g_filename_display_name(folder);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), name);
    adw_action_row_set_subtitle(ADW_ACTION_ROW(row), shown);
    adw_action_row_set_icon_name(ADW_ACTION_ROW(row), "media-optical-symbolic");
    gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), TRUE);
    gtk_actionable_set_action_name(GTK_ACTIONABLE(row), "win.new-from");
    gtk_actionable_set_action_target(GTK_ACTIONABLE(row), "s", path);
    return row;
}

void vitrine_library_page_set_recent(VitrineLibraryPage *self, const char *const *paths)
{
    GtkWidget *row;
    g_menu_remove_all(self->recent_menu);
    while ((row = gtk_widget_get_first_child(GTK_WIDGET(self->recent_list))))
        gtk_list_box_remove(self->recent_list, row);
    for (unsigned i = 0; paths[i]; i++) {
        g_autofree char *base = g_path_get_basename(paths[i]);
        g_autofree char *name = g_filename_display_name(base);
        g_auto(GStrv) parts = g_strsplit(name, "_", -1);
        g_autofree char *label = g_strjoinv("__", parts); /* no mnemonics in file names */
        g_autoptr(GMenuItem) item = g_menu_item_new(label, NULL);
        g_menu_item_set_action_and_target(item, "win.new-from", "s", paths[i]);
        g_menu_append_item(self->recent_menu, item);
        gtk_list_box_append(self->recent_list, recent_row(name, paths[i]));
    }
    gtk_widget_set_visible(self->recent_group, paths[0] != NULL);
}

void vitrine_library_page_set_has_demo(VitrineLibraryPage *self, bool has_demo)
{
    gtk_widget_set_visible(self->demo_button, has_demo);
}
