/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine in the library: thumbnail, name, state; a tile of the grid or a row of the list.
 * Included by the library page. */

#include "ui/machine.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_MACHINE_TILE (vitrine_machine_tile_get_type())
G_DECLARE_FINAL_TYPE(VitrineMachineTile, vitrine_machine_tile, VITRINE, MACHINE_TILE, GtkWidget)

/* @as_row: for the list. Signal "menu" (double x, double y): somebody asks what can be done with
 * it, by the other button or by a long touch. */
GtkWidget *vitrine_machine_tile_new(bool as_row);
/* NULL: none. Also names the list item that the tile is in, for those who hear the screen. */
void vitrine_machine_tile_set_machine(VitrineMachineTile *self, VitrineMachine *machine);
VitrineMachine *vitrine_machine_tile_get_machine(VitrineMachineTile *self);

G_END_DECLS
