/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/window.h"
#include "model/bundle.h"
#include "ui/create-page.h"
#include "ui/machine-page.h"
#include "ui/machine-tile.h"
#include <glib/gi18n.h>

struct _VitrineWindow {
    AdwApplicationWindow parent;
    AdwLeaflet *leaflet;
    AdwToastOverlay *toasts;
    GtkStack *library_stack;
    GtkGridView *grid;
    GtkWidget *library_box, *machine_box, *demo_button, *drop_highlight, *machine_header;
    GtkLabel *drop_label;
    AdwWindowTitle *machine_title;
    GtkButton *pause_button, *cpu_badge;
    VitrineMachinePage *page;
    VitrineLibrary *library; /* owned */
    GtkSelectionModel *selection;
    char *pending_bundle; /* owned: to be shown when the library has it */
    bool pending_start;
    GPtrArray *machine_signals; /* machines whose "failed" is connected */
};

G_DEFINE_FINAL_TYPE(VitrineWindow, vitrine_window, ADW_TYPE_APPLICATION_WINDOW)

/* What is said ----------------------------------------------------------------------------------
 */

static void window_toast(VitrineWindow *self, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    adw_toast_overlay_add_toast(self->toasts, adw_toast_new(escaped));
}

static void on_alert_response(AdwMessageDialog *dialog, const char *response, char *details)
{
    if (strcmp(response, "copy") == 0)
        gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(dialog)), details);
}

static void window_alert(VitrineWindow *self, const char *what, const char *why)
{
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), what, why);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "copy", _("_Copy Details"),
                                     "close", _("_Close"), NULL);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "close");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "close");
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_alert_response),
                          g_strdup_printf("%s\n%s", what, why),
                          (GClosureNotify)(void (*)(void))g_free, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void on_machine_failed(VitrineMachine *machine, const char *what, GError *error,
                              VitrineWindow *self)
{
    window_alert(self, what, error->message);
}

/* Which page ------------------------------------------------------------------------------------
 */

static bool window_shows_machine(VitrineWindow *self)
{
    return adw_leaflet_get_visible_child(self->leaflet) == self->machine_box;
}

static VitrineMachine *window_machine(VitrineWindow *self)
{
    return vitrine_machine_page_get_machine(self->page);
}

static void window_update_actions(VitrineWindow *self)
{
    VitrineMachine *machine = window_shows_machine(self) ? window_machine(self) : NULL;
    ClientState state = machine ? vitrine_machine_get_state(machine) : CLIENT_OFF;
    bool live = machine && vitrine_machine_get_connection(machine);
    bool paused = state == CLIENT_PAUSED || state == CLIENT_PAUSED_PROBLEM;
    static const char *const live_actions[] = {
        "machine.pause", "machine.reset",      "machine.power-button",
        "machine.eject", "machine.force-off",  "machine.insert",
        "machine.keys",  "machine.screenshot", NULL
    };
    for (size_t i = 0; live_actions[i]; i++)
        gtk_widget_action_set_enabled(GTK_WIDGET(self), live_actions[i], live);
    gtk_widget_action_set_enabled(GTK_WIDGET(self), "machine.start", machine && !live);
    gtk_button_set_icon_name(self->pause_button, paused ? "media-playback-start-symbolic"
                                                        : "media-playback-pause-symbolic");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->pause_button), paused ? _("Resume") : _("Pause"));
    gtk_accessible_update_property(GTK_ACCESSIBLE(self->pause_button),
                                   GTK_ACCESSIBLE_PROPERTY_LABEL, paused ? _("Resume") : _("Pause"),
                                   -1);
    const char *hint = vitrine_machine_page_get_grabbed(self->page)
                           ? _("Left Ctrl + left Alt releases the keyboard")
                       : machine ? NULL
                                 : "";
    g_autofree char *text = NULL;
    if (machine)
        g_object_get(machine, "state-text", &text, NULL);
    adw_window_title_set_title(self->machine_title,
                               machine ? vitrine_machine_get_name(machine) : "");
    adw_window_title_set_subtitle(self->machine_title, hint ? hint : text);
    g_autofree char *cpu = NULL, *reason = NULL;
    if (machine)
        g_object_get(machine, "cpu-text", &cpu, "cpu-reason", &reason, NULL);
    gtk_widget_set_visible(GTK_WIDGET(self->cpu_badge), cpu && *cpu);
    gtk_button_set_label(self->cpu_badge, cpu ? cpu : "");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->cpu_badge), reason);
}

