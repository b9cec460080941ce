/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/places.h"
#include "base/errors.h"
#include "client/settings.h"
#include <glib/gi18n.h>
#include <string.h>

#define KNOWN_BUNDLES "known-bundles"
#define KNOWN_MAX 1000

ClientPlaces *client_places_new(GSettings *settings)
{
    ClientPlaces *places = g_new(ClientPlaces, 1);
    places->folders = g_ptr_array_new_with_free_func(g_free);
    places->bundles = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(places->folders, bundle_default_root());
    g_autofree char *own = client_settings_dup_machines_folder(settings);
    if (strcmp(own, places->folders->pdata[0]) != 0)
        g_ptr_array_add(places->folders, g_steal_pointer(&own));
    g_auto(GStrv) known = g_settings_get_strv(settings, KNOWN_BUNDLES);
    for (unsigned i = 0; known[i]; i++)
        if (g_path_is_absolute(known[i]))
            g_ptr_array_add(places->bundles, g_strdup(known[i]));
    return places;
}

void client_places_free(ClientPlaces *places)
{
    if (!places)
        return;
    g_ptr_array_unref(places->folders);
    g_ptr_array_unref(places->bundles);
    g_free(places);
}

static bool has_path(GPtrArray *paths, const char *path)
{
    return g_ptr_array_find_with_equal_func(paths, path, g_str_equal, NULL);
}

void client_places_add(GSettings *settings, const char *bundle)
{
    g_autoptr(ClientPlaces) places = client_places_new(settings);
    g_autofree char *path = g_canonicalize_filename(bundle, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    if (!has_path(places->folders, parent))
        client_settings_remember(settings, KNOWN_BUNDLES, path, KNOWN_MAX);
}

static void replace_known(GSettings *settings, const char *before, const char *after)
{
    g_auto(GStrv) known = g_settings_get_strv(settings, KNOWN_BUNDLES);
    g_autoptr(GStrvBuilder) kept = g_strv_builder_new();
    for (unsigned i = 0; known[i]; i++)
        if (strcmp(known[i], before) != 0)
            g_strv_builder_add(kept, known[i]);
    g_auto(GStrv) list = g_strv_builder_end(kept);
    if (g_strv_length(list) != g_strv_length(known))
        g_settings_set_strv(settings, KNOWN_BUNDLES, (const char *const *)list);
    if (after)
        client_places_add(settings, after);
}

void client_places_remove(GSettings *settings, const char *bundle)
{
    replace_known(settings, bundle, NULL);
}

void client_places_follow(GSettings *settings, GPtrArray *machines)
{
    for (guint i = 0; i < machines->len; i++) {
        const ClientMachine *machine = machines->pdata[i];
        if (machine->moved_from)
            replace_known(settings, machine->moved_from, machine->bundle);
    }
}

/* Who lived where -------------------------------------------------------------------------------
 * A path alone cannot be looked for once it is gone: the cache has the UUID that was last read
 * there, and the name to show. */

static char *cache_path(void)
{
    return g_build_filename(g_get_user_cache_dir(), "vitrine", "known-bundles.ini", NULL);
}

static GKeyFile *cache_load(void)
{
    g_autofree char *path = cache_path();
    GKeyFile *cache = g_key_file_new();
    g_key_file_load_from_file(cache, path, G_KEY_FILE_NONE, NULL);
    return cache;
}

/* Key: the path's digest, for a path may hold what a key may not. */
static char *cache_dup(GKeyFile *cache, const char *group, const char *bundle)
{
    g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA1, bundle, -1);
    return g_key_file_get_string(cache, group, key, NULL);
}

/* Returns whether that was news. */
static bool cache_put(GKeyFile *cache, const char *group, const char *bundle, const char *value)
{
    g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA1, bundle, -1);
    g_autofree char *before = g_key_file_get_string(cache, group, key, NULL);
    if (g_strcmp0(before, value) == 0)
        return false;
    g_key_file_set_string(cache, group, key, value);
    return true;
}

static void cache_save(GKeyFile *cache)
{
    g_autofree char *path = cache_path();
    g_autofree char *folder = g_path_get_dirname(path);
    g_mkdir_with_parents(folder, 0700);
    g_key_file_save_to_file(cache, path, NULL); /* a cache: without it only less is found again */
}

/* The list --------------------------------------------------------------------------------------
 */

static ClientMachine *find_uuid(GPtrArray *machines, const char *uuid)
{
    for (guint i = 0; i < machines->len; i++) {
        ClientMachine *machine = machines->pdata[i];
        if (machine->definition && strcmp(machine->definition->uuid, uuid) == 0)
            return machine;
    }
    return NULL;
}

