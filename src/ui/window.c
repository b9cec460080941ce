/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/window-private.h"
#include <glib/gi18n.h>

#define ROOM_FOR_BUTTONS 640 /* of a header, with the words of the longest language */
#define ROOM_FOR_LIBRARY 480 /* of the library's, which has no words but the title */

G_DEFINE_FINAL_TYPE(VitrineWindow, vitrine_window, ADW_TYPE_APPLICATION_WINDOW)

/* What is said ----------------------------------------------------------------------------------
 */

void window_toast(VitrineWindow *self, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    adw_toast_overlay_add_toast(self->toasts, adw_toast_new(escaped));
}

static void on_alert_response(AdwMessageDialog *dialog, const char *response, char *details)
{
    if (strcmp(response, "copy") == 0)
        gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(dialog)), details);
}

void window_alert(VitrineWindow *self, const char *what, const char *why)
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

void window_tell(VitrineWindow *self, const char *what, const char *why)
{
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self), what, why);
    adw_message_dialog_add_response(ADW_MESSAGE_DIALOG(dialog), "close", _("_Close"));
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "close");
    gtk_window_present(GTK_WINDOW(dialog));
}

static void on_machine_failed(VitrineMachine *machine, const char *what, GError *error,
                              VitrineWindow *self)
{
    window_alert(self, what, error->message);
}

/* Which page ------------------------------------------------------------------------------------
 */

bool window_shows_machine(VitrineWindow *self)
{
    return adw_leaflet_get_visible_child(self->leaflet) == self->machine_box;
}

VitrineMachine *window_machine(VitrineWindow *self)
{
    return vitrine_machine_page_get_machine(self->page);
}

bool window_machine_is_live(VitrineWindow *self)
{
    VitrineMachine *machine = window_shows_machine(self) ? window_machine(self) : NULL;
    return machine && vitrine_machine_get_connection(machine);
}

/* How to get the keyboard back, or else what the machine does. A narrow header has room for the
 * keys alone, and the sentence under the pointer; screen readers have it everywhere. */
static void window_update_hint(VitrineWindow *self, const char *hint, const char *state)
{
    g_autofree char *keys = hint ? vitrine_machine_page_dup_brief_release_label(self->page) : NULL;
    adw_window_title_set_subtitle(self->machine_title, !hint ? state : self->narrow ? keys : hint);
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->machine_title), self->narrow ? hint : NULL);
    gtk_accessible_update_property(GTK_ACCESSIBLE(self->machine_title),
                                   GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, hint ? hint : state, -1);
}

void window_update_header(VitrineWindow *self, VitrineMachine *machine)
{
    ClientState state = machine ? vitrine_machine_get_state(machine) : CLIENT_OFF;
    bool paused = state == CLIENT_PAUSED || state == CLIENT_PAUSED_PROBLEM;
    gtk_button_set_icon_name(self->pause_button, paused ? "media-playback-start-symbolic"
                                                        : "media-playback-pause-symbolic");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->pause_button), paused ? _("Resume") : _("Pause"));
    gtk_accessible_update_property(GTK_ACCESSIBLE(self->pause_button),
                                   GTK_ACCESSIBLE_PROPERTY_LABEL, paused ? _("Resume") : _("Pause"),
                                   -1);
    g_autofree char *text = NULL;
    if (machine)
        g_object_get(machine, "state-text", &text, NULL);
    adw_window_title_set_title(self->machine_title,
                               machine ? vitrine_machine_get_name(machine) : "");
    window_update_hint(self, machine && !paused ? vitrine_machine_page_get_hint(self->page) : NULL,
                       text ? text : "");
    gtk_window_set_title(GTK_WINDOW(self), machine ? vitrine_machine_get_name(machine) : "Vitrine");
    g_autofree char *cpu = NULL, *reason = NULL;
    if (machine)
        g_object_get(machine, "cpu-text", &cpu, "cpu-reason", &reason, NULL);
    gtk_widget_set_visible(GTK_WIDGET(self->cpu_badge), cpu && *cpu && !self->narrow);
    gtk_button_set_label(self->cpu_badge, cpu ? cpu : "");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->cpu_badge), reason);
}

VitrineMachine *window_subject(VitrineWindow *self)
{
    return window_shows_machine(self) ? window_machine(self)
                                      : vitrine_library_page_get_selected(self->library_page);
}

void window_open_machine(VitrineWindow *self, VitrineMachine *machine)
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

