/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Every class of instructions on two CPUs. Included by lockstep-main.c. */

#include "lockstep.h"

/* Runs each piece of lockstep-classes.asm twice: in steps, then to its end at full speed; and says
 * of each how often KVM had an instruction executed for it. The first report (owned) with the
 * piece's name, or NULL: they agree. */
char *lockstep_classes(Lockstep *lockstep, const char *image, uint64_t *out_n);
