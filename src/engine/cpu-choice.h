/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The choice of a CPU on this host, with the probe's figures kept in the runtime folder. */

#include "core/cpu/choose.h"
#include "model/definition.h"

/* What @definition runs on. Blocks as cpu_probe() does. */
CpuDecision cpu_choice_make(const Definition *definition);
/* KVM was chosen and @failure came of it at the start: looks what has become of KVM, and chooses
 * again. */
CpuDecision cpu_choice_make_again(const Definition *definition, const GError *failure);

/* For clients, a key file that client/host-cpu.h reads: what a machine that is set to "auto" would
 * run on. @fresh: measured anew. */
char *cpu_choice_dup_report(bool fresh);
