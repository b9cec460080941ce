/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is added to a machine's drives, removed, inserted and ejected. */

#include "base/task.h"
#include "client/disks.h"
#include "ui/settings-drives-private.h"
#include <glib/gi18n.h>

#define GIB (UINT64_C(1) << 30)
#define NEW_DISK_GIB 20

/* Work that may take a while, on a thread; what goes wrong is told by the store. */
typedef struct {
    char *bundle, *path;
    unsigned number;
    uint64_t size_bytes;
    bool trash_file;
} Work;

static void work_free(gpointer opaque)
{
    Work *work = opaque;
    g_free(work->bundle);
    g_free(work->path);
    g_free(work);
}

static Work *work_new(VitrineSettingsDrives *self)
{
    Work *work = g_new0(Work, 1);
    work->bundle = g_strdup(settings_store_get_bundle(self->store));
    return work;
}

static void on_worked(GObject *source, GAsyncResult *result, gpointer opaque)
{
    SettingsStore *store = SETTINGS_STORE(source);
    g_autoptr(GError) error = NULL;
    if (g_task_propagate_boolean(G_TASK(result), &error))
        settings_store_reload(store);
    else
        settings_store_report(store, error->message);
}

static void run_work(VitrineSettingsDrives *self, Work *work, GTaskThreadFunc thread)
{
    g_autoptr(GTask) task = g_task_new(self->store, NULL, on_worked, NULL);
    g_task_set_task_data(task, work, work_free);
    g_task_run_in_thread(task, thread);
}

static void add_disk_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(task, client_add_new_disk(work->bundle, work->size_bytes, &error) >= 0,
                        &error);
}

static void add_image_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(task, client_add_disk_image(work->bundle, work->path, &error) >= 0, &error);
}

static void remove_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(
        task, client_remove_drive(work->bundle, work->number, work->trash_file, &error), &error);
}

/* Adding ----------------------------------------------------------------------------------------
 */

static void on_size_chosen(AdwMessageDialog *dialog, const char *response,
                           VitrineSettingsDrives *self)
{
    if (strcmp(response, "add") != 0)
        return;
    GtkWidget *size = adw_message_dialog_get_extra_child(dialog);
    Work *work = work_new(self);
    work->size_bytes = (uint64_t)gtk_spin_button_get_value_as_int(GTK_SPIN_BUTTON(size)) * GIB;
    run_work(self, work, add_disk_thread);
}

static void action_add_disk(GtkWidget *widget, const char *name, GVariant *parameter)
{
    GtkWidget *dialog = adw_message_dialog_new(
        GTK_WINDOW(gtk_widget_get_root(widget)), _("Add a Disk"),
        _("Its size in GiB. It takes space on this computer only as it fills."));
    GtkWidget *size = gtk_spin_button_new_with_range(1, 65536, 1);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(size), NEW_DISK_GIB);
    gtk_widget_set_halign(size, GTK_ALIGN_CENTER);
    gtk_accessible_update_property(GTK_ACCESSIBLE(size), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   _("Disk size in GiB"), -1);
    adw_message_dialog_set_extra_child(ADW_MESSAGE_DIALOG(dialog), size);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "add",
                                     _("_Add"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "add",
                                               ADW_RESPONSE_SUGGESTED);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "add");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_size_chosen), widget, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* @number: the disc drive to put the file into, or -1 for a new disk. */
typedef struct {
    VitrineSettingsDrives *page; /* owned */
    int number;
} Choosing;

static void on_inserted(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(SettingsStore) store = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_proxy_call_finish(G_DBUS_PROXY(source), result, &error);
    if (reply) {
        settings_store_reload(store);
        return;
    }
    g_dbus_error_strip_remote_error(error);
    settings_store_report(store, error->message);
}

/* An engine that runs writes the disc to the definition itself. @path empty: none. */
static void page_set_disc(VitrineSettingsDrives *self, unsigned number, const char *path)
{
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(self->machine);
    if (proxy) {
        g_dbus_proxy_call(
            G_DBUS_PROXY(proxy), path[0] ? "InsertMedia" : "EjectMedia",
            path[0] ? g_variant_new("(us)", number, path) : g_variant_new("(u)", number),
            G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, on_inserted, g_object_ref(self->store));
        return;
    }
    g_autoptr(GError) error = NULL;
    if (client_set_disc(settings_store_get_bundle(self->store), number, path, &error))
        settings_store_reload(self->store);
    else
        settings_store_report(self->store, error->message);
}

