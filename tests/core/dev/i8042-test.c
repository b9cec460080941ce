/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/i8042.h"
#include "dev-fixture.h"

typedef struct {
    Board *board;
    Device *dev;
    I8042 *i8042;
    FakeLine *keyboard, *mouse;
} Fixture;

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->board = board_new();
    f->dev = i8042_new(board_line(f->board, 1), board_line(f->board, 12));
    f->i8042 = (I8042 *)f->dev;
    f->keyboard = &f->board->line[1];
    f->mouse = &f->board->line[12];
    board_plug(f->board, f->dev);
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

static void command(Fixture *f, uint8_t value)
{
    board_out(f->board, 0x64, 1, value);
}

static void data(Fixture *f, uint8_t value)
{
    board_out(f->board, 0x60, 1, value);
}

/* The next byte as an interrupt handler gets it; 0x1xx from the mouse, -1: none. */
static int take(Fixture *f)
{
    uint8_t status;

    board_advance(f->board, 1000 * 1000);
    status = board_in(f->board, 0x64, 1);
    if (!(status & 1))
        return -1;
    return board_in(f->board, 0x60, 1) | (status & 0x20 ? 0x100 : 0);
}

static void expect_bytes(Fixture *f, const int *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(take(f), bytes[i]);
    assert_int_equal(take(f), -1);
}
#define EXPECT(f, ...)                                                                             \
    expect_bytes(f, (const int[]){ __VA_ARGS__ }, G_N_ELEMENTS(((const int[]){ __VA_ARGS__ })))

static void set_mode(Fixture *f, uint8_t mode)
{
    command(f, 0x60);
    data(f, mode);
}

static void self_tests_pass(void **state)
{
    Fixture *f = *state;

    command(f, 0xAA);
    EXPECT(f, 0x55);
    assert_int_equal(board_in(f->board, 0x64, 1) & 4, 4);
    command(f, 0xAB);
    EXPECT(f, 0x00);
    command(f, 0xA9);
    EXPECT(f, 0x00);
}

static void mode_byte_reads_back(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x61);
    command(f, 0xA7);
    command(f, 0x20);
    EXPECT(f, 0x61);
    command(f, 0xA8);
    command(f, 0xAD);
    command(f, 0x20);
    EXPECT(f, 0x51);
}

static void a20_and_reset_lines(void **state)
{
    Fixture *f = *state;

    command(f, 0xDF);
    assert_true(f->board->a20);
    command(f, 0xD0);
    assert_int_equal(take(f) & 3, 3);
    command(f, 0xD1);
    data(f, 0xDD);
    assert_false(f->board->a20);
    assert_int_equal(f->board->resets, 0);
    command(f, 0xFF);
    assert_int_equal(f->board->resets, 0);
    command(f, 0xFE);
    assert_int_equal(f->board->resets, 1);
}

static void keyboard_resets_and_identifies_itself(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x01);
    data(f, 0xFF);
    EXPECT(f, 0xFA, 0xAA);
    data(f, 0xF2);
    EXPECT(f, 0xFA, 0xAB, 0x83);
    data(f, 0xEE);
    EXPECT(f, 0xEE);
    data(f, 0xED);
    EXPECT(f, 0xFA);
    data(f, 0x06);
    EXPECT(f, 0xFA);
    assert_int_equal(i8042_leds(f->i8042), 6);
    data(f, 0x99);
    EXPECT(f, 0xFE);
}

static void keys_are_translated_to_set_1(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x41);
    i8042_key(f->i8042, 0x1E, true);
    i8042_key(f->i8042, 0x1E, false);
    EXPECT(f, 0x1E, 0x9E);
    i8042_key(f->i8042, 0xC8, true); /* up */
    i8042_key(f->i8042, 0xC8, false);
    EXPECT(f, 0xE0, 0x48, 0xE0, 0xC8);
    i8042_key(f->i8042, 0xC6, true); /* Pause */
    i8042_key(f->i8042, 0xC6, false);
    EXPECT(f, 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5);
    i8042_key(f->i8042, 0xB7, true); /* Print Screen */
    EXPECT(f, 0xE0, 0x2A, 0xE0, 0x37);
}

