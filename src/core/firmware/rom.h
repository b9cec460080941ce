/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Finds firmware images where distributions install them, and loads them. Included by the board. */

#include "core/memory/ram.h"

typedef enum { ROM_SEABIOS, ROM_VGABIOS } RomKind;

/* The image at @path, or with NULL the first found in the distributions' places, as a Ram block
 * that holds exactly the file, rounded up to whole pages in front (a BIOS ends at 4 GiB) or behind
 * (an option ROM). Errors name the file, or the package that has it. */
Ram *rom_load(RomKind kind, const char *path, GError **error);
