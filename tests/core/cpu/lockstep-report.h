/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a difference between two CPUs looks like to a reader. Included by lockstep.c. */

#include "cpu-harness.h"

typedef struct {
    const char *field;              /* the first that differs */
    uint64_t n;                     /* instructions until then; 0: not counted */
    const char *const *name;        /* two */
    CpuHarness *const *harness;     /* two */
    const CpuState *before, *after; /* after: two */
} LockstepReport;

/* The instruction at @before (bytes, and disassembled where there is objdump), the registers side
 * by side, the first bytes of memory from @gpa on that differ. Owned. */
char *lockstep_report(const LockstepReport *report, uint64_t gpa, size_t length);
