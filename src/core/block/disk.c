/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/disk.h"
#include "core/block/disk-format.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

#define DISK_MAX_WORKERS 4

struct Disk {
    /* owned */
    Image *image;
    GThread *worker[DISK_MAX_WORKERS];
    unsigned n_workers;

    /* Guarded by @lock. */
    GMutex lock;
    GCond work, idle;
    GQueue waiting; /* of DiskRequest, by their own links */
    GQueue parked;  /* writes that a full host could not take */
    unsigned n_running, n_sleeping;
    bool closing;
    bool in_problem; /* told about, not yet retried */
    bool sync_failed;
    DiskStats stats;

    /* borrowed */
    void (*problem)(void *opaque, Disk *disk, int error_number);
    void *problem_opaque;
};

static int disk_check_range(const Disk *disk, const DiskRequest *request)
{
    if (request->operation == DISK_FLUSH)
        return 0;
    if (request->offset > disk->image->size ||
        request->length > disk->image->size - request->offset)
        return -EINVAL;
    if (request->operation != DISK_READ && disk->image->read_only)
        return -EROFS;
    return 0;
}

/* A page cache that failed to reach the platter has dropped the data: a second fdatasync would say
 * yes to what is lost. So the first failure stands. */
static int disk_flush_image(Disk *disk)
{
    if (disk->image->read_only)
        return 0;
    g_mutex_lock(&disk->lock);
    bool failed = disk->sync_failed;
    g_mutex_unlock(&disk->lock);
    if (failed)
        return -EIO;
    int result = disk->image->format->flush(disk->image);
    if (result == -EIO) {
        g_mutex_lock(&disk->lock);
        disk->sync_failed = true;
        g_mutex_unlock(&disk->lock);
    }
    return result;
}

static int disk_execute(Disk *disk, const DiskRequest *request)
{
    const ImageFormat *format = disk->image->format;
    IoVector v = { .iov = request->iov, .n = request->n_iov };
    int result = disk_check_range(disk, request);
    if (result)
        return result;

    switch (request->operation) {
    case DISK_READ:
        if (io_vector_length(v) < request->length)
            return -EINVAL;
        return format->read(disk->image, request->offset, v, request->length);
    case DISK_WRITE:
        if (io_vector_length(v) < request->length)
            return -EINVAL;
        return format->write(disk->image, request->offset, v, request->length);
    case DISK_WRITE_ZEROES:
        return format->write_zeroes(disk->image, request->offset, request->length);
    case DISK_DISCARD: return format->discard(disk->image, request->offset, request->length);
    case DISK_FLUSH: return disk_flush_image(disk);
    }
    return -EINVAL;
}

static void disk_count_locked(Disk *disk, const DiskRequest *request)
{
    switch (request->operation) {
    case DISK_READ:
        disk->stats.reads++;
        disk->stats.read_bytes += request->length;
        break;
    case DISK_FLUSH: disk->stats.flushes++; break;
    default:
        disk->stats.writes++;
        disk->stats.written_bytes += request->length;
        break;
    }
}

/* Keeps @request for later. Returns whether the machine has to be told. */
static bool disk_park_locked(Disk *disk, DiskRequest *request)
{
    bool tell = !disk->in_problem;
    disk->in_problem = true;
    g_queue_push_tail_link(&disk->parked, &request->link);
    return tell;
}

/* The host takes no more: no room, no quota, or a file as large as its file system or a limit of
 * the session lets it be. A guest that were told of an error would give its own data up. */
static bool host_is_full(int result)
{
    return result == -ENOSPC || result == -EDQUOT || result == -EFBIG;
}

static void disk_run_one_locked(Disk *disk)
{
    DiskRequest *request = g_queue_pop_head_link(&disk->waiting)->data;
    disk->n_running++;
    g_mutex_unlock(&disk->lock);

    int result = disk_execute(disk, request);
    bool park = host_is_full(result) && request->operation != DISK_READ;

    g_mutex_lock(&disk->lock);
    bool tell = false;
    if (park && !disk->closing)
        tell = disk_park_locked(disk, request);
    else if (result == 0)
        disk_count_locked(disk, request);
    void (*problem)(void *, Disk *, int) = tell ? disk->problem : NULL;
    void *opaque = disk->problem_opaque;
    bool kept = park && !disk->closing;
    g_mutex_unlock(&disk->lock);

    if (problem)
        problem(opaque, disk, -result);
    if (!kept)
        request->done(request, park ? -EIO : result);

    g_mutex_lock(&disk->lock);
    disk->n_running--;
    if (!disk->n_running && !disk->waiting.length)
        g_cond_broadcast(&disk->idle);
}

static gpointer disk_worker(gpointer data)
{
    Disk *disk = data;
    g_mutex_lock(&disk->lock);
    for (;;) {
        if (disk->waiting.length) {
            disk_run_one_locked(disk);
            continue;
        }
        if (disk->closing)
            break;
        disk->n_sleeping++;
        g_cond_wait(&disk->work, &disk->lock);
        disk->n_sleeping--;
    }
    g_mutex_unlock(&disk->lock);
    return NULL;
}

/* Workers are made when there is work that nobody waits for, so an idle drive costs none. */
static void disk_wake_locked(Disk *disk)
{
    if (disk->n_sleeping < disk->waiting.length && disk->n_workers < DISK_MAX_WORKERS)
        disk->worker[disk->n_workers++] = g_thread_new("disk", disk_worker, disk);
    g_cond_signal(&disk->work);
}

