/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "base/fd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gpointer read_slowly(gpointer fd)
{
    g_usleep(20000);
    return fd_read_all(GPOINTER_TO_INT(fd), NULL);
}

static void everything_is_written_through_a_small_pipe(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    g_autofree char *bytes = g_strnfill(1 << 20, 'x');
    bytes[(1 << 20) - 1] = 'y';
    GThread *reader = g_thread_new("reader", read_slowly, GINT_TO_POINTER(ends[0]));
    assert_true(fd_write_all(ends[1], bytes, 1 << 20, NULL));
    close(ends[1]);
    g_autoptr(GBytes) got = g_thread_join(reader);
    close(ends[0]);
    assert_int_equal(g_bytes_get_size(got), 1 << 20);
    assert_memory_equal(g_bytes_get_data(got, NULL), bytes, 1 << 20);
}

static void writing_to_a_full_device_is_an_error(void **state)
{
    g_autoptr(GError) error = NULL;
    int fd = open("/dev/full", O_WRONLY);
    assert_false(fd_write_all(fd, "x", 1, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE));
    close(fd);
}

static void shared_memory_reads_from_its_beginning(void **state)
{
    int fd = fd_new_memory("x", "hello", 5, NULL);
    g_autoptr(GBytes) got = fd_read_all(fd, NULL);
    assert_int_equal(g_bytes_get_size(got), 5);
    assert_memory_equal(g_bytes_get_data(got, NULL), "hello", 5);
    close(fd);
}

static void a_replaced_file_is_a_new_one(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("fd-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "f", NULL);
    assert_true(file_replace(path, "old", 3, 0640, NULL));
    int old = open(path, O_RDONLY);
    assert_true(file_replace(path, "newer", 5, 0640, NULL));
    g_autoptr(GBytes) still = fd_read_all(old, NULL); /* who has it open keeps what it had */
    assert_int_equal(g_bytes_get_size(still), 3);
    close(old);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "newer");
    g_unlink(path);
    assert_int_equal(g_rmdir(folder), 0); /* nothing else was left in it */
}

static void our_errors_cross_dbus_by_name(void **state)
{
    for (int code = 0; code < APP_ERROR_N_CODES; code++) {
        g_autoptr(GError) error = g_error_new(APP_ERROR, code, "words");
        g_autofree char *name = g_dbus_error_encode_gerror(error);
        assert_true(g_str_has_prefix(name, "org.vitrine.Error."));
        g_autoptr(GError) back = g_dbus_error_new_for_dbus_error(name, "words");
        assert_true(g_error_matches(back, APP_ERROR, code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_written_through_a_small_pipe),
        cmocka_unit_test(writing_to_a_full_device_is_an_error),
        cmocka_unit_test(shared_memory_reads_from_its_beginning),
        cmocka_unit_test(a_replaced_file_is_a_new_one),
        cmocka_unit_test(our_errors_cross_dbus_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
