/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/pci/pci.h"

#include "core/irq/msi-route.h"

#include <string.h>

/* Configuration header, type 0 (PCI 3.0 §6.1). */
enum {
    CONFIG_VENDOR = 0x00,
    CONFIG_DEVICE = 0x02,
    CONFIG_COMMAND = 0x04,
    CONFIG_STATUS = 0x06,
    CONFIG_REVISION = 0x08,
    CONFIG_CACHE_LINE = 0x0C,
    CONFIG_HEADER_TYPE = 0x0E,
    CONFIG_BAR0 = 0x10,
    CONFIG_SUBSYSTEM_VENDOR = 0x2C,
    CONFIG_SUBSYSTEM = 0x2E,
    CONFIG_ROM = 0x30,
    CONFIG_CAPABILITIES = 0x34,
    CONFIG_INTERRUPT_LINE = 0x3C,
    CONFIG_INTERRUPT_PIN = 0x3D,
};
enum {
    COMMAND_IO = 1 << 0,
    COMMAND_MEMORY = 1 << 1,
    COMMAND_MASTER = 1 << 2,
    COMMAND_INTX_DISABLE = 1 << 10,
    COMMAND_WRITABLE = 0x0547, /* and parity, SERR# */
    STATUS_INTERRUPT = 1 << 3,
    STATUS_CAPABILITIES = 1 << 4,
    STATUS_ERRORS = 0xF900, /* write 1 to clear */
};
enum { ROM_ENABLE = 1 };
enum {
    MSI_ID = 0x05,
    MSI_SIZE = 14,
    MSI_CONTROL = 2,
    MSI_ADDRESS = 4,
    MSI_DATA = 12,
    MSI_ENABLE = 1,
    MSI_64BIT = 0x80,
};
enum { MSIX_CONTROL = 2, MSIX_ENABLE = 0x8000 };
#define FIRST_CAPABILITY 0x80

struct PciBus {
    AddressSpace *memory, *ports; /* borrowed */
    void (*set_intx)(void *opaque, uint8_t devfn, unsigned pin, bool level);
    void (*send_msi)(void *opaque, uint64_t address, uint32_t data);
    void *opaque;
    PciDevice *device[256]; /* borrowed; by devfn */
    MsiRouter *msi_router;  /* owned */
};

const StateField pci_device_state[] = {
    STATE_BYTES(PciDevice, config),
    STATE_BOOL(PciDevice, intx_level),
    STATE_END,
};

void pci_set16(PciDevice *pci, unsigned offset, uint16_t value)
{
    pci->config[offset] = (uint8_t)value;
    pci->config[offset + 1] = (uint8_t)(value >> 8);
}

void pci_set32(PciDevice *pci, unsigned offset, uint32_t value)
{
    pci_set16(pci, offset, (uint16_t)value);
    pci_set16(pci, offset + 2, (uint16_t)(value >> 16));
}

uint32_t pci_get32(const PciDevice *pci, unsigned offset)
{
    return pci_get16(pci, offset) | (uint32_t)pci_get16(pci, offset + 2) << 16;
}

static void set_writable32(PciDevice *pci, unsigned offset, uint32_t mask)
{
    for (unsigned i = 0; i < 4; i++)
        pci->writable[offset + i] = (uint8_t)(mask >> 8 * i);
}

/* Bus */

PciBus *pci_bus_new(AddressSpace *memory, AddressSpace *ports,
                    void (*set_intx)(void *opaque, uint8_t devfn, unsigned pin, bool level),
                    void (*send_msi)(void *opaque, uint64_t address, uint32_t data), void *opaque)
{
    PciBus *bus = g_new0(PciBus, 1);

    bus->memory = memory;
    bus->ports = ports;
    bus->set_intx = set_intx;
    bus->send_msi = send_msi;
    bus->opaque = opaque;
    bus->msi_router = msi_router_new();
    return bus;
}

void pci_bus_free(PciBus *bus)
{
    if (!bus)
        return;
    msi_router_free(bus->msi_router);
    g_free(bus);
}

PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn)
{
    return bus->device[devfn];
}

AddressSpace *pci_bus_memory(PciBus *bus)
{
    return bus->memory;
}

MsiRouter *pci_bus_msi_router(PciBus *bus)
{
    return bus->msi_router;
}

void pci_bus_send_msi(PciBus *bus, uint64_t address, uint32_t data)
{
    if (bus->send_msi)
        bus->send_msi(bus->opaque, address, data);
}

/* Base address registers */

static unsigned bar_register(unsigned bar)
{
    return bar == PCI_BAR_ROM ? CONFIG_ROM : CONFIG_BAR0 + 4 * bar;
}