static void on_file_chosen(GtkNativeDialog *dialog, int response, Choosing *choosing)
{
    g_autoptr(VitrineSettingsDrives) self = choosing->page;
    g_autoptr(GFile) file = response == GTK_RESPONSE_ACCEPT
                                ? gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog))
                                : NULL;
    g_autofree char *path = file ? g_file_get_path(file) : NULL;
    if (path && choosing->number >= 0) {
        page_set_disc(self, (unsigned)choosing->number, path);
    } else if (path) {
        Work *work = work_new(self);
        work->path = g_steal_pointer(&path);
        run_work(self, work, add_image_thread);
    }
    g_free(choosing);
    g_object_unref(dialog);
}

static void page_choose(VitrineSettingsDrives *self, const char *title, int number)
{
    GtkFileChooserNative *dialog =
        gtk_file_chooser_native_new(title, GTK_WINDOW(gtk_widget_get_root(GTK_WIDGET(self))),
                                    GTK_FILE_CHOOSER_ACTION_OPEN, NULL, NULL);
    Choosing *choosing = g_new(Choosing, 1);
    *choosing = (Choosing){ g_object_ref(self), number };
    g_signal_connect(dialog, "response", G_CALLBACK(on_file_chosen), choosing);
    gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void action_add_image(GtkWidget *widget, const char *name, GVariant *parameter)
{
    page_choose(VITRINE_SETTINGS_DRIVES(widget), _("Choose a Disk Image"), -1);
}

static void action_add_disc_drive(GtkWidget *widget, const char *name, GVariant *parameter)
{
    SettingsStore *store = VITRINE_SETTINGS_DRIVES(widget)->store;
    g_autoptr(GError) error = NULL;
    if (client_add_disc_drive(settings_store_get_bundle(store), &error) >= 0)
        settings_store_reload(store);
    else
        settings_store_report(store, error->message);
}

static void action_insert(GtkWidget *widget, const char *name, GVariant *parameter)
{
    page_choose(VITRINE_SETTINGS_DRIVES(widget), _("Insert a Disc"),
                (int)g_variant_get_uint32(parameter));
}

static void action_eject(GtkWidget *widget, const char *name, GVariant *parameter)
{
    page_set_disc(VITRINE_SETTINGS_DRIVES(widget), g_variant_get_uint32(parameter), "");
}

/* Removing --------------------------------------------------------------------------------------
 */

static void on_remove_response(AdwMessageDialog *dialog, const char *response,
                               VitrineSettingsDrives *self)
{
    if (strcmp(response, "cancel") == 0)
        return;
    Work *work = work_new(self);
    work->number = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(dialog), "drive"));
    work->trash_file = strcmp(response, "trash") == 0;
    run_work(self, work, remove_thread);
}

static void page_ask_remove_disk(VitrineSettingsDrives *self, unsigned number,
                                 const DefinitionDrive *drive)
{
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(gtk_widget_get_root(GTK_WIDGET(self))),
                                               _("Remove the Disk?"), NULL);
    adw_message_dialog_format_body(ADW_MESSAGE_DIALOG(dialog),
                                   _("The machine loses its disk %s. The file can be kept and "
                                     "added again later."),
                                   drive->path);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "keep",
                                     _("_Keep File"), NULL);
    gboolean live = FALSE;
    g_object_get(self->machine, "live", &live, NULL);
    if (!live && !g_path_is_absolute(drive->path)) {
        adw_message_dialog_add_response(ADW_MESSAGE_DIALOG(dialog), "trash",
                                        _("Move File to _Trash"));
        adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "trash",
                                                   ADW_RESPONSE_DESTRUCTIVE);
    }
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_object_set_data(G_OBJECT(dialog), "drive", GUINT_TO_POINTER(number));
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_remove_response), self, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void action_remove(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineSettingsDrives *self = VITRINE_SETTINGS_DRIVES(widget);
    unsigned number = g_variant_get_uint32(parameter);
    const Definition *definition = settings_store_get_definition(self->store);
    if (!definition || number >= DEFINITION_MAX_DRIVES)
        return;
    if (definition->drive[number].type == DRIVE_DISK) {
        page_ask_remove_disk(self, number, &definition->drive[number]);
        return;
    }
    Work *work = work_new(self);
    work->number = number;
    run_work(self, work, remove_thread);
}

void settings_drives_install_actions(GtkWidgetClass *klass)
{
    gtk_widget_class_install_action(klass, "drives.add-disk", NULL, action_add_disk);
    gtk_widget_class_install_action(klass, "drives.add-image", NULL, action_add_image);
    gtk_widget_class_install_action(klass, "drives.add-disc-drive", NULL, action_add_disc_drive);
    gtk_widget_class_install_action(klass, "drives.insert", "u", action_insert);
    gtk_widget_class_install_action(klass, "drives.eject", "u", action_eject);
    gtk_widget_class_install_action(klass, "drives.remove", "u", action_remove);
}
