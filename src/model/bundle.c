/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/bundle.h"
#include "base/errors.h"
#include "base/fd.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

char *bundle_default_root(void)
{
    return g_build_filename(g_get_user_data_dir(), "vitrine", "machines", NULL);
}

/* A folder name from a machine's name: no slashes, no leading dot, no more than a file system
 * takes. */
char *bundle_dup_folder_name(const char *name)
{
    g_autofree char *clean = g_strdup(name);
    g_strdelimit(g_strstrip(clean), "/\\:*?\"<>|", '-');
    if (clean[0] == '.')
        clean[0] = '_';
    const char *end = clean;
    while (*end && g_utf8_next_char(end) - clean <= 200)
        end = g_utf8_next_char(end);
    g_autofree char *cut = g_strndup(clean, end - clean);
    return g_strconcat(cut[0] ? cut : "_", BUNDLE_SUFFIX, NULL);
}

char *bundle_dup_name_of_folder(const char *bundle)
{
    g_autofree char *folder = g_path_get_basename(bundle);
    if (g_str_has_suffix(folder, BUNDLE_SUFFIX) && strlen(folder) > strlen(BUNDLE_SUFFIX))
        folder[strlen(folder) - strlen(BUNDLE_SUFFIX)] = '\0';
    return g_filename_display_name(folder);
}

char *bundle_create(const char *root, Definition *definition, GError **error)
{
    g_autofree char *folder = bundle_dup_folder_name(definition->name);
    g_autofree char *path = g_build_filename(root, folder, NULL);
    g_autofree char *conf = g_build_filename(path, BUNDLE_DEFINITION, NULL);

    if (g_mkdir_with_parents(root, 0700) < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("Cannot create the folder “%s”: %s"),
                    root, g_strerror(errno));
        return NULL;
    }
    if (g_mkdir(path, 0700) < 0) {
        int saved = errno;
        g_set_error(error, APP_ERROR, saved == EEXIST ? APP_ERROR_IN_USE : APP_ERROR_FAILED,
                    saved == EEXIST
                        ? _("There is a machine “%s” already (%s%.0s); choose another name")
                        : _("Cannot create the machine “%s” (%s): %s"),
                    definition->name, path, g_strerror(saved));
        return NULL;
    }
    if (!definition_save(definition, conf, error)) {
        g_rmdir(path);
        return NULL;
    }
    return g_steal_pointer(&path);
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return g_utf8_collate(*(char *const *)a, *(char *const *)b);
}

GPtrArray *bundle_list(const char *root)
{
    g_autoptr(GPtrArray) bundles = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        if (bundle_is_bundle(path))
            g_ptr_array_add(bundles, g_steal_pointer(&path));
    }
    g_ptr_array_sort(bundles, compare_paths);
    return g_steal_pointer(&bundles);
}

bool bundle_is_bundle(const char *path)
{
    g_autofree char *conf = g_build_filename(path, BUNDLE_DEFINITION, NULL);
    return g_str_has_suffix(path, BUNDLE_SUFFIX) && g_file_test(conf, G_FILE_TEST_EXISTS);
}

Definition *bundle_load(const char *bundle, GError **error)
{
    g_autofree char *conf = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
    return definition_load(conf, error);
}

bool bundle_save(const char *bundle, Definition *definition, GError **error)
{
    g_autofree char *conf = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
    return definition_save(definition, conf, error);
}

char *bundle_dup_absolute(const char *bundle, const char *path)
{
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(bundle, path, NULL);
}

char *bundle_dup_relative(const char *bundle, const char *path)
{
    size_t length = strlen(bundle);
    bool inside = strncmp(path, bundle, length) == 0 && path[length] == '/';
    return g_strdup(inside ? path + length + 1 : path);
}

char *bundle_dup_file_disc(const char *bundle, unsigned drive)
{
    g_autofree char *name = g_strdup_printf("files-%u.iso", drive);
    return g_build_filename(bundle, name, NULL);
}

char *bundle_dup_new_disk_name(const char *bundle)
{
    for (unsigned i = 0;; i++) {
        g_autofree char *name = g_strdup_printf("disk-%u.qcow2", i);
        g_autofree char *path = g_build_filename(bundle, name, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&name);
    }
}

char *bundle_dup_free_name(const char *root, const char *name)
{
    for (unsigned i = 1;; i++) {
        g_autofree char *tried = i == 1 ? g_strdup(name) : g_strdup_printf("%s %u", name, i);
        g_autofree char *folder = bundle_dup_folder_name(tried);
        g_autofree char *path = g_build_filename(root, folder, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&tried);
    }
}

/* --- Runtime folder --- */

#define SOCKET_PATH_MAX 107
#define SOCKET_PATH_TAIL strlen("/7f1f4c1e-3b0d-4d0a-9a53-0c1de2f6a9b4/bus")

char *runtime_dup_root(void)
{
    const char *set = g_getenv("XDG_RUNTIME_DIR");
    if (set && g_path_is_absolute(set)) {
        g_autofree char *root = g_build_filename(set, "vitrine", NULL);
        if (strlen(root) + SOCKET_PATH_TAIL <= SOCKET_PATH_MAX)
            return g_steal_pointer(&root);
    }
    return g_strdup_printf("/tmp/vitrine-%u", (unsigned)geteuid());
}

char *runtime_dup_directory(const char *uuid)
{
    g_autofree char *root = runtime_dup_root();
    return g_build_filename(root, uuid, NULL);
}

char *runtime_dup_bus(const char *uuid)
{
    g_autofree char *root = runtime_dup_root();
    return g_build_filename(root, uuid, "bus", NULL);
}

bool runtime_make_directory(const char *uuid, GError **error)
{
    g_autofree char *root = runtime_dup_root();
    g_autofree char *directory = g_build_filename(root, uuid, NULL);
    return directory_make_private(root, error) && directory_make_private(directory, error);
}
