/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/touch.h"
#include <math.h>
#include <string.h>

#define SLOP 8         /* logical units that a tap may wander */
#define LONG_MS 600    /* a tap held so long is one of the right button */
#define SCROLL_STEP 30 /* logical units a wheel step */

typedef struct {
    TouchAction *actions;
    unsigned n;
} TouchOut;

static void touch_do(TouchOut *out, TouchAction action)
{
    out->actions[out->n++] = action;
}

static void touch_click(TouchOut *out, bool is_right)
{
    touch_do(out, (TouchAction){ .kind = TOUCH_DO_PRESS, .is_right = is_right });
    touch_do(out, (TouchAction){ .kind = TOUCH_DO_RELEASE, .is_right = is_right });
}

static int touch_find(const Touch *touch, const void *id)
{
    for (int i = 0; i < 2; i++)
        if (touch->finger[i].id == id)
            return i;
    return -1;
}

static void touch_begin(Touch *touch, const TouchEvent *event, TouchOut *out)
{
    int slot = touch_find(touch, NULL);
    if (slot < 0 || touch_find(touch, event->finger) >= 0)
        return;
    if (touch->n_down == 0) {
        *touch = (Touch){ .start_x = event->x, .start_y = event->y, .start_ms = event->time_ms };
    } else if (touch->pressed) { /* a second finger ends the drag of the first */
        touch_do(out, (TouchAction){ .kind = TOUCH_DO_RELEASE });
        touch->pressed = false;
    }
    touch->finger[slot].id = event->finger;
    touch->finger[slot].x = event->x;
    touch->finger[slot].y = event->y;
    touch->n_down++;
    touch->n_most = touch->n_down > touch->n_most ? touch->n_down : touch->n_most;
}

/* One finger, past the slop. */
static void touch_drag(Touch *touch, const TouchEvent *event, double dx, double dy, bool absolute,
                       TouchOut *out)
{
    if (!absolute) {
        touch_do(out, (TouchAction){ .kind = TOUCH_DO_MOVE_BY, .x = dx, .y = dy });
        return;
    }
    if (!touch->pressed) {
        touch_do(out, (TouchAction){ TOUCH_DO_MOVE_TO, touch->start_x, touch->start_y, false });
        touch_do(out, (TouchAction){ .kind = TOUCH_DO_PRESS });
        touch->pressed = true;
    }
    touch_do(out, (TouchAction){ TOUCH_DO_MOVE_TO, event->x, event->y, false });
}

static void touch_move(Touch *touch, const TouchEvent *event, bool absolute, TouchOut *out)
{
    int slot = touch_find(touch, event->finger);
    if (slot < 0)
        return;
    double dx = event->x - touch->finger[slot].x, dy = event->y - touch->finger[slot].y;
    bool moved = touch->moved || hypot(event->x - touch->start_x, event->y - touch->start_y) > SLOP;
    if (touch->n_most == 2)
        moved = touch->moved || hypot(dx, dy) > SLOP / 2;
    if (!moved)
        return; /* and the slop counts towards the first step */
    touch->moved = true;
    touch->finger[slot].x = event->x;
    touch->finger[slot].y = event->y;
    if (touch->n_most == 1)
        touch_drag(touch, event, dx, dy, absolute, out);
    else if (touch->n_down == 2) /* what is under the fingers follows them */
        touch_do(out, (TouchAction){ .kind = TOUCH_DO_SCROLL, .y = -dy / 2 / SCROLL_STEP });
}

static void touch_end(Touch *touch, const TouchEvent *event, bool absolute, TouchOut *out)
{
    int slot = touch_find(touch, event->finger);
    if (slot < 0)
        return;
    touch->finger[slot].id = NULL;
    if (--touch->n_down > 0)
        return;
    if (touch->pressed) {
        touch_do(out, (TouchAction){ .kind = TOUCH_DO_RELEASE });
    } else if (event->phase == TOUCH_END && !touch->moved) {
        if (absolute)
            touch_do(out, (TouchAction){ TOUCH_DO_MOVE_TO, touch->start_x, touch->start_y, false });
        touch_click(out, touch->n_most == 2 || event->time_ms - touch->start_ms >= LONG_MS);
    }
    memset(touch, 0, sizeof *touch);
}

unsigned touch_feed(Touch *touch, const TouchEvent *event, bool absolute,
                    TouchAction out_actions[TOUCH_MAX_ACTIONS])
{
    TouchOut out = { out_actions, 0 };
    switch (event->phase) {
    case TOUCH_BEGIN: touch_begin(touch, event, &out); break;
    case TOUCH_MOVE: touch_move(touch, event, absolute, &out); break;
    case TOUCH_END:
    case TOUCH_CANCEL: touch_end(touch, event, absolute, &out); break;
    }
    return out.n;
}
