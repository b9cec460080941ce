/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A machine's full copy. It is made in a hidden folder beside its place and gets its name when it
 * is whole, so that one that was broken off never passes for a machine. */

#include "base/errors.h"
#include "client/client.h"
#include "client/files.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *from, *to; /* @to: inside the new bundle */
} Item;

typedef struct {
    const char *bundle;
    Definition *definition; /* owned: the copy's */
    GPtrArray *items;       /* owned, of Item */
    char *work;             /* owned: the hidden folder, once there is one */
    bool moves_away;        /* the copy lies in another folder than the original */
    FilesJob job;
} Clone;

static void item_free(gpointer data)
{
    Item *item = data;
    g_free(item->from);
    g_free(item->to);
    g_free(item);
}

static void clone_clear(Clone *clone)
{
    definition_free(clone->definition);
    g_clear_pointer(&clone->items, g_ptr_array_unref);
    g_free(clone->work);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Clone, clone_clear)

/* The name of the image that qcow2 image @path builds on, or NULL (QEMU docs/interop/qcow2: magic,
 * version, then offset and length of the name). */
static char *backing_name(const char *path)
{
    uint8_t head[20];
    char *name = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && pread(fd, head, sizeof head, 0) == sizeof head &&
        memcmp(head, "QFI\xfb", 4) == 0) {
        uint64_t offset;
        uint32_t length;
        memcpy(&offset, head + 8, 8);
        memcpy(&length, head + 16, 4);
        offset = GUINT64_FROM_BE(offset);
        length = GUINT32_FROM_BE(length);
        if (offset && length && length < 1024) {
            name = g_malloc0(length + 1);
            if (pread(fd, name, length, (off_t)offset) != (ssize_t)length)
                g_clear_pointer(&name, g_free);
        }
    }
    if (fd >= 0)
        close(fd);
    return name;
}

/* A backing file named from the folder of its image must be there from the copy's folder too. */
static bool check_backing(Clone *clone, const char *from, const char *to, GError **error)
{
    g_autofree char *backing = backing_name(from);
    if (!backing || g_path_is_absolute(backing))
        return true;
    bool inside =
        !strchr(to, '/') && !strchr(backing, '/') && g_str_has_prefix(from, clone->bundle);
    bool beside = !clone->moves_away && g_str_has_prefix(from, clone->bundle);
    if (inside || beside)
        return true;
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("“%s” builds on “%s”, which the copy would not find from its own folder"), from,
                backing);
    return false;
}

static bool add_item(Clone *clone, const char *from, const char *to, GError **error)
{
    struct stat st;
    if (stat(from, &st) < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), _("“%s” cannot be read: %s"),
                    from, g_strerror(errno));
        return false;
    }
    if (!check_backing(clone, from, to, error))
        return false;
    Item *item = g_new(Item, 1);
    *item = (Item){ g_strdup(from), g_strdup(to) };
    g_ptr_array_add(clone->items, item);
    clone->job.total += MIN((uint64_t)st.st_blocks * 512, (uint64_t)st.st_size);
    return true;
}

/* What belongs to a run and not to the machine, and what is written last. */
static bool is_left_out(const char *name)
{
    static const char *const names[] = { BUNDLE_RUNNING, BUNDLE_LOG, BUNDLE_DEFINITION, NULL };
    return name[0] == '.' || g_strv_contains(names, name);
}

/* @inside: path in the bundle, "" at its top. */
static bool add_folder(Clone *clone, const char *inside, GError **error)
{
    g_autofree char *folder = g_build_filename(clone->bundle, inside, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    const char *name;
    bool good = dir != NULL;
    while (good && (name = g_dir_read_name(dir))) {
        if (!*inside && is_left_out(name))
            continue;
        g_autofree char *from = g_build_filename(folder, name, NULL);
        g_autofree char *to = *inside ? g_build_filename(inside, name, NULL) : g_strdup(name);
        if (g_file_test(from, G_FILE_TEST_IS_DIR))
            good = g_file_test(from, G_FILE_TEST_IS_SYMLINK) || add_folder(clone, to, error);
        else if (g_file_test(from, G_FILE_TEST_IS_REGULAR))
            good = add_item(clone, from, to, error);
    }
    return good;
}

static bool has_item(Clone *clone, const char *to)
{
    for (guint i = 0; i < clone->items->len; i++)
        if (strcmp(((Item *)clone->items->pdata[i])->to, to) == 0)
            return true;
    return false;
}

/* Disks that lie elsewhere come into the copy: two machines must not write to one. */
static bool add_outside_disks(Clone *clone, GError **error)
{
    for (int i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        DefinitionDrive *drive = &clone->definition->drive[i];
        g_autofree char *inside = bundle_dup_relative(clone->bundle, drive->path);
        g_free(drive->path);
        drive->path = g_steal_pointer(&inside);
        g_autofree char *from = bundle_dup_absolute(clone->bundle, drive->path);
        if (drive->type != DRIVE_DISK || !drive->path[0] || has_item(clone, drive->path))
            continue;
        if (!g_file_test(from, G_FILE_TEST_IS_REGULAR)) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        g_file_test(from, G_FILE_TEST_EXISTS)
                            ? _("The disk “%s” is a device of this computer and cannot be cloned")
                            : _("The disk “%s” is not there"),
                        from);
            return false;
        }
        const char *dot = strrchr(from, '.');
        g_autofree char *to = NULL;
        for (unsigned n = 0; !to || has_item(clone, to); n++) {
            g_free(to);
            to = g_strdup_printf("disk-%u%s", n, dot && !strchr(dot, '/') ? dot : ".img");
        }
        if (!add_item(clone, from, to, error))
            return false;
        g_free(drive->path);
        drive->path = g_steal_pointer(&to);
    }
    return true;
}

