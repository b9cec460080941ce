/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Any bytes as an image file: opened, read, written, closed. */

#include "core/block/disk.h"
#include "fuzz.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER (200 * 1024)

static void use(Disk *disk, const uint8_t *data, size_t size)
{
    static uint8_t buffer[BUFFER];
    uint64_t disk_bytes = disk_size(disk);

    if (!disk_bytes)
        return;
    for (size_t i = 0; i + 4 <= MIN(size, 32); i += 4) {
        uint32_t word;
        memcpy(&word, data + size - 4 - i, 4);
        /* Near the start, the end, and anywhere. */
        uint64_t offset = i % 12 == 0 ? word % 300000 : word * UINT64_C(2654435761);
        offset %= disk_bytes;
        size_t length = MIN(disk_bytes - offset, word % BUFFER);
        disk_read(disk, offset, buffer, length, NULL);
        if (!disk_is_read_only(disk))
            disk_write(disk, offset, buffer, length, NULL);
    }
    disk_flush(disk, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    for (int read_only = 1; read_only >= 0; read_only--) {
        Disk *disk = disk_open(path, &(DiskOptions){ .read_only = read_only }, NULL);
        if (disk)
            use(disk, data, size);
        disk_free(disk);
    }
    close(fd);
    return 0;
}

static uint64_t get64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return GUINT64_FROM_BE(value);
}

/* The same image with a compressed second cluster behind its end (QEMU's docs/interop/qcow2.txt,
 * "Compressed Clusters Descriptor", clusters of 64 KiB). */
static GBytes *pack_second_cluster(const char *image, gsize size)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const uint8_t *)image, (guint)size);
    uint64_t l1 = get64(bytes->data + 40);
    uint64_t l2 = get64(bytes->data + l1) & 0x00FFFFFFFFFFFE00;

    g_autofree uint8_t *plain = g_malloc(65536);
    uint8_t packed[4096];
    for (unsigned i = 0; i < 65536; i++)
        plain[i] = (uint8_t)(i / 1000);
    z_stream z = { .next_in = plain, .avail_in = 65536, .next_out = packed, .avail_out = 4096 };
    g_assert(deflateInit2(&z, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    g_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    uint64_t entry = UINT64_C(1) << 62 | (uint64_t)((z.total_out - 1) / 512) << 54 | size;
    entry = GUINT64_TO_BE(entry);
    memcpy(bytes->data + l2 + 8, &entry, 8);
    g_byte_array_append(bytes, packed, (guint)z.total_out);
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

void fuzz_add_seeds(GPtrArray *seeds)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-fuzz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "seed.qcow2", NULL);
    char *bytes = NULL;
    gsize size;

    if (!disk_create_qcow2(path, 64 << 20, NULL, NULL, NULL))
        abort();
    Disk *disk = disk_open(path, NULL, NULL);
    disk_write(disk, 12345, "seed", 4, NULL);
    disk_free(disk);
    if (!g_file_get_contents(path, &bytes, &size, NULL))
        abort();
    g_ptr_array_add(seeds, pack_second_cluster(bytes, size));
    g_ptr_array_add(seeds, g_bytes_new_take(bytes, size));
    unlink(path);
    rmdir(folder);
}
