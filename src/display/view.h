/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* vitrine-view: one machine's screen in a window that SDL2 and OpenGL draw, for full screen, games
 * and kiosks. view-main.c starts and ends it, view-window.c draws, view-input.c has the keys and
 * the mouse, view-source.c brings SDL's events into GLib's loop, view-keymap.c its key numbers.
 * Included by those. */

#include "display/damage.h"
#include "display/frame.h"
#include "display/geometry.h"
#include "display/gl-picture.h"
#include "display/input.h"
#include "display/release-chord.h"
#include <SDL.h>
#include <stdbool.h>

typedef struct {
    GMainLoop *loop;
    const char *name; /* of the machine */
    bool kiosk;       /* nobody gets out; ends with the machine */
    /* owned */
    VitrineFrame *frame;
    VitrineInput *input;
    SDL_Window *window;
    SDL_GLContext context;
    GlPicture *picture;
    /* window */
    Damage damage;
    bool dirty, shown_once;
    guint draw_source;
    DisplayGeometry geometry; /* in device pixels */
    /* input */
    ReleaseChord release_chord;
    bool grabbed, focused, full_screen;
    double motion_x, motion_y; /* gathered since the last turn of the loop */
} View;

/* view-window.c. False: @error says what is missing for a window. */
bool view_open_window(View *view, GError **error);
void view_close_window(View *view);
void view_queue_draw(View *view);
void view_set_full_screen(View *view, bool full_screen);
/* The window has another size: so should the guest's screen. */
void view_suggest_size(View *view);
/* The name, and how to take the keyboard back. */
void view_update_title(View *view);

/* view-input.c */
void view_grab(View *view);
void view_release(View *view);
void view_handle_event(View *view, const SDL_Event *event);
/* After the last event of a turn. */
void view_flush_motion(View *view);

/* view-source.c: calls view_handle_event() for each event. */
GSource *view_source_new(View *view);

/* view-keymap.c: the Linux input event code of a key's position; 0: none. */
unsigned view_keymap_evdev(SDL_Scancode scancode);
