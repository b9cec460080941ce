/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Copies, other names, the Trash and back. The engine's machine has no guest. */
#include "base/errors.h"
#include "client/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1 << 20)

static char *folder;

static int set_up(void **state)
{
    folder = g_dir_make_tmp("manage-XXXXXX", NULL);
    g_autofree char *run = g_build_filename(folder, "run", NULL);
    g_mkdir(run, 0700);
    g_setenv("XDG_RUNTIME_DIR", run, TRUE);
    return 0;
}

static int tear_down(void **state)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s' '%s/vitrine' '%s/Trash'", folder,
                                               g_get_user_data_dir(), g_get_user_data_dir());
    g_clear_pointer(&folder, g_free);
    return system(command);
}

static char *create(const char *name)
{
    g_autoptr(GError) error = NULL;
    char *bundle =
        client_create(&(ClientCreateOptions){ .name = name, .disk_bytes = MIB }, NULL, &error);
    if (!bundle)
        fail_msg("%s", error->message);
    return bundle;
}

static char *in(const char *bundle, const char *name)
{
    return g_build_filename(bundle, name, NULL);
}

static bool same_content(const char *a, const char *b)
{
    g_autofree char *left = NULL, *right = NULL;
    gsize n_left, n_right;
    return g_file_get_contents(a, &left, &n_left, NULL) &&
           g_file_get_contents(b, &right, &n_right, NULL) && n_left == n_right &&
           memcmp(left, right, n_left) == 0;
}

/* Data, a hole of @hole bytes, data. */
static void write_sparse(const char *path, off_t hole)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(pwrite(fd, "end", 3, hole), 3);
    close(fd);
}

static unsigned n_entries(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;
    while (dir && g_dir_read_name(dir))
        n++;
    return n;
}

static void a_clone_has_the_disks_and_an_identity_of_its_own(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *conf = in(bundle, BUNDLE_DEFINITION);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(conf, &text, NULL, NULL));
    g_autofree char *with_card = g_strconcat(text, "\n[net-0]\nmac=52:54:00:01:02:03\n", NULL);
    assert_true(g_file_set_contents(conf, with_card, -1, NULL));
    g_autofree char *log = in(bundle, BUNDLE_LOG);
    assert_true(g_file_set_contents(log, "old\n", -1, NULL));

    g_autoptr(GError) error = NULL;
    g_autofree char *copy = client_clone(bundle, NULL, NULL, NULL, NULL, NULL, &error);
    assert_null(error);
    g_autoptr(Definition) old = bundle_load(bundle, NULL);
    g_autoptr(Definition) new = bundle_load(copy, NULL);
    assert_string_equal(new->name, "Box copy");
    assert_string_not_equal(new->uuid, old->uuid);
    assert_false(g_key_file_has_key(new->file, "net-0", "mac", NULL));
    g_autofree char *disk = in(bundle, "disk-0.qcow2"), *copied = in(copy, "disk-0.qcow2");
    assert_true(same_content(disk, copied));
    g_autofree char *copied_log = in(copy, BUNDLE_LOG);
    assert_false(g_file_test(copied_log, G_FILE_TEST_EXISTS));
}

static void holes_stay_holes(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *disk = in(bundle, "big.img");
    write_sparse(disk, 300 * MIB);
    g_autofree char *copy = client_clone(bundle, "Copy", NULL, NULL, NULL, NULL, NULL);
    g_autofree char *copied = in(copy, "big.img");
    struct stat st;
    assert_int_equal(stat(copied, &st), 0);
    assert_int_equal(st.st_size, 300 * MIB + 3);
    assert_true((uint64_t)st.st_blocks * 512 < 2 * MIB);
    assert_true(same_content(disk, copied));
}

static void a_disk_from_elsewhere_is_copied_too(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *outside = g_build_filename(folder, "data.raw", NULL);
    write_sparse(outside, MIB);
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    int slot = definition_free_drive(definition);
    definition->drive[slot].type = DRIVE_DISK;
    g_free(definition->drive[slot].path);
    definition->drive[slot].path = g_strdup(outside);
    assert_true(bundle_save(bundle, definition, NULL));

    g_autofree char *copy = client_clone(bundle, "Copy", NULL, NULL, NULL, NULL, NULL);
    g_autoptr(Definition) new = bundle_load(copy, NULL);
    assert_false(g_path_is_absolute(new->drive[slot].path));
    g_autofree char *copied = in(copy, new->drive[slot].path);
    assert_true(same_content(outside, copied));
}

