/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Locks on image files that QEMU, its tools and libvirt honour and that honour theirs: open file
 * description locks on single bytes, 100 + n for "I use permission n" and 200 + n for "nobody else
 * may use permission n". They end with the last descriptor of the open file. */

#include <glib.h>
#include <stdbool.h>

/* Locks @fd of @path (for words only): readers share, a writer is alone. On conflict @error names
 * the file and, where the host lets us see it, the program that holds it. */
bool image_lock(int fd, const char *path, bool writer, GError **error);
