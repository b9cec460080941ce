/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Whole files and folders: copying with holes kept and blocks shared where the file system can,
 * moving without overwriting, removing. The client's own; all of it blocks. */

#include "client/client.h"

/* One piece of work over several files. */
typedef struct {
    uint64_t done, total;      /* bytes of data, without holes */
    const char *target;        /* a folder on the file system that is written to */
    ClientProgress progress;   /* or NULL */
    gpointer data;             /* for @progress */
    GCancellable *cancellable; /* or NULL */
    gint64 next_report;        /* zero at first, as the next one */
    bool space_checked;
} FilesJob;

/* Whether another machine in @root than @except (may be NULL) is called @name. One that was renamed
 * while it ran has a folder of another name. */
bool client_name_is_taken(const char *root, const char *except, const char *name);
/* Makes @to, which must not exist, a copy of file @from with its permissions; on disk when it
 * returns. On failure, also by cancelling, part of @to may be left. */
bool files_copy(const char *from, const char *to, FilesJob *job, GError **error);
/* Moves @from to @to on the same file system; G_IO_ERROR_EXISTS when something is there. */
bool files_move_new(const char *from, const char *to, GError **error);
/* Removes what is in the folder and the folder. Links are removed, never followed. */
bool files_remove_tree(const char *path, GError **error);
