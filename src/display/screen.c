/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/screen.h"
#include "client/client.h"
#include "display/geometry.h"
#include "display/keymap.h"
#include "display/pointer-lock.h"
#include "display/presenter.h"
#include <linux/input-event-codes.h>
#include <math.h>

#define XKB_EVDEV_OFFSET 8
/* Buttons of org.qemu.Display1.Mouse. */
enum {
    BUTTON_LEFT,
    BUTTON_MIDDLE,
    BUTTON_RIGHT,
    BUTTON_WHEEL_UP,
    BUTTON_WHEEL_DOWN,
    BUTTON_SIDE,
    BUTTON_EXTRA
};

struct _VitrineScreen {
    GtkWidget parent;
    VitrineFrame *frame;                /* owned */
    GtkWidget *presenter;               /* child; NULL until realized */
    QemuDBusDisplay1Keyboard *keyboard; /* owned, or NULL */
    QemuDBusDisplay1Mouse *mouse;       /* owned, or NULL */
    GtkGesture *click;                  /* owned by the widget */
    bool grabbed, pointer_grabbed;
    bool held[256];                         /* qnums that the guest believes pressed */
    bool left_ctrl, left_alt, chord_broken; /* the release chord, as far as it has come */
    double last_x, last_y;                  /* pointer, for relative motion; NAN: unknown */
    double rest_x, rest_y;                  /* motion not yet sent, below a pixel */
    double scroll;
};

enum { PROP_0, PROP_GRABBED, N_PROPS };
static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE(VitrineScreen, vitrine_screen, GTK_TYPE_WIDGET)

static void screen_key(VitrineScreen *self, unsigned qnum, bool down)
{
    if (!self->keyboard || qnum == 0 || qnum > 255)
        return;
    self->held[qnum] = down;
    if (down)
        qemu_dbus_display1_keyboard_call_press(self->keyboard, qnum, NULL, NULL, NULL);
    else
        qemu_dbus_display1_keyboard_call_release(self->keyboard, qnum, NULL, NULL, NULL);
}

static void screen_release_keys(VitrineScreen *self)
{
    for (unsigned qnum = 0; qnum < G_N_ELEMENTS(self->held); qnum++)
        if (self->held[qnum])
            screen_key(self, qnum, false);
    self->left_ctrl = self->left_alt = false;
}

static GdkToplevel *screen_toplevel(VitrineScreen *self)
{
    GtkNative *native = gtk_widget_get_native(GTK_WIDGET(self));
    GdkSurface *surface = native ? gtk_native_get_surface(native) : NULL;
    return GDK_IS_TOPLEVEL(surface) ? GDK_TOPLEVEL(surface) : NULL;
}

static bool screen_is_absolute(VitrineScreen *self)
{
    return self->mouse && qemu_dbus_display1_mouse_get_is_absolute(self->mouse);
}

static void screen_update_cursor(VitrineScreen *self)
{
    gtk_widget_set_cursor_from_name(
        GTK_WIDGET(self), self->pointer_grabbed && !screen_is_absolute(self) ? "none" : NULL);
}

void vitrine_screen_grab(VitrineScreen *self)
{
    if (self->grabbed || !self->keyboard)
        return;
    self->grabbed = true;
    self->last_x = self->last_y = NAN;
    GdkToplevel *toplevel = screen_toplevel(self);
    if (toplevel)
        gdk_toplevel_inhibit_system_shortcuts(toplevel, NULL);
    screen_update_cursor(self);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_GRABBED]);
}

void vitrine_screen_release(VitrineScreen *self)
{
    if (!self->grabbed)
        return;
    screen_release_keys(self);
    self->grabbed = self->pointer_grabbed = false;
    GdkToplevel *toplevel = screen_toplevel(self);
    if (toplevel)
        gdk_toplevel_restore_system_shortcuts(toplevel);
    screen_update_cursor(self);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_GRABBED]);
}

bool vitrine_screen_get_grabbed(VitrineScreen *self)
{
    return self->grabbed;
}

bool vitrine_screen_get_pointer_grabbed(VitrineScreen *self)
{
    return self->pointer_grabbed && !screen_is_absolute(self);
}