static void window_open_machine(VitrineWindow *self, VitrineMachine *machine)
{
    VitrineMachine *before = window_machine(self);
    if (before)
        g_signal_handlers_disconnect_by_func(before, window_update_actions, self);
    vitrine_machine_page_set_machine(self->page, machine);
    g_signal_connect_swapped(machine, "notify", G_CALLBACK(window_update_actions), self);
    adw_leaflet_set_visible_child(self->leaflet, self->machine_box);
    window_update_actions(self);
    vitrine_machine_page_focus_screen(self->page);
}

static void window_show_library(VitrineWindow *self)
{
    gtk_window_unfullscreen(GTK_WINDOW(self));
    VitrineMachine *machine = window_machine(self);
    if (machine) {
        g_signal_handlers_disconnect_by_func(machine, window_update_actions, self);
        vitrine_machine_refresh_thumbnail(machine);
    }
    vitrine_machine_page_set_machine(self->page, NULL);
    adw_leaflet_set_visible_child(self->leaflet, self->library_box);
    window_update_actions(self);
}

static void window_show_pending(VitrineWindow *self)
{
    if (!self->pending_bundle)
        return;
    VitrineMachine *machine = vitrine_library_find(self->library, self->pending_bundle);
    if (!machine)
        return;
    g_clear_pointer(&self->pending_bundle, g_free);
    window_open_machine(self, machine);
    if (self->pending_start)
        vitrine_machine_start(machine);
}

static void on_library_refreshed(VitrineLibrary *library, VitrineWindow *self)
{
    guint n = g_list_model_get_n_items(G_LIST_MODEL(library));
    gtk_stack_set_visible_child_name(self->library_stack, n > 0 ? "grid" : "empty");
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(library), i);
        if (!g_ptr_array_find(self->machine_signals, machine, NULL)) {
            g_ptr_array_add(self->machine_signals, g_object_ref(machine));
            g_signal_connect_object(machine, "failed", G_CALLBACK(on_machine_failed), self, 0);
        }
    }
    window_show_pending(self);
}

void vitrine_window_show_bundle(VitrineWindow *self, const char *bundle, bool start)
{
    g_free(self->pending_bundle);
    self->pending_bundle = g_strdup(bundle);
    self->pending_start = start;
    vitrine_library_refresh(self->library);
}

/* Files -----------------------------------------------------------------------------------------
 */

static void on_created(VitrineCreatePage *page, const char *bundle, gboolean start,
                       VitrineWindow *self)
{
    vitrine_window_show_bundle(self, bundle, start);
}

static void window_create(VitrineWindow *self, const char *source)
{
    GtkWidget *page = vitrine_create_page_new(GTK_WINDOW(self), source);
    g_signal_connect_object(page, "created", G_CALLBACK(on_created), self, 0);
    gtk_window_present(GTK_WINDOW(page));
}

typedef struct {
    VitrineWindow *window;
    char *path;
} Choice;

static void choice_free(gpointer data, GClosure *closure)
{
    Choice *choice = data;
    g_free(choice->path);
    g_free(choice);
}

static void on_insert_or_new(AdwMessageDialog *dialog, const char *response, Choice *choice)
{
    VitrineMachine *machine = window_machine(choice->window);
    if (strcmp(response, "insert") == 0 && machine)
        vitrine_machine_insert(machine, choice->path);
    else if (strcmp(response, "new") == 0)
        window_create(choice->window, choice->path);
}

