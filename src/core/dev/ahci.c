/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/dev/ahci-internal.h"
#include "core/machine/machine.h"

enum { /* generic host control, AHCI 1.3.1 §3.1 */
       AHCI_CAP = 0x00,
       AHCI_GHC = 0x04,
       AHCI_IS = 0x08,
       AHCI_PI = 0x0C,
       AHCI_VS = 0x10,
       AHCI_CAP2 = 0x24,
       AHCI_PORTS_START = 0x100,
       AHCI_PORT_SIZE = 0x80,
};
/* 64-bit addresses, NCQ, CLO, AHCI only, 3 Gb/s, 32 slots. */
#define AHCI_CAP_VALUE                                                                             \
    (1u << 31 | 1u << 30 | 1u << 24 | 2u << 20 | 1u << 18 | 31u << 8 | (AHCI_PORTS - 1))
#define AHCI_VERSION 0x00010301u
#define AHCI_GHC_RESET (1u << 0)
#define AHCI_GHC_INTERRUPTS (1u << 1)
#define AHCI_GHC_AE (1u << 31)

/* BAR5 is the registers; BAR4 the same through an index and a data port (ICH9 §14.1.27). */
#define AHCI_BAR_SIZE 0x1000
#define AHCI_IO_OFFSET 0x10000
#define AHCI_IO_SIZE 0x20
#define AHCI_IO_INDEX (AHCI_IO_OFFSET + 0x10)
#define AHCI_IO_DATA (AHCI_IO_OFFSET + 0x14)
#define AHCI_CONFIG_MAP 0x90
#define AHCI_CONFIG_SATA_CAPABILITY 0xA8

static const StateField ahci_state[] = {
    PCI_STATE(Ahci, pci),
    STATE_UINT(Ahci, ghc),
    STATE_UINT_MAX(Ahci, index, AHCI_BAR_SIZE - 4),
    STATE_STRUCTS(Ahci, port, ahci_port_state),
    STATE_END,
};

/* --- interrupt -------------------------------------------------------------------------------- */

static uint32_t ahci_pending_ports(const Ahci *ahci)
{
    uint32_t pending = 0;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        const AhciPort *port = &ahci->port[i];
        uint32_t is = port->is | (port->serr & AHCI_SERR_X ? AHCI_IS_PCS : 0);
        if (is & port->ie)
            pending |= 1u << i;
    }
    return pending;
}

/* With one message for all ports, each port that becomes pending must send it anew, and so must one
 * that is still pending when the guest acknowledges (§10.6.2.1); a level would swallow those. */
void ahci_update_irq(Ahci *ahci, bool again)
{
    uint32_t pending = ahci_pending_ports(ahci);
    uint32_t news = again ? pending : pending & ~ahci->pending;
    bool level = pending && ahci->ghc & AHCI_GHC_INTERRUPTS;
    unsigned msi = ahci->pci.msi_capability;

    ahci->pending = pending;
    if (level && news && msi && pci_get16(&ahci->pci, msi + 2) & 1)
        pci_device_set_irq(&ahci->pci, false);
    pci_device_set_irq(&ahci->pci, level);
}

static void ahci_update(Device *dev)
{
    Ahci *ahci = (Ahci *)dev;

    pci_device_update(&ahci->pci);
    ahci->pending = 0;
    ahci_update_irq(ahci, false);
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        ahci_port_run(&ahci->port[i]);
}

/* --- registers -------------------------------------------------------------------------------- */

/* §10.4.3: everything but the bases of lists and FISes, and what the firmware set up. */
static void ahci_reset_hba(Ahci *ahci)
{
    ahci->ghc = AHCI_GHC_AE;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_abort(&ahci->port[i]);
        ata_drive_reset(&ahci->port[i].drive);
        ahci_port_reset(&ahci->port[i], false);
    }
}

static uint64_t ahci_read_register(Ahci *ahci, uint64_t offset)
{
    if (offset >= AHCI_PORTS_START) {
        unsigned port = (unsigned)(offset - AHCI_PORTS_START) / AHCI_PORT_SIZE;
        return port < AHCI_PORTS ? ahci_port_read(&ahci->port[port], offset % AHCI_PORT_SIZE) : 0;
    }
    switch (offset) {
    case AHCI_CAP: return AHCI_CAP_VALUE;
    case AHCI_GHC: return ahci->ghc;
    case AHCI_IS: return ahci_pending_ports(ahci);
    case AHCI_PI: return (1u << AHCI_PORTS) - 1;
    case AHCI_VS: return AHCI_VERSION;
    case AHCI_CAP2: return 0;
    }
    return 0;
}

static void ahci_write_register(Ahci *ahci, uint64_t offset, uint32_t value)
{
    if (offset >= AHCI_PORTS_START) {
        unsigned port = (unsigned)(offset - AHCI_PORTS_START) / AHCI_PORT_SIZE;
        if (port < AHCI_PORTS)
            ahci_port_write(&ahci->port[port], offset % AHCI_PORT_SIZE, value);
        return;
    }
    switch (offset) {
    case AHCI_GHC:
        if (value & AHCI_GHC_RESET)
            ahci_reset_hba(ahci);
        else
            ahci->ghc = AHCI_GHC_AE | (value & AHCI_GHC_INTERRUPTS);
        break;
    case AHCI_IS:
        /* A port is pending for as long as its own register says so. */
        ahci_update_irq(ahci, true);
        break;
    }
}

static uint64_t ahci_read(Device *dev, uint64_t offset, unsigned size)
{
    Ahci *ahci = (Ahci *)dev;

    if (offset < AHCI_BAR_SIZE)
        return ahci_read_register(ahci, offset);
    if (offset == AHCI_IO_INDEX)
        return ahci->index;
    if (offset == AHCI_IO_DATA)
        return ahci_read_register(ahci, ahci->index);
    return 0;
}

