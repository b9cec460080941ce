/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "client/settings.h"
#include "ui/log-window.h"
#include "ui/machine-page-private.h"
#include <glib/gi18n.h>

enum { PROP_0, PROP_GRABBED, PROP_HINT, PROP_RELEASE_CHORD, PROP_HOST_CHORDS, N_PROPS };
static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE(VitrineMachinePage, vitrine_machine_page, GTK_TYPE_WIDGET)

static void page_drop_screen(VitrineMachinePage *self)
{
    self->connection = NULL;
    /* The page has no screen any more when the screen, letting go, tells what has changed. */
    VitrineScreen *screen = g_steal_pointer(&self->screen);
    if (screen) {
        vitrine_text_bar_set_screen(self->text_bar, NULL);
        vitrine_screen_set_connection(screen, NULL);
        gtk_box_remove(self->screen_box, GTK_WIDGET(screen));
        page_forget_input(self);
    }
    if (self->frame)
        vitrine_frame_disconnect(self->frame);
    g_clear_object(&self->frame);
}

static void on_frame_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    GError *error = NULL;
    if (!vitrine_frame_connect_finish(VITRINE_FRAME(source), result, &error)) {
        g_warning("no picture: %s", error->message);
        g_error_free(error);
    }
}

static void page_show_problem(VitrineMachinePage *self)
{
    const char *problem = vitrine_frame_get_problem(self->frame);
    gtk_label_set_text(self->screen_problem, problem ? problem : "");
    gtk_widget_set_visible(GTK_WIDGET(self->screen_problem), problem != NULL);
}

static void page_make_screen(VitrineMachinePage *self, GDBusConnection *connection)
{
    self->connection = connection;
    self->frame = vitrine_frame_new();
    g_signal_connect_object(self->frame, "resized", G_CALLBACK(page_show_problem), self,
                            G_CONNECT_SWAPPED);
    gtk_widget_set_visible(GTK_WIDGET(self->screen_problem), FALSE);
    GtkWidget *screen = vitrine_screen_new(self->frame);
    self->screen = VITRINE_SCREEN(screen);
    gtk_widget_set_hexpand(screen, TRUE);
    gtk_widget_set_vexpand(screen, TRUE);
    page_follow_input(self);
    page_follow_text(self);
    gtk_box_append(self->screen_box, screen);
    vitrine_screen_set_connection(self->screen, connection);
    vitrine_frame_connect_async(self->frame, connection, NULL, on_frame_connected, NULL);
    gtk_widget_grab_focus(screen);
}

static void page_show_status(VitrineMachinePage *self)
{
    ClientState state = vitrine_machine_get_state(self->machine);
    const char *problem = vitrine_machine_get_problem(self->machine);
    bool ended_badly = state == CLIENT_CRASHED || state == CLIENT_FAILED;
    adw_status_page_set_icon_name(self->status, ended_badly ? "dialog-warning-symbolic"
                                                            : "system-shutdown-symbolic");
    adw_status_page_set_title(self->status, state == CLIENT_CRASHED
                                                ? _("The machine stopped unexpectedly")
                                            : state == CLIENT_FAILED ? _("The machine cannot run")
                                                                     : _("The machine is off"));
    g_autofree char *escaped = g_markup_escape_text(problem ? problem : "", -1);
    adw_status_page_set_description(self->status, escaped);
    gtk_widget_set_visible(GTK_WIDGET(self->status_button),
                           vitrine_machine_can_start(self->machine));
    gtk_widget_set_visible(GTK_WIDGET(self->log_button), state == CLIENT_CRASHED);
    gtk_stack_set_visible_child_name(self->stack, "status");
}

static void page_update_notice(VitrineMachinePage *self)
{
    ClientState state = vitrine_machine_get_state(self->machine);
    const char *problem = vitrine_machine_get_problem(self->machine);
    if (state == CLIENT_PAUSED_PROBLEM)
        gtk_label_set_text(self->notice, problem);
    else if (state == CLIENT_PAUSED)
        gtk_label_set_text(self->notice, _("Paused"));
    gtk_revealer_set_reveal_child(self->notice_revealer,
                                  state == CLIENT_PAUSED || state == CLIENT_PAUSED_PROBLEM);
}

/* It runs, says the library, and the connection is not there yet. */
static bool page_awaits_engine(VitrineMachinePage *self)
{
    ClientState state = vitrine_machine_get_state(self->machine);
    return client_state_is_live(state) && state != CLIENT_FAILED;
}

static void page_update(VitrineMachinePage *self)
{
    GDBusConnection *connection =
        self->machine ? vitrine_machine_get_connection(self->machine) : NULL;
    if (connection != self->connection) {
        page_drop_screen(self);
        if (connection)
            page_make_screen(self, connection);
    }
    page_update_actions(self);
    if (!self->machine)
        return;
    if (connection)
        gtk_stack_set_visible_child_name(self->stack, "screen");
    else if (vitrine_machine_is_starting(self->machine) || page_awaits_engine(self))
        gtk_stack_set_visible_child_name(self->stack, "starting");
    else
        page_show_status(self);
    page_update_notice(self);
}

void vitrine_machine_page_set_machine(VitrineMachinePage *self, VitrineMachine *machine)
{
    if (self->machine == machine)
        return;
    if (self->machine)
        g_signal_handlers_disconnect_by_data(self->machine, self);
    g_set_object(&self->machine, machine);
    if (machine) {
        g_signal_connect_swapped(machine, "notify::state", G_CALLBACK(page_update), self);
        g_signal_connect_swapped(machine, "notify::live", G_CALLBACK(page_update), self);
        g_signal_connect_swapped(machine, "notify::problem", G_CALLBACK(page_update), self);
    }
    page_update(self);
}

