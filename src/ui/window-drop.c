/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is dropped on the window, or opened with it. The whole window takes drops; what one would do
 * is worked out on a thread, shown before it is let go, and done afterwards. */

#include "client/file-disc.h"
#include "ui/drop-plan.h"
#include "ui/job-bar.h"
#include "ui/machine-tile.h"
#include "ui/window-private.h"
#include <glib/gi18n.h>

/* A disc goes into a machine ---------------------------------------------------------------------
 */

void window_insert(VitrineWindow *self, VitrineMachine *machine, const char *path)
{
    vitrine_machine_insert(machine, path);
    window_remember_medium(self, path);
}

typedef struct {
    VitrineWindow *window;
    VitrineMachine *machine; /* owned */
    GPtrArray *paths;        /* owned */
    int drive;
    Job *job;
    GtkCheckButton *remember;
} Gift; /* what a machine may be given */

static Gift *gift_new(VitrineWindow *self, VitrineMachine *machine, GPtrArray *paths)
{
    Gift *gift = g_new0(Gift, 1);
    gift->window = self;
    gift->machine = g_object_ref(machine);
    gift->paths = g_ptr_array_ref(paths);
    return gift;
}

static void gift_free(gpointer data)
{
    Gift *gift = data;
    g_object_unref(gift->machine);
    g_ptr_array_unref(gift->paths);
    g_free(gift);
}

static void gift_free_closure(gpointer data, GClosure *closure)
{
    gift_free(data);
}

static void on_insert_or_new(AdwMessageDialog *dialog, const char *response, Gift *gift)
{
    bool insert = strcmp(response, "insert") == 0;
    if (strcmp(response, "cancel") == 0)
        return;
    if (gtk_check_button_get_active(gift->remember))
        g_settings_set_enum(vitrine_library_get_settings(gift->window->library), "disc-on-running",
                            insert ? DISC_ON_RUNNING_INSERT : DISC_ON_RUNNING_NEW);
    if (insert)
        window_insert(gift->window, gift->machine, gift->paths->pdata[0]);
    else
        window_create(gift->window, gift->paths->pdata[0]);
}

static void window_ask_insert(VitrineWindow *self, VitrineMachine *machine, GPtrArray *paths)
{
    g_autofree char *base = g_path_get_basename(paths->pdata[0]);
    g_autofree char *name = g_filename_display_name(base);
    g_autofree char *body =
        g_strdup_printf(_("“%s” can go into the disc drive of “%s”, or begin a new machine."), name,
                        vitrine_machine_get_name(machine));
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), _("Insert the Disc?"), body);
    Gift *gift = gift_new(self, machine, paths);
    gift->remember = GTK_CHECK_BUTTON(
        gtk_check_button_new_with_mnemonic(_("_Always do this with discs for a running machine")));
    adw_message_dialog_set_extra_child(ADW_MESSAGE_DIALOG(dialog), GTK_WIDGET(gift->remember));
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "new",
                                     _("_New Machine"), "insert", _("_Insert"), NULL);
    adw_message_dialog_set_response_appearance(ADW_MESSAGE_DIALOG(dialog), "insert",
                                               ADW_RESPONSE_SUGGESTED);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "insert");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_insert_or_new), gift, gift_free_closure,
                          0);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* Files for a guest ------------------------------------------------------------------------------
 */

static void disc_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Gift *gift = data;
    GError *error = NULL;
    g_autofree char *iso =
        bundle_dup_file_disc(vitrine_machine_get_bundle(gift->machine), (unsigned)gift->drive);
    if (client_file_disc_create(gift->paths, iso, job_report, gift->job, cancellable, &error))
        g_task_return_pointer(task, g_steal_pointer(&iso), g_free);
    else
        g_task_return_error(task, error);
}

static void on_disc_made(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Gift *gift = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    g_autofree char *iso = g_task_propagate_pointer(G_TASK(result), &error);
    job_end(gift->job);
    if (iso) {
        vitrine_machine_insert_into(gift->machine, gift->drive, iso);
        g_autofree char *text = g_strdup_printf(_("A disc with the files is in the drive of “%s”"),
                                                vitrine_machine_get_name(gift->machine));
        window_toast(self, text);
    } else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        window_alert(self, _("The disc could not be made"), error->message);
    }
}

/* Takes @gift. */
static void gift_make_disc(Gift *gift)
{
    g_autofree char *what =
        g_strdup_printf(_("Writing a disc for “%s”"), vitrine_machine_get_name(gift->machine));
    gift->job = job_begin(gift->window->jobs, what);
    g_autoptr(GTask) task =
        g_task_new(gift->window, job_get_cancellable(gift->job), on_disc_made, NULL);
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, gift, gift_free);
    g_task_run_in_thread(task, disc_thread);
}

