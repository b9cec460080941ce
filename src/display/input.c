/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/input.h"
#include "client/client.h"
#include "display/keymap.h"
#include <math.h>

#define MAX_QNUM 255
#define MAX_STEPS_AT_ONCE 8 /* a wheel that was flung is not obeyed for seconds */

struct _VitrineInput {
    GObject parent;
    /* owned */
    QemuDBusDisplay1Keyboard *keyboard; /* NULL until it answers */
    QemuDBusDisplay1Mouse *mouse;       /* likewise */
    GCancellable *cancellable;          /* of the proxies that are on their way */
    /* what the guest believes */
    bool keys[MAX_QNUM + 1];
    bool buttons[INPUT_N_BUTTONS];
    /* what is not yet told, being less than one */
    double rest_x, rest_y, rest_steps;
};

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineInput, vitrine_input, G_TYPE_OBJECT)

static void input_changed(VitrineInput *self)
{
    g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

/* Keys ------------------------------------------------------------------------------------------
 */

static void input_tell_key(VitrineInput *self, unsigned qnum, bool down)
{
    self->keys[qnum] = down;
    if (down)
        qemu_dbus_display1_keyboard_call_press(self->keyboard, qnum, NULL, NULL, NULL);
    else
        qemu_dbus_display1_keyboard_call_release(self->keyboard, qnum, NULL, NULL, NULL);
}

void vitrine_input_key(VitrineInput *self, unsigned evdev, bool down)
{
    unsigned qnum = keymap_qnum_from_evdev(evdev);
    if (self->keyboard && qnum > 0 && qnum <= MAX_QNUM && (down || self->keys[qnum]))
        input_tell_key(self, qnum, down);
}

/* Mouse -----------------------------------------------------------------------------------------
 */

static void input_tell_button(VitrineInput *self, InputButton button, bool down)
{
    self->buttons[button] = down;
    if (down)
        qemu_dbus_display1_mouse_call_press(self->mouse, button, NULL, NULL, NULL);
    else
        qemu_dbus_display1_mouse_call_release(self->mouse, button, NULL, NULL, NULL);
}

void vitrine_input_button(VitrineInput *self, InputButton button, bool down)
{
    g_return_if_fail(button < INPUT_N_BUTTONS);
    if (self->mouse && self->buttons[button] != down)
        input_tell_button(self, button, down);
}

/* The whole part of *@rest, which keeps the fraction. */
static int take_whole(double *rest)
{
    double whole = CLAMP(trunc(*rest), -1e6, 1e6);
    *rest -= whole;
    return (int)whole;
}

void vitrine_input_move_by(VitrineInput *self, double dx, double dy)
{
    if (!self->mouse || !isfinite(dx) || !isfinite(dy))
        return;
    self->rest_x += dx;
    self->rest_y += dy;
    int x = take_whole(&self->rest_x), y = take_whole(&self->rest_y);
    if (x || y)
        qemu_dbus_display1_mouse_call_rel_motion(self->mouse, x, y, NULL, NULL, NULL);
}

void vitrine_input_move_to(VitrineInput *self, unsigned x, unsigned y)
{
    if (self->mouse)
        qemu_dbus_display1_mouse_call_set_abs_position(self->mouse, x, y, NULL, NULL, NULL);
}

void vitrine_input_scroll(VitrineInput *self, double steps)
{
    if (!self->mouse || !isfinite(steps))
        return;
    if (steps * self->rest_steps < 0)
        self->rest_steps = 0; /* turned round: what was left of the other way is void */
    self->rest_steps += steps;
    int whole = take_whole(&self->rest_steps);
    InputButton button = whole < 0 ? INPUT_BUTTON_WHEEL_UP : INPUT_BUTTON_WHEEL_DOWN;
    for (int i = 0; i < MIN(ABS(whole), MAX_STEPS_AT_ONCE); i++) {
        input_tell_button(self, button, true);
        input_tell_button(self, button, false);
    }
}

void vitrine_input_release_all(VitrineInput *self)
{
    for (unsigned qnum = 0; self->keyboard && qnum <= MAX_QNUM; qnum++)
        if (self->keys[qnum])
            input_tell_key(self, qnum, false);
    for (unsigned button = 0; self->mouse && button < INPUT_N_BUTTONS; button++)
        if (self->buttons[button])
            input_tell_button(self, (InputButton)button, false);
    self->rest_x = self->rest_y = self->rest_steps = 0;
}

/* The wire --------------------------------------------------------------------------------------
 */

bool vitrine_input_is_ready(VitrineInput *self)
{
    return self->keyboard != NULL;
}

bool vitrine_input_is_absolute(VitrineInput *self)
{
    return self->mouse && qemu_dbus_display1_mouse_get_is_absolute(self->mouse);
}

static void on_keyboard(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineInput) self = opaque;
    g_autoptr(GError) error = NULL;
    QemuDBusDisplay1Keyboard *keyboard =
        qemu_dbus_display1_keyboard_proxy_new_finish(result, &error);
    if (!keyboard)
        return; /* another connection, or none, took its place */
    self->keyboard = keyboard;
    input_changed(self);
}

static void on_mouse(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineInput) self = opaque;
    g_autoptr(GError) error = NULL;
    QemuDBusDisplay1Mouse *mouse = qemu_dbus_display1_mouse_proxy_new_finish(result, &error);
    if (!mouse)
        return;
    self->mouse = mouse;
    g_signal_connect_object(mouse, "notify::is-absolute", G_CALLBACK(input_changed), self,
                            G_CONNECT_SWAPPED);
    input_changed(self);
}

static void input_drop_connection(VitrineInput *self)
{
    vitrine_input_release_all(self);
    g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->cancellable);
    g_clear_object(&self->keyboard);
    g_clear_object(&self->mouse);
    memset(self->keys, 0, sizeof self->keys);
    memset(self->buttons, 0, sizeof self->buttons);
}

void vitrine_input_set_connection(VitrineInput *self, GDBusConnection *connection)
{
    input_drop_connection(self);
    input_changed(self);
    if (!connection)
        return;
    self->cancellable = g_cancellable_new();
    qemu_dbus_display1_keyboard_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                          CLIENT_PATH_CONSOLE, self->cancellable, on_keyboard,
                                          g_object_ref(self));
    qemu_dbus_display1_mouse_proxy_new(connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                       CLIENT_PATH_CONSOLE, self->cancellable, on_mouse,
                                       g_object_ref(self));
}

static void vitrine_input_dispose(GObject *object)
{
    input_drop_connection(VITRINE_INPUT(object));
    G_OBJECT_CLASS(vitrine_input_parent_class)->dispose(object);
}

static void vitrine_input_class_init(VitrineInputClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_input_dispose;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", VITRINE_TYPE_INPUT, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void vitrine_input_init(VitrineInput *self)
{
}

VitrineInput *vitrine_input_new(void)
{
    return g_object_new(VITRINE_TYPE_INPUT, NULL);
}
