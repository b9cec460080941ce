/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The host's time slices for vCPUs. Included by the vCPU threads of machine-cpus.c. */

/* Asks for shorter slices for this thread, so that vCPUs which share a core take turns more often:
 * one that is woken by an interrupt waits for those that are busy. A host that cannot (Linux before
 * 6.12) goes on as it did. */
void cpu_slice_shorten(void);
