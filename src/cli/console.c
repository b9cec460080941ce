/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/fd.h"
#include "cli/verbs.h"
#include <errno.h>
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define LEAVE 0x1d /* Ctrl-] */

static int open_console(const char *spec, GError **error)
{
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(spec, NULL, error);
    g_autoptr(GVariant) handle = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    if (!machine || !verb_done(vitrine_dbus_machine1_call_console_open_sync(machine, NULL, &handle,
                                                                            &fds, NULL, error),
                               error))
        return -1;
    return fds ? g_unix_fd_list_get(fds, g_variant_get_handle(handle), error) : -1;
}

/* From stdin to the guest. False when the user leaves. */
static bool pass_input(int console, bool *out_ended)
{
    char buffer[1024];
    ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0) {
        *out_ended = true;
        return true;
    }
    const char *leave = isatty(STDIN_FILENO) ? memchr(buffer, LEAVE, n) : NULL;
    fd_write_all(console, buffer, leave ? leave - buffer : n, NULL);
    return leave == NULL;
}

static bool pass_output(int console)
{
    char buffer[16384];
    ssize_t n = recv(console, buffer, sizeof buffer, 0);
    if (n < 0)
        return errno == EINTR;
    return n > 0 && fd_write_all(STDOUT_FILENO, buffer, n, NULL);
}

/* Until the machine is off, the user leaves, or the reader of our output goes. When stdin has
 * ended (a script's), what the guest says in the next second still counts. */
static void pump(int console)
{
    bool input_ended = false;
    for (;;) {
        struct pollfd fds[] = { { console, POLLIN, 0 },
                                { input_ended ? -1 : STDIN_FILENO, POLLIN, 0 } };
        int n = poll(fds, 2, input_ended ? 1000 : -1);
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
        if (n < 0)
            continue;
        if (fds[0].revents && !pass_output(console))
            return;
        if (fds[1].revents && !pass_input(console, &input_ended))
            return;
    }
}

bool verb_console(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 1, 1, error))
        return false;
    int console = open_console(argv[1], error);
    if (console < 0)
        return false;
    struct termios before;
    bool is_tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (is_tty) {
        struct termios raw = before;
        cfmakeraw(&raw);
        g_autofree char *words =
            g_strdup_printf(_("Serial console of “%s”. Ctrl-] leaves."), argv[1]);
        fprintf(stderr, "%s\r\n", words);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    pump(console);
    if (is_tty) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        fputc('\n', stderr);
    }
    close(console);
    return true;
}
