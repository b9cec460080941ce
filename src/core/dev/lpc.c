/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/lpc.h"

#include "core/dev/acpi-pm.h"
#include "core/machine/machine.h"
#include <string.h>

enum {
    LPC_PMBASE = 0x40,
    LPC_ACPI_CNTL = 0x44,
    LPC_PIRQ_A = 0x60, /* A-D */
    LPC_PIRQ_E = 0x68, /* E-H */
    LPC_GEN_PMCON_1 = 0xA0,
    LPC_RCBA = 0xF0,
};
#define PIRQ_OFF 0x80
#define ACPI_CNTL_ENABLE 0x80
#define N_PIRQ 8

/* The chipset registers hold the wiring of the internal devices 25 to 31 (§10.1.44): a nibble a
 * pin. */
#define RCBA_SIZE 0x4000
static const uint16_t rcba_interrupt_route[7] = { 0x3150, 0x314C, 0x3148, 0x3146,
                                                  0x3144, 0x3142, 0x3140 };
#define ROUTE_DEFAULT 0x3210
/* The strap that says "no reboot" is on: there is no watchdog here, and drivers see that
 * (§10.1.75). */
#define RCBA_GCS 0x3410
#define GCS_NO_REBOOT 0x20
#define FIRST_INTERNAL_SLOT 25

/* Window offsets: port numbers, and the chipset registers from WINDOW_RCBA on. */
#define WINDOW_RCBA 0x10000u
enum { PORT_92 = 0x92, PORT_APM = 0xB2, PORT_FERR = 0xF0 };
enum { PORT_92_RESET = 1, PORT_92_A20 = 2 };
enum { RESET_SYSTEM = 1 << 1, RESET_CPU = 1 << 2, RESET_FULL = 1 << 3 };

struct Lpc {
    PciDevice pci;
    LpcWiring wiring;
    /* owned by the spaces; and where they are mapped, 0: nowhere */
    Region *rcba_window, *pm_window;
    uint32_t rcba_base;
    uint16_t pm_mapped;
    /* guest state */
    uint8_t intx[256]; /* a bit a pin, by devfn */
    uint8_t rcba[RCBA_SIZE];
    uint8_t apm[2];
    uint8_t port_92, reset_control;
    bool ferr, a20;
};

static const StateField lpc_state[] = {
    PCI_STATE(Lpc, pci),   STATE_BYTES(Lpc, intx),   STATE_BYTES(Lpc, rcba),
    STATE_BYTES(Lpc, apm), STATE_UINT(Lpc, port_92), STATE_UINT(Lpc, reset_control),
    STATE_BOOL(Lpc, ferr), STATE_BOOL(Lpc, a20),     STATE_END,
};

/* Interrupt routing. */

unsigned lpc_pirq(const Lpc *lpc, uint8_t devfn, unsigned pin)
{
    unsigned slot = devfn >> 3;

    if (slot < FIRST_INTERNAL_SLOT)
        return ((slot + pin) & 3) + 4;
    unsigned at = rcba_interrupt_route[slot - FIRST_INTERNAL_SLOT];
    unsigned route = lpc->rcba[at] | lpc->rcba[at + 1] << 8;
    return route >> (4 * pin) & 7;
}

static uint8_t pirq_register(const Lpc *lpc, unsigned pirq)
{
    return lpc->pci.config[pirq < 4 ? LPC_PIRQ_A + pirq : LPC_PIRQ_E + pirq - 4];
}

/* Wires are shared: a PIRQ is up while one of its pins is, an IRQ while one of its PIRQs is. */
static void update_interrupts(Lpc *lpc)
{
    unsigned pirqs = 0, irqs = 0;

    for (unsigned devfn = 0; devfn < 256; devfn++)
        for (unsigned pin = 0; lpc->intx[devfn] >> pin; pin++)
            if (lpc->intx[devfn] >> pin & 1)
                pirqs |= 1u << lpc_pirq(lpc, devfn, pin);
    for (unsigned pirq = 0; pirq < N_PIRQ; pirq++) {
        uint8_t reg = pirq_register(lpc, pirq);
        if (pirqs >> pirq & 1 && !(reg & PIRQ_OFF))
            irqs |= 1u << (reg & 15);
        irq_set(&lpc->wiring.ioapic[pirq], pirqs >> pirq & 1);
    }
    for (unsigned irq = 0; irq < 16; irq++)
        irq_set(&lpc->wiring.pic[irq], irqs >> irq & 1);
}

