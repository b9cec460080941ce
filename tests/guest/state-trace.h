/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The whole state of a deterministic machine at intervals, in a file: a line each, with the
 * instructions retired, the registers by name and a hash of memory. Two runs of one guest are the
 * same as far as their files are. Included by machine-runner.c. */

#include "core/machine/machine.h"

/* The software CPU with a look at its state; for MachineConfig.cpu. One machine a process. */
const CpuOps *state_trace_ops(void);
/* Before @machine, made with state_trace_ops(), starts: writes to @path each time that the clock
 * has gone @every nanoseconds (instructions) further. The first line has @at as its time. */
bool state_trace_attach(Machine *machine, const char *path, uint64_t at, uint64_t every,
                        GError **error);
/* To see that a difference is found: flips bit 4 of RDX at the first look after @at. */
void state_trace_plant(uint64_t at);
/* When it has stopped. */
void state_trace_detach(void);
