/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* PCI as the guest sees it: a bus, configuration space, base address registers, MSI and INTx.
 * Included by PCI devices, the host bridge and the board. Board lock held. PCI Local Bus 3.0; PCIe
 * base 2.0 for the extended configuration space. */

#include "core/dev/device.h"
#include "core/irq/irq.h"
#include "core/memory/address-space.h"

#define PCI_CONFIG_SIZE 4096
#define PCI_N_BARS 7 /* 0-5 and the expansion ROM (6) */
#define PCI_BAR_ROM 6
#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))

typedef struct PciBus PciBus;
typedef struct PciDevice PciDevice;
typedef struct MsiRouter MsiRouter; /* core/irq/msi-route.h */

typedef enum {
    PCI_BAR_NONE,
    PCI_BAR_IO,
    PCI_BAR_MEM32,
    PCI_BAR_MEM64,
    PCI_BAR_MEM32_PREFETCH,
    PCI_BAR_MEM64_PREFETCH
} PciBarKind;

typedef struct {
    PciBarKind kind;
    uint64_t size;   /* power of two */
    Ram *ram;        /* what answers: RAM … */
    uint64_t offset; /* … or the device, with this offset for the first byte */
    Region *region;  /* NULL while not decoded */
    const DoorbellSet *doorbells;
} PciBar;

/* Embedded as the first member of a PCI device (its Device is the first member here). */
struct PciDevice {
    Device dev;
    PciBus *bus;
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* bits that the guest may change */
    uint8_t write_1_clear[PCI_CONFIG_SIZE];
    PciBar bar[PCI_N_BARS];
    uint8_t msi_capability; /* offset, 0: none */
    uint8_t msix_capability;
    bool intx_level;        /* what the device wants */
    bool intx_driven;       /* what the wire carries now; the bus's own */
    uint8_t capability_end; /* where the next capability goes; from 80h on */
    /* Optional: called after the guest changed configuration bytes [offset, offset + size). */
    void (*config_written)(PciDevice *pci, unsigned offset, unsigned size);
    /* Optional: called before the guest reads those. */
    void (*config_reading)(PciDevice *pci, unsigned offset, unsigned size);
};

/* State fields of the common part, for a device's own table: PCI_STATE(MyDevice, pci). */
extern const StateField pci_device_state[];
#define PCI_STATE(type, field) STATE_STRUCT(type, field, pci_device_state)

typedef struct {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits */
    uint8_t revision;
    uint8_t interrupt_pin; /* 0: none, 1: INTA# … */
    bool multifunction;
} PciIdentity;

/* @set_intx: the board's routing of INTA-D of a slot; @send_msi: to the local APICs. */
PciBus *pci_bus_new(AddressSpace *memory, AddressSpace *ports,
                    void (*set_intx)(void *opaque, uint8_t devfn, unsigned pin, bool level),
                    void (*send_msi)(void *opaque, uint64_t address, uint32_t data), void *opaque);
void pci_bus_free(PciBus *bus);
PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn); /* NULL: nobody there */
AddressSpace *pci_bus_memory(PciBus *bus);
MsiRouter *pci_bus_msi_router(PciBus *bus); /* of the messages of its devices */
void pci_bus_send_msi(PciBus *bus, uint64_t address, uint32_t data);

/* Fills config space with @identity and plugs the device into @bus at @devfn. In realize. */
void pci_device_init(PciDevice *pci, PciBus *bus, uint8_t devfn, const PciIdentity *identity);
/* Unplugs it and takes its windows away. In unrealize. */
void pci_device_clear(PciDevice *pci);
void pci_device_bar_io(PciDevice *pci, unsigned bar, uint64_t size, uint64_t offset);
void pci_device_bar_mem(PciDevice *pci, unsigned bar, PciBarKind kind, uint64_t size,
                        uint64_t offset);
void pci_device_bar_ram(PciDevice *pci, unsigned bar, PciBarKind kind, Ram *ram);
/* Some registers of a memory BAR are doorbells; @doorbells stays the device's. */
void pci_device_bar_doorbells(PciDevice *pci, unsigned bar, const DoorbellSet *doorbells);
void pci_device_rom(PciDevice *pci, Ram *rom);
/* Adds a capability of @size bytes and returns its offset; the body is the caller's to fill. */
uint8_t pci_device_add_capability(PciDevice *pci, uint8_t id, uint8_t size);
void pci_device_add_msi(PciDevice *pci); /* one 64-bit message, no mask */
/* Recomputes BAR windows and INTx from config space: called from the device's reset and update. */
void pci_device_reset(PciDevice *pci);
void pci_device_update(PciDevice *pci);
/* Raises or lowers the device's interrupt: INTx level, or one MSI on the rising edge when enabled.
 */
void pci_device_set_irq(PciDevice *pci, bool level);
bool pci_device_bus_master(const PciDevice *pci); /* DMA allowed */

/* Configuration access by the host bridge (ports CF8h/CFCh, ECAM). @size 1, 2 or 4. */
uint32_t pci_config_read(PciBus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                         unsigned size);
void pci_config_write(PciBus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                      unsigned size, uint32_t value);

/* Configuration mechanism 1 for a host bridge that keeps the CF8h register: @port_offset 0-3 is the
 * byte at CFCh + n. All ones where CONFIG_ADDRESS bit 31 is clear. */
uint32_t pci_type1_read(PciBus *bus, uint32_t config_address, unsigned port_offset, unsigned size);
void pci_type1_write(PciBus *bus, uint32_t config_address, unsigned port_offset, unsigned size,
                     uint32_t value);
/* @offset into the 256 MiB ECAM window: bus, devfn and register. */
uint32_t pci_ecam_read(PciBus *bus, uint64_t offset, unsigned size);
void pci_ecam_write(PciBus *bus, uint64_t offset, unsigned size, uint32_t value);

static inline uint16_t pci_get16(const PciDevice *pci, unsigned offset)
{
    return pci->config[offset] | pci->config[offset + 1] << 8;
}
void pci_set16(PciDevice *pci, unsigned offset, uint16_t value);
void pci_set32(PciDevice *pci, unsigned offset, uint32_t value);
uint32_t pci_get32(const PciDevice *pci, unsigned offset);
