/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A disk as a controller sees it: sectors behind an image format, with all I/O on worker threads.
 * Formats (raw, qcow2) sit below behind DiskFormat (disk-format.h). Included by controllers and by
 * whoever opens images. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct Disk Disk;

typedef enum { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_WRITE_ZEROES } DiskOperation;

typedef struct DiskRequest DiskRequest;
struct DiskRequest {
    DiskOperation operation;
    uint64_t offset, length; /* bytes of the guest-visible disk */
    struct iovec *iov; /* owned by the submitter until done; host memory to fill or to write */
    unsigned n_iov;
    /* Called once on a worker thread with no lock held; @result 0 or -errno. -ENOSPC and its
     * kin never arrive here: the disk keeps the request, reports it (disk_set_problem_callback),
     * and tries again after disk_retry(). */
    void (*done)(DiskRequest *request, int result);
    void *opaque;
    GList link; /* the disk's own */
};

typedef struct {
    bool read_only;
    bool allow_shared;  /* read-only media that others may also read (ISO) */
    const char *format; /* "raw", "iso", "qcow2"; NULL: by content */
} DiskOptions;

/* Opens an image of any known format (by content, never by name), with its lock taken in a way that
 * QEMU's tools honour. Errors name the file, what is wrong, and what to do. */
Disk *disk_open(const char *path, const DiskOptions *options, GError **error);
/* Waits for requests under way, flushes, unlocks. NULL is fine. */
void disk_free(Disk *disk);

uint64_t disk_size(const Disk *disk); /* bytes, guest-visible */
bool disk_is_read_only(const Disk *disk);
const char *disk_path(const Disk *disk);
const char *disk_format_name(const Disk *disk); /* "raw", "qcow2", "iso" */

/* Starts @request; it completes later on a worker thread. Ordering: only DISK_FLUSH waits, for
 * every write completed before it was submitted. Requests past the end complete with -EINVAL. Any
 * thread. */
void disk_submit(Disk *disk, DiskRequest *request);
/* Takes @request back if no worker has begun it (or a full disk has parked it): true, and done will
 * not be called. False: it is running or done. Any thread. */
bool disk_cancel(Disk *disk, DiskRequest *request);
/* Returns when no request is under way (or all that remain are parked on a full host disk). */
void disk_drain(Disk *disk);

/* @problem is called on a worker thread when the host cannot take a write now (@error_number
 * ENOSPC, EDQUOT, EFBIG): the machine pauses and says so. disk_retry() resumes parked requests. */
void disk_set_problem_callback(Disk *disk,
                               void (*problem)(void *opaque, Disk *disk, int error_number),
                               void *opaque);
void disk_retry(Disk *disk);

/* Whether writes are parked since the last disk_retry(). */
bool disk_is_stuck(Disk *disk);

/* Counters for stats: bytes and operations since opened. */
typedef struct {
    uint64_t read_bytes, written_bytes, reads, writes, flushes;
} DiskStats;
void disk_get_stats(const Disk *disk, DiskStats *out_stats);

/* Synchronous helpers for tools and tests; false and @error on failure. */
bool disk_read(Disk *disk, uint64_t offset, void *buffer, size_t length, GError **error);
bool disk_write(Disk *disk, uint64_t offset, const void *buffer, size_t length, GError **error);
bool disk_flush(Disk *disk, GError **error);

/* Creates a qcow2 v3 image of @size_bytes; @backing_path (relative to the new image, or absolute)
 * and
 * @backing_format may be NULL. Never overwrites an existing file. */
bool disk_create_qcow2(const char *path, uint64_t size_bytes, const char *backing_path,
                       const char *backing_format, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Disk, disk_free)
