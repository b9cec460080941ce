/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A locked pointer on Wayland. GTK has no call for it, so this speaks the two protocols itself, on
 * GDK's connection. What the registry offers is read through a queue of our own, so that no event
 * of GDK's is dispatched meanwhile; the motion then comes with GDK's events. */

#include "display/pointer-lock.h"
#ifdef GDK_WINDOWING_WAYLAND
#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "relative-pointer-unstable-v1-client-protocol.h"
#include <gdk/wayland/gdkwayland.h>

/* One a display, and kept as long as that. */
typedef struct {
    struct zwp_pointer_constraints_v1 *constraints; /* NULL: the compositor has none */
    struct zwp_relative_pointer_manager_v1 *relative;
} Managers;

struct PointerLock {
    struct zwp_locked_pointer_v1 *locked;
    struct zwp_relative_pointer_v1 *relative;
    PointerLockMoved moved;
    gpointer opaque;
};

static void on_global(void *data, struct wl_registry *registry, uint32_t name,
                      const char *interface, uint32_t version)
{
    Managers *managers = data;
    if (strcmp(interface, zwp_pointer_constraints_v1_interface.name) == 0)
        managers->constraints =
            wl_registry_bind(registry, name, &zwp_pointer_constraints_v1_interface, 1);
    else if (strcmp(interface, zwp_relative_pointer_manager_v1_interface.name) == 0)
        managers->relative =
            wl_registry_bind(registry, name, &zwp_relative_pointer_manager_v1_interface, 1);
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
}

static Managers *managers_new(struct wl_display *display)
{
    static const struct wl_registry_listener listener = { on_global, on_global_remove };
    Managers *managers = g_new0(Managers, 1);
    struct wl_event_queue *queue = wl_display_create_queue(display);
    struct wl_display *wrapper = wl_proxy_create_wrapper(display);
    wl_proxy_set_queue((struct wl_proxy *)wrapper, queue);
    struct wl_registry *registry = wl_display_get_registry(wrapper);
    wl_registry_add_listener(registry, &listener, managers);
    wl_display_roundtrip_queue(display, queue);
    /* What they make is told of by GDK's queue. */
    if (managers->constraints)
        wl_proxy_set_queue((struct wl_proxy *)managers->constraints, NULL);
    if (managers->relative)
        wl_proxy_set_queue((struct wl_proxy *)managers->relative, NULL);
    wl_registry_destroy(registry);
    wl_proxy_wrapper_destroy(wrapper);
    wl_event_queue_destroy(queue);
    return managers;
}

static const Managers *managers_of(GdkDisplay *display)
{
    Managers *managers = g_object_get_data(G_OBJECT(display), "pointer-lock-managers");
    if (!managers) {
        managers = managers_new(gdk_wayland_display_get_wl_display(display));
        /* Their proxies go with the connection. */
        g_object_set_data_full(G_OBJECT(display), "pointer-lock-managers", managers, g_free);
    }
    return managers;
}

static void on_relative_motion(void *data, struct zwp_relative_pointer_v1 *relative,
                               uint32_t time_high, uint32_t time_low, wl_fixed_t dx, wl_fixed_t dy,
                               wl_fixed_t dx_plain, wl_fixed_t dy_plain)
{
    PointerLock *lock = data;
    lock->moved(wl_fixed_to_double(dx), wl_fixed_to_double(dy), lock->opaque);
}

PointerLock *pointer_lock_new(GtkWidget *widget, PointerLockMoved moved, gpointer opaque)
{
    static const struct zwp_relative_pointer_v1_listener listener = { on_relative_motion };
    GdkDisplay *display = gtk_widget_get_display(widget);
    GdkSurface *surface = gtk_native_get_surface(gtk_widget_get_native(widget));
    GdkSeat *seat = gdk_display_get_default_seat(display);
    GdkDevice *device = seat ? gdk_seat_get_pointer(seat) : NULL;
    if (!GDK_IS_WAYLAND_SURFACE(surface) || !GDK_IS_WAYLAND_DEVICE(device))
        return NULL;
    const Managers *managers = managers_of(display);
    struct wl_pointer *pointer = gdk_wayland_device_get_wl_pointer(device);
    if (!managers->constraints || !managers->relative || !pointer)
        return NULL;
    PointerLock *lock = g_new0(PointerLock, 1);
    lock->moved = moved;
    lock->opaque = opaque;
    lock->relative =
        zwp_relative_pointer_manager_v1_get_relative_pointer(managers->relative, pointer);
    zwp_relative_pointer_v1_add_listener(lock->relative, &listener, lock);
    lock->locked = zwp_pointer_constraints_v1_lock_pointer(
        managers->constraints, gdk_wayland_surface_get_wl_surface(surface), pointer, NULL,
        ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
    return lock;
}

void pointer_lock_free(PointerLock *lock)
{
    if (!lock)
        return;
    zwp_relative_pointer_v1_destroy(lock->relative);
    zwp_locked_pointer_v1_destroy(lock->locked);
    g_free(lock);
}
#else
PointerLock *pointer_lock_new(GtkWidget *widget, PointerLockMoved moved, gpointer opaque)
{
    return NULL;
}

void pointer_lock_free(PointerLock *lock)
{
}
#endif
