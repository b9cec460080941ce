/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The two halves of file-disc.h: file-disc-tree.c gathers what goes on the disc, file-disc.c writes
 * it. Included by these two. */

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define LIBISOFS_WITHOUT_LIBBURN /* declares struct burn_source itself */
#include <libisofs/libisofs.h>   /* wants the ones above */

typedef struct {
    IsoImage *image;
    GCancellable *cancellable; /* borrowed; may be NULL */
    GMutex lock;
    GError *error; /* owned: the first thing that went wrong in the writer's thread */
} FileDisc;

/* Puts @path and all below it into the root of the disc under a name that is not in @names (a set
 * of char *, owned by it) and is in it afterwards. Reads folders, not yet files. */
bool file_disc_add(FileDisc *disc, const char *path, GHashTable *names, GError **error);
/* The first error that reading files brought, or NULL. Any thread. Caller owns it. */
GError *file_disc_dup_error(FileDisc *disc);
/* Words for a libisofs result @code < 0. */
void file_disc_set_error(GError **error, const char *path, int code);
