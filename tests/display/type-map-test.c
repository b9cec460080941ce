/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Which keys type what, checked against the keyboards themselves. */
#include "display/type-map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const TypeLayout *layout(const char *name)
{
    for (const TypeLayout *l = type_layouts; l->name; l++)
        if (strcmp(l->layout, name) == 0 && !l->variant[0])
            return l;
    fail_msg("no layout “%s”", name);
    return NULL;
}

/* The strokes as text: "2a 10 ^10 ^2a". */
static char *typed(const char *name, const char *text)
{
    g_autoptr(TypeMap) map = type_map_new(layout(name), NULL);
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    GString *out = g_string_new(NULL);
    assert_non_null(map);
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        if (!type_map_append(map, g_utf8_get_char(at), keys))
            g_string_append(out, "none ");
    for (guint i = 0; i < keys->len; i++) {
        uint32_t key = g_array_index(keys, uint32_t, i);
        g_string_append_printf(out, "%s%x ", key & TYPE_KEY_RELEASE ? "^" : "", key & 0xff);
    }
    return g_strchomp(g_string_free(out, FALSE));
}

static void assert_typed(const char *name, const char *text, const char *expected)
{
    g_autofree char *strokes = typed(name, text);
    assert_string_equal(strokes, expected);
}

static void plain_keys_and_shift(void **state)
{
    assert_typed("us", "aZ\n", "1e ^1e 2a 2c ^2c ^2a 1c ^1c");
    assert_typed("de", "yZ", "2c ^2c 2a 15 ^15 ^2a");
    assert_typed("fr", "1a", "2a 2 ^2 ^2a 10 ^10");
    assert_typed("gb", "£#", "2a 4 ^4 ^2a 2b ^2b");
}

static void the_third_level_is_alt_gr(void **state)
{
    assert_typed("de", "@", "b8 10 ^10 ^b8");
    assert_typed("de", "{", "b8 8 ^8 ^b8");
    assert_typed("de", "|", "b8 56 ^56 ^b8");
    assert_typed("fr", "@", "b8 b ^b ^b8");
}

static void accents_come_from_dead_keys(void **state)
{
    assert_typed("de", "ê", "29 ^29 12 ^12");
    assert_typed("de", "^", "29 ^29 39 ^39");
    assert_typed("fr", "Ë", "2a 1a ^1a ^2a 2a 12 ^12 ^2a");
}

static void what_no_key_makes_is_refused(void **state)
{
    assert_typed("us", "é", "none");
    assert_typed("us", "\x1b", "none");
    assert_typed("de", "中", "none");
}

static void every_layout_types_letters_or_digits_and_leaves_nothing_pressed(void **state)
{
    for (const TypeLayout *l = type_layouts; l->name; l++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TypeMap) map = type_map_new(l, &error);
        g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        bool held[256] = { false };
        if (!map)
            fail_msg("%s: %s", l->layout, error->message);
        for (gunichar c = ' '; c < 0x250; c++)
            type_map_append(map, c, keys);
        for (gunichar digit = '0'; digit <= '9'; digit++)
            assert_true(type_map_append(map, digit, keys));
        for (guint i = 0; i < keys->len; i++) {
            uint32_t key = g_array_index(keys, uint32_t, i);
            bool down = !(key & TYPE_KEY_RELEASE);
            assert_int_not_equal(held[key & 0xff], down);
            held[key & 0xff] = down;
        }
        for (int i = 0; i < 256; i++)
            assert_false(held[i]);
    }
}

static void an_unknown_layout_is_an_error(void **state)
{
    g_autoptr(GError) error = NULL;
    assert_null(type_map_new(&(TypeLayout){ "atlantis", "", "" }, &error));
    assert_non_null(strstr(error->message, "atlantis"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_keys_and_shift),
        cmocka_unit_test(the_third_level_is_alt_gr),
        cmocka_unit_test(accents_come_from_dead_keys),
        cmocka_unit_test(what_no_key_makes_is_refused),
        cmocka_unit_test(every_layout_types_letters_or_digits_and_leaves_nothing_pressed),
        cmocka_unit_test(an_unknown_layout_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
