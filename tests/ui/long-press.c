/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The app, with a finger on its last machine as soon as there is one. An X server in memory has no
 * touch screen and GDK makes up no touches, so it begins where the gesture has recognised one. */

#include "ui/application.h"
#include "ui/machine-tile.h"
#include "ui/window.h"

static GtkWidget *find_last_tile(GtkWidget *widget)
{
    if (VITRINE_IS_MACHINE_TILE(widget) && gtk_widget_get_mapped(widget))
        return widget;
    for (GtkWidget *at = gtk_widget_get_last_child(widget); at;
         at = gtk_widget_get_prev_sibling(at)) {
        GtkWidget *found = find_last_tile(at);
        if (found)
            return found;
    }
    return NULL;
}

static gboolean press_when_there_is_a_machine(gpointer app)
{
    GtkWindow *window = gtk_application_get_active_window(app);
    GtkWidget *tile = window ? find_last_tile(GTK_WIDGET(window)) : NULL;
    if (!tile)
        return G_SOURCE_CONTINUE;
    g_autoptr(GListModel) controllers = gtk_widget_observe_controllers(tile);
    for (guint i = 0; i < g_list_model_get_n_items(controllers); i++) {
        g_autoptr(GtkEventController) controller = g_list_model_get_item(controllers, i);
        if (GTK_IS_GESTURE_LONG_PRESS(controller) &&
            gtk_gesture_single_get_touch_only(GTK_GESTURE_SINGLE(controller)))
            g_signal_emit_by_name(controller, "pressed", 20.0, 20.0);
    }
    return G_SOURCE_REMOVE;
}

int main(int argc, char **argv)
{
    g_autoptr(VitrineApplication) app = vitrine_application_new();
    g_set_prgname("vitrine");
    g_timeout_add(500, press_when_there_is_a_machine, app);
    return g_application_run(G_APPLICATION(app), argc, argv);
}
