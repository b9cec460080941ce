/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The parts list of the PC: every part, made in address order, with what it is wired to. */

#include "core/machine/machine-private.h"

#include "core/dev/acpi-pm.h"
#include "core/dev/ahci.h"
#include "core/dev/char-backend.h"
#include "core/dev/debug-exit.h"
#include "core/dev/debugcon.h"
#include "core/dev/dma8237.h"
#include "core/dev/hpet.h"
#include "core/dev/i8042.h"
#include "core/dev/pflash.h"
#include "core/dev/pit.h"
#include "core/dev/rtc.h"
#include "core/dev/uart.h"
#include "core/dev/vga.h"

/* RAM below 4 GiB ends under the place where firmware puts the PCIe configuration window. */
#define LOW_RAM_MAX 0xB0000000u
#define LOW_RAM_SPLIT 0x80000000u
#define VGA_WINDOW 0xA0000u
#define COM1_PORT 0x3F8

enum {
    DEVFN_VGA = PCI_DEVFN(1, 0),
    DEVFN_AHCI = PCI_DEVFN(31, 2),
};
enum { IRQ_PIT = 0, IRQ_KEYBOARD = 1, IRQ_COM1 = 4, IRQ_RTC = 8, IRQ_SCI = 9, IRQ_MOUSE = 12 };
enum { IRQ_X87 = 13, IOAPIC_PIT_INPUT = 2, FIRST_PIRQ_GSI = 16 };

/* Interrupt wires. ISA interrupt n goes to the PIC's input n and the I/O APIC's input n, but for
 * the PIT, which is input 2 there. PIRQs go to the I/O APIC's inputs 16-23 and, by routing
 * register, to the PIC. */

static void update_pic_input(Machine *machine, unsigned irq)
{
    const MachineWires *wires = &machine->priv->wires;

    pic_set_irq(machine->priv->pic, irq, (wires->isa | wires->pirq_isa) >> irq & 1);
}

static void update_ioapic_input(Machine *machine, unsigned gsi)
{
    const MachineWires *wires = &machine->priv->wires;
    uint32_t levels = wires->isa | (uint32_t)wires->pirq << FIRST_PIRQ_GSI;
    bool level = levels >> gsi & 1;

    if (gsi == IRQ_PIT)
        gsi = IOAPIC_PIT_INPUT;
    if (gsi == IOAPIC_PIT_INPUT)
        level = levels & (1u << IRQ_PIT | 1u << IOAPIC_PIT_INPUT);
    ioapic_set_irq(machine->priv->ioapic, gsi, level);
}

static void set_bit(uint32_t *in, unsigned bit, bool level)
{
    *in = level ? *in | 1u << bit : *in & ~(1u << bit);
}

static void set_gsi(void *opaque, unsigned gsi, bool level)
{
    Machine *machine = opaque;

    set_bit(&machine->priv->wires.isa, gsi, level);
    if (gsi < 16)
        update_pic_input(machine, gsi);
    update_ioapic_input(machine, gsi);
}

static void on_gsi(void *opaque, unsigned gsi, bool level)
{
    MachinePrivate *p = ((Machine *)opaque)->priv;
    bool rises = level && !(p->wires.isa >> gsi & 1);

    if (gsi == IRQ_PIT && rises && lost_ticks_keep(&p->ticks))
        return;
    set_gsi(opaque, gsi, level);
}

static void on_pirq_to_isa(void *opaque, unsigned irq, bool level)
{
    Machine *machine = opaque;
    uint32_t levels = machine->priv->wires.pirq_isa;

    set_bit(&levels, irq, level);
    machine->priv->wires.pirq_isa = levels;
    update_pic_input(machine, irq);
}

static void on_pirq_to_ioapic(void *opaque, unsigned pirq, bool level)
{
    Machine *machine = opaque;
    uint32_t levels = machine->priv->wires.pirq;

    set_bit(&levels, pirq, level);
    machine->priv->wires.pirq = levels;
    update_ioapic_input(machine, FIRST_PIRQ_GSI + pirq);
}

static void on_intr(void *opaque, unsigned input, bool level)
{
    lapic_bus_set_lint0(((Machine *)opaque)->priv->lapics, level);
}

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    lpc_set_intx(((Machine *)opaque)->priv->lpc, devfn, pin, level);
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    lapic_bus_send_msi(((Machine *)opaque)->priv->lapics, address, data);
}

/* From a local APIC to its vCPU; there is none yet while the parts are made. */
static void on_apic_signal(void *opaque, unsigned id, unsigned signals)
{
    MachinePrivate *p = ((Machine *)opaque)->priv;

    if (id >= p->n_cpus)
        return;
    if (signals & VCPU_SIGNAL_SIPI)
        p->cpu[id].vcpu->sipi_vector = lapic_bus_sipi_vector(p->lapics, id);
    vcpu_signal(p->cpu[id].vcpu, signals);
}

