/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A picture of the guest's screen, kept where the desktop keeps its own. */

#include "ui/window-private.h"
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <unistd.h>

static void on_screenshot(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineWindow) self = opaque;
    GError *error = NULL;
    g_autofree char *path = g_task_propagate_pointer(G_TASK(result), &error);
    if (path) {
        g_autofree char *text = g_strdup_printf(_("Screenshot saved as %s"), path);
        window_toast(self, text);
    } else {
        window_alert(self, _("The screenshot could not be saved"), error->message);
        g_error_free(error);
    }
}

/* Pictures/Screenshots, where the desktop's own go. */
static char *screenshot_path(const char *machine)
{
    const char *pictures = g_get_user_special_dir(G_USER_DIRECTORY_PICTURES);
    g_autofree char *folder =
        g_build_filename(pictures ? pictures : g_get_home_dir(), "Screenshots", NULL);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *when = g_date_time_format(now, "%Y-%m-%d %H-%M-%S");
    g_autofree char *name = g_strdup_printf("%s %s.png", machine, when);
    g_strdelimit(name, G_DIR_SEPARATOR_S, '-');
    g_mkdir_with_parents(folder, 0755);
    return g_build_filename(folder, name, NULL);
}

static void screenshot_thread(GTask *task, gpointer source, gpointer data,
                              GCancellable *cancellable)
{
    VitrineDBusMachine1 *proxy = data;
    GError *error = NULL;
    g_autoptr(GVariant) handle = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GMappedFile) png = NULL;
    g_autofree char *path = screenshot_path(g_object_get_data(G_OBJECT(task), "machine"));
    if (vitrine_dbus_machine1_call_screenshot_sync(proxy, NULL, &handle, &fds, NULL, &error)) {
        int fd = g_unix_fd_list_get(fds, g_variant_get_handle(handle), &error);
        png = fd >= 0 ? g_mapped_file_new_from_fd(fd, FALSE, &error) : NULL;
        if (fd >= 0)
            close(fd);
    }
    if (png && g_file_set_contents(path, g_mapped_file_get_contents(png),
                                   (gssize)g_mapped_file_get_length(png), &error))
        g_task_return_pointer(task, g_steal_pointer(&path), g_free);
    else
        g_task_return_error(task, error);
}

void window_take_screenshot(VitrineWindow *self, VitrineMachine *machine)
{
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(machine);
    if (!proxy)
        return;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_screenshot, g_object_ref(self));
    g_task_set_task_data(task, g_object_ref(proxy), g_object_unref);
    g_object_set_data_full(G_OBJECT(task), "machine", g_strdup(vitrine_machine_get_name(machine)),
                           g_free);
    g_task_run_in_thread(task, screenshot_thread);
}
