/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* SMBIOS 2.8 tables (DMTF DSP0134): who made the machine, its UUID, its CPUs and memory. Firmware
 * takes the anchor and the tables from fw_cfg files and puts them in memory itself. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SMBIOS_FILE_ANCHOR "etc/smbios/smbios-anchor"
#define SMBIOS_FILE_TABLES "etc/smbios/smbios-tables"

typedef struct {
    const uint8_t *uuid; /* 16 bytes, in the order that they are written */
    const char *name;    /* of the machine: the serial number's place stays empty */
    unsigned n_cpus;
    uint64_t memory_bytes, low_ram_end; /* the rest begins at 4 GiB */
} SmbiosConfig;

/* The two files; the anchor's table address is 0 and its checksums hold for that. */
void smbios_build(const SmbiosConfig *config, GByteArray **out_anchor, GByteArray **out_tables);
/* Sets the address and makes the checksums good again. */
void smbios_anchor_place(GByteArray *anchor, uint32_t tables_gpa);
