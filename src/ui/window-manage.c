/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is done with a machine as a thing: another name, a copy, found again. */

#include "base/task.h"
#include "client/places.h"
#include "ui/window-work.h"
#include <glib/gi18n.h>

/* A name is asked for ---------------------------------------------------------------------------
 */

typedef void (*NameChosen)(VitrineWindow *self, VitrineMachine *machine, const char *name);

typedef struct {
    VitrineWindow *window;
    VitrineMachine *machine; /* owned */
    GtkEditable *entry;
    NameChosen chosen;
} NameQuestion;

static void name_question_free(gpointer data, GClosure *closure)
{
    NameQuestion *question = data;
    g_object_unref(question->machine);
    g_free(question);
}

static void on_name_typed(GtkEditable *entry, AdwMessageDialog *dialog)
{
    g_autofree char *name = g_strstrip(g_strdup(gtk_editable_get_text(entry)));
    adw_message_dialog_set_response_enabled(dialog, "accept", *name != '\0');
}

static void on_name_response(AdwMessageDialog *dialog, const char *response, NameQuestion *question)
{
    g_autofree char *name = g_strstrip(g_strdup(gtk_editable_get_text(question->entry)));
    if (strcmp(response, "accept") == 0 && *name)
        question->chosen(question->window, question->machine, name);
}

static void window_ask_name(VitrineWindow *self, VitrineMachine *machine, const char *heading,
                            const char *body, const char *accept, const char *name,
                            NameChosen chosen)
{
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), heading, body);
    GtkWidget *entry = gtk_entry_new();
    NameQuestion *question = g_new(NameQuestion, 1);
    *question = (NameQuestion){ self, g_object_ref(machine), GTK_EDITABLE(entry), chosen };
    gtk_editable_set_text(GTK_EDITABLE(entry), name);
    gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
    gtk_accessible_update_property(GTK_ACCESSIBLE(entry), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Name"),
                                   -1);
    adw_message_dialog_set_extra_child(ADW_MESSAGE_DIALOG(dialog), entry);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "accept",
                                     accept, NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "accept",
                                               ADW_RESPONSE_SUGGESTED);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "accept");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_signal_connect(entry, "changed", G_CALLBACK(on_name_typed), dialog);
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_name_response), question,
                          name_question_free, 0);
    gtk_window_present(GTK_WINDOW(dialog));
    gtk_widget_grab_focus(entry);
}

/* Rename ----------------------------------------------------------------------------------------
 */

static void rename_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    work->result = client_rename(work->bundle, work->name, &error);
    task_return_outcome(task, work->result != NULL, &error);
}

static void on_renamed(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Work *work = g_task_get_task_data(G_TASK(result));
    if (work->result && vitrine_library_is_known(self->library, work->bundle)) {
        vitrine_library_add(self->library, work->result);
        vitrine_library_forget(self->library, work->bundle);
    }
    window_finish(self, result, _("The machine could not be renamed"));
}

static void rename_to(VitrineWindow *self, VitrineMachine *machine, const char *name)
{
    if (strcmp(name, vitrine_machine_get_name(machine)) != 0)
        window_run(self, work_new(machine, name), rename_thread, on_renamed);
}

void window_rename(VitrineWindow *self, VitrineMachine *machine)
{
    window_ask_name(self, machine, _("Rename Machine"), NULL, _("_Rename"),
                    vitrine_machine_get_name(machine), rename_to);
}

/* Clone -----------------------------------------------------------------------------------------
 */

static void clone_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    work->result =
        client_clone(work->bundle, work->name, NULL, job_report, work->job, cancellable, &error);
    task_return_outcome(task, work->result != NULL, &error);
}

static void on_cloned(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Work *work = g_task_get_task_data(G_TASK(result));
    job_end(work->job);
    if (!window_finish(self, result, _("The machine could not be cloned")))
        return;
    vitrine_library_add(self->library, work->result);
    /* Translators: %s is a machine's name */
    g_autofree char *text = g_strdup_printf(_("“%s” is ready"), work->name);
    window_toast(self, text);
}

