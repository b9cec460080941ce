/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/hpet.h"
#include "dev-fixture.h"

#define TICK_NS 10
enum {
    CONFIG = 0x10,
    STATUS = 0x20,
    COUNTER = 0xF0,
    TIMER0 = 0x100,
    TIMER1 = 0x120,
    TIMER2 = 0x140
};
enum { COMPARATOR = 8 };

typedef struct {
    Board *board;
    Device *pit, *rtc, *hpet;
} Fixture;

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    IrqLine gsi[HPET_N_INPUTS];

    f->board = board_new();
    for (unsigned i = 0; i < HPET_N_INPUTS; i++)
        gsi[i] = board_line(f->board, i);
    f->pit = pit_new(gsi[0]);
    f->rtc = rtc_new(gsi[8], 0);
    f->hpet = hpet_new(gsi, (Pit *)f->pit, (Rtc *)f->rtc);
    board_plug(f->board, f->pit);
    board_plug(f->board, f->rtc);
    board_plug(f->board, f->hpet);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->hpet);
    device_free(f->rtc);
    device_free(f->pit);
    board_free(f->board);
    g_free(f);
    return 0;
}

static uint64_t get(Fixture *f, unsigned offset, unsigned size)
{
    return address_space_read(f->board->machine.memory, HPET_BASE + offset, size);
}

static void put(Fixture *f, unsigned offset, unsigned size, uint64_t value)
{
    address_space_write(f->board->machine.memory, HPET_BASE + offset, size, value);
}

static void ticks(Fixture *f, uint64_t n)
{
    board_advance(f->board, n * TICK_NS);
}

static void capabilities_are_those_of_an_ich9(void **state)
{
    Fixture *f = *state;

    assert_int_equal(get(f, 0, 8), UINT64_C(0x009896808086A201));
    assert_int_equal(get(f, 4, 4), 10000000); /* femtoseconds */
    assert_int_equal(get(f, TIMER0, 4) & 0x30, 0x30);
}

static void the_counter_runs_while_enabled(void **state)
{
    Fixture *f = *state;
    uint64_t value;

    ticks(f, 100);
    assert_int_equal(get(f, COUNTER, 8), 0);
    put(f, CONFIG, 4, 1);
    ticks(f, 100);
    assert_int_equal(get(f, COUNTER, 8), 100);
    assert_true(f->hpet->ops->read_lockless(f->hpet, COUNTER, 4, &value));
    assert_int_equal(value, 100);
    put(f, CONFIG, 4, 0);
    ticks(f, 100);
    assert_int_equal(get(f, COUNTER, 4), 100);
    put(f, COUNTER, 8, UINT64_C(0x1FFFFFFF0));
    put(f, CONFIG, 4, 1);
    ticks(f, 0x20);
    assert_int_equal(get(f, COUNTER + 4, 4), 2);
    assert_int_equal(get(f, COUNTER, 4), 0x10);
}

static void a_one_shot_fires_once(void **state)
{
    Fixture *f = *state;

    put(f, CONFIG, 4, 1);
    put(f, TIMER2, 4, 11 << 9 | 4);
    put(f, TIMER2 + COMPARATOR, 8, 1000);
    ticks(f, 999);
    assert_int_equal(f->board->line[11].edges, 0);
    ticks(f, 1);
    assert_int_equal(f->board->line[11].edges, 1);
    ticks(f, 100000);
    assert_int_equal(f->board->line[11].edges, 1);
}

static void a_comparator_in_the_past_does_not_fire(void **state)
{
    Fixture *f = *state;

    put(f, CONFIG, 4, 1);
    ticks(f, 5000);
    put(f, TIMER2, 4, 11 << 9 | 4);
    put(f, TIMER2 + COMPARATOR, 8, 4999);
    ticks(f, 1000000);
    assert_int_equal(f->board->line[11].edges, 0);
}

