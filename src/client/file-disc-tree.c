/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "client/file-disc-private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* For returning: false. */
static bool set_unreadable(GError **error, const char *path, int code)
{
    g_autofree char *shown = g_filename_display_name(path);
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), _("“%s” cannot be read: %s"), shown,
                g_strerror(code));
    return false;
}

void file_disc_set_error(GError **error, const char *path, int code)
{
    g_autofree char *shown = g_filename_display_name(path);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("“%s” cannot be put on a disc: %s"), shown,
                iso_error_to_msg(code));
}

/* --- one file's content, read when the disc is written ---------------------------------------- */

typedef struct {
    FileDisc *disc; /* borrowed; outlives the image */
    char *path;     /* owned */
    struct stat seen;
    off_t at;
    int fd;
} FileStream;

GError *file_disc_dup_error(FileDisc *disc)
{
    g_mutex_lock(&disc->lock);
    GError *error = disc->error ? g_error_copy(disc->error) : NULL;
    g_mutex_unlock(&disc->lock);
    return error;
}

static int stream_fail(FileStream *self, int code)
{
    FileDisc *disc = self->disc;
    g_mutex_lock(&disc->lock);
    if (!disc->error && code)
        set_unreadable(&disc->error, self->path, code);
    else if (!disc->error) {
        g_autofree char *shown = g_filename_display_name(self->path);
        g_set_error(&disc->error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    _("“%s” changed while it was read. Try again when nothing writes it"), shown);
    }
    g_mutex_unlock(&disc->lock);
    return ISO_FILE_READ_ERROR;
}

