/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* The display as a client sees it, against a screen that the test draws on. */
#include "dbus-display.h"
#include "engine/display.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIDTH 64
#define HEIGHT 32

static GMutex lock;
static Ram *ram;
static VgaSurface picture;
static VgaRect damage[VGA_MAX_RECTS];
static unsigned n_damage;
static int n_refreshes; /* atomic */

unsigned vga_refresh(Vga *vga, VgaSurface *out_surface, VgaRect out_rects[VGA_MAX_RECTS])
{
    g_mutex_lock(&lock);
    *out_surface = picture;
    unsigned n = n_damage;
    memcpy(out_rects, damage, n * sizeof *damage);
    n_damage = 0;
    g_mutex_unlock(&lock);
    g_atomic_int_inc(&n_refreshes);
    return n;
}

/* The client's end. */
typedef struct {
    GDBusConnection *connection;
    GObject *listener, *map;
    GString *events;
    int fd;
    bool silent; /* does not answer */
} Client;

static Display *display;

static gboolean on_scanout(QemuDBusDisplay1Listener *dbus, GDBusMethodInvocation *invocation,
                           unsigned width, unsigned height, unsigned stride, unsigned format,
                           GVariant *data, Client *client)
{
    const uint32_t *pixels = g_variant_get_data(data);
    g_string_append_printf(client->events, "scanout %ux%u %x first=%x size=%zu;", width, height,
                           format, pixels[0], g_variant_get_size(data));
    qemu_dbus_display1_listener_complete_scanout(dbus, invocation);
    return TRUE;
}

static gboolean on_update(QemuDBusDisplay1Listener *dbus, GDBusMethodInvocation *invocation, int x,
                          int y, int width, int height, unsigned stride, unsigned format,
                          GVariant *data, Client *client)
{
    const uint32_t *pixels = g_variant_get_data(data);
    g_string_append_printf(client->events, "update %d,%d %dx%d first=%x;", x, y, width, height,
                           pixels[0]);
    qemu_dbus_display1_listener_complete_update(dbus, invocation);
    return TRUE;
}

static gboolean on_disable(QemuDBusDisplay1Listener *dbus, GDBusMethodInvocation *invocation,
                           Client *client)
{
    g_string_append(client->events, "disable;");
    qemu_dbus_display1_listener_complete_disable(dbus, invocation);
    return TRUE;
}

static gboolean on_scanout_map(QemuDBusDisplay1ListenerUnixMap *dbus,
                               GDBusMethodInvocation *invocation, GUnixFDList *fds,
                               GVariant *handle, unsigned offset, unsigned width, unsigned height,
                               unsigned stride, unsigned format, Client *client)
{
    client->fd = g_unix_fd_list_get(fds, g_variant_get_handle(handle), NULL);
    g_string_append_printf(client->events, "map %ux%u+%u/%u;", width, height, offset, stride);
    qemu_dbus_display1_listener_unix_map_complete_scanout_map(dbus, invocation, NULL);
    return TRUE;
}

static gboolean on_update_map(QemuDBusDisplay1ListenerUnixMap *dbus,
                              GDBusMethodInvocation *invocation, int x, int y, int width,
                              int height, Client *client)
{
    g_string_append_printf(client->events, "touch %d,%d %dx%d;", x, y, width, height);
    if (client->silent)
        return TRUE; /* leaks the invocation: nobody answers */
    qemu_dbus_display1_listener_unix_map_complete_update_map(dbus, invocation);
    return TRUE;
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer connection)
{
    *(GDBusConnection **)connection = g_dbus_connection_new_finish(result, NULL);
}

static void client_open(Client *client, bool maps)
{
    static const char *const interfaces[] = { "org.qemu.Display1.Listener.Unix.Map", NULL };
    int pair[2];
    *client = (Client){ .events = g_string_new(NULL), .fd = -1 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    display_add_listener(display, pair[1]);
    g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[0], NULL);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_dbus_connection_new(G_IO_STREAM(stream), NULL,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                              G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                          NULL, NULL, on_connected, &client->connection);
    while (!client->connection)
        g_main_context_iteration(NULL, TRUE);
    client->listener = G_OBJECT(qemu_dbus_display1_listener_skeleton_new());
    g_signal_connect(client->listener, "handle-scanout", G_CALLBACK(on_scanout), client);
    g_signal_connect(client->listener, "handle-update", G_CALLBACK(on_update), client);
    g_signal_connect(client->listener, "handle-disable", G_CALLBACK(on_disable), client);
    client->map = G_OBJECT(qemu_dbus_display1_listener_unix_map_skeleton_new());
    g_signal_connect(client->map, "handle-scanout-map", G_CALLBACK(on_scanout_map), client);
    g_signal_connect(client->map, "handle-update-map", G_CALLBACK(on_update_map), client);
    if (maps)
        qemu_dbus_display1_listener_set_interfaces(QEMU_DBUS_DISPLAY1_LISTENER(client->listener),
                                                   interfaces);
    assert_true(g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(client->listener),
                                                 client->connection, "/org/qemu/Display1/Listener",
                                                 NULL));
    assert_true(g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(client->map),
                                                 client->connection, "/org/qemu/Display1/Listener",
                                                 NULL));
    g_dbus_connection_start_message_processing(client->connection);
}

static void client_close(Client *client)
{
    g_dbus_connection_close_sync(client->connection, NULL, NULL);
    g_object_unref(client->listener);
    g_object_unref(client->map);
    g_object_unref(client->connection);
    g_string_free(client->events, TRUE);
    if (client->fd >= 0)
        close(client->fd);
}

