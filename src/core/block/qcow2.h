/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The inside of the qcow2 format (QEMU's docs/interop/qcow2.txt, versions 2 and 3), shared by its
 * files, one topic each:
 *
 *   qcow2.c             the format table: open, close, locking around everything below
 *   qcow2-header.c      reading and judging the header
 *   qcow2-cache.c       tables in memory, and the order in which they reach the file
 *   qcow2-refcount.c    which clusters are taken; finding free ones; growth
 *   qcow2-map.c         from guest offsets to what is stored there
 *   qcow2-read.c        reading, through backing files
 *   qcow2-write.c       writing in place, allocation with copy-on-write, discard, zeroes
 *   qcow2-compressed.c  unpacking compressed clusters
 *   qcow2-repair.c      rebuilding reference counts of an image that was not closed
 *   qcow2-create.c      new images
 *
 * An image is untrusted input: every offset is checked against the file before use.
 *
 * Locks. `lock` is held for reading around reads and writes in place, for writing around whatever
 * changes the mapping. Readers take `cache_lock` inside it around their use of the caches. In the
 * functions below "exclusive" means that `lock` is held for writing. Results are 0 or -errno.
 *
 * Order on disk. A cluster is used by a table only after its reference count is on disk, and given
 * back only after the table that used it is: whatever instant the power fails at, at worst some
 * clusters are lost to nobody. See qcow2_flush_metadata(). */

#include "core/block/disk-format.h"
#include <gio/gio.h>
#include <pthread.h>

#define QCOW2_MAGIC 0x514649fb
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_MAX_L1_BYTES (32u << 20)
#define QCOW2_MAX_REFTABLE_BYTES (8u << 20)

/* Header fields, byte offsets (all big-endian). */
enum {
    QCOW2_H_VERSION = 4,
    QCOW2_H_BACKING_OFFSET = 8,
    QCOW2_H_BACKING_SIZE = 16,
    QCOW2_H_CLUSTER_BITS = 20,
    QCOW2_H_SIZE = 24,
    QCOW2_H_CRYPT = 32,
    QCOW2_H_L1_SIZE = 36,
    QCOW2_H_L1_OFFSET = 40,
    QCOW2_H_REFTABLE_OFFSET = 48,
    QCOW2_H_REFTABLE_CLUSTERS = 56,
    QCOW2_H_N_SNAPSHOTS = 60,
    QCOW2_H_SNAPSHOTS_OFFSET = 64,
    QCOW2_H_V2_LENGTH = 72,
    QCOW2_H_INCOMPATIBLE = 72,
    QCOW2_H_COMPATIBLE = 80,
    QCOW2_H_AUTOCLEAR = 88,
    QCOW2_H_REFCOUNT_ORDER = 96,
    QCOW2_H_LENGTH = 100,
    QCOW2_H_V3_LENGTH = 104,
    QCOW2_H_COMPRESSION = 104,
};

enum { /* incompatible features */
       QCOW2_DIRTY = 1 << 0,
       QCOW2_CORRUPT = 1 << 1,
       QCOW2_DATA_FILE = 1 << 2,
       QCOW2_COMPRESSION_TYPE = 1 << 3,
       QCOW2_EXTENDED_L2 = 1 << 4,
};

enum { QCOW2_EXT_END = 0, QCOW2_EXT_BACKING_FORMAT = 0xe2792aca, QCOW2_EXT_BITMAPS = 0x23852875 };
enum { QCOW2_COMPRESSION_ZLIB = 0, QCOW2_COMPRESSION_ZSTD = 1 };

/* L1 and L2 entries. */
#define QCOW2_COPIED (UINT64_C(1) << 63)
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO UINT64_C(1)
#define QCOW2_OFFSET_MASK UINT64_C(0x00fffffffffffe00)

/* One cluster of a table, big-endian as in the file. */
typedef struct {
    uint64_t offset;
    uint64_t last_used;
    bool dirty;
    uint8_t *data; /* owned */
} Qcow2Table;

typedef struct {
    GHashTable *tables; /* owned: &offset → Qcow2Table */
    unsigned limit;     /* tables kept; more only while all are dirty */
    unsigned n_dirty;
    uint64_t tick;
} Qcow2Cache;

typedef struct {
    Image image;
    pthread_rwlock_t lock;
    GMutex cache_lock;
    Image *backing; /* owned */

    /* From the header, in host order; constant after open. */
    unsigned version, cluster_bits, l2_bits, refcount_order;
    unsigned compression;
    uint64_t cluster_size;
    uint64_t incompatible;
    uint32_t n_snapshots;
    uint64_t snapshots_offset;
    uint64_t backing_offset;
    uint32_t backing_size;
    char *backing_format; /* owned; NULL: not said */
    bool has_bitmaps;

    /* Guarded by `lock`. */
    uint64_t *l1; /* owned, host order */
    uint32_t l1_size;
    uint64_t l1_offset;
    uint32_t l1_dirty_from, l1_dirty_to; /* entries [from, to) changed since written */
    uint64_t *reftable;                  /* owned, host order */
    uint64_t reftable_entries, reftable_offset;
    uint64_t free_hint;    /* every cluster below is taken */
    uint64_t file_end;     /* no cluster starts at or past this */
    uint64_t fresh_from;   /* clusters from here on were never written: they read as zeros */
    GArray *pending_frees; /* of uint64_t cluster numbers, to be given up at the next flush */
    bool corrupt;          /* found damaged: no more writes */
    gint dirty;            /* something waits for qcow2_flush_metadata(); atomic */

    /* Guarded by cache_lock, or exclusive. */
    Qcow2Cache l2_cache, refblock_cache;

    /* The last cluster unpacked, under unpack_lock. */
    GMutex unpack_lock;
    uint64_t unpacked_entry; /* its L2 entry, 0: none */
    uint8_t *unpacked;       /* owned */
} Qcow2;

static inline uint32_t qcow2_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}
static inline uint64_t qcow2_get64(const uint8_t *p)
{
    return (uint64_t)qcow2_get32(p) << 32 | qcow2_get32(p + 4);
}
static inline void qcow2_put32(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    __builtin_memcpy(p, &value, sizeof value);
}
static inline void qcow2_put64(uint8_t *p, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    __builtin_memcpy(p, &value, sizeof value);
}
static inline uint64_t qcow2_in_cluster(const Qcow2 *q, uint64_t offset)
{
    return offset & (q->cluster_size - 1);
}
/* Guest bytes that one L2 table covers. */
static inline uint64_t qcow2_l2_span(const Qcow2 *q)
{
    return q->cluster_size << q->l2_bits;
}

