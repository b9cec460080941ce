/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Finding, starting and losing engines, with an engine whose machine has no guest. */
#include "base/errors.h"
#include "client/client.h"
#include "client/disks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *folder;

static int set_up(void **state)
{
    folder = g_dir_make_tmp("client-XXXXXX", NULL);
    g_autofree char *run = g_build_filename(folder, "run", NULL);
    g_mkdir(run, 0700);
    g_setenv("XDG_RUNTIME_DIR", run, TRUE);
    return 0;
}

static void stop_all(void)
{
    g_autoptr(GPtrArray) machines = client_list_machines();
    for (unsigned i = 0; i < machines->len; i++) {
        ClientMachine *machine = machines->pdata[i];
        g_autoptr(VitrineDBusMachine1) proxy =
            client_state_is_live(machine->state)
                ? client_connect_machine(machine->definition->uuid, NULL)
                : NULL;
        if (proxy)
            vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL);
    }
}

static int tear_down(void **state)
{
    stop_all();
    g_autofree char *root = bundle_default_root();
    g_autofree char *command = g_strdup_printf("rm -rf '%s' '%s'", root, folder);
    g_clear_pointer(&folder, g_free);
    return system(command);
}

static char *create(const char *name)
{
    g_autoptr(GError) error = NULL;
    char *bundle =
        client_create(&(ClientCreateOptions){ .name = name, .disk_bytes = 1 << 20 }, NULL, &error);
    if (!bundle)
        fail_msg("%s", error->message);
    return bundle;
}

static void start(const char *bundle)
{
    g_autoptr(GError) error = NULL;
    if (!client_start(bundle, NULL, &error))
        fail_msg("%s", error->message);
}

static ClientState state_of(const char *bundle)
{
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    return machine->state;
}

static pid_t engine_pid(const char *bundle)
{
    g_autofree char *path = g_build_filename(bundle, BUNDLE_RUNNING, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    assert_true(g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL));
    return g_key_file_get_integer(file, "engine", "pid", NULL);
}

static void wait_for_state(const char *bundle, ClientState state)
{
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    while (state_of(bundle) != state && g_get_monotonic_time() < end)
        g_usleep(10000);
    assert_int_equal(state_of(bundle), state);
}

static void a_machine_runs_and_ends_and_is_off_again(void **state)
{
    g_autofree char *bundle = create("Box");
    assert_int_equal(state_of(bundle), CLIENT_OFF);
    start(bundle);
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(machine->definition->uuid, NULL);
    assert_true(vitrine_dbus_machine1_call_pause_sync(proxy, NULL, NULL));
    assert_int_equal(state_of(bundle), CLIENT_PAUSED);
    assert_true(vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL));
    wait_for_state(bundle, CLIENT_OFF);
    g_autofree char *thumbnail = g_build_filename(bundle, BUNDLE_THUMBNAIL, NULL);
    assert_true(g_file_test(thumbnail, G_FILE_TEST_EXISTS));
}

static void a_thumbnail_that_is_not_wanted_goes_while_the_machine_runs(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *thumbnail = g_build_filename(bundle, BUNDLE_THUMBNAIL, NULL);
    start(bundle);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(machine->definition->uuid, NULL);
    assert_true(vitrine_dbus_machine1_call_update_thumbnail_sync(proxy, NULL, NULL));
    assert_true(g_file_test(thumbnail, G_FILE_TEST_EXISTS));
    assert_true(definition_set(machine->definition, "thumbnail", "false", NULL));
    assert_true(bundle_save(bundle, machine->definition, NULL));
    assert_true(vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL));
    wait_for_state(bundle, CLIENT_OFF);
    assert_false(g_file_test(thumbnail, G_FILE_TEST_EXISTS));
}