VitrineMachine *vitrine_machine_page_get_machine(VitrineMachinePage *self)
{
    return self->machine;
}

static void on_status_clicked(GtkButton *button, VitrineMachinePage *self)
{
    vitrine_machine_start(self->machine);
}

static void on_log_clicked(GtkButton *button, VitrineMachinePage *self)
{
    log_window_show(GTK_WINDOW(gtk_widget_get_root(GTK_WIDGET(self))), self->machine);
}

static void on_notice_clicked(GtkButton *button, VitrineMachinePage *self)
{
    vitrine_machine_resume(self->machine);
    vitrine_machine_page_focus_screen(self);
}

static void vitrine_machine_page_get_property(GObject *object, guint id, GValue *value,
                                              GParamSpec *spec)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(object);
    switch (id) {
    case PROP_GRABBED: g_value_set_boolean(value, vitrine_machine_page_get_grabbed(self)); break;
    case PROP_HINT: g_value_set_string(value, self->hint); break;
    case PROP_RELEASE_CHORD: g_value_set_string(value, self->release_chord); break;
    case PROP_HOST_CHORDS: g_value_set_boxed(value, self->host_chords); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_machine_page_set_property(GObject *object, guint id, const GValue *value,
                                              GParamSpec *spec)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(object);
    switch (id) {
    case PROP_RELEASE_CHORD: page_set_release_chord(self, g_value_get_string(value)); break;
    case PROP_HOST_CHORDS: page_set_host_chords(self, g_value_get_boxed(value)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void page_root(GtkWidget *widget)
{
    GTK_WIDGET_CLASS(vitrine_machine_page_parent_class)->root(widget);
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(widget);
    page_follow_focus(self, gtk_widget_get_root(widget));
    if (self->root)
        gtk_widget_insert_action_group(GTK_WIDGET(self->root), "screen",
                                       G_ACTION_GROUP(self->actions));
}

static void page_unroot(GtkWidget *widget)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(widget);
    if (self->root)
        gtk_widget_insert_action_group(GTK_WIDGET(self->root), "screen", NULL);
    page_follow_focus(self, NULL);
    GTK_WIDGET_CLASS(vitrine_machine_page_parent_class)->unroot(widget);
}

static void vitrine_machine_page_dispose(GObject *object)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(object);
    GtkWidget *child;
    if (self->machine)
        g_signal_handlers_disconnect_by_data(self->machine, self);
    if (self->stack)
        page_drop_screen(self);
    self->stack = NULL;
    g_clear_object(&self->machine);
    while ((child = gtk_widget_get_first_child(GTK_WIDGET(self))))
        gtk_widget_unparent(child);
    G_OBJECT_CLASS(vitrine_machine_page_parent_class)->dispose(object);
}

static void vitrine_machine_page_finalize(GObject *object)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(object);
    g_free(self->release_chord);
    g_strfreev(self->host_chords);
    g_free(self->hint);
    g_object_unref(self->actions);
    g_object_unref(self->settings);
    G_OBJECT_CLASS(vitrine_machine_page_parent_class)->finalize(object);
}

#define READ (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)
#define READ_WRITE (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)

static void vitrine_machine_page_class_init(VitrineMachinePageClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    object_class->dispose = vitrine_machine_page_dispose;
    object_class->finalize = vitrine_machine_page_finalize;
    object_class->get_property = vitrine_machine_page_get_property;
    object_class->set_property = vitrine_machine_page_set_property;
    widget_class->root = page_root;
    widget_class->unroot = page_unroot;
    properties[PROP_GRABBED] = g_param_spec_boolean("grabbed", NULL, NULL, FALSE, READ);
    properties[PROP_HINT] = g_param_spec_string("hint", NULL, NULL, NULL, READ);
    properties[PROP_RELEASE_CHORD] =
        g_param_spec_string("release-chord", NULL, NULL, NULL, READ_WRITE);
    properties[PROP_HOST_CHORDS] =
        g_param_spec_boxed("host-chords", NULL, NULL, G_TYPE_STRV, READ_WRITE);
    g_object_class_install_properties(object_class, N_PROPS, properties);
    g_type_ensure(VITRINE_TYPE_TEXT_BAR);
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/machine-page.ui");
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, stack);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, screen_box);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, status);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, status_button);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, log_button);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, notice);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, notice_revealer);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, hint_label);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, screen_problem);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, hint_revealer);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachinePage, text_bar);
    gtk_widget_class_bind_template_callback(widget_class, on_status_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_log_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_notice_clicked);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
    page_bind_text_keys(widget_class);
    /* Among the host chords: these work while the guest has the keyboard. */
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Return,
                                        GDK_CONTROL_MASK | GDK_ALT_MASK, "win.fullscreen", NULL);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Down, GDK_CONTROL_MASK | GDK_ALT_MASK,
                                        "win.back", NULL);
}

static void vitrine_machine_page_init(VitrineMachinePage *self)
{
    page_make_actions(self);
    gtk_widget_init_template(GTK_WIDGET(self));
    self->settings = client_settings_new();
    g_settings_bind(self->settings, "release-chord", self, "release-chord", G_SETTINGS_BIND_GET);
    g_settings_bind(self->settings, "reserved-chords", self, "host-chords", G_SETTINGS_BIND_GET);
}

GtkWidget *vitrine_machine_page_new(void)
{
    return g_object_new(VITRINE_TYPE_MACHINE_PAGE, NULL);
}
