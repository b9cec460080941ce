/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/debug-exit.h"

#define DEBUG_EXIT_PORT 0x501
#define DEBUG_EXIT_N_PORTS 4

typedef struct {
    Device dev;
    AddressSpace *ports; /* borrowed */
    void (*exited)(void *opaque, uint32_t value);
    void *opaque;
} DebugExit;

static const StateField debug_exit_state[] = { STATE_END };

static uint64_t debug_exit_read(Device *dev, uint64_t offset, unsigned size)
{
    return 0;
}

static void debug_exit_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    DebugExit *self = (DebugExit *)dev;

    if (offset == 0)
        self->exited(self->opaque, value);
}

static bool debug_exit_realize(Device *dev, Machine *machine, GError **error)
{
    address_space_map_device(((DebugExit *)dev)->ports, DEBUG_EXIT_PORT, DEBUG_EXIT_N_PORTS,
                             MAP_PRIORITY_CHIPSET, dev, 0);
    return true;
}

static const DeviceOps debug_exit_ops = {
    .name = "debug-exit",
    .instance_size = sizeof(DebugExit),
    .state_version = 1,
    .state = debug_exit_state,
    .min_access = 1,
    .max_access = 4,
    .realize = debug_exit_realize,
    .read = debug_exit_read,
    .write = debug_exit_write,
};

Device *debug_exit_new(AddressSpace *ports, void (*exited)(void *opaque, uint32_t value),
                       void *opaque)
{
    DebugExit *self = device_alloc(&debug_exit_ops, "debug-exit");

    self->ports = ports;
    self->exited = exited;
    self->opaque = opaque;
    return &self->dev;
}