static void drives_are_added_to_the_definition_and_removed(void **state)
{
    g_autofree char *bundle = create("Box");
    int disk = client_add_new_disk(bundle, UINT64_C(1) << 30, NULL);
    int disc = client_add_disc_drive(bundle, NULL);
    assert_true(disk >= 0 && disc >= 0 && disk != disc);
    g_autoptr(Definition) with = bundle_load(bundle, NULL);
    g_autofree char *path = bundle_dup_absolute(bundle, with->drive[disk].path);
    assert_int_equal(with->drive[disk].type, DRIVE_DISK);
    assert_int_equal(with->drive[disc].type, DRIVE_CDROM);
    assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    assert_true(client_remove_drive(bundle, (unsigned)disk, false, NULL));
    g_autoptr(Definition) without = bundle_load(bundle, NULL);
    assert_int_equal(without->drive[disk].type, DRIVE_NONE);
    assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_disks_size_and_what_it_takes_are_told(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *qcow2 = g_build_filename(bundle, "new.qcow2", NULL);
    g_autofree char *raw = g_build_filename(bundle, "old.img", NULL);
    ClientDiskImage image;
    assert_true(client_create_disk(qcow2, UINT64_C(3) << 30, NULL));
    assert_true(client_look_at_disk(qcow2, &image));
    assert_string_equal(image.format, "qcow2");
    assert_true(image.size_bytes == UINT64_C(3) << 30);
    assert_in_range(image.occupied_bytes, 1, 4 << 20);
    assert_true(g_file_set_contents(raw, "short", -1, NULL));
    assert_int_equal(truncate(raw, 64 << 20), 0);
    assert_true(client_look_at_disk(raw, &image));
    assert_string_equal(image.format, "raw");
    assert_int_equal(image.size_bytes, 64 << 20);
    assert_in_range(image.occupied_bytes, 1, 1 << 20);
    assert_false(client_look_at_disk(bundle, &image));
    assert_false(client_look_at_disk("/nowhere/disk", &image));
}

static void a_seventh_drive_leaves_nothing_behind(void **state)
{
    g_autofree char *bundle = create("Box");
    while (client_add_disc_drive(bundle, NULL) >= 0)
        continue;
    g_autofree char *name = bundle_dup_new_disk_name(bundle);
    g_autofree char *path = g_build_filename(bundle, name, NULL);
    g_autoptr(GError) error = NULL;
    assert_int_equal(client_add_new_disk(bundle, UINT64_C(1) << 30, &error), -1);
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_INVALID));
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_running_machines_disk_is_not_thrown_away(void **state)
{
    g_autofree char *bundle = create("Box");
    int disk = client_add_new_disk(bundle, UINT64_C(1) << 30, NULL);
    start(bundle);
    g_autoptr(GError) error = NULL;
    assert_false(client_remove_drive(bundle, (unsigned)disk, true, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    assert_int_equal(definition->drive[disk].type, DRIVE_DISK);
}

static void a_second_start_is_refused_and_harms_nothing(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    g_autoptr(GError) error = NULL;
    assert_false(client_start(bundle, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    assert_non_null(strstr(error->message, "running already"));
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
}

static void a_copied_bundle_does_not_pass_for_the_one_that_runs(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *copy = g_strdup_printf("%s/Copy.vitrine", folder);
    g_autofree char *command = g_strdup_printf("cp -r '%s' '%s'", bundle, copy);
    assert_int_equal(system(command), 0);
    start(bundle);
    assert_int_equal(state_of(copy), CLIENT_OFF);
    g_autoptr(GError) error = NULL;
    assert_false(client_start(copy, NULL, &error));
    assert_non_null(strstr(error->message, "same UUID"));
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
    g_autoptr(GPtrArray) machines = client_list_machines();
    assert_int_equal(machines->len, 1);
}

static void a_bundle_moved_while_it_runs_is_still_the_one(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *moved = g_strdup_printf("%s/Moved.vitrine", folder);
    start(bundle);
    assert_int_equal(g_rename(bundle, moved), 0);
    assert_int_equal(state_of(moved), CLIENT_RUNNING);
    g_autoptr(GError) error = NULL;
    assert_false(client_trash(moved, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    assert_int_equal(g_rename(moved, bundle), 0);
}

static void an_engine_killed_is_a_crash_others_are_unaffected(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *other = create("Other");
    start(bundle);
    start(other);
    kill(engine_pid(bundle), SIGKILL);
    wait_for_state(bundle, CLIENT_CRASHED);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_non_null(strstr(machine->problem, BUNDLE_LOG));
    assert_int_equal(state_of(other), CLIENT_RUNNING);
    start(bundle); /* over the stale socket */
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
    kill(engine_pid(bundle), SIGKILL);
    wait_for_state(bundle, CLIENT_CRASHED);
    client_forget_crash(bundle);
    assert_int_equal(state_of(bundle), CLIENT_OFF);
}

static void a_socket_that_nobody_serves_is_no_machine(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    assert_true(runtime_make_directory(definition->uuid, NULL));
    g_autofree char *bus = runtime_dup_bus(definition->uuid);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_strlcpy(address.sun_path, bus, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(state_of(bundle), CLIENT_OFF);
    g_autoptr(GError) error = NULL;
    assert_null(client_connect(definition->uuid, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    start(bundle);
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
}

static void the_socket_is_closed_to_others(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    g_autofree char *bus = runtime_dup_bus(definition->uuid);
    g_autofree char *directory = runtime_dup_directory(definition->uuid);
    GStatBuf st;
    assert_int_equal(g_stat(bus, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(g_stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void sigterm_presses_the_power_button(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    kill(engine_pid(bundle), SIGTERM);
    wait_for_state(bundle, CLIENT_OFF);
}

static void a_second_sigterm_ends_a_guest_that_ignores_the_first(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    pid_t pid = engine_pid(bundle);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(machine->definition->uuid, NULL);
    assert_true(vitrine_dbus_machine1_call_type_text_sync(proxy, "deaf\n", NULL, NULL));
    kill(pid, SIGTERM);
    g_usleep(200000);
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
    kill(pid, SIGTERM);
    wait_for_state(bundle, CLIENT_OFF);
}

static void machines_are_found_by_name_prefix_uuid_and_path(void **state)
{
    g_autofree char *one = create("Debian 12"), *two = create("Debian"), *three = create("Fedora");
    g_autofree char *four = create("arch/32");
    g_autoptr(Definition) definition = bundle_load(three, NULL);
    const struct {
        const char *spec, *found; /* or NULL */
        int code;
    } cases[] = {
        { "Debian", two },
        { "debian", two },
        { "Debian 1", one },
        { "fed", three },
        { definition->uuid, three },
        { one, one },
        { "arch/32", four },
        { "", NULL, APP_ERROR_NOT_FOUND },
        { "x", NULL, APP_ERROR_NOT_FOUND },
        { "/tmp", NULL, APP_ERROR_NOT_FOUND },
        { "deb", NULL, APP_ERROR_INVALID },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ClientMachine) machine = client_find_machine(cases[i].spec, &error);
        if (cases[i].found) {
            assert_non_null(machine);
            assert_string_equal(machine->bundle, cases[i].found);
        } else {
            assert_null(machine);
            assert_true(g_error_matches(error, APP_ERROR, cases[i].code));
        }
    }
}

static void a_running_machine_elsewhere_is_listed(void **state)
{
    g_autofree char *bundle = client_create(
        &(ClientCreateOptions){ .name = "Far", .root = folder, .no_disk = true }, NULL, NULL);
    g_autoptr(GPtrArray) before = client_list_machines();
    assert_int_equal(before->len, 0);
    start(bundle);
    g_autoptr(ClientMachine) machine = client_find_machine("Far", NULL);
    assert_non_null(machine);
    assert_string_equal(machine->bundle, bundle);
}

static void a_damaged_definition_is_listed_with_its_damage(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *conf = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
    g_file_set_contents(conf, "[machine]\nname=Box\n", -1, NULL);
    g_autoptr(GPtrArray) machines = client_list_machines();
    assert_int_equal(machines->len, 1);
    ClientMachine *machine = machines->pdata[0];
    assert_null(machine->definition);
    assert_non_null(strstr(machine->damage->message, "uuid is missing"));
    g_autoptr(GError) error = NULL;
    assert_false(client_start(bundle, NULL, &error));
    assert_non_null(strstr(error->message, "uuid is missing"));
}

static void a_creation_that_fails_leaves_nothing(void **state)
{
    g_autoptr(GError) error = NULL;
    assert_null(client_create(
        &(ClientCreateOptions){ .name = "Box", .disk_bytes = UINT64_C(1) << 62 }, NULL, &error));
    g_autofree char *root = bundle_default_root();
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    assert_true(!dir || !g_dir_read_name(dir));
    g_clear_error(&error);
    assert_null(
        client_create(&(ClientCreateOptions){ .memory_bytes = UINT64_C(1) << 39 }, NULL, &error));
    assert_non_null(strstr(error->message, "more than this computer has"));
    g_clear_error(&error);
    assert_null(client_create(&(ClientCreateOptions){ .source = "/etc" }, NULL, &error));
    assert_non_null(strstr(error->message, "is a folder"));
}

static void a_running_machine_is_not_deleted(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    g_autoptr(GError) error = NULL;
    assert_false(client_trash(bundle, NULL, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE));
    assert_false(client_delete_for_good(bundle, NULL));
    assert_true(bundle_is_bundle(bundle));
    stop_all();
    wait_for_state(bundle, CLIENT_OFF);
    assert_true(client_delete_for_good(bundle, NULL));
    assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
}

static void deleting_does_not_follow_links(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *kept = g_build_filename(folder, "kept", NULL);
    g_autofree char *inside = g_build_filename(kept, "file", NULL);
    g_autofree char *link = g_build_filename(bundle, "link", NULL);
    g_mkdir(kept, 0700);
    g_file_set_contents(inside, "x", 1, NULL);
    assert_int_equal(symlink(kept, link), 0);
    assert_true(client_delete_for_good(bundle, NULL));
    assert_true(g_file_test(inside, G_FILE_TEST_EXISTS));
}

static void a_missing_engine_is_said(void **state)
{
    g_autofree char *bundle = create("Box");
    g_autofree char *before = g_strdup(g_getenv("VITRINE_ENGINE"));
    g_setenv("VITRINE_ENGINE", "/nowhere/vitrine-engine", TRUE);
    g_autoptr(GError) error = NULL;
    assert_false(client_start(bundle, NULL, &error));
    g_setenv("VITRINE_ENGINE", before, TRUE);
    assert_non_null(strstr(error->message, "/nowhere/vitrine-engine"));
}

static void a_full_host_disk_is_told_with_its_words(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(definition->uuid, NULL);
    vitrine_dbus_machine1_call_type_text_sync(proxy, "full\n", NULL, NULL);
    wait_for_state(bundle, CLIENT_PAUSED_PROBLEM);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_int_equal(machine->stop.reason, STOP_DISK_FULL);
    assert_non_null(strstr(machine->problem, "/full/disk.qcow2"));
    assert_non_null(strstr(machine->problem, "Make room"));
    assert_true(vitrine_dbus_machine1_call_resume_sync(proxy, NULL, NULL));
    assert_int_equal(state_of(bundle), CLIENT_RUNNING);
    g_autoptr(ClientMachine) again = client_open_machine(bundle);
    assert_int_equal(again->stop.reason, STOP_NONE);
    g_autofree char *log = g_build_filename(bundle, BUNDLE_LOG, NULL);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(log, &text, NULL, NULL));
    assert_non_null(strstr(text, "The machine stopped (disk-full)"));
}

static StopReason reason_of(const char *bundle)
{
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    return machine->stop.reason;
}

static void type_to(const char *bundle, const char *text)
{
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(definition->uuid, NULL);
    vitrine_dbus_machine1_call_type_text_sync(proxy, text, NULL, NULL);
}

static void why_a_machine_stopped_is_kept_until_its_next_start(void **state)
{
    g_autofree char *bundle = create("Box");
    assert_int_equal(reason_of(bundle), STOP_NONE);
    start(bundle);
    type_to(bundle, "off\n");
    wait_for_state(bundle, CLIENT_OFF);
    assert_int_equal(reason_of(bundle), STOP_GUEST);
    start(bundle);
    assert_int_equal(reason_of(bundle), STOP_NONE);
    kill(engine_pid(bundle), SIGTERM);
    wait_for_state(bundle, CLIENT_OFF);
    assert_int_equal(reason_of(bundle), STOP_HOST);
}

static void a_machine_forced_off_with_a_full_disk_stopped_for_the_disk(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    type_to(bundle, "full\n");
    wait_for_state(bundle, CLIENT_PAUSED_PROBLEM);
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(definition->uuid, NULL);
    assert_true(vitrine_dbus_machine1_call_stop_sync(proxy, TRUE, NULL, NULL));
    wait_for_state(bundle, CLIENT_OFF);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_int_equal(machine->stop.reason, STOP_DISK_FULL);
    assert_string_equal(machine->stop.subject, "/full/disk.qcow2");
}

static void a_crash_of_ours_is_told_from_a_kill(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    kill(engine_pid(bundle), SIGKILL);
    wait_for_state(bundle, CLIENT_CRASHED);
    assert_int_equal(reason_of(bundle), STOP_KILLED);
    start(bundle);
    kill(engine_pid(bundle), SIGTRAP); /* which sanitizers leave alone */
    wait_for_state(bundle, CLIENT_CRASHED);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    assert_int_equal(machine->stop.reason, STOP_BUG);
    assert_string_equal(machine->stop.subject, "SIGTRAP");
}

static void triple_faults_are_counted_and_logged(void **state)
{
    g_autofree char *bundle = create("Box");
    start(bundle);
    type_to(bundle, "triple\ntriple\n");
    g_autofree char *log = g_build_filename(bundle, BUNDLE_LOG, NULL);
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    unsigned n = 0;
    while (n != 2 && g_get_monotonic_time() < end) {
        g_autoptr(ClientMachine) machine = client_open_machine(bundle);
        n = machine->stop.n_triple_faults;
        g_usleep(10000);
    }
    assert_int_equal(n, 2);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(log, &text, NULL, NULL));
    assert_non_null(strstr(text, "triple fault"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_machine_runs_and_ends_and_is_off_again),
        TEST(a_thumbnail_that_is_not_wanted_goes_while_the_machine_runs),
        TEST(drives_are_added_to_the_definition_and_removed),
        TEST(a_disks_size_and_what_it_takes_are_told),
        TEST(a_seventh_drive_leaves_nothing_behind),
        TEST(a_running_machines_disk_is_not_thrown_away),
        TEST(a_second_start_is_refused_and_harms_nothing),
        TEST(a_copied_bundle_does_not_pass_for_the_one_that_runs),
        TEST(a_bundle_moved_while_it_runs_is_still_the_one),
        TEST(an_engine_killed_is_a_crash_others_are_unaffected),
        TEST(a_socket_that_nobody_serves_is_no_machine),
        TEST(the_socket_is_closed_to_others),
        TEST(sigterm_presses_the_power_button),
        TEST(a_second_sigterm_ends_a_guest_that_ignores_the_first),
        TEST(machines_are_found_by_name_prefix_uuid_and_path),
        TEST(a_running_machine_elsewhere_is_listed),
        TEST(a_damaged_definition_is_listed_with_its_damage),
        TEST(a_creation_that_fails_leaves_nothing),
        TEST(a_running_machine_is_not_deleted),
        TEST(deleting_does_not_follow_links),
        TEST(a_missing_engine_is_said),
        TEST(a_full_host_disk_is_told_with_its_words),
        TEST(why_a_machine_stopped_is_kept_until_its_next_start),
        TEST(a_machine_forced_off_with_a_full_disk_stopped_for_the_disk),
        TEST(a_crash_of_ours_is_told_from_a_kill),
        TEST(triple_faults_are_counted_and_logged),
    };
    g_autofree char *data = g_dir_make_tmp("client-data-XXXXXX", NULL);
    g_setenv("XDG_DATA_HOME", data, TRUE); /* GLib reads it once */
    g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", data);
    return system(command) == 0 ? failed : 1;
}
