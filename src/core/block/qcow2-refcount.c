/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Reference counts in one block. */
static uint64_t refblock_entries(const Qcow2 *q)
{
    return q->cluster_size * 8 >> q->refcount_order;
}

static uint64_t refcount_max(const Qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : (UINT64_C(1) << (1 << q->refcount_order)) - 1;
}

/* qcow2.txt, "Host cluster management": widths below a byte fill it from the low bits up. */
static uint64_t refblock_peek(const Qcow2 *q, const uint8_t *block, uint64_t i)
{
    switch (q->refcount_order) {
    case 3: return block[i];
    case 4: return (uint64_t)block[2 * i] << 8 | block[2 * i + 1];
    case 5: return qcow2_get32(block + 4 * i);
    case 6: return qcow2_get64(block + 8 * i);
    }
    unsigned width = 1u << q->refcount_order, per_byte = 8 / width;
    return block[i / per_byte] >> (i % per_byte * width) & ((1u << width) - 1);
}

static void refblock_poke(const Qcow2 *q, uint8_t *block, uint64_t i, uint64_t value)
{
    switch (q->refcount_order) {
    case 3: block[i] = (uint8_t)value; return;
    case 4:
        block[2 * i] = (uint8_t)(value >> 8);
        block[2 * i + 1] = (uint8_t)value;
        return;
    case 5: qcow2_put32(block + 4 * i, (uint32_t)value); return;
    case 6: qcow2_put64(block + 8 * i, value); return;
    }
    unsigned width = 1u << q->refcount_order, per_byte = 8 / width;
    unsigned shift = i % per_byte * width;
    uint8_t *byte = &block[i / per_byte];
    *byte = (uint8_t)((*byte & ~(((1u << width) - 1) << shift)) | value << shift);
}

/* *@out_block NULL: no block there, all its counts are zero. */
static int refblock_get(Qcow2 *q, uint64_t number, Qcow2Table **out_block)
{
    *out_block = NULL;
    if (number >= q->reftable_entries || !q->reftable[number])
        return 0;
    uint64_t offset = q->reftable[number];
    if (qcow2_in_cluster(q, offset) || offset >= q->file_end)
        return qcow2_corrupted(q, "a reference count block lies outside the file");
    return qcow2_cache_get(q, &q->refblock_cache, offset, out_block);
}

int qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *out_count)
{
    Qcow2Table *block;
    int result = refblock_get(q, cluster / refblock_entries(q), &block);
    if (result)
        return result;
    *out_count = block ? refblock_peek(q, block->data, cluster % refblock_entries(q)) : 0;
    return 0;
}

int qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t value)
{
    Qcow2Table *block;
    int result = refblock_get(q, cluster / refblock_entries(q), &block);
    if (result)
        return result;
    if (!block || value > refcount_max(q))
        return -EIO;
    refblock_poke(q, block->data, cluster % refblock_entries(q), value);
    qcow2_cache_dirty(q, &q->refblock_cache, block);
    return 0;
}

static int reftable_write_entry(Qcow2 *q, uint64_t number)
{
    uint8_t bytes[8];
    qcow2_put64(bytes, q->reftable[number]);
    return file_write_bytes(q->image.fd, q->reftable_offset + number * 8, bytes, sizeof bytes);
}

static void qcow2_note_written(Qcow2 *q, uint64_t end)
{
    q->file_end = MAX(q->file_end, end);
    q->fresh_from = MAX(q->fresh_from, end);
}

static bool ranges_meet(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length)
{
    return a < b + b_length && b < a + a_length;
}

/* Counts that claim a table's own place is free would make us write guest data over it. */
static bool qcow2_is_metadata(const Qcow2 *q, uint64_t offset, uint64_t length)
{
    if (ranges_meet(offset, length, 0, q->cluster_size) ||
        ranges_meet(offset, length, q->l1_offset, q->l1_size * UINT64_C(8)) ||
        ranges_meet(offset, length, q->reftable_offset, q->reftable_entries * 8))
        return true;
    for (uint64_t at = offset; at < offset + length; at += q->cluster_size) {
        if (g_hash_table_contains(q->l2_cache.tables, &at) ||
            g_hash_table_contains(q->refblock_cache.tables, &at))
            return true;
    }
    return false;
}

