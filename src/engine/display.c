/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/display.h"
#include "engine/display-listener.h"
#include <gio/gunixconnection.h>
#include <string.h>
#include <unistd.h>

/* How often to look, by how long nothing has changed. */
#define LOOK_BUSY_MS 16 /* sixty a second */
#define LOOK_QUIET_MS 40
#define LOOK_IDLE_MS 100
#define QUIET_AFTER_US (1 * G_USEC_PER_SEC)
#define IDLE_AFTER_US (10 * G_USEC_PER_SEC)
#define INTERFACES_TIMEOUT_MS 3000

struct Display {
    Vga *vga; /* borrowed */
    void (*resized)(gpointer opaque, unsigned width, unsigned height);
    gpointer opaque;
    GThread *thread;
    GMainContext *context; /* the display thread's */
    GMainLoop *loop;
    GSource *report; /* on the main context: made ready to tell the size */

    /* vga_refresh() has one caller at a time, and what it reports is reported once: who refreshes
     * leaves the changes here for the thread. */
    GMutex lock;
    VgaSurface surface;
    bool surface_changed;
    VgaRect rects[VGA_MAX_RECTS];
    unsigned n_rects;

    /* The display thread's. */
    GPtrArray *listeners; /* owned */
    GSource *tick;        /* exists while there are listeners */
    unsigned tick_ms, width, height;
    gint64 last_change;
    gint poked;     /* atomic */
    guint64 frames; /* atomic */
    GCancellable *cancellable;
};

static void refresh_locked(Display *display)
{
    VgaSurface surface = { 0 };
    VgaRect rects[VGA_MAX_RECTS];
    unsigned n = vga_refresh(display->vga, &surface, rects);
    if (surface.generation != display->surface.generation || !display->surface.ram)
        display->surface_changed = true;
    display->surface = surface;
    if (display->n_rects + n <= VGA_MAX_RECTS) {
        memcpy(display->rects + display->n_rects, rects, n * sizeof *rects);
        display->n_rects += n;
    } else {
        display->rects[0] = (VgaRect){ 0, 0, surface.width, surface.height };
        display->n_rects = 1;
    }
}

/* --- The display thread --- */

/* A source that fires when its ready time is set, from whichever thread. */
static gboolean report_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
    g_source_set_ready_time(source, -1);
    return callback(opaque);
}

static GSourceFuncs report_funcs = { .dispatch = report_dispatch };

/* On the main thread. */
static gboolean report_resized(gpointer opaque)
{
    Display *display = opaque;
    g_mutex_lock(&display->lock);
    unsigned width = display->surface.width, height = display->surface.height;
    g_mutex_unlock(&display->lock);
    display->resized(display->opaque, width, height);
    return G_SOURCE_CONTINUE;
}

static gboolean on_tick(gpointer opaque);

static void schedule(Display *display, unsigned ms)
{
    if (display->tick && display->tick_ms == ms)
        return;
    if (display->tick) {
        g_source_destroy(display->tick);
        g_source_unref(display->tick);
    }
    display->tick_ms = ms;
    display->tick = g_timeout_source_new(ms);
    g_source_set_callback(display->tick, on_tick, display, NULL);
    g_source_attach(display->tick, display->context);
}

static void unschedule(Display *display)
{
    if (display->tick) {
        g_source_destroy(display->tick);
        g_clear_pointer(&display->tick, g_source_unref);
    }
}

static void tell_size(Display *display)
{
    if (display->surface.width == display->width && display->surface.height == display->height)
        return;
    display->width = display->surface.width;
    display->height = display->surface.height;
    g_source_set_ready_time(display->report, 0);
}

static gboolean on_tick(gpointer opaque)
{
    Display *display = opaque;
    gint64 now = g_get_monotonic_time();

    g_mutex_lock(&display->lock);
    refresh_locked(display);
    bool surface_changed = display->surface_changed;
    VgaSurface surface = display->surface;
    VgaRect rects[VGA_MAX_RECTS];
    unsigned n = display->n_rects;
    memcpy(rects, display->rects, n * sizeof *rects);
    display->surface_changed = false;
    display->n_rects = 0;
    g_mutex_unlock(&display->lock);

    if (surface_changed || n > 0 || g_atomic_int_compare_and_exchange(&display->poked, 1, 0))
        display->last_change = now;
    for (unsigned i = 0; i < display->listeners->len; i++) {
        DisplayListener *listener = display->listeners->pdata[i];
        if (surface_changed)
            display_listener_set_surface(listener, &surface);
        else
            display_listener_add_damage(listener, rects, n);
        if (display_listener_flush(listener))
            __atomic_fetch_add(&display->frames, 1, __ATOMIC_RELAXED);
    }
    tell_size(display);

    gint64 quiet = now - display->last_change;
    unsigned ms = quiet > IDLE_AFTER_US    ? LOOK_IDLE_MS
                  : quiet > QUIET_AFTER_US ? LOOK_QUIET_MS
                                           : LOOK_BUSY_MS;
    if (ms == display->tick_ms)
        return G_SOURCE_CONTINUE;
    schedule(display, ms);
    return G_SOURCE_REMOVE;
}

static void on_listener_gone(gpointer opaque, DisplayListener *listener)
{
    Display *display = opaque;
    g_ptr_array_remove(display->listeners, listener);
    if (display->listeners->len == 0)
        unschedule(display);
}

