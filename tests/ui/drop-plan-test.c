/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* What each kind of drop would do, on a machine that runs and elsewhere. */
#include "model/bundle.h"
#include "ui/drop-plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define SECTOR 2048

static char *folder;

static int set_up(void **state)
{
    folder = g_dir_make_tmp("drop-XXXXXX", NULL);
    return 0;
}

static int tear_down(void **state)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);
    g_clear_pointer(&folder, g_free);
    return system(command);
}

static char *write_file(const char *name, const void *bytes, gsize length)
{
    char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    return path;
}

/* The least that is a disc: one volume descriptor and the end of them (ECMA-119 §8). */
static char *write_iso(const char *name)
{
    g_autofree char *image = g_malloc0(20 * SECTOR);
    memcpy(image + 16 * SECTOR, "\1CD001\1", 7);
    image[16 * SECTOR + 80] = 20;
    image[16 * SECTOR + 129] = SECTOR >> 8;
    memcpy(image + 17 * SECTOR, "\377CD001\1", 7);
    return write_file(name, image, 20 * SECTOR);
}

static char *write_boot_sector(const char *name)
{
    char sector[1024] = { 0 };
    memcpy(sector + 510, "\x55\xaa", 2);
    return write_file(name, sector, sizeof sector);
}

static char *make_bundle(const char *name)
{
    g_autoptr(Definition) definition = definition_new(name);
    return bundle_create(folder, definition, NULL);
}

/* Takes the paths. */
static GPtrArray *list(char *first, ...)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    va_list more;
    va_start(more, first);
    for (char *path = first; path; path = va_arg(more, char *))
        g_ptr_array_add(paths, path);
    va_end(more);
    return paths;
}

static DropPlan *plan(GPtrArray *taken, const char *running, DiscOnRunning policy)
{
    DropPlan *made = drop_plan_new(taken, running, policy);
    g_ptr_array_unref(taken);
    return made;
}

static void a_disc_on_the_library_begins_a_machine(void **state)
{
    g_autoptr(DropPlan) made = plan(list(write_iso("os.iso"), NULL), NULL, DISC_ON_RUNNING_ASK);
    assert_int_equal(made->kind, DROP_CREATE);
    assert_non_null(strstr(made->words, "os.iso"));
}

static void a_disc_on_a_running_machine_does_what_the_user_settled(void **state)
{
    static const struct {
        DiscOnRunning policy;
        DropKind kind;
    } cases[] = { { DISC_ON_RUNNING_ASK, DROP_ASK },
                  { DISC_ON_RUNNING_INSERT, DROP_INSERT },
                  { DISC_ON_RUNNING_NEW, DROP_CREATE } };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(DropPlan) made = plan(list(write_iso("os.iso"), NULL), "Box", cases[i].policy);
        assert_int_equal(made->kind, cases[i].kind);
    }
}

static void a_disk_begins_a_machine_wherever_it_is_dropped(void **state)
{
    static const char qcow2[512] = "QFI\xfb";
    g_autoptr(DropPlan) library =
        plan(list(write_file("a.qcow2", qcow2, sizeof qcow2), NULL), NULL, DISC_ON_RUNNING_ASK);
    g_autoptr(DropPlan) running =
        plan(list(write_file("a.qcow2", qcow2, sizeof qcow2), NULL), "Box", DISC_ON_RUNNING_INSERT);
    g_autoptr(DropPlan) raw =
        plan(list(write_boot_sector("a.img"), NULL), "Box", DISC_ON_RUNNING_INSERT);
    assert_int_equal(library->kind, DROP_CREATE);
    assert_int_equal(running->kind, DROP_CREATE);
    assert_int_equal(raw->kind, DROP_CREATE);
}

static void a_file_that_only_ends_like_a_boot_sector_is_a_file(void **state)
{
    g_autoptr(DropPlan) made =
        plan(list(write_boot_sector("letter.doc"), NULL), "Box", DISC_ON_RUNNING_ASK);
    assert_int_equal(made->kind, DROP_FILES);
}

