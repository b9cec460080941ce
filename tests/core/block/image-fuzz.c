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
    g_ptr_array_add(seeds, g_bytes_new_take(bytes, size));
    unlink(path);
    rmdir(folder);
}
