/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* What a guest hears of a person, over the wire: an engine that writes down each call. */
#include "client/client.h"
#include "display/input.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <math.h>
#include <sys/socket.h>

typedef struct {
    GDBusConnection *front, *engine;
    GSocketConnection *streams[2];
    QemuDBusDisplay1Keyboard *keyboard;
    QemuDBusDisplay1Mouse *mouse;
    VitrineInput *input;
    GString *heard;
} Fixture;

static gboolean on_key(GDBusMethodInvocation *invocation, const char *what, unsigned key,
                       Fixture *f)
{
    g_string_append_printf(f->heard, "%s %x;", what, key);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_key_press(gpointer skeleton, GDBusMethodInvocation *invocation, unsigned key,
                             Fixture *f)
{
    return on_key(invocation, "down", key, f);
}

static gboolean on_key_release(gpointer skeleton, GDBusMethodInvocation *invocation, unsigned key,
                               Fixture *f)
{
    return on_key(invocation, "up", key, f);
}

static gboolean on_button_press(gpointer skeleton, GDBusMethodInvocation *invocation,
                                unsigned button, Fixture *f)
{
    return on_key(invocation, "press", button, f);
}

static gboolean on_button_release(gpointer skeleton, GDBusMethodInvocation *invocation,
                                  unsigned button, Fixture *f)
{
    return on_key(invocation, "release", button, f);
}

static gboolean on_motion(gpointer skeleton, GDBusMethodInvocation *invocation, int dx, int dy,
                          Fixture *f)
{
    g_string_append_printf(f->heard, "by %d,%d;", dx, dy);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_position(gpointer skeleton, GDBusMethodInvocation *invocation, unsigned x,
                            unsigned y, Fixture *f)
{
    g_string_append_printf(f->heard, "to %u,%u;", x, y);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static void on_connection(GObject *source, GAsyncResult *result, gpointer out)
{
    *(GDBusConnection **)out = g_dbus_connection_new_finish(result, NULL);
}

static void open_ends(Fixture *f)
{
    int pair[2];
    g_autofree char *guid = g_dbus_generate_guid();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[i], NULL);
        f->streams[i] = g_socket_connection_factory_create_connection(socket);
    }
    g_dbus_connection_new(G_IO_STREAM(f->streams[0]), guid,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER, NULL, NULL, on_connection,
                          &f->engine);
    g_dbus_connection_new(G_IO_STREAM(f->streams[1]), NULL,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, on_connection,
                          &f->front);
    while (!f->engine || !f->front)
        g_main_context_iteration(NULL, TRUE);
}

static void export_objects(Fixture *f)
{
    f->keyboard = qemu_dbus_display1_keyboard_skeleton_new();
    g_signal_connect(f->keyboard, "handle-press", G_CALLBACK(on_key_press), f);
    g_signal_connect(f->keyboard, "handle-release", G_CALLBACK(on_key_release), f);
    f->mouse = qemu_dbus_display1_mouse_skeleton_new();
    g_signal_connect(f->mouse, "handle-press", G_CALLBACK(on_button_press), f);
    g_signal_connect(f->mouse, "handle-release", G_CALLBACK(on_button_release), f);
    g_signal_connect(f->mouse, "handle-rel-motion", G_CALLBACK(on_motion), f);
    g_signal_connect(f->mouse, "handle-set-abs-position", G_CALLBACK(on_position), f);
    g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(f->keyboard), f->engine,
                                     CLIENT_PATH_CONSOLE, NULL);
    g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(f->mouse), f->engine,
                                     CLIENT_PATH_CONSOLE, NULL);
}

