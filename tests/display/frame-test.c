/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* The front end's listener against an engine that may be in a guest's hand: sizes, strides, handles
 * and rectangles that do not fit are refused, and the picture is then none. */
#include "client/client.h"
#include "client/guard.h"
#include "display/headless-presenter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define X8R8G8B8 0x20020888u
#define WIDTH 8u
#define HEIGHT 4u
#define STRIDE (WIDTH * 4)

/* The engine's end, and the frame that listens to it. */
typedef struct {
    GDBusConnection *front, *engine; /* the machine's socket, both ends */
    QemuDBusDisplay1Console *console;
    GDBusConnection *to_listener;
    VitrineFrame *frame;
    GSocketConnection *streams[4];
    unsigned n_streams, n_resized, n_damaged;
    VitrineRect damage;
    bool connected, answered;
    int memory;
} Fixture;

static void on_connection(GObject *source, GAsyncResult *result, gpointer out)
{
    *(GDBusConnection **)out = g_dbus_connection_new_finish(result, NULL);
}

static gboolean on_register(QemuDBusDisplay1Console *console, GDBusMethodInvocation *invocation,
                            GUnixFDList *fds, GVariant *handle, Fixture *f)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(g_unix_fd_list_get(fds, 0, NULL), NULL);
    g_autofree char *guid = g_dbus_generate_guid();
    GSocketConnection *stream = g_socket_connection_factory_create_connection(socket);
    f->streams[f->n_streams++] = stream;
    g_dbus_connection_new(G_IO_STREAM(stream), guid, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER,
                          NULL, NULL, on_connection, &f->to_listener);
    qemu_dbus_display1_console_complete_register_listener(console, invocation, NULL);
    return TRUE;
}

static void on_frame_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    Fixture *f = opaque;
    assert_true(vitrine_frame_connect_finish(f->frame, result, NULL));
    f->connected = true;
}

static void on_resized(VitrineFrame *frame, Fixture *f)
{
    f->n_resized++;
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, Fixture *f)
{
    f->n_damaged++;
    f->damage = *rect;
}

static void open_ends(Fixture *f)
{
    int pair[2];
    g_autofree char *guid = g_dbus_generate_guid();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[i], NULL);
        f->streams[f->n_streams++] = g_socket_connection_factory_create_connection(socket);
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

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    open_ends(f);
    f->console = qemu_dbus_display1_console_skeleton_new();
    g_signal_connect(f->console, "handle-register-listener", G_CALLBACK(on_register), f);
    g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(f->console), f->engine,
                                     CLIENT_PATH_CONSOLE, NULL);
    f->frame = vitrine_frame_new();
    g_signal_connect(f->frame, "resized", G_CALLBACK(on_resized), f);
    g_signal_connect(f->frame, "damaged", G_CALLBACK(on_damaged), f);
    vitrine_frame_connect_async(f->frame, f->front, NULL, on_frame_connected, f);
    while (!f->connected || !f->to_listener)
        g_main_context_iteration(NULL, TRUE);
    f->memory = memfd_create("picture", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    assert_int_equal(ftruncate(f->memory, STRIDE * HEIGHT), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    g_object_unref(f->frame);
    g_object_unref(f->console);
    g_object_unref(f->to_listener);
    g_object_unref(f->front);
    g_object_unref(f->engine);
    for (unsigned i = 0; i < f->n_streams; i++)
        g_object_unref(f->streams[i]);
    close(f->memory);
    g_free(f);
    return 0;
}

static void on_answer(GObject *source, GAsyncResult *result, gpointer opaque)
{
    Fixture *f = opaque;
    g_autoptr(GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish(
        G_DBUS_CONNECTION(source), NULL, result, NULL);
    f->answered = true;
}

static void call(Fixture *f, const char *interface, const char *method, GVariant *arguments,
                 GUnixFDList *fds)
{
    f->answered = false;
    g_dbus_connection_call_with_unix_fd_list(f->to_listener, NULL, CLIENT_PATH_LISTENER, interface,
                                             method, arguments, NULL, G_DBUS_CALL_FLAGS_NONE, 5000,
                                             fds, NULL, on_answer, f);
    while (!f->answered)
        g_main_context_iteration(NULL, TRUE);
}

static GVariant *bytes(size_t length)
{
    g_autofree uint8_t *data = g_malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)i;
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, data, length, 1);
}

static void scanout(Fixture *f, unsigned width, unsigned height, unsigned stride, unsigned format,
                    size_t length)
{
    call(f, "org.qemu.Display1.Listener", "Scanout",
         g_variant_new("(uuuu@ay)", width, height, stride, format, bytes(length)), NULL);
}

static void update(Fixture *f, int x, int y, int width, int height, unsigned stride, size_t length)
{
    call(f, "org.qemu.Display1.Listener", "Update",
         g_variant_new("(iiiiuu@ay)", x, y, width, height, stride, X8R8G8B8, bytes(length)), NULL);
}

