/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/thumbnail.h"

typedef struct {
    char *path;
    int scale;
} Load;

static void load_free(gpointer data)
{
    Load *load = data;
    g_free(load->path);
    g_free(load);
}

static void load_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Load *load = data;
    g_autoptr(GdkPixbuf) pixbuf = gdk_pixbuf_new_from_file_at_scale(
        load->path, THUMBNAIL_WIDTH * load->scale, THUMBNAIL_HEIGHT * load->scale, TRUE, NULL);
    g_task_return_pointer(task, pixbuf ? gdk_texture_new_for_pixbuf(pixbuf) : NULL, g_object_unref);
}

static gboolean on_idle(gpointer task)
{
    g_task_run_in_thread(task, load_thread);
    return G_SOURCE_REMOVE;
}

void thumbnail_load_async(const char *path, int scale, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer opaque)
{
    GTask *task = g_task_new(NULL, cancellable, callback, opaque);
    Load *load = g_new(Load, 1);
    *load = (Load){ g_strdup(path), scale };
    g_task_set_task_data(task, load, load_free);
    /* After the frames that wait to be drawn: at the start, the window's first. */
    g_idle_add_full(G_PRIORITY_LOW, on_idle, task, g_object_unref);
}

GdkTexture *thumbnail_load_finish(GAsyncResult *result)
{
    return g_task_propagate_pointer(G_TASK(result), NULL);
}