static void a_clone_of_a_running_machine_is_refused(void **state)
{
    g_autofree char *bundle = create("Box");
    assert_true(client_start(bundle, NULL, NULL));
    g_autoptr(GError) error = NULL;
    assert_null(client_clone(bundle, NULL, NULL, NULL, NULL, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(machine->definition->uuid, NULL);
    vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL);
}

static void cancel_halfway(double fraction, gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
}

static void a_clone_that_is_cancelled_leaves_nothing(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *disk = in(bundle, "big.img");
    g_autofree char *zeros = g_malloc0(40 * MIB);
    assert_true(g_file_set_contents(disk, zeros, 40 * MIB, NULL));
    g_autofree char *root = g_path_get_dirname(bundle);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    assert_null(client_clone(bundle, NULL, NULL, cancel_halfway, cancellable, cancellable, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
    assert_int_equal(n_entries(root), 1);
}

static void a_clone_takes_no_other_machines_name(void **state)
{
    g_autofree char *bundle = create("Box"), *other = create("Other");
    g_autoptr(GError) error = NULL;
    assert_null(client_clone(bundle, "Other", NULL, NULL, NULL, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_IN_USE));
    g_autofree char *root = g_path_get_dirname(bundle);
    assert_int_equal(n_entries(root), 2);
}

static void a_rename_moves_the_folder(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *moved = client_rename(bundle, "  Büro/2 ", NULL);
    g_autofree char *base = g_path_get_basename(moved);
    assert_string_equal(base, "Büro-2.vitrine");
    assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
    g_autoptr(Definition) definition = bundle_load(moved, NULL);
    assert_string_equal(definition->name, "Büro/2");
}

static void a_rename_to_a_taken_or_empty_name_changes_nothing(void **state)
{
    g_autofree char *bundle = create("Box"), *other = create("Other");
    g_autoptr(GError) taken = NULL, empty = NULL;
    assert_null(client_rename(bundle, "Other", &taken));
    assert_true(g_error_matches(taken, APP_ERROR, APP_ERROR_IN_USE));
    assert_null(client_rename(bundle, "   ", &empty));
    assert_true(g_error_matches(empty, APP_ERROR, APP_ERROR_INVALID));
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    assert_string_equal(definition->name, "Box");
}

static void a_running_machine_changes_its_name_and_keeps_its_folder(void **state)
{
    g_autofree char *bundle = create("Box");
    assert_true(client_start(bundle, NULL, NULL));
    g_autofree char *after = client_rename(bundle, "Other", NULL);
    assert_string_equal(after, bundle);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_string_equal(client_machine_name(machine), "Other");
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(machine->definition->uuid, NULL);
    vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL);
}

static void what_was_trashed_comes_back(void **state)
{
    g_autofree char *bundle = create("Box"), *trashed = NULL;
    g_autoptr(GError) error = NULL;
    if (!client_trash(bundle, &trashed, &error) && error->domain == G_IO_ERROR) {
        print_message("no Trash here: %s\n", error->message);
        skip();
    }
    assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
    assert_non_null(trashed);
    assert_true(client_restore(trashed, bundle, NULL));
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    assert_string_equal(definition->name, "Box");
    g_autofree char *info = g_build_filename(g_get_user_data_dir(), "Trash", "info", NULL);
    assert_int_equal(n_entries(info), 0);
}

static void a_restore_does_not_overwrite_the_next_one(void **state)
{
    g_autofree char *bundle = create("Box"), *trashed = NULL;
    if (!client_trash(bundle, &trashed, NULL))
        skip();
    g_autofree char *next = create("Box");
    g_autoptr(GError) error = NULL;
    assert_false(client_restore(trashed, bundle, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_IN_USE));
    assert_true(bundle_is_bundle(trashed));
}

static void a_damaged_machine_is_called_by_its_folder(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *conf = in(bundle, BUNDLE_DEFINITION);
    assert_true(g_file_set_contents(conf, "[machine]\nmemory=lots\n", -1, NULL));
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_string_equal(client_machine_name(machine), "Box");
    assert_non_null(machine->damage);
}

int main(void)
{
    g_autofree char *data = g_dir_make_tmp("manage-data-XXXXXX", NULL);
    g_setenv("XDG_DATA_HOME", data, TRUE);
    g_setenv("HOME", data, TRUE);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_clone_has_the_disks_and_an_identity_of_its_own),
        TEST(holes_stay_holes),
        TEST(a_disk_from_elsewhere_is_copied_too),
        TEST(a_clone_of_a_running_machine_is_refused),
        TEST(a_clone_that_is_cancelled_leaves_nothing),
        TEST(a_clone_takes_no_other_machines_name),
        TEST(a_rename_moves_the_folder),
        TEST(a_rename_to_a_taken_or_empty_name_changes_nothing),
        TEST(a_running_machine_changes_its_name_and_keeps_its_folder),
        TEST(what_was_trashed_comes_back),
        TEST(a_restore_does_not_overwrite_the_next_one),
        TEST(a_damaged_machine_is_called_by_its_folder),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    g_rmdir(data);
    return failed;
}