static void clone_as(VitrineWindow *self, VitrineMachine *machine, const char *name)
{
    Work *work = work_new(machine, name);
    g_autofree char *what = g_strdup_printf(_("Cloning “%s”"), vitrine_machine_get_name(machine));
    work->job = job_begin(self->jobs, what);
    window_run(self, work, clone_thread, on_cloned);
}

void window_clone(VitrineWindow *self, VitrineMachine *machine)
{
    g_autofree char *root = g_path_get_dirname(vitrine_machine_get_bundle(machine));
    g_autofree char *wanted = g_strdup_printf(_("%s copy"), vitrine_machine_get_name(machine));
    g_autofree char *name = bundle_dup_free_name(root, wanted);
    window_ask_name(self, machine, _("Clone Machine"),
                    _("A full copy with its disks, independent of the original."), _("_Clone"),
                    name, clone_as);
}

/* Missing ones ----------------------------------------------------------------------------------
 */

void window_leave_bundle(VitrineWindow *self, const char *bundle)
{
    VitrineMachine *machine = window_machine(self);
    vitrine_library_forget(self->library, bundle);
    if (machine && strcmp(vitrine_machine_get_bundle(machine), bundle) == 0)
        window_show_library(self);
}

void window_forget(VitrineWindow *self, VitrineMachine *machine)
{
    window_leave_bundle(self, vitrine_machine_get_bundle(machine));
}

static void on_located(GtkNativeDialog *dialog, int response, VitrineWindow *self)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        const char *missing = g_object_get_data(G_OBJECT(dialog), "bundle");
        g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
        g_autofree char *path = g_file_get_path(file);
        if (path && bundle_is_bundle(path)) {
            vitrine_library_add(self->library, path);
            window_leave_bundle(self, missing);
        } else {
            window_alert(self, _("This is not a machine"),
                         _("A machine is a folder whose name ends in .vitrine, with a "
                           "machine.conf in it."));
        }
    }
    g_object_unref(dialog);
}

void window_locate(VitrineWindow *self, VitrineMachine *machine)
{
    g_autofree char *title =
        g_strdup_printf(_("Where Is “%s” Now?"), vitrine_machine_get_name(machine));
    GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
        title, GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("_Choose"), NULL);
    g_object_set_data_full(G_OBJECT(dialog), "bundle",
                           g_strdup(vitrine_machine_get_bundle(machine)), g_free);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_located), self, 0);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void on_missing_response(AdwMessageDialog *dialog, const char *response, VitrineWindow *self)
{
    VitrineMachine *machine = g_object_get_data(G_OBJECT(dialog), "machine");
    if (strcmp(response, "locate") == 0)
        window_locate(self, machine);
    else if (strcmp(response, "forget") == 0)
        window_forget(self, machine);
}

void window_tell_missing(VitrineWindow *self, VitrineMachine *machine)
{
    g_autofree char *heading =
        g_strdup_printf(_("“%s” Is Missing"), vitrine_machine_get_name(machine));
    GtkWidget *dialog =
        adw_message_dialog_new(GTK_WINDOW(self), heading, vitrine_machine_get_problem(machine));
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "forget",
                                     _("_Remove from List"), "locate", _("_Locate…"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "locate",
                                               ADW_RESPONSE_SUGGESTED);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "locate");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_object_set_data_full(G_OBJECT(dialog), "machine", g_object_ref(machine), g_object_unref);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_missing_response), self, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* The folder --------------------------------------------------------------------------------------
 */

void window_show_files(VitrineWindow *self, VitrineMachine *machine)
{
    g_autofree char *uri = g_filename_to_uri(vitrine_machine_get_bundle(machine), NULL, NULL);
    gtk_show_uri(GTK_WINDOW(self), uri, GDK_CURRENT_TIME);
}

/* Two apps may be on one bundle: the file is read, changed and written in one go. */
void window_set_thumbnail(VitrineWindow *self, VitrineMachine *machine, bool shown)
{
    g_autoptr(GError) error = NULL;
    const char *bundle = vitrine_machine_get_bundle(machine);
    g_autoptr(Definition) definition = bundle_load(bundle, &error);
    if (definition) {
        definition->thumbnail = shown;
        bundle_save(bundle, definition, &error);
    }
    if (error)
        window_alert(self, _("The machine could not be changed"), error->message);
    vitrine_library_refresh(self->library);
}
