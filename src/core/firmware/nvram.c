/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/nvram.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SIZE (16 << 20) /* more than any firmware's, and room for it below 4 GiB */
#define GATHER_US (20 * G_TIME_SPAN_MILLISECOND)
/* Firmware's volumes begin with 16 zeros and a GUID; this comes next (PI 1.7 volume 3 §3.2.1). */
#define VOLUME_SIGNATURE "_FVH"
#define VOLUME_SIGNATURE_AT 40

struct Nvram {
    /* owned */
    char *path; /* NULL: kept nowhere */
    Ram *image;
    GThread *thread;
    /* borrowed */
    GRecMutex *lock;
    void (*on_problem)(void *opaque, const char *path, int error_number);
    void *opaque;
    /* under mutex, which is a leaf lock */
    GMutex mutex;
    GCond cond;
    uint64_t n_changes, n_kept; /* of n_changes so many are in the file */
    bool has_failed;            /* nothing is tried until somebody asks */
    bool is_urgent;             /* somebody waits: gather no more */
    bool quits;
};

/* The file */

/* Always a new file: whatever has its name, a crash's half of one or what somebody put there to be
 * written to in its place, goes. Returns an errno, as the others here. */
static int write_synced(const char *path, const void *bytes, size_t length)
{
    g_autoptr(GError) error = NULL;
    int failed = 0;

    if (unlink(path) < 0 && errno != ENOENT)
        return errno;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    if (!fd_write_all(fd, bytes, length, &error))
        failed = errno;
    else if (fsync(fd) < 0)
        failed = errno;
    if (close(fd) < 0 && !failed)
        failed = errno;
    return failed;
}

/* The new name is on the disk too; where a file system has no such thing, its best will do. */
static void sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (fsync(fd) < 0)
        g_debug("%s: %s", folder, g_strerror(errno));
    close(fd);
}

/* On failure @path is what it was. The file beside has one name, so that a crash leaves one behind
 * at most, and the next copy takes its place. */
static int replace(const char *path, const void *bytes, size_t length)
{
    g_autofree char *beside = g_strconcat(path, ".new", NULL);
    int failed = write_synced(beside, bytes, length);

    if (!failed && rename(beside, path) < 0)
        failed = errno;
    if (failed)
        unlink(beside);
    else
        sync_folder(path);
    return failed;
}

/* The thread that keeps it */

static int keep(Nvram *nvram)
{
    Ram *image = nvram->image;
    g_autofree uint8_t *copy = g_malloc(image->size);

    g_rec_mutex_lock(nvram->lock);
    memcpy(copy, image->host, image->size);
    g_rec_mutex_unlock(nvram->lock);
    return replace(nvram->path, copy, image->size);
}

static bool has_work(const Nvram *nvram)
{
    return nvram->n_changes != nvram->n_kept && !nvram->has_failed;
}

static void keep_locked(Nvram *nvram)
{
    uint64_t n_changes = nvram->n_changes;

    g_mutex_unlock(&nvram->mutex);
    int failed = keep(nvram);
    if (failed)
        nvram->on_problem(nvram->opaque, nvram->path, failed);
    g_mutex_lock(&nvram->mutex);
    nvram->has_failed = failed != 0;
    if (!failed)
        nvram->n_kept = n_changes;
    g_cond_broadcast(&nvram->cond);
}

static gpointer run(gpointer data)
{
    Nvram *nvram = data;

    g_mutex_lock(&nvram->mutex);
    while (!nvram->quits || has_work(nvram)) {
        if (!has_work(nvram)) {
            g_cond_wait(&nvram->cond, &nvram->mutex);
            continue;
        }
        gint64 end = g_get_monotonic_time() + GATHER_US;
        while (!nvram->quits && !nvram->is_urgent &&
               g_cond_wait_until(&nvram->cond, &nvram->mutex, end))
            continue;
        keep_locked(nvram);
    }
    g_mutex_unlock(&nvram->mutex);
    return NULL;
}

void nvram_changed(Nvram *nvram)
{
    if (!nvram->thread)
        return;
    g_mutex_lock(&nvram->mutex);
    if (nvram->n_changes++ == nvram->n_kept)
        g_cond_broadcast(&nvram->cond);
    g_mutex_unlock(&nvram->mutex);
}

