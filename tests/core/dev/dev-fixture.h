/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A board with nothing on it, for tests of one device: spaces, a PCI bus, a clock that the test
 * moves, and interrupt lines that count edges. What devices ask of machine.c is answered here. */

#include "core/machine/machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

typedef struct {
    bool level;
    unsigned edges; /* rising */
} FakeLine;

typedef struct {
    Machine machine;
    FakeLine line[24];
    bool a20;
    unsigned resets, power_offs; /* requested */
} Board;

Board *board_new(void);
/* The same with a clock that runs by itself. */
Board *board_new_real_time(void);
void board_free(Board *board);
IrqLine board_line(Board *board, unsigned n);
/* Realizes and resets @dev as machine.c would. */
void board_plug(Board *board, Device *dev);
uint32_t board_in(Board *board, unsigned port, unsigned size);
void board_out(Board *board, unsigned port, unsigned size, uint32_t value);
void board_advance(Board *board, uint64_t ns);
/* Saves @dev, resets it, and loads it again. */
void board_save_and_load(Device *dev);
