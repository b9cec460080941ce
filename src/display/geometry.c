/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/geometry.h"
#include <math.h>

/* Of what should be a whole number, but for the last bits. */
#define ROUNDING 1e-6

void display_geometry_fit(unsigned guest_width, unsigned guest_height, const DisplayPlace *place,
                          DisplayGeometry *out)
{
    *out = (DisplayGeometry){ .zoom = 1, .nearest = true };
    if (guest_width == 0 || guest_height == 0 || place->width <= 0 || place->height <= 0)
        return;
    /* The device pixels that lie wholly inside. */
    double left = ceil(place->x * place->scale - ROUNDING),
           top = ceil(place->y * place->scale - ROUNDING);
    double columns = floor((place->x + place->width) * place->scale + ROUNDING) - left;
    double rows = floor((place->y + place->height) * place->scale + ROUNDING) - top;
    if (columns < 1 || rows < 1)
        return;
    double fit = fmin(columns / guest_width, rows / guest_height);
    out->nearest = fit >= 1;
    out->zoom = out->nearest ? floor(fit) : fit;
    double width = fmax(floor(guest_width * out->zoom + ROUNDING), 1),
           height = fmax(floor(guest_height * out->zoom + ROUNDING), 1);
    /* On whole device pixels, or nothing is sharp. */
    out->x = (left + floor((columns - width) / 2)) / place->scale - place->x;
    out->y = (top + floor((rows - height) / 2)) / place->scale - place->y;
    out->width = width / place->scale;
    out->height = height / place->scale;
}

static unsigned clamp_pixel(double value, unsigned size)
{
    if (value < 0)
        return 0;
    return value >= size ? size - 1 : (unsigned)value;
}

bool display_geometry_to_guest(const DisplayGeometry *geometry, unsigned guest_width,
                               unsigned guest_height, double x, double y, unsigned *out_x,
                               unsigned *out_y)
{
    if (guest_width == 0 || guest_height == 0 || geometry->width <= 0)
        return false;
    double gx = (x - geometry->x) * guest_width / geometry->width;
    double gy = (y - geometry->y) * guest_height / geometry->height;
    *out_x = clamp_pixel(gx, guest_width);
    *out_y = clamp_pixel(gy, guest_height);
    return gx >= 0 && gy >= 0 && gx < guest_width && gy < guest_height;
}