void nvram_retry(Nvram *nvram)
{
    g_mutex_lock(&nvram->mutex);
    nvram->has_failed = false;
    g_cond_broadcast(&nvram->cond);
    g_mutex_unlock(&nvram->mutex);
}

bool nvram_flush(Nvram *nvram)
{
    if (!nvram->thread)
        return true;
    nvram_retry(nvram);
    g_mutex_lock(&nvram->mutex);
    nvram->is_urgent = true;
    while (has_work(nvram))
        g_cond_wait(&nvram->cond, &nvram->mutex);
    nvram->is_urgent = false;
    bool good = nvram->n_changes == nvram->n_kept;
    g_mutex_unlock(&nvram->mutex);
    return good;
}

/* Life */

static bool looks_right(const char *bytes, gsize length)
{
    return length > VOLUME_SIGNATURE_AT + 4 && length % RAM_PAGE_SIZE == 0 &&
           memcmp(bytes + VOLUME_SIGNATURE_AT, VOLUME_SIGNATURE, 4) == 0;
}

/* A file of some MiB, or nothing: what else may have its name has no end, or never begins. */
static bool is_readable(const char *path, GError **error)
{
    struct stat status;
    int failed = stat(path, &status) < 0             ? errno
                 : !S_ISREG(status.st_mode)          ? EINVAL
                 : status.st_size > (off_t)MOST_SIZE ? EFBIG
                                                     : 0;

    if (failed)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(failed), "%s: %s", path,
                    g_strerror(failed));
    return !failed;
}

static bool read_image(const char *path, char **out_bytes, gsize *out_length, GError **error)
{
    if (is_readable(path, error) && g_file_get_contents(path, out_bytes, out_length, error))
        return true;
    g_prefix_error(error, _("Cannot read the UEFI variables: "));
    return false;
}

/* What is in the file, or, when there is none, what becomes of it. */
static bool load(Nvram *nvram, const NvramOptions *options, GError **error)
{
    g_autofree char *initial = NULL, *kept = NULL;
    gsize initial_length, length;

    if (!read_image(options->initial, &initial, &initial_length, error))
        return false;
    if (!looks_right(initial, initial_length)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("%s is not an image of UEFI variables. Install the UEFI firmware again."),
                    options->initial);
        return false;
    }
    bool exists = options->path && g_file_test(options->path, G_FILE_TEST_EXISTS);
    if (exists && !read_image(options->path, &kept, &length, error))
        return false;
    if (exists && (length != initial_length || !looks_right(kept, length))) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("%s does not hold the UEFI variables of the firmware that is installed. Put "
                      "back a copy of it, or remove it: the machine then starts with new ones."),
                    options->path);
        return false;
    }
    nvram->image = ram_new("nvram", initial_length, error);
    if (!nvram->image)
        return false;
    memcpy(nvram->image->host, exists ? kept : initial, initial_length);
    if (exists || !nvram->path)
        return true;
    int failed = replace(nvram->path, initial, initial_length);
    if (failed)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(failed),
                    _("The UEFI variables cannot be kept in %s: %s"), nvram->path,
                    g_strerror(failed));
    return !failed;
}

Nvram *nvram_open(const NvramOptions *options, GError **error)
{
    g_autoptr(Nvram) nvram = g_new0(Nvram, 1);

    g_mutex_init(&nvram->mutex);
    g_cond_init(&nvram->cond);
    nvram->path = options->forget ? NULL : g_strdup(options->path);
    nvram->lock = options->lock;
    nvram->on_problem = options->on_problem;
    nvram->opaque = options->opaque;
    if (!load(nvram, options, error))
        return NULL;
    if (nvram->path)
        nvram->thread = g_thread_new("nvram", run, nvram);
    return g_steal_pointer(&nvram);
}

void nvram_free(Nvram *nvram)
{
    if (!nvram)
        return;
    if (nvram->thread) {
        g_mutex_lock(&nvram->mutex);
        nvram->quits = true;
        g_cond_broadcast(&nvram->cond);
        g_mutex_unlock(&nvram->mutex);
        g_thread_join(nvram->thread);
    }
    ram_free(nvram->image);
    g_mutex_clear(&nvram->mutex);
    g_cond_clear(&nvram->cond);
    g_free(nvram->path);
    g_free(nvram);
}

Ram *nvram_image(Nvram *nvram)
{
    return nvram->image;
}
