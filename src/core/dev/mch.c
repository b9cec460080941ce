/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/mch.h"

#include "core/machine/machine.h"
#include <string.h>

enum {
    MCH_PCIEXBAR = 0x60,
    MCH_PAM0 = 0x90, /* high nibble: F0000h; PAM1-6: two nibbles a 32 KiB from C0000h */
    MCH_N_PAM = 7,
    MCH_SMRAM = 0x9D,
    MCH_ESMRAMC = 0x9E,
};
enum { PAM_READ = 1, PAM_WRITE = 2 }; /* of a nibble: DRAM answers */

/* The device's windows by offset: ports CF8h-CFFh, the shadowed range (offset less WINDOW_SHADOW
 * is the address), and the configuration window. */
#define WINDOW_SHADOW 0x1000000u
#define WINDOW_ECAM 0x100000000u
#define CONFIG_PORT 0xCF8
enum { CONFIG_ADDRESS = 0, CONFIG_RESET = 1, CONFIG_DATA = 4, CONFIG_END = 8 };

#define SHADOW_START 0xC0000u
#define SHADOW_BIOS 0xE0000u /* from here the BIOS image lies behind the RAM */
#define SHADOW_SMALL 0x4000u
#define N_SEGMENTS 13 /* 12 of 16 KiB, then F0000h-FFFFFh */

struct Mch {
    PciDevice pci;
    MchWiring wiring;
    /* owned by the spaces */
    Region *segment[N_SEGMENTS];
    Region *ecam;
    uint8_t segment_mode[N_SEGMENTS]; /* what is mapped now; 0xFF: nothing decided yet */
    uint64_t ecam_mapped;
    /* guest state */
    uint32_t config_address;
};

static const StateField mch_state[] = {
    PCI_STATE(Mch, pci),
    STATE_UINT(Mch, config_address),
    STATE_END,
};

/* Shadowed memory. */

static uint8_t segment_wanted(const Mch *mch, unsigned i)
{
    const uint8_t *pam = mch->pci.config + MCH_PAM0;

    if (i == N_SEGMENTS - 1)
        return pam[0] >> 4 & 3;
    return pam[1 + i / 2] >> (i & 1 ? 4 : 0) & 3;
}

/* Reads come from the RAM or from what the bus has (the BIOS, or nobody); writes go to RAM or are
 * lost. */
static Region *map_segment(Mch *mch, uint32_t start, uint32_t size, uint8_t mode)
{
    AddressSpace *memory = mch->wiring.memory;
    Ram *ram = mch->wiring.ram, *bios = mch->wiring.bios;
    Device *dev = &mch->pci.dev;
    uint64_t bios_offset = bios->size - (0x100000 - start); /* used from SHADOW_BIOS on */
    bool has_bios = start >= SHADOW_BIOS && bios->size >= 0x100000 - start;

    switch (mode) {
    case PAM_READ | PAM_WRITE: return NULL; /* the RAM below answers by itself */
    case PAM_READ:
        return address_space_map_rom(memory, start, size, MAP_PRIORITY_OVERLAY, ram, start, NULL,
                                     0);
    case PAM_WRITE:
        if (has_bios)
            return address_space_map_rom(memory, start, size, MAP_PRIORITY_OVERLAY, bios,
                                         bios_offset, dev, WINDOW_SHADOW + start);
        return address_space_map_device(memory, start, size, MAP_PRIORITY_OVERLAY, dev,
                                        WINDOW_SHADOW + start);
    default:
        if (has_bios)
            return address_space_map_rom(memory, start, size, MAP_PRIORITY_OVERLAY, bios,
                                         bios_offset, NULL, 0);
        return address_space_map_hole(memory, start, size, MAP_PRIORITY_OVERLAY);
    }
}

static void update_segments(Mch *mch)
{
    for (unsigned i = 0; i < N_SEGMENTS; i++) {
        uint8_t mode = segment_wanted(mch, i);
        uint32_t start = SHADOW_START + i * SHADOW_SMALL;
        if (mode == mch->segment_mode[i])
            continue;
        address_space_unmap(mch->wiring.memory, mch->segment[i]);
        mch->segment[i] =
            map_segment(mch, start, i == N_SEGMENTS - 1 ? 0x10000 : SHADOW_SMALL, mode);
        mch->segment_mode[i] = mode;
    }
}

static void write_shadow(Mch *mch, uint32_t gpa, unsigned size, uint64_t value)
{
    uint64_t little_endian = GUINT64_TO_LE(value);

    memcpy(mch->wiring.ram->host + gpa, &little_endian, size);
    ram_wrote(mch->wiring.ram, gpa, size);
}

/* The configuration window. */

static uint64_t ecam_size(const Mch *mch)
{
    unsigned length = mch->pci.config[MCH_PCIEXBAR] >> 1 & 3;

    return (256u << 20) >> MIN(length, 2);
}

uint64_t mch_ecam_base(const Mch *mch)
{
    uint64_t bar =
        pci_get32(&mch->pci, MCH_PCIEXBAR) | (uint64_t)pci_get32(&mch->pci, MCH_PCIEXBAR + 4) << 32;

    return bar & 1 ? bar & 0xFFFFFFFFFull & ~(ecam_size(mch) - 1) : 0;
}

