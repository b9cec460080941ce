/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

static bool qcow2_refuse(Qcow2 *q, GIOErrorEnum code, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static bool qcow2_refuse(Qcow2 *q, GIOErrorEnum code, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, G_IO_ERROR, code, _("“%s” %s"), q->image.path, what);
    return false;
}

static bool qcow2_damaged(Qcow2 *q, GError **error, const char *what)
{
    return qcow2_refuse(q, G_IO_ERROR_INVALID_DATA, error,
                        _("is a damaged qcow2 image (%s). It can perhaps be repaired with "
                          "“qemu-img check -r all”, after a copy was made"),
                        what);
}

static bool qcow2_judge_features(Qcow2 *q, GError **error)
{
    uint64_t known = QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_COMPRESSION_TYPE;

    if (q->incompatible & QCOW2_DATA_FILE)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("keeps its data in another file, which is not supported. Convert it "
                              "with “qemu-img convert -O qcow2”"));
    if (q->incompatible & QCOW2_EXTENDED_L2)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("uses subclusters (extended_l2), which is not supported. Convert it "
                              "with “qemu-img convert -O qcow2”"));
    if (q->incompatible & ~known)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("uses features of a newer qcow2 than is known here (bits %#llx). "
                              "Convert it with a newer “qemu-img convert -O qcow2”"),
                            (unsigned long long)(q->incompatible & ~known));
    if (q->incompatible & QCOW2_CORRUPT && !q->image.read_only)
        return qcow2_refuse(
            q, G_IO_ERROR_INVALID_DATA, error,
            _("is marked as corrupt and can only be opened for reading. It can perhaps be repaired "
              "with “qemu-img check -r all”, after a copy was made"));
    return true;
}

