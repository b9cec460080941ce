/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "tiny-machine.h"
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define FIRMWARE_SIZE 0x10000
#define WHAT_OFFSET 0xFF00
#define COUNT_OFFSET 0xFF04

extern const uint8_t tiny_guest[], tiny_guest_end[];

static char *write_firmware(TinyGuest guest, uint32_t count, GError **error)
{
    static const uint8_t jump[] = { 0xEA, 0x00, 0x00, 0x00, 0xF0 };
    g_autofree uint8_t *firmware = g_malloc0(FIRMWARE_SIZE);
    char *path = NULL;
    int fd = g_file_open_tmp("firmware-XXXXXX", &path, error);

    if (fd < 0)
        return NULL;
    memcpy(firmware, tiny_guest, (size_t)(tiny_guest_end - tiny_guest));
    firmware[WHAT_OFFSET] = (uint8_t)guest;
    memcpy(firmware + COUNT_OFFSET, &count, sizeof count);
    memcpy(firmware + FIRMWARE_SIZE - 16, jump, sizeof jump);
    bool good = write(fd, firmware, FIRMWARE_SIZE) == FIRMWARE_SIZE;
    close(fd);
    g_assert(good);
    return path;
}

static Machine *make_machine(const MachineConfig *model, TinyGuest guest, uint32_t count,
                             GError **error)
{
    g_autofree char *path = write_firmware(guest, count, error);
    MachineConfig config = *model;

    if (!path)
        return NULL;
    config.name = "guest";
    config.memory_bytes = 16 << 20;
    config.clock = CLOCK_REAL;
    config.firmware_path = path;
    config.debug_exit = true;
    config.rtc_base = -1;
    Machine *machine = machine_new(&config, error);
    unlink(path);
    return machine;
}

Machine *tiny_machine_new(const CpuOps *cpu, unsigned n_cpus, TinyGuest guest, GError **error)
{
    return make_machine(&(MachineConfig){ .n_cpus = n_cpus, .cpu = cpu }, guest, 0, error);
}

Machine *tiny_machine_new_with_disk(const CpuOps *cpu, TinyGuest guest, const char *path,
                                    unsigned n_requests, GError **error)
{
    MachineConfig config = { .n_cpus = 1, .cpu = cpu, .n_drives = 1 };

    config.drive[0] = (MachineDrive){ .path = path, .is_virtio = true };
    return make_machine(&config, guest, n_requests, error);
}
