/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/settings-store.h"
#include "client/client.h"

struct _SettingsStore {
    GObject parent;
    char *bundle;           /* owned */
    Definition *definition; /* owned, or NULL */
    GFileMonitor *monitor;  /* owned, or NULL */
};

enum { SIGNAL_CHANGED, SIGNAL_FAILED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(SettingsStore, settings_store, G_TYPE_OBJECT)

void settings_store_report(SettingsStore *self, const char *why)
{
    g_signal_emit(self, signals[SIGNAL_FAILED], 0, why);
    g_signal_emit(self, signals[SIGNAL_CHANGED], 0); /* rows show again what counts */
}

void settings_store_reload(SettingsStore *self)
{
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&self->definition, definition_free);
    self->definition = bundle_load(self->bundle, &error);
    if (self->definition)
        g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
    else
        settings_store_report(self, error->message);
}

/* Ours are replaced by a rename; editors write in place. */
static void on_file_changed(GFileMonitor *monitor, GFile *file, GFile *other,
                            GFileMonitorEvent event, SettingsStore *self)
{
    if (event == G_FILE_MONITOR_EVENT_CHANGES_DONE_HINT || event == G_FILE_MONITOR_EVENT_RENAMED ||
        event == G_FILE_MONITOR_EVENT_MOVED_IN)
        settings_store_reload(self);
}

void settings_store_set_bundle(SettingsStore *self, const char *bundle)
{
    char *now = g_strdup(bundle);
    g_free(self->bundle);
    self->bundle = now;
    if (self->monitor)
        g_signal_handlers_disconnect_by_data(self->monitor, self);
    g_clear_object(&self->monitor);
    g_autofree char *path = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
    g_autoptr(GFile) file = g_file_new_for_path(path);
    self->monitor = g_file_monitor_file(file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
    if (self->monitor)
        g_signal_connect(self->monitor, "changed", G_CALLBACK(on_file_changed), self);
    settings_store_reload(self);
}

const char *settings_store_get_bundle(SettingsStore *self)
{
    return self->bundle;
}

const Definition *settings_store_get_definition(SettingsStore *self)
{
    return self->definition;
}

char *settings_store_dup(SettingsStore *self, const char *key)
{
    return self->definition ? definition_dup_value(self->definition, key) : NULL;
}

/* A name is the folder's, too, while the machine is off. */
static bool store_rename(SettingsStore *self, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *bundle = client_rename(self->bundle, name, &error);
    if (bundle)
        settings_store_set_bundle(self, bundle);
    else
        settings_store_report(self, error->message);
    return bundle != NULL;
}

bool settings_store_set(SettingsStore *self, const char *key, const char *value)
{
    g_autofree char *before = settings_store_dup(self, key);
    if (g_strcmp0(before, value) == 0)
        return true;
    if (strcmp(key, "name") == 0)
        return store_rename(self, value);
    /* The file as it is now: others may have changed other keys. */
    g_autoptr(GError) error = NULL;
    g_autoptr(Definition) definition = bundle_load(self->bundle, &error);
    if (definition && definition_set(definition, key, value, &error) &&
        bundle_save(self->bundle, definition, &error)) {
        settings_store_reload(self);
        return true;
    }
    settings_store_report(self, error->message);
    return false;
}

static void settings_store_finalize(GObject *object)
{
    SettingsStore *self = SETTINGS_STORE(object);
    if (self->monitor)
        g_signal_handlers_disconnect_by_data(self->monitor, self);
    g_clear_object(&self->monitor);
    definition_free(self->definition);
    g_free(self->bundle);
    G_OBJECT_CLASS(settings_store_parent_class)->finalize(object);
}

static void settings_store_class_init(SettingsStoreClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = settings_store_finalize;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", SETTINGS_TYPE_STORE, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_FAILED] = g_signal_new("failed", SETTINGS_TYPE_STORE, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void settings_store_init(SettingsStore *self)
{
}

SettingsStore *settings_store_new(const char *bundle)
{
    SettingsStore *self = g_object_new(SETTINGS_TYPE_STORE, NULL);
    settings_store_set_bundle(self, bundle);
    return self;
}
