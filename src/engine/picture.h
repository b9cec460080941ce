/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A still picture of the guest's screen: to PNG, smaller, to a file. Any thread. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    unsigned width, height;
    uint32_t *pixels; /* owned; x8r8g8b8, rows without gaps */
} Picture;

Picture *picture_new(unsigned width, unsigned height); /* black */
void picture_free(Picture *picture);
/* Averages down so that it is at most @max_width wide; a copy where it is already. */
Picture *picture_scale_down(const Picture *picture, unsigned max_width);
/* NULL and @error on failure. */
GBytes *picture_to_png(const Picture *picture, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Picture, picture_free)
