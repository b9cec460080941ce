/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "model/bundle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *root;

static int make_root(void **state)
{
    root = g_dir_make_tmp("bundle-XXXXXX", NULL);
    return root ? 0 : -1;
}

static int drop_root(void **state)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", root);
    g_clear_pointer(&root, g_free);
    return system(command);
}

static void a_new_bundle_is_found_and_reads_back(void **state)
{
    g_autoptr(Definition) definition = definition_new("A/b: c");
    g_autofree char *path = bundle_create(root, definition, NULL);
    assert_non_null(path);
    g_autofree char *base = g_path_get_basename(path);
    assert_string_equal(base, "A-b- c.vitrine");
    g_autoptr(GPtrArray) all = bundle_list(root);
    assert_int_equal(all->len, 1);
    assert_string_equal(all->pdata[0], path);
    g_autoptr(Definition) back = bundle_load(path, NULL);
    assert_string_equal(back->name, "A/b: c");
    assert_string_equal(back->uuid, definition->uuid);
}

static void a_name_that_is_taken_is_refused_and_left_alone(void **state)
{
    g_autoptr(Definition) first = definition_new("Box");
    g_autoptr(Definition) other = definition_new("Box");
    g_autofree char *path = bundle_create(root, first, NULL);
    g_autoptr(GError) error = NULL;
    assert_null(bundle_create(root, other, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_IN_USE));
    assert_non_null(strstr(error->message, "“Box”"));
    g_autoptr(Definition) back = bundle_load(path, NULL);
    assert_string_equal(back->uuid, first->uuid);
    g_autofree char *free_name = bundle_dup_free_name(root, "Box");
    assert_string_equal(free_name, "Box 2");
}

static void hostile_names_stay_inside_the_folder(void **state)
{
    static const char *const names[] = { "../../etc", ".", "..", "a/../../b" };
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(Definition) definition = definition_new(names[i]);
        g_autofree char *path = bundle_create(root, definition, NULL);
        assert_non_null(path);
        g_autofree char *parent = g_path_get_dirname(path);
        assert_string_equal(parent, root);
    }
}

static void saving_leaves_no_other_file(void **state)
{
    g_autoptr(Definition) definition = definition_new("Box");
    g_autofree char *path = bundle_create(root, definition, NULL);
    assert_true(bundle_save(path, definition, NULL));
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    assert_string_equal(g_dir_read_name(dir), BUNDLE_DEFINITION);
    assert_null(g_dir_read_name(dir));
}

static void a_failed_save_keeps_the_old_file(void **state)
{
    if (geteuid() == 0)
        skip(); /* root writes anywhere */
    g_autoptr(Definition) definition = definition_new("Box");
    g_autofree char *path = bundle_create(root, definition, NULL);
    g_chmod(path, 0500);
    assert_true(definition_set(definition, "cpus", "4", NULL));
    assert_false(bundle_save(path, definition, NULL));
    g_autoptr(Definition) back = bundle_load(path, NULL);
    assert_int_equal(back->n_cpus, 1);
    g_chmod(path, 0700);
}

static void runtime_folder_falls_back_when_unset_or_too_long(void **state)
{
    g_autofree char *fallback = g_strdup_printf("/tmp/vitrine-%u", (unsigned)geteuid());
    g_setenv("XDG_RUNTIME_DIR", "/run/user/1", TRUE);
    g_autofree char *bus = runtime_dup_bus("u");
    assert_string_equal(bus, "/run/user/1/vitrine/u/bus");
    g_unsetenv("XDG_RUNTIME_DIR");
    g_autofree char *unset = runtime_dup_root();
    assert_string_equal(unset, fallback);
    g_autofree char *deep = g_strdup_printf("/tmp/%080d", 1);
    g_setenv("XDG_RUNTIME_DIR", deep, TRUE);
    g_autofree char *too_long = runtime_dup_root();
    assert_string_equal(too_long, fallback);
}

static void a_runtime_folder_of_others_is_not_trusted(void **state)
{
    g_setenv("XDG_RUNTIME_DIR", root, TRUE);
    g_autofree char *vitrine = g_build_filename(root, "vitrine", NULL);
    assert_int_equal(symlink("/tmp", vitrine), 0);
    g_autoptr(GError) error = NULL;
    assert_false(runtime_make_directory("u", &error));
    assert_non_null(strstr(error->message, "is not a folder of yours"));
    g_unlink(vitrine);
    g_mkdir(vitrine, 0700);
    g_chmod(vitrine, 0777);
    assert_true(runtime_make_directory("u", NULL));
    struct stat st;
    assert_int_equal(stat(vitrine, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, drop_root)
    const struct CMUnitTest tests[] = {
        TEST(a_new_bundle_is_found_and_reads_back),
        TEST(a_name_that_is_taken_is_refused_and_left_alone),
        TEST(hostile_names_stay_inside_the_folder),
        TEST(saving_leaves_no_other_file),
        TEST(a_failed_save_keeps_the_old_file),
        TEST(runtime_folder_falls_back_when_unset_or_too_long),
        TEST(a_runtime_folder_of_others_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
