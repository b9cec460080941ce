/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* How long a change of 16 × 16 pixels takes to a presenter's surface: the engine's display and the
 * front end's frame, with a screen between them that this program draws on. Prints percentiles in
 * microseconds, from the moment the engine saw the change and from when it was made; and how long a
 * change's threads worked, and waited for a core that others had. */

#include "client/client.h"
#include "display/headless-presenter.h"
#include "engine/display.h"
#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIDTH 1920
#define HEIGHT 1080
#define SIDE 16
#define SAMPLES 600

static GMutex lock;
static VgaSurface picture;
static VgaRect damage;
static bool is_damaged;
static gint64 made_at, seen_at;
static int64_t from_seen[SAMPLES], from_made[SAMPLES];
static unsigned n_samples;

unsigned vga_refresh(Vga *vga, VgaSurface *out_surface, VgaRect out_rects[VGA_MAX_RECTS])
{
    g_mutex_lock(&lock);
    unsigned n = is_damaged;
    if (n)
        seen_at = g_get_monotonic_time();
    *out_surface = picture;
    out_rects[0] = damage;
    is_damaged = false;
    g_mutex_unlock(&lock);
    return n;
}

void vga_set_preferred_mode(Vga *vga, unsigned width, unsigned height)
{
}

static gboolean on_register(QemuDBusDisplay1Console *console, GDBusMethodInvocation *invocation,
                            GUnixFDList *fds, GVariant *handle, Display *display)
{
    int fd = g_unix_fd_list_get(fds, g_variant_get_handle(handle), NULL);
    qemu_dbus_display1_console_complete_register_listener(console, invocation, NULL);
    display_add_listener(display, fd);
    return TRUE;
}

static void on_size(gpointer opaque, unsigned width, unsigned height)
{
}

static gboolean draw(gpointer opaque)
{
    unsigned x = (unsigned)rand() % (WIDTH - SIDE), y = (unsigned)rand() % (HEIGHT - SIDE);
    g_mutex_lock(&lock);
    for (unsigned row = y; row < y + SIDE; row++)
        memset(picture.ram->host + (size_t)row * picture.stride + x * 4, rand() & 0xff, SIDE * 4);
    damage = (VgaRect){ x, y, SIDE, SIDE };
    is_damaged = true;
    made_at = g_get_monotonic_time();
    g_mutex_unlock(&lock);
    return G_SOURCE_REMOVE;
}

/* The presenter was connected first: by now the pixels are in its surface. */
static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, GMainLoop *loop)
{
    gint64 now = g_get_monotonic_time();
    from_seen[n_samples] = now - seen_at;
    from_made[n_samples] = now - made_at;
    if (++n_samples == SAMPLES)
        g_main_loop_quit(loop);
    else
        g_timeout_add(5 + (guint)rand() % 20, draw, NULL);
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    if (!vitrine_frame_connect_finish(VITRINE_FRAME(source), result, &error))
        g_error("no picture: %s", error->message);
    g_timeout_add(200, draw, NULL);
}

static void on_connection(GObject *source, GAsyncResult *result, gpointer out)
{
    *(GDBusConnection **)out = g_dbus_connection_new_finish(result, NULL);
}

/* The machine's socket: the engine's end, and the front end's. */
static void open_ends(GDBusConnection *ends[2])
{
    int pair[2];
    g_autofree char *guid = g_dbus_generate_guid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        g_error("socketpair: %s", g_strerror(errno));
    for (int i = 0; i < 2; i++) {
        g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[i], NULL);
        g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
        g_dbus_connection_new(G_IO_STREAM(stream), i == 0 ? guid : NULL,
                              i == 0 ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
                                     : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                              NULL, NULL, on_connection, &ends[i]);
    }
    while (!ends[0] || !ends[1])
        g_main_context_iteration(NULL, TRUE);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_percentiles(const char *name, int64_t *samples)
{
    qsort(samples, SAMPLES, sizeof *samples, compare);
    g_print("%s p50=%" G_GINT64_FORMAT " p99=%" G_GINT64_FORMAT " max=%" G_GINT64_FORMAT "\n", name,
            samples[SAMPLES / 2], samples[SAMPLES * 99 / 100], samples[SAMPLES - 1]);
}

/* What all threads spent since they began, working and ready to work without a core, a change. */
static void print_cores(void)
{
    uint64_t worked = 0, waited = 0;
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    for (const char *name; tasks && (name = g_dir_read_name(tasks));) {
        g_autofree char *path = g_strdup_printf("/proc/self/task/%s/schedstat", name);
        g_autofree char *text = NULL;
        char *end = NULL;
        if (!g_file_get_contents(path, &text, NULL, NULL))
            continue;
        worked += g_ascii_strtoull(text, &end, 10);
        waited += g_ascii_strtoull(end, NULL, 10);
    }
    g_print("cores worked=%" G_GUINT64_FORMAT " waited=%" G_GUINT64_FORMAT "\n",
            worked / 1000 / SAMPLES, waited / 1000 / SAMPLES);
}

int main(void)
{
    GDBusConnection *ends[2] = { NULL, NULL };
    Ram *ram = ram_new("screen", WIDTH * HEIGHT * 4, NULL);
    if (!ram)
        g_error("no memory for the screen");
    picture = (VgaSurface){
        .width = WIDTH, .height = HEIGHT, .stride = WIDTH * 4, .ram = ram, .generation = 1
    };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Display *display = display_new(NULL, on_size, NULL);
    open_ends(ends);
    QemuDBusDisplay1Console *console = qemu_dbus_display1_console_skeleton_new();
    g_signal_connect(console, "handle-register-listener", G_CALLBACK(on_register), display);
    g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(console), ends[0],
                                     CLIENT_PATH_CONSOLE, NULL);
    VitrineFrame *frame = vitrine_frame_new();
    HeadlessPresenter *presenter = headless_presenter_new(frame);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), loop);
    vitrine_frame_connect_async(frame, ends[1], NULL, on_connected, NULL);
    g_main_loop_run(loop);
    print_percentiles("seen", from_seen);
    print_percentiles("made", from_made);
    print_cores();
    headless_presenter_free(presenter);
    g_object_unref(frame);
    display_free(display);
    ram_free(ram);
    return 0;
}
