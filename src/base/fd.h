/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* File descriptors: whole writes, shared memory, directories that only we can enter. Included by
 * whoever would otherwise write these loops again. */

#include <glib.h>
#include <stdbool.h>

/* Writes all of @bytes, whatever signals and short writes come between. On failure errno tells why,
 * too. */
bool fd_write_all(int fd, const void *bytes, gsize length, GError **error);
/* A memfd named @name that holds @bytes, at offset 0. -1 and @error on failure. */
int fd_new_memory(const char *name, const void *bytes, gsize length, GError **error);
/* Reads until end of file. NULL and @error on failure. */
GBytes *fd_read_all(int fd, GError **error);
/* Replaces @path by @bytes in one step: whoever reads it, also after a power cut, sees the old
 * content or the new. @mode: permissions of the new file. */
bool file_replace(const char *path, const void *bytes, gsize length, int mode, GError **error);
/* Makes @path a directory with mode 0700 that belongs to us, or says why it is not to be trusted.
 */
bool directory_make_private(const char *path, GError **error);
