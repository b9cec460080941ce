/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/pit.h"
#include "dev-fixture.h"

#define TICK_NS(n) clock_ticks_to_ns(n, PIT_HZ)

static int setup(void **state)
{
    Board *board = board_new();

    board_plug(board, pit_new(board_line(board, 0)));
    *state = board;
    return 0;
}

static Device *pit_of(Board *board)
{
    return flat_view_find(address_space_view(board->machine.ports), 0x40, NULL)->device;
}

static int teardown(void **state)
{
    Board *board = *state;

    device_free(pit_of(board));
    board_free(board);
    return 0;
}

static void program(Board *board, unsigned counter, uint8_t mode, uint16_t count)
{
    board_out(board, 0x43, 1, counter << 6 | 0x30 | mode << 1);
    board_out(board, 0x40 + counter, 1, count & 0xFF);
    board_out(board, 0x40 + counter, 1, count >> 8);
}

static unsigned latched(Board *board, unsigned counter)
{
    board_out(board, 0x43, 1, counter << 6);
    unsigned low = board_in(board, 0x40 + counter, 1);
    return low | board_in(board, 0x40 + counter, 1) << 8;
}

static void advance_to(Board *board, uint64_t ns)
{
    board_advance(board, ns - clock_now_ns(board->machine.clock));
}

static void rate_generator_interrupts_each_period(void **state)
{
    Board *board = *state;

    program(board, 0, 2, 1193);
    unsigned before = board->line[0].edges;
    for (unsigned i = 1; i <= 1000; i++) {
        advance_to(board, TICK_NS(1193 * i) - 1);
        assert_int_equal(board->line[0].edges, before + i - 1);
        advance_to(board, TICK_NS(1193 * i));
        assert_int_equal(board->line[0].edges, before + i);
    }
}

static void square_wave_has_the_same_rate(void **state)
{
    Board *board = *state;

    program(board, 0, 3, 0); /* 65536: 18.2 Hz */
    unsigned before = board->line[0].edges;
    board_advance(board, UINT64_C(10) * CLOCK_NS_PER_SECOND);
    assert_int_equal(board->line[0].edges - before, 182);
}

static void one_shot_interrupts_once(void **state)
{
    Board *board = *state;

    program(board, 0, 0, 100);
    assert_false(board->line[0].level);
    advance_to(board, TICK_NS(100) - 1);
    assert_false(board->line[0].level);
    board_advance(board, 1);
    assert_true(board->line[0].level);
    board_advance(board, CLOCK_NS_PER_SECOND);
    assert_int_equal(board->line[0].edges, 2); /* with the idle level of reset */
}

static void counters_count_down_exactly(void **state)
{
    Board *board = *state;

    program(board, 2, 0, 50000);
    assert_int_equal(latched(board, 2), 50000); /* gate is low: it stands */
    board_advance(board, TICK_NS(500));
    assert_int_equal(latched(board, 2), 50000);
    board_out(board, 0x61, 1, 1);
    uint64_t start = clock_now_ns(board->machine.clock);
    for (unsigned ticks = 0; ticks < 60000; ticks += 997) {
        advance_to(board, start + TICK_NS(ticks));
        assert_int_equal(latched(board, 2), (50000 - ticks) & 0xFFFF);
        assert_int_equal(board_in(board, 0x61, 1) >> 5 & 1, ticks >= 50000);
    }
}

static void a_closed_gate_holds_the_count(void **state)
{
    Board *board = *state;

    board_out(board, 0x61, 1, 1);
    program(board, 2, 0, 1000);
    board_advance(board, TICK_NS(300));
    board_out(board, 0x61, 1, 0);
    board_advance(board, TICK_NS(5000));
    assert_int_equal(latched(board, 2), 700);
    board_save_and_load(pit_of(board));
    assert_int_equal(latched(board, 2), 700);
    board_out(board, 0x61, 1, 1);
    board_advance(board, TICK_NS(200));
    assert_int_equal(latched(board, 2), 500);
}

static void the_gate_triggers_modes_1_and_5(void **state)
{
    Board *board = *state;

    program(board, 2, 1, 100);
    board_advance(board, TICK_NS(1000));
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0x20);
    board_out(board, 0x61, 1, 1);
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0);
    board_advance(board, TICK_NS(100));
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0x20);

    board_out(board, 0x61, 1, 0);
    program(board, 2, 5, 100);
    board_out(board, 0x61, 1, 1);
    uint64_t start = clock_now_ns(board->machine.clock);
    advance_to(board, start + TICK_NS(99));
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0x20);
    advance_to(board, start + TICK_NS(100));
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0);
    advance_to(board, start + TICK_NS(101));
    assert_int_equal(board_in(board, 0x61, 1) & 0x20, 0x20);
}

