/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "tiny-machine.h"
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define FIRMWARE_SIZE 0x10000
#define WHAT_OFFSET 0xFF00

extern const uint8_t tiny_guest[], tiny_guest_end[];

static char *write_firmware(TinyGuest guest, GError **error)
{
    static const uint8_t jump[] = { 0xEA, 0x00, 0x00, 0x00, 0xF0 };
    g_autofree uint8_t *firmware = g_malloc0(FIRMWARE_SIZE);
    char *path = NULL;
    int fd = g_file_open_tmp("firmware-XXXXXX", &path, error);

    if (fd < 0)
        return NULL;
    memcpy(firmware, tiny_guest, (size_t)(tiny_guest_end - tiny_guest));
    firmware[WHAT_OFFSET] = (uint8_t)guest;
    memcpy(firmware + FIRMWARE_SIZE - 16, jump, sizeof jump);
    bool good = write(fd, firmware, FIRMWARE_SIZE) == FIRMWARE_SIZE;
    close(fd);
    g_assert(good);
    return path;
}

Machine *tiny_machine_new(const CpuOps *cpu, unsigned n_cpus, TinyGuest guest, GError **error)
{
    g_autofree char *path = write_firmware(guest, error);
    MachineConfig config = { .name = "guest",
                             .memory_bytes = 16 << 20,
                             .n_cpus = n_cpus,
                             .cpu = cpu,
                             .clock = CLOCK_REAL,
                             .firmware_path = path,
                             .debug_exit = true,
                             .rtc_base = -1 };

    if (!path)
        return NULL;
    Machine *machine = machine_new(&config, error);
    unlink(path);
    return machine;
}