/* A network card's address is the machine's own, as the UUID is: the copy gets a new one. */
static void drop_addresses(Definition *definition)
{
    g_auto(GStrv) groups = g_key_file_get_groups(definition->file, NULL);
    for (unsigned i = 0; groups[i]; i++)
        g_key_file_remove_key(definition->file, groups[i], "mac", NULL);
}

static bool copy_items(Clone *clone, GError **error)
{
    for (guint i = 0; i < clone->items->len; i++) {
        const Item *item = clone->items->pdata[i];
        g_autofree char *to = g_build_filename(clone->work, item->to, NULL);
        g_autofree char *folder = g_path_get_dirname(to);
        if (g_mkdir_with_parents(folder, 0700) < 0) {
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                        _("“%s” cannot be written: %s"), folder, g_strerror(errno));
            return false;
        }
        if (!files_copy(item->from, to, &clone->job, error))
            return false;
    }
    return bundle_save(clone->work, clone->definition, error);
}

static char *clone_make(Clone *clone, const char *root, GError **error)
{
    g_autofree char *folder = bundle_dup_folder_name(clone->definition->name);
    g_autofree char *path = g_build_filename(root, folder, NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, APP_ERROR, APP_ERROR_IN_USE,
                    _("There is a machine “%s” already (%s); choose another name"),
                    clone->definition->name, path);
        return NULL;
    }
    g_autofree char *work = g_build_filename(root, ".clone-XXXXXX", NULL);
    if (!g_mkdtemp_full(work, 0700)) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    _("No machine can be made in “%s”: %s"), root, g_strerror(errno));
        return NULL;
    }
    clone->work = g_steal_pointer(&work);
    if (copy_items(clone, error) && files_move_new(clone->work, path, error))
        return g_steal_pointer(&path);
    files_remove_tree(clone->work, NULL);
    return NULL;
}

char *client_clone(const char *bundle, const char *name, const char *root, ClientProgress progress,
                   gpointer data, GCancellable *cancellable, GError **error)
{
    g_autofree char *original = g_canonicalize_filename(bundle, NULL);
    g_autofree char *parent = g_path_get_dirname(original);
    g_autofree char *fallback = bundle_default_root();
    if (!root) { /* beside the original, but for one on a read-only medium */
        root = g_access(parent, W_OK) == 0 ? parent : fallback;
        g_mkdir_with_parents(root, 0700);
    }
    g_auto(Clone) clone = {
        .bundle = original,
        .items = g_ptr_array_new_with_free_func(item_free),
        .moves_away = strcmp(root, parent) != 0,
        .job = { .progress = progress, .data = data, .cancellable = cancellable, .target = root },
    };
    clone.definition = bundle_load(original, error);
    int lock = clone.definition ? client_lock_off(original, error) : -1;
    if (lock < 0)
        return NULL;
    char *made = NULL;
    g_autofree char *guess = g_strdup_printf(_("%s copy"), clone.definition->name);
    g_autofree char *chosen = name ? g_strdup(name) : bundle_dup_free_name(root, guess);
    if (definition_set(clone.definition, "name", chosen, error) && add_folder(&clone, "", error) &&
        add_outside_disks(&clone, error)) {
        g_free(clone.definition->uuid);
        clone.definition->uuid = g_uuid_string_random();
        drop_addresses(clone.definition);
        made = clone_make(&clone, root, error);
    }
    close(lock);
    return made;
}