static void a_periodic_timer_takes_the_pits_place(void **state)
{
    Fixture *f = *state;

    board_out(f->board, 0x43, 1, 0x34); /* the PIT runs too */
    board_out(f->board, 0x40, 1, 0xA9);
    board_out(f->board, 0x40, 1, 0x04);
    put(f, TIMER0, 4, 0x14C); /* 32 bits, periodic, set value, interrupt */
    put(f, TIMER0 + COMPARATOR, 4, 50000);
    put(f, TIMER0 + COMPARATOR, 4, 100000);
    put(f, CONFIG, 4, 3);
    unsigned before = f->board->line[0].edges;
    ticks(f, 49999);
    assert_int_equal(f->board->line[0].edges - before, 0);
    ticks(f, 1);
    assert_int_equal(f->board->line[0].edges - before, 1);
    ticks(f, 1000000);
    assert_int_equal(f->board->line[0].edges - before, 11);
    assert_int_equal(get(f, TIMER0 + COMPARATOR, 4), 1150000);

    put(f, CONFIG, 4, 1); /* the PIT is back */
    before = f->board->line[0].edges;
    board_advance(f->board, CLOCK_NS_PER_SECOND / 100);
    assert_int_equal(f->board->line[0].edges - before, 10);
}

static void a_32_bit_timer_comes_round(void **state)
{
    Fixture *f = *state;

    put(f, COUNTER, 8, 0xFFFFFF00);
    put(f, TIMER2, 4, 1 << 8 | 11 << 9 | 4);
    put(f, TIMER2 + COMPARATOR, 4, 0x100);
    put(f, CONFIG, 4, 1);
    ticks(f, 0x1FF);
    assert_int_equal(f->board->line[11].edges, 0);
    ticks(f, 1);
    assert_int_equal(f->board->line[11].edges, 1);
    ticks(f, UINT64_C(1) << 32);
    assert_int_equal(f->board->line[11].edges, 2);
}

static void a_level_stays_until_its_status_is_cleared(void **state)
{
    Fixture *f = *state;

    put(f, CONFIG, 4, 1);
    put(f, TIMER1, 4, 20 << 9 | 6);
    put(f, TIMER1 + COMPARATOR, 8, 10);
    ticks(f, 20);
    assert_true(f->board->line[20].level);
    assert_int_equal(get(f, STATUS, 4), 2);
    put(f, STATUS, 4, 2);
    assert_false(f->board->line[20].level);
}

static void routes_that_are_not_offered_stay_silent(void **state)
{
    Fixture *f = *state;

    put(f, CONFIG, 4, 1);
    put(f, TIMER0, 4, 5 << 9 | 4);
    put(f, TIMER0 + COMPARATOR, 8, 10);
    ticks(f, 20);
    assert_int_equal(f->board->line[5].edges, 0);
}

static void a_restored_hpet_fires_on_time(void **state)
{
    Fixture *f = *state;

    put(f, CONFIG, 4, 1);
    put(f, TIMER2, 4, 11 << 9 | 4);
    put(f, TIMER2 + COMPARATOR, 8, 1000);
    ticks(f, 500);
    board_save_and_load(f->hpet);
    assert_int_equal(get(f, COUNTER, 8), 500);
    ticks(f, 499);
    assert_int_equal(f->board->line[11].edges, 0);
    ticks(f, 1);
    assert_int_equal(f->board->line[11].edges, 1);
}

static void a_restored_periodic_timer_keeps_its_period(void **state)
{
    Fixture *f = *state;

    put(f, TIMER2, 4, 0x100 | 11 << 9 | 0x4C);
    put(f, TIMER2 + COMPARATOR, 4, 500);
    put(f, TIMER2 + COMPARATOR, 4, 1000);
    put(f, CONFIG, 4, 1);
    ticks(f, 700);
    board_save_and_load(f->hpet);
    assert_int_equal(f->board->line[11].edges, 1);
    ticks(f, 2000);
    assert_int_equal(f->board->line[11].edges, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(capabilities_are_those_of_an_ich9),
        TEST(the_counter_runs_while_enabled),
        TEST(a_one_shot_fires_once),
        TEST(a_comparator_in_the_past_does_not_fire),
        TEST(a_periodic_timer_takes_the_pits_place),
        TEST(a_32_bit_timer_comes_round),
        TEST(a_level_stays_until_its_status_is_cleared),
        TEST(routes_that_are_not_offered_stay_silent),
        TEST(a_restored_hpet_fires_on_time),
        TEST(a_restored_periodic_timer_keeps_its_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
