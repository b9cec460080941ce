/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The choice of a CPU in words: the one place that the log, the badge in the app, the doctor and
 * the message of a machine that does not start have them from. */

#include "core/cpu/choose.h"
#include <glib.h>

/* In one word, for programs: "set", "faster", "slow", "deterministic", or what is wrong with KVM:
 * "no-permission", "held", … Static. */
const char *cpu_words_reason_name(const CpuDecision *decision);
/* Why this CPU, or with none, why KVM cannot be had: a sentence or two. */
char *cpu_words_dup_reason(const CpuDecision *decision);
/* What the user can do for a faster machine, in whole sentences; NULL: nothing. */
char *cpu_words_dup_remedy(const CpuDecision *decision);
/* Both. */
char *cpu_words_dup(const CpuDecision *decision);