static int stream_open(IsoStream *stream)
{
    FileStream *self = stream->data;
    struct stat now;
    /* What was a file may be a link or a pipe by now: neither is followed or waited for. */
    self->fd = open(self->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (self->fd < 0)
        return stream_fail(self, errno == ELOOP ? 0 : errno);
    self->at = 0;
    if (fstat(self->fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_ino == self->seen.st_ino &&
        now.st_dev == self->seen.st_dev && now.st_size == self->seen.st_size)
        return 1;
    close(self->fd);
    self->fd = -1;
    return stream_fail(self, 0);
}

static int stream_close(IsoStream *stream)
{
    FileStream *self = stream->data;
    close(self->fd);
    self->fd = -1;
    return 1;
}

static off_t stream_get_size(IsoStream *stream)
{
    const FileStream *self = stream->data;
    return self->seen.st_size;
}

/* Reads all that was asked for, up to the size that the file had when it was found. */
static int stream_read(IsoStream *stream, void *buffer, size_t count)
{
    FileStream *self = stream->data;
    size_t want = MIN(count, (size_t)(self->seen.st_size - self->at)), done = 0;
    while (done < want) {
        ssize_t n = pread(self->fd, (char *)buffer + done, want - done, self->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return stream_fail(self, n < 0 ? errno : 0);
        done += n;
        self->at += n;
    }
    return done;
}

static int stream_is_repeatable(IsoStream *stream)
{
    return 1;
}

/* Two names of one file share their bytes on the disc. */
static void stream_get_id(IsoStream *stream, unsigned *fs_id, dev_t *dev_id, ino_t *ino_id)
{
    const FileStream *self = stream->data;
    *fs_id = 1;
    *dev_id = self->seen.st_dev;
    *ino_id = self->seen.st_ino;
}

static void stream_free(IsoStream *stream)
{
    FileStream *self = stream->data;
    g_free(self->path);
    g_free(self);
}

static int stream_update_size(IsoStream *stream)
{
    return 1;
}

static IsoStreamIface file_stream_class = {
    .version = 1,
    .type = { 'u', 's', 'e', 'r' },
    .open = stream_open,
    .close = stream_close,
    .get_size = stream_get_size,
    .read = stream_read,
    .is_repeatable = stream_is_repeatable,
    .get_id = stream_get_id,
    .free = stream_free,
    .update_size = stream_update_size,
};

/* For libisofs, which frees streams with free(). */
static IsoStream *stream_new(FileDisc *disc, const char *path, const struct stat *seen)
{
    IsoStream *stream = calloc(1, sizeof *stream);
    FileStream *self = g_new0(FileStream, 1);
    g_assert(stream);
    *self = (FileStream){ .disc = disc, .path = g_strdup(path), .seen = *seen, .fd = -1 };
    *stream = (IsoStream){ .class = &file_stream_class, .refcount = 1, .data = self };
    return stream;
}

/* --- the tree --------------------------------------------------------------------------------- */

/* A name for @raw that no other entry of its folder has; added to @names, which owns it. */
static const char *pick_name(GHashTable *names, const char *raw)
{
    g_autofree char *valid = g_utf8_make_valid(raw, -1);
    const char *dot = strrchr(valid, '.');
    size_t stem = dot && dot != valid ? (size_t)(dot - valid) : strlen(valid);
    char *name = g_strdup(valid);
    for (unsigned n = 2; g_hash_table_contains(names, name); n++) {
        g_free(name);
        name = g_strdup_printf("%.*s (%u)%s", (int)stem, valid, n, valid + stem);
    }
    g_hash_table_add(names, name);
    return name;
}

static void set_attributes(IsoNode *node, const struct stat *seen)
{
    bool runs = S_ISDIR(seen->st_mode) || (seen->st_mode & 0111);
    iso_node_set_permissions(node, runs ? 0555 : 0444);
    iso_node_set_uid(node, 0);
    iso_node_set_gid(node, 0);
    iso_node_set_mtime(node, seen->st_mtime);
    iso_node_set_atime(node, seen->st_mtime);
    iso_node_set_ctime(node, seen->st_mtime);
}

static bool add_entry(FileDisc *disc, IsoDir *parent, const char *path, const char *raw_name,
                      bool follow, GHashTable *names, GError **error);

static bool add_folder(FileDisc *disc, IsoDir *parent, const char *path, const char *name,
                       const struct stat *seen, GError **error)
{
    IsoDir *dir = NULL;
    int code = iso_image_add_new_dir(disc->image, parent, name, &dir);
    if (code < 0)
        return file_disc_set_error(error, path, code), false;
    set_attributes(ISO_NODE(dir), seen);

    g_autoptr(GDir) entries = g_dir_open(path, 0, error); /* names the folder */
    if (!entries)
        return false;
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (const char *entry; (entry = g_dir_read_name(entries));) {
        g_autofree char *child = g_build_filename(path, entry, NULL);
        if (!add_entry(disc, dir, child, entry, false, names, error))
            return false;
    }
    return true;
}

static bool add_file(FileDisc *disc, IsoDir *parent, const char *path, const char *name,
                     const struct stat *seen, GError **error)
{
    /* Better now than after half of the disc has been written. */
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
        return set_unreadable(error, path, errno);
    IsoStream *stream = stream_new(disc, path, seen);
    IsoFile *file = NULL;
    int code = iso_image_add_new_file(disc->image, parent, name, stream, &file);
    if (code < 0) {
        iso_stream_unref(stream);
        return file_disc_set_error(error, path, code), false;
    }
    set_attributes(ISO_NODE(file), seen);
    return true;
}

static bool add_link(FileDisc *disc, IsoDir *parent, const char *path, const char *name,
                     const struct stat *seen, GError **error)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return set_unreadable(error, path, errno);
    target[length] = '\0';
    IsoSymlink *link = NULL;
    int code = iso_image_add_new_symlink(disc->image, parent, name, target, &link);
    if (code < 0)
        return file_disc_set_error(error, path, code), false;
    set_attributes(ISO_NODE(link), seen);
    return true;
}

static bool add_entry(FileDisc *disc, IsoDir *parent, const char *path, const char *raw_name,
                      bool follow, GHashTable *names, GError **error)
{
    if (g_cancellable_set_error_if_cancelled(disc->cancellable, error))
        return false;
    struct stat seen;
    if ((follow ? stat : lstat)(path, &seen) < 0) {
        /* Files come and go in a folder; what was named is missed. */
        return (!follow && errno == ENOENT) || set_unreadable(error, path, errno);
    }
    bool known = S_ISREG(seen.st_mode) || S_ISDIR(seen.st_mode) || S_ISLNK(seen.st_mode);
    if (!known && follow) {
        g_autofree char *shown = g_filename_display_name(path);
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("“%s” is neither a file nor a folder. Leave it out"), shown);
        return false;
    }
    if (!known)
        return true;
    const char *name = pick_name(names, raw_name);
    return S_ISDIR(seen.st_mode)   ? add_folder(disc, parent, path, name, &seen, error)
           : S_ISREG(seen.st_mode) ? add_file(disc, parent, path, name, &seen, error)
                                   : add_link(disc, parent, path, name, &seen, error);
}

bool file_disc_add(FileDisc *disc, const char *path, GHashTable *names, GError **error)
{
    /* "folder/." and "folder/" are the folder. A link is what it points to, under its own name. */
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *name = g_path_get_basename(absolute);
    g_autofree char *real = realpath(absolute, NULL);
    return add_entry(disc, iso_image_get_root(disc->image), real ? real : absolute,
                     strcmp(name, "/") == 0 ? "root" : name, true, names, error);
}
