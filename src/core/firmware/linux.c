/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/linux.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

/* Where things go. */
#define GDT_GPA 0x1000u
#define STACK_GPA 0x8000u
#define ZERO_PAGE_GPA 0x10000u
#define COMMAND_LINE_GPA 0x20000u
#define EBDA_GPA 0x9FC00u
#define RSDP_GPA 0xF0000u
#define SMBIOS_ANCHOR_GPA 0xF0100u
#define SMBIOS_TABLES_GPA 0xF1000u
#define ONE_MIB 0x100000u
#define FOUR_GIB (UINT64_C(1) << 32)
#define ACPI_AREA_SIZE 0x20000u /* at the end of low RAM */

/* The boot protocol's fields, by their offset in the file and in the zero page. */
enum {
    ZP_ACPI_RSDP = 0x070,
    ZP_E820_COUNT = 0x1E8,
    ZP_SETUP_SECTS = 0x1F1,
    ZP_SYSSIZE = 0x1F4,
    ZP_BOOT_FLAG = 0x1FE,
    ZP_JUMP = 0x200,
    ZP_MAGIC = 0x202,
    ZP_VERSION = 0x206,
    ZP_LOADER = 0x210,
    ZP_LOAD_FLAGS = 0x211,
    ZP_CODE32 = 0x214,
    ZP_INITRD = 0x218,
    ZP_INITRD_SIZE = 0x21C,
    ZP_COMMAND_LINE = 0x228,
    ZP_INITRD_MAX = 0x22C,
    ZP_RELOCATABLE = 0x234,
    ZP_PREFERRED = 0x258,
    ZP_INIT_SIZE = 0x260,
    ZP_E820 = 0x2D0,
};
#define MTRR_ENABLED_WRITE_BACK 0x806
#define LOADED_HIGH 0x01
#define BOOT_MAGIC 0x53726448 /* "HdrS" */
#define VERSION_MIN 0x0206    /* 2.6.22: command lines of any length */
enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };

struct LinuxBoot {
    /* owned */
    char *kernel, *initrd, *command_line;
    gsize kernel_size, initrd_size;
    /* decided once */
    uint64_t low_ram_size, memory_bytes;
    uint32_t setup_size, load_gpa, initrd_gpa;
};

static uint64_t get_at(const void *from, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, (const uint8_t *)from + offset, size);
    return GUINT64_FROM_LE(value);
}

static void set_at(void *to, unsigned offset, uint64_t value, unsigned size)
{
    value = GUINT64_TO_LE(value);
    memcpy((uint8_t *)to + offset, &value, size);
}

static bool fail(GError **error, const char *path, const char *what)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: %s", path, what);
    return false;
}

/* Where the kernel likes to be, if that fits; else, being relocatable, at 1 MiB. */
static bool decide_places(LinuxBoot *boot, const char *path, GError **error)
{
    const char *k = boot->kernel;
    uint64_t end = boot->low_ram_size - ACPI_AREA_SIZE;
    uint64_t initrd_max = get_at(k, ZP_INITRD_MAX, 4);

    if (boot->kernel_size < 0x1000 || get_at(k, ZP_BOOT_FLAG, 2) != 0xAA55 ||
        get_at(k, ZP_MAGIC, 4) != BOOT_MAGIC)
        return fail(error, path, _("This is not a Linux kernel (bzImage)."));
    if (get_at(k, ZP_VERSION, 2) < VERSION_MIN || !(get_at(k, ZP_LOAD_FLAGS, 1) & LOADED_HIGH))
        return fail(error, path, _("This kernel is older than Linux 2.6.22."));
    unsigned sectors = get_at(k, ZP_SETUP_SECTS, 1);
    boot->setup_size = ((sectors ? sectors : 4) + 1) * 512;
    if (boot->setup_size >= boot->kernel_size)
        return fail(error, path, _("This kernel is cut off."));

    uint64_t room = boot->kernel_size - boot->setup_size;
    boot->load_gpa = ONE_MIB;
    if (get_at(k, ZP_VERSION, 2) >= 0x020A) {
        uint64_t preferred = get_at(k, ZP_PREFERRED, 8);
        room = MAX(room, get_at(k, ZP_INIT_SIZE, 4));
        if (preferred >= ONE_MIB && preferred + room <= end)
            boot->load_gpa = preferred;
    }
    if (boot->load_gpa + room + boot->initrd_size > end)
        return fail(error, path, _("The machine has too little memory for this kernel."));
    boot->initrd_gpa = (MIN(end, initrd_max + 1) - boot->initrd_size) & ~UINT64_C(0xFFF);
    if (boot->initrd_gpa < boot->load_gpa + room && boot->initrd_size)
        return fail(error, path, _("The machine has too little memory for this initrd."));
    return true;
}

LinuxBoot *linux_boot_new(const char *kernel_path, const char *initrd_path,
                          const char *command_line, uint64_t low_ram_size, uint64_t memory_bytes,
                          GError **error)
{
    LinuxBoot *boot = g_new0(LinuxBoot, 1);

    boot->low_ram_size = low_ram_size;
    boot->memory_bytes = memory_bytes;
    boot->command_line = g_strdup(command_line ? command_line : "");
    if (!g_file_get_contents(kernel_path, &boot->kernel, &boot->kernel_size, error) ||
        (initrd_path &&
         !g_file_get_contents(initrd_path, &boot->initrd, &boot->initrd_size, error)) ||
        !decide_places(boot, kernel_path, error))
        g_clear_pointer(&boot, linux_boot_free);
    return boot;
}

