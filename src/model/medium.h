/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a file that somebody drops on us is: a disc image, a disk image, or something that only
 * looks like one. Reads a few sectors; never trusts the name. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { MEDIUM_DISC, MEDIUM_DISK } MediumKind;

typedef struct {
    MediumKind kind;
    const char *format; /* "iso", "raw", "qcow2" */
    uint64_t size_bytes;
    char *label;     /* owned: volume name of a disc, or empty */
    bool boots;      /* El Torito, a boot sector; true where it cannot be told */
    bool needs_uefi; /* boots by UEFI and not by a BIOS; false where it cannot be told */
    /* owned: for the user, when the file can be used but will likely disappoint; or NULL */
    char *warning;
} Medium;

/* NULL and @error, which names the file and says what to do, when it cannot be used: missing,
 * empty, a folder, an AppImage, truncated, of no known kind. */
Medium *medium_identify(const char *path, GError **error);
void medium_free(Medium *medium);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Medium, medium_free)
