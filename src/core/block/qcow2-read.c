/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/block/qcow2.h"

/* The backing file may be shorter than the disk on top of it; the rest is zeros. */
static int qcow2_read_backing(Qcow2 *q, uint64_t offset, IoVector v, size_t length)
{
    size_t there = 0;
    if (q->backing && offset < q->backing->size)
        there = MIN(length, q->backing->size - offset);
    int result = there ? q->backing->format->read(q->backing, offset, v, there) : 0;
    if (result)
        return result;
    if (there < length)
        io_vector_zero(io_vector_skip(v, there), length - there);
    return 0;
}

int qcow2_read_locked(Qcow2 *q, uint64_t offset, IoVector v, size_t length)
{
    while (length) {
        Qcow2Run run;
        int result = qcow2_map(q, offset, length, &run);
        if (result)
            return result;
        switch (run.kind) {
        case QCOW2_UNALLOCATED: result = qcow2_read_backing(q, offset, v, run.length); break;
        case QCOW2_ZEROES: io_vector_zero(v, run.length); break;
        case QCOW2_DATA: result = file_read(q->image.fd, run.host, v, run.length); break;
        case QCOW2_PACKED:
            result = qcow2_read_packed(q, run.entry, qcow2_in_cluster(q, offset), v, run.length);
            break;
        }
        if (result)
            return result;
        offset += run.length;
        length -= run.length;
        v = io_vector_skip(v, run.length);
    }
    return 0;
}