static void on_replace_response(AdwMessageDialog *dialog, const char *response, Gift *gift)
{
    if (strcmp(response, "replace") == 0) {
        Gift *taken = gift_new(gift->window, gift->machine, gift->paths);
        taken->drive = gift->drive;
        gift_make_disc(taken);
    }
}

/* The only drive may hold the disc that the guest is being installed from. Takes @gift. */
static void gift_ask_replace(Gift *gift, const char *disc)
{
    g_autofree char *base = g_path_get_basename(disc);
    g_autofree char *name = g_filename_display_name(base);
    g_autofree char *body = g_strdup_printf(
        _("“%s” is in the drive of “%s”. A disc with the files would take its place; you can "
          "insert it again later."),
        name, vitrine_machine_get_name(gift->machine));
    GtkWidget *dialog =
        adw_message_dialog_new(GTK_WINDOW(gift->window), _("Replace the Disc?"), body);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "replace",
                                     _("_Replace"), NULL);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_replace_response), gift,
                          gift_free_closure, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void window_give_files(VitrineWindow *self, VitrineMachine *machine, GPtrArray *paths)
{
    g_autofree char *disc = NULL;
    int drive = vitrine_machine_find_disc_drive(machine, &disc);
    if (drive < 0) {
        window_alert(self, _("The files cannot be given to the machine"),
                     _("It has no disc drive. Its settings can add one."));
        return;
    }
    Gift *gift = gift_new(self, machine, paths);
    gift->drive = drive;
    if (disc)
        gift_ask_replace(gift, disc);
    else
        gift_make_disc(gift);
}

/* The plan, shown and done -----------------------------------------------------------------------
 */

typedef struct {
    GPtrArray *paths;        /* owned */
    VitrineMachine *machine; /* owned, or NULL: the running one that is meant */
    DiscOnRunning policy;
    unsigned generation;
    bool landed; /* to be done, not shown */
    bool opened; /* not dropped but opened: a file is never a gift */
} Drop;

static void drop_free(gpointer data)
{
    Drop *drop = data;
    g_ptr_array_unref(drop->paths);
    g_clear_object(&drop->machine);
    g_free(drop);
}

static void plan_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Drop *drop = data;
    const char *running = drop->machine ? vitrine_machine_get_name(drop->machine) : NULL;
    DropPlan *plan = drop_plan_new(drop->paths, running, drop->policy);
    if (drop->opened && plan->kind == DROP_FILES) {
        drop_plan_free(plan);
        plan = drop_plan_new(drop->paths, NULL, drop->policy);
    }
    g_task_return_pointer(task, plan, (GDestroyNotify)drop_plan_free);
}

static void window_do_plan(VitrineWindow *self, const DropPlan *plan, VitrineMachine *machine)
{
    const char *first = plan->paths->len ? plan->paths->pdata[0] : NULL;
    switch (plan->kind) {
    case DROP_NOTHING: window_tell(self, _("This Cannot Be Used"), plan->words); break;
    case DROP_CREATE: window_create(self, first); break;
    case DROP_INSERT: window_insert(self, machine, first); break;
    case DROP_ASK: window_ask_insert(self, machine, plan->paths); break;
    case DROP_FILES: window_give_files(self, machine, plan->paths); break;
    case DROP_OPEN:
        if (plan->paths->len == 1)
            vitrine_window_show_bundle(self, first, false);
        for (guint i = 0; plan->paths->len > 1 && i < plan->paths->len; i++)
            vitrine_library_add(self->library, plan->paths->pdata[i]);
        break;
    }
}

static void on_planned(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineWindow *self = VITRINE_WINDOW(source);
    Drop *drop = g_task_get_task_data(G_TASK(result));
    g_autoptr(DropPlan) plan = g_task_propagate_pointer(G_TASK(result), NULL);
    if (drop->landed)
        window_do_plan(self, plan, drop->machine);
    else if (drop->generation == self->drop_generation)
        gtk_label_set_text(self->drop_label, plan->words);
}

static void window_plan(VitrineWindow *self, GPtrArray *paths, VitrineMachine *machine, bool landed,
                        bool opened)
{
    Drop *drop = g_new0(Drop, 1);
    bool live = machine && vitrine_machine_get_connection(machine);
    drop->paths = g_ptr_array_ref(paths);
    drop->machine = live ? g_object_ref(machine) : NULL;
    drop->policy =
        g_settings_get_enum(vitrine_library_get_settings(self->library), "disc-on-running");
    drop->generation = self->drop_generation;
    drop->landed = landed;
    drop->opened = opened;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_planned, NULL);
    g_task_set_task_data(task, drop, drop_free);
    g_task_run_in_thread(task, plan_thread);
}

