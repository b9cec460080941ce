/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "engine/keymap-us.h"
#include "engine/typist.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* A keyboard that writes down what comes, and takes nothing while it is full. */
static GString *seen;
static bool full;
static unsigned queued;

bool i8042_key(I8042 *i8042, unsigned key, bool down)
{
    if (full)
        return false;
    g_string_append_printf(seen, "%s%02x ", down ? "" : "^", key);
    return true;
}

void i8042_mouse(I8042 *i8042, int dx, int dy, int dz, unsigned buttons)
{
    if (dz || buttons || (!dx && !dy))
        g_string_append_printf(seen, "m%d/%u ", dz, buttons);
}

unsigned i8042_keyboard_queued(I8042 *i8042)
{
    return queued;
}

static Typist *typist;
static int result; /* of the last job: -1 none yet, 0 good, else error code + 1 */

static int set_up(void **state)
{
    seen = g_string_new(NULL);
    full = false;
    queued = 0;
    result = -1;
    typist = typist_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    typist_free(typist);
    g_string_free(seen, TRUE);
    return 0;
}

static void on_done(gpointer opaque, const GError *error)
{
    result = error ? error->code + 1 : 0;
}

static void run_until_done(void)
{
    gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
    while (result < 0 && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(result, 0);
}

static void text_becomes_keys_with_shift_where_needed(void **state)
{
    assert_true(typist_type_text(typist, "aB~\n", on_done, NULL, NULL));
    run_until_done();
    assert_string_equal(seen->str, "1e ^1e 2a 30 ^30 ^2a 2a 29 ^29 ^2a 1c ^1c ");
}

static void every_printable_character_has_one_key(void **state)
{
    bool used[2][256] = { 0 };
    for (gunichar c = ' ' + 1; c < 127; c++) {
        unsigned key;
        bool shift;
        assert_true(keymap_from_char(c, &key, &shift));
        assert_in_range(key, 1, 0x7f);
        assert_false(used[shift][key]);
        used[shift][key] = true;
    }
}

static void text_without_key_types_nothing(void **state)
{
    g_autoptr(GError) error = NULL;
    assert_false(typist_type_text(typist, "abcé", on_done, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_INVALID));
    assert_non_null(strstr(error->message, "“é”"));
    assert_string_equal(seen->str, "");
}

static void chords_press_in_order_and_release_in_reverse(void **state)
{
    const char *chords[] = { "ctrl+alt+Delete", "-", "f12", NULL };
    assert_true(typist_press_chords(typist, chords, on_done, NULL, NULL));
    run_until_done();
    assert_string_equal(seen->str, "1d 38 d3 ^d3 ^38 ^1d 0c ^0c 58 ^58 ");
}

static void keys_by_number_are_pressed_and_released_in_turn(void **state)
{
    const uint32_t keys[] = { 0xb8, 0x10, 0x110, 0x1b8 };
    assert_true(typist_press_keys(typist, keys, G_N_ELEMENTS(keys), on_done, NULL, NULL));
    run_until_done();
    assert_string_equal(seen->str, "b8 10 ^10 ^b8 ");
}

static void wrong_or_too_many_key_numbers_press_nothing(void **state)
{
    static const uint32_t wrong[][2] = { { 0x1e, 0 }, { 0x1e, 0x100 }, { 0x1e, 0x200 } };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_false(typist_press_keys(typist, wrong[i], 2, on_done, NULL, NULL));
    g_autofree uint32_t *many = g_new(uint32_t, TYPIST_MAX_KEYS + 1);
    for (size_t i = 0; i <= TYPIST_MAX_KEYS; i++)
        many[i] = 0x1e;
    g_autoptr(GError) error = NULL;
    assert_false(typist_press_keys(typist, many, TYPIST_MAX_KEYS + 1, on_done, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_INVALID));
    g_autofree char *novel = g_strnfill(10 << 20, 'x');
    assert_false(typist_type_text(typist, novel, on_done, NULL, NULL));
    assert_string_equal(seen->str, "");
}

static void an_unknown_key_name_is_refused(void **state)
{
    const char *chords[] = { "ctrl+bogus", NULL };
    g_autoptr(GError) error = NULL;
    assert_false(typist_press_chords(typist, chords, on_done, NULL, &error));
    assert_non_null(strstr(error->message, "“bogus”"));
}

static void live_keys_wait_behind_typed_text_and_keep_their_order(void **state)
{
    assert_true(typist_type_text(typist, "a", on_done, NULL, NULL));
    typist_key(typist, 0x30, true);
    typist_key(typist, 0x30, false);
    assert_true(typist_type_text(typist, "c", on_done, NULL, NULL));
    result = -1;
    assert_true(typist_type_text(typist, "d", on_done, NULL, NULL));
    while (!strstr(seen->str, "^20"))
        g_main_context_iteration(NULL, TRUE);
    assert_true(g_str_has_prefix(seen->str, "1e ^1e 30 ^30 2e ^2e 20 ^20"));
}

static void a_full_keyboard_loses_nothing(void **state)
{
    full = true;
    typist_key(typist, 0x10, true);
    typist_key(typist, 0x10, false);
    assert_string_equal(seen->str, "");
    full = false;
    while (!strstr(seen->str, "^10"))
        g_main_context_iteration(NULL, TRUE);
    assert_string_equal(seen->str, "10 ^10 ");
}

static void typing_waits_until_the_guest_has_read(void **state)
{
    queued = 1;
    assert_true(typist_type_text(typist, "a", on_done, NULL, NULL));
    for (unsigned i = 0; i < 5; i++)
        g_main_context_iteration(NULL, TRUE);
    assert_string_equal(seen->str, "");
    queued = 0;
    run_until_done();
    assert_string_equal(seen->str, "1e ^1e ");
}

static void freeing_answers_who_still_waits(void **state)
{
    assert_true(typist_type_text(typist, "abc", on_done, NULL, NULL));
    typist_free(typist);
    assert_int_equal(result, APP_ERROR_WRONG_STATE + 1);
    typist = typist_new(NULL);
}

static void display_buttons_become_mouse_bits(void **state)
{
    typist_button(typist, 2, true); /* right */
    typist_button(typist, 2, false);
    typist_button(typist, 3, true); /* wheel up */
    typist_button(typist, 4, true); /* wheel down */
    assert_string_equal(seen->str, "m0/2 m0/0 m-1/0 m1/0 ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(text_becomes_keys_with_shift_where_needed),
        TEST(every_printable_character_has_one_key),
        TEST(text_without_key_types_nothing),
        TEST(chords_press_in_order_and_release_in_reverse),
        TEST(keys_by_number_are_pressed_and_released_in_turn),
        TEST(wrong_or_too_many_key_numbers_press_nothing),
        TEST(an_unknown_key_name_is_refused),
        TEST(live_keys_wait_behind_typed_text_and_keep_their_order),
        TEST(a_full_keyboard_loses_nothing),
        TEST(typing_waits_until_the_guest_has_read),
        TEST(freeing_answers_who_still_waits),
        TEST(display_buttons_become_mouse_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
