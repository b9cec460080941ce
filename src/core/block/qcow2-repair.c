/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* An image with the dirty bit was written with lazy reference counts and not closed: the counts say
 * nothing. They are made anew from the tables that say who uses what, into free space behind the
 * old ones, and the header changes over at the end. */

#include "core/block/qcow2.h"
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

#define REPAIR_MAX_CLUSTERS (UINT64_C(1) << 26)
#define SNAPSHOT_HEADER 40

typedef struct {
    Qcow2 *q;
    uint64_t n; /* clusters in the file */
    uint16_t *count;
    bool broken; /* a table refers outside the file */
} Census;

static void census_add(Census *census, uint64_t offset, uint64_t length)
{
    unsigned bits = census->q->cluster_bits;
    if (!length)
        return;
    if (offset > UINT64_MAX - length || (offset + length - 1) >> bits >= census->n) {
        census->broken = true;
        return;
    }
    for (uint64_t c = offset >> bits; c <= (offset + length - 1) >> bits; c++) {
        if (census->count && census->count[c] < UINT16_MAX)
            census->count[c]++;
    }
}

static void census_walk_l2(Census *census, uint64_t l2_offset)
{
    Qcow2 *q = census->q;
    g_autofree uint8_t *l2 = g_malloc(q->cluster_size);
    if (file_read_bytes(q->image.fd, l2_offset, l2, q->cluster_size)) {
        census->broken = true;
        return;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << q->l2_bits; i++) {
        uint64_t entry = qcow2_get64(l2 + i * 8), offset, length;
        if (entry & QCOW2_COMPRESSED) {
            qcow2_packed_range(q, entry, &offset, &length);
            /* The last sectors of the last one need not be in the file. */
            if (offset < q->image.file_size)
                length = MIN(length, q->image.file_size - offset);
            census_add(census, offset, length);
        } else if (entry & QCOW2_OFFSET_MASK) {
            census_add(census, entry & QCOW2_OFFSET_MASK, 1);
        }
    }
}

static void census_walk_l1_entries(Census *census, const uint64_t *l1, uint64_t entries)
{
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t l2 = l1[i] & QCOW2_OFFSET_MASK;
        if (!l2)
            continue;
        census_add(census, l2, census->q->cluster_size);
        if (census->broken)
            return;
        census_walk_l2(census, l2);
    }
}

static bool census_walk_snapshot(Census *census, uint64_t l1_offset, uint32_t l1_size)
{
    uint64_t bytes = l1_size * UINT64_C(8);
    if (bytes > QCOW2_MAX_L1_BYTES)
        return false;
    census_add(census, l1_offset, bytes);
    if (census->broken)
        return false;
    g_autofree uint64_t *l1 = g_malloc(MAX(bytes, 8));
    if (file_read_bytes(census->q->image.fd, l1_offset, l1, bytes))
        return false;
    for (uint32_t i = 0; i < l1_size; i++)
        l1[i] = GUINT64_FROM_BE(l1[i]);
    census_walk_l1_entries(census, l1, l1_size);
    return !census->broken;
}

static bool census_walk_snapshots(Census *census)
{
    Qcow2 *q = census->q;
    uint64_t at = q->snapshots_offset;
    for (uint32_t i = 0; i < q->n_snapshots; i++) {
        uint8_t head[SNAPSHOT_HEADER];
        if (at >= q->image.file_size || file_read_bytes(q->image.fd, at, head, sizeof head))
            return false;
        if (!census_walk_snapshot(census, qcow2_get64(head), qcow2_get32(head + 8)))
            return false;
        uint64_t names = (head[12] << 8 | head[13]) + (head[14] << 8 | head[15]);
        at += (SNAPSHOT_HEADER + (uint64_t)qcow2_get32(head + 36) + names + 7) & ~UINT64_C(7);
    }
    census_add(census, q->snapshots_offset, at - q->snapshots_offset);
    return !census->broken;
}

static bool census_take(Census *census)
{
    Qcow2 *q = census->q;
    census_add(census, 0, 1);
    census_add(census, q->l1_offset, q->l1_size * UINT64_C(8));
    census_walk_l1_entries(census, q->l1, q->l1_size);
    return !census->broken && (!q->n_snapshots || census_walk_snapshots(census));
}