static void every_key_of_set_1_comes_back_through_translation(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x41);
    for (unsigned key = 1; key < 0x59; key++) {
        i8042_key(f->i8042, key, true);
        i8042_key(f->i8042, key, false);
        EXPECT(f, key, key | 0x80);
    }
}

static void sets_2_and_3_arrive_raw(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x01);
    i8042_key(f->i8042, 0x1E, true);
    i8042_key(f->i8042, 0x1E, false);
    EXPECT(f, 0x1C, 0xF0, 0x1C);
    data(f, 0xF0);
    EXPECT(f, 0xFA);
    data(f, 0x03);
    EXPECT(f, 0xFA);
    i8042_key(f->i8042, 0x1D, true);
    i8042_key(f->i8042, 0x1E, true);
    i8042_key(f->i8042, 0x1E, false); /* not told by default */
    i8042_key(f->i8042, 0x1D, false);
    EXPECT(f, 0x11, 0x1C, 0xF0, 0x11);
    data(f, 0xF8);
    EXPECT(f, 0xFA);
    i8042_key(f->i8042, 0x1E, false);
    EXPECT(f, 0xF0, 0x1C);
}

static void a_second_read_sees_the_same_byte(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x41);
    i8042_key(f->i8042, 0x1E, true);
    i8042_key(f->i8042, 0x30, true);
    assert_int_equal(board_in(f->board, 0x60, 1), 0x1E);
    assert_int_equal(board_in(f->board, 0x60, 1), 0x1E);
    assert_int_equal(take(f), 0x30);
}

static void who_polls_gets_the_byte_without_time_passing(void **state)
{
    Fixture *f = *state;
    unsigned polls = 0;

    set_mode(f, 0x41);
    i8042_key(f->i8042, 0x1E, true);
    i8042_key(f->i8042, 0x30, true);
    board_in(f->board, 0x60, 1);
    while (!(board_in(f->board, 0x64, 1) & 1))
        assert_true(++polls < 100);
    assert_int_equal(board_in(f->board, 0x60, 1), 0x30);
}

static void each_byte_makes_an_edge(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x41);
    for (unsigned i = 0; i < 50; i++) {
        assert_true(i8042_key(f->i8042, 0x1E, true));
        assert_true(i8042_key(f->i8042, 0x1E, false));
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_true(f->keyboard->level);
        assert_int_equal(f->keyboard->edges, i + 1);
        assert_int_equal(take(f), i % 2 ? 0x9E : 0x1E);
        board_advance(f->board, 1000 * 1000);
    }
    assert_int_equal(i8042_keyboard_queued(f->i8042), 0);
}

static void a_full_queue_says_so_and_loses_nothing(void **state)
{
    Fixture *f = *state;
    unsigned n = 0;

    set_mode(f, 0x41);
    while (i8042_key(f->i8042, 0x1E, true))
        n++;
    assert_in_range(n, 200, 257);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(take(f), 0x1E);
    assert_int_equal(take(f), -1);
}

static void disabled_interface_keeps_keys(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x51);
    i8042_key(f->i8042, 0x1E, true);
    assert_int_equal(take(f), -1);
    assert_false(f->keyboard->level);
    command(f, 0xAE);
    EXPECT(f, 0x1E);
}

static void mouse_write(Fixture *f, uint8_t value)
{
    command(f, 0xD4);
    data(f, value);
}

static void mouse_rate(Fixture *f, uint8_t rate)
{
    mouse_write(f, 0xF3);
    EXPECT(f, 0x1FA);
    mouse_write(f, rate);
    EXPECT(f, 0x1FA);
}

