/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/device.h"

#include "core/machine/machine.h"

#define DEVICE_MAX_WARNINGS 8

gpointer device_alloc(const DeviceOps *ops, const char *id)
{
    g_assert(ops->instance_size >= sizeof(Device) && ops->state != NULL);
    g_assert(ops->min_access >= 1 && ops->min_access <= ops->max_access && ops->max_access <= 8);

    Device *dev = g_malloc0(ops->instance_size);
    dev->ops = ops;
    dev->id = g_strdup(id);
    return dev;
}

bool device_realize(Device *dev, Machine *machine, GError **error)
{
    dev->machine = machine;
    dev->lock = &machine->lock;
    if (dev->ops->realize && !dev->ops->realize(dev, machine, error)) {
        g_prefix_error(error, "%s: ", dev->id);
        return false;
    }
    dev->is_realized = true;
    return true;
}

void device_free(Device *dev)
{
    if (!dev)
        return;
    if (dev->is_realized && dev->ops->unrealize)
        dev->ops->unrealize(dev);
    g_free(dev->id);
    g_free(dev);
}

void device_reset(Device *dev)
{
    if (dev->ops->reset)
        dev->ops->reset(dev);
}

void device_update(Device *dev)
{
    if (dev->ops->update)
        dev->ops->update(dev);
}

void device_enter(Device *dev)
{
    if (dev->lock)
        g_rec_mutex_lock(dev->lock);
}

void device_leave(Device *dev)
{
    if (dev->lock)
        g_rec_mutex_unlock(dev->lock);
}

void guest_warn(Device *dev, const char *format, ...)
{
    if (dev->n_warnings >= DEVICE_MAX_WARNINGS)
        return;
    dev->n_warnings++;

    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_message("%s: guest: %s%s", dev->id, text,
              dev->n_warnings == DEVICE_MAX_WARNINGS ? " (further warnings are not shown)" : "");
}