void linux_boot_free(LinuxBoot *boot)
{
    if (!boot)
        return;
    g_free(boot->kernel);
    g_free(boot->initrd);
    g_free(boot->command_line);
    g_free(boot);
}

static void place(Ram *ram, uint64_t gpa, const void *bytes, uint64_t length)
{
    g_assert(gpa + length <= ram->size);
    if (length == 0)
        return;
    memcpy(ram->host + gpa, bytes, length);
    ram_wrote(ram, gpa, length);
}

static void add_e820(uint8_t *zero_page, uint64_t start, uint64_t end, uint32_t type)
{
    unsigned n = zero_page[ZP_E820_COUNT]++;

    set_at(zero_page, ZP_E820 + 20 * n, start, 8);
    set_at(zero_page, ZP_E820 + 20 * n + 8, end - start, 8);
    set_at(zero_page, ZP_E820 + 20 * n + 16, type, 4);
}

static void place_zero_page(const LinuxBoot *boot, Ram *ram, const AcpiConfig *acpi)
{
    uint8_t zp[4096] = { 0 };
    uint64_t low = boot->low_ram_size;

    /* The header's length is told by the jump over it. */
    unsigned end = ZP_MAGIC + (uint8_t)boot->kernel[ZP_JUMP + 1];
    memcpy(zp + ZP_SETUP_SECTS, boot->kernel + ZP_SETUP_SECTS, end - ZP_SETUP_SECTS);
    set_at(zp, ZP_LOADER, 0xFF, 1);
    set_at(zp, ZP_CODE32, boot->load_gpa, 4);
    set_at(zp, ZP_COMMAND_LINE, COMMAND_LINE_GPA, 4);
    if (boot->initrd_size) {
        set_at(zp, ZP_INITRD, boot->initrd_gpa, 4);
        set_at(zp, ZP_INITRD_SIZE, boot->initrd_size, 4);
    }
    set_at(zp, ZP_ACPI_RSDP, RSDP_GPA, 8);
    add_e820(zp, 0, EBDA_GPA, E820_RAM);
    add_e820(zp, EBDA_GPA, 0xA0000, E820_RESERVED);
    add_e820(zp, 0xF0000, ONE_MIB, E820_RESERVED);
    add_e820(zp, ONE_MIB, low - ACPI_AREA_SIZE, E820_RAM);
    add_e820(zp, low - ACPI_AREA_SIZE, low, E820_ACPI);
    if (acpi->ecam_base)
        add_e820(zp, acpi->ecam_base, acpi->ecam_base + 0x10000000, E820_RESERVED);
    add_e820(zp, 0xFED1C000, 0xFED20000, E820_RESERVED);
    if (boot->memory_bytes > low)
        add_e820(zp, FOUR_GIB, FOUR_GIB + boot->memory_bytes - low, E820_RAM);
    place(ram, ZERO_PAGE_GPA, zp, sizeof zp);
}

static void place_tables(const LinuxBoot *boot, Ram *ram, const AcpiConfig *acpi,
                         const SmbiosConfig *smbios)
{
    uint64_t tables_gpa = boot->low_ram_size - ACPI_AREA_SIZE;
    g_autoptr(GByteArray) anchor = NULL;
    g_autoptr(GByteArray) structures = NULL;
    g_auto(AcpiTables) tables;

    acpi_tables_build(&tables, acpi);
    acpi_tables_place(&tables, tables_gpa);
    g_assert(tables.tables->len <= ACPI_AREA_SIZE);
    place(ram, tables_gpa, tables.tables->data, tables.tables->len);
    place(ram, RSDP_GPA, tables.rsdp->data, tables.rsdp->len);

    smbios_build(smbios, &anchor, &structures);
    smbios_anchor_place(anchor, SMBIOS_TABLES_GPA);
    place(ram, SMBIOS_ANCHOR_GPA, anchor->data, anchor->len);
    place(ram, SMBIOS_TABLES_GPA, structures->data, structures->len);
}

void linux_boot_place(const LinuxBoot *boot, Ram *ram, const AcpiConfig *acpi,
                      const SmbiosConfig *smbios)
{
    /* Selectors 10h and 18h are flat code and data, as the entry wants them. */
    static const uint64_t gdt[] = { 0, 0, UINT64_C(0x00CF9B000000FFFF),
                                    UINT64_C(0x00CF93000000FFFF) };

    place(ram, GDT_GPA, gdt, sizeof gdt);
    place(ram, COMMAND_LINE_GPA, boot->command_line, strlen(boot->command_line) + 1);
    place(ram, boot->load_gpa, boot->kernel + boot->setup_size,
          boot->kernel_size - boot->setup_size);
    place(ram, boot->initrd_gpa, boot->initrd, boot->initrd_size);
    place_zero_page(boot, ram, acpi);
    place_tables(boot, ram, acpi, smbios);
}

void linux_boot_set_cpu(const LinuxBoot *boot, CpuState *state)
{
    CpuSegment data = { .limit = 0xFFFFFFFF, .selector = 0x18, .attributes = 0xC093 };

    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        state->segment[i] = data;
    state->segment[CPU_CS].selector = 0x10;
    state->segment[CPU_CS].attributes = 0xC09B;
    state->gdt.base = GDT_GPA;
    state->gdt.limit = 31;
    state->cr0 = 0x11; /* PE, ET */
    memset(state->gpr, 0, sizeof state->gpr);
    state->gpr[4] = STACK_GPA;
    state->gpr[6] = ZERO_PAGE_GPA;
    state->rip = boot->load_gpa;
    state->rflags = 2;
    state->msr.mtrr_def_type = MTRR_ENABLED_WRITE_BACK; /* off, a kernel does without PAT too */
}
