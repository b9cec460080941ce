/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What machines run on here, by the engine's own words. Included by what tells users before a
 * machine runs: the doctor, the preflight. */

#include <glib.h>
#include <stdbool.h>

typedef struct {
    bool is_kvm;            /* a machine that is set to "auto" runs on KVM */
    char *backend, *reason; /* owned: "kvm", "software"; "faster", "slow", "no-permission", … */
    char *words, *remedy;   /* owned: why, and what to do for more speed, or "" */
    double kvm_mips, software_mips; /* 0: not measured */
} HostCpu;

/* Asks the engine, which measures if it must: at most some 100 ms. @fresh: it measures in any case.
 * NULL and @error when there is no engine. Any thread. */
HostCpu *client_probe_cpu(bool fresh, GError **error);
void host_cpu_free(HostCpu *cpu);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostCpu, host_cpu_free)