static void update_ecam(Mch *mch)
{
    uint64_t base = mch_ecam_base(mch), key = base | ecam_size(mch) >> 20;

    if (key == mch->ecam_mapped)
        return;
    address_space_unmap(mch->wiring.memory, mch->ecam);
    mch->ecam = NULL;
    mch->ecam_mapped = key;
    if (base)
        mch->ecam = address_space_map_device(mch->wiring.memory, base, ecam_size(mch),
                                             MAP_PRIORITY_CHIPSET, &mch->pci.dev, WINDOW_ECAM);
}

static void mch_update(Device *dev)
{
    Mch *mch = (Mch *)dev;

    address_space_begin(mch->wiring.memory);
    pci_device_update(&mch->pci);
    update_segments(mch);
    update_ecam(mch);
    address_space_commit(mch->wiring.memory);
}

static void on_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    mch_update(&pci->dev);
}

/* Configuration mechanism #1 (PCI Local Bus 3.0 §3.2.2.3.2). */

static uint64_t read_config_port(Mch *mch, unsigned port, unsigned size)
{
    Device *reset = mch->wiring.reset_device;

    if (port >= CONFIG_DATA)
        return pci_type1_read(mch->wiring.bus, mch->config_address, port - CONFIG_DATA, size);
    if (port == CONFIG_RESET && size == 1)
        return reset->ops->read(reset, mch->wiring.reset_offset, 1);
    return port == CONFIG_ADDRESS && size == 4 ? mch->config_address : UINT64_MAX;
}

static void write_config_port(Mch *mch, unsigned port, unsigned size, uint64_t value)
{
    Device *reset = mch->wiring.reset_device;

    if (port >= CONFIG_DATA)
        pci_type1_write(mch->wiring.bus, mch->config_address, port - CONFIG_DATA, size, value);
    else if (port == CONFIG_RESET && size == 1)
        reset->ops->write(reset, mch->wiring.reset_offset, 1, value);
    else if (port == CONFIG_ADDRESS && size == 4)
        mch->config_address = value & 0x80FFFFFC;
}

static uint64_t mch_read(Device *dev, uint64_t offset, unsigned size)
{
    Mch *mch = (Mch *)dev;

    if (offset >= WINDOW_ECAM)
        return pci_ecam_read(mch->wiring.bus, offset - WINDOW_ECAM, size);
    if (offset >= WINDOW_SHADOW)
        return UINT64_MAX; /* nobody on the bus answers */
    return read_config_port(mch, offset, size);
}

static void mch_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Mch *mch = (Mch *)dev;

    if (offset >= WINDOW_ECAM)
        pci_ecam_write(mch->wiring.bus, offset - WINDOW_ECAM, size, value);
    else if (offset >= WINDOW_SHADOW)
        write_shadow(mch, offset - WINDOW_SHADOW, size, value);
    else
        write_config_port(mch, offset, size, value);
}

static void mch_reset(Device *dev)
{
    Mch *mch = (Mch *)dev;

    pci_device_reset(&mch->pci);
    memset(mch->pci.config + MCH_PCIEXBAR, 0, 8);
    pci_set32(&mch->pci, MCH_PCIEXBAR, 0xB0000000); /* off */
    memset(mch->pci.config + MCH_PAM0, 0, MCH_N_PAM);
    mch->pci.config[MCH_SMRAM] = 0x02;
    mch->pci.config[MCH_ESMRAMC] = 0x38;
    mch->config_address = 0;
}

static bool mch_realize(Device *dev, Machine *machine, GError **error)
{
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x29C0,
        .subsystem_vendor = 0x1AF4,
        .subsystem = 0x1100,
        .class_code = 0x060000,
    };
    Mch *mch = (Mch *)dev;
    PciDevice *pci = &mch->pci;

    pci_device_init(pci, mch->wiring.bus, PCI_DEVFN(0, 0), &identity);
    pci->config_written = on_config_written;
    pci->writable[MCH_PCIEXBAR] = 0x07;
    pci->writable[MCH_PCIEXBAR + 3] = 0xFC;
    pci->writable[MCH_PCIEXBAR + 4] = 0x0F;
    pci->writable[MCH_PAM0] = 0x30;
    memset(pci->writable + MCH_PAM0 + 1, 0x33, MCH_N_PAM - 1);
    pci->writable[MCH_SMRAM] = 0x78;
    pci->writable[MCH_ESMRAMC] = 0x87;
    memset(mch->segment_mode, 0xFF, sizeof mch->segment_mode);
    address_space_map_device(mch->wiring.ports, CONFIG_PORT, CONFIG_END, MAP_PRIORITY_CHIPSET, dev,
                             0);
    return true;
}

static void mch_unrealize(Device *dev)
{
    pci_device_clear(&((Mch *)dev)->pci);
}

static const DeviceOps mch_ops = {
    .name = "mch",
    .instance_size = sizeof(Mch),
    .state_version = 1,
    .state = mch_state,
    .min_access = 1,
    .max_access = 4,
    .realize = mch_realize,
    .unrealize = mch_unrealize,
    .reset = mch_reset,
    .update = mch_update,
    .read = mch_read,
    .write = mch_write,
};

Device *mch_new(const MchWiring *wiring)
{
    Mch *mch = device_alloc(&mch_ops, "mch");

    mch->wiring = *wiring;
    return &mch->pci.dev;
}