static bool bar_is_64(const PciBar *bar)
{
    return bar->kind == PCI_BAR_MEM64 || bar->kind == PCI_BAR_MEM64_PREFETCH;
}

static void pci_device_add_bar(PciDevice *pci, unsigned index, const PciBar *bar)
{
    static const uint32_t type_bits[] = { [PCI_BAR_IO] = 1,
                                          [PCI_BAR_MEM64] = 4,
                                          [PCI_BAR_MEM32_PREFETCH] = 8,
                                          [PCI_BAR_MEM64_PREFETCH] = 12 };
    unsigned offset = bar_register(index);
    uint64_t mask = ~(bar->size - 1);

    g_return_if_fail(index < PCI_N_BARS && bar->kind != PCI_BAR_NONE);
    g_return_if_fail(bar->size >= 4 && (bar->size & (bar->size - 1)) == 0);
    pci->bar[index] = *bar;
    if (index == PCI_BAR_ROM) {
        set_writable32(pci, offset, (uint32_t)mask | ROM_ENABLE);
        return;
    }
    pci_set32(pci, offset, bar->kind < G_N_ELEMENTS(type_bits) ? type_bits[bar->kind] : 0);
    set_writable32(pci, offset, (uint32_t)mask);
    if (bar_is_64(bar))
        set_writable32(pci, offset + 4, (uint32_t)(mask >> 32));
}

void pci_device_bar_io(PciDevice *pci, unsigned bar, uint64_t size, uint64_t offset)
{
    pci_device_add_bar(pci, bar, &(PciBar){ .kind = PCI_BAR_IO, .size = size, .offset = offset });
}

void pci_device_bar_mem(PciDevice *pci, unsigned bar, PciBarKind kind, uint64_t size,
                        uint64_t offset)
{
    pci_device_add_bar(pci, bar, &(PciBar){ .kind = kind, .size = size, .offset = offset });
}

void pci_device_bar_ram(PciDevice *pci, unsigned bar, PciBarKind kind, Ram *ram)
{
    pci_device_add_bar(pci, bar, &(PciBar){ .kind = kind, .size = ram->size, .ram = ram });
}

void pci_device_bar_doorbells(PciDevice *pci, unsigned bar, const DoorbellSet *doorbells)
{
    g_return_if_fail(bar < PCI_BAR_ROM && pci->bar[bar].kind > PCI_BAR_IO && !pci->bar[bar].ram);
    pci->bar[bar].doorbells = doorbells;
}

void pci_device_rom(PciDevice *pci, Ram *rom)
{
    uint64_t size = 2048;

    while (size < rom->size)
        size *= 2;
    pci_device_add_bar(pci, PCI_BAR_ROM,
                       &(PciBar){ .kind = PCI_BAR_MEM32, .size = size, .ram = rom });
}

/* Where the window answers now; false: nowhere. Programs size a BAR with decoding on: the all-ones
 * pattern, which ends at the top of the space, is not an address. */
static bool bar_address(const PciDevice *pci, unsigned index, uint64_t *out_address)
{
    const PciBar *bar = &pci->bar[index];
    unsigned offset = bar_register(index);
    uint16_t command = pci_get16(pci, CONFIG_COMMAND);
    uint64_t value = pci_get32(pci, offset);
    uint64_t top = bar->kind == PCI_BAR_IO ? 0x10000 : UINT64_C(1) << 32;

    if (bar->kind == PCI_BAR_NONE ||
        !(command & (bar->kind == PCI_BAR_IO ? COMMAND_IO : COMMAND_MEMORY)))
        return false;
    if (index == PCI_BAR_ROM && !(value & ROM_ENABLE))
        return false;
    if (bar_is_64(bar))
        value |= (uint64_t)pci_get32(pci, offset + 4) << 32;
    value &= ~(bar->size - 1);
    if (bar_is_64(bar) && value >= top)
        top = UINT64_C(1) << 52;
    if (value == 0 || value >= top || top - value <= bar->size)
        return false;
    *out_address = value;
    return true;
}

static Region *bar_map(PciDevice *pci, unsigned index, uint64_t address)
{
    const PciBar *bar = &pci->bar[index];

    if (bar->kind == PCI_BAR_IO)
        return address_space_map_device(pci->bus->ports, address, bar->size, MAP_PRIORITY_BAR,
                                        &pci->dev, bar->offset);
    if (index == PCI_BAR_ROM)
        return address_space_map_rom(pci->bus->memory, address, MIN(bar->size, bar->ram->size),
                                     MAP_PRIORITY_BAR, bar->ram, 0, NULL, 0);
    if (bar->ram)
        return address_space_map_ram(pci->bus->memory, address, bar->size, MAP_PRIORITY_BAR,
                                     bar->ram, 0);
    Region *region = address_space_map_device(pci->bus->memory, address, bar->size,
                                              MAP_PRIORITY_BAR, &pci->dev, bar->offset);
    if (bar->doorbells)
        region_set_doorbells(region, bar->doorbells);
    return region;
}