static void read_back_latches_status_and_count(void **state)
{
    Board *board = *state;

    program(board, 0, 2, 0x1234);
    board_out(board, 0x43, 1, 0xC2);
    board_advance(board, TICK_NS(0x34));
    assert_int_equal(board_in(board, 0x40, 1), 0xB4); /* OUT, both bytes, mode 2 */
    assert_int_equal(board_in(board, 0x40, 1), 0x34); /* the count latched back then */
    assert_int_equal(board_in(board, 0x40, 1), 0x12);
    board_out(board, 0x43, 1, 0x34);
    board_out(board, 0x43, 1, 0xE2);
    assert_int_equal(board_in(board, 0x40, 1) & 0x40, 0x40); /* no count yet */
}

static void bcd_counts_in_decimal(void **state)
{
    Board *board = *state;

    board_out(board, 0x61, 1, 1);
    board_out(board, 0x43, 1, 0xB1);
    board_out(board, 0x42, 1, 0x00);
    board_out(board, 0x42, 1, 0x10);
    board_advance(board, TICK_NS(1));
    assert_int_equal(latched(board, 2), 0x0999);
    board_advance(board, TICK_NS(1000));
    assert_int_equal(latched(board, 2), 0x9999);
}

static void a_new_count_waits_for_the_period_to_end(void **state)
{
    Board *board = *state;

    program(board, 0, 2, 1000);
    unsigned before = board->line[0].edges;
    advance_to(board, TICK_NS(400));
    board_out(board, 0x40, 1, 5000 & 0xFF);
    board_out(board, 0x40, 1, 5000 >> 8);
    assert_int_equal(latched(board, 0), 600);
    advance_to(board, TICK_NS(1000));
    assert_int_equal(board->line[0].edges - before, 1);
    advance_to(board, TICK_NS(5999));
    assert_int_equal(board->line[0].edges - before, 1);
    advance_to(board, TICK_NS(6001));
    assert_int_equal(board->line[0].edges - before, 2);
}

static void port_61_toggles_refresh_and_keeps_its_bits(void **state)
{
    Board *board = *state;

    board_out(board, 0x61, 1, 0xFF);
    assert_int_equal(board_in(board, 0x61, 1) & 0xCF, 0x0F);
    unsigned first = board_in(board, 0x61, 1) & 0x10;
    board_advance(board, 15085);
    assert_int_not_equal(board_in(board, 0x61, 1) & 0x10, first);
}

static void a_restored_pit_goes_on_where_it_was(void **state)
{
    Board *board = *state;

    program(board, 0, 2, 1000);
    advance_to(board, TICK_NS(2300));
    board_save_and_load(pit_of(board));
    unsigned before = board->line[0].edges;
    assert_int_equal(latched(board, 0), 700);
    advance_to(board, TICK_NS(3000));
    assert_int_equal(board->line[0].edges - before, 1);
}

static void replaced_by_the_hpet_it_lets_go_of_its_wire(void **state)
{
    Board *board = *state;

    program(board, 0, 2, 1000);
    pit_set_irq_connected((Pit *)pit_of(board), false);
    unsigned before = board->line[0].edges;
    board_advance(board, TICK_NS(10000));
    assert_int_equal(board->line[0].edges, before);
    assert_false(board->line[0].level);
    pit_set_irq_connected((Pit *)pit_of(board), true);
    before = board->line[0].edges;
    board_advance(board, TICK_NS(1000));
    assert_int_equal(board->line[0].edges, before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rate_generator_interrupts_each_period),
        TEST(square_wave_has_the_same_rate),
        TEST(one_shot_interrupts_once),
        TEST(counters_count_down_exactly),
        TEST(a_closed_gate_holds_the_count),
        TEST(the_gate_triggers_modes_1_and_5),
        TEST(read_back_latches_status_and_count),
        TEST(bcd_counts_in_decimal),
        TEST(a_new_count_waits_for_the_period_to_end),
        TEST(port_61_toggles_refresh_and_keeps_its_bits),
        TEST(a_restored_pit_goes_on_where_it_was),
        TEST(replaced_by_the_hpet_it_lets_go_of_its_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
