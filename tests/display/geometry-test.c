/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/geometry.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void fit(unsigned guest_width, unsigned guest_height, double width, double height,
                double scale, DisplayGeometry *out)
{
    const DisplayPlace place = { .width = width, .height = height, .scale = scale };
    display_geometry_fit(guest_width, guest_height, &place, out);
}

static void a_picture_that_fits_is_sharp_at_a_whole_zoom(void **state)
{
    DisplayGeometry g;
    fit(720, 400, 1000, 700, 1, &g);
    assert_true(g.zoom == 1 && g.nearest && g.x == 140 && g.y == 150);
    fit(720, 400, 1500, 850, 1, &g);
    assert_true(g.zoom == 2 && g.nearest && g.width == 1440 && g.height == 800);
}

static void a_picture_too_large_is_scaled_smoothly_and_letter_boxed(void **state)
{
    DisplayGeometry g;
    fit(1600, 1200, 800, 800, 1, &g);
    assert_true(!g.nearest && g.zoom == 0.5);
    assert_true(g.x == 0 && g.y == 100 && g.width == 800 && g.height == 600);
}

static void edges_lie_on_device_pixels_at_every_scale(void **state)
{
    static const double scales[] = { 1, 1.25, 1.5, 1.75, 2, 3 };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        for (int width = 700; width < 760; width++) {
            DisplayGeometry g;
            fit(640, 480, width, 531, scales[i], &g);
            double left = g.x * scales[i], size = g.width * scales[i];
            assert_true(fabs(left - round(left)) < 1e-6);
            assert_true(fabs(size - 640 * g.zoom) < 1e-6);
            assert_true(g.x >= 0 && g.x + g.width <= width + 1e-9);
        }
}

/* A header of 47 logical units ends between two pixels at 1.25. */
static void a_corner_between_pixels_is_made_up_for(void **state)
{
    static const double scales[] = { 1, 1.25, 1.5, 1.75, 2 };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        for (int corner = 0; corner < 60; corner++) {
            DisplayGeometry g;
            const DisplayPlace place = { 14, corner, 801, 601, scales[i] };
            display_geometry_fit(640, 480, &place, &g);
            double left = (place.x + g.x) * place.scale, top = (place.y + g.y) * place.scale;
            assert_true(g.nearest);
            assert_true(fabs(left - round(left)) < 1e-6);
            assert_true(fabs(top - round(top)) < 1e-6);
            assert_true(fabs(g.width * place.scale - 640 * g.zoom) < 1e-6);
            assert_true(g.x >= 0 && g.y >= 0 && g.x + g.width <= place.width + 1e-6 &&
                        g.y + g.height <= place.height + 1e-6);
            /* in the middle, but for what does not halve */
            assert_true(fabs(2 * g.x + g.width - place.width) * place.scale < 3);
            assert_true(fabs(2 * g.y + g.height - place.height) * place.scale < 3);
        }
}

/* What the guest was asked to make: the widget's own device pixels. */
static void a_mode_of_the_widgets_device_pixels_is_shown_one_to_one(void **state)
{
    static const double scales[] = { 1, 1.25, 1.5, 1.75, 2 };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        DisplayGeometry g;
        unsigned width = (unsigned)floor(1000 * scales[i]),
                 height = (unsigned)floor(700 * scales[i]);
        fit(width, height, 1000, 700, scales[i], &g);
        assert_true(g.zoom == 1 && g.nearest);
        fit(width + 1, height, 1000, 700, scales[i], &g);
        assert_true(g.zoom < 1 && !g.nearest);
        assert_true(g.width * scales[i] <= width && g.width > 0);
    }
}

static void whole_zooms_are_of_device_pixels(void **state)
{
    static const struct {
        double scale, zoom;
    } expected[] = { { 1, 1 }, { 1.25, 1 }, { 1.5, 1 }, { 1.75, 2 }, { 2, 2 } };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        DisplayGeometry g;
        fit(720, 400, 840, 600, expected[i].scale, &g);
        assert_true(g.zoom == expected[i].zoom && g.nearest);
    }
}

static void nothing_to_show_is_no_division(void **state)
{
    DisplayGeometry g;
    unsigned x = 7, y = 7;
    fit(0, 0, 100, 100, 1, &g);
    assert_true(g.width == 0);
    assert_false(display_geometry_to_guest(&g, 0, 0, 5, 5, &x, &y));
    fit(640, 480, 0, 0, 1, &g);
    assert_false(display_geometry_to_guest(&g, 640, 480, 5, 5, &x, &y));
    assert_int_equal(x, 7);
}

static void positions_become_guest_pixels_and_are_clamped_outside(void **state)
{
    DisplayGeometry g;
    unsigned x, y;
    fit(100, 50, 300, 200, 1, &g); /* zoom 3, at 0, 25 */
    assert_true(display_geometry_to_guest(&g, 100, 50, 0, 25, &x, &y));
    assert_true(x == 0 && y == 0);
    assert_true(display_geometry_to_guest(&g, 100, 50, 299.9, 174.9, &x, &y));
    assert_true(x == 99 && y == 49);
    assert_false(display_geometry_to_guest(&g, 100, 50, -50, 500, &x, &y));
    assert_true(x == 0 && y == 49);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_that_fits_is_sharp_at_a_whole_zoom),
        cmocka_unit_test(a_picture_too_large_is_scaled_smoothly_and_letter_boxed),
        cmocka_unit_test(edges_lie_on_device_pixels_at_every_scale),
        cmocka_unit_test(a_corner_between_pixels_is_made_up_for),
        cmocka_unit_test(a_mode_of_the_widgets_device_pixels_is_shown_one_to_one),
        cmocka_unit_test(whole_zooms_are_of_device_pixels),
        cmocka_unit_test(nothing_to_show_is_no_division),
        cmocka_unit_test(positions_become_guest_pixels_and_are_clamped_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
