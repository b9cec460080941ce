/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The DSDT: what an operating system cannot find out by itself on this board. Q35's INTx wiring is
 * in lpc.c; the two forms of _PRT here tell the same. */

#include "core/firmware/acpi.h"

#include "core/dev/acpi-pm.h"
#include "core/firmware/aml.h"

#define OSC_PCI_UUID "33DB4D5B-1FF7-401C-9657-7441C03DD766"
#define ECAM_SIZE UINT64_C(0x10000000)
#define FOUR_GIB (UINT64_C(1) << 32)
#define N_LINKS 8

typedef GByteArray Resources;

static void add_crs(Aml *aml, Resources *resources)
{
    aml_name_resources(aml, "_CRS", resources);
    g_byte_array_unref(resources);
}

/* _PIC tells which interrupt controllers the system uses (§5.8.1). */
static void build_pic_method(Aml *aml)
{
    aml_name_int(aml, "\\PICF", 0);
    aml_begin_method(aml, "\\_PIC", 1, false);
    aml_store(aml);
    aml_op(aml, AML_ARG0);
    aml_path(aml, "\\PICF");
    aml_end(aml);
}

static void build_host_windows(Aml *aml, const AcpiConfig *config)
{
    Resources *crs = g_byte_array_new();
    uint64_t ecam = config->ecam_base, ecam_end = ecam ? ecam + ECAM_SIZE : 0;
    uint64_t high = (config->high_ram_end + 0x3FFFFFFF) & ~UINT64_C(0x3FFFFFFF);

    resource_bus_window(crs, 0, 0xFF);
    resource_io(crs, 0xCF8, 0xCF8, 1, 8);
    resource_io_window(crs, 0, 0xCF7);
    resource_io_window(crs, 0xD00, 0xFFFF);
    resource_memory_window(crs, 0xA0000, 0xBFFFF, true);
    if (ecam && config->low_ram_end < ecam)
        resource_memory_window(crs, config->low_ram_end, ecam - 1, false);
    resource_memory_window(crs, MAX(config->low_ram_end, ecam_end), 0xFEBFFFFF, false);
    resource_memory64_window(crs, high, high + (UINT64_C(32) << 30) - 1);
    add_crs(aml, crs);
}

/* _OSC (§6.2.11): the system may have PCIe's features; what it asks for and we lack is masked. */
static void build_osc(Aml *aml)
{
    aml_begin_method(aml, "_OSC", 4, true);
    aml_create_dword_field(aml, AML_ARG3, 0, "CDW1");
    aml_begin_if(aml);
    aml_equal(aml);
    aml_op(aml, AML_ARG0);
    aml_uuid(aml, OSC_PCI_UUID);
    aml_create_dword_field(aml, AML_ARG3, 4, "CDW2");
    aml_create_dword_field(aml, AML_ARG3, 8, "CDW3");
    aml_and(aml);
    aml_path(aml, "CDW3");
    aml_int(aml, 0x1D);
    aml_op(aml, AML_LOCAL0);
    aml_begin_if(aml);
    aml_op(aml, 0x92); /* LNot (LEqual (…)) */
    aml_equal(aml);
    aml_path(aml, "CDW3");
    aml_op(aml, AML_LOCAL0);
    aml_or(aml);
    aml_path(aml, "CDW1");
    aml_int(aml, 0x10); /* capabilities masked */
    aml_path(aml, "CDW1");
    aml_end(aml);
    aml_store(aml);
    aml_op(aml, AML_LOCAL0);
    aml_path(aml, "CDW3");
    aml_end(aml);
    aml_begin_else(aml);
    aml_or(aml);
    aml_path(aml, "CDW1");
    aml_int(aml, 0x04); /* unrecognised UUID */
    aml_path(aml, "CDW1");
    aml_end(aml);
    aml_return(aml);
    aml_op(aml, AML_ARG3);
    aml_end(aml);
}

/* Which PIRQ (0 A … 7 H) pin @pin of slot @slot is wired to; see lpc_pirq(). */
static unsigned route(unsigned slot, unsigned pin)
{
    return slot < 25 ? ((slot + pin) & 3) + 4 : pin;
}

static void build_prt_package(Aml *aml, const char *name, char kind)
{
    aml_name(aml, name);
    aml_begin_package(aml, 32 * 4);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            char link[] = { kind == 'L' ? 'L' : 'G', kind == 'L' ? 'N' : 'S',
                            kind == 'L' ? 'K' : 'I', 'A' + route(slot, pin), '\0' };
            aml_begin_package(aml, 4);
            aml_int(aml, slot << 16 | 0xFFFF);
            aml_int(aml, pin);
            aml_path(aml, link);
            aml_int(aml, 0);
            aml_end(aml);
        }
    }
    aml_end(aml);
}

static void build_prt(Aml *aml)
{
    build_prt_package(aml, "PRTP", 'L');
    build_prt_package(aml, "PRTA", 'G');
    aml_begin_method(aml, "_PRT", 0, false);
    aml_begin_if(aml);
    aml_path(aml, "\\PICF");
    aml_return(aml);
    aml_path(aml, "PRTA");
    aml_end(aml);
    aml_return(aml);
    aml_path(aml, "PRTP");
    aml_end(aml);
}

