/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/fd.h"
#include "base/errors.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool fd_write_all(int fd, const void *bytes, gsize length, GError **error)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0) {
            int saved = errno;
            if (saved == EINTR)
                continue;
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved), "%s", g_strerror(saved));
            errno = saved;
            return false;
        }
        at += n;
        length -= n;
    }
    return true;
}

int fd_new_memory(const char *name, const void *bytes, gsize length, GError **error)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("No shared memory for %s: %s"), name,
                    g_strerror(errno));
        return -1;
    }
    if (!fd_write_all(fd, bytes, length, error)) {
        close(fd);
        return -1;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

GBytes *fd_read_all(int fd, GError **error)
{
    g_autoptr(GByteArray) all = g_byte_array_new();
    guint8 buffer[16384];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n == 0)
            return g_byte_array_free_to_bytes(g_steal_pointer(&all));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved), "%s", g_strerror(saved));
            return NULL;
        }
        g_byte_array_append(all, buffer, n);
    }
}

bool file_replace(const char *path, const void *bytes, gsize length, int mode, GError **error)
{
    /* Both flags: to a temporary file, fsync, rename, and fsync again where ext4 would not. */
    return g_file_set_contents_full(path, bytes, length,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                    mode, error);
}

bool directory_make_private(const char *path, GError **error)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("Cannot create the folder “%s”: %s"),
                    path, g_strerror(errno));
        return false;
    }
    /* In a folder that all may write to, somebody may have been there first. */
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("“%s” is not a folder of yours; remove it, or set XDG_RUNTIME_DIR"), path);
        return false;
    }
    if ((st.st_mode & 077) != 0 && chmod(path, 0700) < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("Cannot close “%s” to others: %s"), path,
                    g_strerror(errno));
        return false;
    }
    return true;
}
