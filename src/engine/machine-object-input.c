/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/fd.h"
#include "engine/machine-object-private.h"
#include <glib/gi18n.h>

/* --- Screen --- */

typedef struct {
    VitrineDBusMachine1 *dbus;
    GDBusMethodInvocation *invocation;
    Picture *picture;
} ScreenshotTask;

static void screenshot_task_free(gpointer data)
{
    ScreenshotTask *shot = data;
    g_object_unref(shot->dbus);
    picture_free(shot->picture);
    g_free(shot);
}

static void run_screenshot(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    ScreenshotTask *shot = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) png = picture_to_png(shot->picture, &error);
    int fd = png ? fd_new_memory("screenshot", g_bytes_get_data(png, NULL), g_bytes_get_size(png),
                                 &error)
                 : -1;
    if (fd < 0) {
        machine_object_return_error(shot->invocation, error);
        return;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1); /* owns it */
    vitrine_dbus_machine1_complete_screenshot(shot->dbus, shot->invocation, fds,
                                              g_variant_new_handle(0));
}

gboolean machine_object_on_screenshot(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                      GUnixFDList *fds, MachineObject *object)
{
    ScreenshotTask *shot = g_new0(ScreenshotTask, 1);
    *shot = (ScreenshotTask){ g_object_ref(dbus), invocation,
                              display_capture(object->engine->display) };
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);
    g_task_set_task_data(task, shot, screenshot_task_free);
    g_task_run_in_thread(task, run_screenshot);
    return TRUE;
}

gboolean machine_object_on_update_thumbnail(VitrineDBusMachine1 *dbus,
                                            GDBusMethodInvocation *invocation,
                                            MachineObject *object)
{
    engine_update_thumbnail(object->engine);
    vitrine_dbus_machine1_complete_update_thumbnail(dbus, invocation);
    return TRUE;
}

gboolean machine_object_on_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                MachineObject *object)
{
    int columns = 0, rows = 0, x = -1, y = -1;
    Vga *vga = object->engine->machine->vga;
    g_autofree char *text = vga ? vga_dup_text(vga, &columns, &rows, &x, &y) : NULL;
    if (!text)
        return machine_object_refuse(
            invocation, APP_ERROR_NO_TEXT,
            _("The screen is in a graphics mode and has no text. A screenshot shows it"));
    vitrine_dbus_machine1_complete_text(dbus, invocation, text, columns, rows, x, y);
    return TRUE;
}

/* --- Input --- */

static void on_typed(gpointer opaque, const GError *error)
{
    GDBusMethodInvocation *invocation = opaque;
    if (error)
        machine_object_return_error(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

gboolean machine_object_on_type_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     const char *text, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!machine_object_check_runs(object, invocation, _("It cannot be typed to now")))
        return TRUE;
    display_poke(object->engine->display);
    if (!typist_type_text(object->engine->typist, text, on_typed, invocation, &error))
        machine_object_return_error(invocation, error);
    return TRUE;
}

gboolean machine_object_on_type_keys(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     GVariant *keys, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    gsize n;
    const uint32_t *numbers = g_variant_get_fixed_array(keys, &n, sizeof *numbers);
    if (!machine_object_check_runs(object, invocation, _("It cannot be typed to now")))
        return TRUE;
    display_poke(object->engine->display);
    if (!typist_press_keys(object->engine->typist, numbers, n, on_typed, invocation, &error))
        machine_object_return_error(invocation, error);
    return TRUE;
}

gboolean machine_object_on_send_keys(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     const char *const *chords, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!machine_object_check_runs(object, invocation, _("It cannot be typed to now")))
        return TRUE;
    display_poke(object->engine->display);
    if (!typist_press_chords(object->engine->typist, chords, on_typed, invocation, &error))
        machine_object_return_error(invocation, error);
    return TRUE;
}

gboolean machine_object_on_click(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                 unsigned x, unsigned y, unsigned button, MachineObject *object)
{
    if (!machine_object_check_runs(object, invocation, _("It cannot be clicked on now")))
        return TRUE;
    g_autoptr(Picture) screen = display_capture(object->engine->display);
    if (x >= screen->width || y >= screen->height || button > 2)
        return machine_object_refuse(
            invocation, APP_ERROR_INVALID,
            _("There is nothing at %u, %u: the screen has %u×%u pixels, and buttons are 0 "
              "to 2"),
            x, y, screen->width, screen->height);
    typist_click(object->engine->typist, x, y, button, screen->width, screen->height, on_typed,
                 invocation);
    return TRUE;
}