void vitrine_window_open_path(VitrineWindow *self, const char *path)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(paths, g_canonicalize_filename(path, NULL));
    window_plan(self, paths, window_shows_machine(self) ? window_machine(self) : NULL, true, true);
}

/* The drag ---------------------------------------------------------------------------------------
 */

/* The machine under the pointer: the open one, or the one whose tile it is. */
static VitrineMachine *window_machine_at(VitrineWindow *self, double x, double y)
{
    if (window_shows_machine(self))
        return window_machine(self);
    GtkWidget *at = gtk_widget_pick(GTK_WIDGET(self), x, y, GTK_PICK_DEFAULT);
    GtkWidget *tile = at ? gtk_widget_get_ancestor(at, VITRINE_TYPE_MACHINE_TILE) : NULL;
    /* The item around the tile is its margin. */
    if (!tile && at && gtk_widget_get_first_child(at) &&
        VITRINE_IS_MACHINE_TILE(gtk_widget_get_first_child(at)))
        tile = gtk_widget_get_first_child(at);
    return tile ? vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile)) : NULL;
}

static GPtrArray *dup_paths(const GValue *value)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (GSList *at = g_value_get_boxed(value); at; at = at->next) {
        char *path = g_file_get_path(at->data);
        if (path)
            g_ptr_array_add(paths, path);
    }
    return paths;
}

/* Says what a drop here would do; in general words until the files are known. */
static void window_announce_drop(VitrineWindow *self)
{
    const GValue *value = gtk_drop_target_get_value(self->drop_target);
    bool live = self->drop_machine && vitrine_machine_get_connection(self->drop_machine);
    self->drop_generation++;
    if (!value) {
        gtk_label_set_text(self->drop_label,
                           live ? _("Drop to give it to the machine, or to begin a new one")
                                : _("Drop to begin a new machine"));
        return;
    }
    g_autoptr(GPtrArray) paths = dup_paths(value);
    window_plan(self, paths, self->drop_machine, false, false);
}

static GdkDragAction on_drag_motion(GtkDropTarget *target, double x, double y, VitrineWindow *self)
{
    VitrineMachine *machine = window_machine_at(self, x, y);
    if (machine && !vitrine_machine_get_connection(machine))
        machine = NULL; /* one that is off takes nothing */
    if (g_set_object(&self->drop_machine, machine))
        window_announce_drop(self);
    return GDK_ACTION_COPY;
}

static GdkDragAction on_drag_enter(GtkDropTarget *target, double x, double y, VitrineWindow *self)
{
    g_clear_object(&self->drop_machine);
    gtk_widget_set_visible(self->drop_highlight, TRUE);
    on_drag_motion(target, x, y, self);
    window_announce_drop(self);
    return GDK_ACTION_COPY;
}

static void on_drag_value(GtkDropTarget *target, GParamSpec *spec, VitrineWindow *self)
{
    if (gtk_drop_target_get_value(target))
        window_announce_drop(self);
}

static void on_drag_leave(GtkDropTarget *target, VitrineWindow *self)
{
    self->drop_generation++;
    gtk_widget_set_visible(self->drop_highlight, FALSE);
}

static gboolean on_drop(GtkDropTarget *target, const GValue *value, double x, double y,
                        VitrineWindow *self)
{
    g_autoptr(GPtrArray) paths = dup_paths(value);
    on_drag_motion(target, x, y, self);
    on_drag_leave(target, self);
    window_plan(self, paths, self->drop_machine, true, false);
    return TRUE;
}

void window_add_drop_target(VitrineWindow *self)
{
    self->drop_target = gtk_drop_target_new(GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
    gtk_drop_target_set_preload(self->drop_target, TRUE);
    g_signal_connect(self->drop_target, "drop", G_CALLBACK(on_drop), self);
    g_signal_connect(self->drop_target, "enter", G_CALLBACK(on_drag_enter), self);
    g_signal_connect(self->drop_target, "motion", G_CALLBACK(on_drag_motion), self);
    g_signal_connect(self->drop_target, "leave", G_CALLBACK(on_drag_leave), self);
    g_signal_connect(self->drop_target, "notify::value", G_CALLBACK(on_drag_value), self);
    gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(self->drop_target));
}
