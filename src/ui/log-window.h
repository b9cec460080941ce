/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What an engine said last, to be read and copied: for a machine that stopped unexpectedly.
 * Included by the machine page. */

#include <gtk/gtk.h>

/* Opens a window over @parent with the end of the log at @path; a log that cannot be read says why.
 */
void log_window_show(GtkWindow *parent, const char *machine, const char *path);