/* Lays blocks and table out from cluster @start on; writes them; returns the number of clusters. */
static int rebuild_write(Qcow2 *q, const Census *census, uint64_t start, uint64_t *out_table,
                         uint64_t *out_table_clusters)
{
    uint64_t per_block = q->cluster_size * 8 >> q->refcount_order;
    uint64_t blocks = 0, table_clusters = 0;
    for (;;) {
        uint64_t total = start + blocks + table_clusters;
        uint64_t need_blocks = (total + per_block - 1) / per_block;
        uint64_t need_table = (need_blocks * 8 + q->cluster_size - 1) >> q->cluster_bits;
        if (need_blocks <= blocks && need_table <= table_clusters)
            break;
        blocks = MAX(blocks, need_blocks);
        table_clusters = MAX(table_clusters, need_table);
    }
    uint64_t total = start + blocks + table_clusters;
    uint64_t entries = (table_clusters << q->cluster_bits) / 8;
    if (entries * 8 > QCOW2_MAX_REFTABLE_BYTES)
        return -EFBIG;

    uint64_t *table = g_new0(uint64_t, entries);
    uint64_t *old = q->reftable;
    q->reftable = table; /* so that the ordinary accessors work on the new blocks */
    q->reftable_entries = entries;
    for (uint64_t b = 0; b < blocks; b++)
        table[b] = (start + b) << q->cluster_bits;
    g_free(old);
    q->file_end = MAX(q->file_end, total << q->cluster_bits);
    int result = 0;
    for (uint64_t b = 0; b < blocks && !result; b++) {
        qcow2_cache_new(q, &q->refblock_cache, table[b]);
        for (uint64_t c = b * per_block; c < MIN(total, (b + 1) * per_block) && !result; c++) {
            uint64_t count = c < census->n ? census->count[c] : c >= start;
            if (count)
                result = qcow2_refcount_set(q, c, count);
        }
        if (!result)
            result = qcow2_cache_write(q, &q->refblock_cache);
    }
    g_autofree uint64_t *be = g_new(uint64_t, entries);
    for (uint64_t i = 0; i < entries; i++)
        be[i] = GUINT64_TO_BE(table[i]);
    *out_table = (start + blocks) << q->cluster_bits;
    *out_table_clusters = table_clusters;
    if (!result)
        result = file_write_bytes(q->image.fd, *out_table, be, entries * 8);
    return result ? result : file_sync(q->image.fd);
}

static int rebuild(Qcow2 *q, const Census *census)
{
    uint64_t table, clusters;
    uint8_t field[12];
    int result = rebuild_write(q, census, census->n, &table, &clusters);
    if (result)
        return result;
    qcow2_put64(field, table);
    qcow2_put32(field + 8, (uint32_t)clusters);
    result = file_write_bytes(q->image.fd, QCOW2_H_REFTABLE_OFFSET, field, sizeof field);
    if (result || (result = file_sync(q->image.fd)))
        return result;
    q->reftable_offset = table;
    q->fresh_from = q->file_end;
    return qcow2_header_change_features(q, 0, QCOW2_DIRTY);
}

bool qcow2_rebuild_refcounts(Qcow2 *q, GError **error)
{
    Census census = { .q = q, .n = (q->image.file_size + q->cluster_size - 1) >> q->cluster_bits };
    const char *problem = NULL;
    int result = 0;
    if (q->has_bitmaps || census.n > REPAIR_MAX_CLUSTERS)
        problem = _("it was not closed and is too complex to be repaired here");
    else if (!(census.count = g_try_new0(uint16_t, census.n)))
        problem = _("there is not enough memory to repair it");
    else if (!census_take(&census))
        problem = _("its tables refer to places outside the file");
    else if ((result = rebuild(q, &census)))
        problem = g_strerror(-result);
    g_free(census.count);
    if (!problem)
        return true;
    g_set_error(
        error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
        _("“%s” was not closed properly and cannot be used as it is: %s. Try “qemu-img check "
          "-r all” on a copy"),
        q->image.path, problem);
    return false;
}

/* Walking all tables of a large image takes long. The highest cluster that is counted as used
 * tells whether it can be cut at all; only then the tables are asked, as a crash may leave clusters
 * counted that were never written. */
bool qcow2_is_truncated(Qcow2 *q)
{
    uint64_t per_block = q->cluster_size * 8 >> q->refcount_order;
    uint64_t n = (q->image.file_size + q->cluster_size - 1) >> q->cluster_bits;
    uint64_t last = 0, count;
    for (uint64_t b = q->reftable_entries; b-- > 0 && !last;) {
        if (!q->reftable[b])
            continue;
        if (qcow2_in_cluster(q, q->reftable[b]) || q->reftable[b] >= q->image.file_size)
            return true;
        for (uint64_t c = (b + 1) * per_block; c-- > b * per_block && !last;) {
            if (qcow2_refcount_get(q, c, &count) == 0 && count)
                last = c;
        }
    }
    if (last < n)
        return false;
    Census census = { .q = q, .n = n };
    return !census_take(&census);
}
