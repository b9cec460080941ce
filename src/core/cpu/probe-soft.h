/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* How fast the software CPU is here, measured with the guest that KVM is measured with. Included by
 * probe.c. */

#include "core/cpu/probe-guest.h"

/* Runs @guest (initialised) on a software CPU of its own, on this thread, for little more than its
 * budget. False when there is not the memory for one, or this host cannot run it. */
bool probe_soft_run(ProbeGuest *guest);
