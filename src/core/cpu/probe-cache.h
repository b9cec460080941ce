/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The figures of the CPU probe in a file, with what they hold for. Included by probe.c. */

#include "core/cpu/probe.h"

/* True: @path has figures of this boot, kernel and /dev/kvm, now in @probe. */
bool probe_cache_load(const char *path, CpuProbe *probe);
/* Keeps the figures of @probe, a KVM that works. Quiet when it cannot. */
void probe_cache_save(const char *path, const CpuProbe *probe);
