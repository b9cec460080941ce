/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Any bytes as a file that somebody drops: identified, or refused with its name. */

#include "fuzz.h"
#include "model/medium.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECTOR 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("medium", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) error = NULL;

    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    g_autoptr(Medium) medium = medium_identify(path, &error);
    close(fd);
    if (!medium) {
        g_assert(error && strstr(error->message, path) &&
                 g_utf8_validate(error->message, -1, NULL));
        return 0;
    }
    g_assert(!error && medium->format && medium->size_bytes >= size / 2);
    g_assert(g_utf8_validate(medium->label, -1, NULL) && strlen(medium->label) <= 32);
    return 0;
}

/* A disc with El Torito, as small as they get. */
static GBytes *make_disc(void)
{
    gsize size = 24 * SECTOR;
    uint8_t *disc = g_malloc0(size);
    memcpy(disc + 16 * SECTOR, "\1CD001\1", 7);
    memcpy(disc + 16 * SECTOR + 40, "SEED                            ", 32);
    disc[16 * SECTOR + 80] = 24;
    disc[16 * SECTOR + 129] = SECTOR >> 8;
    memcpy(disc + 17 * SECTOR, "\0CD001\1EL TORITO SPECIFICATION", 30);
    disc[17 * SECTOR + 71] = 20;
    memcpy(disc + 18 * SECTOR, "\377CD001\1", 7);
    memcpy(disc + 20 * SECTOR, "\1\0\0\0", 4);
    memcpy(disc + 20 * SECTOR + 28, "\xaa\x55\x55\xaa\x88", 5);
    return g_bytes_new_take(disc, size);
}

static GBytes *make_disk(void)
{
    gsize size = 64 * 1024;
    uint8_t *disk = g_malloc0(size);
    memcpy(disk, "\xeb\x3c\x90", 3);
    memcpy(disk + 446, "\x80\1\1\0\x83\1\1\1\1\0\0\0\x40\0\0\0", 16);
    memcpy(disk + 510, "\x55\xaa", 2);
    return g_bytes_new_take(disk, size);
}

static GBytes *make_qcow2(void)
{
    gsize size = 4096;
    uint8_t *image = g_malloc0(size);
    memcpy(image, "QFI\xfb\0\0\0\3", 8);
    image[23] = 16;
    image[29] = 1; /* 64 KiB */
    return g_bytes_new_take(image, size);
}

void fuzz_add_seeds(GPtrArray *seeds)
{
    g_ptr_array_add(seeds, make_disc());
    g_ptr_array_add(seeds, make_disk());
    g_ptr_array_add(seeds, make_qcow2());
    g_ptr_array_add(seeds, g_bytes_new_static("\177ELF\2\1\1\0AI\2", 11));
    g_ptr_array_add(seeds, g_bytes_new_static("PK\3\4 a zip", 10));
}