/* A block that starts the range it counts: then it counts itself, and nothing else is touched. */
static int refblock_create(Qcow2 *q, uint64_t number)
{
    uint64_t offset = number * refblock_entries(q) << q->cluster_bits;
    if (qcow2_is_metadata(q, offset, q->cluster_size))
        return qcow2_corrupted(q, "a table's place is counted as free");
    Qcow2Table *block = qcow2_cache_new(q, &q->refblock_cache, offset);
    refblock_poke(q, block->data, 0, 1);
    int result = file_write_bytes(q->image.fd, offset, block->data, q->cluster_size);
    if (result == 0)
        result = file_sync(q->image.fd);
    if (result) {
        qcow2_cache_drop(&q->refblock_cache, offset);
        return result;
    }
    q->reftable[number] = offset;
    qcow2_note_written(q, offset + q->cluster_size);
    result = reftable_write_entry(q, number);
    if (result)
        q->reftable[number] = 0;
    return result;
}

/* Where a larger table goes: behind everything, at the start of the first range that the old one
 * cannot count, together with the blocks that count the newcomers. */
typedef struct {
    uint64_t first_block, n_blocks, table_clusters, entries;
} ReftablePlan;

static int reftable_plan(Qcow2 *q, ReftablePlan *plan)
{
    uint64_t per_block = refblock_entries(q);
    plan->first_block = q->reftable_entries;
    plan->entries = q->reftable_entries + q->reftable_entries / 2 + 2;
    plan->n_blocks = 1;
    for (;;) {
        plan->entries = MAX(plan->entries, plan->first_block + plan->n_blocks);
        plan->table_clusters = (plan->entries * 8 + q->cluster_size - 1) >> q->cluster_bits;
        plan->entries = (plan->table_clusters << q->cluster_bits) / 8;
        uint64_t needed = (plan->n_blocks + plan->table_clusters + per_block - 1) / per_block;
        if (needed <= plan->n_blocks)
            break;
        plan->n_blocks = needed;
    }
    return plan->entries * 8 > QCOW2_MAX_REFTABLE_BYTES ? -EFBIG : 0;
}

static int reftable_write_plan(Qcow2 *q, const ReftablePlan *plan, uint64_t *table)
{
    uint64_t per_block = refblock_entries(q);
    uint64_t start = plan->first_block * per_block << q->cluster_bits;
    uint64_t used = plan->n_blocks + plan->table_clusters;
    int result = 0;

    g_autofree uint8_t *block = g_malloc(q->cluster_size);
    for (uint64_t b = 0; b < plan->n_blocks && !result; b++) {
        memset(block, 0, q->cluster_size);
        for (uint64_t i = b * per_block; i < MIN(used, (b + 1) * per_block); i++)
            refblock_poke(q, block, i % per_block, 1);
        uint64_t offset = start + (b << q->cluster_bits);
        table[plan->first_block + b] = offset;
        qcow2_cache_drop(&q->refblock_cache, offset);
        result = file_write_bytes(q->image.fd, offset, block, q->cluster_size);
    }
    g_autofree uint64_t *be = g_new(uint64_t, plan->entries);
    for (uint64_t i = 0; i < plan->entries; i++)
        be[i] = GUINT64_TO_BE(table[i]);
    if (!result)
        result = file_write_bytes(q->image.fd, start + (plan->n_blocks << q->cluster_bits), be,
                                  plan->entries * 8);
    return result ? result : file_sync(q->image.fd);
}

static int reftable_grow(Qcow2 *q)
{
    ReftablePlan plan;
    int result = reftable_plan(q, &plan);
    if (result || (result = qcow2_cache_write(q, &q->refblock_cache)))
        return result;

    uint64_t *table = g_new0(uint64_t, plan.entries);
    memcpy(table, q->reftable, q->reftable_entries * sizeof *table);
    uint64_t start = plan.first_block * refblock_entries(q) << q->cluster_bits;
    uint64_t offset = start + (plan.n_blocks << q->cluster_bits);
    result = reftable_write_plan(q, &plan, table);
    if (result == 0) {
        uint8_t field[12]; /* offset and length side by side: one write */
        qcow2_put64(field, offset);
        qcow2_put32(field + 8, (uint32_t)plan.table_clusters);
        result = file_write_bytes(q->image.fd, QCOW2_H_REFTABLE_OFFSET, field, sizeof field);
    }
    if (result == 0)
        result = file_sync(q->image.fd);
    if (result) {
        g_free(table);
        return result;
    }
    uint64_t old = q->reftable_offset, old_bytes = q->reftable_entries * 8;
    g_free(q->reftable);
    q->reftable = table;
    q->reftable_entries = plan.entries;
    q->reftable_offset = offset;
    qcow2_note_written(q, offset + (plan.table_clusters << q->cluster_bits));
    for (uint64_t at = 0; at < old_bytes; at += q->cluster_size)
        qcow2_free_cluster_later(q, old + at);
    return 0;
}

