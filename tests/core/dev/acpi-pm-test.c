/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/acpi-pm.h"
#include "dev-fixture.h"

#define PMBASE 0x600

typedef struct {
    Board *board;
    Device *dev;
} Fixture;

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->board = board_new();
    f->dev = acpi_pm_new(board_line(f->board, 9));
    board_plug(f->board, f->dev);
    address_space_map_device(f->board->machine.ports, PMBASE, ACPI_PM_SIZE, 0, f->dev, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->dev);
    board_free(f->board);
    g_free(f);
    return 0;
}

static uint32_t get(Fixture *f, unsigned offset, unsigned size)
{
    return board_in(f->board, PMBASE + offset, size);
}

static void put(Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
    board_out(f->board, PMBASE + offset, size, value);
}

static void acpi_is_on_and_smm_is_not_offered(void **state)
{
    Fixture *f = *state;

    assert_int_equal(get(f, ACPI_PM1_CNT, 2), 1);
    put(f, ACPI_PM1_CNT, 2, 0);
    assert_int_equal(get(f, ACPI_PM1_CNT, 2), 1);
    assert_int_equal(get(f, ACPI_SMI_EN, 4), 0x20);
}

static void the_timer_counts_24_bits_at_its_rate(void **state)
{
    Fixture *f = *state;
    uint64_t value;

    board_advance(f->board, CLOCK_NS_PER_SECOND);
    assert_int_equal(get(f, ACPI_PM_TMR, 4), 3579545);
    assert_true(f->dev->ops->read_lockless(f->dev, ACPI_PM_TMR, 4, &value));
    assert_int_equal(value, 3579545);
    board_advance(f->board, 4 * CLOCK_NS_PER_SECOND);
    assert_int_equal(get(f, ACPI_PM_TMR, 4), 5 * 3579545 - (1 << 24));
}

static void the_power_button_interrupts_until_acknowledged(void **state)
{
    Fixture *f = *state;

    acpi_pm_press_power_button((AcpiPm *)f->dev);
    assert_false(f->board->line[9].level); /* nobody listens yet */
    put(f, ACPI_PM1_EN, 2, 0x100);
    assert_true(f->board->line[9].level);
    assert_int_equal(get(f, ACPI_PM1_STS, 4), 0x01000100);
    put(f, ACPI_PM1_STS, 2, 0x100);
    assert_false(f->board->line[9].level);
    assert_int_equal(get(f, ACPI_PM1_STS, 2), 0);
}

static void bytes_reach_only_their_half(void **state)
{
    Fixture *f = *state;

    put(f, ACPI_PM1_EN + 1, 1, 0x07);
    put(f, ACPI_PM1_EN, 1, 0x21);
    assert_int_equal(get(f, ACPI_PM1_EN, 2), 0x0721);
    put(f, ACPI_PM1_STS, 4, 0x01000000);
    assert_int_equal(get(f, ACPI_PM1_EN, 2), 0x0100);
}

static void the_timer_overflow_interrupts(void **state)
{
    Fixture *f = *state;

    put(f, ACPI_PM1_EN, 2, 1);
    board_advance(f->board, clock_ticks_to_ns(1 << 23, ACPI_PM_TIMER_HZ) - 1);
    assert_false(f->board->line[9].level);
    board_advance(f->board, 1);
    assert_true(f->board->line[9].level);
    put(f, ACPI_PM1_STS, 2, 1);
    assert_false(f->board->line[9].level);
    board_advance(f->board, clock_ticks_to_ns(1 << 23, ACPI_PM_TIMER_HZ));
    assert_true(f->board->line[9].level);
}

static void general_purpose_events_share_the_wire(void **state)
{
    Fixture *f = *state;

    put(f, ACPI_GPE0_EN, 1, 0x04);
    acpi_pm_raise_gpe((AcpiPm *)f->dev, 2);
    assert_true(f->board->line[9].level);
    assert_int_equal(get(f, ACPI_GPE0_STS, 4), 4);
    put(f, ACPI_GPE0_STS, 4, 4);
    assert_false(f->board->line[9].level);
}

static void soft_off_powers_the_machine_off(void **state)
{
    Fixture *f = *state;

    put(f, ACPI_PM1_CNT, 2, 1 << 13 | 1 << 10); /* S3 is not offered */
    assert_int_equal(f->board->power_offs, 0);
    put(f, ACPI_PM1_CNT, 2, 1 << 13 | ACPI_SLEEP_S5 << 10);
    assert_int_equal(f->board->power_offs, 1);
    assert_int_equal(get(f, ACPI_PM1_CNT, 2), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(acpi_is_on_and_smm_is_not_offered),
        TEST(the_timer_counts_24_bits_at_its_rate),
        TEST(the_power_button_interrupts_until_acknowledged),
        TEST(bytes_reach_only_their_half),
        TEST(the_timer_overflow_interrupts),
        TEST(general_purpose_events_share_the_wire),
        TEST(soft_off_powers_the_machine_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
