/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Firmware, and what it is told about the PC: CMOS bytes, fw_cfg items and files, ACPI and SMBIOS.
 * For a kernel that is booted directly, what firmware would have done. */

#include "core/machine/machine-private.h"

#include "core/dev/rtc.h"
#include "core/firmware/rom.h"
#include <string.h>

/* What SeaBIOS programs on this board, and what a directly booted kernel finds. */
#define ECAM_BASE 0xB0000000u
#define PM_BASE 0x600
#define RCBA_BASE 0xFED1C000u

/* Tables come out a little different when firmware has moved things; the directory promises this
 * much more than the usual size. */
#define ACPI_SLACK 256

#define MIB UINT64_C(0x100000)

static void on_nvram_problem(void *opaque, const char *path, int error_number)
{
    machine_report_write_problem(opaque, path, error_number);
}

static bool load_uefi(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;
    const MachineConfig *config = &p->config;
    UefiFiles files = { config->firmware_path, config->variables_path };

    if (!(files.code && files.variables) && !rom_choose_uefi(config->nvram_path, &files, error))
        return false;
    p->bios = rom_load(ROM_UEFI, files.code, error);
    p->nvram = p->bios ? nvram_open(&(NvramOptions){ .path = config->nvram_path,
                                                     .initial = files.variables,
                                                     .forget = config->forget_nvram,
                                                     .lock = &machine->lock,
                                                     .on_problem = on_nvram_problem,
                                                     .opaque = machine },
                                    error)
                       : NULL;
    return p->nvram != NULL;
}

bool pc_load_firmware(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    if (p->config.firmware == MACHINE_FIRMWARE_UEFI)
        return load_uefi(machine, error);
    p->bios = rom_load(ROM_SEABIOS, p->config.firmware_path, error);
    p->vga_rom = p->bios ? rom_load(ROM_VGABIOS, p->config.vga_rom_path, error) : NULL;
    return p->vga_rom != NULL;
}

static bool cdrom_first(const Machine *machine)
{
    const char *order = machine->priv->config.boot_order;

    return !order || !g_str_has_prefix(order, "disk");
}

/* CMOS: firmware that does not know fw_cfg looks here. */
void pc_fill_cmos(Machine *machine)
{
    Rtc *rtc = machine->priv->rtc;
    uint64_t low = machine->priv->low_ram_size, high = machine->ram->size - low;
    uint64_t extended_kib = low > MIB ? MIN((low - MIB) >> 10, 0xFFFF) : 0;
    uint64_t above_16_mib = low > 16 * MIB ? (low - 16 * MIB) >> 16 : 0;

    rtc_set_cmos(rtc, 0x10, 0);    /* no floppy drives */
    rtc_set_cmos(rtc, 0x14, 0x06); /* equipment: PS/2 mouse, x87 */
    rtc_set_cmos(rtc, 0x15, 0x80); /* 640 KiB */
    rtc_set_cmos(rtc, 0x16, 0x02);
    for (unsigned i = 0; i < 2; i++) {
        rtc_set_cmos(rtc, 0x17 + i, extended_kib >> (8 * i));
        rtc_set_cmos(rtc, 0x30 + i, extended_kib >> (8 * i));
        rtc_set_cmos(rtc, 0x34 + i, MIN(above_16_mib, 0xFFFF) >> (8 * i));
    }
    for (unsigned i = 0; i < 3; i++)
        rtc_set_cmos(rtc, 0x5B + i, high >> (16 + 8 * i));
    rtc_set_cmos(rtc, 0x38, 0);
    rtc_set_cmos(rtc, 0x3D, cdrom_first(machine) ? 0x23 : 0x32);
    rtc_set_cmos(rtc, 0x5F, machine->priv->config.n_cpus - 1);
}

static void get_acpi_config(const Machine *machine, AcpiConfig *out)
{
    const MachinePrivate *p = machine->priv;

    *out = (AcpiConfig){
        .n_cpus = p->config.n_cpus,
        .low_ram_end = p->low_ram_size,
        .high_ram_end = FOUR_GIB + machine->ram->size - p->low_ram_size,
        .ecam_base = mch_ecam_base(p->mch),
        .pm_base = lpc_pm_base(p->lpc),
        .has_serial = true,
        .has_hpet = true,
        .has_fw_cfg = true,
    };
}

static void get_smbios_config(const Machine *machine, SmbiosConfig *out)
{
    const MachinePrivate *p = machine->priv;

    *out = (SmbiosConfig){
        .uuid = p->config.uuid,
        .n_cpus = p->config.n_cpus,
        .memory_bytes = machine->ram->size,
        .low_ram_end = p->low_ram_size,
    };
}

static GBytes *build_acpi_file(void *opaque, const char *name)
{
    g_auto(AcpiTables) tables;
    AcpiConfig config;

    get_acpi_config(opaque, &config);
    acpi_tables_build(&tables, &config);
    GByteArray *file = strcmp(name, ACPI_FILE_TABLES) == 0 ? tables.tables
                       : strcmp(name, ACPI_FILE_RSDP) == 0 ? tables.rsdp
                                                           : tables.loader;
    return g_bytes_new(file->data, file->len);
}

/* The directory comes first and the addresses later: sizes are measured with the usual ones. */
static void add_acpi(Machine *machine)
{
    FwCfg *fw_cfg = machine->priv->fw_cfg;
    g_auto(AcpiTables) tables;
    AcpiConfig config;

    get_acpi_config(machine, &config);
    config.ecam_base = ECAM_BASE;
    config.pm_base = PM_BASE;
    acpi_tables_build(&tables, &config);
    fw_cfg_add_lazy_file(fw_cfg, ACPI_FILE_TABLES, tables.tables->len + ACPI_SLACK, build_acpi_file,
                         machine);
    fw_cfg_add_lazy_file(fw_cfg, ACPI_FILE_RSDP, tables.rsdp->len, build_acpi_file, machine);
    fw_cfg_add_lazy_file(fw_cfg, ACPI_FILE_LOADER, tables.loader->len, build_acpi_file, machine);
}

