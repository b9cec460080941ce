/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Between this computer's power and the machines that run: while any does, logind is asked to wait
 * a moment before it shuts down or sleeps. Before a shutdown the guests' power buttons are pressed
 * and a countdown is shown; before sleep machines are paused, and go on afterwards. Where there is
 * no logind (in a sandbox) the session is asked instead. Included by the application. */

#include "ui/library.h"

G_BEGIN_DECLS

typedef struct Inhibitor Inhibitor;

/* Both outlive it. */
Inhibitor *inhibitor_new(GApplication *app, VitrineLibrary *library);
void inhibitor_free(Inhibitor *self);

G_END_DECLS
