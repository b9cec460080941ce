/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The Trash and back; for good where there is no Trash. */

#include "base/errors.h"
#include "base/task.h"
#include "client/client.h"
#include "ui/window-work.h"
#include <glib/gi18n.h>

static void trash_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(task, client_trash(work->bundle, &work->result, &error), &error);
}

static void delete_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(task, client_delete_for_good(work->bundle, &error), &error);
}

static void on_deleted(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Work *work = g_task_get_task_data(G_TASK(result));
    if (window_finish(self, result, _("The machine could not be deleted")))
        window_leave_bundle(self, work->bundle);
}

static void on_delete_response(AdwMessageDialog *dialog, const char *response, VitrineWindow *self)
{
    if (strcmp(response, "delete") != 0)
        return;
    Work *work = g_new0(Work, 1);
    work->bundle = g_strdup(g_object_get_data(G_OBJECT(dialog), "bundle"));
    window_run(self, work, delete_thread, on_deleted);
}

static void window_ask_delete(VitrineWindow *self, const char *bundle, const char *name,
                              const char *why)
{
    g_autofree char *heading = g_strdup_printf(_("Delete “%s” for Good?"), name);
    g_autofree char *body = g_strdup_printf(
        _("It cannot go to the Trash: %s\n\nIts disks and all that is on them will be lost."), why);
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), heading, body);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "delete",
                                     _("_Delete"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "delete",
                                               ADW_RESPONSE_DESTRUCTIVE);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_object_set_data_full(G_OBJECT(dialog), "bundle", g_strdup(bundle), g_free);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_delete_response), self, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void on_undo_dismissed(AdwToast *toast, VitrineWindow *self)
{
    g_ptr_array_remove(self->undo_toasts, toast);
    window_update_actions(self);
}

static void window_offer_undo(VitrineWindow *self, const Work *work)
{
    g_autofree char *text = g_strdup_printf(_("“%s” moved to the Trash"), work->name);
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    AdwToast *toast = adw_toast_new(escaped);
    if (work->result) {
        adw_toast_set_button_label(toast, _("_Undo"));
        adw_toast_set_action_name(toast, "win.undo-trash");
        adw_toast_set_action_target(toast, "(ss)", work->result, work->bundle);
        g_signal_connect_object(toast, "dismissed", G_CALLBACK(on_undo_dismissed), self, 0);
        g_ptr_array_add(self->undo_toasts, g_object_ref(toast));
    }
    adw_toast_overlay_add_toast(self->toasts, toast);
    window_update_actions(self);
}

static void on_trashed(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Work *work = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    bool good = g_task_propagate_boolean(G_TASK(result), &error);
    if (good) {
        window_leave_bundle(self, work->bundle);
        window_offer_undo(self, work);
    } else if (g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE)) {
        window_alert(self, _("The machine could not be moved to the Trash"), error->message);
    } else {
        window_ask_delete(self, work->bundle, work->name, error->message);
    }
    vitrine_library_refresh(self->library);
}

void window_trash(VitrineWindow *self, VitrineMachine *machine)
{
    if (vitrine_machine_is_live(machine)) {
        g_autofree char *text = g_strdup_printf(_("“%s” is running. Stop it before deleting it"),
                                                vitrine_machine_get_name(machine));
        window_toast(self, text);
        return;
    }
    window_run(self, work_new(machine, vitrine_machine_get_name(machine)), trash_thread,
               on_trashed);
}

static void restore_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    task_return_outcome(task, client_restore(work->name, work->bundle, &error), &error);
}

static void on_restored(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Work *work = g_task_get_task_data(G_TASK(result));
    if (!window_finish(self, result, _("The machine could not be taken out of the Trash")))
        return;
    g_free(self->returning_bundle);
    self->returning_bundle = g_strdup(work->bundle);
    vitrine_library_add(self->library, work->bundle);
}

void window_undo_trash(VitrineWindow *self, const char *trashed, const char *bundle)
{
    Work *work = g_new0(Work, 1);
    work->bundle = g_strdup(bundle);
    work->name = g_strdup(trashed);
    window_run(self, work, restore_thread, on_restored);
}

void window_undo_last(VitrineWindow *self)
{
    if (self->undo_toasts->len == 0)
        return;
    g_autoptr(AdwToast) toast =
        g_object_ref(g_ptr_array_index(self->undo_toasts, self->undo_toasts->len - 1));
    gtk_widget_activate_action_variant(GTK_WIDGET(self), adw_toast_get_action_name(toast),
                                       adw_toast_get_action_target_value(toast));
    adw_toast_dismiss(toast);
}
