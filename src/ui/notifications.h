/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the user should hear of while looking elsewhere: a machine stopped by itself, and why; an
 * installation came to rest; the disk that a running machine writes to is nearly full. Nothing else
 * is worth an interruption. Included by the application. */

#include "ui/library.h"

G_BEGIN_DECLS

typedef struct Notifications Notifications;

/* Both outlive it. A notification's actions are app.show-machine and app.resume-machine. */
Notifications *notifications_new(GApplication *app, VitrineLibrary *library);
void notifications_free(Notifications *self);

G_END_DECLS
