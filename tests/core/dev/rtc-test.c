/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/rtc.h"
#include "dev-fixture.h"

/* Wednesday 28 February 2024, 23:59:50 UTC: a leap year. */
#define BASE INT64_C(1709164790)
#define SECOND CLOCK_NS_PER_SECOND

static int setup(void **state)
{
    Board *board = board_new();

    board_plug(board, rtc_new(board_line(board, 8), BASE));
    *state = board;
    return 0;
}

static Device *rtc_of(Board *board)
{
    return flat_view_find(address_space_view(board->machine.ports), 0x70, NULL)->device;
}

static int teardown(void **state)
{
    Board *board = *state;

    device_free(rtc_of(board));
    board_free(board);
    return 0;
}

static unsigned get(Board *board, unsigned index)
{
    board_out(board, 0x70, 1, index);
    return board_in(board, 0x71, 1);
}

static void put(Board *board, unsigned index, uint8_t value)
{
    board_out(board, 0x70, 1, index | 0x80);
    board_out(board, 0x71, 1, value);
}

static void assert_time(Board *board, unsigned century, unsigned year, unsigned month, unsigned day,
                        unsigned weekday, unsigned hour, unsigned minute, unsigned second)
{
    assert_int_equal(get(board, 0x32), century);
    assert_int_equal(get(board, 9), year);
    assert_int_equal(get(board, 8), month);
    assert_int_equal(get(board, 7), day);
    assert_int_equal(get(board, 6), weekday);
    assert_int_equal(get(board, 4), hour);
    assert_int_equal(get(board, 2), minute);
    assert_int_equal(get(board, 0), second);
}

static void time_runs_over_the_leap_day(void **state)
{
    Board *board = *state;

    assert_time(board, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x50);
    board_advance(board, 15 * SECOND);
    assert_time(board, 0x20, 0x24, 0x02, 0x29, 5, 0x00, 0x00, 0x05);
    board_advance(board, 86400 * SECOND);
    assert_time(board, 0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x05);
    assert_int_equal(get(board, 0x0D), 0x80);
}

static void binary_and_twelve_hours_are_understood(void **state)
{
    Board *board = *state;

    put(board, 0x0B, 0x06);
    assert_time(board, 20, 24, 2, 28, 4, 23, 59, 50);
    put(board, 0x0B, 0x00);
    assert_int_equal(get(board, 4), 0x91); /* 11 PM */
    board_advance(board, 10 * SECOND);
    assert_int_equal(get(board, 4), 0x12); /* midnight is 12 AM */
}