static void on_interfaces(GObject *source, GAsyncResult *result, gpointer opaque)
{
    GDBusConnection *connection = G_DBUS_CONNECTION(source);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_finish(connection, result, &error);
    g_object_unref(connection); /* what on_connected left us */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
        g_dbus_connection_is_closed(connection))
        return;
    Display *display = opaque;
    bool maps = false;
    if (reply) { /* older clients have no such property */
        g_autoptr(GVariant) value = NULL;
        g_variant_get(reply, "(v)", &value);
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY)) {
            g_autofree const char **names = g_variant_get_strv(value, NULL);
            maps = g_strv_contains(names, "org.qemu.Display1.Listener.Unix.Map");
        }
    }
    DisplayListener *listener = display_listener_new(connection, maps, on_listener_gone, display);
    g_ptr_array_add(display->listeners, listener);
    g_mutex_lock(&display->lock);
    refresh_locked(display);
    VgaSurface surface = display->surface;
    if (display->listeners->len == 1) { /* the others, if any, still have to hear of it */
        display->surface_changed = false;
        display->n_rects = 0;
    }
    g_mutex_unlock(&display->lock);
    display_listener_set_surface(listener, &surface);
    display_listener_flush(listener);
    tell_size(display);
    display->last_change = g_get_monotonic_time();
    schedule(display, LOOK_BUSY_MS);
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_finish(result, &error);
    if (!connection)
        return; /* it went before it came */
    Display *display = opaque;
    g_dbus_connection_call(connection, NULL, "/org/qemu/Display1/Listener",
                           "org.freedesktop.DBus.Properties", "Get",
                           g_variant_new("(ss)", "org.qemu.Display1.Listener", "Interfaces"),
                           G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, INTERFACES_TIMEOUT_MS,
                           display->cancellable, on_interfaces, display);
}

typedef struct {
    Display *display;
    int fd;
} NewListener;

static gboolean connect_listener(gpointer data)
{
    NewListener *new_listener = data;
    Display *display = new_listener->display;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) socket = g_socket_new_from_fd(new_listener->fd, &error);
    if (!socket) {
        g_warning("A display listener has no usable socket: %s", error->message);
        close(new_listener->fd);
        return G_SOURCE_REMOVE;
    }
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_autofree char *guid = g_dbus_generate_guid();
    g_dbus_connection_new(G_IO_STREAM(stream), guid, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER,
                          NULL, display->cancellable, on_connected, display);
    return G_SOURCE_REMOVE;
}

static gpointer display_thread(gpointer opaque)
{
    Display *display = opaque;
    g_main_context_push_thread_default(display->context);
    g_main_loop_run(display->loop);
    g_cancellable_cancel(display->cancellable);
    unschedule(display);
    g_ptr_array_set_size(display->listeners, 0);
    while (g_main_context_iteration(display->context, FALSE))
        continue; /* cancelled calls come home */
    g_main_context_pop_thread_default(display->context);
    return NULL;
}

/* --- The main thread --- */

Display *display_new(Vga *vga, void (*resized)(gpointer opaque, unsigned width, unsigned height),
                     gpointer opaque)
{
    Display *display = g_new0(Display, 1);
    display->vga = vga;
    display->resized = resized;
    display->opaque = opaque;
    g_mutex_init(&display->lock);
    display->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)display_listener_free);
    display->cancellable = g_cancellable_new();
    display->context = g_main_context_new();
    display->loop = g_main_loop_new(display->context, FALSE);
    display->report = g_source_new(&report_funcs, sizeof(GSource));
    g_source_set_callback(display->report, report_resized, display, NULL);
    g_source_attach(display->report, NULL);
    display->thread = g_thread_new("display", display_thread, display);
    return display;
}

/* Never run by the caller, even while the thread has not begun to loop. */
static void post(Display *display, GSourceFunc callback, gpointer data, GDestroyNotify destroy)
{
    g_autoptr(GSource) source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, callback, data, destroy);
    g_source_attach(source, display->context);
}

static gboolean quit_loop(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

void display_free(Display *display)
{
    if (!display)
        return;
    post(display, quit_loop, display->loop, NULL);
    g_thread_join(display->thread);
    g_source_destroy(display->report);
    g_source_unref(display->report);
    g_main_loop_unref(display->loop);
    g_main_context_unref(display->context);
    g_object_unref(display->cancellable);
    g_ptr_array_unref(display->listeners);
    g_mutex_clear(&display->lock);
    g_free(display);
}

void display_add_listener(Display *display, int fd)
{
    NewListener *new_listener = g_new(NewListener, 1);
    *new_listener = (NewListener){ display, fd };
    g_main_context_invoke_full(display->context, G_PRIORITY_DEFAULT, connect_listener, new_listener,
                               g_free);
}

static gboolean look_often(gpointer opaque)
{
    Display *display = opaque;
    display->last_change = g_get_monotonic_time();
    if (display->tick)
        schedule(display, LOOK_BUSY_MS);
    return G_SOURCE_REMOVE;
}

void display_poke(Display *display)
{
    if (g_atomic_int_compare_and_exchange(&display->poked, 0, 1))
        post(display, look_often, display, NULL);
}

Picture *display_capture(Display *display)
{
    g_mutex_lock(&display->lock);
    refresh_locked(display);
    const VgaSurface *s = &display->surface;
    Picture *picture = picture_new(s->width ? s->width : 640, s->height ? s->height : 480);
    if (!s->blank && s->ram && s->width)
        for (unsigned y = 0; y < s->height; y++)
            memcpy(picture->pixels + (gsize)y * s->width,
                   s->ram->host + s->offset + (uint64_t)y * s->stride, (gsize)s->width * 4);
    g_mutex_unlock(&display->lock);
    return picture;
}

uint64_t display_frames(Display *display)
{
    return __atomic_load_n(&display->frames, __ATOMIC_RELAXED);
}