static void window_ask_insert(VitrineWindow *self, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *body =
        g_strdup_printf(_("“%s” can go into the disc drive of “%s”, or begin a new machine."), name,
                        vitrine_machine_get_name(window_machine(self)));
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), _("Insert the Disc?"), body);
    adw_message_dialog_add_responses(ADW_MESSAGE_DIALOG(dialog), "cancel", _("_Cancel"), "new",
                                     _("_New Machine"), "insert", _("_Insert"), NULL);
    adw_message_dialog_set_default_response(ADW_MESSAGE_DIALOG(dialog), "insert");
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "cancel");
    Choice *choice = g_new(Choice, 1);
    *choice = (Choice){ self, g_strdup(path) };
    g_signal_connect_data(dialog, "response", G_CALLBACK(on_insert_or_new), choice, choice_free, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

void vitrine_window_open_path(VitrineWindow *self, const char *path)
{
    VitrineMachine *machine = window_shows_machine(self) ? window_machine(self) : NULL;
    if (bundle_is_bundle(path))
        vitrine_window_show_bundle(self, path, false);
    else if (machine && vitrine_machine_get_connection(machine))
        window_ask_insert(self, path);
    else
        window_create(self, path);
}

static gboolean on_drop(GtkDropTarget *target, const GValue *value, double x, double y,
                        VitrineWindow *self)
{
    GSList *files = g_value_get_boxed(value);
    gtk_widget_set_visible(self->drop_highlight, FALSE);
    if (!files)
        return FALSE;
    g_autofree char *path = g_file_get_path(files->data);
    if (!path) {
        window_alert(self, _("This cannot be opened"),
                     _("Only files on this computer can be used. Copy it here first."));
        return FALSE;
    }
    if (files->next)
        window_toast(self, _("One file at a time: the first one was taken"));
    vitrine_window_open_path(self, path);
    return TRUE;
}

static GdkDragAction on_drag_enter(GtkDropTarget *target, double x, double y, VitrineWindow *self)
{
    bool live = window_shows_machine(self) && window_machine(self) &&
                vitrine_machine_get_connection(window_machine(self));
    gtk_label_set_text(self->drop_label,
                       live ? _("Drop to insert the disc, or to begin a new machine")
                            : _("Drop to begin a new machine"));
    gtk_widget_set_visible(self->drop_highlight, TRUE);
    return GDK_ACTION_COPY;
}

static void on_drag_leave(GtkDropTarget *target, VitrineWindow *self)
{
    gtk_widget_set_visible(self->drop_highlight, FALSE);
}

static void on_file_chosen(GtkNativeDialog *dialog, int response, VitrineWindow *self)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
        g_autofree char *path = g_file_get_path(file);
        bool insert = g_object_get_data(G_OBJECT(dialog), "insert") != NULL;
        VitrineMachine *machine = window_machine(self);
        if (path && insert && machine)
            vitrine_machine_insert(machine, path);
        else if (path)
            window_create(self, path);
    }
    g_object_unref(dialog);
}

static void window_choose_file(VitrineWindow *self, const char *title, bool insert)
{
    GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
        title, GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_OPEN, NULL, NULL);
    g_autoptr(GtkFileFilter) images = gtk_file_filter_new();
    gtk_file_filter_set_name(images, insert ? _("Discs") : _("Discs and disks"));
    static const char *const patterns[] = { "*.iso", "*.ISO", "*.img", "*.qcow2", "*.raw", NULL };
    for (size_t i = 0; patterns[i] && (!insert || i < 3); i++)
        gtk_file_filter_add_pattern(images, patterns[i]);
    g_autoptr(GtkFileFilter) all = gtk_file_filter_new();
    gtk_file_filter_set_name(all, _("All files"));
    gtk_file_filter_add_pattern(all, "*");
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), images);
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), all);
    if (insert)
        g_object_set_data(G_OBJECT(dialog), "insert", GINT_TO_POINTER(1));
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_file_chosen), self, 0);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

/* Actions ---------------------------------------------------------------------------------------
 */

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
    else if (window_shows_machine(self))
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
    if (client_trash(data, &error))
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

static void on_cpu_badge(GtkButton *button, VitrineWindow *self)
{
    g_autofree char *cpu = NULL, *reason = NULL;
    g_object_get(window_machine(self), "cpu-text", &cpu, "cpu-reason", &reason, NULL);
    window_alert(self, cpu, reason);
}

/* The grid --------------------------------------------------------------------------------------
 */

static void on_tile_setup(GtkSignalListItemFactory *factory, GtkListItem *item)
{
    gtk_list_item_set_child(item, vitrine_machine_tile_new());
}

static void on_tile_bind(GtkSignalListItemFactory *factory, GtkListItem *item)
{
    vitrine_machine_tile_set_machine(VITRINE_MACHINE_TILE(gtk_list_item_get_child(item)),
                                     gtk_list_item_get_item(item));
}

