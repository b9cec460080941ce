/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The ACPI tables of the PC: RSDP, XSDT and RSDT, FADT, FACS, DSDT, MADT, HPET, MCFG, WAET.
 * Firmware gets them as two blobs and a loader script (fw_cfg files etc/acpi/tables, etc/acpi/rsdp,
 * etc/table-loader) when it asks, so that they tell what it has programmed by then; a directly
 * booted kernel finds them placed in memory. Included by the board. ACPI 6.4. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_RSDP "etc/acpi/rsdp"
#define ACPI_FILE_LOADER "etc/table-loader"

typedef struct {
    unsigned n_cpus;
    uint64_t low_ram_end;  /* end of the RAM below 4 GiB */
    uint64_t high_ram_end; /* end of the RAM above 4 GiB; 4 GiB when there is none */
    uint64_t ecam_base;    /* 0: the window is off */
    uint16_t pm_base;      /* the ACPI power management ports */
    bool has_serial;       /* COM1 */
    bool has_hpet, has_fw_cfg;
} AcpiConfig;

typedef struct {
    GByteArray *tables, *rsdp; /* owned; pointers are offsets still, checksums not made */
    GByteArray *loader;        /* owned; the script that finishes them */
} AcpiTables;

void acpi_tables_build(AcpiTables *tables, const AcpiConfig *config);
void acpi_tables_clear(AcpiTables *tables);
/* Carries out the script as firmware would, with the tables blob at this address. */
void acpi_tables_place(AcpiTables *tables, uint64_t tables_gpa);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AcpiTables, acpi_tables_clear)

/* The DSDT's definition block, in acpi-dsdt.c: appended to @to with its header. */
void acpi_build_dsdt(GByteArray *to, const AcpiConfig *config);
/* A table's 36-byte header with zero length and checksum. */
void acpi_put_header(GByteArray *to, const char *signature, uint8_t revision);
