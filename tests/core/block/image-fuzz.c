/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Any bytes as an image file: opened, read, written, discarded, closed. For libFuzzer:
 *   clang -fsanitize=fuzzer,address -DIMAGE_FUZZ_ENGINE … tests/core/block/image-fuzz.c
 * Without it the program changes bytes of good images by itself, as many rounds as it is told. */

#include "core/block/disk.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

#ifndef IMAGE_FUZZ_ENGINE
static void make_seed(char **out_bytes, gsize *out_size)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-fuzz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "seed.qcow2", NULL);

    if (!disk_create_qcow2(path, 64 << 20, NULL, NULL, NULL))
        abort();
    Disk *disk = disk_open(path, NULL, NULL);
    disk_write(disk, 12345, "seed", 4, NULL);
    disk_free(disk);
    if (!g_file_get_contents(path, out_bytes, out_size, NULL))
        abort();
    unlink(path);
    rmdir(folder);
}

static void on_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
}

int main(int argc, char **argv)
{
    g_autofree char *seed = NULL;
    gsize size;
    GRand *rand = g_rand_new_with_seed(1);

    g_log_set_default_handler(on_log, NULL); /* “… is damaged”, again and again */
    make_seed(&seed, &size);
    for (int round = argc > 1 ? atoi(argv[1]) : 500; round > 0; round--) {
        static const uint64_t table[] = { 0, 65536, 131072, 196608, 262144 };
        g_autofree uint8_t *image = g_memdup2(seed, size);
        for (unsigned n = 1 + g_rand_int(rand) % 4; n; n--)
            image[(table[g_rand_int(rand) % 5] + g_rand_int(rand) % 112) % size] =
                (uint8_t)g_rand_int(rand);
        LLVMFuzzerTestOneInput(image, g_rand_int(rand) % 8 ? size : g_rand_int(rand) % size);
    }
    g_rand_free(rand);
    return 0;
}
#endif
