/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* SDL's events in GLib's loop: it sleeps on the window system's socket, so that a screen on which
 * nothing happens costs nothing. Where the socket is not known it looks a hundred times a second.
 */

#include "display/view.h"
#include <SDL_syswm.h>
#include <gmodule.h>

#define LOOK_MS 10      /* without a socket */
#define DISTRUST_MS 250 /* SDL may read the socket while it draws: look again even so */

typedef struct {
    GSource source;
    View *view;
    gpointer tag; /* of the socket; NULL: none */
} ViewSource;

/* Asks a function of a library that SDL has loaded already, and that stays. */
static int call_for_fd(const char *library, const char *function, void *display)
{
    int (*get_fd)(void *) = NULL;
    GModule *module = g_module_open(library, G_MODULE_BIND_LAZY);
    if (!module || !g_module_symbol(module, function, (gpointer *)&get_fd) || !display)
        return -1;
    return get_fd(display);
}

static int view_socket(View *view)
{
    SDL_SysWMinfo info;
    SDL_VERSION(&info.version);
    if (!SDL_GetWindowWMInfo(view->window, &info))
        return -1;
    switch (info.subsystem) {
#ifdef SDL_VIDEO_DRIVER_X11
    case SDL_SYSWM_X11:
        return call_for_fd("libX11.so.6", "XConnectionNumber", info.info.x11.display);
#endif
#ifdef SDL_VIDEO_DRIVER_WAYLAND
    case SDL_SYSWM_WAYLAND:
        return call_for_fd("libwayland-client.so.0", "wl_display_get_fd", info.info.wl.display);
#endif
    default: return -1;
    }
}

static bool view_has_events(void)
{
    SDL_PumpEvents();
    return SDL_HasEvents(SDL_FIRSTEVENT, SDL_LASTEVENT);
}

static gboolean view_source_prepare(GSource *source, int *timeout)
{
    *timeout = ((ViewSource *)source)->tag ? DISTRUST_MS : LOOK_MS;
    return view_has_events();
}

static gboolean view_source_check(GSource *source)
{
    return view_has_events();
}

static gboolean view_source_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
    View *view = ((ViewSource *)source)->view;
    SDL_Event event;
    while (SDL_PollEvent(&event))
        view_handle_event(view, &event);
    view_flush_motion(view);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs view_source_funcs = { .prepare = view_source_prepare,
                                          .check = view_source_check,
                                          .dispatch = view_source_dispatch };

GSource *view_source_new(View *view)
{
    GSource *source = g_source_new(&view_source_funcs, sizeof(ViewSource));
    ViewSource *self = (ViewSource *)source;
    int fd = view_socket(view);
    self->view = view;
    self->tag = fd >= 0 ? g_source_add_unix_fd(source, fd, G_IO_IN) : NULL;
    return source;
}