static void add_smbios(Machine *machine)
{
    FwCfg *fw_cfg = machine->priv->fw_cfg;
    GByteArray *anchor, *tables;
    SmbiosConfig config;

    get_smbios_config(machine, &config);
    smbios_build(&config, &anchor, &tables);
    fw_cfg_add_file(fw_cfg, SMBIOS_FILE_ANCHOR, g_byte_array_free_to_bytes(anchor));
    fw_cfg_add_file(fw_cfg, SMBIOS_FILE_TABLES, g_byte_array_free_to_bytes(tables));
}

static void add_e820(Machine *machine)
{
    uint64_t low = machine->priv->low_ram_size, high = machine->ram->size - low;
    struct __attribute__((packed)) {
        uint64_t start, length;
        uint32_t type;
    } map[] = { { 0, GUINT64_TO_LE(low), GUINT32_TO_LE(1) },
                { GUINT64_TO_LE(FOUR_GIB), GUINT64_TO_LE(high), GUINT32_TO_LE(1) } };

    fw_cfg_add_file(machine->priv->fw_cfg, "etc/e820",
                    g_bytes_new(map, high ? sizeof map : sizeof map[0]));
}

/* OpenFirmware paths, the first to be tried first. */
static void add_boot_order(Machine *machine)
{
    MachinePrivate *p = machine->priv;
    g_autoptr(GString) order = g_string_new(NULL);

    for (unsigned pass = 0; pass < 2; pass++) {
        bool want_cdrom = cdrom_first(machine) == (pass == 0);
        for (unsigned i = 0; i < p->config.n_drives; i++) {
            if (p->drive[i].is_cdrom != want_cdrom)
                continue;
            if (order->len)
                g_string_append_c(order, '\n');
            if (p->config.drive[i].is_virtio)
                g_string_append_printf(order, "/pci@i0cf8/scsi@%x/disk@0,0",
                                       machine_virtio_slot(i));
            else
                g_string_append_printf(order, "/pci@i0cf8/pci8086,2922@1f,2/drive@%u/disk@0", i);
        }
    }
    if (order->len)
        fw_cfg_add_file(p->fw_cfg, "bootorder", g_bytes_new(order->str, order->len + 1));
}

void pc_fill_fw_cfg(Machine *machine)
{
    MachinePrivate *p = machine->priv;
    FwCfg *fw_cfg = p->fw_cfg;
    static const uint8_t system_states[6] = { 128, 0, 0, 1, 2 | 128, 128 }; /* S3 off, S4 on */
    uint32_t never = UINT32_MAX; /* do not start over when nothing boots */

    fw_cfg_add_item(fw_cfg, FW_CFG_UUID, p->config.uuid, sizeof p->config.uuid);
    fw_cfg_add_number(fw_cfg, FW_CFG_RAM_SIZE, machine->ram->size, 8);
    fw_cfg_add_number(fw_cfg, FW_CFG_NO_GRAPHIC, 0, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_N_CPUS, p->config.n_cpus, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_MAX_CPUS, p->config.n_cpus, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_NUMA, 0, 8);
    fw_cfg_add_number(fw_cfg, FW_CFG_BOOT_MENU, p->config.boot_menu, 2);
    fw_cfg_add_number(fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1, 4);
    fw_cfg_add_file(fw_cfg, "etc/system-states", g_bytes_new_static(system_states, 6));
    fw_cfg_add_file(fw_cfg, "etc/boot-fail-wait", g_bytes_new(&never, sizeof never));
    add_e820(machine);
    add_acpi(machine);
    add_smbios(machine);
    add_boot_order(machine);
}

void pc_boot_kernel(Machine *machine)
{
    static const uint8_t pirq_route[4] = { 10, 10, 11, 11 };
    PciBus *bus = machine->pci;
    AcpiConfig acpi;
    SmbiosConfig smbios;

    pci_config_write(bus, 0, PCI_DEVFN(0, 0), 0x60, 4, ECAM_BASE | 1);
    pci_config_write(bus, 0, PCI_DEVFN(0, 0), 0x90, 1, 0x30); /* all RAM up to 1 MiB */
    for (unsigned reg = 0x91; reg <= 0x96; reg++)
        pci_config_write(bus, 0, PCI_DEVFN(0, 0), reg, 1, 0x33);
    pci_config_write(bus, 0, PCI_DEVFN(31, 0), 0x40, 4, PM_BASE | 1);
    pci_config_write(bus, 0, PCI_DEVFN(31, 0), 0x44, 1, 0x80);
    pci_config_write(bus, 0, PCI_DEVFN(31, 0), 0xF0, 4, RCBA_BASE | 1);
    for (unsigned i = 0; i < 4; i++) {
        pci_config_write(bus, 0, PCI_DEVFN(31, 0), 0x60 + i, 1, pirq_route[i]);
        pci_config_write(bus, 0, PCI_DEVFN(31, 0), 0x68 + i, 1, pirq_route[i]);
    }
    address_space_write(machine->ports, 0x4D1, 1, 0x0C); /* 10 and 11 are levels */
    get_acpi_config(machine, &acpi);
    get_smbios_config(machine, &smbios);
    linux_boot_place(machine->priv->linux_boot, machine->ram, &acpi, &smbios);
}
