/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/geometry.h"
#include <math.h>

void display_geometry_fit(unsigned guest_width, unsigned guest_height, double widget_width,
                          double widget_height, double scale, DisplayGeometry *out)
{
    *out = (DisplayGeometry){ .zoom = 1, .nearest = true };
    if (guest_width == 0 || guest_height == 0 || widget_width <= 0 || widget_height <= 0)
        return;
    double device_width = floor(widget_width * scale), device_height = floor(widget_height * scale);
    double fit = fmin(device_width / guest_width, device_height / guest_height);
    if (fit >= 1) {
        out->zoom = floor(fit);
    } else {
        out->zoom = fit;
        out->nearest = false;
    }
    double width = guest_width * out->zoom, height = guest_height * out->zoom;
    /* On whole device pixels, or nothing is sharp. */
    out->x = floor((device_width - width) / 2) / scale;
    out->y = floor((device_height - height) / 2) / scale;
    out->width = width / scale;
    out->height = height / scale;
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
