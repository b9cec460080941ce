/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine whose firmware is a guest of some dozen instructions (tiny-guest.S): it does its work
 * at once on any CPU. Included by the tests that need no more of a guest. */

#include "core/machine/machine.h"

typedef enum {
    TINY_WRITES_COUNTERS, /* all over video memory, which it moves about */
    TINY_LOOKS,           /* at the local APIC under video memory; its version is the exit code */
    TINY_DRAWS,  /* through the VGA window, plane by plane; 1 when all was where it belongs */
    TINY_STARTS, /* each CPU resets and starts the others, for ever */
    TINY_LEVELS, /* takes a level-triggered interrupt again and again; 2: some for nothing */
    TINY_FLOODS, /* the log of what is written to video memory */
    TINY_READS, /* a virtio disk, told of each answer by a message; 1 when there was one for each */
    TINY_READS_BY_LEVEL, /* the same, told by INTx */
    TINY_WRAPS /* at 1 MiB, with the A20 gate closed and open; 1 when it does as it should */
} TinyGuest;

/* 16 MiB, powered off. */
Machine *tiny_machine_new(const CpuOps *cpu, unsigned n_cpus, TinyGuest guest, GError **error);
/* With a virtio disk of 128 sectors at @path, each of which begins with its number, to be read
 * @n_requests times. */
Machine *tiny_machine_new_with_disk(const CpuOps *cpu, TinyGuest guest, const char *path,
                                    unsigned n_requests, GError **error);
