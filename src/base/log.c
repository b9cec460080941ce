/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/log.h"
#include "base/errors.h"
#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAX_BYTES (1024 * 1024)

static GLogLevelFlags log_shown; /* set once, before threads */

static const char *log_level_name(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR)
        return "fatal";
    if (level & G_LOG_LEVEL_CRITICAL)
        return "bug";
    if (level & G_LOG_LEVEL_WARNING)
        return "warning";
    return level & G_LOG_LEVEL_DEBUG ? "debug" : "info";
}

static GLogWriterOutput log_write(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                  gpointer opaque)
{
    if (!(level & log_shown))
        return G_LOG_WRITER_HANDLED;
    const char *message = "", *domain = "";
    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            message = fields[i].value;
        else if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0)
            domain = fields[i].value;
    }
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%F %T.%f");
    time[strlen(time) - 3] = '\0';
    bool ours = strcmp(domain, G_LOG_DOMAIN) == 0;
    g_autofree char *line = g_strdup_printf("%s %s: %s%s%s\n", time, log_level_name(level),
                                            ours ? "" : domain, ours ? "" : ": ", message);
    fd_write_all(STDERR_FILENO, line, strlen(line), NULL);
    return G_LOG_WRITER_HANDLED;
}

void log_init(bool verbose)
{
    log_shown = G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING |
                G_LOG_LEVEL_MESSAGE | G_LOG_FLAG_FATAL;
    if (verbose)
        log_shown |= G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG;
    g_log_set_writer_func(log_write, NULL, NULL);
}

bool log_redirect(const char *path, GError **error)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LOG_MAX_BYTES) {
        g_autofree char *old = g_strconcat(path, ".old", NULL);
        g_rename(path, old);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("Cannot write the log “%s”: %s"), path,
                    g_strerror(errno));
        return false;
    }
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return true;
}
