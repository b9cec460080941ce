/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/disk.h"
#include "core/block/qcow2.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#define CREATE_CLUSTER_BITS 16
#define CREATE_CLUSTER (1u << CREATE_CLUSTER_BITS)
#define CREATE_REFTABLE 1 /* cluster numbers */
#define CREATE_REFBLOCK 2
#define CREATE_L1 3

/* Header, extension, name, all in the first cluster. Returns false when the name is too long. */
static bool create_fill_header(uint8_t *h, uint64_t size, uint64_t l1_size, const char *backing,
                               const char *format)
{
    size_t at = QCOW2_H_V3_LENGTH + 8; /* as QEMU: compression type and padding are in */
    qcow2_put32(h, QCOW2_MAGIC);
    qcow2_put32(h + QCOW2_H_VERSION, 3);
    qcow2_put32(h + QCOW2_H_CLUSTER_BITS, CREATE_CLUSTER_BITS);
    qcow2_put64(h + QCOW2_H_SIZE, size);
    qcow2_put32(h + QCOW2_H_L1_SIZE, (uint32_t)l1_size);
    qcow2_put64(h + QCOW2_H_L1_OFFSET, CREATE_L1 * CREATE_CLUSTER);
    qcow2_put64(h + QCOW2_H_REFTABLE_OFFSET, CREATE_REFTABLE * CREATE_CLUSTER);
    qcow2_put32(h + QCOW2_H_REFTABLE_CLUSTERS, 1);
    qcow2_put32(h + QCOW2_H_REFCOUNT_ORDER, 4);
    qcow2_put32(h + QCOW2_H_LENGTH, (uint32_t)at);
    if (!backing)
        return true;
    if (format) {
        size_t length = strlen(format);
        if (length > 15)
            return false;
        qcow2_put32(h + at, QCOW2_EXT_BACKING_FORMAT);
        qcow2_put32(h + at + 4, (uint32_t)length);
        memcpy(h + at + 8, format, length);
        at += 8 + (length + 7) / 8 * 8;
    }
    at += 8; /* the end of extensions is eight zeros */
    size_t length = strlen(backing);
    if (length > 1023)
        return false;
    qcow2_put64(h + QCOW2_H_BACKING_OFFSET, at);
    qcow2_put32(h + QCOW2_H_BACKING_SIZE, (uint32_t)length);
    memcpy(h + at, backing, length);
    return true;
}

static int create_write(int fd, const uint8_t *header, uint64_t l1_clusters)
{
    g_autofree uint8_t *cluster = g_malloc0(CREATE_CLUSTER);
    uint64_t end = (CREATE_L1 + l1_clusters) * CREATE_CLUSTER;
    if (ftruncate(fd, (off_t)end) < 0)
        return -errno;
    for (uint64_t i = 0; i < CREATE_L1 + l1_clusters; i++)
        cluster[2 * i + 1] = 1;
    int result = file_write_bytes(fd, CREATE_REFBLOCK * CREATE_CLUSTER, cluster, CREATE_CLUSTER);
    if (result)
        return result;
    uint8_t entry[8];
    qcow2_put64(entry, CREATE_REFBLOCK * CREATE_CLUSTER);
    result = file_write_bytes(fd, CREATE_REFTABLE * CREATE_CLUSTER, entry, sizeof entry);
    if (result)
        return result;
    result = file_write_bytes(fd, 0, header, CREATE_CLUSTER);
    return result ? result : file_sync(fd);
}

/* The size of the image to build on, which also says whether it can be opened at all. */
static bool create_measure_backing(const char *path, const char *backing, const char *format,
                                   uint64_t *out_size, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *full =
        g_path_is_absolute(backing) ? g_strdup(backing) : g_build_filename(folder, backing, NULL);
    Image *image = image_open(full, format, true, NULL, error);
    if (!image)
        return false;
    *out_size = image->size;
    image_close(image);
    return true;
}

bool disk_create_qcow2(const char *path, uint64_t size_bytes, const char *backing_path,
                       const char *backing_format, GError **error)
{
    if (backing_path) {
        uint64_t backing_size;
        if (!create_measure_backing(path, backing_path, backing_format, &backing_size, error))
            return false;
        if (!size_bytes)
            size_bytes = backing_size;
    }
    size_bytes = (size_bytes + 511) & ~UINT64_C(511);
    uint64_t span = (uint64_t)CREATE_CLUSTER * CREATE_CLUSTER / 8;
    uint64_t l1_size = (size_bytes + span - 1) / span;
    uint64_t l1_clusters = MAX(1, (l1_size * 8 + CREATE_CLUSTER - 1) / CREATE_CLUSTER);
    if (!size_bytes || l1_size > QCOW2_MAX_L1_BYTES / 8) {
        g_autofree char *size = g_format_size_full(size_bytes, G_FORMAT_SIZE_IEC_UNITS);
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("“%s”: a disk of %s cannot be made"), path, size);
        return false;
    }
    g_autofree uint8_t *header = g_malloc0(CREATE_CLUSTER);
    if (!create_fill_header(header, size_bytes, l1_size, backing_path, backing_format)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                    _("“%s”: the name of the image below, “%s”, is too long"), path, backing_path);
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int result = fd < 0 ? -errno : create_write(fd, header, l1_clusters);
    if (fd >= 0)
        close(fd);
    if (result == 0)
        return true;
    if (fd >= 0)
        unlink(path);
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(-result),
                result == -EEXIST ? _("“%s” exists already and is not overwritten (%s)")
                                  : _("“%s” cannot be created: %s"),
                path, g_strerror(-result));
    return false;
}
