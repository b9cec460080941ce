/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What ends an engine whose machine does not come to rest. A KVM in trouble may never give a vCPU
 * back; its thread cannot be ended but with the process, and whoever waits for it waits for ever.
 * So who is about to wait begins a watch: if a vCPU that was told to stop stays in its guest for
 * too long, the watch has the disks written out, says why in the log, and ends the process.
 * Included by engine.c and the machine's D-Bus object; main thread. */

#include "engine/engine.h"

#define LAST_RESORT_FORCED_MS 2000 /* somebody wants the machine off */
#define LAST_RESORT_MS 10000       /* it is to pause, or to change its CPU */

typedef struct LastResort LastResort;

/* @last_words (may be NULL) is called on the watch's thread before the process ends. */
LastResort *last_resort_begin(Engine *engine, unsigned patience_ms,
                              void (*last_words)(gpointer opaque), gpointer opaque);
/* The machine rests. */
void last_resort_end(LastResort *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LastResort, last_resort_end)
