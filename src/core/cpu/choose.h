/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Which CPU a machine runs on, and why: a function of what is wanted and what the host has.
 * Included by the engine, which has the words for it (engine/cpu-words.h). */

#include "core/cpu/cpu.h"
#include "core/cpu/probe.h"

typedef enum {
    CPU_WISH_AUTO,
    CPU_WISH_KVM,
    CPU_WISH_SOFTWARE,
} CpuWish;

typedef enum {
    CPU_REASON_SET,           /* it is wished so */
    CPU_REASON_FASTER,        /* KVM works, and is faster */
    CPU_REASON_SLOW,          /* KVM works, and is slower: not used, or used because it is wished */
    CPU_REASON_TROUBLE,       /* KVM does not work: probe.trouble */
    CPU_REASON_DETERMINISTIC, /* a run that can be repeated exactly is the software CPU's */
} CpuReason;

typedef struct {
    const CpuOps *ops; /* NULL: KVM is wished and does not work; the machine does not start */
    CpuReason reason;
    CpuProbe probe; /* zeroed where it played no part */
} CpuDecision;

/* Whether cpu_decide() will look at a probe at all. */
bool cpu_needs_probe(CpuWish wish, bool deterministic);
/* @probe: may be NULL where none is needed. With @deterministic the wish is AUTO or SOFTWARE. */
CpuDecision cpu_decide(CpuWish wish, bool deterministic, const CpuProbe *probe);
/* After KVM was decided for and failed at the start with @trouble. */
CpuDecision cpu_decide_again(CpuWish wish, const KvmTrouble *trouble);
