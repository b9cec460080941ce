/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Shows a running machine's screen to nobody, for so many seconds, and prints what came:
 * listen UUID SECONDS. */

#include "client/client.h"
#include "display/headless-presenter.h"
#include <stdlib.h>

static void on_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    if (!vitrine_frame_connect_finish(VITRINE_FRAME(source), result, &error))
        g_error("no picture: %s", error->message);
}

static gboolean on_end(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void run(GMainLoop *loop, unsigned seconds)
{
    g_timeout_add_seconds(seconds, on_end, loop);
    g_main_loop_run(loop);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    if (argc != 3)
        return 2;
    g_autoptr(GDBusConnection) connection = client_connect(argv[1], &error);
    if (!connection)
        g_error("%s", error->message);
    g_autoptr(VitrineFrame) frame = vitrine_frame_new();
    g_autoptr(HeadlessPresenter) presenter = headless_presenter_new(frame);
    vitrine_frame_connect_async(frame, connection, NULL, on_connected, NULL);
    run(loop, 1);
    uint64_t before = headless_presenter_get_updates(presenter);
    gint64 begin = g_get_monotonic_time();
    run(loop, (unsigned)atoi(argv[2]));
    double seconds = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
    unsigned width, height;
    headless_presenter_get_pixels(presenter, &width, &height);
    g_print("width=%u height=%u updates-per-second=%.1f\n", width, height,
            (double)(headless_presenter_get_updates(presenter) - before) / seconds);
    return 0;
}
