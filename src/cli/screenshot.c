/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/fd.h"
#include "cli/verbs.h"
#include <gio/gunixfdlist.h>
#include <string.h>
#include <unistd.h>

bool verb_screenshot(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, 2, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    g_autoptr(GVariant) handle = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    if (!machine || !verb_done(vitrine_dbus_machine1_call_screenshot_sync(machine, NULL, &handle,
                                                                          &fds, NULL, error),
                               error))
        return false;
    int fd = fds ? g_unix_fd_list_get(fds, g_variant_get_handle(handle), error) : -1;
    if (fd < 0)
        return false;
    g_autoptr(GBytes) png = fd_read_all(fd, error);
    close(fd);
    if (!png)
        return false;
    gsize length;
    const void *data = g_bytes_get_data(png, &length);
    if (strcmp(argv[2], "-") == 0)
        return fd_write_all(STDOUT_FILENO, data, length, error);
    return g_file_set_contents(argv[2], data, length, error);
}
