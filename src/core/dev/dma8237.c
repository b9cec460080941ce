/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/dma8237.h"

/* Window offsets are port numbers. Registers of a controller, in its own numbering: */
enum {
    DMA_COMMAND = 8, /* read: status */
    DMA_REQUEST = 9,
    DMA_SINGLE_MASK = 10,
    DMA_MODE = 11,
    DMA_CLEAR_POINTER = 12,
    DMA_MASTER_CLEAR = 13, /* read: temporary */
    DMA_CLEAR_MASK = 14,
    DMA_ALL_MASK = 15,
};
#define DMA_PAGE_PORT 0x80
#define DMA_SLAVE_PORT 0xC0 /* registers two ports apart */

typedef struct {
    uint16_t base_address, base_count, address, count;
    uint8_t mode;
} DmaChannel;

typedef struct {
    DmaChannel channel[4];
    uint8_t command, status, request, mask;
    bool high_byte; /* the pointer flip-flop */
} DmaController;

typedef struct {
    Device dev;
    AddressSpace *ports; /* borrowed */
    DmaController controller[2];
    uint8_t page[16];
} Dma8237;

static const StateField dma_channel_state[] = {
    STATE_UINT(DmaChannel, base_address), STATE_UINT(DmaChannel, base_count),
    STATE_UINT(DmaChannel, address),      STATE_UINT(DmaChannel, count),
    STATE_UINT(DmaChannel, mode),         STATE_END,
};

static const StateField dma_controller_state[] = {
    STATE_STRUCTS(DmaController, channel, dma_channel_state),
    STATE_UINT(DmaController, command),
    STATE_UINT(DmaController, status),
    STATE_UINT(DmaController, request),
    STATE_UINT(DmaController, mask),
    STATE_BOOL(DmaController, high_byte),
    STATE_END,
};

static const StateField dma8237_state[] = {
    STATE_STRUCTS(Dma8237, controller, dma_controller_state),
    STATE_BYTES(Dma8237, page),
    STATE_END,
};

static uint8_t read_counter(DmaController *c, unsigned reg)
{
    const DmaChannel *channel = &c->channel[reg >> 1];
    uint16_t value = reg & 1 ? channel->count : channel->address;

    c->high_byte = !c->high_byte;
    return c->high_byte ? value : value >> 8;
}

static void write_counter(DmaController *c, unsigned reg, uint8_t value)
{
    DmaChannel *channel = &c->channel[reg >> 1];
    uint16_t *base = reg & 1 ? &channel->base_count : &channel->base_address;
    uint16_t *current = reg & 1 ? &channel->count : &channel->address;

    *base = c->high_byte ? (*base & 0x00FF) | value << 8 : (*base & 0xFF00) | value;
    *current = *base;
    c->high_byte = !c->high_byte;
}

static uint8_t controller_read(DmaController *c, unsigned reg)
{
    if (reg < DMA_COMMAND)
        return read_counter(c, reg);
    if (reg == DMA_COMMAND) {
        uint8_t status = c->status;
        c->status &= 0xF0; /* reading clears terminal counts */
        return status;
    }
    return reg == DMA_ALL_MASK ? c->mask | 0xF0 : 0;
}

static void controller_write(DmaController *c, unsigned reg, uint8_t value)
{
    uint8_t bit = 1 << (value & 3);

    switch (reg) {
    case DMA_COMMAND: c->command = value; break;
    case DMA_REQUEST: c->request = value & 4 ? c->request | bit : c->request & ~bit; break;
    case DMA_SINGLE_MASK: c->mask = value & 4 ? c->mask | bit : c->mask & ~bit; break;
    case DMA_MODE: c->channel[value & 3].mode = value & ~3; break;
    case DMA_CLEAR_POINTER: c->high_byte = false; break;
    case DMA_MASTER_CLEAR:
        c->command = c->status = c->request = 0;
        c->mask = 0x0F;
        c->high_byte = false;
        break;
    case DMA_CLEAR_MASK: c->mask = 0; break;
    case DMA_ALL_MASK: c->mask = value & 0x0F; break;
    default: write_counter(c, reg, value); break;
    }
}

static uint64_t dma8237_read(Device *dev, uint64_t offset, unsigned size)
{
    Dma8237 *dma = (Dma8237 *)dev;

    if (offset < 0x10)
        return controller_read(&dma->controller[0], offset);
    if (offset >= DMA_SLAVE_PORT)
        return controller_read(&dma->controller[1], (offset - DMA_SLAVE_PORT) >> 1 & 15);
    return dma->page[offset & 15];
}

static void dma8237_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Dma8237 *dma = (Dma8237 *)dev;

    if (offset < 0x10)
        controller_write(&dma->controller[0], offset, value);
    else if (offset >= DMA_SLAVE_PORT)
        controller_write(&dma->controller[1], (offset - DMA_SLAVE_PORT) >> 1 & 15, value);
    else
        dma->page[offset & 15] = value;
}

/* The page at 80h is no channel's: it is written to pass a microsecond. */
static bool dma8237_write_lockless(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Dma8237 *dma = (Dma8237 *)dev;

    if (offset != DMA_PAGE_PORT || size != 1)
        return false;
    __atomic_store_n(&dma->page[0], (uint8_t)value, __ATOMIC_RELAXED);
    return true;
}

static void dma8237_reset(Device *dev)
{
    Dma8237 *dma = (Dma8237 *)dev;

    for (unsigned i = 0; i < 2; i++)
        dma->controller[i] = (DmaController){ .mask = 0x0F };
    for (unsigned i = 0; i < sizeof dma->page; i++)
        dma->page[i] = 0;
}

static bool dma8237_realize(Device *dev, Machine *machine, GError **error)
{
    AddressSpace *ports = ((Dma8237 *)dev)->ports;

    address_space_map_device(ports, 0x00, 0x10, MAP_PRIORITY_CHIPSET, dev, 0x00);
    address_space_map_device(ports, DMA_PAGE_PORT, 0x10, MAP_PRIORITY_CHIPSET, dev, DMA_PAGE_PORT);
    address_space_map_device(ports, DMA_SLAVE_PORT, 0x20, MAP_PRIORITY_CHIPSET, dev,
                             DMA_SLAVE_PORT);
    return true;
}

static const DeviceOps dma8237_ops = {
    .name = "dma8237",
    .instance_size = sizeof(Dma8237),
    .state_version = 1,
    .state = dma8237_state,
    .min_access = 1,
    .max_access = 1,
    .realize = dma8237_realize,
    .reset = dma8237_reset,
    .read = dma8237_read,
    .write = dma8237_write,
    .write_lockless = dma8237_write_lockless,
};

Device *dma8237_new(AddressSpace *ports)
{
    Dma8237 *dma = device_alloc(&dma8237_ops, "dma8237");

    dma->ports = ports;
    return &dma->dev;
}
