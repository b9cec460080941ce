/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The pair of 8237A DMA controllers (ICH9 datasheet §13.2) with their page registers: ports 00-0F,
 * 80-8F (80h is also where firmware posts its progress) and C0-DF. No device of this board moves
 * data through them; the registers behave, so that probing software finds a PC. */

#include "core/dev/device.h"
#include "core/memory/address-space.h"

Device *dma8237_new(AddressSpace *ports);