static void files_and_folders_go_on_a_disc_for_the_running_machine(void **state)
{
    g_autofree char *inner = g_build_filename(folder, "inner", NULL);
    g_mkdir(inner, 0700);
    g_autoptr(DropPlan) one =
        plan(list(write_file("letter.txt", "hello", 5), NULL), "Box", DISC_ON_RUNNING_ASK);
    g_autoptr(DropPlan) two =
        plan(list(g_strdup(inner), write_iso("os.iso"), NULL), "Box", DISC_ON_RUNNING_INSERT);
    assert_int_equal(one->kind, DROP_FILES);
    assert_non_null(strstr(one->words, "letter.txt"));
    assert_non_null(strstr(one->words, "Box"));
    assert_int_equal(two->kind, DROP_FILES);
    assert_int_equal(two->paths->len, 2);
}

static void an_iso_with_its_checksums_is_that_iso(void **state)
{
    g_autoptr(DropPlan) made =
        plan(list(write_file("SHA256SUMS", "0000", 4), write_iso("os.iso"), NULL), NULL,
             DISC_ON_RUNNING_ASK);
    assert_int_equal(made->kind, DROP_CREATE);
    assert_int_equal(made->paths->len, 1);
    assert_true(g_str_has_suffix(made->paths->pdata[0], "os.iso"));
}

static void two_discs_or_none_are_refused_in_words(void **state)
{
    g_autoptr(DropPlan) two =
        plan(list(write_iso("a.iso"), write_iso("b.iso"), NULL), NULL, DISC_ON_RUNNING_ASK);
    g_autoptr(DropPlan) none =
        plan(list(write_file("a.txt", "a", 1), write_file("b.txt", "b", 1), NULL), NULL,
             DISC_ON_RUNNING_ASK);
    assert_int_equal(two->kind, DROP_NOTHING);
    assert_int_equal(none->kind, DROP_NOTHING);
    assert_string_not_equal(two->words, none->words);
}

static void what_is_not_on_this_computer_is_refused(void **state)
{
    g_autoptr(DropPlan) made = plan(list(NULL, NULL), "Box", DISC_ON_RUNNING_ASK);
    assert_int_equal(made->kind, DROP_NOTHING);
}

static void machines_are_opened_even_over_a_running_one(void **state)
{
    g_autoptr(DropPlan) made =
        plan(list(make_bundle("A"), make_bundle("B"), NULL), "Box", DISC_ON_RUNNING_ASK);
    assert_int_equal(made->kind, DROP_OPEN);
    assert_int_equal(made->paths->len, 2);
}

static void ten_thousand_files_are_planned_at_once(void **state)
{
    g_autofree char *file = write_file("a.txt", "a", 1);
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < 10000; i++)
        g_ptr_array_add(paths, g_strdup(file));
    gint64 begin = g_get_monotonic_time();
    g_autoptr(DropPlan) running = drop_plan_new(paths, "Box", DISC_ON_RUNNING_ASK);
    g_autoptr(DropPlan) library = plan(paths, NULL, DISC_ON_RUNNING_ASK);
    assert_true(g_get_monotonic_time() - begin < G_USEC_PER_SEC / 4);
    assert_int_equal(running->kind, DROP_FILES);
    assert_int_equal(running->paths->len, 10000);
    assert_non_null(strstr(running->words, "10000"));
    assert_int_equal(library->kind, DROP_NOTHING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_disc_on_the_library_begins_a_machine),
        TEST(a_disc_on_a_running_machine_does_what_the_user_settled),
        TEST(a_disk_begins_a_machine_wherever_it_is_dropped),
        TEST(a_file_that_only_ends_like_a_boot_sector_is_a_file),
        TEST(files_and_folders_go_on_a_disc_for_the_running_machine),
        TEST(an_iso_with_its_checksums_is_that_iso),
        TEST(two_discs_or_none_are_refused_in_words),
        TEST(what_is_not_on_this_computer_is_refused),
        TEST(machines_are_opened_even_over_a_running_one),
        TEST(ten_thousand_files_are_planned_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
