/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <string.h>

static uint64_t l2_index(const Qcow2 *q, uint64_t offset)
{
    return offset >> q->cluster_bits & ((UINT64_C(1) << q->l2_bits) - 1);
}

void qcow2_packed_range(const Qcow2 *q, uint64_t entry, uint64_t *out_offset, uint64_t *out_length)
{
    unsigned x = 62 - (q->cluster_bits - 8);
    uint64_t sectors = entry >> x & ((UINT64_C(1) << (62 - x)) - 1);
    *out_offset = entry & ((UINT64_C(1) << x) - 1);
    *out_length = (sectors + 1) * 512 - (*out_offset & 511);
}

int qcow2_judge_entry(Qcow2 *q, uint64_t entry, Qcow2Kind *out_kind)
{
    if (entry & QCOW2_COMPRESSED) {
        uint64_t offset, length;
        qcow2_packed_range(q, entry, &offset, &length);
        if (offset >= q->file_end)
            return -EIO;
        *out_kind = QCOW2_PACKED;
        return 0;
    }
    uint64_t offset = entry & QCOW2_OFFSET_MASK;
    if (qcow2_in_cluster(q, offset) || (offset && offset >= q->file_end) ||
        (entry & QCOW2_ZERO && q->version < 3))
        return -EIO;
    *out_kind = entry & QCOW2_ZERO ? QCOW2_ZEROES : offset ? QCOW2_DATA : QCOW2_UNALLOCATED;
    return 0;
}

/* The L2 table of @offset, NULL where there is none. */
static int l2_get(Qcow2 *q, uint64_t offset, Qcow2Table **out_table)
{
    uint64_t l2_offset = q->l1[offset / qcow2_l2_span(q)] & QCOW2_OFFSET_MASK;
    *out_table = NULL;
    if (!l2_offset)
        return 0;
    if (qcow2_in_cluster(q, l2_offset) || l2_offset >= q->file_end)
        return -EIO;
    return qcow2_cache_get(q, &q->l2_cache, l2_offset, out_table);
}

/* How many clusters from @entry on continue what it starts. */
static uint64_t run_clusters(Qcow2 *q, const uint8_t *entries, uint64_t max, Qcow2Kind kind)
{
    uint64_t first = qcow2_get64(entries), n = 1;
    if (kind == QCOW2_PACKED)
        return 1;
    for (; n < max; n++) {
        uint64_t entry = qcow2_get64(entries + n * 8);
        Qcow2Kind other;
        if (qcow2_judge_entry(q, entry, &other) || other != kind)
            break;
        if (kind == QCOW2_DATA && entry != first + (n << q->cluster_bits))
            break;
    }
    return n;
}

static int map_in_table(Qcow2 *q, const Qcow2Table *table, uint64_t offset, Qcow2Run *run)
{
    uint64_t index = l2_index(q, offset), in_cluster = qcow2_in_cluster(q, offset);
    const uint8_t *entries = table->data + index * 8;
    uint64_t entry = qcow2_get64(entries);
    int result = qcow2_judge_entry(q, entry, &run->kind);
    if (result)
        return result;
    uint64_t max = (run->length + in_cluster + q->cluster_size - 1) >> q->cluster_bits;
    uint64_t n = run_clusters(q, entries, max, run->kind);
    run->length = MIN(run->length, (n << q->cluster_bits) - in_cluster);
    run->host = (entry & QCOW2_OFFSET_MASK) + in_cluster;
    run->entry = entry;
    run->in_place = run->kind == QCOW2_DATA && entry & QCOW2_COPIED;
    return 0;
}

int qcow2_map(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *out_run)
{
    uint64_t span = qcow2_l2_span(q);
    *out_run = (Qcow2Run){ .length = MIN(length, span - (offset & (span - 1))) };

    g_mutex_lock(&q->cache_lock);
    Qcow2Table *table;
    int result = l2_get(q, offset, &table);
    if (result == 0 && table)
        result = map_in_table(q, table, offset, out_run);
    /* A table that a snapshot shares makes everything below it shared. */
    if (!(q->l1[offset / span] & QCOW2_COPIED))
        out_run->in_place = false;
    g_mutex_unlock(&q->cache_lock);
    return result;
}

static void l1_set(Qcow2 *q, uint64_t index, uint64_t entry)
{
    q->l1[index] = entry;
    if (!q->l1_dirty_to)
        q->l1_dirty_from = (uint32_t)index;
    q->l1_dirty_from = MIN(q->l1_dirty_from, (uint32_t)index);
    q->l1_dirty_to = MAX(q->l1_dirty_to, (uint32_t)index + 1);
    g_atomic_int_set(&q->dirty, 1);
}

int qcow2_l2_for_write(Qcow2 *q, uint64_t offset, Qcow2Table **out_table)
{
    uint64_t index = offset / qcow2_l2_span(q), place, n;
    uint64_t old = q->l1[index] & QCOW2_OFFSET_MASK;
    bool fresh;
    Qcow2Table *table;

    int result = l2_get(q, offset, &table);
    if (result || (table && q->l1[index] & QCOW2_COPIED)) {
        *out_table = table;
        return result;
    }
    g_autofree uint8_t *content = table ? g_memdup2(table->data, q->cluster_size) : NULL;
    if ((result = qcow2_allocate(q, 1, &place, &n, &fresh)))
        return result;
    table = qcow2_cache_new(q, &q->l2_cache, place);
    if (content) {
        memcpy(table->data, content, q->cluster_size);
        qcow2_free_cluster_later(q, old);
    }
    l1_set(q, index, place | QCOW2_COPIED);
    *out_table = table;
    return 0;
}
