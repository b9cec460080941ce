/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A position in a scatter list, and file I/O through it. Every byte that an image format moves to
 * or from a host file goes through file_read() and file_write(). Included by image formats only.
 *
 * Results are 0 or -errno. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Borrowed: the list outlives the walk. */
typedef struct {
    const struct iovec *iov;
    unsigned n;
    size_t skip; /* bytes of iov[0] already behind us */
} IoVector;

#define IO_VECTOR_OF(buffer_iov) ((IoVector){ .iov = (buffer_iov), .n = 1, .skip = 0 })

/* The position @length bytes further on. Stops at the end of the list. */
IoVector io_vector_skip(IoVector v, size_t length);
uint64_t io_vector_length(IoVector v);
/* Copy @length bytes between the list and flat memory; the list must be that long. */
void io_vector_fill(IoVector v, const void *bytes, size_t length);
void io_vector_gather(IoVector v, void *out, size_t length);
void io_vector_zero(IoVector v, size_t length);

/* Reads @length bytes at @offset of @fd into the list; what lies past the end of the file is zero.
 */
int file_read(int fd, uint64_t offset, IoVector v, size_t length);
int file_write(int fd, uint64_t offset, IoVector v, size_t length);
/* The same with flat memory. */
int file_read_bytes(int fd, uint64_t offset, void *out, size_t length);
int file_write_bytes(int fd, uint64_t offset, const void *bytes, size_t length);
/* Writes zeros, by a hole where the file system can make one. */
int file_write_zeroes(int fd, uint64_t offset, uint64_t length);
int file_sync(int fd); /* data and what is needed to find it, on stable storage */