/* qcow2-header.c. Reads everything that open needs, with words for people. */
bool qcow2_header_load(Qcow2 *q, GError **error);
bool qcow2_header_open_backing(Qcow2 *q, GError **error);
/* Sets the incompatible feature bits @set and clears @clear, on disk at once. */
int qcow2_header_change_features(Qcow2 *q, uint64_t set, uint64_t clear);
/* The image contradicts itself: no more writes now, and others are warned by the corrupt bit.
 * Returns -EIO. */
int qcow2_corrupted(Qcow2 *q, const char *what);

/* qcow2-cache.c */
void qcow2_cache_init(Qcow2Cache *cache, unsigned limit);
void qcow2_cache_clear(Qcow2Cache *cache);
/* The table at @offset of the file: valid until the next get from the same cache. */
int qcow2_cache_get(Qcow2 *q, Qcow2Cache *cache, uint64_t offset, Qcow2Table **out_table);
/* The same for a cluster just allocated: zeros, dirty, nothing is read. */
Qcow2Table *qcow2_cache_new(Qcow2 *q, Qcow2Cache *cache, uint64_t offset);
void qcow2_cache_dirty(Qcow2 *q, Qcow2Cache *cache, Qcow2Table *table);
void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset);
int qcow2_cache_write(Qcow2 *q, Qcow2Cache *cache);
/* Exclusive. Writes all that changed, in the order that survives a power cut. */
int qcow2_flush_metadata(Qcow2 *q);

/* qcow2-refcount.c. Exclusive. */
int qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *out_count);
/* The block that counts @cluster must exist. */
int qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t value);
/* Takes 1 to @wanted clusters in a row; *@out_offset is the first byte, *@out_fresh whether they
 * read as zeros. */
int qcow2_allocate(Qcow2 *q, uint64_t wanted, uint64_t *out_offset, uint64_t *out_n,
                   bool *out_fresh);
/* Gives up what qcow2_allocate() gave when it was not used after all. */
void qcow2_unallocate(Qcow2 *q, uint64_t offset, uint64_t n);
/* Gives up the clusters of an L2 entry, or one cluster by its offset, at the next flush. */
void qcow2_free_entry_later(Qcow2 *q, uint64_t entry);
void qcow2_free_cluster_later(Qcow2 *q, uint64_t offset);
void qcow2_apply_frees(Qcow2 *q);

/* qcow2-map.c */
typedef enum {
    QCOW2_UNALLOCATED, /* the backing file's, or zeros */
    QCOW2_ZEROES,
    QCOW2_DATA,
    QCOW2_PACKED /* compressed */
} Qcow2Kind;
typedef struct {
    Qcow2Kind kind;
    uint64_t length; /* bytes from the offset asked for that are alike */
    uint64_t host;   /* DATA: where the first byte is in the file */
    uint64_t entry;  /* PACKED: the L2 entry */
    bool in_place;   /* DATA: nobody else refers to it */
} Qcow2Run;
/* What is stored at guest @offset, looking @length bytes ahead at most. */
int qcow2_map(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *out_run);
int qcow2_judge_entry(Qcow2 *q, uint64_t entry, Qcow2Kind *out_kind);
/* Exclusive. The L2 table for @offset, ours to change; made or copied when needed. */
int qcow2_l2_for_write(Qcow2 *q, uint64_t offset, Qcow2Table **out_table);
/* Host range of a compressed entry. */
void qcow2_packed_range(const Qcow2 *q, uint64_t entry, uint64_t *out_offset, uint64_t *out_length);

/* qcow2-read.c. `lock` held. */
int qcow2_read_locked(Qcow2 *q, uint64_t offset, IoVector v, size_t length);

/* qcow2-write.c. Takes `lock` itself. */
int qcow2_write(Image *image, uint64_t offset, IoVector v, size_t length);
int qcow2_write_zeroes(Image *image, uint64_t offset, uint64_t length);
int qcow2_discard(Image *image, uint64_t offset, uint64_t length);

/* qcow2-compressed.c. `lock` held. Reads @length bytes at @in_cluster of the unpacked cluster. */
int qcow2_read_packed(Qcow2 *q, uint64_t entry, uint64_t in_cluster, IoVector v, size_t length);
void qcow2_forget_unpacked(Qcow2 *q);

/* qcow2-repair.c. Before any I/O. */
bool qcow2_rebuild_refcounts(Qcow2 *q, GError **error);
/* Whether a table refers to bytes that are not in the file (a copy that was cut off). */
bool qcow2_is_truncated(Qcow2 *q);
