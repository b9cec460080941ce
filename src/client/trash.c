/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Deleting a machine: to the Trash, from where it comes back, or for good. Only its folder; discs
 * and disks that lie elsewhere are not the machine's. */

#include "base/errors.h"
#include "client/client.h"
#include "client/files.h"
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool check_off(const char *bundle, GError **error)
{
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    if (!client_state_is_live(machine->state))
        return true;
    g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                _("“%s” is %s. Stop it before deleting it"), client_machine_name(machine),
                client_state_words(machine->state));
    return false;
}

/* Where the file system of @path is mounted. */
static char *mount_of(const char *path)
{
    struct stat here, above;
    g_autofree char *at = g_strdup(path);
    if (stat(at, &here) < 0)
        return g_steal_pointer(&at);
    while (strcmp(at, "/") != 0) {
        g_autofree char *parent = g_path_get_dirname(at);
        if (stat(parent, &above) < 0 || above.st_dev != here.st_dev)
            break;
        g_free(at);
        at = g_steal_pointer(&parent);
    }
    return g_steal_pointer(&at);
}

/* The entry of folder @files that is the file @st, or NULL: moving keeps the inode. */
static char *find_inode(const char *files, const struct stat *st)
{
    g_autoptr(GDir) dir = g_dir_open(files, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        struct stat found;
        char *path = g_build_filename(files, name, NULL);
        if (lstat(path, &found) == 0 && found.st_ino == st->st_ino && found.st_dev == st->st_dev)
            return path;
        g_free(path);
    }
    return NULL;
}

/* The three places of the Trash specification 1.0, "Trash directories". */
static char *find_trashed(const char *mount, const struct stat *st)
{
    unsigned uid = (unsigned)getuid();
    g_autofree char *shared = g_strdup_printf("%s/.Trash/%u/files", mount, uid);
    g_autofree char *own = g_strdup_printf("%s/.Trash-%u/files", mount, uid);
    g_autofree char *home = g_build_filename(g_get_user_data_dir(), "Trash", "files", NULL);
    const char *const folders[] = { home, shared, own };
    char *found = NULL;
    for (unsigned i = 0; !found && i < G_N_ELEMENTS(folders); i++)
        found = find_inode(folders[i], st);
    return found;
}

bool client_trash(const char *bundle, char **out_trashed, GError **error)
{
    struct stat st;
    g_autoptr(GFile) file = g_file_new_for_path(bundle);
    g_autofree char *mount = mount_of(bundle);
    bool known = lstat(bundle, &st) == 0;
    if (!check_off(bundle, error) || !g_file_trash(file, NULL, error))
        return false;
    if (out_trashed)
        *out_trashed = known ? find_trashed(mount, &st) : NULL;
    return true;
}

bool client_restore(const char *trashed, const char *bundle, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *parent = g_path_get_dirname(bundle);
    g_mkdir_with_parents(parent, 0700);
    if (!files_move_new(trashed, bundle, &local)) {
        if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_EXISTS))
            g_set_error(error, APP_ERROR, APP_ERROR_IN_USE,
                        _("There is another machine in its place now (%s); this one is still in "
                          "the Trash"),
                        bundle);
        else
            g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    /* …/files/NAME is told of in …/info/NAME.trashinfo. */
    g_autofree char *name = g_path_get_basename(trashed);
    g_autofree char *info_name = g_strconcat(name, ".trashinfo", NULL);
    g_autofree char *files = g_path_get_dirname(trashed);
    g_autofree char *trash = g_path_get_dirname(files);
    g_autofree char *info = g_build_filename(trash, "info", info_name, NULL);
    g_unlink(info);
    return true;
}

bool client_delete_for_good(const char *bundle, GError **error)
{
    g_return_val_if_fail(bundle_is_bundle(bundle), false);
    return check_off(bundle, error) && files_remove_tree(bundle, error);
}
