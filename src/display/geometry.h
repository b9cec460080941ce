/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where a guest's picture goes inside a widget, and how it is sampled: pure arithmetic, tested at
 * every scale. Included by the presenters and by whoever turns pointer positions into guest pixels.
 */

#include <stdbool.h>

typedef struct {
    double x, y, width, height; /* of the picture, in widget (logical) units */
    double zoom;                /* device pixels a guest pixel takes */
    bool nearest;               /* sharp: sample without smoothing */
} DisplayGeometry;

/* @scale: device pixels a logical unit (1, 1.25, 2 …). The picture is as large as fits. When it
 * fits one to one and does not fit twice, or a whole number of times, it is shown at that whole
 * number, centred on device pixels, sharp; else it is scaled to fit, smooth, letter-boxed. */
void display_geometry_fit(unsigned guest_width, unsigned guest_height, double widget_width,
                          double widget_height, double scale, DisplayGeometry *out);
/* The guest pixel under widget position @x, @y, clamped to the picture; false when it lies outside.
 */
bool display_geometry_to_guest(const DisplayGeometry *geometry, unsigned guest_width,
                               unsigned guest_height, double x, double y, unsigned *out_x,
                               unsigned *out_y);