/* The ISA bridge and its PIRQ routing registers, which the link devices below program. */
static void build_isa_bridge(Aml *aml)
{
    aml_begin_device(aml, "ISA");
    aml_name_int(aml, "_ADR", 0x001F0000);
    aml_region(aml, "PIRQ", AML_SPACE_PCI_CONFIG, 0x60, 0x0C);
    aml_begin_field(aml, "PIRQ", AML_FIELD_BYTE_ACCESS);
    for (unsigned i = 0; i < N_LINKS; i++) {
        char name[] = { 'P', 'R', 'Q', 'A' + i, '\0' };
        if (i == 4)
            aml_field_unit(aml, NULL, 32);
        aml_field_unit(aml, name, 8);
    }
    aml_end(aml);
    aml_end(aml);
}

static void build_link_helpers(Aml *aml)
{
    static const uint32_t none[] = { 0 };
    g_autoptr(GByteArray) template = g_byte_array_new();

    aml_begin_method(aml, "IQST", 1, false); /* status from a routing register */
    aml_begin_if(aml);
    aml_and(aml);
    aml_int(aml, 0x80);
    aml_op(aml, AML_ARG0);
    aml_no_target(aml);
    aml_return(aml);
    aml_int(aml, 0x09);
    aml_end(aml);
    aml_return(aml);
    aml_int(aml, 0x0B);
    aml_end(aml);

    aml_begin_method(aml, "IQCR", 1, true); /* current setting from a routing register */
    resource_interrupts(template, none, 1);
    aml_name_resources(aml, "PRR0", template);
    aml_op(aml, 0x8A); /* CreateDWordField (PRR0, 5, PRRI) */
    aml_path(aml, "PRR0");
    aml_int(aml, 5);
    aml_path(aml, "PRRI");
    aml_store(aml);
    aml_and(aml);
    aml_op(aml, AML_ARG0);
    aml_int(aml, 0x0F);
    aml_no_target(aml);
    aml_path(aml, "PRRI");
    aml_return(aml);
    aml_path(aml, "PRR0");
    aml_end(aml);
}

static void build_pic_link(Aml *aml, unsigned i)
{
    static const uint32_t possible[] = { 5, 10, 11 };
    char name[] = { 'L', 'N', 'K', 'A' + i, '\0' };
    g_autofree char *reg = g_strdup_printf("\\_SB.PCI0.ISA.PRQ%c", 'A' + i);
    g_autoptr(GByteArray) prs = g_byte_array_new();

    aml_begin_device(aml, name);
    aml_name_eisa_id(aml, "_HID", "PNP0C0F");
    aml_name_int(aml, "_UID", i);
    resource_interrupts(prs, possible, G_N_ELEMENTS(possible));
    aml_name_resources(aml, "_PRS", prs);
    aml_begin_method(aml, "_STA", 0, false);
    aml_return(aml);
    aml_path(aml, "IQST");
    aml_path(aml, reg);
    aml_end(aml);
    aml_begin_method(aml, "_DIS", 0, false);
    aml_or(aml);
    aml_path(aml, reg);
    aml_int(aml, 0x80);
    aml_path(aml, reg);
    aml_end(aml);
    aml_begin_method(aml, "_CRS", 0, false);
    aml_return(aml);
    aml_path(aml, "IQCR");
    aml_path(aml, reg);
    aml_end(aml);
    aml_begin_method(aml, "_SRS", 1, true);
    aml_create_dword_field(aml, AML_ARG0, 5, "PRRI");
    aml_store(aml);
    aml_path(aml, "PRRI");
    aml_path(aml, reg);
    aml_end(aml);
    aml_end(aml);
}

/* With the I/O APIC the wires are fixed: PIRQ A to H are inputs 16 to 23. */
static void build_apic_link(Aml *aml, unsigned i)
{
    char name[] = { 'G', 'S', 'I', 'A' + i, '\0' };
    uint32_t gsi = 16 + i;
    g_autoptr(GByteArray) only = g_byte_array_new();

    aml_begin_device(aml, name);
    aml_name_eisa_id(aml, "_HID", "PNP0C0F");
    aml_name_int(aml, "_UID", 0x10 + i);
    resource_interrupts(only, &gsi, 1);
    aml_name_resources(aml, "_PRS", only);
    aml_name_resources(aml, "_CRS", only);
    aml_begin_method(aml, "_SRS", 1, false);
    aml_end(aml);
    aml_end(aml);
}

static void begin_pnp(Aml *aml, const char *name, const char *id)
{
    aml_begin_device(aml, name);
    aml_name_eisa_id(aml, "_HID", id);
}

