/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What the buttons and menus do. */

#include "ui/settings-window.h"
#include "ui/window-private.h"
#include <glib/gi18n.h>

static void action_new(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_choose_file(VITRINE_WINDOW(widget), _("Choose a Disc or Disk Image"), false);
}

static void action_demo(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_create(VITRINE_WINDOW(widget), g_getenv("VITRINE_DEMO_ISO"));
}

static void action_back(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_show_library(VITRINE_WINDOW(widget));
}

static void action_start(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_start(window_machine(VITRINE_WINDOW(widget)));
}

static void action_pause(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineMachine *machine = window_machine(self);
    if (vitrine_machine_get_state(machine) == CLIENT_RUNNING)
        vitrine_machine_pause(machine);
    else
        vitrine_machine_resume(machine);
    vitrine_machine_page_focus_screen(self->page);
}

static void action_reset(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_reset(window_machine(VITRINE_WINDOW(widget)));
}

static void action_power_button(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    vitrine_machine_press_power(window_machine(self));
    window_toast(self, _("The power button was pressed; the guest decides"));
}

static void on_force_off(AdwMessageDialog *dialog, const char *response, VitrineWindow *self)
{
    if (strcmp(response, "off") == 0 && window_machine(self))
        vitrine_machine_force_off(window_machine(self));
}

static void action_force_off(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    GtkWidget *dialog = adw_message_dialog_new(
        GTK_WINDOW(self), _("Force Off?"),
        _("As if the plug were pulled: what the guest has not saved is lost."));
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "off",
                                     _("_Force Off"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "off",
                                               ADW_RESPONSE_DESTRUCTIVE);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_force_off), self, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void action_insert(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_choose_file(VITRINE_WINDOW(widget), _("Insert a Disc"), true);
}

static void action_eject(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_eject(window_machine(VITRINE_WINDOW(widget)));
}

static void action_keys(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_send_keys(window_machine(VITRINE_WINDOW(widget)),
                              g_variant_get_string(parameter, NULL));
}

static void action_fullscreen(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    if (gtk_window_is_fullscreen(GTK_WINDOW(self)))
        gtk_window_unfullscreen(GTK_WINDOW(self));
    else if (window_machine_is_live(self))
        gtk_window_fullscreen(GTK_WINDOW(self));
}

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
static char *screenshot_path(void)
{
    const char *pictures = g_get_user_special_dir(G_USER_DIRECTORY_PICTURES);
    g_autofree char *folder =
        g_build_filename(pictures ? pictures : g_get_home_dir(), "Screenshots", NULL);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *name = g_date_time_format(now, "Screenshot from %Y-%m-%d %H-%M-%S.png");
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
    g_autofree char *path = screenshot_path();
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

static void action_screenshot(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(window_machine(self));
    if (!proxy)
        return;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_screenshot, g_object_ref(self));
    g_task_set_task_data(task, g_object_ref(proxy), g_object_unref);
    g_task_run_in_thread(task, screenshot_thread);
}

static void on_trashed(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    GError *error = NULL;
    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        window_alert(self, _("The machine could not be moved to the Trash"), error->message);
        g_error_free(error);
    } else {
        window_toast(self, _("Moved to the Trash"));
        window_show_library(self);
    }
    vitrine_library_refresh(self->library);
}

static void trash_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;
    if (client_trash(data, NULL, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void action_trash(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineMachine *machine = window_machine(self);
    if (!machine)
        return;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_trashed, NULL);
    g_task_set_task_data(task, g_strdup(vitrine_machine_get_bundle(machine)), g_free);
    g_task_run_in_thread(task, trash_thread);
}

static void action_settings(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineMachine *machine = window_machine(VITRINE_WINDOW(widget));
    if (machine)
        settings_window_show(GTK_WINDOW(widget), machine);
}

void window_install_actions(GtkWidgetClass *klass)
{
    gtk_widget_class_install_action(klass, "machine.settings", NULL, action_settings);
    gtk_widget_class_install_action(klass, "win.new", NULL, action_new);
    gtk_widget_class_install_action(klass, "win.demo", NULL, action_demo);
    gtk_widget_class_install_action(klass, "win.back", NULL, action_back);
    gtk_widget_class_install_action(klass, "win.fullscreen", NULL, action_fullscreen);
    gtk_widget_class_install_action(klass, "machine.start", NULL, action_start);
    gtk_widget_class_install_action(klass, "machine.pause", NULL, action_pause);
    gtk_widget_class_install_action(klass, "machine.reset", NULL, action_reset);
    gtk_widget_class_install_action(klass, "machine.power-button", NULL, action_power_button);
    gtk_widget_class_install_action(klass, "machine.force-off", NULL, action_force_off);
    gtk_widget_class_install_action(klass, "machine.insert", NULL, action_insert);
    gtk_widget_class_install_action(klass, "machine.eject", NULL, action_eject);
    gtk_widget_class_install_action(klass, "machine.keys", "s", action_keys);
    gtk_widget_class_install_action(klass, "machine.screenshot", NULL, action_screenshot);
    gtk_widget_class_install_action(klass, "machine.trash", NULL, action_trash);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_n, GDK_CONTROL_MASK, "win.new", NULL);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_o, GDK_CONTROL_MASK, "win.new", NULL);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_F11, 0, "win.fullscreen", NULL);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_Left, GDK_ALT_MASK, "win.back", NULL);
}
