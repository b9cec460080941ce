/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Mouse, wheel and fingers. A guest with an absolute pointer follows ours; one with a relative
 * mouse takes it, after a click, and then ours is hidden and kept inside. */

#include "display/presenter.h"
#include "display/screen-private.h"
#include <math.h>

#define SURFACE_UNITS_A_STEP 30 /* of a touchpad, for a step of the guest's wheel */

void screen_geometry(VitrineScreen *self, DisplayGeometry *out)
{
    DisplayPlace place;
    presenter_place(GTK_WIDGET(self), &place);
    display_geometry_fit(vitrine_frame_get_width(self->frame),
                         vitrine_frame_get_height(self->frame), &place, out);
}

/* Guest pixels a logical unit. */
static double screen_motion_factor(VitrineScreen *self)
{
    DisplayGeometry geometry;
    screen_geometry(self, &geometry);
    return geometry.width > 0 ? vitrine_frame_get_width(self->frame) / geometry.width : 1;
}

static void on_lock_moved(double dx, double dy, gpointer opaque)
{
    VitrineScreen *self = opaque;
    double factor = screen_motion_factor(self);
    vitrine_input_move_by(self->input, dx * factor, dy * factor);
}

void screen_update_cursor(VitrineScreen *self)
{
    bool hidden = vitrine_screen_get_pointer_grabbed(self);
    if (!hidden)
        g_clear_pointer(&self->lock, pointer_lock_free);
    else if (!self->lock)
        self->lock = pointer_lock_new(GTK_WIDGET(self), on_lock_moved, self);
    const char *name = self->selecting ? "text" : hidden ? "none" : NULL;
    gtk_widget_set_cursor_from_name(GTK_WIDGET(self), name);
}

void screen_set_pointer_grabbed(VitrineScreen *self, bool grabbed)
{
    if (self->pointer_grabbed == grabbed)
        return;
    self->pointer_grabbed = grabbed;
    self->last_x = self->last_y = NAN;
    screen_update_cursor(self);
    g_object_notify(G_OBJECT(self), "pointer-grabbed");
}

/* Motion ----------------------------------------------------------------------------------------
 */