static void build_isa_devices(Aml *aml, const AcpiConfig *config)
{
    Resources *crs;

    begin_pnp(aml, "RTC", "PNP0B00");
    crs = g_byte_array_new();
    resource_io(crs, 0x70, 0x70, 1, 2);
    resource_irq(crs, 8);
    resource_io(crs, 0x72, 0x72, 2, 6);
    add_crs(aml, crs);
    aml_end(aml);

    begin_pnp(aml, "KBD", "PNP0303");
    aml_name_int(aml, "_STA", 0x0F);
    crs = g_byte_array_new();
    resource_io(crs, 0x60, 0x60, 1, 1);
    resource_io(crs, 0x64, 0x64, 1, 1);
    resource_irq(crs, 1);
    add_crs(aml, crs);
    aml_end(aml);

    begin_pnp(aml, "MOU", "PNP0F13");
    aml_name_int(aml, "_STA", 0x0F);
    crs = g_byte_array_new();
    resource_irq(crs, 12);
    add_crs(aml, crs);
    aml_end(aml);

    if (config->has_serial) {
        begin_pnp(aml, "COM1", "PNP0501");
        aml_name_int(aml, "_UID", 1);
        aml_name_int(aml, "_STA", 0x0F);
        crs = g_byte_array_new();
        resource_io(crs, 0x3F8, 0x3F8, 8, 8);
        resource_irq(crs, 4);
        add_crs(aml, crs);
        aml_end(aml);
    }
}

static void build_fw_cfg(Aml *aml)
{
    Resources *crs = g_byte_array_new();

    aml_begin_device(aml, "FWCF");
    aml_name_string(aml, "_HID", "QEMU0002");
    aml_name_int(aml, "_STA", 0x0B);
    resource_io(crs, 0x510, 0x510, 1, 0x0C);
    add_crs(aml, crs);
    aml_end(aml);
}

/* The PCI configuration window is nobody's to give away (PCI Firmware 3.0 §4.1.2). */
static void build_ecam_reservation(Aml *aml, const AcpiConfig *config)
{
    Resources *crs = g_byte_array_new();

    begin_pnp(aml, "DRAC", "PNP0C01");
    if (config->ecam_base)
        resource_memory_fixed(crs, config->ecam_base, ECAM_SIZE, true);
    resource_memory_fixed(crs, 0xFED1C000, 0x4000, true); /* the chipset's own registers */
    add_crs(aml, crs);
    aml_end(aml);
}

static void build_hpet_device(Aml *aml)
{
    Resources *crs = g_byte_array_new();

    begin_pnp(aml, "HPET", "PNP0103");
    aml_name_int(aml, "_UID", 0);
    resource_memory_fixed(crs, 0xFED00000, 0x400, false);
    add_crs(aml, crs);
    aml_end(aml);
}

static void build_cpus(Aml *aml, const AcpiConfig *config)
{
    for (unsigned i = 0; i < config->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);

        aml_begin_device(aml, name);
        aml_name_string(aml, "_HID", "ACPI0007");
        aml_name_int(aml, "_UID", i);
        aml_end(aml);
    }
}

static void build_pci_host(Aml *aml, const AcpiConfig *config)
{
    aml_begin_device(aml, "PCI0");
    aml_name_eisa_id(aml, "_HID", "PNP0A08");
    aml_name_eisa_id(aml, "_CID", "PNP0A03");
    aml_name_int(aml, "_UID", 0);
    aml_name_int(aml, "_BBN", 0);
    build_host_windows(aml, config);
    build_osc(aml);
    build_isa_bridge(aml);
    build_ecam_reservation(aml, config);
    if (config->has_fw_cfg)
        build_fw_cfg(aml);
    aml_end(aml);
    aml_begin_scope(aml, "\\_SB.PCI0.ISA");
    build_isa_devices(aml, config);
    aml_end(aml);
}

/* S4 is an off like S5 to this board: the guest has saved itself. */
static void build_sleep_state(Aml *aml, const char *name, unsigned type)
{
    aml_name(aml, name);
    aml_begin_package(aml, 4);
    aml_int(aml, type);
    aml_int(aml, type);
    aml_int(aml, 0);
    aml_int(aml, 0);
    aml_end(aml);
}

void acpi_build_dsdt(GByteArray *to, const AcpiConfig *config)
{
    g_auto(Aml) aml;

    aml_init(&aml);
    build_pic_method(&aml);
    build_sleep_state(&aml, "\\_S4", ACPI_SLEEP_S4);
    build_sleep_state(&aml, "\\_S5", ACPI_SLEEP_S5);
    aml_begin_scope(&aml, "\\_SB");
    build_pci_host(&aml, config);
    build_link_helpers(&aml);
    for (unsigned i = 0; i < N_LINKS; i++)
        build_pic_link(&aml, i);
    for (unsigned i = 0; i < N_LINKS; i++)
        build_apic_link(&aml, i);
    if (config->has_hpet)
        build_hpet_device(&aml);
    build_cpus(&aml, config);
    aml_end(&aml);
    aml_begin_scope(&aml, "\\_SB.PCI0"); /* after the links it names */
    build_prt(&aml);
    aml_end(&aml);

    acpi_put_header(to, "DSDT", 2);
    g_byte_array_append(to, aml.bytes->data, aml.bytes->len);
}
