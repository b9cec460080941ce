/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "model/defaults.h"
#include "model/definition.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define UUID "7f1f4c1e-3b0d-4d0a-9a53-0c1de2f6a9b4"
#define HEAD "[machine]\nname=Box\nuuid=" UUID "\n"

static Definition *parse(const char *text)
{
    GError *error = NULL;
    Definition *definition = definition_parse(text, -1, "m.conf", &error);
    if (error)
        fail_msg("%s", error->message);
    return definition;
}

static void definition_that_is_saved_reads_the_same(void **state)
{
    g_autoptr(Definition) before = definition_new("Büro “2”");
    assert_true(definition_set(before, "memory", "1.5G", NULL));
    assert_true(definition_set(before, "cpus", "3", NULL));
    assert_true(definition_set(before, "boot", "disk,cdrom", NULL));
    assert_true(definition_set(before, "drive-1.type", "cdrom", NULL));
    assert_true(definition_set(before, "drive-1.path", "/a b/ü;x.iso", NULL));
    g_autofree char *text = definition_to_text(before);
    g_autoptr(Definition) after = parse(text);
    g_auto(GStrv) a = definition_dup_values(before);
    g_auto(GStrv) b = definition_dup_values(after);
    assert_true(g_strv_equal((const char *const *)a, (const char *const *)b));
    assert_int_equal(after->memory_bytes, 1536 << 20);
    assert_int_equal(after->boot, BOOT_DISK_CDROM);
    assert_string_equal(after->drive[1].path, "/a b/ü;x.iso");
    assert_int_equal(after->drive[0].type, DRIVE_NONE);
}

static void what_is_not_written_has_its_default(void **state)
{
    g_autoptr(Definition) definition = parse(HEAD);
    assert_int_equal(definition->memory_bytes, 1 << 30);
    assert_int_equal(definition->n_cpus, 1);
    assert_int_equal(definition->cpu, CPU_CHOICE_AUTO);
    assert_false(definition->boot_menu);
    assert_int_equal(definition->hyperv, HYPERV_CHOICE_AUTO);
    assert_string_equal(definition->kernel, "");
}

static void unknown_keys_groups_and_comments_are_kept(void **state)
{
    g_autoptr(Definition) definition = parse(
        "# mine\n" HEAD "colour=red\n[plugin x]\nlevel=3\n[drive-0]\ntype=disk\npath=d\nz=1\n");
    assert_true(definition_set(definition, "memory", "2G", NULL));
    g_autofree char *text = definition_to_text(definition);
    assert_non_null(strstr(text, "# mine"));
    assert_non_null(strstr(text, "colour=red"));
    assert_non_null(strstr(text, "[plugin x]\nlevel=3"));
    assert_non_null(strstr(text, "z=1"));
    assert_non_null(strstr(text, "memory=2G"));
}

static void sizes_stay_as_a_person_wrote_them(void **state)
{
    g_autoptr(Definition) definition = parse(HEAD "memory=2048 MiB\n");
    g_autofree char *text = definition_to_text(definition);
    assert_non_null(strstr(text, "memory=2048 MiB"));
}

static void a_bad_value_is_named_with_file_group_key_and_expectation(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { HEAD "memory=2X\n", "m.conf: [machine] memory is “2X”; expected a size from 1M to 1T" },
        { HEAD "memory=-1\n", "m.conf: [machine] memory is “-1”; expected a size" },
        { HEAD "memory=4096T\n", "m.conf: [machine] memory is “4096T”; expected a size" },
        { HEAD "memory=\n", "m.conf: [machine] memory is “”; expected a size" },
        { HEAD "cpus=0\n", "m.conf: [machine] cpus is “0”; expected a number from 1 to 16" },
        { HEAD "cpus=17\n", "m.conf: [machine] cpus is “17”; expected a number from 1 to 16" },
        { HEAD "cpus=two\n", "m.conf: [machine] cpus is “two”; expected a number" },
        { HEAD "cpus=1.5\n", "m.conf: [machine] cpus is “1.5”; expected a number" },
        { HEAD "cpu=fast\n",
          "m.conf: [machine] cpu is “fast”; expected one of: auto, kvm, software" },
        { HEAD "hyperv=maybe\n", "m.conf: [machine] hyperv is “maybe”; expected one of" },
        { HEAD "firmware=rom\n", "m.conf: [machine] firmware is “rom”; expected one of" },
        { HEAD "boot-menu=maybe\n",
          "m.conf: [machine] boot-menu is “maybe”; expected true or false" },
        { HEAD "clock=fast\n", "m.conf: [machine] clock is “fast”; expected one of" },
        { HEAD "[drive-5]\ntype=floppy\n",
          "m.conf: [drive-5] type is “floppy”; expected one of: none, disk, cdrom" },
        { HEAD "[drive-0]\npath=x\n", "m.conf: [drive-0] type is missing; expected one of" },
        { "[machine]\nname=x\nuuid=12\n", "m.conf: [machine] uuid is “12”; expected a UUID" },
        { "[machine]\nuuid=" UUID "\n", "m.conf: [machine] name is missing; expected 1 to 200" },
        { "[other]\nx=1\n", "m.conf has no group [machine]" },
        { "not a key file", "m.conf is not a machine definition" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Definition *definition = definition_parse(cases[i].text, -1, "m.conf", &error);
        assert_null(definition);
        assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_INVALID));
        if (!g_str_has_prefix(error->message, cases[i].message))
            fail_msg("“%s” does not begin “%s”", error->message, cases[i].message);
    }
}