/* The first free cluster from the hint on that a block counts. */
static int refcount_find_free(Qcow2 *q, uint64_t *out_cluster)
{
    uint64_t per_block = refblock_entries(q);
    for (uint64_t number = q->free_hint / per_block;; number++) {
        Qcow2Table *block = NULL;
        int result = 0;
        if (number >= q->reftable_entries)
            result = reftable_grow(q);
        if (!result && !q->reftable[number])
            result = refblock_create(q, number);
        if (!result)
            result = refblock_get(q, number, &block);
        if (result)
            return result;
        uint64_t i = number == q->free_hint / per_block ? q->free_hint % per_block : 0;
        for (; i < per_block; i++) {
            if (refblock_peek(q, block->data, i) == 0) {
                *out_cluster = number * per_block + i;
                return 0;
            }
        }
    }
}

int qcow2_allocate(Qcow2 *q, uint64_t wanted, uint64_t *out_offset, uint64_t *out_n,
                   bool *out_fresh)
{
    uint64_t first, n = 0, per_block = refblock_entries(q);
    Qcow2Table *block;
    int result = q->corrupt ? -EIO : refcount_find_free(q, &first);
    if (result || (result = refblock_get(q, first / per_block, &block)))
        return result;
    while (n < wanted && first % per_block + n < per_block &&
           refblock_peek(q, block->data, first % per_block + n) == 0)
        n++;
    uint64_t offset = first << q->cluster_bits, bytes = n << q->cluster_bits;
    if (offset + bytes > QCOW2_OFFSET_MASK)
        return -EFBIG;
    if (qcow2_is_metadata(q, offset, bytes))
        return qcow2_corrupted(q, "a table's place is counted as free");
    for (uint64_t i = 0; i < n; i++)
        refblock_poke(q, block->data, first % per_block + i, 1);
    qcow2_cache_dirty(q, &q->refblock_cache, block);
    q->free_hint = first + n;
    *out_offset = offset;
    *out_n = n;
    *out_fresh = offset >= q->fresh_from;
    qcow2_note_written(q, offset + bytes);
    return 0;
}

void qcow2_unallocate(Qcow2 *q, uint64_t offset, uint64_t n)
{
    uint64_t first = offset >> q->cluster_bits;
    for (uint64_t i = 0; i < n; i++)
        qcow2_refcount_set(q, first + i, 0);
    q->free_hint = MIN(q->free_hint, first);
}

void qcow2_free_cluster_later(Qcow2 *q, uint64_t offset)
{
    uint64_t cluster = offset >> q->cluster_bits;
    g_array_append_val(q->pending_frees, cluster);
    g_atomic_int_set(&q->dirty, 1);
}

void qcow2_free_entry_later(Qcow2 *q, uint64_t entry)
{
    if (entry & QCOW2_COMPRESSED) {
        uint64_t offset, length;
        qcow2_packed_range(q, entry, &offset, &length);
        uint64_t last = (offset + length - 1) >> q->cluster_bits;
        for (uint64_t c = offset >> q->cluster_bits; c <= last; c++)
            qcow2_free_cluster_later(q, c << q->cluster_bits);
        qcow2_forget_unpacked(q);
    } else if (entry & QCOW2_OFFSET_MASK) {
        qcow2_free_cluster_later(q, entry & QCOW2_OFFSET_MASK);
    }
}

void qcow2_apply_frees(Qcow2 *q)
{
    for (unsigned i = 0; i < q->pending_frees->len; i++) {
        uint64_t cluster = g_array_index(q->pending_frees, uint64_t, i), count;
        if (qcow2_refcount_get(q, cluster, &count) || count == 0)
            continue; /* counted wrongly before us: a lost cluster is the lesser evil */
        if (qcow2_refcount_set(q, cluster, count - 1) || count > 1)
            continue;
        q->free_hint = MIN(q->free_hint, cluster);
        /* Give the space back to the host, if it can take it. */
        if (fallocate(q->image.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)(cluster << q->cluster_bits), (off_t)q->cluster_size) < 0)
            continue;
    }
    g_array_set_size(q->pending_frees, 0);
}
