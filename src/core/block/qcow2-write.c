/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <string.h>

#define QCOW2_MAX_PENDING_FREES 4096
#define QCOW2_MAX_ALLOCATION (4u << 20) /* bytes in one go */

/* Makes room before a change: tables must not pile up in memory without end. Exclusive. */
static int qcow2_prepare_change(Qcow2 *q)
{
    if (q->corrupt)
        return -EIO;
    if (q->l2_cache.n_dirty > q->l2_cache.limit / 2 ||
        q->refblock_cache.n_dirty > q->refblock_cache.limit / 2 ||
        q->pending_frees->len > QCOW2_MAX_PENDING_FREES)
        return qcow2_flush_metadata(q);
    return 0;
}

/* Fills [@from, @to) of the guest's disk at its new place @host with what is there now. */
static int qcow2_copy_old(Qcow2 *q, uint64_t from, uint64_t to, uint64_t host, bool fresh)
{
    while (from < to) {
        Qcow2Run run;
        int result = qcow2_map(q, from, to - from, &run);
        if (result)
            return result;
        bool zeros = run.kind == QCOW2_ZEROES ||
                     (run.kind == QCOW2_UNALLOCATED && (!q->backing || from >= q->backing->size));
        if (!zeros || !fresh) {
            g_autofree uint8_t *bytes = g_try_malloc(run.length);
            if (!bytes)
                return -ENOMEM;
            struct iovec iov = { .iov_base = bytes, .iov_len = run.length };
            result = qcow2_read_locked(q, from, IO_VECTOR_OF(&iov), run.length);
            if (!result)
                result = file_write_bytes(q->image.fd, host, bytes, run.length);
            if (result)
                return result;
        }
        from += run.length;
        host += run.length;
    }
    return 0;
}

/* How many clusters from @index on have to be allocated before they can be written. */
static int count_unwritable(Qcow2 *q, const Qcow2Table *l2, uint64_t index, uint64_t max,
                            uint64_t *out_n)
{
    uint64_t n = 0;
    for (; n < max && index + n < UINT64_C(1) << q->l2_bits; n++) {
        uint64_t entry = qcow2_get64(l2->data + (index + n) * 8);
        Qcow2Kind kind;
        int result = qcow2_judge_entry(q, entry, &kind);
        if (result)
            return result;
        if (kind == QCOW2_DATA && entry & QCOW2_COPIED)
            break;
    }
    *out_n = n;
    return 0;
}

/* Writes the guest's bytes into @n new clusters at @host, with what was around them. */
static int qcow2_fill_new(Qcow2 *q, uint64_t offset, IoVector v, size_t length, uint64_t host,
                          uint64_t n, bool fresh)
{
    uint64_t start = offset - qcow2_in_cluster(q, offset), end = start + (n << q->cluster_bits);
    uint64_t disk_end = (q->image.size + q->cluster_size - 1) & ~(q->cluster_size - 1);
    int result = qcow2_copy_old(q, start, offset, host, fresh);
    if (result == 0)
        result = file_write(q->image.fd, host + (offset - start), v, length);
    if (result == 0)
        result = qcow2_copy_old(q, offset + length, MIN(end, disk_end),
                                host + (offset + length - start), fresh);
    return result;
}

/* Allocates for the start of [@offset, @offset + @length) and writes it; *@out_written bytes are
 * done, 0 when somebody else allocated meanwhile. Exclusive. */
static int qcow2_write_new(Qcow2 *q, uint64_t offset, IoVector v, size_t length,
                           size_t *out_written)
{
    uint64_t in_cluster = qcow2_in_cluster(q, offset), host, n;
    Qcow2Table *l2;
    bool fresh;

    *out_written = 0;
    int result = qcow2_prepare_change(q);
    if (result || (result = qcow2_l2_for_write(q, offset, &l2)))
        return result;
    uint64_t index = offset >> q->cluster_bits & ((UINT64_C(1) << q->l2_bits) - 1);
    uint64_t max =
        (MIN(length, QCOW2_MAX_ALLOCATION) + in_cluster + q->cluster_size - 1) >> q->cluster_bits;
    if ((result = count_unwritable(q, l2, index, max, &n)) || n == 0)
        return result;
    if ((result = qcow2_allocate(q, n, &host, &n, &fresh)))
        return result;
    length = MIN(length, (n << q->cluster_bits) - in_cluster);
    if ((result = qcow2_fill_new(q, offset, v, length, host, n, fresh))) {
        qcow2_unallocate(q, host, n);
        return result;
    }
    /* Copying may have thrown the table out of the cache. */
    if ((result = qcow2_l2_for_write(q, offset, &l2)))
        return result;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *entry = l2->data + (index + i) * 8;
        qcow2_free_entry_later(q, qcow2_get64(entry));
        qcow2_put64(entry, (host + (i << q->cluster_bits)) | QCOW2_COPIED);
    }
    qcow2_cache_dirty(q, &q->l2_cache, l2);
    *out_written = length;
    return 0;
}