static void pci_device_update_bars(PciDevice *pci, bool is_plugged)
{
    address_space_begin(pci->bus->memory);
    address_space_begin(pci->bus->ports);
    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        PciBar *bar = &pci->bar[i];
        uint64_t address;
        bool is_decoded = is_plugged && bar_address(pci, i, &address);
        if (is_decoded && bar->region) {
            region_set_start(bar->region, address);
        } else if (is_decoded) {
            bar->region = bar_map(pci, i, address);
        } else if (bar->region) {
            address_space_unmap(bar->kind == PCI_BAR_IO ? pci->bus->ports : pci->bus->memory,
                                bar->region);
            bar->region = NULL;
        }
    }
    address_space_commit(pci->bus->ports);
    address_space_commit(pci->bus->memory);
}

/* Interrupts */

static bool pci_device_msi_enabled(const PciDevice *pci)
{
    return pci->msi_capability && (pci_get16(pci, pci->msi_capability + MSI_CONTROL) & MSI_ENABLE);
}

static bool pci_device_msix_enabled(const PciDevice *pci)
{
    return pci->msix_capability &&
           (pci_get16(pci, pci->msix_capability + MSIX_CONTROL) & MSIX_ENABLE);
}

static void pci_device_update_intx(PciDevice *pci)
{
    uint16_t status = pci_get16(pci, CONFIG_STATUS) & ~STATUS_INTERRUPT;
    unsigned pin = pci->config[CONFIG_INTERRUPT_PIN];
    bool is_asserted = pin >= 1 && pin <= 4 && pci->intx_level && !pci_device_msi_enabled(pci) &&
                       !pci_device_msix_enabled(pci) &&
                       !(pci_get16(pci, CONFIG_COMMAND) & COMMAND_INTX_DISABLE);

    pci_set16(pci, CONFIG_STATUS, pci->intx_level ? status | STATUS_INTERRUPT : status);
    if (is_asserted == pci->intx_driven)
        return;
    pci->intx_driven = is_asserted;
    if (pci->bus->set_intx)
        pci->bus->set_intx(pci->bus->opaque, pci->devfn, pin - 1, is_asserted);
}

void pci_device_set_irq(PciDevice *pci, bool level)
{
    bool rises = level && !pci->intx_level;
    unsigned msi = pci->msi_capability;

    pci->intx_level = level;
    pci_device_update_intx(pci);
    if (rises && pci_device_msi_enabled(pci) && pci_device_bus_master(pci) && pci->bus->send_msi)
        pci->bus->send_msi(pci->bus->opaque,
                           pci_get32(pci, msi + MSI_ADDRESS) |
                               (uint64_t)pci_get32(pci, msi + MSI_ADDRESS + 4) << 32,
                           pci_get16(pci, msi + MSI_DATA));
}

/* Devices */

void pci_device_init(PciDevice *pci, PciBus *bus, uint8_t devfn, const PciIdentity *identity)
{
    g_return_if_fail(bus->device[devfn] == NULL);
    pci->bus = bus;
    pci->devfn = devfn;
    pci->capability_end = FIRST_CAPABILITY;
    bus->device[devfn] = pci;

    pci_set16(pci, CONFIG_VENDOR, identity->vendor);
    pci_set16(pci, CONFIG_DEVICE, identity->device);
    pci_set32(pci, CONFIG_REVISION, identity->class_code << 8 | identity->revision);
    pci->config[CONFIG_HEADER_TYPE] = identity->multifunction ? 0x80 : 0;
    pci_set16(pci, CONFIG_SUBSYSTEM_VENDOR, identity->subsystem_vendor);
    pci_set16(pci, CONFIG_SUBSYSTEM, identity->subsystem);
    pci->config[CONFIG_INTERRUPT_PIN] = identity->interrupt_pin;

    pci->writable[CONFIG_COMMAND] = COMMAND_WRITABLE & 0xFF;
    pci->writable[CONFIG_COMMAND + 1] = COMMAND_WRITABLE >> 8;
    pci->write_1_clear[CONFIG_STATUS + 1] = STATUS_ERRORS >> 8;
    pci->writable[CONFIG_CACHE_LINE] = 0xFF;
    pci->writable[CONFIG_INTERRUPT_LINE] = 0xFF;
}