static bool qcow2_judge_geometry(Qcow2 *q, GError **error)
{
    if (q->cluster_bits < QCOW2_MIN_CLUSTER_BITS || q->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return qcow2_damaged(q, error, _("impossible cluster size"));
    if (q->refcount_order > 6)
        return qcow2_damaged(q, error, _("impossible reference count width"));
    if (q->image.size > (uint64_t)INT64_MAX / 2)
        return qcow2_damaged(q, error, _("impossible disk size"));
    q->cluster_size = UINT64_C(1) << q->cluster_bits;
    q->l2_bits = q->cluster_bits - 3;
    uint64_t needed = (q->image.size + qcow2_l2_span(q) - 1) / qcow2_l2_span(q);
    if (q->l1_size > QCOW2_MAX_L1_BYTES / 8)
        return qcow2_damaged(q, error, _("first-level table too large"));
    if (q->l1_size < needed)
        return qcow2_damaged(q, error, _("first-level table too small for the disk"));
    if (q->reftable_entries * 8 > QCOW2_MAX_REFTABLE_BYTES || !q->reftable_entries)
        return qcow2_damaged(q, error, _("reference count table of impossible size"));
    if (qcow2_in_cluster(q, q->l1_offset) || qcow2_in_cluster(q, q->reftable_offset))
        return qcow2_damaged(q, error, _("table at an odd place"));
    return true;
}

static void qcow2_header_parse(Qcow2 *q, const uint8_t *h)
{
    q->version = qcow2_get32(h + QCOW2_H_VERSION);
    q->backing_offset = qcow2_get64(h + QCOW2_H_BACKING_OFFSET);
    q->backing_size = qcow2_get32(h + QCOW2_H_BACKING_SIZE);
    q->cluster_bits = qcow2_get32(h + QCOW2_H_CLUSTER_BITS);
    q->image.size = qcow2_get64(h + QCOW2_H_SIZE);
    q->l1_size = qcow2_get32(h + QCOW2_H_L1_SIZE);
    q->l1_offset = qcow2_get64(h + QCOW2_H_L1_OFFSET);
    q->reftable_offset = qcow2_get64(h + QCOW2_H_REFTABLE_OFFSET);
    if (q->cluster_bits <= QCOW2_MAX_CLUSTER_BITS)
        q->reftable_entries =
            ((uint64_t)qcow2_get32(h + QCOW2_H_REFTABLE_CLUSTERS) << q->cluster_bits) / 8;
    q->n_snapshots = qcow2_get32(h + QCOW2_H_N_SNAPSHOTS);
    q->snapshots_offset = qcow2_get64(h + QCOW2_H_SNAPSHOTS_OFFSET);
    q->refcount_order = 4;
    if (q->version >= 3) {
        q->incompatible = qcow2_get64(h + QCOW2_H_INCOMPATIBLE);
        q->refcount_order = qcow2_get32(h + QCOW2_H_REFCOUNT_ORDER);
        if (q->incompatible & QCOW2_COMPRESSION_TYPE)
            q->compression = h[QCOW2_H_COMPRESSION];
    }
}

/* The type-length-value list behind the header; it ends at the latest with the first cluster. */
static bool qcow2_header_load_extensions(Qcow2 *q, uint64_t start, GError **error)
{
    uint64_t end = q->backing_offset ? q->backing_offset : q->cluster_size;
    uint64_t at = start;
    while (at + 8 <= end) {
        uint8_t head[8];
        if (file_read_bytes(q->image.fd, at, head, sizeof head))
            return qcow2_damaged(q, error, _("unreadable header"));
        uint32_t type = qcow2_get32(head), length = qcow2_get32(head + 4);
        at += 8;
        if (type == QCOW2_EXT_END)
            break;
        if (length > end - at)
            return qcow2_damaged(q, error, _("header extension too long"));
        if (type == QCOW2_EXT_BACKING_FORMAT) {
            if (length > 15)
                return qcow2_damaged(q, error, _("name of the backing format too long"));
            g_free(q->backing_format);
            q->backing_format = g_malloc0(length + 1);
            if (file_read_bytes(q->image.fd, at, q->backing_format, length))
                return qcow2_damaged(q, error, _("unreadable header"));
        } else if (type == QCOW2_EXT_BITMAPS) {
            q->has_bitmaps = true;
        }
        at += (length + UINT64_C(7)) & ~UINT64_C(7);
    }
    return true;
}

static uint64_t *qcow2_load_table(Qcow2 *q, uint64_t offset, uint64_t entries, GError **error)
{
    uint64_t bytes = entries * 8;
    if (offset > q->image.file_size || bytes > q->image.file_size - offset) {
        qcow2_refuse(q, G_IO_ERROR_INVALID_DATA, error,
                     _("is incomplete: a table lies beyond the end of the file. Was a copy or "
                       "download interrupted?"));
        return NULL;
    }
    uint64_t *table = g_try_malloc(MAX(bytes, 8));
    if (!table || file_read_bytes(q->image.fd, offset, table, bytes)) {
        g_free(table);
        qcow2_damaged(q, error, _("unreadable table"));
        return NULL;
    }
    for (uint64_t i = 0; i < entries; i++)
        table[i] = GUINT64_FROM_BE(table[i]);
    return table;
}

bool qcow2_header_load(Qcow2 *q, GError **error)
{
    uint8_t h[112] = { 0 };

    if (q->image.file_size < QCOW2_H_V2_LENGTH)
        return qcow2_refuse(q, G_IO_ERROR_INVALID_DATA, error,
                            _("is incomplete: the file ends within the header"));
    int result = file_read_bytes(q->image.fd, 0, h, sizeof h);
    if (result)
        return qcow2_refuse(q, g_io_error_from_errno(-result), error, _("cannot be read: %s"),
                            g_strerror(-result));
    if (qcow2_get32(h) != QCOW2_MAGIC)
        return qcow2_refuse(q, G_IO_ERROR_INVALID_DATA, error, _("is not a qcow2 image"));
    qcow2_header_parse(q, h);
    if (q->version < 2 || q->version > 3)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("is a qcow image of version %u; 2 and 3 are known"), q->version);
    if (!qcow2_judge_features(q, error))
        return false;
    if (qcow2_get32(h + QCOW2_H_CRYPT))
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("is encrypted, which is not supported"));
    if (q->compression > QCOW2_COMPRESSION_ZSTD)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("is compressed in a way that is not known here"));
    if (!qcow2_judge_geometry(q, error))
        return false;

    uint64_t length = q->version >= 3 ? qcow2_get32(h + QCOW2_H_LENGTH) : QCOW2_H_V2_LENGTH;
    if (length > q->cluster_size || (q->version >= 3 && length < QCOW2_H_V3_LENGTH) ||
        (q->backing_offset && (q->backing_offset < length || q->backing_size > 1023 ||
                               q->backing_offset + q->backing_size > q->cluster_size)))
        return qcow2_damaged(q, error, _("impossible header length"));
    if (!qcow2_header_load_extensions(q, length, error))
        return false;
    q->l1 = qcow2_load_table(q, q->l1_offset, q->l1_size, error);
    if (!q->l1)
        return false;
    q->reftable = qcow2_load_table(q, q->reftable_offset, q->reftable_entries, error);
    if (!q->reftable)
        return false;
    /* Those who wrote the parts guarded by these bits want to know that we did not keep them. */
    if (q->version >= 3 && !q->image.read_only && qcow2_get64(h + QCOW2_H_AUTOCLEAR)) {
        static const uint8_t none[8];
        if (file_write_bytes(q->image.fd, QCOW2_H_AUTOCLEAR, none, sizeof none))
            return qcow2_damaged(q, error, _("the header cannot be written"));
    }
    return true;
}

