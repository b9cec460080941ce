/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/text-screen.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>

#define COLUMNS 12
static const char text[] = "login: root\n  /etc/motd  \nA long one w\nraps here\n\nüber ─\n";

static TextScreen *screen;

static int setup(void **state)
{
    screen = text_screen_new(text, COLUMNS, 6, 7, 0);
    return 0;
}

static int teardown(void **state)
{
    text_screen_free(screen);
    return 0;
}

static void assert_span(TextSpan span, const char *expected)
{
    g_autofree char *got = text_screen_dup_span(screen, span);
    assert_string_equal(got, expected);
}

static void rows_are_joined_by_lines_without_trailing_blanks(void **state)
{
    assert_span(text_screen_all(screen),
                "login: root\n  /etc/motd\nA long one w\nraps here\n\nüber ─");
    assert_span(text_screen_span(screen, 7, COLUMNS + 5), "root\n  /etc");
    assert_span(text_screen_span(screen, COLUMNS + 5, 7), "root\n  /etc");
    assert_span(text_screen_span(screen, -5, 4), "login");
}

static void a_double_click_takes_a_path_a_triple_one_the_line(void **state)
{
    assert_span(text_screen_word_at(screen, COLUMNS + 5), "/etc/motd");
    assert_span(text_screen_word_at(screen, COLUMNS), "");
    assert_span(text_screen_line_at(screen, COLUMNS + 5), "  /etc/motd");
    assert_span(text_screen_word_at(screen, 5 * COLUMNS + 1), "über");
}

static void places_are_clamped_to_cells(void **state)
{
    assert_int_equal(text_screen_cell_at(screen, 0, 0), 0);
    assert_int_equal(text_screen_cell_at(screen, 1, 1), 6 * COLUMNS - 1);
    assert_int_equal(text_screen_cell_at(screen, -3, 99), 5 * COLUMNS);
    assert_int_equal(text_screen_cell_at(screen, 7.5 / COLUMNS, 0.01), 7);
}

static void a_search_knows_no_case_and_follows_wrapped_lines(void **state)
{
    static const struct {
        const char *needle;
        int first;
        unsigned n;
    } searches[] = { { "ROOT", 7, 1 },           { "wraps", 2 * COLUMNS + 11, 1 },
                     { "Über", 5 * COLUMNS, 1 }, { "o", 1, 6 },
                     { "nothing", 0, 0 },        { "", 0, 0 } };
    for (size_t i = 0; i < G_N_ELEMENTS(searches); i++) {
        g_autoptr(GArray) found = text_screen_find(screen, searches[i].needle);
        assert_int_equal(found->len, searches[i].n);
        if (found->len)
            assert_int_equal(g_array_index(found, TextSpan, 0).start, searches[i].first);
    }
}

static void what_no_screen_has_is_refused_or_cut(void **state)
{
    static const int wrong[][2] = { { 0, 25 },        { 80, 0 }, { -1, 25 }, { INT_MAX, INT_MAX },
                                    { 65536, 65536 }, { 401, 1 } };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_null(text_screen_new("x", wrong[i][0], wrong[i][1], 0, 0));
    assert_null(text_screen_new("\xff\xfe", 80, 25, 0, 0));
    g_autoptr(TextScreen) small = text_screen_new("abcdef\nghi\njkl\x01\n", 3, 2, INT_MAX, INT_MIN);
    g_autofree char *all = text_screen_dup_span(small, text_screen_all(small));
    assert_string_equal(all, "abc\nghi");
    assert_int_equal(small->cursor_x, -1);
}

static void only_the_words_count_when_screens_are_compared(void **state)
{
    g_autoptr(TextScreen) same = text_screen_new(text, COLUMNS, 6, 0, 0);
    g_autoptr(TextScreen) other = text_screen_new("login: toor", COLUMNS, 6, 7, 0);
    assert_true(text_screen_equal(screen, same));
    assert_false(text_screen_equal(screen, other));
    assert_false(text_screen_equal(screen, NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_joined_by_lines_without_trailing_blanks),
        TEST(a_double_click_takes_a_path_a_triple_one_the_line),
        TEST(places_are_clamped_to_cells),
        TEST(a_search_knows_no_case_and_follows_wrapped_lines),
        TEST(what_no_screen_has_is_refused_or_cut),
        TEST(only_the_words_count_when_screens_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
