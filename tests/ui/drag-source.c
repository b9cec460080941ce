/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A file manager of few files: a small window, and whoever drags from it drags those on the command
 * line; of a folder that ends in a slash, what is in it. For the test of real drops on the app. */

#include <gtk/gtk.h>

static GPtrArray *dup_files(char **argv)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_object_unref);
    for (unsigned i = 1; argv[i]; i++) {
        g_autoptr(GDir) dir = g_str_has_suffix(argv[i], "/") ? g_dir_open(argv[i], 0, NULL) : NULL;
        const char *name;
        if (!dir)
            g_ptr_array_add(files, g_file_new_for_path(argv[i]));
        while (dir && (name = g_dir_read_name(dir)))
            g_ptr_array_add(files, g_file_new_build_filename(argv[i], name, NULL));
    }
    return files;
}

static GdkContentProvider *on_prepare(GtkDragSource *source, double x, double y, gpointer argv)
{
    g_autoptr(GPtrArray) all = dup_files(argv);
    GdkFileList *files = gdk_file_list_new_from_array((GFile **)all->pdata, all->len);
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
    if (argc < 2 || !gtk_init_check())
        return 2;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    GtkWidget *window = gtk_window_new(), *label = gtk_label_new("drag me");
    GtkDragSource *source = gtk_drag_source_new();
    gtk_drag_source_set_actions(source, GDK_ACTION_COPY);
    g_signal_connect(source, "prepare", G_CALLBACK(on_prepare), argv);
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
