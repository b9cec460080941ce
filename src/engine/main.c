/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* vitrine-engine BUNDLE: runs one machine until it is off. Started by front ends, never typed. With
 * --create-disk FILE --size BYTES it makes a disk image instead, for those who cannot; with
 * --probe-cpu it says what machines would run on here. */

#include "base/errors.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/place.h"
#include "core/block/disk.h"
#include "engine/cpu-choice.h"
#include "engine/crash-mark.h"
#include "engine/engine.h"
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    int ready_fd;
    gboolean paused, disposable, verbose, probe_cpu, fresh;
    char *create_disk;
    gint64 size;
    char **rest;
} Arguments;

/* The front end reads until we close: "ready", or the error as it should be shown. */
static void report(const Arguments *arguments, const GError *error)
{
    if (error && arguments->ready_fd < 0)
        fprintf(stderr, "vitrine-engine: %s\n", error->message);
    if (arguments->ready_fd < 0)
        return;
    int code = error && error->domain == APP_ERROR ? error->code : APP_ERROR_FAILED;
    g_autofree char *text =
        error ? g_strdup_printf("error %d %s\n", code, error->message) : g_strdup("ready\n");
    fd_write_all(arguments->ready_fd, text, strlen(text), NULL);
    close(arguments->ready_fd);
}

static int exit_code(const GError *error)
{
    return g_error_matches(error, APP_ERROR, APP_ERROR_WRONG_STATE) ? EXIT_WRONG_STATE
                                                                    : EXIT_FAILED;
}

static gboolean on_terminate(gpointer engine)
{
    engine_ask_to_end(engine);
    return G_SOURCE_CONTINUE;
}

/* From now on all that is said goes to the bundle's log; only a front end's engine has one. */
static void begin_log(const Arguments *arguments, const char *bundle)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *log = g_build_filename(bundle, BUNDLE_LOG, NULL);
    if (arguments->ready_fd >= 0 && !log_redirect(log, &error))
        g_warning("%s", error->message);
}

static int run_machine(const Arguments *arguments, const char *bundle)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    EngineOptions options = { .paused = arguments->paused, .disposable = arguments->disposable };

    begin_log(arguments, bundle);
    crash_mark_install(bundle);
    Engine *engine = engine_new(bundle, &options, loop, &error);
    if (!engine) {
        g_warning("Not started: %s", error->message);
        report(arguments, error);
        return exit_code(error);
    }
    guint terminate = g_unix_signal_add(SIGTERM, on_terminate, engine);
    guint interrupt = g_unix_signal_add(SIGINT, on_terminate, engine);
    report(arguments, NULL);
    g_main_loop_run(loop);
    g_source_remove(terminate);
    g_source_remove(interrupt);
    engine_free(engine);
    return EXIT_OK;
}

static int create_disk(const Arguments *arguments)
{
    g_autoptr(GError) error = NULL;
    bool good = disk_create_qcow2(arguments->create_disk, arguments->size, NULL, NULL, &error);
    report(arguments, good ? NULL : error);
    return good ? EXIT_OK : EXIT_FAILED;
}

static int probe_cpu(const Arguments *arguments)
{
    g_autofree char *report = cpu_choice_dup_report(arguments->fresh);
    fputs(report, stdout);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    Arguments arguments = { .ready_fd = -1 };
    const GOptionEntry entries[] = {
        { "ready-fd", 0, 0, G_OPTION_ARG_INT, &arguments.ready_fd,
          "Say there when started, or what is wrong", "FD" },
        { "paused", 0, 0, G_OPTION_ARG_NONE, &arguments.paused, "Power on, do not run yet", NULL },
        { "disposable", 0, 0, G_OPTION_ARG_NONE, &arguments.disposable,
          "Throw away what the guest writes", NULL },
        { "verbose", 0, 0, G_OPTION_ARG_NONE, &arguments.verbose, "Log more", NULL },
        { "create-disk", 0, 0, G_OPTION_ARG_FILENAME, &arguments.create_disk,
          "Make a disk image and end", "FILE" },
        { "size", 0, 0, G_OPTION_ARG_INT64, &arguments.size, "Its size", "BYTES" },
        { "probe-cpu", 0, 0, G_OPTION_ARG_NONE, &arguments.probe_cpu,
          "Say what machines would run on, and end", NULL },
        { "fresh", 0, 0, G_OPTION_ARG_NONE, &arguments.fresh, "Measure that anew", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.rest, NULL, "BUNDLE" },
        { NULL }
    };
    umask(077);
    place_init_language(); /* what fails is told to the user by front ends, in our words */
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- run one Vitrine machine");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "vitrine-engine: %s\n", error->message);
        return EXIT_USAGE;
    }
    log_init(arguments.verbose || g_getenv("VITRINE_VERBOSE"));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk, not our end */
    if (arguments.ready_fd >= 0)
        fcntl(arguments.ready_fd, F_SETFD, FD_CLOEXEC);

    int code = EXIT_USAGE;
    if (arguments.create_disk && arguments.size > 0 && !arguments.rest)
        code = create_disk(&arguments);
    else if (arguments.probe_cpu && !arguments.rest && !arguments.create_disk)
        code = probe_cpu(&arguments);
    else if (arguments.rest && !arguments.rest[1] && !arguments.create_disk)
        code = run_machine(&arguments, arguments.rest[0]);
    else
        fprintf(stderr, "Usage: vitrine-engine BUNDLE\n");
    g_free(arguments.create_disk);
    g_strfreev(arguments.rest);
    return code;
}
