/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <stdlib.h>

static void table_free(gpointer data)
{
    Qcow2Table *table = data;
    g_free(table->data);
    g_free(table);
}

void qcow2_cache_init(Qcow2Cache *cache, unsigned limit)
{
    *cache = (Qcow2Cache){ .limit = limit };
    cache->tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, table_free);
}

void qcow2_cache_clear(Qcow2Cache *cache)
{
    g_clear_pointer(&cache->tables, g_hash_table_unref);
}

static void cache_evict_one(Qcow2Cache *cache)
{
    GHashTableIter iter;
    Qcow2Table *table, *oldest = NULL;
    g_hash_table_iter_init(&iter, cache->tables);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&table)) {
        if (!table->dirty && (!oldest || table->last_used < oldest->last_used))
            oldest = table;
    }
    if (oldest)
        g_hash_table_remove(cache->tables, &oldest->offset);
}

static Qcow2Table *cache_add(Qcow2 *q, Qcow2Cache *cache, uint64_t offset, uint8_t *data)
{
    if (g_hash_table_size(cache->tables) >= cache->limit)
        cache_evict_one(cache);
    Qcow2Table *table = g_new0(Qcow2Table, 1);
    table->offset = offset;
    table->data = data;
    table->last_used = ++cache->tick;
    g_hash_table_replace(cache->tables, &table->offset, table);
    return table;
}

int qcow2_cache_get(Qcow2 *q, Qcow2Cache *cache, uint64_t offset, Qcow2Table **out_table)
{
    Qcow2Table *table = g_hash_table_lookup(cache->tables, &offset);
    if (!table) {
        uint8_t *data = g_try_malloc(q->cluster_size);
        int result = data ? file_read_bytes(q->image.fd, offset, data, q->cluster_size) : -ENOMEM;
        if (result) {
            g_free(data);
            return result;
        }
        table = cache_add(q, cache, offset, data);
    }
    table->last_used = ++cache->tick;
    *out_table = table;
    return 0;
}

Qcow2Table *qcow2_cache_new(Qcow2 *q, Qcow2Cache *cache, uint64_t offset)
{
    qcow2_cache_drop(cache, offset);
    Qcow2Table *table = cache_add(q, cache, offset, g_malloc0(q->cluster_size));
    qcow2_cache_dirty(q, cache, table);
    return table;
}

void qcow2_cache_dirty(Qcow2 *q, Qcow2Cache *cache, Qcow2Table *table)
{
    if (!table->dirty)
        cache->n_dirty++;
    table->dirty = true;
    g_atomic_int_set(&q->dirty, 1);
}

void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Table *table = g_hash_table_lookup(cache->tables, &offset);
    if (!table)
        return;
    if (table->dirty)
        cache->n_dirty--;
    g_hash_table_remove(cache->tables, &offset);
}

static int compare_tables(gconstpointer a, gconstpointer b)
{
    const Qcow2Table *const *x = a, *const *y = b;
    return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

int qcow2_cache_write(Qcow2 *q, Qcow2Cache *cache)
{
    g_autoptr(GPtrArray) dirty = g_ptr_array_new();
    GHashTableIter iter;
    Qcow2Table *table;

    if (!cache->n_dirty)
        return 0;
    g_hash_table_iter_init(&iter, cache->tables);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&table)) {
        if (table->dirty)
            g_ptr_array_add(dirty, table);
    }
    g_ptr_array_sort(dirty, compare_tables);
    for (unsigned i = 0; i < dirty->len; i++) {
        table = dirty->pdata[i];
        int result = file_write_bytes(q->image.fd, table->offset, table->data, q->cluster_size);
        if (result)
            return result;
        table->dirty = false;
        cache->n_dirty--;
    }
    return 0;
}

static int qcow2_write_l1(Qcow2 *q)
{
    uint32_t n = q->l1_dirty_to - q->l1_dirty_from;
    g_autofree uint64_t *bytes = g_new(uint64_t, n);
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = GUINT64_TO_BE(q->l1[q->l1_dirty_from + i]);
    int result = file_write_bytes(q->image.fd, q->l1_offset + q->l1_dirty_from * UINT64_C(8), bytes,
                                  n * sizeof *bytes);
    if (result == 0)
        q->l1_dirty_from = q->l1_dirty_to = 0;
    return result;
}

int qcow2_flush_metadata(Qcow2 *q)
{
    int result;

    if (!g_atomic_int_get(&q->dirty) || q->image.read_only || q->corrupt)
        return q->corrupt ? -EIO : 0;
    /* Counts before their users; the sync also puts guest data before the tables that find it. */
    if ((result = qcow2_cache_write(q, &q->refblock_cache)))
        return result;
    if (q->l2_cache.n_dirty) {
        if ((result = file_sync(q->image.fd)) || (result = qcow2_cache_write(q, &q->l2_cache)))
            return result;
    }
    if (q->l1_dirty_to) {
        if ((result = file_sync(q->image.fd)) || (result = qcow2_write_l1(q)))
            return result;
    }
    g_atomic_int_set(&q->dirty, 0);
    if (q->pending_frees->len) {
        if ((result = file_sync(q->image.fd))) {
            g_atomic_int_set(&q->dirty, 1);
            return result;
        }
        qcow2_apply_frees(q); /* dirties counts again: at worst lost clusters until next time */
    }
    return 0;
}
