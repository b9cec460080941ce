/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* What is said before a machine is made, on computers of all kinds. */
#include "client/preflight.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)

static const PreflightHost good_host = {
    true, true, true, true, NULL, 16 * GIB, 8 * GIB, 100 * GIB
};
static const PreflightWants small = { "/home/machines", 2 * GIB, 20 * GIB, FIRMWARE_BIOS };

static GPtrArray *look(PreflightWants wants, PreflightHost host)
{
    return client_preflight_on(&wants, &host);
}

static const PreflightFinding *worst(GPtrArray *findings)
{
    return findings->pdata[0];
}

static void a_good_computer_gets_no_word(void **state)
{
    const HostCpu kvm = { .is_kvm = true, .words = "KVM", .remedy = "" };
    PreflightHost host = good_host;
    host.cpu = &kvm;
    g_autoptr(GPtrArray) findings = look(small, host);
    assert_int_equal(findings->len, 0);
}

static void more_memory_than_there_is_cannot_work(void **state)
{
    PreflightWants wants = small;
    wants.memory_bytes = 32 * GIB;
    g_autoptr(GPtrArray) findings = look(wants, good_host);
    assert_int_equal(worst(findings)->grade, PREFLIGHT_FATAL);
    assert_non_null(strstr(worst(findings)->words, "16.0"));
}

static void more_memory_than_is_free_is_a_warning(void **state)
{
    PreflightHost host = good_host;
    host.memory_free = GIB;
    g_autoptr(GPtrArray) findings = look(small, host);
    assert_int_equal(worst(findings)->grade, PREFLIGHT_WARNING);
}

static void a_disk_larger_than_the_space_is_a_warning_and_no_space_is_fatal(void **state)
{
    PreflightHost host = good_host;
    host.space_free = 10 * GIB;
    g_autoptr(GPtrArray) some = look(small, host);
    assert_int_equal(worst(some)->grade, PREFLIGHT_WARNING);
    host.space_free = 1000;
    g_autoptr(GPtrArray) none = look(small, host);
    assert_int_equal(worst(none)->grade, PREFLIGHT_FATAL);
}

static void a_read_only_folder_is_named(void **state)
{
    PreflightHost host = good_host;
    host.root_writable = false;
    g_autoptr(GPtrArray) findings = look(small, host);
    assert_int_equal(worst(findings)->grade, PREFLIGHT_FATAL);
    assert_non_null(strstr(worst(findings)->words, small.root));
}

static void missing_parts_come_first_with_their_package(void **state)
{
    PreflightHost host = good_host;
    host.has_bios = false;
    host.memory_free = GIB;
    g_autoptr(GPtrArray) findings = look(small, host);
    assert_int_equal(worst(findings)->grade, PREFLIGHT_FATAL);
    assert_non_null(strstr(worst(findings)->remedy, "seabios"));
}

static void uefi_is_missed_by_the_machine_that_wants_it(void **state)
{
    PreflightHost host = good_host;
    PreflightWants wants = small;
    host.has_uefi = false;
    g_autoptr(GPtrArray) bios = look(wants, host);
    assert_int_equal(bios->len, 0);
    wants.firmware = FIRMWARE_UEFI;
    g_autoptr(GPtrArray) uefi = look(wants, host);
    assert_int_equal(worst(uefi)->grade, PREFLIGHT_FATAL);
    assert_non_null(strstr(worst(uefi)->remedy, "ovmf"));
    host.has_uefi = true;
    host.has_bios = false;
    g_autoptr(GPtrArray) none = look(wants, host);
    assert_int_equal(none->len, 0);
}

static void no_kvm_is_no_obstacle(void **state)
{
    PreflightHost host = good_host;
    const HostCpu closed = { .words = "/dev/kvm is closed to you.", .remedy = "Log in again." };
    host.cpu = &closed;
    g_autoptr(GPtrArray) findings = look(small, host);
    assert_int_equal(findings->len, 1);
    assert_int_equal(worst(findings)->grade, PREFLIGHT_NOTE);
    assert_non_null(strstr(worst(findings)->words, closed.words));
    assert_string_equal(worst(findings)->remedy, closed.remedy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_computer_gets_no_word),
        cmocka_unit_test(more_memory_than_there_is_cannot_work),
        cmocka_unit_test(more_memory_than_is_free_is_a_warning),
        cmocka_unit_test(a_disk_larger_than_the_space_is_a_warning_and_no_space_is_fatal),
        cmocka_unit_test(a_read_only_folder_is_named),
        cmocka_unit_test(missing_parts_come_first_with_their_package),
        cmocka_unit_test(uefi_is_missed_by_the_machine_that_wants_it),
        cmocka_unit_test(no_kvm_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