void disk_submit(Disk *disk, DiskRequest *request)
{
    g_return_if_fail(disk && request && request->done);
    request->link = (GList){ .data = request };
    g_mutex_lock(&disk->lock);
    g_queue_push_tail_link(&disk->waiting, &request->link);
    disk_wake_locked(disk);
    g_mutex_unlock(&disk->lock);
}

bool disk_cancel(Disk *disk, DiskRequest *request)
{
    GQueue *queue[2] = { &disk->waiting, &disk->parked };
    bool found = false;

    g_mutex_lock(&disk->lock);
    for (unsigned i = 0; i < 2 && !found; i++) {
        found = g_queue_link_index(queue[i], &request->link) >= 0;
        if (found)
            g_queue_unlink(queue[i], &request->link);
    }
    if (!disk->n_running && !disk->waiting.length)
        g_cond_broadcast(&disk->idle);
    g_mutex_unlock(&disk->lock);
    return found;
}

void disk_drain(Disk *disk)
{
    g_mutex_lock(&disk->lock);
    while (disk->n_running || disk->waiting.length)
        g_cond_wait(&disk->idle, &disk->lock);
    g_mutex_unlock(&disk->lock);
}

void disk_retry(Disk *disk)
{
    g_mutex_lock(&disk->lock);
    disk->in_problem = false;
    GList *link;
    while ((link = g_queue_pop_head_link(&disk->parked))) {
        g_queue_push_tail_link(&disk->waiting, link);
        disk_wake_locked(disk);
    }
    g_mutex_unlock(&disk->lock);
}

void disk_set_problem_callback(Disk *disk,
                               void (*problem)(void *opaque, Disk *disk, int error_number),
                               void *opaque)
{
    g_mutex_lock(&disk->lock);
    disk->problem = problem;
    disk->problem_opaque = opaque;
    g_mutex_unlock(&disk->lock);
}

bool disk_is_stuck(Disk *disk)
{
    g_mutex_lock(&disk->lock);
    bool is_stuck = disk->in_problem;
    g_mutex_unlock(&disk->lock);
    return is_stuck;
}

Disk *disk_open(const char *path, const DiskOptions *options, GError **error)
{
    bool read_only = options && options->read_only;
    Image *image = image_open(path, options ? options->format : NULL, read_only, NULL, error);
    if (!image)
        return NULL;
    Disk *disk = g_new0(Disk, 1);
    disk->image = image;
    g_mutex_init(&disk->lock);
    g_cond_init(&disk->work);
    g_cond_init(&disk->idle);
    g_queue_init(&disk->waiting);
    g_queue_init(&disk->parked);
    return disk;
}

void disk_free(Disk *disk)
{
    if (!disk)
        return;
    g_mutex_lock(&disk->lock);
    disk->closing = true;
    g_mutex_unlock(&disk->lock);
    disk_retry(disk); /* a last try; what still does not fit ends with -EIO */
    disk_drain(disk);
    g_mutex_lock(&disk->lock);
    g_cond_broadcast(&disk->work);
    g_mutex_unlock(&disk->lock);
    for (unsigned i = 0; i < disk->n_workers; i++)
        g_thread_join(disk->worker[i]);
    image_close(disk->image);
    g_mutex_clear(&disk->lock);
    g_cond_clear(&disk->work);
    g_cond_clear(&disk->idle);
    g_free(disk);
}

uint64_t disk_size(const Disk *disk)
{
    return disk->image->size;
}

bool disk_is_read_only(const Disk *disk)
{
    return disk->image->read_only;
}

const char *disk_path(const Disk *disk)
{
    return disk->image->path;
}

const char *disk_format_name(const Disk *disk)
{
    return disk->image->format->name;
}

void disk_get_stats(const Disk *disk, DiskStats *out_stats)
{
    Disk *self = (Disk *)disk; /* the lock is not part of what const promises */
    g_mutex_lock(&self->lock);
    *out_stats = self->stats;
    g_mutex_unlock(&self->lock);
}

static bool disk_run_now(Disk *disk, DiskOperation operation, uint64_t offset, void *buffer,
                         size_t length, GError **error)
{
    struct iovec iov = { .iov_base = buffer, .iov_len = length };
    DiskRequest request = {
        .operation = operation, .offset = offset, .length = length, .iov = &iov, .n_iov = 1
    };
    int result = disk_execute(disk, &request);
    if (result == 0)
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(-result),
                operation == DISK_READ ? _("“%s”: reading %zu bytes at %llu failed: %s")
                                       : _("“%s”: writing %zu bytes at %llu failed: %s"),
                disk_path(disk), length, (unsigned long long)offset, g_strerror(-result));
    return false;
}

bool disk_read(Disk *disk, uint64_t offset, void *buffer, size_t length, GError **error)
{
    return disk_run_now(disk, DISK_READ, offset, buffer, length, error);
}

bool disk_write(Disk *disk, uint64_t offset, const void *buffer, size_t length, GError **error)
{
    return disk_run_now(disk, DISK_WRITE, offset, (void *)buffer, length, error);
}

bool disk_flush(Disk *disk, GError **error)
{
    return disk_run_now(disk, DISK_FLUSH, 0, NULL, 0, error);
}
