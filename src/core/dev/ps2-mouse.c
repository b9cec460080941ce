/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/ps2-mouse.h"

#include <string.h>

#define PS2_ACK 0xFAu
#define PS2_RESEND 0xFEu
#define PS2_FAR 100000 /* motion that nobody fetched ends somewhere */
#define PS2_MAX_EVENTS 64u

const StateField ps2_mouse_state[] = {
    PS2_QUEUE_STATE(Ps2Mouse, events),  PS2_QUEUE_STATE(Ps2Mouse, answers),
    STATE_UINT(Ps2Mouse, command),      STATE_UINT(Ps2Mouse, last),
    STATE_UINT(Ps2Mouse, id),           STATE_UINT(Ps2Mouse, rate),
    STATE_UINT(Ps2Mouse, resolution),   STATE_ARRAY(Ps2Mouse, rates),
    STATE_BOOL(Ps2Mouse, reporting),    STATE_BOOL(Ps2Mouse, remote),
    STATE_BOOL(Ps2Mouse, wrap),         STATE_BOOL(Ps2Mouse, scaling),
    STATE_UINT(Ps2Mouse, dx),           STATE_UINT(Ps2Mouse, dy),
    STATE_UINT(Ps2Mouse, dz),           STATE_UINT(Ps2Mouse, buttons),
    STATE_UINT(Ps2Mouse, told_buttons), STATE_END,
};

/* --- packets ---------------------------------------------------------------------------------- */

/* 2:1 scaling is not linear: slow motion stays exact. */
static int ps2_mouse_scale(const Ps2Mouse *mouse, int delta)
{
    static const int8_t slow[6] = { 0, 1, 1, 3, 6, 9 };
    int size = ABS(delta);

    if (!mouse->scaling || mouse->remote)
        return delta;
    size = size < 6 ? slow[size] : MIN(2 * size, 255);
    return delta < 0 ? -size : size;
}

