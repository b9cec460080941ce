/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine in the library's grid: thumbnail, name, state. Included by the library page. */

#include "ui/machine.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_MACHINE_TILE (vitrine_machine_tile_get_type())
G_DECLARE_FINAL_TYPE(VitrineMachineTile, vitrine_machine_tile, VITRINE, MACHINE_TILE, GtkWidget)

GtkWidget *vitrine_machine_tile_new(void);
void vitrine_machine_tile_set_machine(VitrineMachineTile *self, VitrineMachine *machine);

G_END_DECLS
