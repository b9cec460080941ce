/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Image files in a scratch folder, for the tests of block/. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/block/disk.h"
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *scratch;

static inline int scratch_setup(void **state)
{
    /* In memory where there is such a place: the tests sync a great deal. */
    scratch = g_mkdtemp(g_strdup("/dev/shm/vitrine-block-XXXXXX"));
    if (!scratch)
        scratch = g_dir_make_tmp("vitrine-block-XXXXXX", NULL);
    return scratch ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
    g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(scratch, name, NULL);
        g_unlink(path);
    }
    g_rmdir(scratch);
    g_clear_pointer(&scratch, g_free);
    return 0;
}

static inline char *scratch_path(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

/* Runs a tool quietly; its exit status, or -1 where it is missing. */
static inline int run_tool(const char *format, ...) G_GNUC_PRINTF(1, 2);
static inline int run_tool(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);
    g_auto(GStrv) argv = NULL;
    int status = -1;
    g_autofree char *out = NULL, *err = NULL;
    assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    if (!g_spawn_sync(scratch, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status,
                      NULL))
        return -1;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code)
        print_message("%s: exit %d\n%s%s", line, code, out, err);
    return code;
}

static inline bool have_qemu_tools(void)
{
    g_autofree char *img = g_find_program_in_path("qemu-img");
    g_autofree char *io = g_find_program_in_path("qemu-io");
    return img && io;
}

/* Opening @path must fail with @code and mention @words. */
static inline void assert_open_fails(const char *path, const DiskOptions *options, int code,
                                     const char *words)
{
    g_autoptr(GError) error = NULL;
    Disk *disk = disk_open(path, options, &error);
    assert_null(disk);
    assert_non_null(error);
    if (!strstr(error->message, words) || !strstr(error->message, path))
        fail_msg("message “%s” lacks “%s” or the path", error->message, words);
    assert_int_equal(error->code, code);
}