static gboolean on_key_pressed(GtkEventControllerKey *controller, guint keyval, guint keycode,
                               GdkModifierType modifiers, VitrineScreen *self)
{
    unsigned evdev = keycode - XKB_EVDEV_OFFSET;
    if (!self->grabbed)
        return GDK_EVENT_PROPAGATE;
    if (evdev == KEY_LEFTCTRL || evdev == KEY_LEFTALT) {
        if (!self->left_ctrl && !self->left_alt)
            self->chord_broken = false;
        *(evdev == KEY_LEFTCTRL ? &self->left_ctrl : &self->left_alt) = true;
    } else {
        self->chord_broken = true;
    }
    screen_key(self, keymap_qnum_from_evdev(evdev), true);
    return GDK_EVENT_STOP;
}

static void on_key_released(GtkEventControllerKey *controller, guint keyval, guint keycode,
                            GdkModifierType modifiers, VitrineScreen *self)
{
    unsigned evdev = keycode - XKB_EVDEV_OFFSET;
    if (!self->grabbed)
        return;
    bool is_chord = (evdev == KEY_LEFTCTRL || evdev == KEY_LEFTALT) && self->left_ctrl &&
                    self->left_alt && !self->chord_broken;
    if (evdev == KEY_LEFTCTRL)
        self->left_ctrl = false;
    if (evdev == KEY_LEFTALT)
        self->left_alt = false;
    screen_key(self, keymap_qnum_from_evdev(evdev), false);
    if (is_chord)
        vitrine_screen_release(self);
}

static void on_focus_in(GtkEventControllerFocus *controller, VitrineScreen *self)
{
    vitrine_screen_grab(self);
}

static void on_focus_out(GtkEventControllerFocus *controller, VitrineScreen *self)
{
    vitrine_screen_release(self);
}

static void screen_geometry(VitrineScreen *self, DisplayGeometry *out)
{
    GtkWidget *widget = GTK_WIDGET(self);
    display_geometry_fit(vitrine_frame_get_width(self->frame),
                         vitrine_frame_get_height(self->frame), gtk_widget_get_width(widget),
                         gtk_widget_get_height(widget), presenter_scale(widget), out);
}

static void screen_relative_motion(VitrineScreen *self, const DisplayGeometry *geometry, double x,
                                   double y)
{
    if (!isnan(self->last_x)) {
        double factor =
            geometry->width > 0 ? vitrine_frame_get_width(self->frame) / geometry->width : 1;
        self->rest_x += (x - self->last_x) * factor;
        self->rest_y += (y - self->last_y) * factor;
        int dx = (int)self->rest_x, dy = (int)self->rest_y;
        if (dx || dy) {
            qemu_dbus_display1_mouse_call_rel_motion(self->mouse, dx, dy, NULL, NULL, NULL);
            self->rest_x -= dx;
            self->rest_y -= dy;
        }
    }
    self->last_x = x;
    self->last_y = y;
    /* Near the edge the pointer is put back into the middle, where the host lets us. */
    double width = gtk_widget_get_width(GTK_WIDGET(self)),
           height = gtk_widget_get_height(GTK_WIDGET(self));
    if ((x < width / 4 || x > width * 3 / 4 || y < height / 4 || y > height * 3 / 4) &&
        pointer_lock_warp(GTK_WIDGET(self), width / 2, height / 2)) {
        self->last_x = width / 2;
        self->last_y = height / 2;
    }
}

static void on_motion(GtkEventControllerMotion *controller, double x, double y, VitrineScreen *self)
{
    DisplayGeometry geometry;
    unsigned guest_x, guest_y;
    if (!self->mouse)
        return;
    screen_geometry(self, &geometry);
    if (!screen_is_absolute(self)) {
        if (self->pointer_grabbed)
            screen_relative_motion(self, &geometry, x, y);
        return;
    }
    if (display_geometry_to_guest(&geometry, vitrine_frame_get_width(self->frame),
                                  vitrine_frame_get_height(self->frame), x, y, &guest_x, &guest_y))
        qemu_dbus_display1_mouse_call_set_abs_position(self->mouse, guest_x, guest_y, NULL, NULL,
                                                       NULL);
}

