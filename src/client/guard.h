/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A limit to what an engine may tell us: it may be in a guest's hand, and must not keep a front end
 * busy or fill its memory. Included by whoever opens a connection to one. */

#include <gio/gio.h>

typedef struct {
    unsigned messages_per_second; /* calls and signals; answers come as often as we ask */
    gsize message_bytes;          /* 0: any */
} GuardLimits;

/* An honest engine stays far below: of a machine a few things change now and then; a screen is
 * shown sixty times a second, in a few messages. */
#define GUARD_MACHINE ((GuardLimits){ 200, (gsize)256 << 10 })
#define GUARD_SCREEN ((GuardLimits){ 4000, 0 })

/* From now on @connection is closed when more comes than @limits. What is over the limit is not
 * dispatched. Before the first message is processed, any thread. */
void guard_connection(GDBusConnection *connection, GuardLimits limits);
/* Whether the guard has closed it. Any thread. */
gboolean guard_has_closed(GDBusConnection *connection);
