/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where distributions put firmware images. Included by the core, which loads them, and by front
 * ends, which say what is missing before a machine is started. */

#include <stdbool.h>

/* A UEFI firmware is two images that belong together: its code, and the variables of a machine that
 * has never run. */
typedef struct {
    const char *code, *variables;
} UefiFiles;

/* Paths of what is installed; static. NULL: it is not. */
const char *firmware_find_bios(void);
const char *firmware_find_vga_bios(void);
/* The @nth UEFI firmware that is installed, the best one first. False: there are no more. */
bool firmware_find_uefi(unsigned nth, UefiFiles *out_files);
