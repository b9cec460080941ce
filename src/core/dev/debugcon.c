/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/debugcon.h"

#define DEBUGCON_PORT 0x402
#define DEBUGCON_PRESENT 0xE9

typedef struct {
    Device dev;
    AddressSpace *ports; /* borrowed */
    CharBackend *chr;    /* borrowed */
} Debugcon;

static const StateField debugcon_state[] = { STATE_END };

static uint64_t debugcon_read(Device *dev, uint64_t offset, unsigned size)
{
    return DEBUGCON_PRESENT;
}

static void debugcon_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    uint8_t byte = value;

    char_backend_write(((Debugcon *)dev)->chr, &byte, 1);
}

static bool debugcon_realize(Device *dev, Machine *machine, GError **error)
{
    address_space_map_device(((Debugcon *)dev)->ports, DEBUGCON_PORT, 1, MAP_PRIORITY_CHIPSET, dev,
                             0);
    return true;
}

static const DeviceOps debugcon_ops = {
    .name = "debugcon",
    .instance_size = sizeof(Debugcon),
    .state_version = 1,
    .state = debugcon_state,
    .min_access = 1,
    .max_access = 1,
    .realize = debugcon_realize,
    .read = debugcon_read,
    .write = debugcon_write,
};

Device *debugcon_new(AddressSpace *ports, CharBackend *chr)
{
    Debugcon *debugcon = device_alloc(&debugcon_ops, "debugcon");

    debugcon->ports = ports;
    debugcon->chr = chr;
    return &debugcon->dev;
}