static void on_leave(GtkEventControllerMotion *controller, VitrineScreen *self)
{
    self->last_x = self->last_y = NAN;
}

static int guest_button(guint gdk_button)
{
    switch (gdk_button) {
    case GDK_BUTTON_PRIMARY: return BUTTON_LEFT;
    case GDK_BUTTON_MIDDLE: return BUTTON_MIDDLE;
    case GDK_BUTTON_SECONDARY: return BUTTON_RIGHT;
    case 8: return BUTTON_SIDE;
    case 9: return BUTTON_EXTRA;
    default: return -1;
    }
}

static void on_pressed(GtkGestureClick *gesture, int n_press, double x, double y,
                       VitrineScreen *self)
{
    bool was_grabbed = self->pointer_grabbed;
    gtk_widget_grab_focus(GTK_WIDGET(self));
    vitrine_screen_grab(self);
    self->pointer_grabbed = self->grabbed;
    screen_update_cursor(self);
    int button = guest_button(gtk_gesture_single_get_current_button(GTK_GESTURE_SINGLE(gesture)));
    if (!self->mouse || button < 0)
        return;
    /* The click that takes a relative mouse is for us. */
    if (was_grabbed || screen_is_absolute(self))
        qemu_dbus_display1_mouse_call_press(self->mouse, (guint)button, NULL, NULL, NULL);
}

static void on_released(GtkGestureClick *gesture, int n_press, double x, double y,
                        VitrineScreen *self)
{
    int button = guest_button(gtk_gesture_single_get_current_button(GTK_GESTURE_SINGLE(gesture)));
    if (self->mouse && button >= 0)
        qemu_dbus_display1_mouse_call_release(self->mouse, (guint)button, NULL, NULL, NULL);
}

static gboolean on_scroll(GtkEventControllerScroll *controller, double dx, double dy,
                          VitrineScreen *self)
{
    if (!self->mouse)
        return GDK_EVENT_PROPAGATE;
    self->scroll += dy;
    while (fabs(self->scroll) >= 1) {
        guint button = self->scroll < 0 ? BUTTON_WHEEL_UP : BUTTON_WHEEL_DOWN;
        qemu_dbus_display1_mouse_call_press(self->mouse, button, NULL, NULL, NULL);
        qemu_dbus_display1_mouse_call_release(self->mouse, button, NULL, NULL, NULL);
        self->scroll += self->scroll < 0 ? 1 : -1;
    }
    return GDK_EVENT_STOP;
}

static void on_keyboard_ready(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineScreen) self = opaque;
    g_autoptr(QemuDBusDisplay1Keyboard) keyboard =
        qemu_dbus_display1_keyboard_proxy_new_finish(result, NULL);
    if (!keyboard)
        return;
    g_set_object(&self->keyboard, keyboard);
    if (gtk_widget_has_focus(GTK_WIDGET(self)))
        vitrine_screen_grab(self);
}

static void on_mouse_ready(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineScreen) self = opaque;
    g_autoptr(QemuDBusDisplay1Mouse) mouse =
        qemu_dbus_display1_mouse_proxy_new_finish(result, NULL);
    if (!mouse)
        return;
    g_set_object(&self->mouse, mouse);
    g_signal_connect_object(mouse, "notify::is-absolute", G_CALLBACK(screen_update_cursor), self,
                            G_CONNECT_SWAPPED);
    screen_update_cursor(self);
}

void vitrine_screen_set_connection(VitrineScreen *self, GDBusConnection *connection)
{
    vitrine_screen_release(self);
    g_clear_object(&self->keyboard);
    g_clear_object(&self->mouse);
    if (!connection)
        return;
    qemu_dbus_display1_keyboard_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                          CLIENT_PATH_CONSOLE, NULL, on_keyboard_ready,
                                          g_object_ref(self));
    qemu_dbus_display1_mouse_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                       CLIENT_PATH_CONSOLE, NULL, on_mouse_ready,
                                       g_object_ref(self));
}