static bool has_bundle(GPtrArray *machines, const char *bundle)
{
    for (guint i = 0; i < machines->len; i++)
        if (strcmp(((ClientMachine *)machines->pdata[i])->bundle, bundle) == 0)
            return true;
    return false;
}

/* A machine with that UUID in the folder where the bundle @gone was, or NULL. */
static ClientMachine *find_beside(const char *gone, const char *uuid)
{
    g_autofree char *parent = g_path_get_dirname(gone);
    g_autoptr(GPtrArray) bundles = bundle_list(parent);
    for (guint i = 0; i < bundles->len; i++) {
        g_autoptr(Definition) definition = bundle_load(bundles->pdata[i], NULL);
        if (definition && strcmp(definition->uuid, uuid) == 0)
            return client_open_machine(bundles->pdata[i]);
    }
    return NULL;
}

static ClientMachine *missing_machine(const char *bundle, const char *name)
{
    ClientMachine *machine = g_new0(ClientMachine, 1);
    machine->bundle = g_strdup(bundle);
    machine->folder_name = name ? g_strdup(name) : bundle_dup_name_of_folder(bundle);
    machine->problem = g_strdup("");
    machine->missing = true;
    g_set_error(&machine->damage, APP_ERROR, APP_ERROR_NOT_FOUND,
                _("“%s” is not there any more: it was moved, or its drive is not connected"),
                bundle);
    return machine;
}

static void add_gone(GPtrArray *machines, const char *bundle, GKeyFile *cache)
{
    g_autofree char *uuid = cache_dup(cache, "uuid", bundle);
    g_autofree char *name = cache_dup(cache, "name", bundle);
    ClientMachine *found = uuid ? find_uuid(machines, uuid) : NULL;
    if (!found && uuid && (found = find_beside(bundle, uuid)))
        g_ptr_array_add(machines, found);
    if (!found)
        g_ptr_array_add(machines, missing_machine(bundle, name));
    else if (!found->moved_from)
        found->moved_from = g_strdup(bundle);
}

static void add_known(GPtrArray *machines, GPtrArray *bundles)
{
    if (bundles->len == 0)
        return;
    g_autoptr(GKeyFile) cache = cache_load();
    bool news = false;
    for (guint i = 0; i < bundles->len; i++) {
        const char *bundle = bundles->pdata[i];
        if (has_bundle(machines, bundle) || !bundle_is_bundle(bundle))
            continue;
        ClientMachine *machine = client_open_machine(bundle);
        g_ptr_array_add(machines, machine);
        if (machine->definition) {
            news |= cache_put(cache, "uuid", bundle, machine->definition->uuid);
            news |= cache_put(cache, "name", bundle, machine->definition->name);
        }
    }
    /* Last, so that one that moved beside another known one is seen. */
    for (guint i = 0; i < bundles->len; i++)
        if (!has_bundle(machines, bundles->pdata[i]))
            add_gone(machines, bundles->pdata[i], cache);
    if (news)
        cache_save(cache);
}

/* Engines that run now, wherever their bundles lie: each runtime folder links to its bundle. */
static void add_running(GPtrArray *machines)
{
    g_autofree char *root = runtime_dup_root();
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    const char *uuid;
    while (dir && (uuid = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(root, uuid, "bundle", NULL);
        g_autofree char *target = g_file_read_link(link, NULL);
        g_autofree char *path = target ? g_canonicalize_filename(target, NULL) : NULL;
        if (!path || has_bundle(machines, path) || !bundle_is_bundle(path))
            continue;
        ClientMachine *machine = client_open_machine(path);
        if (client_state_is_live(machine->state))
            g_ptr_array_add(machines, machine);
        else
            client_machine_free(machine);
    }
}

GPtrArray *client_list_machines_in(const ClientPlaces *places)
{
    GPtrArray *machines = g_ptr_array_new_with_free_func((GDestroyNotify)client_machine_free);
    for (guint f = 0; f < places->folders->len; f++) {
        g_autoptr(GPtrArray) bundles = bundle_list(places->folders->pdata[f]);
        for (guint i = 0; i < bundles->len; i++)
            g_ptr_array_add(machines, client_open_machine(bundles->pdata[i]));
    }
    add_running(machines);
    add_known(machines, places->bundles);
    return machines;
}

GPtrArray *client_list_machines(void)
{
    g_autoptr(GSettings) settings = client_settings_new();
    g_autoptr(ClientPlaces) places = client_places_new(settings);
    return client_list_machines_in(places);
}
