/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a new machine gets when nobody says otherwise: a struct by kind of guest, limited by what
 * this host has. Front ends that know more (libosinfo) pass it in. */

#include "model/definition.h"

typedef struct {
    uint64_t memory_bytes, disk_bytes;
    unsigned n_cpus;
    DefinitionFirmware firmware;
} MachineDefaults;

/* @os: libosinfo short id ("debian12", "win10") or NULL. @minimum_memory, @recommended_memory: of
 * that system, 0 when not known. */
void machine_defaults_get(const char *os, uint64_t minimum_memory, uint64_t recommended_memory,
                          MachineDefaults *out_defaults);
/* Whether every usual version of that system has drivers for virtio devices, so that one more does
 * not show up there as unknown hardware. NULL or "": nobody knows, no. */
bool machine_defaults_has_virtio(const char *os);
/* Memory and processors of this host; 0 and 1 when unknown. */
uint64_t host_memory_bytes(void);
unsigned host_n_cpus(void);
