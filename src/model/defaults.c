/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/defaults.h"
#include <glib.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const struct {
    const char *prefix; /* of libosinfo's short id; the longest that fits counts */
    uint64_t memory, disk;
    unsigned n_cpus;
    DefinitionFirmware firmware;
} machine_defaults[] = {
    { "", 2 * GIB, 20 * GIB, 2 },
    { "win11", 4 * GIB, 64 * GIB, 2, FIRMWARE_UEFI },
    { "win10", 4 * GIB, 40 * GIB, 2 },
    { "win", 2 * GIB, 40 * GIB, 2 },
    { "winxp", 512 * MIB, 10 * GIB, 1 },
    { "win9", 256 * MIB, 2 * GIB, 1 },
    { "msdos", 64 * MIB, 1 * GIB, 1 },
    { "freedos", 64 * MIB, 1 * GIB, 1 },
    { "alpinelinux", 512 * MIB, 8 * GIB, 1 },
    { "freebsd", 1 * GIB, 20 * GIB, 2 },
    { "openbsd", 1 * GIB, 16 * GIB, 1 },
    { "netbsd", 1 * GIB, 16 * GIB, 1 },
};

/* Prefixes, too: Linux distributions and the BSDs. */
static const char *const virtio_systems[] = {
    "alma",       "alpine",     "alt",       "arch",     "asianux",   "centos",  "circle",
    "debian",     "devuan",     "element",   "endless",  "eurolinux", "fedora",  "freebsd",
    "gentoo",     "gnome",      "guix",      "linux",    "mageia",    "manjaro", "netbsd",
    "nixos",      "ol",         "openbsd",   "opensuse", "popos",     "rhel",    "rocky",
    "scientific", "silverblue", "slackware", "sled",     "sles",      "slem",    "trisquel",
    "ubuntu",     "void",
};

bool machine_defaults_has_virtio(const char *os)
{
    for (unsigned i = 0; os && i < G_N_ELEMENTS(virtio_systems); i++)
        if (g_str_has_prefix(os, virtio_systems[i]))
            return true;
    return false;
}

uint64_t host_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * size : 0;
}

unsigned host_n_cpus(void)
{
    return MAX(1, g_get_num_processors());
}

void machine_defaults_get(const char *os, uint64_t minimum_memory, uint64_t recommended_memory,
                          MachineDefaults *out_defaults)
{
    unsigned best = 0;
    for (unsigned i = 1; os && i < G_N_ELEMENTS(machine_defaults); i++)
        if (g_str_has_prefix(os, machine_defaults[i].prefix) &&
            strlen(machine_defaults[i].prefix) > strlen(machine_defaults[best].prefix))
            best = i;

    uint64_t memory = machine_defaults[best].memory;
    if (recommended_memory)
        memory = MAX(memory, recommended_memory);
    /* Leave the host half of its memory, unless the guest could not start with that. */
    uint64_t host = host_memory_bytes();
    if (host)
        memory = MIN(memory, MAX(host / 2, minimum_memory));
    *out_defaults = (MachineDefaults){
        .memory_bytes = MAX(memory / (64 * MIB), 1) * (64 * MIB),
        .disk_bytes = machine_defaults[best].disk,
        .n_cpus = MIN(machine_defaults[best].n_cpus, host_n_cpus()),
        .firmware = machine_defaults[best].firmware,
    };
}
