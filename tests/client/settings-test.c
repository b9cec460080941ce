/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/settings.h"
#include "model/bundle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void schema_is_found_in_the_build_tree(void **state)
{
    g_autoptr(GSettings) settings = client_settings_new();
    assert_int_equal(g_settings_get_enum(settings, "view-mode"), VIEW_MODE_GRID);
    assert_int_equal(g_settings_get_enum(settings, "on-close"), ON_CLOSE_KEEP_RUNNING);
    assert_int_equal(g_settings_get_enum(settings, "disc-on-running"), DISC_ON_RUNNING_ASK);
}

static void words_of_the_schema_are_the_enums_of_the_header(void **state)
{
    static const struct {
        const char *key, *word;
        int value;
    } rows[] = { { "view-mode", "list", VIEW_MODE_LIST },
                 { "sort-order", "recent", SORT_ORDER_RECENT },
                 { "sort-order", "state", SORT_ORDER_STATE },
                 { "on-close", "power-off", ON_CLOSE_POWER_OFF },
                 { "disc-on-running", "insert", DISC_ON_RUNNING_INSERT },
                 { "disc-on-running", "new", DISC_ON_RUNNING_NEW } };
    g_autoptr(GSettings) settings = client_settings_new();
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_true(g_settings_set_string(settings, rows[i].key, rows[i].word));
        assert_int_equal(g_settings_get_enum(settings, rows[i].key), rows[i].value);
    }
}

static void machines_folder_is_the_default_one_unless_absolute(void **state)
{
    g_autoptr(GSettings) settings = client_settings_new();
    g_autofree char *usual = bundle_default_root();
    g_settings_set_string(settings, "machines-folder", "somewhere");
    g_autofree char *relative = client_settings_dup_machines_folder(settings);
    assert_string_equal(relative, usual);
    g_settings_set_string(settings, "machines-folder", "/srv/machines");
    g_autofree char *absolute = client_settings_dup_machines_folder(settings);
    assert_string_equal(absolute, "/srv/machines");
}

static void remembered_paths_come_first_once_and_are_limited(void **state)
{
    g_autoptr(GSettings) settings = client_settings_new();
    static const char *const paths[] = { "/a", "/b", "/a", "/c", "/d" };
    for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
        client_settings_remember(settings, "recent-media", paths[i], 3);
    g_auto(GStrv) kept = g_settings_get_strv(settings, "recent-media");
    g_autofree char *line = g_strjoinv(" ", kept);
    assert_string_equal(line, "/d /c /a");
}

int main(void)
{
    g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schema_is_found_in_the_build_tree),
        cmocka_unit_test(words_of_the_schema_are_the_enums_of_the_header),
        cmocka_unit_test(machines_folder_is_the_default_one_unless_absolute),
        cmocka_unit_test(remembered_paths_come_first_once_and_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
