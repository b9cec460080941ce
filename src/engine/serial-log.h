/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the guest said on its first serial port, and the consoles that follow it. Made and used on
 * the main thread; the guest's bytes come in on its own. */

#include "core/dev/char-backend.h"

typedef struct SerialLog SerialLog;

SerialLog *serial_log_new(CharBackend *port);
void serial_log_free(SerialLog *log); /* closes the consoles */

/* The client's end of a new console: first what was said so far, then what comes; what is written
 * to it goes to the guest. -1 and @error on failure. */
int serial_log_open_console(SerialLog *log, GError **error);
/* The kept output as text: UTF-8, without terminal escapes and carriage returns. @out_total: bytes
 * that the guest ever wrote, to see that nothing is new. */
char *serial_log_dup_text(SerialLog *log, uint64_t *out_total);
uint64_t serial_log_total(SerialLog *log);
/* A reset: what was said before is no text any more, though late consoles still see it. Any thread.
 */
void serial_log_cut(SerialLog *log);
