/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What the buttons and menus do. */

#include "ui/log-window.h"
#include "ui/settings-window.h"
#include "ui/window-private.h"
#include <glib/gi18n.h>

static void action_new(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_choose_file(VITRINE_WINDOW(widget), _("Choose a Disc or Disk Image"), false);
}

static void action_demo(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_create(VITRINE_WINDOW(widget), window_get_demo());
}

static void action_new_empty(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_create(VITRINE_WINDOW(widget), NULL);
}

static void action_new_from(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_window_open_path(VITRINE_WINDOW(widget), g_variant_get_string(parameter, NULL));
}

static void action_search(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    if (!window_shows_machine(self))
        vitrine_library_page_search(self->library_page, true);
}

static void action_shortcuts(GtkWidget *widget, const char *name, GVariant *parameter)
{
    g_autoptr(GtkBuilder) builder =
        gtk_builder_new_from_resource("/org/vitrine/Vitrine/shortcuts.ui");
    GtkWindow *window = GTK_WINDOW(gtk_builder_get_object(builder, "shortcuts"));
    gtk_window_set_transient_for(window, GTK_WINDOW(widget));
    gtk_window_present(window);
}

/* To the machine that was left last. */
static void action_forward(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineMachine *machine =
        self->last_bundle ? vitrine_library_find(self->library, self->last_bundle) : NULL;
    if (machine && !window_shows_machine(self))
        window_open_machine(self, machine);
}

static void action_back(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_show_library(VITRINE_WINDOW(widget));
}

static void action_start(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_start(window_subject(VITRINE_WINDOW(widget)));
}

static void action_pause(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineMachine *machine = window_subject(self);
    bool runs = vitrine_machine_get_state(machine) == CLIENT_RUNNING;
    if (runs && strcmp(name, "machine.resume") != 0)
        vitrine_machine_pause(machine);
    else if (!runs && strcmp(name, "machine.pause") != 0)
        vitrine_machine_resume(machine);
    vitrine_machine_page_focus_screen(self->page);
}

static void action_reset(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_reset(window_subject(VITRINE_WINDOW(widget)));
}

static void action_power_button(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    vitrine_machine_press_power(window_subject(self));
    window_toast(self, _("The power button was pressed; the guest decides"));
}

static void on_force_off(AdwMessageDialog *dialog, const char *response, VitrineWindow *self)
{
    if (strcmp(response, "off") == 0)
        vitrine_machine_force_off(g_object_get_data(G_OBJECT(dialog), "machine"));
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
    g_object_set_data_full(G_OBJECT(dialog), "machine", g_object_ref(window_subject(self)),
                           g_object_unref);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_force_off), self, 0);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void action_insert(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_choose_file(VITRINE_WINDOW(widget), _("Insert a Disc"), true);
}

static void action_eject(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_eject(window_subject(VITRINE_WINDOW(widget)));
}

