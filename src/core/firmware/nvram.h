/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The host's side of a machine's UEFI variables: their image in memory (what pflash.h writes to)
 * and the file that keeps it, nvram.fd in the machine's folder.
 *
 * Firmware orders its writes so that it can make sense of the image after any of them: that is its
 * own safety from power cuts. So what is kept is always the image between two of its writes, whole:
 * a copy goes to a file beside, to the disk, and takes the name in one step. A thread of its own
 * does that some milliseconds after a change, so that the guest never waits for the host's disk,
 * and many changes make one copy. A crash of this process or of the host costs the last moments'
 * changes at most, as pulling the plug does. Included by the board. */

#include "core/memory/ram.h"

typedef struct Nvram Nvram;

typedef struct {
    const char *path;    /* the file; NULL: the image is kept nowhere */
    const char *initial; /* the image of a machine whose file does not exist yet */
    bool forget;         /* what is written is not kept */
    GRecMutex *lock;     /* what the image is changed under: the board's */
    /* The file cannot be written: with this errno. On the thread of the store, no lock held. */
    void (*on_problem)(void *opaque, const char *path, int error_number);
    void *opaque;
} NvramOptions;

/* Reads the image, or makes the file from @options->initial. Copies what it needs of @options.
 * Errors name the file and say what to do. */
Nvram *nvram_open(const NvramOptions *options, GError **error);
/* Keeps what can be kept, and lets the image go. NULL is fine. */
void nvram_free(Nvram *nvram);
Ram *nvram_image(Nvram *nvram); /* borrowed */
/* The image has changed. Any thread, the lock held; never waits. */
void nvram_changed(Nvram *nvram);
/* Tries again what failed, and returns when everything is kept (true) or cannot be. The lock not
 * held. */
bool nvram_flush(Nvram *nvram);
/* Tries again what failed, later. */
void nvram_retry(Nvram *nvram);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Nvram, nvram_free)
