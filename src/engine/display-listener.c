/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/display-listener.h"
#include "dbus-display.h"
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <unistd.h>

#define LISTENER_PATH "/org/qemu/Display1/Listener"
#define LISTENER_INTERFACE "org.qemu.Display1.Listener"
#define LISTENER_MAP_INTERFACE "org.qemu.Display1.Listener.Unix.Map"
#define PIXMAN_X8R8G8B8 0x20020888u
#define REPLY_TIMEOUT_MS 10000
#define MAX_UNANSWERED 2 /* so that the next picture is on its way while one is drawn */

struct DisplayListener {
    GDBusConnection *connection; /* owned */
    gulong closed_handler;
    GCancellable *cancellable; /* owned; ends replies that come after us */
    bool maps;                 /* takes ScanoutMap and UpdateMap */
    DisplayListenerGone gone;
    gpointer opaque;

    VgaSurface surface;
    bool has_surface, scanout_due, is_disabled;
    VgaRect rects[VGA_MAX_RECTS];
    unsigned n_rects, n_unanswered;
};

static void on_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer opaque)
{
    DisplayListener *listener = opaque;
    listener->gone(listener->opaque, listener);
}

DisplayListener *display_listener_new(GDBusConnection *connection, bool maps,
                                      DisplayListenerGone gone, gpointer opaque)
{
    DisplayListener *listener = g_new0(DisplayListener, 1);
    listener->connection = g_object_ref(connection);
    listener->cancellable = g_cancellable_new();
    listener->maps = maps;
    listener->gone = gone;
    listener->opaque = opaque;
    listener->closed_handler =
        g_signal_connect(connection, "closed", G_CALLBACK(on_closed), listener);
    return listener;
}

void display_listener_free(DisplayListener *listener)
{
    if (!listener)
        return;
    g_cancellable_cancel(listener->cancellable);
    g_object_unref(listener->cancellable);
    g_signal_handler_disconnect(listener->connection, listener->closed_handler);
    g_dbus_connection_close(listener->connection, NULL, NULL, NULL);
    g_object_unref(listener->connection);
    g_free(listener);
}

void display_listener_set_surface(DisplayListener *listener, const VgaSurface *surface)
{
    listener->surface = *surface;
    listener->has_surface = true;
    listener->scanout_due = true;
    listener->n_rects = 0;
}

static VgaRect rect_union(VgaRect a, VgaRect b)
{
    unsigned x = MIN(a.x, b.x), y = MIN(a.y, b.y);
    return (VgaRect){ x, y, MAX(a.x + a.width, b.x + b.width) - x,
                      MAX(a.y + a.height, b.y + b.height) - y };
}

static bool rect_touches(VgaRect a, VgaRect b)
{
    return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height &&
           b.y <= a.y + a.height;
}

void display_listener_add_damage(DisplayListener *listener, const VgaRect *rects, unsigned n)
{
    if (listener->scanout_due)
        return;
    for (unsigned i = 0; i < n; i++) {
        VgaRect rect = rects[i];
        unsigned at = 0;
        while (at < listener->n_rects && !rect_touches(listener->rects[at], rect))
            at++;
        if (at == VGA_MAX_RECTS)
            at--; /* no room: the last one grows */
        if (at < listener->n_rects)
            listener->rects[at] = rect_union(listener->rects[at], rect);
        else
            listener->rects[listener->n_rects++] = rect;
    }
}

static void on_reply(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish(
        G_DBUS_CONNECTION(source), NULL, result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the listener is no more */
    DisplayListener *listener = opaque;
    listener->n_unanswered--;
    display_listener_flush(listener);
}

static void call(DisplayListener *listener, const char *interface, const char *method,
                 GVariant *arguments, GUnixFDList *fds)
{
    listener->n_unanswered++;
    g_dbus_connection_call_with_unix_fd_list(listener->connection, NULL, LISTENER_PATH, interface,
                                             method, arguments, NULL,
                                             G_DBUS_CALL_FLAGS_NO_AUTO_START, REPLY_TIMEOUT_MS, fds,
                                             listener->cancellable, on_reply, listener);
}

static void scanout_map(DisplayListener *listener)
{
    const VgaSurface *s = &listener->surface;
    /* Opened anew, so that the client can look at the guest's memory and not write to it. */
    g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", s->ram->fd);
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    int handle = g_unix_fd_list_append(fds, fd >= 0 ? fd : s->ram->fd, NULL);
    if (fd >= 0)
        close(fd);
    if (handle < 0)
        return;
    call(listener, LISTENER_MAP_INTERFACE, "ScanoutMap",
         g_variant_new("(huuuuu)", handle, (guint32)s->offset, s->width, s->height, s->stride,
                       PIXMAN_X8R8G8B8),
         fds);
}

static GVariant *dup_pixels(const VgaSurface *s, VgaRect rect)
{
    gsize row = (gsize)rect.width * 4;
    uint8_t *pixels = g_malloc(row * rect.height);
    for (unsigned y = 0; y < rect.height; y++)
        memcpy(pixels + y * row,
               s->ram->host + s->offset + (uint64_t)(rect.y + y) * s->stride + rect.x * 4ull, row);
    return g_variant_new_from_data(G_VARIANT_TYPE_BYTESTRING, pixels, row * rect.height, TRUE,
                                   g_free, pixels);
}

static void scanout_copy(DisplayListener *listener)
{
    const VgaSurface *s = &listener->surface;
    call(listener, LISTENER_INTERFACE, "Scanout",
         g_variant_new("(uuuu@ay)", s->width, s->height, s->width * 4, PIXMAN_X8R8G8B8,
                       dup_pixels(s, (VgaRect){ 0, 0, s->width, s->height })),
         NULL);
}

static void update(DisplayListener *listener, VgaRect rect)
{
    const VgaSurface *s = &listener->surface;
    if (rect.x >= s->width || rect.y >= s->height)
        return;
    rect.width = MIN(rect.width, s->width - rect.x);
    rect.height = MIN(rect.height, s->height - rect.y);
    if (listener->maps)
        call(listener, LISTENER_MAP_INTERFACE, "UpdateMap",
             g_variant_new("(iiii)", rect.x, rect.y, rect.width, rect.height), NULL);
    else
        call(listener, LISTENER_INTERFACE, "Update",
             g_variant_new("(iiiiuu@ay)", rect.x, rect.y, rect.width, rect.height, rect.width * 4,
                           PIXMAN_X8R8G8B8, dup_pixels(s, rect)),
             NULL);
}

bool display_listener_flush(DisplayListener *listener)
{
    if (!listener->has_surface || listener->n_unanswered >= MAX_UNANSWERED ||
        (!listener->scanout_due && listener->n_rects == 0))
        return false;
    const VgaSurface *s = &listener->surface;
    if (s->blank || s->width == 0 || s->height == 0) {
        if (!listener->is_disabled)
            call(listener, LISTENER_INTERFACE, "Disable", NULL, NULL);
        listener->is_disabled = true;
    } else if (listener->scanout_due) {
        listener->is_disabled = false;
        if (listener->maps)
            scanout_map(listener);
        else
            scanout_copy(listener);
    } else {
        for (unsigned i = 0; i < listener->n_rects; i++)
            update(listener, listener->rects[i]);
    }
    listener->scanout_due = false;
    listener->n_rects = 0;
    return true;
}
