/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/files.h"
#include "base/errors.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHUNK_BYTES (8u << 20) /* what is copied between two looks at the cancellable */
#define REPORT_INTERVAL (G_USEC_PER_SEC / 10)

static void job_advance(FilesJob *job, uint64_t bytes)
{
    job->done = MIN(job->done + bytes, job->total);
    gint64 now = g_get_monotonic_time();
    if (job->progress && (now >= job->next_report || job->done == job->total)) {
        job->next_report = now + REPORT_INTERVAL;
        job->progress(job->total ? (double)job->done / (double)job->total : 1, job->data);
    }
}

/* Once blocks cannot be shared, all that is left must fit: said before minutes of copying. */
static bool job_check_space(FilesJob *job, GError **error)
{
    struct statvfs fs;
    if (job->space_checked || statvfs(job->target, &fs) < 0)
        return true;
    job->space_checked = true;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize, needed = job->total - job->done;
    if (needed <= free_bytes)
        return true;
    g_autofree char *wants = g_format_size(needed), *has = g_format_size(free_bytes);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                _("There is not enough space in “%s”: %s are needed, %s are free"), job->target,
                wants, has);
    return false;
}

/* Copies @length bytes at @offset. copy_file_range() does it inside the kernel, or on the server,
 * where both ends can; pread() and pwrite() everywhere. */
static bool copy_range(int from, int to, off_t offset, size_t length, GError **error)
{
    static const int unable[] = { EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM };
    g_autofree char *buffer = NULL;
    while (length > 0) {
        loff_t in = offset, out = offset;
        ssize_t n = buffer ? -1 : copy_file_range(from, &in, to, &out, length, 0);
        bool fall_back = buffer != NULL;
        for (unsigned i = 0; n < 0 && i < G_N_ELEMENTS(unable); i++)
            fall_back |= errno == unable[i];
        if (fall_back) {
            if (!buffer)
                buffer = g_malloc(1 << 20);
            n = pread(from, buffer, MIN(length, 1 << 20), offset);
            if (n > 0)
                n = pwrite(to, buffer, n, offset);
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errno), g_strerror(errno));
            return false;
        }
        if (n == 0) /* the file became shorter: nobody else should write to it, but it may be */
            return true;
        offset += n;
        length -= n;
    }
    return true;
}

static bool copy_data(int from, int to, off_t size, FilesJob *job, GError **error)
{
    off_t at = 0;
    while (at < size) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) /* holes up to the end */
            break;
        off_t end = data < 0 ? size : lseek(from, data, SEEK_HOLE);
        data = data < 0 ? at : data; /* a file system without holes */
        end = end < 0 ? size : end;
        while (data < end) {
            size_t length = MIN(end - data, CHUNK_BYTES);
            if (g_cancellable_set_error_if_cancelled(job->cancellable, error) ||
                !copy_range(from, to, data, length, error))
                return false;
            job_advance(job, length);
            data += length;
        }
        at = end;
    }
    return true;
}

static bool copy_open_file(int from, int to, FilesJob *job, GError **error)
{
    struct stat st;
    if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0) {
        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errno), g_strerror(errno));
        return false;
    }
    if (st.st_size > 0 && ioctl(to, FICLONE, from) == 0)
        job_advance(job, (uint64_t)st.st_blocks * 512);
    else if (!job_check_space(job, error) || !copy_data(from, to, st.st_size, job, error))
        return false;
    if (fsync(to) < 0) {
        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errno), g_strerror(errno));
        return false;
    }
    return true;
}

bool files_copy(const char *from, const char *to, FilesJob *job, GError **error)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0 || fstat(in, &st) < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), _("“%s” cannot be read: %s"),
                    from, g_strerror(errno));
        if (in >= 0)
            close(in);
        return false;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
    bool good = out >= 0;
    if (!good) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    _("“%s” cannot be written: %s"), to, g_strerror(errno));
    } else {
        good = copy_open_file(in, out, job, error);
        if (!good && !g_cancellable_is_cancelled(job->cancellable))
            g_prefix_error(error, _("“%s” cannot be copied: "), from);
        close(out);
    }
    close(in);
    return good;
}

bool files_move_new(const char *from, const char *to, GError **error)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result < 0 && errno == EINVAL) { /* a file system that does not know the flag */
        if (g_file_test(to, G_FILE_TEST_EXISTS))
            errno = EEXIST;
        else
            result = rename(from, to);
    }
    if (result < 0)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), _("“%s” cannot be moved: %s"),
                    from, g_strerror(errno));
    return result == 0;
}

static bool remove_file(GFile *file, GError **error)
{
    if (g_file_query_file_type(file, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, NULL) ==
        G_FILE_TYPE_DIRECTORY) {
        g_autoptr(GFileEnumerator) all = g_file_enumerate_children(
            file, G_FILE_ATTRIBUTE_STANDARD_NAME, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, NULL, error);
        GFile *child = NULL;
        g_autoptr(GError) local = NULL;
        while (all && g_file_enumerator_iterate(all, NULL, &child, NULL, &local) && child)
            if (!remove_file(child, error))
                return false;
        if (local)
            g_propagate_error(error, g_steal_pointer(&local));
        if (!all || (error && *error))
            return false;
    }
    return g_file_delete(file, NULL, error);
}

bool files_remove_tree(const char *path, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    return remove_file(file, error);
}
