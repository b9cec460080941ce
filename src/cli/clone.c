/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib-unix.h>
#include <unistd.h>

/* On a terminal only: scripts want the name and nothing else. */
static void print_progress(double fraction, gpointer data)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%3.0f %%", 100 * fraction);
}

static gboolean on_interrupt(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_CONTINUE;
}

typedef struct {
    const char *bundle, *name;
    GCancellable *cancellable;
    GMainLoop *loop;
    GError *error;
    char *made;
} Work;

static gboolean on_made(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gpointer clone_thread(gpointer opaque)
{
    Work *work = opaque;
    work->made = client_clone(work->bundle, work->name, NULL, print_progress, NULL,
                              work->cancellable, &work->error);
    g_idle_add(on_made, work->loop);
    return NULL;
}

/* Ctrl-C ends the copying, which then cleans up after itself. */
static char *clone_or_give_up(const char *bundle, const char *name, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Work work = { bundle, name, cancellable, loop, NULL, NULL };
    guint on_int = g_unix_signal_add(SIGINT, on_interrupt, cancellable);
    guint on_term = g_unix_signal_add(SIGTERM, on_interrupt, cancellable);
    GThread *thread = g_thread_new("clone", clone_thread, &work);
    g_main_loop_run(loop);
    g_thread_join(thread);
    g_source_remove(on_int);
    g_source_remove(on_term);
    if (isatty(STDERR_FILENO))
        fputs("\r      \r", stderr);
    if (work.error)
        g_propagate_error(error, work.error);
    return work.made;
}

bool verb_clone(int argc, char **argv, GError **error)
{
    g_autofree char *name = NULL;
    const GOptionEntry entries[] = { { "name", 0, 0, G_OPTION_ARG_STRING, &name, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    g_autofree char *made = machine ? clone_or_give_up(machine->bundle, name, error) : NULL;
    if (!made)
        return false;
    g_autoptr(ClientMachine) copy = client_open_machine(made);
    puts(client_machine_name(copy));
    return true;
}