static void screen_relative_motion(VitrineScreen *self, double x, double y)
{
    double factor = screen_motion_factor(self);
    if (!isnan(self->last_x))
        vitrine_input_move_by(self->input, (x - self->last_x) * factor,
                              (y - self->last_y) * factor);
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

static void screen_absolute_motion(VitrineScreen *self, double x, double y)
{
    DisplayGeometry geometry;
    unsigned guest_x, guest_y;
    screen_geometry(self, &geometry);
    if (display_geometry_to_guest(&geometry, vitrine_frame_get_width(self->frame),
                                  vitrine_frame_get_height(self->frame), x, y, &guest_x, &guest_y))
        vitrine_input_move_to(self->input, guest_x, guest_y);
}

static void on_motion(GtkEventControllerMotion *controller, double x, double y, VitrineScreen *self)
{
    if (self->selecting)
        return;
    if (vitrine_input_is_absolute(self->input))
        screen_absolute_motion(self, x, y);
    else if (self->pointer_grabbed && !self->lock)
        screen_relative_motion(self, x, y);
}

static void on_leave(GtkEventControllerMotion *controller, VitrineScreen *self)
{
    self->last_x = self->last_y = NAN;
}

/* Buttons and wheel -----------------------------------------------------------------------------
 */

static int guest_button(GtkGestureClick *gesture)
{
    switch (gtk_gesture_single_get_current_button(GTK_GESTURE_SINGLE(gesture))) {
    case GDK_BUTTON_PRIMARY: return INPUT_BUTTON_LEFT;
    case GDK_BUTTON_MIDDLE: return INPUT_BUTTON_MIDDLE;
    case GDK_BUTTON_SECONDARY: return INPUT_BUTTON_RIGHT;
    case 8: return INPUT_BUTTON_SIDE;
    case 9: return INPUT_BUTTON_EXTRA;
    default: return -1;
    }
}

static void on_pressed(GtkGestureClick *gesture, int n_press, double x, double y,
                       VitrineScreen *self)
{
    bool was_grabbed = self->pointer_grabbed;
    if (self->selecting)
        return;
    gtk_widget_grab_focus(GTK_WIDGET(self));
    vitrine_screen_grab(self);
    screen_set_pointer_grabbed(self, self->grabbed);
    int button = guest_button(gesture);
    /* The click that takes a relative mouse is for us. */
    if (button >= 0 && (was_grabbed || vitrine_input_is_absolute(self->input)))
        vitrine_input_button(self->input, (InputButton)button, true);
}

static void on_released(GtkGestureClick *gesture, int n_press, double x, double y,
                        VitrineScreen *self)
{
    int button = guest_button(gesture);
    if (button >= 0)
        vitrine_input_button(self->input, (InputButton)button, false);
}

static gboolean on_scroll(GtkEventControllerScroll *controller, double dx, double dy,
                          VitrineScreen *self)
{
    bool in_units = gtk_event_controller_scroll_get_unit(controller) == GDK_SCROLL_UNIT_SURFACE;
    vitrine_input_scroll(self->input, in_units ? dy / SURFACE_UNITS_A_STEP : dy);
    return GDK_EVENT_STOP;
}

/* Fingers ---------------------------------------------------------------------------------------
 */

static void screen_act(VitrineScreen *self, const TouchAction *action)
{
    double factor = screen_motion_factor(self);
    InputButton button = action->is_right ? INPUT_BUTTON_RIGHT : INPUT_BUTTON_LEFT;
    switch (action->kind) {
    case TOUCH_DO_MOVE_TO: screen_absolute_motion(self, action->x, action->y); break;
    case TOUCH_DO_MOVE_BY:
        vitrine_input_move_by(self->input, action->x * factor, action->y * factor);
        break;
    case TOUCH_DO_PRESS: vitrine_input_button(self->input, button, true); break;
    case TOUCH_DO_RELEASE: vitrine_input_button(self->input, button, false); break;
    case TOUCH_DO_SCROLL: vitrine_input_scroll(self->input, action->y); break;
    }
}

static bool touch_phase(GdkEvent *event, TouchPhase *out_phase)
{
    switch (gdk_event_get_event_type(event)) {
    case GDK_TOUCH_BEGIN: *out_phase = TOUCH_BEGIN; return true;
    case GDK_TOUCH_UPDATE: *out_phase = TOUCH_MOVE; return true;
    case GDK_TOUCH_END: *out_phase = TOUCH_END; return true;
    case GDK_TOUCH_CANCEL: *out_phase = TOUCH_CANCEL; return true;
    default: return false;
    }
}

static gboolean on_event(GtkEventController *controller, GdkEvent *event, VitrineScreen *self)
{
    TouchEvent touch = { .finger = gdk_event_get_event_sequence(event),
                         .time_ms = gdk_event_get_time(event) };
    TouchAction actions[TOUCH_MAX_ACTIONS];
    double x, y, offset_x, offset_y;
    GtkNative *native = gtk_widget_get_native(GTK_WIDGET(self));
    if (!touch_phase(event, &touch.phase) || !gdk_event_get_position(event, &x, &y))
        return GDK_EVENT_PROPAGATE;
    gtk_native_get_surface_transform(native, &offset_x, &offset_y);
    gtk_widget_translate_coordinates(GTK_WIDGET(native), GTK_WIDGET(self), x - offset_x,
                                     y - offset_y, &touch.x, &touch.y);
    if (touch.phase == TOUCH_BEGIN) {
        gtk_widget_grab_focus(GTK_WIDGET(self));
        vitrine_screen_grab(self);
    }
    unsigned n = touch_feed(&self->touch, &touch, vitrine_input_is_absolute(self->input), actions);
    for (unsigned i = 0; i < n; i++)
        screen_act(self, &actions[i]);
    return GDK_EVENT_STOP;
}

void screen_add_pointer(VitrineScreen *self)
{
    GtkWidget *widget = GTK_WIDGET(self);
    GtkEventController *fingers = gtk_event_controller_legacy_new();
    gtk_event_controller_set_propagation_phase(fingers, GTK_PHASE_CAPTURE);
    g_signal_connect(fingers, "event", G_CALLBACK(on_event), self);
    gtk_widget_add_controller(widget, fingers);

    GtkEventController *motion = gtk_event_controller_motion_new();
    g_signal_connect(motion, "motion", G_CALLBACK(on_motion), self);
    g_signal_connect(motion, "leave", G_CALLBACK(on_leave), self);
    gtk_widget_add_controller(widget, motion);

    GtkEventController *scroll =
        gtk_event_controller_scroll_new(GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);
    g_signal_connect(scroll, "scroll", G_CALLBACK(on_scroll), self);
    gtk_widget_add_controller(widget, scroll);

    GtkGesture *click = gtk_gesture_click_new();
    gtk_gesture_single_set_button(GTK_GESTURE_SINGLE(click), 0);
    g_signal_connect(click, "pressed", G_CALLBACK(on_pressed), self);
    g_signal_connect(click, "released", G_CALLBACK(on_released), self);
    gtk_widget_add_controller(widget, GTK_EVENT_CONTROLLER(click));
}
