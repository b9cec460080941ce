/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Finds firmware images where distributions install them, and loads them. Included by the board. */

#include "core/memory/ram.h"
#include "model/firmware-files.h"

typedef enum { ROM_SEABIOS, ROM_VGABIOS, ROM_UEFI } RomKind;

/* The image at @path, or with NULL the first found in the distributions' places, as a Ram block
 * that holds exactly the file, rounded up to whole pages in front (what ends at 4 GiB) or behind
 * (an option ROM). Errors name the file, or the package that has it. */
Ram *rom_load(RomKind kind, const char *path, GError **error);

/* The UEFI firmware for a machine that keeps its variables in @kept (NULL, or not there yet: the
 * best one): variables stay with firmware of the same layout. */
bool rom_choose_uefi(const char *kept, UefiFiles *out_files, GError **error);