/* Tells as much of the motion as one packet holds. */
static void ps2_mouse_push_packet(Ps2Mouse *mouse, Ps2Queue *queue)
{
    int dx = CLAMP(mouse->dx, -255, 255), dy = CLAMP(mouse->dy, -255, 255);
    int dz = CLAMP(mouse->dz, -8, 7);
    int x = ps2_mouse_scale(mouse, dx), y = ps2_mouse_scale(mouse, dy);

    ps2_queue_push(queue, (mouse->buttons & 7) | 8 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
    ps2_queue_push(queue, x);
    ps2_queue_push(queue, y);
    if (mouse->id == 3)
        ps2_queue_push(queue, dz);
    else if (mouse->id == 4)
        ps2_queue_push(queue, (dz & 0x0F) | (mouse->buttons & 0x18) << 1);
    mouse->dx -= dx;
    mouse->dy -= dy;
    mouse->dz -= dz;
    mouse->told_buttons = mouse->buttons;
}

static bool ps2_mouse_has_news(const Ps2Mouse *mouse)
{
    return mouse->reporting && !mouse->remote && !mouse->wrap &&
           (mouse->dx || mouse->dy || mouse->dz || mouse->buttons != mouse->told_buttons);
}

void ps2_mouse_move(Ps2Mouse *mouse, int dx, int dy, int dz, unsigned buttons)
{
    bool pressed = (buttons & 0x1F) != mouse->buttons;

    /* Up is positive on this wire. Whatever does not report forgets motion, as a ball does. */
    if (mouse->reporting) {
        mouse->dx = CLAMP((int64_t)mouse->dx + CLAMP(dx, -PS2_FAR, PS2_FAR), -PS2_FAR, PS2_FAR);
        mouse->dy = CLAMP((int64_t)mouse->dy - CLAMP(dy, -PS2_FAR, PS2_FAR), -PS2_FAR, PS2_FAR);
        if (mouse->id)
            mouse->dz = CLAMP((int64_t)mouse->dz + CLAMP(dz, -255, 255), -255, 255);
    }
    mouse->buttons = buttons & 0x1F;
    /* Motion alone gathers until the wire is free (ps2_mouse_take); each click must be seen. */
    if (pressed && ps2_mouse_has_news(mouse) && mouse->events.count + 4 <= PS2_MAX_EVENTS)
        ps2_mouse_push_packet(mouse, &mouse->events);
}

/* --- commands --------------------------------------------------------------------------------- */

static void ps2_mouse_set_defaults(Ps2Mouse *mouse)
{
    mouse->rate = 100;
    mouse->resolution = 2;
    mouse->scaling = mouse->reporting = mouse->remote = false;
    mouse->dx = mouse->dy = mouse->dz = 0;
}

void ps2_mouse_reset(Ps2Mouse *mouse)
{
    *mouse = (Ps2Mouse){ .buttons = mouse->buttons };
    ps2_mouse_set_defaults(mouse);
}

static void ps2_mouse_answer(Ps2Mouse *mouse, uint8_t byte)
{
    ps2_queue_push(&mouse->answers, byte);
}

/* Rates 200, 100, 80 ask for the wheel; 200, 200, 80 then for two more buttons. */
static void ps2_mouse_set_rate(Ps2Mouse *mouse, uint8_t rate)
{
    mouse->rate = rate;
    memmove(mouse->rates, mouse->rates + 1, 2);
    mouse->rates[2] = rate;
    if (mouse->rates[0] != 200 || rate != 80)
        return;
    if (mouse->rates[1] == 100)
        mouse->id = 3;
    else if (mouse->rates[1] == 200)
        mouse->id = 4;
}

static void ps2_mouse_answer_status(Ps2Mouse *mouse)
{
    uint8_t buttons = mouse->buttons;

    ps2_mouse_answer(mouse, (mouse->remote ? 0x40 : 0) | (mouse->reporting ? 0x20 : 0) |
                                (mouse->scaling ? 0x10 : 0) | (buttons & 1 ? 4 : 0) |
                                (buttons & 4 ? 2 : 0) | (buttons & 2 ? 1 : 0));
    ps2_mouse_answer(mouse, mouse->resolution);
    ps2_mouse_answer(mouse, mouse->rate);
}

static bool ps2_mouse_argument(Ps2Mouse *mouse, uint8_t value)
{
    uint8_t command = mouse->command;

    mouse->command = 0;
    if (command == 0xE8 && value <= 3)
        mouse->resolution = value;
    else if (command == 0xF3 && value > 0 && value <= 200)
        ps2_mouse_set_rate(mouse, value);
    else
        return false;
    ps2_mouse_answer(mouse, PS2_ACK);
    return true;
}

static void ps2_mouse_command(Ps2Mouse *mouse, uint8_t value)
{
    switch (value) {
    case 0xE6: mouse->scaling = false; break;
    case 0xE7: mouse->scaling = true; break;
    case 0xE8:
    case 0xF3: mouse->command = value; break;
    case 0xE9:
        ps2_mouse_answer(mouse, PS2_ACK);
        ps2_mouse_answer_status(mouse);
        return;
    case 0xEA: mouse->remote = false; break;
    case 0xEB:
        ps2_mouse_answer(mouse, PS2_ACK);
        ps2_mouse_push_packet(mouse, &mouse->answers);
        return;
    case 0xEC: mouse->wrap = false; break;
    case 0xEE: mouse->wrap = true; break;
    case 0xF0: mouse->remote = true; break;
    case 0xF2:
        ps2_mouse_answer(mouse, PS2_ACK);
        ps2_mouse_answer(mouse, mouse->id);
        return;
    case 0xF4:
        mouse->reporting = true;
        mouse->told_buttons = mouse->buttons;
        break;
    case 0xF5: mouse->reporting = false; break;
    case 0xF6: ps2_mouse_set_defaults(mouse); break;
    case 0xFF:
        ps2_mouse_reset(mouse);
        ps2_mouse_answer(mouse, PS2_ACK);
        ps2_mouse_answer(mouse, 0xAA);
        ps2_mouse_answer(mouse, 0x00);
        return;
    default: ps2_mouse_answer(mouse, PS2_RESEND); return;
    }
    ps2_mouse_answer(mouse, PS2_ACK);
}

void ps2_mouse_write(Ps2Mouse *mouse, uint8_t value)
{
    if (mouse->wrap && value != 0xFF && value != 0xEC) {
        ps2_mouse_answer(mouse, value);
        return;
    }
    if (value == PS2_RESEND) {
        ps2_mouse_answer(mouse, mouse->last);
        return;
    }
    /* A byte from the host clears the mouse's buffer: no half packet follows the answer. */
    ps2_queue_clear(&mouse->events);
    ps2_queue_clear(&mouse->answers);
    if (!mouse->command || !ps2_mouse_argument(mouse, value))
        ps2_mouse_command(mouse, value);
}

bool ps2_mouse_has_byte(const Ps2Mouse *mouse)
{
    return mouse->answers.count ||
           (!mouse->command && (mouse->events.count || ps2_mouse_has_news(mouse)));
}

uint8_t ps2_mouse_take(Ps2Mouse *mouse)
{
    if (!mouse->answers.count && !mouse->events.count)
        ps2_mouse_push_packet(mouse, &mouse->events);
    mouse->last = ps2_queue_pop(mouse->answers.count ? &mouse->answers : &mouse->events);
    return mouse->last;
}