void window_show_library(VitrineWindow *self)
{
    gtk_window_unfullscreen(GTK_WINDOW(self));
    g_autoptr(VitrineMachine) machine =
        window_machine(self) ? g_object_ref(window_machine(self)) : NULL;
    if (machine) {
        g_signal_handlers_disconnect_by_func(machine, window_update_actions, self);
        vitrine_machine_refresh_thumbnail(machine);
        g_free(self->last_bundle);
        self->last_bundle = g_strdup(vitrine_machine_get_bundle(machine));
    }
    vitrine_machine_page_set_machine(self->page, NULL);
    adw_leaflet_set_visible_child(self->leaflet, GTK_WIDGET(self->library_page));
    if (machine)
        vitrine_library_page_select(self->library_page, machine);
    vitrine_library_page_focus(self->library_page);
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

/* What was taken back from the Trash is what was meant: the next key is for it. */
static void window_focus_returning(VitrineWindow *self)
{
    VitrineMachine *machine =
        self->returning_bundle ? vitrine_library_find(self->library, self->returning_bundle) : NULL;
    if (!machine)
        return;
    g_clear_pointer(&self->returning_bundle, g_free);
    if (window_shows_machine(self))
        return;
    vitrine_library_page_select(self->library_page, machine);
    vitrine_library_page_focus(self->library_page);
}

static void on_library_refreshed(VitrineLibrary *library, VitrineWindow *self)
{
    guint n = g_list_model_get_n_items(G_LIST_MODEL(library));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(library), i);
        if (!g_ptr_array_find(self->machine_signals, machine, NULL)) {
            g_ptr_array_add(self->machine_signals, g_object_ref(machine));
            g_signal_connect_object(machine, "failed", G_CALLBACK(on_machine_failed), self, 0);
        }
    }
    window_focus_returning(self);
    window_show_pending(self);
}

void vitrine_window_show_bundle(VitrineWindow *self, const char *bundle, bool start)
{
    g_free(self->pending_bundle);
    self->pending_bundle = g_canonicalize_filename(bundle, NULL);
    self->pending_start = start;
    vitrine_library_add(self->library, self->pending_bundle);
}

void vitrine_window_search(VitrineWindow *self, const char *text)
{
    window_show_library(self);
    vitrine_library_page_search_for(self->library_page, text);
}

static void on_activated(VitrineLibraryPage *page, VitrineMachine *machine, VitrineWindow *self)
{
    if (vitrine_machine_is_missing(machine)) {
        window_tell_missing(self, machine);
        return;
    }
    window_open_machine(self, machine);
    if (vitrine_machine_get_state(machine) == CLIENT_OFF) /* what crashed or is damaged explains
                                                             itself first */
        vitrine_machine_start(machine);
}

/* The window itself -----------------------------------------------------------------------------
 */

static void on_fullscreen_toast_gone(AdwToast *toast, VitrineWindow *self)
{
    self->fullscreen_toast = NULL;
}

/* How to get out, for as long as one is in. */
static void window_explain_fullscreen(VitrineWindow *self, bool full)
{
    if (self->fullscreen_toast)
        adw_toast_dismiss(self->fullscreen_toast);
    if (!full)
        return;
    g_autofree char *keys = vitrine_machine_page_dup_release_label(self->page);
    /* Translators: %s is a key combination such as “Left Ctrl + left Alt”. */
    g_autofree char *text = g_strdup_printf(
        _("%s releases keyboard and pointer; the controls are at the top edge"), keys);
    self->fullscreen_toast = adw_toast_new(text);
    g_signal_connect_object(self->fullscreen_toast, "dismissed",
                            G_CALLBACK(on_fullscreen_toast_gone), self, 0);
    adw_toast_overlay_add_toast(self->toasts, self->fullscreen_toast);
}

static void on_fullscreened(VitrineWindow *self)
{
    bool full = gtk_window_is_fullscreen(GTK_WINDOW(self));
    adw_flap_set_fold_policy(self->machine_flap,
                             full ? ADW_FLAP_FOLD_POLICY_ALWAYS : ADW_FLAP_FOLD_POLICY_NEVER);
    adw_flap_set_reveal_flap(self->machine_flap, !full);
    gtk_button_set_icon_name(self->fullscreen_button,
                             full ? "view-restore-symbolic" : "view-fullscreen-symbolic");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->fullscreen_button),
                                full ? _("Leave full screen") : _("Full screen"));
    window_explain_fullscreen(self, full);
    vitrine_machine_page_focus_screen(self->page);
}

/* In full screen the header comes when the pointer touches the top edge, and goes when it leaves.
 */
static void on_machine_box_motion(GtkEventControllerMotion *controller, double x, double y,
                                  VitrineWindow *self)
{
    if (!gtk_window_is_fullscreen(GTK_WINDOW(self)))
        return;
    int header = gtk_widget_get_height(adw_flap_get_flap(self->machine_flap));
    bool shown = adw_flap_get_reveal_flap(self->machine_flap);
    if (!shown && y < 2 && !vitrine_machine_page_get_pointer_grabbed(self->page))
        adw_flap_set_reveal_flap(self->machine_flap, TRUE);
    else if (shown && y > header + 24)
        adw_flap_set_reveal_flap(self->machine_flap, FALSE);
}