static void the_guest_sets_the_time_while_it_stands(void **state)
{
    Board *board = *state;

    put(board, 0x0B, 0x82);
    board_advance(board, 5 * SECOND);
    assert_int_equal(get(board, 0), 0x50);
    put(board, 0x32, 0x19);
    put(board, 9, 0x99);
    put(board, 8, 0x12);
    put(board, 7, 0x31);
    put(board, 4, 0x23);
    put(board, 2, 0x59);
    put(board, 0, 0x59);
    put(board, 0x0B, 0x02);
    assert_time(board, 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59);
    board_advance(board, SECOND);
    assert_time(board, 0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
}

static void an_update_is_announced(void **state)
{
    Board *board = *state;

    assert_int_equal(get(board, 0x0A), 0x26);
    board_advance(board, SECOND - 244000 - 1);
    assert_int_equal(get(board, 0x0A) & 0x80, 0);
    board_advance(board, 1);
    assert_int_equal(get(board, 0x0A) & 0x80, 0x80);
    board_advance(board, 244000);
    assert_int_equal(get(board, 0x0A) & 0x80, 0);
    assert_int_equal(get(board, 0), 0x51);
}

static void update_ended_interrupts_until_c_is_read(void **state)
{
    Board *board = *state;

    put(board, 0x0B, 0x12);
    board_advance(board, SECOND - 1);
    assert_false(board->line[8].level);
    board_advance(board, 1);
    assert_true(board->line[8].level);
    assert_int_equal(get(board, 0x0C) & 0x90, 0x90);
    assert_false(board->line[8].level);
    assert_int_equal(get(board, 0x0C), 0);
    board_advance(board, SECOND);
    assert_int_equal(board->line[8].edges, 2);
}

static void periodic_interrupts_at_its_rate(void **state)
{
    Board *board = *state;
    unsigned n = 0;

    put(board, 0x0A, 0x26); /* 1024 Hz */
    put(board, 0x0B, 0x42);
    for (unsigned i = 0; i < 20000; i++) {
        board_advance(board, 50000);
        if (board->line[8].level && (get(board, 0x0C) & 0x40))
            n++;
    }
    assert_int_equal(n, 1024);
}

static void the_alarm_goes_off_when_all_fields_match(void **state)
{
    Board *board = *state;

    put(board, 1, 0x30);
    put(board, 3, 0x01);
    put(board, 5, 0xFF); /* each hour */
    put(board, 0x0B, 0x22);
    board_advance(board, 99 * SECOND);
    assert_false(board->line[8].level);
    board_advance(board, SECOND); /* 00:01:30 */
    assert_true(board->line[8].level);
    assert_int_equal(get(board, 0x0C) & 0xA0, 0xA0);
    board_advance(board, 3600 * SECOND);
    assert_int_equal(board->line[8].edges, 2);
}

static void flags_rise_without_interrupts_too(void **state)
{
    Board *board = *state;

    get(board, 0x0C);
    board_advance(board, 2 * SECOND);
    assert_false(board->line[8].level);
    assert_int_equal(get(board, 0x0C) & 0xD0, 0x50);
}

static void cmos_keeps_what_the_board_and_the_guest_put(void **state)
{
    Board *board = *state;
    Rtc *rtc = (Rtc *)rtc_of(board);

    rtc_set_cmos(rtc, 0x5F, 3);
    put(board, 0x0F, 0x0A);
    device_reset(rtc_of(board));
    device_update(rtc_of(board));
    assert_int_equal(get(board, 0x5F), 3);
    assert_int_equal(get(board, 0x0F), 0x0A);
    assert_int_equal(rtc_get_cmos(rtc, 0x0F), 0x0A);
}

/* An edge-triggered input needs to see the line low, even when the next period begins during the
 * very access that clears the flag. */
static void reading_c_lowers_the_line_whenever_it_comes(void **state)
{
    Board *board = board_new_real_time();
    GRecMutex *lock = &board->machine.lock;
    gint64 end = g_get_monotonic_time() + 100 * 1000;

    g_rec_mutex_lock(lock);
    board_plug(board, rtc_new(board_line(board, 8), BASE));
    put(board, 0x0A, 0x23); /* 8192 Hz */
    put(board, 0x0B, 0x42);
    board_out(board, 0x70, 1, 0x0C);
    while (g_get_monotonic_time() < end)
        for (unsigned i = 0; i < 100; i++) {
            board_in(board, 0x71, 1);
            assert_false(board->line[8].level);
        }
    g_rec_mutex_unlock(lock);
    clock_stop(board->machine.clock);
    device_free(rtc_of(board));
    board_free(board);
}

static void time_survives_reset_and_restore(void **state)
{
    Board *board = *state;

    put(board, 2, 0x30);
    board_advance(board, SECOND / 2);
    board_save_and_load(rtc_of(board));
    assert_time(board, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x30, 0x50);
    board_advance(board, SECOND / 2);
    assert_int_equal(get(board, 0), 0x51);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(time_runs_over_the_leap_day),
        TEST(binary_and_twelve_hours_are_understood),
        TEST(the_guest_sets_the_time_while_it_stands),
        TEST(an_update_is_announced),
        TEST(update_ended_interrupts_until_c_is_read),
        TEST(periodic_interrupts_at_its_rate),
        TEST(the_alarm_goes_off_when_all_fields_match),
        TEST(flags_rise_without_interrupts_too),
        TEST(cmos_keeps_what_the_board_and_the_guest_put),
        cmocka_unit_test(reading_c_lowers_the_line_whenever_it_comes),
        TEST(time_survives_reset_and_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
