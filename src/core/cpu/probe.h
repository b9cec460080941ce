/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What this computer's KVM is worth: whether it can be had, whether it runs a guest, and how fast
 * beside the software CPU. Measured once a boot of the host and kept in a file. Included by the
 * engine. */

#include "core/cpu/kvm/kvm-device.h"

typedef struct {
    KvmTrouble trouble;   /* NONE: KVM works */
    double kvm_mips;      /* million instructions a second of kernel-mode code; 0: not … */
    double software_mips; /* … measured, as with a trouble */
    bool was_known;       /* the figures are from @cache_path */
} CpuProbe;

/* Opens and checks KVM; where that goes well, takes the figures from the file @cache_path (NULL:
 * none) if they were measured on this boot, kernel and device, or measures anew and keeps them
 * there. A file that is damaged or cannot be written costs time and nothing else. At most 100 ms,
 * less than one with known figures. Any thread. */
void cpu_probe(const char *cache_path, CpuProbe *out_probe);