static void wait_for(Client *client, const char *event)
{
    gint64 end = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    while (!strstr(client->events->str, event) && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(500);
    }
    if (!strstr(client->events->str, event))
        fail_msg("“%s” did not come; there came “%s”", event, client->events->str);
}

static void linger(unsigned ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;
    while (g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(500);
    }
}

static unsigned resized_width, resized_height;

static void on_resized(gpointer opaque, unsigned width, unsigned height)
{
    resized_width = width;
    resized_height = height;
}

static int set_up(void **state)
{
    ram = ram_new("screen", 2 * WIDTH * HEIGHT * 4, NULL);
    picture = (VgaSurface){
        .width = WIDTH, .height = HEIGHT, .stride = WIDTH * 4, .ram = ram, .generation = 1
    };
    n_damage = 0;
    g_atomic_int_set(&n_refreshes, 0);
    resized_width = resized_height = 0;
    display = display_new(NULL, on_resized, NULL);
    return 0;
}

static int tear_down(void **state)
{
    display_free(display);
    ram_free(ram);
    return 0;
}

static void touch(unsigned x, unsigned y, unsigned width, unsigned height, uint32_t colour)
{
    g_mutex_lock(&lock);
    for (unsigned row = y; row < y + height; row++)
        for (unsigned column = x; column < x + width; column++)
            ((uint32_t *)(ram->host + picture.offset))[row * WIDTH + column] = colour;
    damage[n_damage++] = (VgaRect){ x, y, width, height };
    g_mutex_unlock(&lock);
}

static void nobody_looking_costs_nothing(void **state)
{
    linger(150);
    assert_int_equal(g_atomic_int_get(&n_refreshes), 0);
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32+0/256;");
    client_close(&client);
    linger(100);
    int then = g_atomic_int_get(&n_refreshes);
    linger(150);
    assert_int_equal(g_atomic_int_get(&n_refreshes), then);
}

static void a_mapping_client_sees_the_guests_own_pixels(void **state)
{
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32+0/256;");
    const uint32_t *seen = mmap(NULL, WIDTH * HEIGHT * 4, PROT_READ, MAP_SHARED, client.fd, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    touch(3, 4, 5, 6, 0xabcdef);
    wait_for(&client, "touch 3,4 5x6;");
    assert_int_equal(seen[4 * WIDTH + 3], 0xabcdef);
    assert_null(strstr(client.events->str, "scanout"));
    assert_int_equal(resized_width, WIDTH);
    munmap((void *)seen, WIDTH * HEIGHT * 4);
    client_close(&client);
}

static void a_client_cannot_write_to_the_guests_memory(void **state)
{
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32");
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, client.fd, 0),
                     MAP_FAILED);
    client_close(&client);
}

static void a_plain_client_gets_copies(void **state)
{
    Client client;
    ((uint32_t *)ram->host)[0] = 0x112233;
    client_open(&client, false);
    wait_for(&client, "scanout 64x32 20020888 first=112233 size=8192;");
    touch(10, 2, 4, 3, 0x445566);
    wait_for(&client, "update 10,2 4x3 first=445566;");
    client_close(&client);
}

static void a_new_mode_is_a_new_scanout(void **state)
{
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32+0/256;");
    g_mutex_lock(&lock);
    picture.height = 16;
    picture.offset = 4096;
    picture.generation++;
    g_mutex_unlock(&lock);
    wait_for(&client, "map 64x16+4096/256;");
    linger(20);
    assert_int_equal(resized_height, 16);
    client_close(&client);
}

static void a_blank_screen_is_disabled_and_comes_back(void **state)
{
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32");
    g_mutex_lock(&lock);
    picture.blank = true;
    picture.generation++;
    g_mutex_unlock(&lock);
    wait_for(&client, "disable;");
    g_string_truncate(client.events, 0);
    g_mutex_lock(&lock);
    picture.blank = false;
    picture.generation++;
    g_mutex_unlock(&lock);
    wait_for(&client, "map 64x32");
    client_close(&client);
}

static void a_client_that_does_not_answer_gets_no_flood(void **state)
{
    Client slow, quick;
    client_open(&slow, true);
    wait_for(&slow, "map 64x32");
    slow.silent = true;
    client_open(&quick, true);
    wait_for(&quick, "map 64x32");
    for (unsigned i = 0; i < 20; i++) {
        touch(i * 3, i, 1, 1, i);
        linger(25);
    }
    wait_for(&quick, "touch 57,19 1x1;");
    unsigned n = 0;
    for (const char *at = slow.events->str; (at = strstr(at, "touch")); at++)
        n++;
    assert_in_range(n, 1, 2);
    client_close(&slow);
    client_close(&quick);
}

static void a_still_does_not_swallow_a_listeners_update(void **state)
{
    Client client;
    client_open(&client, true);
    wait_for(&client, "map 64x32");
    for (unsigned i = 0; i < 10; i++) {
        touch(i, i, 1, 1, 0xff0000);
        g_autoptr(Picture) still = display_capture(display);
        assert_int_equal(still->pixels[i * WIDTH + i], 0xff0000);
        g_autofree char *event = g_strdup_printf("touch %u,%u 1x1;", i, i);
        wait_for(&client, event);
    }
    client_close(&client);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_looking_costs_nothing),
        TEST(a_mapping_client_sees_the_guests_own_pixels),
        TEST(a_client_cannot_write_to_the_guests_memory),
        TEST(a_plain_client_gets_copies),
        TEST(a_new_mode_is_a_new_scanout),
        TEST(a_blank_screen_is_disabled_and_comes_back),
        TEST(a_client_that_does_not_answer_gets_no_flood),
        TEST(a_still_does_not_swallow_a_listeners_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
