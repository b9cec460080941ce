/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/serial-log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static CharBackend *port;
static SerialLog *serial;

static int set_up(void **state)
{
    port = char_backend_new();
    serial = serial_log_new(port);
    return 0;
}

static int tear_down(void **state)
{
    serial_log_free(serial);
    char_backend_free(port);
    return 0;
}

static void say(const char *text)
{
    char_backend_write(port, (const uint8_t *)text, strlen(text));
}

/* What has arrived at the console's end once @length bytes have, or a second is over. */
static char *receive(int fd, gsize length)
{
    GString *got = g_string_new(NULL);
    gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
    while (got->len < length && g_get_monotonic_time() < end) {
        char buffer[65536];
        g_main_context_iteration(NULL, FALSE);
        ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0)
            g_string_append_len(got, buffer, n);
    }
    return g_string_free(got, FALSE);
}

static void a_late_console_gets_the_past_then_the_present_once(void **state)
{
    say("past ");
    int fd = serial_log_open_console(serial, NULL);
    say("present");
    g_autofree char *got = receive(fd, 12);
    assert_string_equal(got, "past present");
    close(fd);
}

static void a_console_that_does_not_read_holds_nobody_up(void **state)
{
    int slow = serial_log_open_console(serial, NULL);
    int quick = serial_log_open_console(serial, NULL);
    g_autofree char *chunk = g_strnfill(1000, 'x');
    for (unsigned i = 0; i < 4000; i++)
        say(chunk);
    for (unsigned i = 0; i < 20; i++)
        g_main_context_iteration(NULL, FALSE);
    say("END");
    g_autofree char *got = receive(quick, 5000000);
    assert_true(g_str_has_suffix(got, "xEND"));
    close(slow);
    close(quick);
}

static void a_closed_console_is_forgotten(void **state)
{
    int fd = serial_log_open_console(serial, NULL);
    close(fd);
    for (unsigned i = 0; i < 10; i++)
        g_main_context_iteration(NULL, FALSE);
    say("nobody hears");
    g_autofree char *text = serial_log_dup_text(serial, NULL);
    assert_string_equal(text, "nobody hears");
}

static void text_has_no_terminal_escapes(void **state)
{
    uint64_t total = 0;
    static const char words[] =
        "\033[2J\033[1;31mred\033[0m\r\n\033]0;title\007\033(Bplain\303\244\377\010.";
    say(words);
    g_autofree char *text = serial_log_dup_text(serial, &total);
    assert_string_equal(text, "red\nplainä\uFFFD.");
    assert_int_equal(total, strlen(words));
    assert_int_equal(serial_log_total(serial), total);
}

static void a_reset_ends_the_text_but_not_what_a_late_console_sees(void **state)
{
    say("before ");
    serial_log_cut(serial);
    g_autofree char *none = serial_log_dup_text(serial, NULL);
    assert_string_equal(none, "");
    say("after");
    g_autofree char *text = serial_log_dup_text(serial, NULL);
    assert_string_equal(text, "after");
    int fd = serial_log_open_console(serial, NULL);
    g_autofree char *got = receive(fd, 12);
    assert_string_equal(got, "before after");
    close(fd);
}

static void an_escape_cut_short_is_harmless(void **state)
{
    static const char *const tails[] = { "a\033", "a\033[", "a\033[1;", "a\033]0;x", "a\033(" };
    for (unsigned i = 0; i < G_N_ELEMENTS(tails); i++) {
        tear_down(state);
        set_up(state);
        say(tails[i]);
        g_autofree char *text = serial_log_dup_text(serial, NULL);
        assert_true(text[0] == 'a');
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_late_console_gets_the_past_then_the_present_once),
        TEST(a_console_that_does_not_read_holds_nobody_up),
        TEST(a_closed_console_is_forgotten),
        TEST(text_has_no_terminal_escapes),
        TEST(a_reset_ends_the_text_but_not_what_a_late_console_sees),
        TEST(an_escape_cut_short_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
