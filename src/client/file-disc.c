/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/file-disc.h"
#include "base/errors.h"
#include "base/fd.h"
#include "client/file-disc-private.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHUNK_BYTES (64 * 1024)
#define PROGRESS_US (100 * 1000)

/* libisofs keeps state for the whole process, and does not say what two threads may do to it. */
static GMutex library_lock;

static bool take_library(GCancellable *cancellable, GError **error)
{
    static gsize once;
    while (!g_mutex_trylock(&library_lock)) {
        if (g_cancellable_set_error_if_cancelled(cancellable, error))
            return false;
        g_usleep(20 * 1000);
    }
    if (g_once_init_enter(&once)) {
        iso_init_with_flag(1); /* does not ask for the locale's character set: names are UTF-8 */
        iso_set_local_charset("UTF-8", 0);
        iso_set_msgs_severities("NEVER", "NEVER", "");
        g_once_init_leave(&once, 1);
    }
    return true;
}

static IsoWriteOpts *new_options(void)
{
    IsoWriteOpts *options = NULL;
    iso_write_opts_new(&options, 0);
    g_return_val_if_fail(options, NULL);
    iso_write_opts_set_iso_level(options, 3);
    iso_write_opts_set_rockridge(options, 1);
    iso_write_opts_set_joliet(options, 1);
    iso_write_opts_set_joliet_long_names(options, 1);
    iso_write_opts_set_joliet_longer_paths(options, 1);
    iso_write_opts_set_allow_deep_paths(options, 1);
    iso_write_opts_set_allow_longer_paths(options, 1);
    iso_write_opts_set_relaxed_vol_atts(options, 1);
    iso_write_opts_set_output_charset(options, "UTF-8");
    iso_write_opts_set_hardlinks(options, 1);
    return options;
}

static bool check_space(int fd, const char *output_iso, off_t size, GError **error)
{
    struct statvfs room;
    if (fstatvfs(fd, &room) < 0 || (guint64)size <= (guint64)room.f_bavail * room.f_frsize)
        return true;
    g_autofree char *needs = g_format_size(size);
    g_autofree char *has = g_format_size((guint64)room.f_bavail * room.f_frsize);
    g_autofree char *folder = g_path_get_dirname(output_iso);
    g_autofree char *shown = g_filename_display_name(folder);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                _("A disc with these files needs %s, but only %s are free in “%s”. Free some space "
                  "or choose fewer files"),
                needs, has, shown);
    return false;
}

static int source_read(struct burn_source *source, unsigned char *buffer, int size)
{
    return source->read ? source->read(source, buffer, size)
                        : source->read_xt(source, buffer, size);
}

/* Passes on what libisofs's thread makes. */
static bool write_volume(FileDisc *disc, struct burn_source *source, int fd, off_t size,
                         ClientProgress progress, gpointer data, GError **error)
{
    g_autofree unsigned char *chunk = g_malloc(CHUNK_BYTES);
    off_t done = 0;
    gint64 next_us = 0;
    /* It gives all that is asked for or nothing. */
    for (int n; (n = source_read(source, chunk, MIN(CHUNK_BYTES, size - done))) > 0; done += n) {
        g_autoptr(GError) read_error = file_disc_dup_error(disc);
        if (read_error)
            return g_propagate_error(error, g_steal_pointer(&read_error)), false;
        if (g_cancellable_set_error_if_cancelled(disc->cancellable, error) ||
            !fd_write_all(fd, chunk, n, error))
            return false;
        gint64 now = g_get_monotonic_time();
        if (progress && now >= next_us) {
            progress(MIN(1.0, (double)done / size), data);
            next_us = now + PROGRESS_US;
        }
    }
    GError *read_error = file_disc_dup_error(disc);
    if (read_error)
        return g_propagate_error(error, read_error), false;
    if (done < size) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("The disc was not finished"));
        return false;
    }
    if (progress)
        progress(1.0, data);
    return true;
}

static bool write_disc(FileDisc *disc, int fd, const char *output_iso, ClientProgress progress,
                       gpointer data, GError **error)
{
    IsoWriteOpts *options = new_options();
    struct burn_source *source = NULL;
    int code = iso_image_create_burn_source(disc->image, options, &source);
    iso_write_opts_free(options);
    if (code < 0)
        return file_disc_set_error(error, output_iso, code), false;
    off_t size = source->get_size(source);
    bool good = check_space(fd, output_iso, size, error) &&
                write_volume(disc, source, fd, size, progress, data, error);
    /* Ends and joins the library's thread. */
    if (!good && source->version >= 1 && source->cancel)
        source->cancel(source);
    source->free_data(source);
    free(source);
    return good;
}

/* A single thing gives the volume its name. */
static char *dup_volume_name(GPtrArray *paths)
{
    g_autofree char *absolute = g_canonicalize_filename(paths->pdata[0], NULL);
    g_autofree char *base = paths->len == 1 ? g_path_get_basename(absolute) : g_strdup(_("Files"));
    g_autofree char *valid = g_utf8_make_valid(base, -1);
    return g_utf8_substring(valid, 0, MIN(g_utf8_strlen(valid, -1), 16)); /* Joliet's limit */
}

static bool create_locked(GPtrArray *paths, int fd, const char *output_iso, ClientProgress progress,
                          gpointer data, GCancellable *cancellable, GError **error)
{
    FileDisc disc = { .cancellable = cancellable };
    g_autofree char *volume_name = dup_volume_name(paths);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int code = iso_image_new(volume_name, &disc.image);
    if (code < 0)
        return file_disc_set_error(error, output_iso, code), false;
    g_mutex_init(&disc.lock);
    bool good = true;
    if (progress)
        progress(0, data);
    for (unsigned i = 0; good && i < paths->len; i++)
        good = file_disc_add(&disc, paths->pdata[i], names, error);
    good = good && write_disc(&disc, fd, output_iso, progress, data, error);
    iso_image_unref(disc.image);
    g_clear_error(&disc.error);
    g_mutex_clear(&disc.lock);
    return good;
}

/* From errno. For returning: false. */
static bool set_output_error(GError **error, const char *output_iso)
{
    int code = errno;
    g_autofree char *shown = g_filename_display_name(output_iso);
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), _("“%s” cannot be written: %s"),
                shown, g_strerror(code));
    return false;
}

gboolean client_file_disc_create(GPtrArray *paths, const char *output_iso, ClientProgress progress,
                                 gpointer data, GCancellable *cancellable, GError **error)
{
    g_return_val_if_fail(paths && output_iso, FALSE);
    if (paths->len == 0) {
        g_set_error_literal(error, APP_ERROR, APP_ERROR_INVALID,
                            _("There are no files to put on a disc"));
        return FALSE;
    }
    if (!take_library(cancellable, error))
        return FALSE;
    g_autofree char *part = g_strconcat(output_iso, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(part, O_WRONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 ? create_locked(paths, fd, output_iso, progress, data, cancellable, error)
                        : set_output_error(error, output_iso);
    g_mutex_unlock(&library_lock);
    if (fd < 0)
        return FALSE;
    if (close(fd) < 0 && good)
        good = set_output_error(error, output_iso);
    if (good && g_rename(part, output_iso) < 0)
        good = set_output_error(error, output_iso);
    if (!good)
        g_unlink(part);
    return good;
}
