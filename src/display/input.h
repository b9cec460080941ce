/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A person's keys, buttons, motion and wheel on their way to a guest, over org.qemu.Display1. It
 * knows what the guest believes to be pressed, so that all of it can be let go; and it keeps what
 * is smaller than a pixel or a wheel step until there is a whole one. Main thread. Included by the
 * app's display widget and by vitrine-view. */

#include <gio/gio.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_INPUT (vitrine_input_get_type())
G_DECLARE_FINAL_TYPE(VitrineInput, vitrine_input, VITRINE, INPUT, GObject)

/* org.qemu.Display1.Mouse's numbers. */
typedef enum {
    INPUT_BUTTON_LEFT,
    INPUT_BUTTON_MIDDLE,
    INPUT_BUTTON_RIGHT,
    INPUT_BUTTON_WHEEL_UP,
    INPUT_BUTTON_WHEEL_DOWN,
    INPUT_BUTTON_SIDE,
    INPUT_BUTTON_EXTRA,
    INPUT_N_BUTTONS
} InputButton;

/* Signal "changed": it became ready or not, or the guest's pointer absolute or relative. */
VitrineInput *vitrine_input_new(void);
/* Where events go from now on; NULL: nowhere. What was held on the old one is released there. */
void vitrine_input_set_connection(VitrineInput *self, GDBusConnection *connection);
/* Whether a keyboard answers. */
bool vitrine_input_is_ready(VitrineInput *self);
/* Whether the guest takes positions (a tablet) rather than motion (a mouse). */
bool vitrine_input_is_absolute(VitrineInput *self);

/* @evdev: Linux input event code, that is a key by its position. Pressed again while held it
 * repeats; a release of what is not held goes nowhere. */
void vitrine_input_key(VitrineInput *self, unsigned evdev, bool down);
void vitrine_input_button(VitrineInput *self, InputButton button, bool down);
/* In guest pixels. */
void vitrine_input_move_by(VitrineInput *self, double dx, double dy);
void vitrine_input_move_to(VitrineInput *self, unsigned x, unsigned y);
/* In wheel steps, down positive; at most a few reach the guest at once. */
void vitrine_input_scroll(VitrineInput *self, double steps);
/* Lets go of every key and button. */
void vitrine_input_release_all(VitrineInput *self);

G_END_DECLS
