/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Fingers on a touch screen as what a mouse would do. With an absolute pointer: a tap clicks, a
 * long one clicks with the right button, a finger that moves drags. With a relative one the screen
 * is a touchpad: a finger moves the pointer, a tap clicks where it is. Two fingers scroll, and tap
 * with the right button. Pure; included by the display widget. */

#include <stdbool.h>
#include <stdint.h>

typedef enum { TOUCH_BEGIN, TOUCH_MOVE, TOUCH_END, TOUCH_CANCEL } TouchPhase;

typedef struct {
    TouchPhase phase;
    const void *finger; /* which; two at most are followed */
    double x, y;        /* logical units */
    uint32_t time_ms;
} TouchEvent;

typedef struct {
    enum {
        TOUCH_DO_MOVE_TO, /* x, y */
        TOUCH_DO_MOVE_BY, /* x, y */
        TOUCH_DO_PRESS,   /* the left button, or the right one */
        TOUCH_DO_RELEASE,
        TOUCH_DO_SCROLL /* y: wheel steps, down positive */
    } kind;
    double x, y;
    bool is_right;
} TouchAction;

#define TOUCH_MAX_ACTIONS 4

typedef struct {
    struct {
        const void *id; /* NULL: not down */
        double x, y;
    } finger[2];
    double start_x, start_y;
    uint32_t start_ms;
    unsigned n_down, n_most; /* fingers now, and at most in this gesture */
    bool moved, pressed;
} Touch;

/* What @event makes of the gesture: returns the number of actions, in order. */
unsigned touch_feed(Touch *touch, const TouchEvent *event, bool absolute,
                    TouchAction out_actions[TOUCH_MAX_ACTIONS]);