void lpc_set_intx(Lpc *lpc, uint8_t devfn, unsigned pin, bool level)
{
    uint8_t old = lpc->intx[devfn];

    lpc->intx[devfn] = level ? old | 1u << pin : old & ~(1u << pin);
    if (lpc->intx[devfn] != old)
        update_interrupts(lpc);
}

void lpc_raise_x87_error(Lpc *lpc)
{
    lpc->ferr = true;
    irq_set(&lpc->wiring.x87_error, true);
}

/* Windows. */

uint16_t lpc_pm_base(const Lpc *lpc)
{
    return pci_get16(&lpc->pci, LPC_PMBASE) & 0xFF80;
}

static void update_rcba(Lpc *lpc)
{
    uint32_t rcba = pci_get32(&lpc->pci, LPC_RCBA);
    uint32_t base = rcba & 1 ? rcba & ~(RCBA_SIZE - 1u) : 0;

    if (base == lpc->rcba_base)
        return;
    address_space_unmap(lpc->wiring.memory, lpc->rcba_window);
    lpc->rcba_window = NULL;
    lpc->rcba_base = base;
    if (base)
        lpc->rcba_window = address_space_map_device(
            lpc->wiring.memory, base, RCBA_SIZE, MAP_PRIORITY_CHIPSET, &lpc->pci.dev, WINDOW_RCBA);
}

static void update_pm(Lpc *lpc)
{
    bool enabled = lpc->pci.config[LPC_ACPI_CNTL] & ACPI_CNTL_ENABLE;
    uint16_t base = enabled ? lpc_pm_base(lpc) : 0;

    if (base == lpc->pm_mapped)
        return;
    address_space_unmap(lpc->wiring.ports, lpc->pm_window);
    lpc->pm_window = NULL;
    lpc->pm_mapped = base;
    if (base)
        lpc->pm_window = address_space_map_device(lpc->wiring.ports, base, ACPI_PM_SIZE,
                                                  MAP_PRIORITY_CHIPSET, lpc->wiring.acpi_pm, 0);
}

void lpc_set_a20(Lpc *lpc, bool enabled)
{
    lpc->a20 = enabled;
}

static void lpc_update(Device *dev)
{
    Lpc *lpc = (Lpc *)dev;

    pci_device_update(&lpc->pci);
    update_interrupts(lpc);
    update_rcba(lpc);
    update_pm(lpc);
    irq_set(&lpc->wiring.x87_error, lpc->ferr);
    machine_set_a20(dev->machine, lpc->a20);
}

static void on_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    lpc_update(&pci->dev);
}

/* Ports. */

static void write_port_92(Lpc *lpc, uint8_t value)
{
    bool was_reset = lpc->port_92 & PORT_92_RESET;

    lpc->port_92 = value;
    machine_set_a20(lpc->pci.dev.machine, value & PORT_92_A20);
    if (value & PORT_92_RESET && !was_reset)
        machine_request_reset(lpc->pci.dev.machine);
}

/* §13.7.5: the rising edge of RST_CPU resets. */
static void write_reset_control(Lpc *lpc, uint8_t value)
{
    bool edge = value & RESET_CPU && !(lpc->reset_control & RESET_CPU);

    lpc->reset_control = value & (RESET_SYSTEM | RESET_CPU | RESET_FULL);
    if (edge)
        machine_request_reset(lpc->pci.dev.machine);
}

static uint64_t lpc_read(Device *dev, uint64_t offset, unsigned size)
{
    Lpc *lpc = (Lpc *)dev;

    if (offset >= WINDOW_RCBA) {
        uint64_t value = 0;
        for (unsigned i = 0; i < size && offset - WINDOW_RCBA + i < RCBA_SIZE; i++)
            value |= (uint64_t)lpc->rcba[offset - WINDOW_RCBA + i] << (8 * i);
        return value;
    }
    switch (offset) {
    case PORT_92:
        return (lpc->port_92 & ~(PORT_92_RESET | PORT_92_A20)) | (lpc->a20 ? PORT_92_A20 : 0);
    case PORT_APM:
    case PORT_APM + 1: return lpc->apm[offset - PORT_APM];
    case LPC_RESET_CONTROL: return lpc->reset_control & ~RESET_CPU;
    default: return UINT64_MAX;
    }
}

