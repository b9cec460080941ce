/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a machine's engine said: why it stopped in plain words and what to do about it, below that
 * the log's own lines, and a button that copies both for a bug report. */

#include "ui/machine.h"

G_BEGIN_DECLS

void log_window_show(GtkWindow *parent, VitrineMachine *machine);

G_END_DECLS