static void on_tile_unbind(GtkSignalListItemFactory *factory, GtkListItem *item)
{
    vitrine_machine_tile_set_machine(VITRINE_MACHINE_TILE(gtk_list_item_get_child(item)), NULL);
}

static void on_grid_activate(GtkGridView *grid, guint position, VitrineWindow *self)
{
    g_autoptr(VitrineMachine) machine =
        g_list_model_get_item(G_LIST_MODEL(self->library), position);
    if (!machine)
        return;
    window_open_machine(self, machine);
    ClientState state = vitrine_machine_get_state(machine);
    if (state == CLIENT_OFF) /* what crashed or is damaged explains itself first */
        vitrine_machine_start(machine);
}

static void on_fullscreened(VitrineWindow *self)
{
    bool full = gtk_window_is_fullscreen(GTK_WINDOW(self));
    gtk_widget_set_visible(self->machine_header, !full);
    vitrine_machine_page_focus_screen(self->page);
}

static void vitrine_window_dispose(GObject *object)
{
    VitrineWindow *self = VITRINE_WINDOW(object);
    if (self->library)
        g_signal_handlers_disconnect_by_data(self->library, self);
    if (self->page && window_machine(self))
        g_signal_handlers_disconnect_by_func(window_machine(self), window_update_actions, self);
    g_clear_object(&self->library);
    g_clear_pointer(&self->pending_bundle, g_free);
    g_clear_pointer(&self->machine_signals, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_window_parent_class)->dispose(object);
}

static void window_install_actions(GtkWidgetClass *klass)
{
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

static void vitrine_window_class_init(VitrineWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_window_dispose;
    g_type_ensure(VITRINE_TYPE_MACHINE_PAGE);
    gtk_widget_class_set_template_from_resource(widget_class, "/org/vitrine/Vitrine/window.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineWindow, name)
    CHILD(leaflet);
    CHILD(toasts);
    CHILD(library_stack);
    CHILD(grid);
    CHILD(library_box);
    CHILD(machine_box);
    CHILD(demo_button);
    CHILD(drop_highlight);
    CHILD(drop_label);
    CHILD(machine_header);
    CHILD(machine_title);
    CHILD(pause_button);
    CHILD(cpu_badge);
    CHILD(page);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_tile_setup);
    gtk_widget_class_bind_template_callback(widget_class, on_tile_bind);
    gtk_widget_class_bind_template_callback(widget_class, on_tile_unbind);
    gtk_widget_class_bind_template_callback(widget_class, on_grid_activate);
    gtk_widget_class_bind_template_callback(widget_class, on_cpu_badge);
    window_install_actions(widget_class);
}

static void window_add_drop_target(VitrineWindow *self)
{
    GtkDropTarget *target = gtk_drop_target_new(GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
    g_signal_connect(target, "drop", G_CALLBACK(on_drop), self);
    g_signal_connect(target, "enter", G_CALLBACK(on_drag_enter), self);
    g_signal_connect(target, "leave", G_CALLBACK(on_drag_leave), self);
    gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(target));
}

static void vitrine_window_init(VitrineWindow *self)
{
    self->machine_signals = g_ptr_array_new_with_free_func(g_object_unref);
    gtk_widget_init_template(GTK_WIDGET(self));
    gtk_widget_set_visible(self->demo_button, g_getenv("VITRINE_DEMO_ISO") != NULL);
    g_signal_connect(self, "notify::fullscreened", G_CALLBACK(on_fullscreened), NULL);
    g_signal_connect_swapped(self->page, "notify::grabbed", G_CALLBACK(window_update_actions),
                             self);
    window_add_drop_target(self);
    window_update_actions(self);
}

GtkWidget *vitrine_window_new(GtkApplication *app, VitrineLibrary *library)
{
    VitrineWindow *self = g_object_new(VITRINE_TYPE_WINDOW, "application", app, NULL);
    self->library = g_object_ref(library);
    self->selection =
        GTK_SELECTION_MODEL(gtk_single_selection_new(g_object_ref(G_LIST_MODEL(library))));
    gtk_grid_view_set_model(self->grid, self->selection);
    g_object_unref(self->selection);
    g_signal_connect(library, "refreshed", G_CALLBACK(on_library_refreshed), self);
    on_library_refreshed(library, self);
    return GTK_WIDGET(self);
}
