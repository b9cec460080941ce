/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

/* Memory for tables: 2 MiB of L2 tables find 16 GiB of disk at the usual cluster size. */
#define QCOW2_L2_CACHE_BYTES (2u << 20)
#define QCOW2_REFBLOCK_CACHE_BYTES (512u << 10)

static bool qcow2_probe(const uint8_t *head, uint64_t file_size)
{
    return !memcmp(head, "QFI\xfb", 4);
}

static void qcow2_init(Qcow2 *q)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* Reads never cease on a busy disk; a write that allocates must get its turn. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&q->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    g_mutex_init(&q->cache_lock);
    g_mutex_init(&q->unpack_lock);
    q->pending_frees = g_array_new(FALSE, FALSE, sizeof(uint64_t));
}

static bool qcow2_open(Image *image, GError **error)
{
    Qcow2 *q = (Qcow2 *)image;

    qcow2_init(q);
    if (!qcow2_header_load(q, error))
        return false;
    qcow2_cache_init(&q->l2_cache, MAX(4, QCOW2_L2_CACHE_BYTES >> q->cluster_bits));
    qcow2_cache_init(&q->refblock_cache, MAX(4, QCOW2_REFBLOCK_CACHE_BYTES >> q->cluster_bits));
    q->file_end = (image->file_size + q->cluster_size - 1) & ~(q->cluster_size - 1);
    q->fresh_from = q->file_end;
    if (!(q->incompatible & QCOW2_DIRTY) && qcow2_is_truncated(q)) {
        g_set_error(
            error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
            _("“%s” is incomplete or damaged: it refers to data that is not in the file. Was "
              "a copy or download interrupted?"),
            image->path);
        return false;
    }
    if (q->incompatible & QCOW2_DIRTY && !image->read_only && !qcow2_rebuild_refcounts(q, error))
        return false;
    return qcow2_header_open_backing(q, error);
}

static void qcow2_close(Image *image)
{
    Qcow2 *q = (Qcow2 *)image;

    if (!image->read_only && !q->corrupt) {
        /* Twice: the first round frees clusters, the second writes that down. */
        if (qcow2_flush_metadata(q) == 0)
            qcow2_flush_metadata(q);
        file_sync(image->fd);
    }
    image_close(q->backing);
    qcow2_cache_clear(&q->l2_cache);
    qcow2_cache_clear(&q->refblock_cache);
    g_array_unref(q->pending_frees);
    g_mutex_clear(&q->cache_lock);
    g_mutex_clear(&q->unpack_lock);
    pthread_rwlock_destroy(&q->lock);
    g_free(q->backing_format);
    g_free(q->l1);
    g_free(q->reftable);
    g_free(q->unpacked);
}

static int qcow2_read(Image *image, uint64_t offset, IoVector v, size_t length)
{
    Qcow2 *q = (Qcow2 *)image;
    pthread_rwlock_rdlock(&q->lock);
    int result = qcow2_read_locked(q, offset, v, length);
    pthread_rwlock_unlock(&q->lock);
    return result;
}

static int qcow2_flush(Image *image)
{
    Qcow2 *q = (Qcow2 *)image;
    int result;

    if (g_atomic_int_get(&q->dirty)) {
        /* The long part of the waiting without the lock. */
        if ((result = file_sync(image->fd)))
            return result;
        pthread_rwlock_wrlock(&q->lock);
        result = qcow2_flush_metadata(q);
        pthread_rwlock_unlock(&q->lock);
        if (result)
            return result;
    }
    return file_sync(image->fd);
}

const ImageFormat qcow2_format = {
    .name = "qcow2",
    .instance_size = sizeof(Qcow2),
    .probe = qcow2_probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .write = qcow2_write,
    .write_zeroes = qcow2_write_zeroes,
    .discard = qcow2_discard,
    .flush = qcow2_flush,
};
