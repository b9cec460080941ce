/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/settings.h"
#include "base/place.h"
#include "model/bundle.h"

#define SCHEMA_ID "org.vitrine.Vitrine"

static GSettingsSchema *schema_from(const char *folder)
{
    g_autoptr(GSettingsSchemaSource) source = g_settings_schema_source_new_from_directory(
        folder, g_settings_schema_source_get_default(), TRUE, NULL);
    return source ? g_settings_schema_source_lookup(source, SCHEMA_ID, FALSE) : NULL;
}

static GSettingsSchema *schema_find(void)
{
    g_autofree char *root = place_dup_build_root();
    g_autofree char *built = root ? g_build_filename(root, "data", NULL) : NULL;
    g_autofree char *installed = g_build_filename(place_get_datadir(), "glib-2.0", "schemas", NULL);
    GSettingsSchemaSource *source = g_settings_schema_source_get_default();
    GSettingsSchema *schema = built ? schema_from(built) : NULL;
    if (!schema && source)
        schema = g_settings_schema_source_lookup(source, SCHEMA_ID, TRUE);
    if (!schema)
        schema = schema_from(installed); /* a prefix that XDG_DATA_DIRS does not name */
    if (!schema)
        g_error("The settings schema %s is not installed", SCHEMA_ID);
    return schema;
}

GSettings *client_settings_new(void)
{
    g_autoptr(GSettingsSchema) schema = schema_find();
    return g_settings_new_full(schema, NULL, NULL);
}

char *client_settings_dup_machines_folder(GSettings *settings)
{
    g_autofree char *folder = g_settings_get_string(settings, "machines-folder");
    return g_path_is_absolute(folder) ? g_steal_pointer(&folder) : bundle_default_root();
}

void client_settings_remember(GSettings *settings, const char *key, const char *path, unsigned max)
{
    g_auto(GStrv) before = g_settings_get_strv(settings, key);
    g_autoptr(GPtrArray) after = g_ptr_array_new();
    g_ptr_array_add(after, (char *)path);
    for (unsigned i = 0; before[i] && after->len < max; i++)
        if (strcmp(before[i], path) != 0)
            g_ptr_array_add(after, before[i]);
    g_ptr_array_add(after, NULL);
    g_settings_set_strv(settings, key, (const char *const *)after->pdata);
}
