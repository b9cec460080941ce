/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Raw images: the file is the disk. Discs (ISO 9660, UDF) are the same with sectors of 2 KiB and a
 * length that can be checked. */

#include "core/block/disk-format.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

#define RAW_SECTOR 512
#define ISO_SECTOR 2048
#define ISO_DESCRIPTORS (16 * ISO_SECTOR) /* ECMA-119 §6.7.1 */
#define ISO_PADDING (512 * 1024)          /* writers differ on whether trailing padding counts */

typedef struct {
    Image image;
} Raw;

static bool raw_probe(const uint8_t *head, uint64_t file_size)
{
    return true;
}

static bool iso_probe(const uint8_t *head, uint64_t file_size)
{
    const uint8_t *id = head + ISO_DESCRIPTORS + 1;
    return file_size > ISO_DESCRIPTORS && (!memcmp(id, "CD001", 5) || !memcmp(id, "BEA01", 5));
}

static bool raw_open(Image *image, GError **error)
{
    image->size = (image->file_size + RAW_SECTOR - 1) / RAW_SECTOR * RAW_SECTOR;
    return true;
}

static bool iso_open(Image *image, GError **error)
{
    uint8_t pvd[ISO_SECTOR] = { 0 };

    image->size = (image->file_size + ISO_SECTOR - 1) / ISO_SECTOR * ISO_SECTOR;
    int result = file_read_bytes(image->fd, ISO_DESCRIPTORS, pvd, sizeof pvd);
    if (result) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(-result), _("“%s” cannot be read: %s"),
                    image->path, g_strerror(-result));
        return false;
    }
    if (pvd[0] != 1 || memcmp(pvd + 1, "CD001", 5)) /* not a primary descriptor: UDF alone */
        return true;
    /* ECMA-119 §8.4.8 and §8.4.12: both-endian; the little half is enough. */
    uint64_t blocks = pvd[80] | pvd[81] << 8 | pvd[82] << 16 | (uint64_t)pvd[83] << 24;
    uint64_t block_size = pvd[128] | pvd[129] << 8;
    uint64_t length = blocks * block_size;
    if (length > image->file_size + ISO_PADDING) {
        g_autofree char *there = g_format_size_full(image->file_size, G_FORMAT_SIZE_LONG_FORMAT);
        g_autofree char *whole = g_format_size_full(length, G_FORMAT_SIZE_LONG_FORMAT);
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("“%s” is incomplete: %s of %s are there. Download or copy it again"),
                    image->path, there, whole);
        return false;
    }
    return true;
}

static void raw_close(Image *image)
{
    if (!image->read_only)
        file_sync(image->fd);
}

static int raw_read(Image *image, uint64_t offset, IoVector v, size_t length)
{
    return file_read(image->fd, offset, v, length);
}

/* A disk taken for raw by its content must not turn into something else at the next start: a guest
 * could write a header there that names files of the host. */
static bool raw_changes_format(const Image *image, uint64_t offset, const uint8_t *bytes,
                               size_t length)
{
    uint8_t head[4];
    if (offset && file_read_bytes(image->fd, 0, head, sizeof head))
        return true;
    if (!offset && length < sizeof head && file_read_bytes(image->fd, 0, head, sizeof head))
        return true;
    memcpy(head + offset, bytes, MIN(length, sizeof head - offset));
    return image_head_is_structured(head);
}

/* The guest may change its memory meanwhile: what is looked at is what is written. */
static int raw_write_head(const Image *image, uint64_t offset, IoVector v, size_t length)
{
    uint8_t bytes[RAW_SECTOR];
    io_vector_gather(v, bytes, length);
    if (raw_changes_format(image, offset, bytes, length))
        return -EPERM;
    return file_write_bytes(image->fd, offset, bytes, length);
}

static int raw_write(Image *image, uint64_t offset, IoVector v, size_t length)
{
    bool has_head = image->probed && offset < 4 && image->format == &raw_format;
    size_t first = has_head ? MIN(length, RAW_SECTOR) : 0;
    int result = first ? raw_write_head(image, offset, v, first) : 0;

    if (result || first == length)
        return result;
    return file_write(image->fd, offset + first, io_vector_skip(v, first), length - first);
}

static int raw_write_zeroes(Image *image, uint64_t offset, uint64_t length)
{
    return file_write_zeroes(image->fd, offset, length);
}

static int raw_discard(Image *image, uint64_t offset, uint64_t length)
{
    /* Advice: where the host's file system cannot make holes, nothing is lost. */
    if (fallocate(image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)length) < 0 &&
        errno == EIO)
        return -EIO;
    return 0;
}

static int raw_flush(Image *image)
{
    return file_sync(image->fd);
}

const ImageFormat raw_format = {
    .name = "raw",
    .instance_size = sizeof(Raw),
    .probe = raw_probe,
    .open = raw_open,
    .close = raw_close,
    .read = raw_read,
    .write = raw_write,
    .write_zeroes = raw_write_zeroes,
    .discard = raw_discard,
    .flush = raw_flush,
};

const ImageFormat iso_format = {
    .name = "iso",
    .instance_size = sizeof(Raw),
    .probe = iso_probe,
    .open = iso_open,
    .close = raw_close,
    .read = raw_read,
    .write = raw_write,
    .write_zeroes = raw_write_zeroes,
    .discard = raw_discard,
    .flush = raw_flush,
};
