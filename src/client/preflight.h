/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What stands in the way of a machine on this computer, in plain words and with what to do about
 * it, asked before it is made. Included by the app and vitrinectl. */

#include "client/client.h"
#include "client/host-cpu.h"

typedef enum {
    PREFLIGHT_NOTE,    /* good to know */
    PREFLIGHT_WARNING, /* it will work, and may disappoint */
    PREFLIGHT_FATAL    /* it cannot work */
} PreflightGrade;

typedef struct {
    PreflightGrade grade;
    char *words;  /* owned: what is missing */
    char *remedy; /* owned: what to do, or empty */
} PreflightFinding;

/* What the machine wants: @root is the folder it would be made in; @disk_bytes 0: no new disk. */
typedef struct {
    const char *root;
    uint64_t memory_bytes, disk_bytes;
    DefinitionFirmware firmware;
} PreflightWants;

/* Array of PreflightFinding, the worst first; empty when all is well. Blocks for a look at the file
 * system and for a probe of the CPU; any thread. */
GPtrArray *client_preflight(const PreflightWants *wants);
/* The same, with this host's figures given: for tests. */
typedef struct {
    bool has_engine, has_bios, has_uefi, root_writable;
    const HostCpu *cpu;                 /* NULL: not known */
    uint64_t memory_total, memory_free; /* 0: not known */
    uint64_t space_free;                /* on the file system of the root */
} PreflightHost;
GPtrArray *client_preflight_on(const PreflightWants *wants, const PreflightHost *host);
