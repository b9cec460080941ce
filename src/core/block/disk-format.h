/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The inside of block/: image formats, one table a format. disk.c runs them on its workers;
 * image-open.c finds the right one. Nobody outside this folder includes it. */

#include "core/block/io-vector.h"
#include <glib.h>

typedef struct Image Image;

typedef struct {
    const char *name;
    size_t instance_size; /* of a struct whose first member is Image */
    /* Whether a file that starts with @head (zero-filled to IMAGE_HEAD bytes) is of this format. */
    bool (*probe)(const uint8_t *head, uint64_t file_size);
    /* Reads the metadata; fills size. The common part is set, the file locked. On failure close is
     * called all the same. */
    bool (*open)(Image *image, GError **error);
    void (*close)(Image *image); /* writes back what is still only in memory */

    /* I/O at byte granularity within [0, size), any thread, several at once: 0 or -errno. A write
     * that failed may be tried again as a whole. */
    int (*read)(Image *image, uint64_t offset, IoVector v, size_t length);
    int (*write)(Image *image, uint64_t offset, IoVector v, size_t length);
    int (*write_zeroes)(Image *image, uint64_t offset, uint64_t length);
    int (*discard)(Image *image, uint64_t offset, uint64_t length); /* advice */
    /* Everything written before is on stable storage afterwards. */
    int (*flush)(Image *image);
} ImageFormat;

struct Image {
    const ImageFormat *format;
    char *path;         /* owned */
    int fd;             /* owned */
    uint64_t size;      /* guest-visible */
    uint64_t file_size; /* at open */
    bool read_only;
    bool probed;    /* the format was guessed from content */
    unsigned depth; /* 0: what the guest sees; n: nth backing file */
    Image *overlay; /* borrowed: whose backing file this is, or NULL */
};

#define IMAGE_HEAD (34 * 1024) /* up to the first two volume descriptors of a disc */
#define IMAGE_MAX_DEPTH 32

extern const ImageFormat raw_format, iso_format, qcow2_format;

/* Opens, locks, recognises. @format_name NULL: by content. @overlay: for backing files. */
Image *image_open(const char *path, const char *format_name, bool read_only, Image *overlay,
                  GError **error);
void image_close(Image *image); /* NULL is fine */

/* True for bytes at the start of a disk that make it look like a format with references to other
 * files. */
bool image_head_is_structured(const uint8_t head[4]);