static void ahci_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Ahci *ahci = (Ahci *)dev;

    if (offset < AHCI_BAR_SIZE)
        ahci_write_register(ahci, offset, (uint32_t)value);
    else if (offset == AHCI_IO_INDEX)
        ahci->index = value & (AHCI_BAR_SIZE - 4);
    else if (offset == AHCI_IO_DATA)
        ahci_write_register(ahci, ahci->index, (uint32_t)value);
    ahci_update_irq(ahci, false);
}

/* --- life ------------------------------------------------------------------------------------- */

static void ahci_reset(Device *dev)
{
    Ahci *ahci = (Ahci *)dev;

    pci_device_reset(&ahci->pci);
    ahci->ghc = AHCI_GHC_AE;
    ahci->index = 0;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_abort(&ahci->port[i]);
        ata_drive_reset(&ahci->port[i].drive);
        ahci_port_reset(&ahci->port[i], true);
    }
}

static bool ahci_realize(Device *dev, Machine *machine, GError **error)
{
    Ahci *ahci = (Ahci *)dev;
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x2922,
        .subsystem_vendor = 0x1AF4,
        .subsystem = 0x1100,
        .class_code = 0x010601,
        .revision = 2,
        .interrupt_pin = 1,
        .multifunction = true,
    };

    pci_device_init(&ahci->pci, ahci->bus, ahci->devfn, &identity);
    pci_device_bar_io(&ahci->pci, 4, AHCI_IO_SIZE, AHCI_IO_OFFSET);
    pci_device_bar_mem(&ahci->pci, 5, PCI_BAR_MEM32, AHCI_BAR_SIZE, 0);
    pci_device_add_msi(&ahci->pci);
    ahci->pci.config[AHCI_CONFIG_MAP] = 0x40; /* AHCI mode, six ports */
    /* SATA capability 1.0: where the index and data ports are. */
    ahci->pci.capability_end = AHCI_CONFIG_SATA_CAPABILITY;
    uint8_t sata = pci_device_add_capability(&ahci->pci, 0x12, 8);
    pci_set16(&ahci->pci, sata + 2, 0x0010);
    pci_set32(&ahci->pci, sata + 4, 0x48); /* BAR4, dword 4 */
    return true;
}

static void ahci_unrealize(Device *dev)
{
    Ahci *ahci = (Ahci *)dev;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_abort(&ahci->port[i]);
        ata_drive_clear(&ahci->port[i].drive);
    }
    pci_device_clear(&ahci->pci);
}

static const DeviceOps ahci_ops = {
    .name = "ahci",
    .instance_size = sizeof(Ahci),
    .state_version = 1,
    .state = ahci_state,
    .min_access = 4,
    .max_access = 4,
    .realize = ahci_realize,
    .unrealize = ahci_unrealize,
    .reset = ahci_reset,
    .update = ahci_update,
    .read = ahci_read,
    .write = ahci_write,
};

Device *ahci_new(PciBus *bus, uint8_t devfn)
{
    Ahci *ahci = device_alloc(&ahci_ops, "ahci");

    ahci->bus = bus;
    ahci->devfn = devfn;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci->port[i].ahci = ahci;
        ahci->port[i].index = i;
    }
    return &ahci->pci.dev;
}

void ahci_attach_disk(Ahci *ahci, unsigned port, Disk *disk, const char *serial)
{
    g_return_if_fail(port < AHCI_PORTS && disk && !ahci->port[port].drive.ops);
    ata_drive_init(&ahci->port[port].drive, &ata_disk_ops, &ahci->pci.dev, disk, serial);
}

void ahci_attach_cdrom(Ahci *ahci, unsigned port, Disk *disk)
{
    g_return_if_fail(port < AHCI_PORTS && !ahci->port[port].drive.ops);
    g_autofree char *serial = g_strdup_printf("VT%05u", port + 1);
    ata_drive_init(&ahci->port[port].drive, &atapi_ops, &ahci->pci.dev, disk, serial);
}

void ahci_set_timed(Ahci *ahci, Clock *clock)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        ahci->port[i].drive.clock = clock;
}

void ahci_set_media(Ahci *ahci, unsigned port, Disk *disk, Disk **out_old)
{
    g_return_if_fail(port < AHCI_PORTS && ahci->port[port].drive.is_packet);
    AtaDrive *drive = &ahci->port[port].drive;
    Disk *old;

    /* The drive lets go of the disc first: then nothing new can begin on it. */
    device_enter(&ahci->pci.dev);
    old = drive->disk;
    atapi_set_disk(drive, disk);
    device_leave(&ahci->pci.dev);
    if (old)
        disk_drain(old);
    *out_old = old;
}

void ahci_set_tray_callback(Ahci *ahci, void (*on_tray)(void *opaque), void *opaque)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci->port[i].drive.on_tray = on_tray;
        ahci->port[i].drive.on_tray_opaque = opaque;
    }
}

bool ahci_tray_is_open(Ahci *ahci, unsigned port)
{
    g_return_val_if_fail(port < AHCI_PORTS, false);
    device_enter(&ahci->pci.dev);
    bool is_open = ahci->port[port].drive.is_packet && ahci->port[port].drive.tray_open;
    device_leave(&ahci->pci.dev);
    return is_open;
}

void ahci_drain(Ahci *ahci)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        device_enter(&ahci->pci.dev);
        Disk *disk = ahci->port[i].drive.ops ? ahci->port[i].drive.disk : NULL;
        device_leave(&ahci->pci.dev);
        if (disk)
            disk_drain(disk);
    }
}
