/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/disk-format.h"
#include "core/block/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order of asking; raw takes what is left. */
static const ImageFormat *const formats[] = { &qcow2_format, &iso_format, &raw_format };

/* Files that people drop here and that would "work" as a raw disk full of nonsense. */
static const struct {
    size_t offset;
    const char *magic;
    size_t length;
    const char *what;
} strangers[] = {
    { 0, "\x1f\x8b", 2, N_("is compressed (gzip): unpack it first") },
    { 0,
      "\xfd"
      "7zXZ",
      5, N_("is compressed (xz): unpack it first") },
    { 0, "BZh", 3, N_("is compressed (bzip2): unpack it first") },
    { 0, "\x28\xb5\x2f\xfd", 4, N_("is compressed (zstd): unpack it first") },
    { 0, "7z\xbc\xaf\x27\x1c", 6, N_("is a 7-Zip archive: unpack it first") },
    { 0, "PK\x03\x04", 4, N_("is a ZIP archive: unpack it first") },
    { 0,
      "\x7f"
      "ELF",
      4, N_("is a program, not a disc or disk image") },
    { 0, "KDMV", 4, N_("is a VMDK image: convert it with “qemu-img convert -O qcow2”") },
    { 0, "vhdxfile", 8, N_("is a VHDX image: convert it with “qemu-img convert -O qcow2”") },
    { 0, "conectix", 8, N_("is a VHD image: convert it with “qemu-img convert -O qcow2”") },
    { 64, "\x7f\x10\xda\xbe", 4,
      N_("is a VDI image: convert it with “qemu-img convert -O qcow2”") },
    { 0, "QED\0", 4, N_("is a QED image: convert it with “qemu-img convert -O qcow2”") },
};

bool image_head_is_structured(const uint8_t head[4])
{
    return !memcmp(head, "QFI\xfb", 4) || !memcmp(head, "KDMV", 4) || !memcmp(head, "QED", 4);
}

static int image_open_file(const char *path, bool read_only, GError **error)
{
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        return fd;
    int problem = errno;
    if (problem == ENOENT)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    _("“%s” does not exist. Was it moved or deleted?"), path);
    else if (problem == EISDIR)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY,
                    _("“%s” is a folder, not a disc or disk image"), path);
    else if (problem == EACCES || problem == EPERM || problem == EROFS)
        g_set_error(
            error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
            read_only
                ? _("“%s” may not be opened for reading: %s. Check who owns it and its permissions")
                : _("“%s” may not be opened for writing: %s. Check who owns it and its "
                    "permissions"),
            path, g_strerror(problem));
    else
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(problem),
                    _("“%s” cannot be opened: %s"), path, g_strerror(problem));
    return -1;
}

static bool image_measure(Image *image, struct stat *st, GError **error)
{
    if (fstat(image->fd, st) < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    _("“%s” cannot be examined: %s"), image->path, g_strerror(errno));
        return false;
    }
    if (S_ISDIR(st->st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY,
                    _("“%s” is a folder, not a disc or disk image"), image->path);
        return false;
    }
    if (S_ISBLK(st->st_mode)) {
        if (ioctl(image->fd, BLKGETSIZE64, &image->file_size) == 0)
            return true;
    } else if (S_ISREG(st->st_mode)) {
        image->file_size = (uint64_t)st->st_size;
        if (image->file_size)
            return true;
    } else {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                    _("“%s” is neither a file nor a drive"), image->path);
        return false;
    }
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                _("“%s” is empty. Was a download or copy interrupted?"), image->path);
    return false;
}

/* AppImages carry "AI" in the ELF header's padding; those of the first kind are valid ISO 9660. */
static bool image_is_stranger(const Image *image, const uint8_t *head, GError **error)
{
    if (!memcmp(head, "\177ELF", 4) && head[8] == 'A' && head[9] == 'I') {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("“%s” is an AppImage, a program to run here, not a disc or disk image"),
                    image->path);
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(strangers); i++) {
        if (memcmp(head + strangers[i].offset, strangers[i].magic, strangers[i].length))
            continue;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("“%s” %s"), image->path,
                    _(strangers[i].what));
        return true;
    }
    /* As a raw disk it would be an empty one, and be written over. */
    if (g_str_has_suffix(image->path, ".qcow2") && memcmp(head, "QFI\xfb", 4)) {
        g_set_error(
            error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
            _("“%s” is a damaged qcow2 image (its first bytes are not those of one), or its "
              "name is wrong. Restore it from a copy, or rename it"),
            image->path);
        return true;
    }
    return false;
}

static const ImageFormat *image_find_format(Image *image, const char *name, GError **error)
{
    g_autofree uint8_t *head = g_malloc0(IMAGE_HEAD);
    int result = file_read_bytes(image->fd, 0, head, MIN((uint64_t)IMAGE_HEAD, image->file_size));
    if (result) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(-result), _("“%s” cannot be read: %s"),
                    image->path, g_strerror(-result));
        return NULL;
    }
    image->probed = !name;
    if (!name && image_is_stranger(image, head, error))
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (name ? !strcmp(name, formats[i]->name) : formats[i]->probe(head, image->file_size))
            return formats[i];
    }
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                _("“%s”: images of the format “%s” cannot be opened"), image->path,
                name ? name : _("unknown"));
    return NULL;
}

/* A chain that bites its own tail would be read for ever. */
static bool image_chain_is_sane(const Image *image, const struct stat *st, GError **error)
{
    for (const Image *over = image->overlay; over; over = over->overlay) {
        struct stat other;
        if (fstat(over->fd, &other) == 0 && other.st_dev == st->st_dev &&
            other.st_ino == st->st_ino) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                        _("“%s” is its own backing file: the chain of images is damaged"),
                        image->path);
            return false;
        }
    }
    if (image->depth <= IMAGE_MAX_DEPTH)
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                _("“%s”: more than %d backing files in a chain"), image->path, IMAGE_MAX_DEPTH);
    return false;
}

Image *image_open(const char *path, const char *format_name, bool read_only, Image *overlay,
                  GError **error)
{
    int fd = image_open_file(path, read_only, error);
    if (fd < 0)
        return NULL;
    Image common = { .path = g_strdup(path),
                     .fd = fd,
                     .read_only = read_only,
                     .overlay = overlay,
                     .depth = overlay ? overlay->depth + 1 : 0 };
    struct stat st;
    const ImageFormat *format = NULL;
    if (image_measure(&common, &st, error) && image_chain_is_sane(&common, &st, error) &&
        image_lock(fd, path, !read_only, error))
        format = image_find_format(&common, format_name, error);
    if (!format) {
        g_free(common.path);
        close(fd);
        return NULL;
    }
    Image *image = g_malloc0(format->instance_size);
    *image = common;
    image->format = format;
    if (format->open(image, error))
        return image;
    image->read_only = true; /* a half-opened image is never written back */
    image_close(image);
    return NULL;
}

void image_close(Image *image)
{
    if (!image)
        return;
    image->format->close(image);
    close(image->fd);
    g_free(image->path);
    g_free(image);
}
