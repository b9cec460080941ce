/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The debug console at port 402h: firmware writes its log here, and knows it by reading E9h. */

#include "core/dev/char-backend.h"
#include "core/dev/device.h"
#include "core/memory/address-space.h"

Device *debugcon_new(AddressSpace *ports, CharBackend *chr);
