/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A file manager of one file: a small window, and whoever drags from it drags argv[1]. For the test
 * of real drops on the app. */

#include <gtk/gtk.h>

static GdkContentProvider *on_prepare(GtkDragSource *source, double x, double y, gpointer path)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    GdkFileList *files = gdk_file_list_new_from_array(&file, 1);
    GdkContentProvider *provider = gdk_content_provider_new_typed(GDK_TYPE_FILE_LIST, files);
    g_boxed_free(GDK_TYPE_FILE_LIST, files);
    return provider;
}

static gboolean on_close(GtkWindow *window, GMainLoop *loop)
{
    g_main_loop_quit(loop);
    return FALSE;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !gtk_init_check())
        return 2;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    GtkWidget *window = gtk_window_new(), *label = gtk_label_new("drag me");
    GtkDragSource *source = gtk_drag_source_new();
    gtk_drag_source_set_actions(source, GDK_ACTION_COPY);
    g_signal_connect(source, "prepare", G_CALLBACK(on_prepare), argv[1]);
    gtk_widget_add_controller(label, GTK_EVENT_CONTROLLER(source));
    gtk_window_set_child(GTK_WINDOW(window), label);
    gtk_window_set_title(GTK_WINDOW(window), "drag source");
    gtk_window_set_decorated(GTK_WINDOW(window), FALSE);
    gtk_window_set_default_size(GTK_WINDOW(window), 160, 160);
    g_signal_connect(window, "close-request", G_CALLBACK(on_close), loop);
    gtk_window_present(GTK_WINDOW(window));
    g_main_loop_run(loop);
    return 0;
}
