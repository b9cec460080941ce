/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/crash-mark.h"
#include "model/stop-record.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char *crash_path; /* a process has one machine to mark */

static void write_text(int fd, const char *text)
{
    size_t length = strlen(text);
    if (write(fd, text, length) != (ssize_t)length)
        return; /* nothing else can be done */
}

/* Only calls that a signal handler may make, on what was prepared before. */
static void on_crash(int number)
{
    const char *name = number == SIGSEGV   ? "SIGSEGV"
                       : number == SIGBUS  ? "SIGBUS"
                       : number == SIGILL  ? "SIGILL"
                       : number == SIGFPE  ? "SIGFPE"
                       : number == SIGABRT ? "SIGABRT"
                                           : "SIGTRAP";
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        write_text(fd, "[stop]\nreason=bug\nsubject=");
        write_text(fd, name);
        write_text(fd, "\n");
        close(fd);
    }
    write_text(STDERR_FILENO, "fatal: ");
    write_text(STDERR_FILENO, name);
    write_text(STDERR_FILENO, "\n");
    raise(number); /* the handler is gone: as if it had never been */
}

void crash_mark_install(const char *bundle)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
    struct sigaction action = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };
    g_free(crash_path);
    crash_path = g_build_filename(bundle, BUNDLE_LAST_STOP, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        struct sigaction before;
        /* A sanitizer has a handler of its own, which says more. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}
