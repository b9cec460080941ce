/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/touch.h"
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static Touch touch;
static GString *did;
static bool absolute;

static void feed(TouchPhase phase, int finger, double x, double y, unsigned ms)
{
    static const char fingers[4];
    TouchAction actions[TOUCH_MAX_ACTIONS];
    const TouchEvent event = { phase, &fingers[finger], x, y, ms };
    unsigned n = touch_feed(&touch, &event, absolute, actions);
    for (unsigned i = 0; i < n; i++) {
        static const char *const names[] = { "to", "by", "press", "release", "scroll" };
        g_string_append_printf(did, "%s", names[actions[i].kind]);
        if (actions[i].kind <= TOUCH_DO_MOVE_BY)
            g_string_append_printf(did, " %g,%g", actions[i].x, actions[i].y);
        else if (actions[i].kind == TOUCH_DO_SCROLL)
            g_string_append_printf(did, " %g", actions[i].y);
        else if (actions[i].is_right)
            g_string_append(did, " right");
        g_string_append_c(did, ';');
    }
}

static int setup(void **state)
{
    touch = (Touch){ 0 };
    did = g_string_new(NULL);
    absolute = true;
    return 0;
}

static int teardown(void **state)
{
    g_string_free(did, TRUE);
    return 0;
}

static void a_tap_clicks_where_it_was(void **state)
{
    feed(TOUCH_BEGIN, 0, 50, 60, 0);
    feed(TOUCH_MOVE, 0, 53, 61, 20); /* nobody holds still */
    feed(TOUCH_END, 0, 53, 61, 80);
    assert_string_equal(did->str, "to 50,60;press;release;");
}

static void a_long_tap_is_the_right_button(void **state)
{
    feed(TOUCH_BEGIN, 0, 50, 60, 0);
    feed(TOUCH_END, 0, 50, 60, 700);
    assert_string_equal(did->str, "to 50,60;press right;release right;");
}

static void a_finger_that_moves_drags_from_where_it_began(void **state)
{
    feed(TOUCH_BEGIN, 0, 10, 10, 0);
    feed(TOUCH_MOVE, 0, 30, 10, 20);
    feed(TOUCH_MOVE, 0, 40, 10, 30);
    feed(TOUCH_END, 0, 40, 10, 900);
    assert_string_equal(did->str, "to 10,10;press;to 30,10;to 40,10;release;");
}

static void for_a_mouse_the_screen_is_a_touchpad(void **state)
{
    absolute = false;
    feed(TOUCH_BEGIN, 0, 10, 10, 0);
    feed(TOUCH_MOVE, 0, 30, 15, 20);
    feed(TOUCH_END, 0, 30, 15, 900);
    assert_string_equal(did->str, "by 20,5;");
    feed(TOUCH_BEGIN, 0, 10, 10, 1000);
    feed(TOUCH_END, 0, 10, 10, 1050);
    assert_string_equal(did->str, "by 20,5;press;release;");
}

static void two_fingers_scroll_and_do_not_click(void **state)
{
    feed(TOUCH_BEGIN, 0, 10, 100, 0);
    feed(TOUCH_BEGIN, 1, 60, 100, 5);
    feed(TOUCH_MOVE, 0, 10, 70, 20);
    feed(TOUCH_MOVE, 1, 60, 70, 20);
    feed(TOUCH_END, 0, 10, 70, 50);
    feed(TOUCH_MOVE, 1, 90, 90, 55); /* the one that stays does nothing more */
    feed(TOUCH_END, 1, 90, 90, 60);
    assert_string_equal(did->str, "scroll 0.5;scroll 0.5;");
}

static void two_fingers_tap_with_the_right_button(void **state)
{
    feed(TOUCH_BEGIN, 0, 10, 100, 0);
    feed(TOUCH_BEGIN, 1, 60, 100, 5);
    feed(TOUCH_END, 1, 60, 100, 50);
    feed(TOUCH_END, 0, 10, 100, 60);
    assert_string_equal(did->str, "to 10,100;press right;release right;");
}

static void nothing_stays_pressed_when_the_touch_is_cancelled(void **state)
{
    feed(TOUCH_BEGIN, 0, 10, 10, 0);
    feed(TOUCH_MOVE, 0, 30, 10, 20);
    feed(TOUCH_CANCEL, 0, 30, 10, 30);
    assert_string_equal(did->str, "to 10,10;press;to 30,10;release;");
    g_string_truncate(did, 0);
    feed(TOUCH_BEGIN, 0, 10, 10, 40);
    feed(TOUCH_CANCEL, 0, 10, 10, 50);
    assert_string_equal(did->str, "");
}

static void a_second_finger_ends_a_drag_and_a_third_is_not_seen(void **state)
{
    feed(TOUCH_BEGIN, 0, 10, 10, 0);
    feed(TOUCH_MOVE, 0, 30, 10, 20);
    feed(TOUCH_BEGIN, 1, 60, 10, 30);
    feed(TOUCH_BEGIN, 2, 90, 10, 30);
    feed(TOUCH_END, 2, 90, 10, 40);
    feed(TOUCH_END, 1, 60, 10, 40);
    feed(TOUCH_END, 0, 30, 10, 50);
    assert_string_equal(did->str, "to 10,10;press;to 30,10;release;");
    assert_int_equal(touch.n_down, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_tap_clicks_where_it_was),
        TEST(a_long_tap_is_the_right_button),
        TEST(a_finger_that_moves_drags_from_where_it_began),
        TEST(for_a_mouse_the_screen_is_a_touchpad),
        TEST(two_fingers_scroll_and_do_not_click),
        TEST(two_fingers_tap_with_the_right_button),
        TEST(nothing_stays_pressed_when_the_touch_is_cancelled),
        TEST(a_second_finger_ends_a_drag_and_a_third_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