static void mouse_resets_and_reports(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x03);
    mouse_write(f, 0xFF);
    EXPECT(f, 0x1FA, 0x1AA, 0x100);
    i8042_mouse(f->i8042, 1, 1, 0, 0);
    assert_int_equal(take(f), -1); /* not before F4 */
    mouse_write(f, 0xF4);
    EXPECT(f, 0x1FA);
    i8042_mouse(f->i8042, 5, 3, 0, 1);
    assert_true(f->mouse->level);
    EXPECT(f, 0x129, 0x105, 0x1FD);
    mouse_write(f, 0xE9);
    EXPECT(f, 0x1FA, 0x124, 0x102, 100 | 0x100);
}

static void knocking_makes_an_intellimouse(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x03);
    mouse_rate(f, 200);
    mouse_rate(f, 100);
    mouse_rate(f, 80);
    mouse_write(f, 0xF2);
    EXPECT(f, 0x1FA, 0x103);
    mouse_write(f, 0xF4);
    EXPECT(f, 0x1FA);
    i8042_mouse(f->i8042, 0, 0, -1, 0);
    EXPECT(f, 0x108, 0x100, 0x100, 0x1FF);
    mouse_rate(f, 200);
    mouse_rate(f, 200);
    mouse_rate(f, 80);
    mouse_write(f, 0xF2);
    EXPECT(f, 0x1FA, 0x104);
    i8042_mouse(f->i8042, 0, 0, 1, 0x10);
    EXPECT(f, 0x108, 0x100, 0x100, 0x121);
}

static void motion_gathers_and_clicks_are_kept(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x03);
    mouse_write(f, 0xF4);
    EXPECT(f, 0x1FA);
    i8042_mouse(f->i8042, 1, 0, 0, 0);
    for (unsigned i = 0; i < 100; i++)
        i8042_mouse(f->i8042, 2, 0, 0, 0);
    i8042_mouse(f->i8042, 0, 0, 0, 1);
    i8042_mouse(f->i8042, 0, 0, 0, 0);
    EXPECT(f, 0x108, 0x101, 0x100, 0x109, 0x1C8, 0x100, 0x108, 0x100, 0x100);
}

static void far_motion_takes_more_packets(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x03);
    mouse_write(f, 0xF4);
    EXPECT(f, 0x1FA);
    i8042_mouse(f->i8042, -300, 0, 0, 0);
    EXPECT(f, 0x118, 0x101, 0x100, 0x118, 0x1D3, 0x100);
}

static void bytes_under_way_survive_save_and_load(void **state)
{
    Fixture *f = *state;

    set_mode(f, 0x41);
    i8042_key(f->i8042, 0xC8, true);
    i8042_key(f->i8042, 0xC8, false);
    assert_int_equal(take(f), 0xE0);
    board_save_and_load(f->dev);
    EXPECT(f, 0x48, 0xE0, 0xC8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(self_tests_pass),
        TEST(mode_byte_reads_back),
        TEST(a20_and_reset_lines),
        TEST(keyboard_resets_and_identifies_itself),
        TEST(keys_are_translated_to_set_1),
        TEST(every_key_of_set_1_comes_back_through_translation),
        TEST(sets_2_and_3_arrive_raw),
        TEST(a_second_read_sees_the_same_byte),
        TEST(who_polls_gets_the_byte_without_time_passing),
        TEST(each_byte_makes_an_edge),
        TEST(a_full_queue_says_so_and_loses_nothing),
        TEST(disabled_interface_keeps_keys),
        TEST(mouse_resets_and_reports),
        TEST(knocking_makes_an_intellimouse),
        TEST(motion_gathers_and_clicks_are_kept),
        TEST(far_motion_takes_more_packets),
        TEST(bytes_under_way_survive_save_and_load),
    };

    return cmocka_run_group_tests_name("core/dev/i8042", tests, NULL, NULL);
}