/* "nbd://…", "json:{…}": names that would make us open who knows what. */
static bool backing_name_has_protocol(const char *name)
{
    size_t n = strcspn(name, ":/");
    return name[n] == ':';
}

bool qcow2_header_open_backing(Qcow2 *q, GError **error)
{
    if (!q->backing_offset || !q->backing_size)
        return true;
    g_autofree char *name = g_malloc0(q->backing_size + 1);
    if (file_read_bytes(q->image.fd, q->backing_offset, name, q->backing_size))
        return qcow2_damaged(q, error, _("unreadable header"));
    const char *file = g_str_has_prefix(name, "file:") ? name + 5 : name;
    if (backing_name_has_protocol(file) || !*file)
        return qcow2_refuse(q, G_IO_ERROR_NOT_SUPPORTED, error,
                            _("builds on “%s”, which is not a file on this computer"), name);
    g_autofree char *folder = g_path_get_dirname(q->image.path);
    g_autofree char *path =
        g_path_is_absolute(file) ? g_strdup(file) : g_build_filename(folder, file, NULL);
    q->backing = image_open(path, q->backing_format, true, &q->image, error);
    if (q->backing)
        return true;
    g_prefix_error(error, _("“%s” builds on another image that is needed, too: "), q->image.path);
    return false;
}

int qcow2_header_change_features(Qcow2 *q, uint64_t set, uint64_t clear)
{
    uint8_t bytes[8];
    if (q->version < 3)
        return 0;
    q->incompatible = (q->incompatible | set) & ~clear;
    qcow2_put64(bytes, q->incompatible);
    int result = file_write_bytes(q->image.fd, QCOW2_H_INCOMPATIBLE, bytes, sizeof bytes);
    return result ? result : file_sync(q->image.fd);
}

int qcow2_corrupted(Qcow2 *q, const char *what)
{
    if (!q->corrupt) {
        q->corrupt = true;
        g_warning("“%s” is damaged: %s. No more is written to it", q->image.path, what);
        if (!q->image.read_only)
            qcow2_header_change_features(q, QCOW2_CORRUPT, 0);
    }
    return -EIO;
}