static void action_keys(GtkWidget *widget, const char *name, GVariant *parameter)
{
    vitrine_machine_send_keys(window_subject(VITRINE_WINDOW(widget)),
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

static void action_screenshot(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    window_take_screenshot(self, window_subject(self));
}

static void action_open(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    window_open_machine(self, window_subject(self));
}

static void action_settings(GtkWidget *widget, const char *name, GVariant *parameter)
{
    settings_window_show(GTK_WINDOW(widget), window_subject(VITRINE_WINDOW(widget)));
}

static void action_log(GtkWidget *widget, const char *name, GVariant *parameter)
{
    log_window_show(GTK_WINDOW(widget), window_subject(VITRINE_WINDOW(widget)));
}

/* What window-manage.c does, by the action's name. */
static void action_manage(GtkWidget *widget, const char *name, GVariant *parameter)
{
    static const struct {
        const char *action;
        void (*run)(VitrineWindow *self, VitrineMachine *machine);
    } verbs[] = {
        { "machine.rename", window_rename }, { "machine.clone", window_clone },
        { "machine.trash", window_trash },   { "machine.forget", window_forget },
        { "machine.locate", window_locate }, { "machine.show-files", window_show_files }
    };
    VitrineWindow *self = VITRINE_WINDOW(widget);
    VitrineMachine *machine = window_subject(self);
    for (size_t i = 0; machine && i < G_N_ELEMENTS(verbs); i++)
        if (strcmp(verbs[i].action, name) == 0)
            verbs[i].run(self, machine);
}

static void action_thumbnail(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineWindow *self = VITRINE_WINDOW(widget);
    window_set_thumbnail(self, window_subject(self), strcmp(name, "machine.show-thumbnail") == 0);
}

static void action_undo_trash(GtkWidget *widget, const char *name, GVariant *parameter)
{
    const char *trashed, *bundle;
    g_variant_get(parameter, "(&s&s)", &trashed, &bundle);
    window_undo_trash(VITRINE_WINDOW(widget), trashed, bundle);
}

static void action_undo(GtkWidget *widget, const char *name, GVariant *parameter)
{
    window_undo_last(VITRINE_WINDOW(widget));
}

void window_update_actions(VitrineWindow *self)
{
    VitrineMachine *machine = window_subject(self);
    bool open = window_shows_machine(self);
    bool live = machine && vitrine_machine_get_connection(machine);
    bool runs = live && vitrine_machine_get_state(machine) == CLIENT_RUNNING;
    bool can_start = machine && vitrine_machine_can_start(machine);
    bool missing = machine && vitrine_machine_is_missing(machine);
    bool whole = machine && !vitrine_machine_is_damaged(machine);
    bool still = machine && !missing && !vitrine_machine_is_live(machine);
    bool known = machine && self->library &&
                 vitrine_library_is_known(self->library, vitrine_machine_get_bundle(machine));
    bool shows = whole && vitrine_machine_shows_thumbnail(machine);
    const struct {
        const char *action;
        bool enabled;
    } states[] = {
        { "machine.open", machine && !open && !missing },
        { "machine.start", can_start },
        { "machine.toggle-pause", live },
        { "machine.pause", runs },
        { "machine.resume", live && !runs },
        { "machine.reset", live },
        { "machine.keys", live },
        { "machine.power-button", live },
        { "machine.force-off", live },
        { "machine.screenshot", live },
        { "machine.insert", live || can_start },
        { "machine.eject", live || can_start },
        { "machine.settings", whole },
        { "machine.log", machine && !missing },
        { "machine.rename", whole },
        { "machine.clone", whole && still },
        { "machine.trash", machine && !missing },
        { "machine.locate", missing },
        { "machine.forget", known && !live },
        { "machine.show-files", machine && !missing },
        { "machine.hide-thumbnail", shows },
        { "machine.show-thumbnail", whole && !shows },
        { "win.fullscreen", open && live },
        { "win.demo", window_get_demo() != NULL },
        { "win.undo", self->undo_toasts->len > 0 },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        gtk_widget_action_set_enabled(GTK_WIDGET(self), states[i].action, states[i].enabled);
    if (!open || !live)
        gtk_window_unfullscreen(GTK_WINDOW(self));
    window_update_header(self, open ? machine : NULL);
}

static void add_shortcuts(GtkWidgetClass *klass)
{
    static const struct {
        guint key;
        GdkModifierType modifiers;
        const char *action;
    } shortcuts[] = {
        { GDK_KEY_n, GDK_CONTROL_MASK, "win.new" },
        { GDK_KEY_o, GDK_CONTROL_MASK, "win.new" },
        { GDK_KEY_f, GDK_CONTROL_MASK, "win.search" },
        { GDK_KEY_F1, 0, "win.shortcuts" },
        { GDK_KEY_question, GDK_CONTROL_MASK, "win.shortcuts" },
        { GDK_KEY_question, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "win.shortcuts" },
        { GDK_KEY_comma, GDK_CONTROL_MASK, "app.preferences" },
        { GDK_KEY_z, GDK_CONTROL_MASK, "win.undo" },
        { GDK_KEY_F11, 0, "win.fullscreen" },
        { GDK_KEY_Left, GDK_ALT_MASK, "win.back" },
        { GDK_KEY_Right, GDK_ALT_MASK, "win.forward" },
        /* With Shift, too: beside a guest's screen the plain ones are the guest's. */
        { GDK_KEY_w, GDK_CONTROL_MASK, "window.close" },
        { GDK_KEY_w, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "window.close" },
        { GDK_KEY_q, GDK_CONTROL_MASK, "app.quit" },
        { GDK_KEY_q, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "app.quit" },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(shortcuts); i++)
        gtk_widget_class_add_binding_action(klass, shortcuts[i].key, shortcuts[i].modifiers,
                                            shortcuts[i].action, NULL);
}

void window_install_actions(GtkWidgetClass *klass)
{
    static const struct {
        const char *name, *parameter;
        GtkWidgetActionActivateFunc activate;
    } actions[] = {
        { "win.new", NULL, action_new },
        { "win.new-empty", NULL, action_new_empty },
        { "win.new-from", "s", action_new_from },
        { "win.demo", NULL, action_demo },
        { "win.back", NULL, action_back },
        { "win.forward", NULL, action_forward },
        { "win.search", NULL, action_search },
        { "win.shortcuts", NULL, action_shortcuts },
        { "win.fullscreen", NULL, action_fullscreen },
        { "win.undo", NULL, action_undo },
        { "win.undo-trash", "(ss)", action_undo_trash },
        { "machine.open", NULL, action_open },
        { "machine.start", NULL, action_start },
        { "machine.toggle-pause", NULL, action_pause },
        { "machine.pause", NULL, action_pause },
        { "machine.resume", NULL, action_pause },
        { "machine.reset", NULL, action_reset },
        { "machine.power-button", NULL, action_power_button },
        { "machine.force-off", NULL, action_force_off },
        { "machine.insert", NULL, action_insert },
        { "machine.eject", NULL, action_eject },
        { "machine.keys", "s", action_keys },
        { "machine.screenshot", NULL, action_screenshot },
        { "machine.settings", NULL, action_settings },
        { "machine.log", NULL, action_log },
        { "machine.rename", NULL, action_manage },
        { "machine.clone", NULL, action_manage },
        { "machine.trash", NULL, action_manage },
        { "machine.forget", NULL, action_manage },
        { "machine.locate", NULL, action_manage },
        { "machine.show-files", NULL, action_manage },
        { "machine.hide-thumbnail", NULL, action_thumbnail },
        { "machine.show-thumbnail", NULL, action_thumbnail },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        gtk_widget_class_install_action(klass, actions[i].name, actions[i].parameter,
                                        actions[i].activate);
    add_shortcuts(klass);
}
