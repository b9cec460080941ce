/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The engine's way to a disk image, without a guest: what `qemu-img bench` does with QEMU's.
 *   disk-bench IMAGE COUNT DEPTH SIZE STEP read|write
 * Keeps DEPTH requests of SIZE bytes under way until COUNT are done, each STEP bytes behind the one
 * before, around the end of the disk. Prints wall-clock seconds. */

#include "core/block/disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Disk *disk;
    GMutex lock;
    GCond over;
    uint64_t next_offset, step, size, disk_bytes;
    unsigned to_start, to_finish;
    int failure; /* -errno of the first that failed */
} Bench;

typedef struct {
    Bench *bench;
    DiskRequest request;
    struct iovec iov;
} Slot;

/* False when all have been started. */
static bool slot_next_locked(Slot *slot)
{
    Bench *bench = slot->bench;
    if (bench->to_start == 0)
        return false;
    bench->to_start--;
    slot->request.offset = bench->next_offset;
    bench->next_offset += bench->step;
    if (bench->next_offset + bench->size > bench->disk_bytes)
        bench->next_offset %= bench->step ? bench->step : 1;
    return true;
}

static void on_done(DiskRequest *request, int result)
{
    Slot *slot = request->opaque;
    Bench *bench = slot->bench;
    g_mutex_lock(&bench->lock);
    if (result && !bench->failure)
        bench->failure = result;
    bool again = slot_next_locked(slot);
    if (--bench->to_finish == 0)
        g_cond_signal(&bench->over);
    g_mutex_unlock(&bench->lock);
    if (again)
        disk_submit(bench->disk, request);
}

static void run(Bench *bench, unsigned depth, DiskOperation operation)
{
    g_autofree Slot *slots = g_new0(Slot, depth);
    g_autofree bool *started = g_new0(bool, depth);
    g_mutex_lock(&bench->lock);
    for (unsigned i = 0; i < depth; i++) {
        Slot *slot = &slots[i];
        slot->bench = bench;
        slot->iov = (struct iovec){ g_malloc(bench->size), bench->size };
        memset(slot->iov.iov_base, (int)i + 1, bench->size);
        slot->request = (DiskRequest){ .operation = operation,
                                       .length = bench->size,
                                       .iov = &slot->iov,
                                       .n_iov = 1,
                                       .done = on_done,
                                       .opaque = slot };
        started[i] = slot_next_locked(slot);
    }
    g_mutex_unlock(&bench->lock);
    for (unsigned i = 0; i < depth; i++)
        if (started[i])
            disk_submit(bench->disk, &slots[i].request);
    g_mutex_lock(&bench->lock);
    while (bench->to_finish)
        g_cond_wait(&bench->over, &bench->lock);
    g_mutex_unlock(&bench->lock);
    disk_drain(bench->disk);
    for (unsigned i = 0; i < depth; i++)
        g_free(slots[i].iov.iov_base);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: disk-bench IMAGE COUNT DEPTH SIZE STEP read|write\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    unsigned count = (unsigned)atoi(argv[2]), depth = (unsigned)atoi(argv[3]);
    Bench bench = { .to_start = count, .to_finish = count };
    bench.size = strtoull(argv[4], NULL, 10);
    bench.step = strtoull(argv[5], NULL, 10);
    bench.disk = disk_open(argv[1], NULL, &error);
    if (!bench.disk) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    bench.disk_bytes = disk_size(bench.disk);
    gint64 begin = g_get_monotonic_time();
    run(&bench, depth, strcmp(argv[6], "write") == 0 ? DISK_WRITE : DISK_READ);
    printf("%.6f\n", (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC);
    if (bench.failure)
        fprintf(stderr, "%s\n", g_strerror(-bench.failure));
    disk_free(bench.disk);
    return bench.failure != 0;
}