static gboolean on_fold_idle(gpointer opaque)
{
    VitrineWindow *self = opaque;
    self->fold_idle = 0;
    gtk_widget_set_visible(GTK_WIDGET(self->power_button), !self->narrow);
    gtk_widget_set_visible(GTK_WIDGET(self->pause_button), !self->narrow);
    vitrine_library_page_set_narrow(self->library_page, self->narrow_library);
    window_update_actions(self);
    return G_SOURCE_REMOVE;
}

/* Where there is little room, what the menu has, too, leaves the header. Not at once: this is no
 * time for a change of sizes. */
static void vitrine_window_size_allocate(GtkWidget *widget, int width, int height, int baseline)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    GTK_WIDGET_CLASS(vitrine_window_parent_class)->size_allocate(widget, width, height, baseline);
    bool narrow = width < ROOM_FOR_BUTTONS, narrow_library = width < ROOM_FOR_LIBRARY;
    if (narrow == self->narrow && narrow_library == self->narrow_library)
        return;
    self->narrow = narrow;
    self->narrow_library = narrow_library;
    if (!self->fold_idle)
        self->fold_idle = g_idle_add(on_fold_idle, self);
}

static void vitrine_window_dispose(GObject *object)
{
    VitrineWindow *self = VITRINE_WINDOW(object);
    g_clear_handle_id(&self->fold_idle, g_source_remove);
    if (self->library)
        g_signal_handlers_disconnect_by_data(self->library, self);
    if (self->page && window_machine(self))
        g_signal_handlers_disconnect_by_func(window_machine(self), window_update_actions, self);
    g_clear_object(&self->library);
    g_clear_pointer(&self->pending_bundle, g_free);
    g_clear_pointer(&self->last_bundle, g_free);
    g_clear_pointer(&self->returning_bundle, g_free);
    g_clear_object(&self->drop_machine);
    g_clear_pointer(&self->undo_toasts, g_ptr_array_unref);
    g_clear_pointer(&self->machine_signals, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_window_parent_class)->dispose(object);
}

static void vitrine_window_class_init(VitrineWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_window_dispose;
    widget_class->size_allocate = vitrine_window_size_allocate;
    g_type_ensure(VITRINE_TYPE_LIBRARY_PAGE);
    g_type_ensure(VITRINE_TYPE_MACHINE_PAGE);
    gtk_widget_class_set_template_from_resource(widget_class, "/org/vitrine/Vitrine/window.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineWindow, name)
    CHILD(leaflet);
    CHILD(toasts);
    CHILD(library_page);
    CHILD(jobs);
    CHILD(machine_box);
    CHILD(drop_highlight);
    CHILD(drop_label);
    CHILD(machine_flap);
    CHILD(fullscreen_button);
    CHILD(machine_title);
    CHILD(pause_button);
    CHILD(cpu_badge);
    CHILD(power_button);
    CHILD(page);
#undef CHILD
    window_install_actions(widget_class);
}

static void vitrine_window_init(VitrineWindow *self)
{
    self->undo_toasts = g_ptr_array_new_with_free_func(g_object_unref);
    self->machine_signals = g_ptr_array_new_with_free_func(g_object_unref);
    gtk_widget_init_template(GTK_WIDGET(self));
    vitrine_library_page_set_has_demo(self->library_page, window_get_demo() != NULL);
    g_signal_connect(self->library_page, "activated", G_CALLBACK(on_activated), self);
    g_signal_connect_swapped(self->library_page, "menu-opens", G_CALLBACK(window_update_actions),
                             self);
    g_signal_connect_swapped(self->library_page, "notify::selected",
                             G_CALLBACK(window_update_actions), self);
    g_signal_connect(self, "notify::fullscreened", G_CALLBACK(on_fullscreened), NULL);
    g_signal_connect_swapped(self->page, "notify::hint", G_CALLBACK(window_update_actions), self);
    GtkEventController *motion = gtk_event_controller_motion_new();
    gtk_event_controller_set_propagation_phase(motion, GTK_PHASE_CAPTURE);
    g_signal_connect(motion, "motion", G_CALLBACK(on_machine_box_motion), self);
    gtk_widget_add_controller(self->machine_box, motion);
    window_add_drop_target(self);
    window_update_actions(self);
}

GtkWidget *vitrine_window_new(GtkApplication *app, VitrineLibrary *library)
{
    VitrineWindow *self = g_object_new(VITRINE_TYPE_WINDOW, "application", app, NULL);
    GSettings *settings = vitrine_library_get_settings(library);
    self->library = g_object_ref(library);
    vitrine_library_page_set_library(self->library_page, library);
    g_settings_bind(settings, "window-width", self, "default-width", G_SETTINGS_BIND_DEFAULT);
    g_settings_bind(settings, "window-height", self, "default-height", G_SETTINGS_BIND_DEFAULT);
    g_settings_bind(settings, "window-maximized", self, "maximized", G_SETTINGS_BIND_DEFAULT);
    g_signal_connect(library, "refreshed", G_CALLBACK(on_library_refreshed), self);
    on_library_refreshed(library, self);
    window_offer_recent(self);
    return GTK_WIDGET(self);
}