static void lpc_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Lpc *lpc = (Lpc *)dev;

    if (offset >= WINDOW_RCBA) {
        for (unsigned i = 0; i < size && offset - WINDOW_RCBA + i < RCBA_SIZE; i++)
            lpc->rcba[offset - WINDOW_RCBA + i] = value >> (8 * i);
        lpc->rcba[RCBA_GCS] |= GCS_NO_REBOOT;
        update_interrupts(lpc);
        return;
    }
    switch (offset) {
    case PORT_92: write_port_92(lpc, value); break;
    case PORT_APM:
    case PORT_APM + 1: lpc->apm[offset - PORT_APM] = value; break;
    case PORT_FERR:
        lpc->ferr = false;
        irq_set(&lpc->wiring.x87_error, false);
        break;
    case LPC_RESET_CONTROL: write_reset_control(lpc, value); break;
    }
}

static void lpc_reset(Device *dev)
{
    Lpc *lpc = (Lpc *)dev;
    uint8_t *config = lpc->pci.config;

    pci_device_reset(&lpc->pci);
    pci_set32(&lpc->pci, LPC_PMBASE, 1);
    config[LPC_ACPI_CNTL] = 0;
    memset(config + LPC_PIRQ_A, PIRQ_OFF, 4);
    memset(config + LPC_PIRQ_E, PIRQ_OFF, 4);
    pci_set16(&lpc->pci, LPC_GEN_PMCON_1, 0);
    pci_set32(&lpc->pci, LPC_RCBA, 0);
    memset(lpc->rcba, 0, sizeof lpc->rcba);
    for (unsigned i = 0; i < G_N_ELEMENTS(rcba_interrupt_route); i++) {
        lpc->rcba[rcba_interrupt_route[i]] = ROUTE_DEFAULT & 0xFF;
        lpc->rcba[rcba_interrupt_route[i] + 1] = ROUTE_DEFAULT >> 8;
    }
    lpc->rcba[RCBA_GCS] = GCS_NO_REBOOT;
    lpc->apm[0] = lpc->apm[1] = 0;
    lpc->port_92 = lpc->reset_control = 0;
    lpc->ferr = false;
    lpc->a20 = true;
}

static bool lpc_realize(Device *dev, Machine *machine, GError **error)
{
    static const PciIdentity identity = {
        .vendor = 0x8086,
        .device = 0x2918,
        .subsystem_vendor = 0x1AF4,
        .subsystem = 0x1100,
        .class_code = 0x060100,
        .revision = 2,
        .multifunction = true,
    };
    Lpc *lpc = (Lpc *)dev;
    PciDevice *pci = &lpc->pci;
    AddressSpace *ports = lpc->wiring.ports;

    pci_device_init(pci, lpc->wiring.bus, PCI_DEVFN(31, 0), &identity);
    pci->config_written = on_config_written;
    pci->writable[LPC_PMBASE] = 0x80;
    pci->writable[LPC_PMBASE + 1] = 0xFF;
    pci->writable[LPC_ACPI_CNTL] = 0x87;
    memset(pci->writable + LPC_PIRQ_A, 0x8F, 4);
    memset(pci->writable + LPC_PIRQ_E, 0x8F, 4);
    memset(pci->writable + LPC_GEN_PMCON_1, 0xFF, 2);
    pci->writable[LPC_RCBA] = 0x01;
    pci->writable[LPC_RCBA + 1] = 0xC0;
    pci->writable[LPC_RCBA + 2] = pci->writable[LPC_RCBA + 3] = 0xFF;
    address_space_map_device(ports, PORT_92, 1, MAP_PRIORITY_CHIPSET, dev, PORT_92);
    address_space_map_device(ports, PORT_APM, 2, MAP_PRIORITY_CHIPSET, dev, PORT_APM);
    address_space_map_device(ports, PORT_FERR, 2, MAP_PRIORITY_CHIPSET, dev, PORT_FERR);
    return true;
}

static void lpc_unrealize(Device *dev)
{
    pci_device_clear(&((Lpc *)dev)->pci);
}

static const DeviceOps lpc_ops = {
    .name = "lpc",
    .instance_size = sizeof(Lpc),
    .state_version = 1,
    .state = lpc_state,
    .min_access = 1,
    .max_access = 4,
    .realize = lpc_realize,
    .unrealize = lpc_unrealize,
    .reset = lpc_reset,
    .update = lpc_update,
    .read = lpc_read,
    .write = lpc_write,
};

Device *lpc_new(const LpcWiring *wiring)
{
    Lpc *lpc = device_alloc(&lpc_ops, "lpc");

    lpc->wiring = *wiring;
    return &lpc->pci.dev;
}