static void scanout_map(Fixture *f, int handle, unsigned offset, unsigned width, unsigned height,
                        unsigned stride)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_unix_fd_list_append(fds, f->memory, NULL);
    call(f, "org.qemu.Display1.Listener.Unix.Map", "ScanoutMap",
         g_variant_new("(huuuuu)", handle, offset, width, height, stride, X8R8G8B8), fds);
}

static const uint8_t *pixels(Fixture *f)
{
    unsigned stride;
    return vitrine_frame_get_pixels(f->frame, &stride);
}

static void a_picture_by_value_is_shown(void **state)
{
    Fixture *f = *state;
    scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
    assert_int_equal(vitrine_frame_get_width(f->frame), WIDTH);
    assert_int_equal(vitrine_frame_get_height(f->frame), HEIGHT);
    assert_int_equal(f->n_resized, 1);
    assert_int_equal(pixels(f)[STRIDE * HEIGHT - 1], STRIDE * HEIGHT - 1);
}

static void impossible_sizes_leave_no_picture(void **state)
{
    Fixture *f = *state;
    static const struct {
        unsigned width, height, stride, format;
        size_t length;
    } wrong[] = {
        { 0, HEIGHT, STRIDE, X8R8G8B8, 128 },
        { WIDTH, 0, STRIDE, X8R8G8B8, 128 },
        { WIDTH, HEIGHT, STRIDE - 4, X8R8G8B8, 128 },
        { WIDTH, HEIGHT, STRIDE + 1, X8R8G8B8, 256 },
        { WIDTH, HEIGHT, STRIDE, 0x10020565, 128 },
        { WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT - 1 },
        { WIDTH, HEIGHT, STRIDE, X8R8G8B8, 0 },
        { 0x40000002, 1, 8, X8R8G8B8, 64 }, /* width × 4 wraps to 8 */
        { 1, 0x20000000, 8, X8R8G8B8, 64 }, /* stride × height wraps to 0 */
        { UINT32_MAX, UINT32_MAX, UINT32_MAX & ~3u, X8R8G8B8, 64 },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
        scanout(f, wrong[i].width, wrong[i].height, wrong[i].stride, wrong[i].format,
                wrong[i].length);
        assert_null(pixels(f));
        assert_int_equal(vitrine_frame_get_width(f->frame), 0);
    }
}

static void updates_outside_the_picture_are_left_out(void **state)
{
    Fixture *f = *state;
    scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
    update(f, -1, 0, 2, 1, 8, 8);
    update(f, (int)WIDTH - 1, 0, 2, 1, 8, 8);
    update(f, 0, (int)HEIGHT, 1, 1, 4, 4);
    update(f, 0, 0, -1, 1, 4, 4);
    update(f, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, 4, 4);
    update(f, 0, 0, 2, 2, 4, 16); /* rows shorter than the rectangle */
    update(f, 0, 0, 2, 2, 8, 15); /* not all of it came */
    assert_int_equal(f->n_damaged, 0);
    update(f, 2, 1, 2, 2, 8, 16);
    assert_int_equal(f->n_damaged, 1);
    assert_int_equal(f->damage.x, 2);
    assert_int_equal(f->damage.height, 2);
    assert_int_equal(pixels(f)[2 * STRIDE + 2 * 4], 8);
}

static void sealed_memory_is_mapped_and_seen_live(void **state)
{
    Fixture *f = *state;
    fcntl(f->memory, F_ADD_SEALS, F_SEAL_SHRINK);
    scanout_map(f, 0, 0, WIDTH, HEIGHT, STRIDE);
    assert_non_null(pixels(f));
    assert_int_equal(pwrite(f->memory, "\x5a", 1, STRIDE), 1);
    assert_int_equal(pixels(f)[STRIDE], 0x5a);
    call(f, "org.qemu.Display1.Listener.Unix.Map", "UpdateMap",
         g_variant_new("(iiii)", 0, 1, INT32_MAX, INT32_MAX), NULL);
    assert_int_equal(f->n_damaged, 1);
    assert_int_equal(f->damage.width, WIDTH);
    assert_int_equal(f->damage.height, HEIGHT - 1);
}

static void memory_that_could_shrink_or_is_too_small_is_not_mapped(void **state)
{
    Fixture *f = *state;
    scanout_map(f, 0, 0, WIDTH, HEIGHT, STRIDE);
    assert_null(pixels(f));
    fcntl(f->memory, F_ADD_SEALS, F_SEAL_SHRINK);
    scanout_map(f, 0, 1, WIDTH, HEIGHT, STRIDE);
    assert_null(pixels(f));
    scanout_map(f, 0, UINT32_MAX, WIDTH, HEIGHT, STRIDE);
    assert_null(pixels(f));
    scanout_map(f, 0, 0, WIDTH, HEIGHT + 1, STRIDE);
    assert_null(pixels(f));
    scanout_map(f, 7, 0, WIDTH, HEIGHT, STRIDE); /* no such handle */
    assert_null(pixels(f));
}

