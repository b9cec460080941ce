/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

/* Raw deflate with a window of 4 KiB; the stream may be followed by padding to the sector. */
static bool unpack_zlib(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
    z_stream stream = { .next_in = (Bytef *)in,
                        .avail_in = (uInt)in_length,
                        .next_out = out,
                        .avail_out = (uInt)out_length };
    if (inflateInit2(&stream, -12) != Z_OK)
        return false;
    int result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return (result == Z_STREAM_END || result == Z_BUF_ERROR) && stream.avail_out == 0;
}

static bool unpack_zstd(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer from = { .src = in, .size = in_length };
    ZSTD_outBuffer to = { .dst = out, .size = out_length };
    while (context && to.pos < to.size) {
        size_t before = to.pos, result = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(result) || (to.pos == before && from.pos == from.size))
            break;
    }
    ZSTD_freeDCtx(context);
    return to.pos == to.size;
}

static int qcow2_unpack(Qcow2 *q, uint64_t entry, uint8_t *out)
{
    uint64_t offset, length;
    qcow2_packed_range(q, entry, &offset, &length);
    /* At most about two clusters: the length field has cluster_bits - 8 bits of 512 bytes. */
    g_autofree uint8_t *packed = g_try_malloc(length);
    if (!packed)
        return -ENOMEM;
    int result = file_read_bytes(q->image.fd, offset, packed, length);
    if (result)
        return result;
    bool good = q->compression == QCOW2_COMPRESSION_ZSTD
                    ? unpack_zstd(packed, length, out, q->cluster_size)
                    : unpack_zlib(packed, length, out, q->cluster_size);
    return good ? 0 : -EIO;
}

int qcow2_read_packed(Qcow2 *q, uint64_t entry, uint64_t in_cluster, IoVector v, size_t length)
{
    int result = 0;
    g_mutex_lock(&q->unpack_lock);
    if (!q->unpacked)
        q->unpacked = g_try_malloc(q->cluster_size);
    if (!q->unpacked)
        result = -ENOMEM;
    if (!result && q->unpacked_entry != entry) {
        q->unpacked_entry = 0;
        result = qcow2_unpack(q, entry, q->unpacked);
        if (!result)
            q->unpacked_entry = entry;
    }
    if (!result)
        io_vector_fill(v, q->unpacked + in_cluster, length);
    g_mutex_unlock(&q->unpack_lock);
    return result;
}

void qcow2_forget_unpacked(Qcow2 *q)
{
    g_mutex_lock(&q->unpack_lock);
    q->unpacked_entry = 0;
    g_mutex_unlock(&q->unpack_lock);
}
