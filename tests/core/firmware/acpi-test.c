/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The ACPI and SMBIOS tables as a guest finds them: placed in memory, pointers followed, checksums
 * added up, and disassembled by iasl where it is installed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/firmware/acpi.h"
#include "core/firmware/smbios.h"
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define TABLES_GPA 0x3FFE0000u

static const AcpiConfig usual = {
    .n_cpus = 4,
    .low_ram_end = 0x40000000,
    .high_ram_end = UINT64_C(1) << 32,
    .ecam_base = 0xB0000000,
    .pm_base = 0x600,
    .has_serial = true,
    .has_hpet = true,
    .has_fw_cfg = true,
};

static uint64_t get(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, at, size);
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t length)
{
    uint8_t total = 0;

    while (length--)
        total += *bytes++;
    return total;
}

static void build_placed(AcpiTables *tables, const AcpiConfig *config)
{
    acpi_tables_build(tables, config);
    acpi_tables_place(tables, TABLES_GPA);
}

/* A table by its guest address, checked to lie within the blob. */
static const uint8_t *table_at(const AcpiTables *tables, uint64_t gpa)
{
    assert_in_range(gpa, TABLES_GPA, TABLES_GPA + tables->tables->len - 36);
    return tables->tables->data + (gpa - TABLES_GPA);
}

static const uint8_t *find_table(const AcpiTables *tables, const char *signature)
{
    const uint8_t *xsdt = table_at(tables, get(tables->rsdp->data + 24, 8));

    for (unsigned at = 36; at < get(xsdt + 4, 4); at += 8) {
        const uint8_t *table = table_at(tables, get(xsdt + at, 8));
        if (memcmp(table, signature, 4) == 0)
            return table;
    }
    return NULL;
}

static void every_table_adds_up_to_zero(void **state)
{
    g_auto(AcpiTables) tables;
    build_placed(&tables, &usual);

    assert_memory_equal(tables.rsdp->data, "RSD PTR ", 8);
    assert_int_equal(sum(tables.rsdp->data, 20), 0);
    assert_int_equal(sum(tables.rsdp->data, 36), 0);
    const uint8_t *xsdt = table_at(&tables, get(tables.rsdp->data + 24, 8));
    const uint8_t *rsdt = table_at(&tables, get(tables.rsdp->data + 16, 4));
    assert_int_equal(sum(xsdt, get(xsdt + 4, 4)), 0);
    assert_int_equal(sum(rsdt, get(rsdt + 4, 4)), 0);
    assert_int_equal((get(xsdt + 4, 4) - 36) / 8, (get(rsdt + 4, 4) - 36) / 4);
    for (unsigned at = 36; at < get(xsdt + 4, 4); at += 8) {
        const uint8_t *table = table_at(&tables, get(xsdt + at, 8));
        assert_int_equal(sum(table, get(table + 4, 4)), 0);
    }
    const uint8_t *fadt = find_table(&tables, "FACP");
    const uint8_t *dsdt = table_at(&tables, get(fadt + 140, 8));
    assert_int_equal(sum(dsdt, get(dsdt + 4, 4)), 0);
    assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
    assert_memory_equal(table_at(&tables, get(fadt + 36, 4)), "FACS", 4);
    assert_int_equal(get(fadt + 36, 4) % 64, 0);
}

static void tables_tell_what_firmware_programmed(void **state)
{
    g_auto(AcpiTables) tables;
    AcpiConfig config = usual;
    config.pm_base = 0xB000;
    config.ecam_base = 0xE0000000;
    build_placed(&tables, &config);

    const uint8_t *fadt = find_table(&tables, "FACP");
    assert_int_equal(get(fadt + 56, 4), 0xB000);
    assert_int_equal(get(fadt + 76, 4), 0xB008);
    assert_int_equal(get(fadt + 148 + 4, 8), 0xB000);
    assert_int_equal(get(find_table(&tables, "MCFG") + 44, 8), 0xE0000000);
}

