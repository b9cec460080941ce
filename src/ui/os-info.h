/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What system an ISO holds and what it needs, by libosinfo. The database takes a moment to load, so
 * all is done on a thread; not knowing is an answer, not a failure. Included by the create page. */

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct {
    char *id;   /* libosinfo short id, or NULL: not known */
    char *name; /* "Debian 12", or NULL */
    uint64_t minimum_memory, recommended_memory, recommended_disk; /* bytes; 0: not known */
    bool needs_uefi;                                               /* no BIOS starts it */
} OsInfo;

void os_info_free(OsInfo *info);
void os_info_detect_async(const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer opaque);
/* Never NULL but when cancelled. */
OsInfo *os_info_detect_finish(GAsyncResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(OsInfo, os_info_free)

G_END_DECLS
