/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERMISSION_READ, PERMISSION_WRITE, PERMISSION_WRITE_UNCHANGED, PERMISSION_RESIZE };
#define N_PERMISSIONS 4
#define BYTE_USED(permission) (100 + (permission))
#define BYTE_UNSHARED(permission) (200 + (permission))

/* What we use, and what others may not use meanwhile. */
#define READER_USES (1 << PERMISSION_READ)
#define WRITER_USES (1 << PERMISSION_READ | 1 << PERMISSION_WRITE | 1 << PERMISSION_RESIZE)
#define UNSHARED (1 << PERMISSION_WRITE | 1 << PERMISSION_RESIZE)

static struct flock lock_of_byte(short type, int byte)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

static int lock_take(int fd, int byte)
{
    struct flock lock = lock_of_byte(F_RDLCK, byte);
    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? errno : 0;
}

static bool lock_held_by_other(int fd, int byte)
{
    struct flock lock = lock_of_byte(F_WRLCK, byte);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool fdinfo_has_lock(const char *pid, const char *fd_name)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fdinfo/%s", pid, fd_name);
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "lock:");
}

/* Whether process @pid has the file of @st open with a lock on it, other than as @own_fd here. */
static bool process_holds(const char *pid, const struct stat *st, int own_fd)
{
    g_autofree char *dir_path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);
    if (!dir)
        return false;
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        if (atoi(pid) == getpid() && atoi(name) == own_fd)
            continue;
        g_autofree char *fd_path = g_build_filename(dir_path, name, NULL);
        struct stat other;
        if (stat(fd_path, &other) == 0 && other.st_dev == st->st_dev &&
            other.st_ino == st->st_ino && fdinfo_has_lock(pid, name))
            return true;
    }
    return false;
}

/* "qemu-system-x86 (process 123)", or NULL. Open file description locks carry no process id in
 * /proc/locks, so we look through the descriptors that we may see. */
static char *lock_dup_holder(int fd)
{
    struct stat st;
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    if (!proc || fstat(fd, &st) < 0)
        return NULL;
    const char *pid;
    while ((pid = g_dir_read_name(proc))) {
        if (!g_ascii_isdigit(pid[0]) || !process_holds(pid, &st, fd))
            continue;
        if (atoi(pid) == getpid())
            return g_strdup(_("this machine itself"));
        g_autofree char *comm_path = g_strdup_printf("/proc/%s/comm", pid);
        g_autofree char *comm = NULL;
        if (!g_file_get_contents(comm_path, &comm, NULL, NULL))
            return g_strdup_printf(_("process %s"), pid);
        return g_strdup_printf(_("%s (process %s)"), g_strstrip(comm), pid);
    }
    return NULL;
}

static bool lock_refuse(int fd, const char *path, GError **error)
{
    g_autofree char *holder = lock_dup_holder(fd);
    g_set_error(
        error, G_IO_ERROR, G_IO_ERROR_BUSY,
        _("“%s” is in use by %s. Two programs that write to one disk would destroy it: close "
          "the other one first"),
        path, holder ? holder : _("another program"));
    return false;
}

bool image_lock(int fd, const char *path, bool writer, GError **error)
{
    unsigned uses = writer ? WRITER_USES : READER_USES;

    for (int i = 0; i < N_PERMISSIONS; i++) {
        int problem = 0;
        if (uses & 1u << i)
            problem = lock_take(fd, BYTE_USED(i));
        if (!problem && UNSHARED & 1u << i)
            problem = lock_take(fd, BYTE_UNSHARED(i));
        if (problem == EAGAIN || problem == EACCES)
            return lock_refuse(fd, path, error);
        if (problem)
            return true; /* a file system without locks (some network ones): as others do, go on */
    }
    /* First take, then look: of two that come at once, at least one sees the other. */
    for (int i = 0; i < N_PERMISSIONS; i++) {
        if ((uses & 1u << i && lock_held_by_other(fd, BYTE_UNSHARED(i))) ||
            (UNSHARED & 1u << i && lock_held_by_other(fd, BYTE_USED(i))))
            return lock_refuse(fd, path, error);
    }
    return true;
}
