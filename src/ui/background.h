/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Leave to go on without a window, which a sandbox's portal gives; elsewhere nobody has to be
 * asked. Included by the application. */

#include <gio/gio.h>
#include <stdbool.h>

/* Whether we are in a sandbox, or are to act so (GTK_USE_PORTAL=1, as GTK has it). */
bool background_needs_leave(void);
/* Asks, and returns when the portal has taken the question. */
void background_request(GApplication *app);