static void madt_has_a_local_apic_for_each_cpu(void **state)
{
    g_auto(AcpiTables) tables;
    build_placed(&tables, &usual);
    const uint8_t *madt = find_table(&tables, "APIC");
    unsigned n_local = 0, n_io = 0;

    for (unsigned at = 44; at < get(madt + 4, 4); at += madt[at + 1]) {
        assert_true(madt[at + 1] >= 6);
        n_local += madt[at] == 0;
        n_io += madt[at] == 1;
    }
    assert_int_equal(n_local, 4);
    assert_int_equal(n_io, 1);
}

static void disassemble(const char *directory, const uint8_t *table)
{
    g_autofree char *name = g_strdup_printf("%.4s.aml", (const char *)table);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *dsl = g_strdup_printf("%.*sdsl", (int)strlen(path) - 3, path);
    const char *const steps[][4] = { { "iasl", "-d", path, NULL }, { "iasl", "-we", dsl, NULL } };

    assert_true(g_file_set_contents(path, (const char *)table, get(table + 4, 4), NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;
        int status;
        assert_true(g_spawn_sync(directory, (char **)steps[i], NULL, G_SPAWN_SEARCH_PATH, NULL,
                                 NULL, &out, &err, &status, NULL));
        if (status || strstr(out, "Warning ") || strstr(err, "Warning "))
            fail_msg("%s: %s%s", name, out, err);
        if (i == 1 && !strstr(out, " 0 Errors, 0 Warnings"))
            fail_msg("%s: %s%s", name, out, err);
    }
}

static void iasl_finds_nothing_wrong(void **state)
{
    g_autofree char *iasl = g_find_program_in_path("iasl");
    if (!iasl)
        skip();
    g_autofree char *directory = g_dir_make_tmp("acpi-XXXXXX", NULL);
    g_auto(AcpiTables) tables;
    build_placed(&tables, &usual);
    const uint8_t *xsdt = table_at(&tables, get(tables.rsdp->data + 24, 8));

    for (unsigned at = 36; at < get(xsdt + 4, 4); at += 8)
        disassemble(directory, table_at(&tables, get(xsdt + at, 8)));
    disassemble(directory, table_at(&tables, get(find_table(&tables, "FACP") + 140, 8)));

    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_unlink(path);
    }
    g_rmdir(directory);
}

static void smbios_structures_are_counted_and_closed(void **state)
{
    static const uint8_t uuid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    SmbiosConfig config = {
        .uuid = uuid, .n_cpus = 2, .memory_bytes = UINT64_C(5) << 30, .low_ram_end = 0x80000000
    };
    g_autoptr(GByteArray) anchor = NULL;
    g_autoptr(GByteArray) tables = NULL;
    smbios_build(&config, &anchor, &tables);
    smbios_anchor_place(anchor, 0xF1000);

    assert_int_equal(sum(anchor->data, anchor->data[5]), 0);
    assert_int_equal(sum(anchor->data + 16, 15), 0);
    assert_int_equal(get(anchor->data + 22, 2), tables->len);
    assert_int_equal(get(anchor->data + 24, 4), 0xF1000);
    unsigned n = 0, last = 0;
    for (guint at = 0; at < tables->len; n++) {
        const uint8_t *s = tables->data + at;
        last = s[0];
        if (s[0] == 1)
            assert_memory_equal(s + 8, "\x03\x02\x01\x00\x05\x04\x07\x06\x08\x09", 10);
        at += s[1];
        while (get(tables->data + at, 2) != 0)
            at++;
        at += 2;
    }
    assert_int_equal(n, get(anchor->data + 28, 2));
    assert_int_equal(last, 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_adds_up_to_zero),
        cmocka_unit_test(tables_tell_what_firmware_programmed),
        cmocka_unit_test(madt_has_a_local_apic_for_each_cpu),
        cmocka_unit_test(iasl_finds_nothing_wrong),
        cmocka_unit_test(smbios_structures_are_counted_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