static void on_apic_eoi(void *opaque, uint8_t vector)
{
    ioapic_on_eoi(((Machine *)opaque)->priv->ioapic, vector);
}

static void on_debug_exit(void *opaque, uint32_t value)
{
    Machine *machine = opaque;

    __atomic_store_n(&machine->priv->exit_code, (int)(value & 0x7FFFFFFF), __ATOMIC_SEQ_CST);
    machine_request_power_off(machine);
}

/* Parts. */

static bool add(Machine *machine, Device *dev, GError **error)
{
    g_ptr_array_add(machine->priv->devices, dev);
    return device_realize(dev, machine, error);
}

static bool build_memory(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;
    uint64_t size = (p->config.memory_bytes + RAM_PAGE_SIZE - 1) & ~(RAM_PAGE_SIZE - UINT64_C(1));

    p->low_ram_size = size > LOW_RAM_MAX ? LOW_RAM_SPLIT : size;
    machine->ram = ram_new("ram", size, error);
    if (!machine->ram || !pc_load_firmware(machine, error))
        return false;
    address_space_map_ram(machine->memory, 0, p->low_ram_size, MAP_PRIORITY_RAM, machine->ram, 0);
    if (size > p->low_ram_size)
        address_space_map_ram(machine->memory, FOUR_GIB, size - p->low_ram_size, MAP_PRIORITY_RAM,
                              machine->ram, p->low_ram_size);
    address_space_map_hole(machine->memory, VGA_WINDOW, 0x20000, MAP_PRIORITY_OVERLAY);
    address_space_map_rom(machine->memory, FOUR_GIB - p->bios->size, p->bios->size,
                          MAP_PRIORITY_CHIPSET, p->bios, 0, NULL, 0);
    return true;
}

static bool build_interrupt_controllers(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;
    Device *pic = pic_new((IrqLine){ on_intr, machine, 0 });

    p->lapics =
        lapic_bus_new(p->config.n_cpus, machine->clock, on_apic_signal, on_apic_eoi, machine);
    p->pic = (Pic *)pic;
    if (!add(machine, pic, error))
        return false;
    Device *ioapic = ioapic_new(p->lapics);
    p->ioapic = (Ioapic *)ioapic;
    for (unsigned i = 0; i < G_N_ELEMENTS(machine->gsi); i++)
        machine->gsi[i] = (IrqLine){ on_gsi, machine, i };
    p->ticks = (LostTicks){ .pic = p->pic,
                            .ioapic = p->ioapic,
                            .line = { set_gsi, machine, IRQ_PIT },
                            .irq = IRQ_PIT,
                            .ioapic_input = IOAPIC_PIT_INPUT };
    return add(machine, ioapic, error);
}

static void on_variables_changed(void *opaque)
{
    nvram_changed(opaque);
}

/* UEFI's variables end where its code begins. */
static bool build_flash(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    if (!p->nvram)
        return true;
    Ram *image = nvram_image(p->nvram);
    return add(machine,
               pflash_new(&(PflashWiring){
                   .memory = machine->memory,
                   .base = FOUR_GIB - p->bios->size - image->size,
                   .image = image,
                   .on_changed = on_variables_changed,
                   .opaque = p->nvram,
               }),
               error);
}

/* The host bridge and the LPC bridge, at the two ends of bus 0. */
static bool build_chipset(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;
    Device *acpi_pm = acpi_pm_new(machine->gsi[IRQ_SCI]);
    LpcWiring lpc_wiring = {
        .memory = machine->memory,
        .ports = machine->ports,
        .bus = machine->pci,
        .acpi_pm = acpi_pm,
        .x87_error = machine->gsi[IRQ_X87],
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lpc_wiring.pic); i++)
        lpc_wiring.pic[i] = (IrqLine){ on_pirq_to_isa, machine, i };
    for (unsigned i = 0; i < G_N_ELEMENTS(lpc_wiring.ioapic); i++)
        lpc_wiring.ioapic[i] = (IrqLine){ on_pirq_to_ioapic, machine, i };
    p->acpi_pm = (AcpiPm *)acpi_pm;
    if (!add(machine, acpi_pm, error))
        return false;
    Device *lpc = lpc_new(&lpc_wiring);
    p->lpc = (Lpc *)lpc;
    if (!add(machine, lpc, error))
        return false;
    Device *mch = mch_new(&(MchWiring){
        .memory = machine->memory,
        .ports = machine->ports,
        .bus = machine->pci,
        .ram = machine->ram,
        .bios = p->bios,
        .reset_device = lpc,
        .reset_offset = LPC_RESET_CONTROL,
    });
    p->mch = (Mch *)mch;
    return add(machine, mch, error);
}

