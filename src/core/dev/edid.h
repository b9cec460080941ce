/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the monitor says of itself: a block of VESA E-EDID 1.4. Included by display devices. */

#include <glib.h>
#include <stdint.h>

#define EDID_SIZE 128

/* Fills @out with a monitor that prefers @width × @height at 60 Hz. */
void edid_build(uint8_t out[EDID_SIZE], unsigned width, unsigned height);
