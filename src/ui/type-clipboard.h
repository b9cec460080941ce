/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A dialog that types what the host's clipboard holds on the guest's keyboard, for guests that
 * share no clipboard: login prompts, installers, consoles. Says beforehand how long it takes and
 * what has no key, shows progress, can be stopped. Included by the machine page. */

#include "ui/machine.h"

/* Over @parent. A machine that is not running is not typed to: then nothing happens. */
void type_clipboard_show(GtkWindow *parent, VitrineMachine *machine);
