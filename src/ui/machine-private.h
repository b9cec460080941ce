/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What machine.c (state, connection, thumbnail) and machine-verbs.c (what is asked of a machine)
 * share. Included by those two. */

#include "ui/machine.h"

/* Emits "failed", unless @error is only that somebody gave up. Takes @error. */
void machine_fail(VitrineMachine *self, const char *what, GError *error);
