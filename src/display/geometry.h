/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where a guest's picture goes inside a widget, and how it is sampled: pure arithmetic, tested at
 * every scale. Included by the presenters and by whoever turns pointer positions into guest pixels.
 */

#include <stdbool.h>

/* A widget, in logical units. */
typedef struct {
    double x, y; /* of its corner on the surface: at a fractional scale that is between pixels */
    double width, height;
    double scale; /* device pixels a logical unit (1, 1.25, 2 …) */
} DisplayPlace;

typedef struct {
    double x, y, width, height; /* of the picture, in logical units, from the widget's corner */
    double zoom;                /* device pixels a guest pixel takes */
    bool nearest;               /* sharp: sample without smoothing */
} DisplayGeometry;

/* The picture is as large as fits. When it fits one to one and does not fit twice, or a whole
 * number of times, it is shown at that whole number, its edges on device pixels, sharp; else it is
 * scaled to fit, smooth. It is centred and letter-boxed. */
void display_geometry_fit(unsigned guest_width, unsigned guest_height, const DisplayPlace *place,
                          DisplayGeometry *out);
/* The guest pixel under widget position @x, @y, clamped to the picture; false when it lies outside.
 */
bool display_geometry_to_guest(const DisplayGeometry *geometry, unsigned guest_width,
                               unsigned guest_height, double x, double y, unsigned *out_x,
                               unsigned *out_y);