static void a_refused_set_changes_nothing(void **state)
{
    g_autoptr(Definition) definition = definition_new("x");
    g_autoptr(GError) error = NULL;
    assert_true(definition_set(definition, "cpus", "4", NULL));
    assert_false(definition_set(definition, "cpus", "99", &error));
    assert_int_equal(definition->n_cpus, 4);
    g_clear_error(&error);
    assert_false(definition_set(definition, "speed", "9", &error));
    assert_non_null(strstr(error->message, "There is no setting “speed”"));
    g_clear_error(&error);
    assert_false(definition_set(definition, "name", "two\nlines", &error));
    assert_string_equal(definition->name, "x");
}

static void a_name_is_measured_in_characters(void **state)
{
    g_autoptr(Definition) definition = definition_new("x");
    g_autoptr(GString) name = g_string_new(NULL);
    for (unsigned i = 0; i < 200; i++)
        g_string_append(name, "ü");
    assert_true(definition_set(definition, "name", name->str, NULL));
    g_string_append(name, "ü");
    assert_false(definition_set(definition, "name", name->str, NULL));
}

static void sizes_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = { { "0", 0 },
                 { "512", 512 },
                 { "1K", 1024 },
                 { "20 GB", 20ull << 30 },
                 { "1.5GiB", 3ull << 29 },
                 { "2g", 2ull << 30 } };
    static const char *const bad[] = {
        "", "x", "2X", "-2G", "1..5G", "2GG", "99999999999T", "0x10"
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        uint64_t bytes = 7;
        assert_true(size_parse(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint64_t bytes = 7;
        if (size_parse(bad[i], &bytes))
            fail_msg("“%s” was taken for a size", bad[i]);
        assert_int_equal(bytes, 7);
    }
    g_autofree char *text = size_format(1536ull << 20);
    assert_string_equal(text, "1536M");
}

static void a_disc_is_at_ahci_and_a_disk_where_it_is_put(void **state)
{
    g_autoptr(Definition) definition =
        parse(HEAD "[drive-0]\ntype=disk\npath=a\ninterface=virtio\n[drive-1]\ntype=cdrom\n");
    g_autoptr(GError) error = NULL;

    assert_int_equal(definition->drive[0].interface, INTERFACE_VIRTIO);
    assert_int_equal(definition->drive[1].interface, INTERFACE_AHCI);
    assert_true(definition_check_runs(definition, "m.conf", NULL));
    assert_true(definition_set(definition, "drive-1.interface", "virtio", NULL));
    assert_false(definition_check_runs(definition, "m.conf", &error));
    assert_non_null(strstr(error->message, "[drive-1]"));
}

static void systems_with_drivers_for_virtio_are_known(void **state)
{
    assert_true(machine_defaults_has_virtio("debian12"));
    assert_true(machine_defaults_has_virtio("openbsd7.1"));
    assert_false(machine_defaults_has_virtio("win11"));
    assert_false(machine_defaults_has_virtio(""));
    assert_false(machine_defaults_has_virtio(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_that_is_saved_reads_the_same),
        cmocka_unit_test(what_is_not_written_has_its_default),
        cmocka_unit_test(unknown_keys_groups_and_comments_are_kept),
        cmocka_unit_test(sizes_stay_as_a_person_wrote_them),
        cmocka_unit_test(a_bad_value_is_named_with_file_group_key_and_expectation),
        cmocka_unit_test(a_refused_set_changes_nothing),
        cmocka_unit_test(a_name_is_measured_in_characters),
        cmocka_unit_test(sizes_are_read_and_written),
        cmocka_unit_test(a_disc_is_at_ahci_and_a_disk_where_it_is_put),
        cmocka_unit_test(systems_with_drivers_for_virtio_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