static void a_headless_presenter_follows_every_change(void **state)
{
    Fixture *f = *state;
    unsigned width, height;
    g_autoptr(HeadlessPresenter) presenter = headless_presenter_new(f->frame);
    assert_null(headless_presenter_get_pixels(presenter, &width, &height));
    scanout(f, WIDTH, HEIGHT, STRIDE + 8, X8R8G8B8, (STRIDE + 8) * HEIGHT);
    const uint32_t *shown = headless_presenter_get_pixels(presenter, &width, &height);
    assert_true(width == WIDTH && height == HEIGHT);
    assert_int_equal(shown[WIDTH], 0x2b2a2928); /* the second row, behind the gap */
    update(f, 2, 1, 2, 2, 8, 16);
    assert_int_equal(shown[2 * WIDTH + 2], 0x0b0a0908);
    assert_int_equal(headless_presenter_get_updates(presenter), 2);
    call(f, "org.qemu.Display1.Listener", "Disable", NULL, NULL);
    assert_null(headless_presenter_get_pixels(presenter, &width, &height));
}

static void a_flood_is_cut_off_and_said(void **state)
{
    Fixture *f = *state;
    scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
    assert_null(vitrine_frame_get_problem(f->frame));
    gint64 begin = g_get_monotonic_time();
    for (unsigned i = 0; i < 20000; i++)
        g_dbus_connection_call(f->to_listener, NULL, CLIENT_PATH_LISTENER,
                               "org.qemu.Display1.Listener.Unix.Map", "UpdateMap",
                               g_variant_new("(iiii)", 0, 0, 1, 1), NULL, G_DBUS_CALL_FLAGS_NONE,
                               5000, NULL, NULL, NULL);
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    while (!vitrine_frame_get_problem(f->frame) && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    assert_non_null(vitrine_frame_get_problem(f->frame));
    assert_null(pixels(f));
    /* As many as the limit lets through in that time, and one more of its seconds. */
    gint64 seconds = (g_get_monotonic_time() - begin) / G_USEC_PER_SEC + 2;
    assert_true(f->n_damaged <= seconds * GUARD_SCREEN.messages_per_second);
}

static void what_cannot_be_shown_is_said(void **state)
{
    Fixture *f = *state;
    scanout(f, 70000, 3, 280000, X8R8G8B8, 16);
    assert_non_null(strstr(vitrine_frame_get_problem(f->frame), "70000"));
    scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
    assert_null(vitrine_frame_get_problem(f->frame));
}

static gboolean on_ui_info(QemuDBusDisplay1Console *console, GDBusMethodInvocation *invocation,
                           guint16 width_mm, guint16 height_mm, int x, int y, unsigned width,
                           unsigned height, GString *heard)
{
    g_string_append_printf(heard, "%u×%u %u×%u mm;", width, height, width_mm, height_mm);
    qemu_dbus_display1_console_complete_set_uiinfo(console, invocation);
    return TRUE;
}

static void the_guests_monitor_has_the_windows_device_pixels(void **state)
{
    Fixture *f = *state;
    g_autoptr(GString) heard = g_string_new(NULL);
    g_signal_connect(f->console, "handle-set-uiinfo", G_CALLBACK(on_ui_info), heard);
    vitrine_frame_suggest_size(f->frame, 1923, 1081, 1.5);
    vitrine_frame_suggest_size(f->frame, 1927, 1080, 1.5); /* the same mode */
    vitrine_frame_suggest_size(f->frame, 1024, 768, 1);
    gint64 end = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    while (!strstr(heard->str, "1024") && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, FALSE);
    assert_string_equal(heard->str, "1920×1080 338×190 mm;1024×768 270×203 mm;");
}

static void disable_takes_the_picture_away(void **state)
{
    Fixture *f = *state;
    scanout(f, WIDTH, HEIGHT, STRIDE, X8R8G8B8, STRIDE * HEIGHT);
    call(f, "org.qemu.Display1.Listener", "Disable", NULL, NULL);
    assert_null(pixels(f));
    assert_int_equal(f->n_resized, 2);
}

int main(void)
{
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_picture_by_value_is_shown),
        TEST(impossible_sizes_leave_no_picture),
        TEST(updates_outside_the_picture_are_left_out),
        TEST(sealed_memory_is_mapped_and_seen_live),
        TEST(memory_that_could_shrink_or_is_too_small_is_not_mapped),
        TEST(a_headless_presenter_follows_every_change),
        TEST(a_flood_is_cut_off_and_said),
        TEST(what_cannot_be_shown_is_said),
        TEST(the_guests_monitor_has_the_windows_device_pixels),
        TEST(disable_takes_the_picture_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
