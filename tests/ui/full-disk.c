/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Preloaded into the app, this makes every disk of this computer nearly full. */

#include <sys/statvfs.h>

int statvfs(const char *path, struct statvfs *out_fs)
{
    *out_fs = (struct statvfs){ .f_bsize = 4096, .f_frsize = 4096, .f_blocks = 1 << 20 };
    out_fs->f_bavail = out_fs->f_bfree = 25600;
    return 0;
}
