/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/uart.h"
#include "dev-fixture.h"

#include <string.h>

#define COM1 0x3F8

typedef struct {
    Board *board;
    CharBackend *chr;
    Device *uart;
    FakeLine *irq;
    GString *output;
} Fixture;

static void on_output(void *opaque, const uint8_t *bytes, size_t length)
{
    g_string_append_len(opaque, (const char *)bytes, length);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->board = board_new();
    f->chr = char_backend_new();
    f->output = g_string_new(NULL);
    char_backend_attach(f->chr, on_output, f->output);
    f->uart = uart_new(f->chr, board_line(f->board, 4), COM1);
    f->irq = &f->board->line[4];
    board_plug(f->board, f->uart);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->uart);
    char_backend_free(f->chr);
    board_free(f->board);
    g_string_free(f->output, TRUE);
    g_free(f);
    return 0;
}

static uint8_t in(Fixture *f, unsigned reg)
{
    return board_in(f->board, COM1 + reg, 1);
}

static void out(Fixture *f, unsigned reg, uint8_t value)
{
    board_out(f->board, COM1 + reg, 1, value);
}

static void send(Fixture *f, const char *text)
{
    char_backend_send(f->chr, (const uint8_t *)text, strlen(text));
}

static void bytes_written_reach_the_listener_and_history(void **state)
{
    Fixture *f = *state;
    g_autoptr(GBytes) history = NULL;

    out(f, 0, 'o');
    out(f, 0, 'k');
    history = char_backend_dup_history(f->chr);
    assert_string_equal(f->output->str, "ok");
    assert_int_equal(g_bytes_get_size(history), 2);
    assert_memory_equal(g_bytes_get_data(history, NULL), "ok", 2);
}

static void history_keeps_the_last_64_kib(void **state)
{
    Fixture *f = *state;
    g_autofree uint8_t *bytes = g_malloc(70000);
    g_autoptr(GBytes) history = NULL;

    for (unsigned i = 0; i < 70000; i++)
        bytes[i] = i % 251;
    char_backend_write(f->chr, bytes, 70000);
    history = char_backend_dup_history(f->chr);
    assert_int_equal(g_bytes_get_size(history), 65536);
    assert_memory_equal(g_bytes_get_data(history, NULL), bytes + 70000 - 65536, 65536);
}

static void reading_iir_clears_thre_interrupt(void **state)
{
    Fixture *f = *state;

    out(f, 1, 2);
    assert_true(f->irq->level);
    assert_int_equal(in(f, 2), 0x02);
    assert_false(f->irq->level);
    assert_int_equal(in(f, 2), 0x01);
    out(f, 0, 'x');
    assert_true(f->irq->level);
}

static void each_transmitted_byte_makes_an_edge(void **state)
{
    Fixture *f = *state;

    out(f, 1, 2);
    for (unsigned i = 0; i < 3; i++)
        out(f, 0, 'x');
    assert_int_equal(f->irq->edges, 4);
}

static void fifo_interrupts_at_its_trigger_level(void **state)
{
    Fixture *f = *state;

    out(f, 2, 0x81); /* 8 bytes */
    out(f, 1, 1);
    send(f, "1234567");
    assert_false(f->irq->level);
    send(f, "8");
    assert_true(f->irq->level);
    assert_int_equal(in(f, 2), 0xC4);
    assert_int_equal(in(f, 0), '1');
    assert_false(f->irq->level);
}

static void bytes_below_the_trigger_time_out(void **state)
{
    Fixture *f = *state;

    out(f, 2, 0xC1);
    out(f, 1, 1);
    send(f, "a");
    assert_false(f->irq->level);
    board_advance(f->board, 10 * 1000 * 1000);
    assert_true(f->irq->level);
    assert_int_equal(in(f, 2), 0xCC);
    assert_int_equal(in(f, 0), 'a');
    assert_false(f->irq->level);
    assert_int_equal(in(f, 5), 0x60);
}

static void long_input_waits_for_room(void **state)
{
    Fixture *f = *state;
    char text[101];

    for (unsigned i = 0; i < 100; i++)
        text[i] = 'A' + i % 26;
    text[100] = 0;
    out(f, 2, 0x01);
    send(f, text);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(in(f, 5) & 3, 1);
        assert_int_equal(in(f, 0), text[i]);
    }
    assert_int_equal(in(f, 5) & 1, 0);
}

static void loopback_returns_bytes_and_modem_lines(void **state)
{
    Fixture *f = *state;

    out(f, 4, 0x1A); /* Linux's test */
    assert_int_equal(in(f, 6) & 0xF0, 0x90);
    out(f, 0, 0x5A);
    assert_int_equal(in(f, 5) & 1, 1);
    assert_int_equal(in(f, 0), 0x5A);
    assert_string_equal(f->output->str, "");
    out(f, 0, 1);
    out(f, 0, 2);
    assert_int_equal(in(f, 5) & 2, 2); /* overrun */
    assert_int_equal(in(f, 5) & 2, 0);
}

static void line_status_outranks_received_data(void **state)
{
    Fixture *f = *state;

    out(f, 4, 0x10);
    out(f, 1, 0x0F);
    out(f, 0, 1);
    out(f, 0, 2);
    assert_int_equal(in(f, 2), 0x06);
    in(f, 5);
    assert_int_equal(in(f, 2), 0x04);
    in(f, 0);
    assert_int_equal(in(f, 2), 0x02);
    assert_int_equal(in(f, 2), 0x00); /* modem lines changed with loopback */
    in(f, 6);
    assert_int_equal(in(f, 2), 0x01);
}

static void dlab_shows_the_divisor(void **state)
{
    Fixture *f = *state;

    out(f, 3, 0x83);
    out(f, 0, 0x34);
    out(f, 1, 0x12);
    assert_int_equal(in(f, 0), 0x34);
    assert_int_equal(in(f, 1), 0x12);
    out(f, 3, 0x03);
    assert_int_equal(in(f, 1), 0x00);
    out(f, 7, 0xA5);
    assert_int_equal(in(f, 7), 0xA5);
}

static void waiting_bytes_survive_save_and_load(void **state)
{
    Fixture *f = *state;

    out(f, 2, 0xC1);
    out(f, 1, 1);
    send(f, "xyz");
    board_save_and_load(f->uart);
    board_advance(f->board, 10 * 1000 * 1000);
    assert_true(f->irq->level);
    assert_int_equal(in(f, 0), 'x');
    assert_int_equal(in(f, 0), 'y');
    assert_int_equal(in(f, 0), 'z');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_written_reach_the_listener_and_history),
        TEST(history_keeps_the_last_64_kib),
        TEST(reading_iir_clears_thre_interrupt),
        TEST(each_transmitted_byte_makes_an_edge),
        TEST(fifo_interrupts_at_its_trigger_level),
        TEST(bytes_below_the_trigger_time_out),
        TEST(long_input_waits_for_room),
        TEST(loopback_returns_bytes_and_modem_lines),
        TEST(line_status_outranks_received_data),
        TEST(dlab_shows_the_divisor),
        TEST(waiting_bytes_survive_save_and_load),
    };

    return cmocka_run_group_tests_name("core/dev/uart", tests, NULL, NULL);
}
