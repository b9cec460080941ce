/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/io-vector.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_IOV 64

IoVector io_vector_skip(IoVector v, size_t length)
{
    length += v.skip;
    while (v.n && length >= v.iov->iov_len) {
        length -= v.iov->iov_len;
        v.iov++;
        v.n--;
    }
    v.skip = v.n ? length : 0;
    return v;
}

uint64_t io_vector_length(IoVector v)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < v.n; i++)
        total += v.iov[i].iov_len;
    return total - v.skip;
}

/* The first unbroken piece of at most @length bytes. */
static void *io_vector_piece(IoVector *v, size_t length, size_t *out_piece)
{
    *v = io_vector_skip(*v, 0);
    g_return_val_if_fail(v->n, NULL);
    *out_piece = MIN(length, v->iov->iov_len - v->skip);
    return (uint8_t *)v->iov->iov_base + v->skip;
}

void io_vector_fill(IoVector v, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length) {
        size_t piece;
        void *to = io_vector_piece(&v, length, &piece);
        if (!to)
            return;
        memcpy(to, from, piece);
        from += piece;
        length -= piece;
        v = io_vector_skip(v, piece);
    }
}

void io_vector_gather(IoVector v, void *out, size_t length)
{
    uint8_t *to = out;
    while (length) {
        size_t piece;
        const void *from = io_vector_piece(&v, length, &piece);
        if (!from)
            return;
        memcpy(to, from, piece);
        to += piece;
        length -= piece;
        v = io_vector_skip(v, piece);
    }
}

void io_vector_zero(IoVector v, size_t length)
{
    while (length) {
        size_t piece;
        void *to = io_vector_piece(&v, length, &piece);
        if (!to)
            return;
        memset(to, 0, piece);
        length -= piece;
        v = io_vector_skip(v, piece);
    }
}

/* Cuts the next at most FILE_MAX_IOV pieces and @length bytes into @out. */
static int io_vector_cut(IoVector v, size_t length, struct iovec *out)
{
    int n = 0;
    while (length && n < FILE_MAX_IOV) {
        size_t piece;
        void *base = io_vector_piece(&v, length, &piece);
        if (!base)
            break;
        out[n++] = (struct iovec){ .iov_base = base, .iov_len = piece };
        length -= piece;
        v = io_vector_skip(v, piece);
    }
    return n;
}

int file_read(int fd, uint64_t offset, IoVector v, size_t length)
{
    while (length) {
        struct iovec iov[FILE_MAX_IOV];
        int n = io_vector_cut(v, length, iov);
        ssize_t got = preadv(fd, iov, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0) {
            io_vector_zero(v, length);
            return 0;
        }
        v = io_vector_skip(v, (size_t)got);
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

int file_write(int fd, uint64_t offset, IoVector v, size_t length)
{
    while (length) {
        struct iovec iov[FILE_MAX_IOV];
        int n = io_vector_cut(v, length, iov);
        ssize_t put = pwritev(fd, iov, n, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        if (put == 0)
            return -EIO;
        v = io_vector_skip(v, (size_t)put);
        offset += (uint64_t)put;
        length -= (size_t)put;
    }
    return 0;
}

int file_read_bytes(int fd, uint64_t offset, void *out, size_t length)
{
    struct iovec iov = { .iov_base = out, .iov_len = length };
    return file_read(fd, offset, IO_VECTOR_OF(&iov), length);
}

int file_write_bytes(int fd, uint64_t offset, const void *bytes, size_t length)
{
    struct iovec iov = { .iov_base = (void *)bytes, .iov_len = length };
    return file_write(fd, offset, IO_VECTOR_OF(&iov), length);
}

static bool file_ends_before(int fd, uint64_t end)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size < end;
}

int file_write_zeroes(int fd, uint64_t offset, uint64_t length)
{
    static const uint8_t zeroes[65536];

    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) ==
        0) {
        if (!file_ends_before(fd, offset + length))
            return 0;
        return ftruncate(fd, (off_t)(offset + length)) == 0 ? 0 : -errno;
    }
    while (length) {
        size_t piece = MIN(length, sizeof zeroes);
        int result = file_write_bytes(fd, offset, zeroes, piece);
        if (result)
            return result;
        offset += piece;
        length -= piece;
    }
    return 0;
}

int file_sync(int fd)
{
    while (fdatasync(fd) < 0) {
        if (errno == EINVAL || errno == EROFS)
            return 0; /* nothing here to be synchronised (a pipe-like or read-only device) */
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}