void pci_device_clear(PciDevice *pci)
{
    if (!pci->bus)
        return;
    pci->intx_level = false;
    pci_device_update_intx(pci);
    pci_device_update_bars(pci, false);
    pci->bus->device[pci->devfn] = NULL;
    pci->bus = NULL;
}

uint8_t pci_device_add_capability(PciDevice *pci, uint8_t id, uint8_t size)
{
    uint8_t offset = pci->capability_end;
    unsigned link = CONFIG_CAPABILITIES;

    g_return_val_if_fail(offset >= FIRST_CAPABILITY && offset + size <= 0x100, 0);
    while (pci->config[link])
        link = pci->config[link] + 1u;
    pci->config[link] = offset;
    pci->config[offset] = id;
    pci->config[CONFIG_STATUS] |= STATUS_CAPABILITIES;
    pci->capability_end = (uint8_t)((offset + size + 3) & ~3);
    return offset;
}

void pci_device_add_msi(PciDevice *pci)
{
    uint8_t offset = pci_device_add_capability(pci, MSI_ID, MSI_SIZE);

    pci->msi_capability = offset;
    pci_set16(pci, offset + MSI_CONTROL, MSI_64BIT);
    pci->writable[offset + MSI_CONTROL] = MSI_ENABLE | 0x70; /* and messages allowed */
    set_writable32(pci, offset + MSI_ADDRESS, 0xFFFFFFFC);
    set_writable32(pci, offset + MSI_ADDRESS + 4, 0xFFFFFFFF);
    pci->writable[offset + MSI_DATA] = pci->writable[offset + MSI_DATA + 1] = 0xFF;
}

void pci_device_reset(PciDevice *pci)
{
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
        pci->config[i] &= ~(pci->writable[i] | pci->write_1_clear[i]);
    pci->intx_level = false;
}

void pci_device_update(PciDevice *pci)
{
    pci_device_update_bars(pci, true);
    pci_device_update_intx(pci);
}

bool pci_device_bus_master(const PciDevice *pci)
{
    return pci->config[CONFIG_COMMAND] & COMMAND_MASTER;
}

/* Configuration access */

static bool access_is_odd(unsigned offset, unsigned size)
{
    return (size != 1 && size != 2 && size != 4) || offset > PCI_CONFIG_SIZE - size;
}

uint32_t pci_config_read(PciBus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                         unsigned size)
{
    PciDevice *pci = bus_number == 0 ? bus->device[devfn] : NULL;
    uint32_t value = 0;

    if (!pci || access_is_odd(offset, size))
        return size >= 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    if (pci->config_reading)
        pci->config_reading(pci, offset, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)pci->config[offset + i] << 8 * i;
    return value;
}

void pci_config_write(PciBus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                      unsigned size, uint32_t value)
{
    PciDevice *pci = bus_number == 0 ? bus->device[devfn] : NULL;

    if (!pci || access_is_odd(offset, size))
        return;
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i), mask = pci->writable[offset + i];
        uint8_t *at = &pci->config[offset + i];
        *at = (*at & ~mask) | (byte & mask);
        *at &= ~(byte & pci->write_1_clear[offset + i]);
    }
    if (offset < 0x40 || pci->msi_capability || pci->msix_capability)
        pci_device_update(pci);
    if (pci->config_written)
        pci->config_written(pci, offset, size);
}

uint32_t pci_type1_read(PciBus *bus, uint32_t config_address, unsigned port_offset, unsigned size)
{
    if (!(config_address & 1u << 31) || port_offset + size > 4)
        return size >= 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    return pci_config_read(bus, config_address >> 16 & 0xFF, config_address >> 8 & 0xFF,
                           (config_address & 0xFC) + port_offset, size);
}

void pci_type1_write(PciBus *bus, uint32_t config_address, unsigned port_offset, unsigned size,
                     uint32_t value)
{
    if (!(config_address & 1u << 31) || port_offset + size > 4)
        return;
    pci_config_write(bus, config_address >> 16 & 0xFF, config_address >> 8 & 0xFF,
                     (config_address & 0xFC) + port_offset, size, value);
}

uint32_t pci_ecam_read(PciBus *bus, uint64_t offset, unsigned size)
{
    return pci_config_read(bus, offset >> 20 & 0xFF, offset >> 12 & 0xFF, offset & 0xFFF, size);
}

void pci_ecam_write(PciBus *bus, uint64_t offset, unsigned size, uint32_t value)
{
    pci_config_write(bus, offset >> 20 & 0xFF, offset >> 12 & 0xFF, offset & 0xFFF, size, value);
}
