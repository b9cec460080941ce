/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "base/fd.h"
#include "base/task.h"
#include "client/client.h"
#include "client/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <unistd.h>

char *client_dup_engine_path(void)
{
    const char *set = g_getenv("VITRINE_ENGINE");
    if (set && set[0])
        return g_strdup(set);
    /* From src/cli, src/ui, src/display and tests/x of a build tree. */
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self ? g_path_get_dirname(self) : g_strdup(".");
    static const char *const near[] = { "../engine", "../../src/engine" };
    for (unsigned i = 0; i < G_N_ELEMENTS(near); i++) {
        g_autofree char *path = g_build_filename(dir, near[i], "vitrine-engine", NULL);
        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            return g_canonicalize_filename(path, NULL);
    }
    return g_build_filename(VITRINE_LIBEXECDIR, "vitrine-engine", NULL);
}

/* In the child between fork and exec: a session of its own, so that a closed terminal or Ctrl-C
 * here does not end the machine. */
static void leave_session(gpointer opaque)
{
    setsid();
}

/* The engine's first words: "ready", or "error CODE message". */
static bool read_outcome(int fd, const char *engine, GError **error)
{
    g_autoptr(GBytes) bytes = fd_read_all(fd, error);
    if (!bytes)
        return false;
    gsize length;
    const char *data = g_bytes_get_data(bytes, &length);
    g_autofree char *text = g_strndup(data ? data : "", length);
    g_strchomp(text);
    if (strcmp(text, "ready") == 0)
        return true;
    int code = APP_ERROR_FAILED, at = 0;
    if (sscanf(text, "error %d %n", &code, &at) == 1 && at > 0 && code >= 0 &&
        code < APP_ERROR_N_CODES)
        g_set_error_literal(error, APP_ERROR, code, text + at);
    else
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("The engine (%s) ended at once without a word"), engine);
    return false;
}

bool spawn_engine(const char *const *arguments, GError **error)
{
    g_autofree char *engine = client_dup_engine_path();
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    int ready[2];

    g_ptr_array_add(argv, engine);
    g_ptr_array_add(argv, "--ready-fd=3");
    for (; *arguments; arguments++)
        g_ptr_array_add(argv, (char *)*arguments);
    g_ptr_array_add(argv, NULL);

    if (!g_unix_open_pipe(ready, FD_CLOEXEC, error))
        return false;
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_set_child_setup(launcher, leave_session, NULL, NULL);
    g_subprocess_launcher_take_fd(launcher, ready[1], 3);
    g_autoptr(GError) local = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_launcher_spawnv(launcher, (const char *const *)argv->pdata, &local);
    g_subprocess_launcher_close(launcher); /* our copy of the pipe's other end */
    bool good = false;
    if (process)
        good = read_outcome(ready[0], engine, error);
    else
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("Cannot start the engine (%s): %s. Vitrine is not completely installed"),
                    engine, local->message);
    close(ready[0]);
    return good;
}

bool client_start(const char *bundle, const ClientStartOptions *options, GError **error)
{
    g_autofree char *path = g_canonicalize_filename(bundle, NULL);
    const char *argv[5];
    unsigned n = 0;
    if (options && options->paused)
        argv[n++] = "--paused";
    if (options && options->disposable)
        argv[n++] = "--disposable";
    argv[n++] = "--";
    argv[n++] = path;
    argv[n] = NULL;
    return spawn_engine(argv, error);
}

typedef struct {
    char *bundle;
    ClientStartOptions options;
} StartTask;

static void start_task_free(gpointer data)
{
    StartTask *start = data;
    g_free(start->bundle);
    g_free(start);
}

static void start_task_run(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    StartTask *start = data;
    GError *error = NULL;
    task_return_outcome(task, client_start(start->bundle, &start->options, &error), &error);
}

void client_start_async(const char *bundle, const ClientStartOptions *options,
                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer opaque)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, opaque);
    StartTask *start = g_new0(StartTask, 1);
    start->bundle = g_strdup(bundle);
    if (options)
        start->options = *options;
    g_task_set_task_data(task, start, start_task_free);
    g_task_run_in_thread(task, start_task_run);
}

bool client_start_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
