/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/fd.h"
#include "cli/verbs.h"
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

/* In one step, so that a picture that is there stays whole. GLib's words name a file beside it. */
static bool write_file(const char *path, const void *data, gsize length, GError **error)
{
    g_autoptr(GError) local = NULL;
    if (g_file_set_contents(path, data, length, &local))
        return true;
    const char *why = strrchr(local->message, ':');
    g_set_error(error, local->domain, local->code, _("“%s” cannot be written%s"), path,
                why ? why : "");
    return false;
}

bool verb_screenshot(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, 2, error))
        return false;
    g_autofree char *name = g_ascii_strdown(argv[2], -1);
    static const char *const others[] = {
        ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".svg"
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
        if (g_str_has_suffix(name, others[i]))
            return usage_error(error, _("The picture is a PNG; “%s” should end in .png"), argv[2]);
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
    return write_file(argv[2], data, length, error);
}
