/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine's settings in a window of their own. Included by whoever has a menu with "Settings". */

#include "ui/machine.h"

G_BEGIN_DECLS

/* A machine whose definition cannot be read has none: the window says what is wrong with it. */
void settings_window_show(GtkWindow *parent, VitrineMachine *machine);

G_END_DECLS
