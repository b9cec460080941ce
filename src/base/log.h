/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where g_warning() and friends go: stderr, one line a message with the time and the level, and
 * nothing below the level asked for. The engine points stderr at its log file. */

#include <glib.h>
#include <stdbool.h>

/* Takes GLib's log over for this process; once, in main(). @verbose: also info and debug. */
void log_init(bool verbose);
/* Appends stdout and stderr, so also what libraries and sanitizers say, to @path. Starts the file
 * anew when it is larger than a megabyte; the old one is kept beside it as PATH.old. */
bool log_redirect(const char *path, GError **error);
