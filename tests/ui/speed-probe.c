/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The app, watched: how long from the start of the process until the machines are on the screen,
 * and what frames cost while the library scrolls from top to bottom. Prints a line of JSON. For
 * speed-test.py, which gives it a display and machines. */

#include "ui/application.h"
#include "ui/machine-tile.h"
#include "ui/window.h"
#include <stdio.h>
#include <unistd.h>

#define PIXELS_A_FRAME 40
#define SETTLE_MS 1500 /* thumbnails are loading meanwhile, as they would be */

typedef struct {
    GtkApplication *app;
    GtkWindow *window;
    GtkAdjustment *adjustment;
    double started_ms, cpu_ms;
    gint64 last_tick_us, worst_us; /* from frame to frame, by the clock on the wall */
    double last_cpu_ms, worst_cpu_ms, total_cpu_ms; /* what the main thread worked for a frame */
    unsigned n_frames;
    bool seen;
} Probe;

/* proc(5), /proc/self/stat: field 22 is the start in clock ticks since boot. */
static double ms_since_exec(void)
{
    g_autofree char *text = NULL;
    unsigned long long start = 0;
    if (!g_file_get_contents("/proc/self/stat", &text, NULL, NULL))
        return 0;
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 2,
                        "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                        "%*d %llu",
                        &start) != 1)
        return 0;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 -
           (double)start * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static GtkWidget *find_type(GtkWidget *widget, GType type)
{
    if (g_type_is_a(G_OBJECT_TYPE(widget), type) && gtk_widget_get_mapped(widget))
        return widget;
    for (GtkWidget *at = gtk_widget_get_first_child(widget); at;
         at = gtk_widget_get_next_sibling(at)) {
        GtkWidget *found = find_type(at, type);
        if (found)
            return found;
    }
    return NULL;
}

static void probe_end(Probe *probe)
{
    printf("{\"start-ms\": %.0f, \"start-cpu-ms\": %.0f, \"frames\": %u, \"worst-ms\": %.1f, "
           "\"worst-cpu-ms\": %.1f, \"mean-cpu-ms\": %.1f}\n",
           probe->started_ms, probe->cpu_ms, probe->n_frames, (double)probe->worst_us / 1e3,
           probe->worst_cpu_ms, probe->n_frames ? probe->total_cpu_ms / probe->n_frames : 0);
    fflush(stdout);
    g_application_quit(G_APPLICATION(probe->app));
}

static gboolean on_scroll_tick(GtkWidget *widget, GdkFrameClock *clock, gpointer opaque)
{
    Probe *probe = opaque;
    gint64 now = g_get_monotonic_time();
    double cpu = cpu_ms(CLOCK_THREAD_CPUTIME_ID), spent = cpu - probe->last_cpu_ms;
    if (probe->last_tick_us) {
        probe->n_frames++;
        probe->worst_us = MAX(probe->worst_us, now - probe->last_tick_us);
        probe->total_cpu_ms += spent;
        probe->worst_cpu_ms = MAX(probe->worst_cpu_ms, spent);
    }
    probe->last_tick_us = now;
    probe->last_cpu_ms = cpu;
    double value = gtk_adjustment_get_value(probe->adjustment);
    double end = gtk_adjustment_get_upper(probe->adjustment) -
                 gtk_adjustment_get_page_size(probe->adjustment);
    if (value >= end) {
        probe_end(probe);
        return G_SOURCE_REMOVE;
    }
    gtk_adjustment_set_value(probe->adjustment, MIN(value + PIXELS_A_FRAME, end));
    return G_SOURCE_CONTINUE;
}

static gboolean on_settled(gpointer opaque)
{
    Probe *probe = opaque;
    GtkWidget *view = find_type(GTK_WIDGET(probe->window), GTK_TYPE_SCROLLED_WINDOW);
    probe->adjustment = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(view));
    gtk_widget_add_tick_callback(GTK_WIDGET(probe->window), on_scroll_tick, probe, NULL);
    return G_SOURCE_REMOVE;
}

static void on_painted(GdkFrameClock *clock, Probe *probe)
{
    if (probe->seen || !find_type(GTK_WIDGET(probe->window), VITRINE_TYPE_MACHINE_TILE))
        return;
    probe->seen = true;
    probe->started_ms = ms_since_exec();
    probe->cpu_ms = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    g_timeout_add(SETTLE_MS, on_settled, probe);
}

static void on_window(GtkApplication *app, GtkWindow *window, Probe *probe)
{
    if (probe->window || !VITRINE_IS_WINDOW(window))
        return;
    probe->window = window;
    gtk_widget_realize(GTK_WIDGET(window));
    g_signal_connect(gtk_widget_get_frame_clock(GTK_WIDGET(window)), "after-paint",
                     G_CALLBACK(on_painted), probe);
}

int main(int argc, char **argv)
{
    g_autoptr(VitrineApplication) app = vitrine_application_new();
    Probe probe = { .app = GTK_APPLICATION(app) };
    g_application_set_flags(G_APPLICATION(app), G_APPLICATION_NON_UNIQUE);
    g_signal_connect(app, "window-added", G_CALLBACK(on_window), &probe);
    return g_application_run(G_APPLICATION(app), argc, argv);
}
