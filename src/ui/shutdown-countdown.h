/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The dialog that is there while this computer waits for its guests to turn off. */

#include <adwaita.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct ShutdownCountdown ShutdownCountdown;

/* @until: monotonic time when the waiting ends. @parent may be NULL. */
ShutdownCountdown *shutdown_countdown_new(GtkWindow *parent, gint64 until);
void shutdown_countdown_free(ShutdownCountdown *self);
/* @machines: VitrineMachine that are still on. False when there is nothing more to wait for: the
 * time is over, or somebody does not want to. */
bool shutdown_countdown_update(ShutdownCountdown *self, GPtrArray *machines);

G_END_DECLS
