/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Running vitrine-engine and hearing how it went. The client's own. */

#include <glib.h>
#include <stdbool.h>

/* Runs the engine with @arguments (NULL-terminated, without its own name) in a session of its own
 * and returns when it has said "ready" or what is wrong. */
bool spawn_engine(const char *const *arguments, GError **error);
