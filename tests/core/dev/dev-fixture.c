/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "dev-fixture.h"

#include <string.h>

static Board *board_of(const Machine *machine)
{
    return (Board *)machine; /* its first member */
}

/* --- machine.c's part ------------------------------------------------------------------------- */

void machine_set_a20(Machine *machine, bool enabled)
{
    board_of(machine)->a20 = enabled;
}

bool machine_a20(const Machine *machine)
{
    return board_of(machine)->a20;
}

void machine_request_reset(Machine *machine)
{
    board_of(machine)->resets++;
}

void machine_request_power_off(Machine *machine)
{
    board_of(machine)->power_offs++;
}

void machine_collect_writes(Machine *machine, Ram *ram)
{
}

bool machine_take_dirty(Machine *machine, Ram *ram, uint8_t *out_pages)
{
    bool any = false;

    for (uint64_t i = 0; i < ram->size >> RAM_PAGE_SHIFT; i++) {
        out_pages[i] = ram->dirty[i];
        any |= ram->dirty[i];
        ram->dirty[i] = 0;
    }
    return any;
}

/* --- the board -------------------------------------------------------------------------------- */

static void board_set_line(void *opaque, unsigned input, bool level)
{
    FakeLine *line = &((Board *)opaque)->line[input];

    line->edges += level && !line->level;
    line->level = level;
}

IrqLine board_line(Board *board, unsigned n)
{
    return (IrqLine){ board_set_line, board, n };
}

static Board *board_new_with_clock(ClockKind kind)
{
    Board *board = g_new0(Board, 1);
    Machine *machine = &board->machine;

    g_rec_mutex_init(&machine->lock);
    machine->memory = address_space_new("memory", UINT64_C(1) << 40);
    machine->ports = address_space_new("ports", 1 << 16);
    machine->clock = clock_new(kind, &machine->lock);
    clock_start(machine->clock);
    machine->pci = pci_bus_new(machine->memory, machine->ports, NULL, NULL, NULL);
    return board;
}

Board *board_new(void)
{
    return board_new_with_clock(CLOCK_DETERMINISTIC);
}

Board *board_new_real_time(void)
{
    return board_new_with_clock(CLOCK_REAL);
}

void board_free(Board *board)
{
    pci_bus_free(board->machine.pci);
    clock_free(board->machine.clock);
    address_space_free(board->machine.memory);
    address_space_free(board->machine.ports);
    g_rec_mutex_clear(&board->machine.lock);
    g_free(board);
}

void board_plug(Board *board, Device *dev)
{
    g_autoptr(GError) error = NULL;

    if (!device_realize(dev, &board->machine, &error))
        fail_msg("%s", error->message);
    device_reset(dev);
    device_update(dev);
}

uint32_t board_in(Board *board, unsigned port, unsigned size)
{
    uint32_t value;

    g_rec_mutex_lock(&board->machine.lock);
    value = address_space_read(board->machine.ports, port, size);
    g_rec_mutex_unlock(&board->machine.lock);
    return value;
}

void board_out(Board *board, unsigned port, unsigned size, uint32_t value)
{
    g_rec_mutex_lock(&board->machine.lock);
    address_space_write(board->machine.ports, port, size, value);
    g_rec_mutex_unlock(&board->machine.lock);
}

void board_advance(Board *board, uint64_t ns)
{
    g_rec_mutex_lock(&board->machine.lock);
    clock_advance(board->machine.clock, clock_now_ns(board->machine.clock) + ns);
    g_rec_mutex_unlock(&board->machine.lock);
}

void board_save_and_load(Device *dev)
{
    g_autoptr(GByteArray) blob = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    size_t used;

    state_save(dev, dev->ops->state, dev->ops->state_version, blob);
    device_reset(dev);
    if (!state_load(dev, dev->ops->state, dev->ops->state_version, blob->data, blob->len, &used,
                    &error))
        fail_msg("%s", error->message);
    device_update(dev);
}