/* Everything that was said has been heard once a call of our own comes back. */
static void settle(Fixture *f)
{
    bool done = false;
    gint64 end = g_get_monotonic_time() + 20 * 1000;
    while (!done || g_get_monotonic_time() < end) {
        done = !g_main_context_iteration(NULL, FALSE);
        g_usleep(200);
    }
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    f->heard = g_string_new(NULL);
    open_ends(f);
    export_objects(f);
    f->input = vitrine_input_new();
    vitrine_input_set_connection(f->input, f->front);
    gint64 end = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    while (!vitrine_input_is_ready(f->input) && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    settle(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    g_object_unref(f->input);
    g_object_unref(f->keyboard);
    g_object_unref(f->mouse);
    g_object_unref(f->front);
    g_object_unref(f->engine);
    g_object_unref(f->streams[0]);
    g_object_unref(f->streams[1]);
    g_string_free(f->heard, TRUE);
    g_free(f);
    return 0;
}

static void assert_heard(Fixture *f, const char *expected)
{
    settle(f);
    assert_string_equal(f->heard->str, expected);
    g_string_truncate(f->heard, 0);
}

static void keys_go_by_position_and_repeat_while_held(void **state)
{
    Fixture *f = *state;
    vitrine_input_key(f->input, KEY_A, true);
    vitrine_input_key(f->input, KEY_A, true);
    vitrine_input_key(f->input, KEY_A, false);
    vitrine_input_key(f->input, KEY_RIGHTALT, true);
    vitrine_input_key(f->input, KEY_RIGHTALT, false);
    assert_heard(*state, "down 1e;down 1e;up 1e;down b8;up b8;");
}

static void a_release_without_a_press_goes_nowhere(void **state)
{
    Fixture *f = *state;
    vitrine_input_key(f->input, KEY_A, false);
    vitrine_input_key(f->input, KEY_F24, true);
    vitrine_input_button(f->input, INPUT_BUTTON_LEFT, false);
    assert_heard(f, "");
}

static void all_that_is_held_is_let_go_once(void **state)
{
    Fixture *f = *state;
    vitrine_input_key(f->input, KEY_LEFTCTRL, true);
    vitrine_input_key(f->input, KEY_C, true);
    vitrine_input_button(f->input, INPUT_BUTTON_RIGHT, true);
    assert_heard(f, "down 1d;down 2e;press 2;");
    vitrine_input_release_all(f->input);
    vitrine_input_release_all(f->input);
    vitrine_input_key(f->input, KEY_C, false);
    assert_heard(f, "up 1d;up 2e;release 2;");
}

static void leaving_a_machine_lets_go_there(void **state)
{
    Fixture *f = *state;
    vitrine_input_key(f->input, KEY_LEFTSHIFT, true);
    vitrine_input_set_connection(f->input, NULL);
    assert_heard(f, "down 2a;up 2a;");
    assert_false(vitrine_input_is_ready(f->input));
    vitrine_input_key(f->input, KEY_A, true);
    vitrine_input_move_by(f->input, 5, 5);
    assert_heard(f, "");
}

static void fractions_of_a_pixel_add_up(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 10; i++)
        vitrine_input_move_by(f->input, 0.25, -0.125);
    assert_heard(f, "by 1,0;by 1,-1;");
    vitrine_input_move_by(f->input, NAN, INFINITY);
    vitrine_input_move_by(f->input, 3, -4);
    assert_heard(f, "by 3,-4;");
    vitrine_input_move_to(f->input, 7, 9);
    assert_heard(f, "to 7,9;");
}

static void smooth_scrolling_becomes_whole_wheel_steps(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 4; i++)
        vitrine_input_scroll(f->input, 0.3);
    assert_heard(f, "press 4;release 4;");
    vitrine_input_scroll(f->input, -0.9); /* the 0.2 that were left are not of this way */
    assert_heard(f, "");
    vitrine_input_scroll(f->input, -0.2);
    assert_heard(f, "press 3;release 3;");
}

static void a_flung_wheel_is_not_obeyed_for_long(void **state)
{
    Fixture *f = *state;
    vitrine_input_scroll(f->input, 1e9);
    vitrine_input_scroll(f->input, NAN);
    settle(f);
    unsigned n = 0;
    for (const char *at = f->heard->str; (at = strstr(at, "press")); at++)
        n++;
    assert_in_range(n, 1, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys_go_by_position_and_repeat_while_held),
        TEST(a_release_without_a_press_goes_nowhere),
        TEST(all_that_is_held_is_let_go_once),
        TEST(leaving_a_machine_lets_go_there),
        TEST(fractions_of_a_pixel_add_up),
        TEST(smooth_scrolling_becomes_whole_wheel_steps),
        TEST(a_flung_wheel_is_not_obeyed_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
