/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Keys and mouse of the viewer. While its window has the focus, and until the release chord, the
 * keyboard is the guest's; a guest with a relative mouse has the pointer too, locked. */

#include "display/view.h"
#include <linux/input-event-codes.h>

static void view_update_pointer(View *view)
{
    bool locked = view->grabbed && !vitrine_input_is_absolute(view->input);
    if (SDL_GetRelativeMouseMode() != (locked ? SDL_TRUE : SDL_FALSE))
        SDL_SetRelativeMouseMode(locked ? SDL_TRUE : SDL_FALSE);
}

void view_grab(View *view)
{
    if (!view->focused || !vitrine_input_is_ready(view->input))
        return;
    view->grabbed = true;
    release_chord_clear(&view->release_chord);
    SDL_SetWindowKeyboardGrab(view->window, SDL_TRUE);
    view_update_pointer(view);
    view_update_title(view);
}

void view_release(View *view)
{
    vitrine_input_release_all(view->input);
    view->motion_x = view->motion_y = 0;
    if (!view->grabbed)
        return;
    view->grabbed = false;
    SDL_SetWindowKeyboardGrab(view->window, SDL_FALSE);
    view_update_pointer(view);
    view_update_title(view);
}

static bool view_is_full_screen_key(const SDL_KeyboardEvent *key, bool grabbed)
{
    if (key->keysym.scancode == SDL_SCANCODE_F11 && !grabbed)
        return true;
    return key->keysym.scancode == SDL_SCANCODE_RETURN && (key->keysym.mod & KMOD_CTRL) &&
           (key->keysym.mod & KMOD_ALT);
}

static void view_on_key(View *view, const SDL_KeyboardEvent *key)
{
    unsigned evdev = view_keymap_evdev(key->keysym.scancode);
    bool down = key->state == SDL_PRESSED;
    bool released = view->grabbed && release_chord_key(&view->release_chord, evdev, down);
    if (down && !key->repeat && !view->kiosk && view_is_full_screen_key(key, view->grabbed)) {
        vitrine_input_release_all(view->input);
        view_set_full_screen(view, !view->full_screen);
        return;
    }
    if (view->grabbed || !down)
        vitrine_input_key(view->input, evdev, down);
    if (released && !view->kiosk)
        view_release(view);
}

static void view_on_motion(View *view, const SDL_MouseMotionEvent *motion)
{
    int width, height, device_width, device_height;
    SDL_GetWindowSize(view->window, &width, &height);
    SDL_GL_GetDrawableSize(view->window, &device_width, &device_height);
    unsigned guest_width = vitrine_frame_get_width(view->frame),
             guest_height = vitrine_frame_get_height(view->frame), x, y;
    double ratio = width > 0 ? (double)device_width / width : 1;
    if (vitrine_input_is_absolute(view->input)) {
        if (display_geometry_to_guest(&view->geometry, guest_width, guest_height, motion->x * ratio,
                                      motion->y * ratio, &x, &y))
            vitrine_input_move_to(view->input, x, y);
    } else if (view->grabbed) {
        /* As fast over the guest's screen as it would be over ours. */
        double factor = view->geometry.zoom > 0 ? ratio / view->geometry.zoom : 1;
        view->motion_x += motion->xrel * factor;
        view->motion_y += motion->yrel * factor;
    }
}

void view_flush_motion(View *view)
{
    if (view->motion_x != 0 || view->motion_y != 0)
        vitrine_input_move_by(view->input, view->motion_x, view->motion_y);
    view->motion_x = view->motion_y = 0;
}

static void view_on_button(View *view, const SDL_MouseButtonEvent *event)
{
    static const int buttons[] = { -1,
                                   INPUT_BUTTON_LEFT,
                                   INPUT_BUTTON_MIDDLE,
                                   INPUT_BUTTON_RIGHT,
                                   INPUT_BUTTON_SIDE,
                                   INPUT_BUTTON_EXTRA };
    bool down = event->state == SDL_PRESSED;
    int button = event->button < G_N_ELEMENTS(buttons) ? buttons[event->button] : -1;
    bool takes = !view->grabbed && !vitrine_input_is_absolute(view->input);
    if (down && !view->grabbed)
        view_grab(view);
    view_flush_motion(view); /* a click is where the pointer is by then */
    if (button >= 0 && !(down && takes))
        vitrine_input_button(view->input, (InputButton)button, down);
}

static void view_on_wheel(View *view, const SDL_MouseWheelEvent *wheel)
{
    double steps = wheel->direction == SDL_MOUSEWHEEL_FLIPPED ? wheel->preciseY : -wheel->preciseY;
    if (view->grabbed || vitrine_input_is_absolute(view->input))
        vitrine_input_scroll(view->input, steps);
}

static void view_on_window(View *view, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_FOCUS_GAINED:
        view->focused = true;
        view_grab(view);
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        view->focused = false;
        view_release(view);
        break;
    case SDL_WINDOWEVENT_SIZE_CHANGED: view_suggest_size(view); break;
    case SDL_WINDOWEVENT_EXPOSED: view_queue_draw(view); break;
    default: break;
    }
}

void view_handle_event(View *view, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP: view_on_key(view, &event->key); break;
    case SDL_MOUSEMOTION: view_on_motion(view, &event->motion); break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: view_on_button(view, &event->button); break;
    case SDL_MOUSEWHEEL: view_on_wheel(view, &event->wheel); break;
    case SDL_WINDOWEVENT: view_on_window(view, &event->window); break;
    case SDL_QUIT:
        if (!view->kiosk)
            g_main_loop_quit(view->loop);
        break;
    default: break;
    }
}
