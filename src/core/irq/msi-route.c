/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/msi-route.h"

#include <sys/eventfd.h>
#include <unistd.h>

struct MsiRouter {
    GPtrArray *routes; /* owned array of borrowed routes */
    const CpuOps *ops; /* NULL: no CPUs now */
    void *backend;     /* borrowed */
};

struct MsiRoute {
    MsiRouter *router; /* borrowed */
    Device *dev;       /* borrowed */
    void (*deliver)(void *opaque, unsigned input);
    void *opaque;
    unsigned input;
    int fd; /* owned eventfd */
    bool is_connected;
    uint64_t address;
    uint32_t data;
    int number;    /* the backend's, while … */
    bool is_wired; /* atomic: … its kernel listens to @fd */
};

MsiRouter *msi_router_new(void)
{
    MsiRouter *router = g_new0(MsiRouter, 1);

    router->routes = g_ptr_array_new();
    return router;
}

void msi_router_free(MsiRouter *router)
{
    if (!router)
        return;
    g_ptr_array_unref(router->routes);
    g_free(router);
}

static void wire(MsiRoute *route)
{
    const MsiRouter *router = route->router;

    if (!route->is_connected || route->is_wired || !router->ops || !router->ops->attach_message)
        return;
    route->number =
        router->ops->attach_message(router->backend, route->fd, route->address, route->data);
    if (route->number >= 0)
        __atomic_store_n(&route->is_wired, true, __ATOMIC_SEQ_CST);
}

/* What was written after the kernel has stopped listening is still in the eventfd. */
static void deliver_rest(MsiRoute *route)
{
    eventfd_t count;

    if (eventfd_read(route->fd, &count) == 0)
        route->deliver(route->opaque, route->input);
}

static void unwire(MsiRoute *route)
{
    if (!route->is_wired)
        return;
    __atomic_store_n(&route->is_wired, false, __ATOMIC_SEQ_CST);
    route->router->ops->detach_message(route->router->backend, route->number, route->fd);
    deliver_rest(route);
}

void msi_router_attach(MsiRouter *router, const CpuOps *ops, void *backend)
{
    router->ops = ops;
    router->backend = backend;
    for (unsigned i = 0; i < router->routes->len; i++)
        wire(router->routes->pdata[i]);
}

void msi_router_detach(MsiRouter *router)
{
    for (unsigned i = 0; i < router->routes->len; i++)
        unwire(router->routes->pdata[i]);
    router->ops = NULL;
    router->backend = NULL;
}

MsiRoute *msi_route_new(MsiRouter *router, Device *dev,
                        void (*deliver)(void *opaque, unsigned input), void *opaque, unsigned input)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return NULL;
    MsiRoute *route = g_new0(MsiRoute, 1);
    *route = (MsiRoute){
        .router = router, .dev = dev, .deliver = deliver, .opaque = opaque, .input = input, .fd = fd
    };
    g_ptr_array_add(router->routes, route);
    return route;
}

void msi_route_free(MsiRoute *route)
{
    if (!route)
        return;
    unwire(route);
    g_ptr_array_remove(route->router->routes, route);
    close(route->fd);
    g_free(route);
}

void msi_route_connect(MsiRoute *route, uint64_t address, uint32_t data)
{
    if (route->is_connected && route->address == address && route->data == data)
        return;
    msi_route_disconnect(route);
    route->is_connected = true;
    route->address = address;
    route->data = data;
    wire(route);
}

void msi_route_disconnect(MsiRoute *route)
{
    unwire(route);
    route->is_connected = false;
}

/* Whoever unwires clears is_wired, then reads the eventfd: either we still see it wired, and what
 * we wrote is found, or we see that it is not, and find it ourselves. */
void msi_route_signal(MsiRoute *route)
{
    bool is_written = __atomic_load_n(&route->is_wired, __ATOMIC_SEQ_CST);

    if (is_written) {
        eventfd_write(route->fd, 1);
        if (G_LIKELY(__atomic_load_n(&route->is_wired, __ATOMIC_SEQ_CST)))
            return;
    }
    device_enter(route->dev);
    if (!is_written)
        route->deliver(route->opaque, route->input);
    else if (!route->is_wired)
        deliver_rest(route);
    device_leave(route->dev);
}
