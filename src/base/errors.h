/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The errors that cross a module's face and mean something to a program; all others are GLib's own.
 * Messages are for users: they name the thing and say what to do. Sent over D-Bus as
 * org.vitrine.Error.NAME and back without loss. Included by everyone. */

#include <glib.h>

typedef enum {
    APP_ERROR_FAILED,
    APP_ERROR_USAGE,       /* the command line makes no sense */
    APP_ERROR_INVALID,     /* a value, a file or an argument that cannot be used */
    APP_ERROR_NOT_FOUND,   /* no such machine, drive */
    APP_ERROR_WRONG_STATE, /* not possible while the machine is off, running, … */
    APP_ERROR_IN_USE,      /* something else holds it */
    APP_ERROR_TIMED_OUT,
    APP_ERROR_NO_TEXT, /* the screen is in a graphics mode */
    APP_ERROR_N_CODES
} AppError;

#define APP_ERROR app_error_quark()
GQuark app_error_quark(void);

/* What the programs of the command line exit with. Fixed: scripts rely on them. */
enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_MACHINE, EXIT_WRONG_STATE };
int app_error_exit_code(const GError *error);
