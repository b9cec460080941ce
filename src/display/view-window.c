/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/view.h"
#include <epoxy/gl.h>
#include <glib/gi18n.h>
#include <math.h>

#define FIRST_WIDTH 960
#define FIRST_HEIGHT 600

static gboolean on_draw(gpointer opaque)
{
    View *view = opaque;
    int width, height;
    view->draw_source = 0;
    view->dirty = false;
    SDL_GL_GetDrawableSize(view->window, &width, &height);
    /* Device pixels are the logical units here. */
    const DisplayPlace place = { .width = width, .height = height, .scale = 1 };
    DisplayGeometry *g = &view->geometry;
    display_geometry_fit(vitrine_frame_get_width(view->frame),
                         vitrine_frame_get_height(view->frame), &place, g);
    glViewport(0, 0, width, height);
    glClearColor(0, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    if (gl_picture_upload(view->picture, view->frame, &view->damage) && g->width > 0) {
        glViewport((GLint)g->x, (GLint)lround(height - g->y - g->height), (GLsizei)g->width,
                   (GLsizei)g->height);
        gl_picture_draw(view->picture, g->nearest, false);
    }
    SDL_GL_SwapWindow(view->window); /* waits for the display: that is the pace */
    return G_SOURCE_REMOVE;
}

void view_queue_draw(View *view)
{
    if (!view->draw_source && view->window)
        view->draw_source = g_idle_add(on_draw, view);
}

/* The first picture says how large a window should be. */
static void view_fit_window(View *view)
{
    SDL_Rect usable;
    int width = (int)vitrine_frame_get_width(view->frame),
        height = (int)vitrine_frame_get_height(view->frame);
    if (view->shown_once || width == 0)
        return;
    view->shown_once = true;
    if (view->full_screen ||
        SDL_GetDisplayUsableBounds(SDL_GetWindowDisplayIndex(view->window), &usable) < 0)
        return;
    SDL_SetWindowSize(view->window, CLAMP(width, 320, usable.w), CLAMP(height, 200, usable.h));
}

static void on_resized(VitrineFrame *frame, View *view)
{
    view_fit_window(view);
    damage_add_all(&view->damage);
    view_queue_draw(view);
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, View *view)
{
    damage_add(&view->damage, rect);
    view_queue_draw(view);
}

void view_suggest_size(View *view)
{
    int width, height, logical, unused;
    SDL_GL_GetDrawableSize(view->window, &width, &height);
    SDL_GetWindowSize(view->window, &logical, &unused);
    vitrine_frame_suggest_size(view->frame, (unsigned)width, (unsigned)height,
                               logical > 0 ? (double)width / logical : 1);
    view_queue_draw(view);
}

void view_update_title(View *view)
{
    g_autofree char *keys = release_chord_dup_label(&view->release_chord);
    /* Translators: a key combination such as “Left Ctrl + left Alt”, after the machine's name. */
    g_autofree char *hint = g_strdup_printf(_("%s releases the keyboard"), keys);
    g_autofree char *title = view->grabbed && !view->kiosk
                                 ? g_strdup_printf("%s – %s", view->name, hint)
                                 : g_strdup(view->name);
    SDL_SetWindowTitle(view->window, title);
}

void view_set_full_screen(View *view, bool full_screen)
{
    view->full_screen = full_screen;
    SDL_SetWindowFullscreen(view->window, full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    view_queue_draw(view);
}

/* OpenGL as of the desktop, or that of small devices. */
static bool view_make_context(View *view, bool gles)
{
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_PROFILE_MASK,
                        gles ? SDL_GL_CONTEXT_PROFILE_ES : SDL_GL_CONTEXT_PROFILE_CORE);
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_MAJOR_VERSION, 3);
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_MINOR_VERSION, gles ? 0 : 2);
    Uint32 flags = SDL_WINDOW_OPENGL | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;
    if (view->full_screen)
        flags |= SDL_WINDOW_FULLSCREEN_DESKTOP;
    view->window = SDL_CreateWindow(view->name, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                    FIRST_WIDTH, FIRST_HEIGHT, flags);
    view->context = view->window ? SDL_GL_CreateContext(view->window) : NULL;
    view->picture = view->context ? gl_picture_new(gles) : NULL;
    if (view->picture)
        return true;
    view_close_window(view);
    return false;
}

bool view_open_window(View *view, GError **error)
{
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
    SDL_SetHint(SDL_HINT_APP_NAME, "Vitrine");
    if (SDL_Init(SDL_INIT_VIDEO) < 0 ||
        (!view_make_context(view, false) && !view_make_context(view, true))) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    _("There is no display with OpenGL to open a window on: %s"), SDL_GetError());
        return false;
    }
    SDL_GL_SetSwapInterval(1);
    SDL_DisableScreenSaver();
    g_signal_connect(view->frame, "resized", G_CALLBACK(on_resized), view);
    g_signal_connect(view->frame, "damaged", G_CALLBACK(on_damaged), view);
    view_update_title(view);
    view_queue_draw(view);
    return true;
}

void view_close_window(View *view)
{
    if (view->frame)
        g_signal_handlers_disconnect_by_data(view->frame, view);
    g_clear_handle_id(&view->draw_source, g_source_remove);
    g_clear_pointer(&view->picture, gl_picture_free);
    g_clear_pointer(&view->context, SDL_GL_DeleteContext);
    g_clear_pointer(&view->window, SDL_DestroyWindow);
}