/* Writes in place as far as that goes; *@out_written may be 0. */
static int qcow2_write_in_place(Qcow2 *q, uint64_t offset, IoVector v, size_t length,
                                size_t *out_written)
{
    Qcow2Run run;
    *out_written = 0;
    pthread_rwlock_rdlock(&q->lock);
    int result = q->corrupt ? -EIO : qcow2_map(q, offset, length, &run);
    if (result == 0 && run.in_place) {
        /* An entry that points at the first tables would have the guest overwrite them. */
        bool wild = run.host < q->cluster_size ||
                    (run.host < q->l1_offset + q->l1_size * UINT64_C(8) &&
                     q->l1_offset < run.host + run.length) ||
                    (run.host < q->reftable_offset + q->reftable_entries * 8 &&
                     q->reftable_offset < run.host + run.length);
        result = wild ? -EUCLEAN : file_write(q->image.fd, run.host, v, run.length);
        *out_written = run.length;
    }
    pthread_rwlock_unlock(&q->lock);
    if (result != -EUCLEAN)
        return result;
    pthread_rwlock_wrlock(&q->lock);
    result = qcow2_corrupted(q, "guest data overlaps a table");
    pthread_rwlock_unlock(&q->lock);
    return result;
}

int qcow2_write(Image *image, uint64_t offset, IoVector v, size_t length)
{
    Qcow2 *q = (Qcow2 *)image;
    while (length) {
        size_t written;
        int result = qcow2_write_in_place(q, offset, v, length, &written);
        if (result == 0 && written == 0) {
            pthread_rwlock_wrlock(&q->lock);
            result = qcow2_write_new(q, offset, v, length, &written);
            pthread_rwlock_unlock(&q->lock);
        }
        if (result)
            return result;
        offset += written;
        length -= written;
        v = io_vector_skip(v, written);
    }
    return 0;
}

/* One L2 table's worth of whole clusters from @offset on becomes empty. Exclusive. */
static int qcow2_drop_clusters(Qcow2 *q, uint64_t offset, uint64_t n, bool must_be_zero)
{
    bool exists = q->l1[offset / qcow2_l2_span(q)] & QCOW2_OFFSET_MASK;
    Qcow2Table *l2;
    if (!exists && (!q->backing || !must_be_zero))
        return 0;
    int result = qcow2_prepare_change(q);
    if (result || (result = qcow2_l2_for_write(q, offset, &l2)))
        return result;
    /* Below an overlay an empty entry would show the backing file again. */
    uint64_t empty = q->backing ? QCOW2_ZERO : 0;
    uint64_t index = offset >> q->cluster_bits & ((UINT64_C(1) << q->l2_bits) - 1);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *entry = l2->data + (index + i) * 8;
        uint64_t old = qcow2_get64(entry);
        Qcow2Kind kind;
        if ((result = qcow2_judge_entry(q, old, &kind)))
            return result;
        if (old == empty || (!must_be_zero && kind == QCOW2_UNALLOCATED))
            continue;
        qcow2_free_entry_later(q, old);
        qcow2_put64(entry, empty);
        qcow2_cache_dirty(q, &q->l2_cache, l2);
    }
    return 0;
}

static int qcow2_drop_range(Qcow2 *q, uint64_t offset, uint64_t end, bool must_be_zero)
{
    while (offset < end) {
        uint64_t span = qcow2_l2_span(q);
        uint64_t piece = MIN(end - offset, span - (offset & (span - 1)));
        pthread_rwlock_wrlock(&q->lock);
        int result = q->corrupt
                         ? -EIO
                         : qcow2_drop_clusters(q, offset, piece >> q->cluster_bits, must_be_zero);
        pthread_rwlock_unlock(&q->lock);
        if (result)
            return result;
        offset += piece;
    }
    return 0;
}

/* The whole clusters inside a range; the disk's last cluster counts as whole. */
static void qcow2_inner_clusters(const Qcow2 *q, uint64_t offset, uint64_t length,
                                 uint64_t *out_start, uint64_t *out_end)
{
    uint64_t mask = q->cluster_size - 1, end = offset + length;
    *out_start = (offset + mask) & ~mask;
    *out_end = end == q->image.size ? (end + mask) & ~mask : end & ~mask;
    if (*out_end < *out_start)
        *out_end = *out_start;
}

int qcow2_discard(Image *image, uint64_t offset, uint64_t length)
{
    Qcow2 *q = (Qcow2 *)image;
    uint64_t start, end;
    if (q->backing && q->version < 3)
        return 0;
    qcow2_inner_clusters(q, offset, length, &start, &end);
    return qcow2_drop_range(q, start, end, false);
}

static int qcow2_write_zero_bytes(Image *image, uint64_t offset, uint64_t length)
{
    static const uint8_t zeroes[65536];
    while (length) {
        struct iovec iov = { .iov_base = (void *)zeroes, .iov_len = MIN(length, sizeof zeroes) };
        int result = qcow2_write(image, offset, IO_VECTOR_OF(&iov), iov.iov_len);
        if (result)
            return result;
        offset += iov.iov_len;
        length -= iov.iov_len;
    }
    return 0;
}

int qcow2_write_zeroes(Image *image, uint64_t offset, uint64_t length)
{
    Qcow2 *q = (Qcow2 *)image;
    uint64_t start, end, stop = offset + length;
    if (q->backing && q->version < 3)
        return qcow2_write_zero_bytes(image, offset, length);
    qcow2_inner_clusters(q, offset, length, &start, &end);
    if (start >= end)
        return qcow2_write_zero_bytes(image, offset, length);
    int result = qcow2_write_zero_bytes(image, offset, start - offset);
    if (result == 0)
        result = qcow2_drop_range(q, start, end, true);
    if (result == 0 && end < stop)
        result = qcow2_write_zero_bytes(image, end, stop - end);
    return result;
}