static bool build_timers(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;
    Device *pit = pit_new(machine->gsi[IRQ_PIT]);

    if (!add(machine, pit, error))
        return false;
    Device *rtc = rtc_new(machine->gsi[IRQ_RTC], p->config.rtc_base);
    p->rtc = (Rtc *)rtc;
    Device *paravirt = paravirt_new(p->config.rtc_base);
    p->paravirt = (Paravirt *)paravirt;
    return add(machine, rtc, error) && add(machine, paravirt, error) &&
           add(machine, hpet_new(machine->gsi, (Pit *)pit, (Rtc *)rtc), error);
}

static bool build_legacy_io(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    machine->serial = char_backend_new();
    machine->debugcon = char_backend_new();
    if (!add(machine, dma8237_new(machine->ports), error))
        return false;
    Device *i8042 = i8042_new(machine->gsi[IRQ_KEYBOARD], machine->gsi[IRQ_MOUSE]);
    machine->i8042 = (I8042 *)i8042;
    if (!add(machine, i8042, error) ||
        !add(machine, uart_new(machine->serial, machine->gsi[IRQ_COM1], COM1_PORT), error) ||
        !add(machine, debugcon_new(machine->ports, machine->debugcon), error))
        return false;
    if (p->config.debug_exit &&
        !add(machine, debug_exit_new(machine->ports, on_debug_exit, machine), error))
        return false;
    Device *fw_cfg = fw_cfg_new(machine->memory, machine->ports);
    p->fw_cfg = (FwCfg *)fw_cfg;
    return add(machine, fw_cfg, error);
}

static bool build_pci_devices(Machine *machine, GError **error)
{
    Device *vga = vga_new(machine->pci, DEVFN_VGA, machine->priv->vga_rom);

    machine->vga = (Vga *)vga;
    if (!add(machine, vga, error))
        return false;
    Device *ahci = ahci_new(machine->pci, DEVFN_AHCI);
    machine->ahci = (Ahci *)ahci;
    machine_drives_attach(machine);
    if (clock_kind(machine->clock) == CLOCK_DETERMINISTIC)
        ahci_set_timed(machine->ahci, machine->clock);
    return machine_virtio_build(machine, add, error) && add(machine, ahci, error);
}

/* The local APICs are their bus's, but reset and saved like everybody else. */
static bool list_lapics(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    p->n_owned_devices = p->devices->len;
    for (unsigned i = 0; i < p->config.n_cpus; i++)
        if (!add(machine, lapic_bus_device(p->lapics, i), error))
            return false;
    g_ptr_array_add(p->devices, NULL);
    return true;
}

bool pc_build(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    if (!build_memory(machine, error))
        return false;
    machine->pci = pci_bus_new(machine->memory, machine->ports, on_intx, on_msi, machine);
    if (!build_interrupt_controllers(machine, error) || !build_chipset(machine, error) ||
        !build_flash(machine, error) || !build_timers(machine, error) ||
        !build_legacy_io(machine, error) || !build_pci_devices(machine, error) ||
        !list_lapics(machine, error))
        return false;
    pc_fill_cmos(machine);
    pc_fill_fw_cfg(machine);
    if (!p->config.kernel_path)
        return true;
    p->linux_boot =
        linux_boot_new(p->config.kernel_path, p->config.initrd_path, p->config.kernel_command_line,
                       p->low_ram_size, machine->ram->size, error);
    return p->linux_boot != NULL;
}

void pc_reset(Machine *machine)
{
    Device *const *devices = machine_devices(machine);

    machine->priv->ticks.owed = 0;
    address_space_begin(machine->memory);
    address_space_begin(machine->ports);
    for (unsigned i = 0; devices[i]; i++)
        device_reset(devices[i]);
    for (unsigned i = 0; devices[i]; i++)
        device_update(devices[i]);
    address_space_commit(machine->ports);
    address_space_commit(machine->memory);
}

void pc_clear(Machine *machine)
{
    MachinePrivate *p = machine->priv;
    unsigned n = p->n_owned_devices ? p->n_owned_devices : p->devices->len;

    while (n > 0) /* last made, first gone */
        device_free(p->devices->pdata[--n]);
    lapic_bus_free(p->lapics);
    pci_bus_free(machine->pci);
    char_backend_free(machine->serial);
    char_backend_free(machine->debugcon);
    linux_boot_free(p->linux_boot);
}
