/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Machines outside the default folder: listed, followed when they move, shown when they are gone.
 */
#include "client/places.h"
#include "client/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

static char *folder;
static GSettings *settings;

static int set_up(void **state)
{
    folder = g_dir_make_tmp("places-XXXXXX", NULL);
    settings = client_settings_new();
    g_settings_reset(settings, "known-bundles");
    g_settings_reset(settings, "machines-folder");
    return 0;
}

static int tear_down(void **state)
{
    g_autofree char *root = bundle_default_root();
    g_autofree char *command = g_strdup_printf("rm -rf '%s' '%s'", folder, root);
    g_clear_object(&settings);
    g_clear_pointer(&folder, g_free);
    return system(command);
}

/* A bundle in @inside of the test's folder; not known yet. */
static char *create(const char *inside, const char *name)
{
    g_autofree char *root = g_build_filename(folder, inside, NULL);
    g_autoptr(Definition) definition = definition_new(name);
    return bundle_create(root, definition, NULL);
}

static GPtrArray *list(void)
{
    g_autoptr(ClientPlaces) places = client_places_new(settings);
    GPtrArray *machines = client_list_machines_in(places);
    client_places_follow(settings, machines);
    return machines;
}

static void a_known_bundle_is_listed_until_it_is_forgotten(void **state)
{
    g_autofree char *bundle = create("stick", "Box");
    client_places_add(settings, bundle);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
    assert_string_equal(client_machine_name(machines->pdata[0]), "Box");
    client_places_remove(settings, bundle);
    g_autoptr(GPtrArray) after = list();
    assert_int_equal(after->len, 0);
}

static void what_lies_in_the_default_folder_needs_no_memory(void **state)
{
    g_autofree char *root = bundle_default_root();
    g_autoptr(Definition) definition = definition_new("Box");
    g_autofree char *bundle = bundle_create(root, definition, NULL);
    client_places_add(settings, bundle);
    g_auto(GStrv) known = g_settings_get_strv(settings, "known-bundles");
    assert_int_equal(g_strv_length(known), 0);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
}

static void the_users_own_folder_is_looked_at_too(void **state)
{
    g_autofree char *bundle = create("own", "Box");
    g_autofree char *own = g_path_get_dirname(bundle);
    g_settings_set_string(settings, "machines-folder", own);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
}

static void one_that_was_moved_is_found_beside_its_old_place(void **state)
{
    g_autofree char *bundle = create("stick", "Box");
    client_places_add(settings, bundle);
    g_ptr_array_unref(list());
    g_autofree char *moved = g_build_filename(folder, "stick", "Renamed.vitrine", NULL);
    assert_int_equal(g_rename(bundle, moved), 0);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
    const ClientMachine *machine = machines->pdata[0];
    assert_false(machine->missing);
    assert_string_equal(machine->bundle, moved);
    g_auto(GStrv) known = g_settings_get_strv(settings, "known-bundles");
    assert_int_equal(g_strv_length(known), 1);
    assert_string_equal(known[0], moved);
}

static void one_that_was_moved_home_is_listed_once(void **state)
{
    g_autofree char *bundle = create("stick", "Box");
    client_places_add(settings, bundle);
    g_ptr_array_unref(list());
    g_autofree char *root = bundle_default_root();
    g_mkdir_with_parents(root, 0700);
    g_autofree char *home = g_build_filename(root, "Box.vitrine", NULL);
    assert_int_equal(g_rename(bundle, home), 0);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
    assert_string_equal(((ClientMachine *)machines->pdata[0])->bundle, home);
    g_auto(GStrv) known = g_settings_get_strv(settings, "known-bundles");
    assert_int_equal(g_strv_length(known), 0);
}

static void one_that_is_gone_is_shown_as_missing_under_its_name(void **state)
{
    g_autofree char *bundle = create("stick", "Büro");
    client_places_add(settings, bundle);
    g_ptr_array_unref(list());
    g_autofree char *stick = g_path_get_dirname(bundle);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", stick);
    assert_int_equal(system(command), 0);
    g_autoptr(GPtrArray) machines = list();
    assert_int_equal(machines->len, 1);
    const ClientMachine *machine = machines->pdata[0];
    assert_true(machine->missing);
    assert_string_equal(client_machine_name(machine), "Büro");
    assert_non_null(strstr(machine->damage->message, bundle));
}

int main(void)
{
    g_autofree char *data = g_dir_make_tmp("places-data-XXXXXX", NULL);
    g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
    g_setenv("XDG_DATA_HOME", data, TRUE); /* GLib reads these once */
    g_setenv("XDG_CACHE_HOME", data, TRUE);
    g_setenv("XDG_RUNTIME_DIR", data, TRUE);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_known_bundle_is_listed_until_it_is_forgotten),
        TEST(what_lies_in_the_default_folder_needs_no_memory),
        TEST(the_users_own_folder_is_looked_at_too),
        TEST(one_that_was_moved_is_found_beside_its_old_place),
        TEST(one_that_was_moved_home_is_listed_once),
        TEST(one_that_is_gone_is_shown_as_missing_under_its_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", data);
    return system(command) == 0 ? failed : 1;
}
