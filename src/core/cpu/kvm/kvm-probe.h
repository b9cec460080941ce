/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Whether a KVM that opens can also run a guest, and how fast: a throw-away virtual machine is
 * made as the backend makes its own, and runs the probe's guest. Included by core/cpu/probe.c. */

#include "core/cpu/kvm/kvm-device.h"
#include <stdint.h>

typedef struct {
    KvmTrouble trouble; /* NONE: it works */
    double mips;        /* of 64-bit kernel-mode code; 0 with a trouble */
} KvmProbe;

/* Measures for about @budget_ns. A guest that is not through after @limit_ns is told to end, and
 * left behind where KVM does not listen; so it is where making the machine takes half a second.
 * Time in which the host has no processor for it does not count, up to two seconds. Any thread. */
void kvm_probe(int64_t budget_ns, int64_t limit_ns, KvmProbe *out_probe);