static void screen_realize(GtkWidget *widget)
{
    VitrineScreen *self = VITRINE_SCREEN(widget);
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->realize(widget);
    if (self->presenter)
        return;
    bool gl = presenter_wants_gl(gtk_native_get_surface(gtk_widget_get_native(widget)));
    self->presenter =
        gl ? vitrine_gl_presenter_new(self->frame) : vitrine_cairo_presenter_new(self->frame);
    gtk_widget_set_hexpand(self->presenter, TRUE);
    gtk_widget_set_vexpand(self->presenter, TRUE);
    gtk_widget_set_parent(self->presenter, widget);
}

static void vitrine_screen_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    if (id == PROP_GRABBED)
        g_value_set_boolean(value, self->grabbed);
    else
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void vitrine_screen_dispose(GObject *object)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    g_clear_pointer(&self->presenter, gtk_widget_unparent);
    g_clear_object(&self->frame);
    g_clear_object(&self->keyboard);
    g_clear_object(&self->mouse);
    G_OBJECT_CLASS(vitrine_screen_parent_class)->dispose(object);
}

static void vitrine_screen_class_init(VitrineScreenClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    object_class->dispose = vitrine_screen_dispose;
    object_class->get_property = vitrine_screen_get_property;
    widget_class->realize = screen_realize;
    properties[PROP_GRABBED] = g_param_spec_boolean("grabbed", NULL, NULL, FALSE,
                                                    G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_properties(object_class, N_PROPS, properties);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
    gtk_widget_class_set_css_name(widget_class, "screen");
    gtk_widget_class_set_accessible_role(widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void screen_add_controllers(VitrineScreen *self)
{
    GtkWidget *widget = GTK_WIDGET(self);
    GtkEventController *key = gtk_event_controller_key_new();
    gtk_event_controller_set_propagation_phase(key, GTK_PHASE_CAPTURE);
    g_signal_connect(key, "key-pressed", G_CALLBACK(on_key_pressed), self);
    g_signal_connect(key, "key-released", G_CALLBACK(on_key_released), self);
    gtk_widget_add_controller(widget, key);

    GtkEventController *focus = gtk_event_controller_focus_new();
    g_signal_connect(focus, "enter", G_CALLBACK(on_focus_in), self);
    g_signal_connect(focus, "leave", G_CALLBACK(on_focus_out), self);
    gtk_widget_add_controller(widget, focus);

    GtkEventController *motion = gtk_event_controller_motion_new();
    g_signal_connect(motion, "motion", G_CALLBACK(on_motion), self);
    g_signal_connect(motion, "leave", G_CALLBACK(on_leave), self);
    gtk_widget_add_controller(widget, motion);

    GtkEventController *scroll =
        gtk_event_controller_scroll_new(GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);
    g_signal_connect(scroll, "scroll", G_CALLBACK(on_scroll), self);
    gtk_widget_add_controller(widget, scroll);

    self->click = gtk_gesture_click_new();
    gtk_gesture_single_set_button(GTK_GESTURE_SINGLE(self->click), 0);
    g_signal_connect(self->click, "pressed", G_CALLBACK(on_pressed), self);
    g_signal_connect(self->click, "released", G_CALLBACK(on_released), self);
    gtk_widget_add_controller(widget, GTK_EVENT_CONTROLLER(self->click));
}

static void vitrine_screen_init(VitrineScreen *self)
{
    self->last_x = self->last_y = NAN;
    gtk_widget_set_focusable(GTK_WIDGET(self), TRUE);
    gtk_widget_set_overflow(GTK_WIDGET(self), GTK_OVERFLOW_HIDDEN);
    screen_add_controllers(self);
}

GtkWidget *vitrine_screen_new(VitrineFrame *frame)
{
    VitrineScreen *self = g_object_new(VITRINE_TYPE_SCREEN, NULL);
    self->frame = g_object_ref(frame);
    gtk_accessible_update_property(
        GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
        "Screen of the machine. Left Control and left Alt together release the keyboard.", -1);
    return GTK_WIDGET(self);
}
