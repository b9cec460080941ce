/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "client/client.h"
#include "client/files.h"
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

/* The folder's new path; the present one when the name makes no other. */
static char *folder_for(const char *bundle, const char *name)
{
    g_autofree char *parent = g_path_get_dirname(bundle);
    g_autofree char *folder = bundle_dup_folder_name(name);
    return g_build_filename(parent, folder, NULL);
}

static bool save_name(const char *bundle, const char *name, GError **error)
{
    g_autoptr(Definition) definition = bundle_load(bundle, error);
    return definition && definition_set(definition, "name", name, error) &&
           bundle_save(bundle, definition, error);
}

bool client_name_is_taken(const char *root, const char *except, const char *name)
{
    g_autoptr(GPtrArray) bundles = bundle_list(root);
    for (unsigned i = 0; i < bundles->len; i++) {
        g_autoptr(Definition) other = bundle_load(bundles->pdata[i], NULL);
        if (other && g_strcmp0(bundles->pdata[i], except) != 0 && strcmp(other->name, name) == 0)
            return true;
    }
    return false;
}

char *client_rename(const char *bundle, const char *name, GError **error)
{
    g_autofree char *before = g_canonicalize_filename(bundle, NULL);
    g_autofree char *clean = g_strstrip(g_strdup(name));
    g_autofree char *after = folder_for(before, clean);
    g_autoptr(Definition) definition = bundle_load(before, error);
    /* Said in the schema's words, before anything moves. */
    if (!definition || !definition_set(definition, "name", clean, error))
        return NULL;
    g_autofree char *root = g_path_get_dirname(before);
    if ((strcmp(before, after) != 0 && g_file_test(after, G_FILE_TEST_EXISTS)) ||
        client_name_is_taken(root, before, clean)) {
        g_set_error(error, APP_ERROR, APP_ERROR_IN_USE,
                    _("There is a machine “%s” already (%s); choose another name"), clean, after);
        return NULL;
    }
    g_autoptr(GError) local = NULL;
    int lock = client_lock_off(before, &local);
    if (lock < 0 && !g_error_matches(local, APP_ERROR, APP_ERROR_WRONG_STATE)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    /* A running machine keeps its folder: its engine and its disks are there. */
    bool moves = lock >= 0 && strcmp(before, after) != 0;
    g_clear_error(&local);
    bool good = !moves || files_move_new(before, after, &local);
    if (good) {
        good = save_name(moves ? after : before, clean, error);
        if (!good && moves)
            files_move_new(after, before, NULL);
    } else if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_EXISTS)) {
        g_set_error(error, APP_ERROR, APP_ERROR_IN_USE,
                    _("There is a machine “%s” already (%s); choose another name"), clean, after);
    } else {
        g_propagate_error(error, g_steal_pointer(&local));
    }
    if (lock >= 0)
        close(lock);
    return good ? g_strdup(moves ? after : before) : NULL;
}
