/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Watches running machines that install something: started from a disc, with a disk to write to.
 * Included by the notifications. */

#include "ui/library.h"

G_BEGIN_DECLS

typedef struct InstallWatch InstallWatch;

/* @rests: it was busy, and now it is done or asks something; else it goes on, or has ended. */
typedef void (*InstallWatchFunc)(VitrineMachine *machine, bool rests, gpointer opaque);

/* @library outlives it. */
InstallWatch *install_watch_new(VitrineLibrary *library, InstallWatchFunc told, gpointer opaque);
void install_watch_free(InstallWatch *self);

G_END_DECLS
