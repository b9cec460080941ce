/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/install-rest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

#define MIB (UINT64_C(1) << 20)

/* A guest whose time the test moves. */
typedef struct {
    InstallRest rest;
    InstallSample now;
    bool draws; /* its picture changes, rather than stands still */
    unsigned n_rests, n_goes_on;
} Guest;

static int setup(void **state)
{
    Guest *guest = g_new0(Guest, 1);
    guest->draws = true;
    guest->now.screen = 1;
    install_rest_feed(&guest->rest, &guest->now);
    *state = guest;
    return 0;
}

static int teardown(void **state)
{
    g_free(*state);
    return 0;
}

/* Lets @seconds go by, looked at every five; @cpu of a processor, bytes a second. */
static void live(Guest *guest, int seconds, double cpu, uint64_t written, uint64_t read)
{
    for (int i = 0; i < seconds; i += 5) {
        guest->now.seconds += 5;
        guest->now.cpu_seconds += 5 * cpu;
        guest->now.written_bytes += 5 * written;
        guest->now.read_bytes += 5 * read;
        guest->now.screen += guest->draws;
        InstallChange change = install_rest_feed(&guest->rest, &guest->now);
        guest->n_rests += change == INSTALL_RESTS;
        guest->n_goes_on += change == INSTALL_GOES_ON;
    }
}

static void work(Guest *guest, int seconds)
{
    live(guest, seconds, 1, 4 * MIB, 2 * MIB);
}

static void rest(Guest *guest, int seconds)
{
    live(guest, seconds, 0.02, 0, 0);
}

static void a_minutes_work_and_twenty_seconds_rest_is_told_once(void **state)
{
    Guest *guest = *state;
    work(guest, 60);
    rest(guest, 15);
    assert_int_equal(guest->n_rests, 0);
    rest(guest, 5);
    assert_int_equal(guest->n_rests, 1);
    rest(guest, 3600);
    assert_int_equal(guest->n_rests, 1);
    assert_int_equal(guest->n_goes_on, 0);
}

static void each_rest_after_work_is_told(void **state)
{
    Guest *guest = *state;
    work(guest, 90);
    rest(guest, 60);
    work(guest, 90);
    assert_int_equal(guest->n_goes_on, 1);
    rest(guest, 60);
    assert_int_equal(guest->n_rests, 2);
}

static void little_work_is_not_told(void **state)
{
    Guest *guest = *state;
    for (int i = 0; i < 5; i++) {
        work(guest, 40);
        rest(guest, 30); /* somebody answers its questions */
    }
    assert_int_equal(guest->n_rests, 0);
}

static void work_may_pause_for_less_than_a_rest(void **state)
{
    Guest *guest = *state;
    for (int i = 0; i < 5; i++) {
        work(guest, 15);
        rest(guest, 15);
    }
    rest(guest, 5);
    assert_int_equal(guest->n_rests, 1);
}

static void a_processor_without_disk_is_no_work(void **state)
{
    Guest *guest = *state;
    live(guest, 600, 1, 0, 0);
    rest(guest, 60);
    assert_int_equal(guest->n_rests, 0);
}

static void what_reads_or_computes_does_not_rest(void **state)
{
    Guest *guest = *state;
    work(guest, 120);
    live(guest, 60, 0.05, 0, MIB); /* a slow disc */
    live(guest, 600, 1, 0, 0);     /* it packs an initramfs */
    assert_int_equal(guest->n_rests, 0);
}

static void a_log_line_and_a_clock_do_not_disturb_a_rest(void **state)
{
    Guest *guest = *state;
    work(guest, 120);
    live(guest, 20, 0.1, 4096, 0);
    assert_int_equal(guest->n_rests, 1);
}

static void time_that_stands_still_is_no_rest(void **state)
{
    Guest *guest = *state;
    work(guest, 120);
    for (int i = 0; i < 100; i++)
        assert_int_equal(install_rest_feed(&guest->rest, &guest->now), INSTALL_UNCHANGED);
}

static void a_menu_that_polls_rests_once_its_screen_stood_still_for_five_minutes(void **state)
{
    Guest *guest = *state;
    work(guest, 60);
    guest->draws = false;
    live(guest, 295, 1, 0, 0);
    assert_int_equal(guest->n_rests, 0);
    live(guest, 5, 1, 0, 0);
    assert_int_equal(guest->n_rests, 1);
    live(guest, 3600, 1, 0, 0);
    assert_int_equal(guest->n_rests, 1);
    guest->draws = true; /* answered */
    work(guest, 60);
    assert_int_equal(guest->n_goes_on, 1);
}

static void a_picture_that_changes_begins_the_five_minutes_anew(void **state)
{
    Guest *guest = *state;
    work(guest, 120);
    for (int i = 0; i < 5; i++) {
        guest->draws = false;
        live(guest, 290, 1, 0, 0);
        guest->draws = true;
        live(guest, 5, 1, 0, 0);
    }
    assert_int_equal(guest->n_rests, 0);
}

static void a_still_picture_is_no_rest_while_the_disk_moves(void **state)
{
    Guest *guest = *state;
    work(guest, 120);
    guest->draws = false;
    work(guest, 900);
    live(guest, 900, 1, 0, MIB);
    assert_int_equal(guest->n_rests, 0);
}

static void a_screen_that_nobody_can_tell_of_does_not_stand_still(void **state)
{
    Guest *guest = *state;
    guest->draws = false;
    guest->now.screen = 0; /* an older engine */
    work(guest, 120);
    live(guest, 3600, 1, 0, 0);
    assert_int_equal(guest->n_rests, 0);
}

static void a_boot_menu_before_any_work_is_not_told(void **state)
{
    Guest *guest = *state;
    guest->draws = false;
    live(guest, 3600, 1, 0, 0);
    assert_int_equal(guest->n_rests, 0);
}

static void a_disk_with_a_system_on_it_is_not_installed_to(void **state)
{
    Guest *guest = *state;
    assert_true(install_began_empty(MIB, &guest->now));
    assert_false(install_began_empty(900 * MIB, &guest->now));
    work(guest, 300); /* the app came later */
    assert_true(install_began_empty(900 * MIB, &guest->now));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_minutes_work_and_twenty_seconds_rest_is_told_once),
        TEST(each_rest_after_work_is_told),
        TEST(little_work_is_not_told),
        TEST(work_may_pause_for_less_than_a_rest),
        TEST(a_processor_without_disk_is_no_work),
        TEST(what_reads_or_computes_does_not_rest),
        TEST(a_log_line_and_a_clock_do_not_disturb_a_rest),
        TEST(time_that_stands_still_is_no_rest),
        TEST(a_menu_that_polls_rests_once_its_screen_stood_still_for_five_minutes),
        TEST(a_picture_that_changes_begins_the_five_minutes_anew),
        TEST(a_still_picture_is_no_rest_while_the_disk_moves),
        TEST(a_screen_that_nobody_can_tell_of_does_not_stand_still),
        TEST(a_boot_menu_before_any_work_is_not_told),
        TEST(a_disk_with_a_system_on_it_is_not_installed_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
