/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* For test guests: a write to port 501h ends the run with that value (QEMU's isa-debug-exit). Only
 * in machines whose MachineConfig asks for it. */

#include "core/dev/device.h"
#include "core/memory/address-space.h"

/* @exited is called with the board lock held. */
Device *debug_exit_new(AddressSpace *ports, void (*exited)(void *opaque, uint32_t value),
                       void *opaque);
