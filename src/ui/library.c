/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library.h"
#include "client/places.h"
#include "client/settings.h"

#define LOOK_AGAIN_SECONDS 3

struct _VitrineLibrary {
    GObject parent;
    GPtrArray *machines; /* owned, of VitrineMachine */
    GPtrArray *monitors; /* owned, of GFileMonitor: the folders that are looked at */
    GSettings *settings; /* owned */
    guint timer, order_idle;
    bool refreshing, again, listed, in_view;
};

enum { SIGNAL_REFRESHED, SIGNAL_ORDER_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static GType library_get_item_type(GListModel *model)
{
    return VITRINE_TYPE_MACHINE;
}

static guint library_get_n_items(GListModel *model)
{
    return VITRINE_LIBRARY(model)->machines->len;
}

static gpointer library_get_item(GListModel *model, guint position)
{
    VitrineLibrary *self = VITRINE_LIBRARY(model);
    return position < self->machines->len
               ? g_object_ref(g_ptr_array_index(self->machines, position))
               : NULL;
}

static void library_list_model_init(GListModelInterface *iface)
{
    iface->get_item_type = library_get_item_type;
    iface->get_n_items = library_get_n_items;
    iface->get_item = library_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE(VitrineLibrary, vitrine_library, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(G_TYPE_LIST_MODEL, library_list_model_init))

VitrineMachine *vitrine_library_find(VitrineLibrary *self, const char *bundle)
{
    for (guint i = 0; i < self->machines->len; i++)
        if (strcmp(vitrine_machine_get_bundle(g_ptr_array_index(self->machines, i)), bundle) == 0)
            return g_ptr_array_index(self->machines, i);
    return NULL;
}

static bool list_has(GPtrArray *clients, const char *bundle)
{
    for (guint i = 0; i < clients->len; i++)
        if (strcmp(((ClientMachine *)g_ptr_array_index(clients, i))->bundle, bundle) == 0)
            return true;
    return false;
}

/* The machine that was at another path until now: a rename, or somebody moved the folder. */
static VitrineMachine *library_find_moved(VitrineLibrary *self, GPtrArray *clients,
                                          const ClientMachine *client)
{
    for (guint i = 0; client->definition && i < self->machines->len; i++) {
        VitrineMachine *machine = g_ptr_array_index(self->machines, i);
        if (g_strcmp0(vitrine_machine_get_uuid(machine), client->definition->uuid) == 0 &&
            !list_has(clients, vitrine_machine_get_bundle(machine)))
            return machine;
    }
    return NULL;
}

static gboolean on_order_idle(gpointer opaque)
{
    VitrineLibrary *self = opaque;
    self->order_idle = 0;
    g_signal_emit(self, signals[SIGNAL_ORDER_CHANGED], 0);
    return G_SOURCE_REMOVE;
}

static void library_order_changed(VitrineLibrary *self)
{
    if (!self->order_idle)
        self->order_idle = g_idle_add(on_order_idle, self);
}

static void library_insert(VitrineLibrary *self, const ClientMachine *client)
{
    VitrineMachine *machine = vitrine_machine_new(client);
    g_signal_connect_object(machine, "notify::name", G_CALLBACK(library_order_changed), self,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(machine, "notify::state", G_CALLBACK(library_order_changed), self,
                            G_CONNECT_SWAPPED);
    g_ptr_array_add(self->machines, machine);
}

static void library_apply(VitrineLibrary *self, GPtrArray *clients)
{
    g_autoptr(GPtrArray) news = g_ptr_array_new(); /* borrowed */
    for (guint i = 0; i < clients->len; i++) {
        ClientMachine *client = g_ptr_array_index(clients, i);
        VitrineMachine *known = vitrine_library_find(self, client->bundle);
        if (!known)
            known = library_find_moved(self, clients, client);
        if (known)
            vitrine_machine_update(known, client);
        else
            g_ptr_array_add(news, client);
    }
    for (guint i = self->machines->len; i-- > 0;) {
        if (!list_has(clients, vitrine_machine_get_bundle(g_ptr_array_index(self->machines, i)))) {
            g_ptr_array_remove_index(self->machines, i);
            g_list_model_items_changed(G_LIST_MODEL(self), i, 1, 0);
        }
    }
    guint before = self->machines->len;
    for (guint i = 0; i < news->len; i++)
        library_insert(self, g_ptr_array_index(news, i));
    if (news->len > 0)
        g_list_model_items_changed(G_LIST_MODEL(self), before, 0, news->len);
}

static void list_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_task_return_pointer(task, client_list_machines_in(data), (GDestroyNotify)g_ptr_array_unref);
}

static void on_listed(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineLibrary *self = VITRINE_LIBRARY(source);
    g_autoptr(GPtrArray) clients = g_task_propagate_pointer(G_TASK(result), NULL);
    self->refreshing = false;
    self->listed = true;
    if (clients) {
        client_places_follow(self->settings, clients);
        library_apply(self, clients);
    }
    g_signal_emit(self, signals[SIGNAL_REFRESHED], 0);
    if (self->again) {
        self->again = false;
        vitrine_library_refresh(self);
    }
}

void vitrine_library_add(VitrineLibrary *self, const char *bundle)
{
    client_places_add(self->settings, bundle);
    vitrine_library_refresh(self);
}

void vitrine_library_forget(VitrineLibrary *self, const char *bundle)
{
    client_places_remove(self->settings, bundle);
    vitrine_library_refresh(self);
}

bool vitrine_library_is_known(VitrineLibrary *self, const char *bundle)
{
    g_auto(GStrv) known = g_settings_get_strv(self->settings, "known-bundles");
    return g_strv_contains((const char *const *)known, bundle);
}

bool vitrine_library_is_listed(VitrineLibrary *self)
{
    return self->listed;
}

GSettings *vitrine_library_get_settings(VitrineLibrary *self)
{
    return self->settings;
}

void vitrine_library_refresh(VitrineLibrary *self)
{
    if (self->refreshing) {
        self->again = true;
        return;
    }
    self->refreshing = true;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_listed, NULL);
    g_task_set_task_data(task, client_places_new(self->settings),
                         (GDestroyNotify)client_places_free);
    g_task_run_in_thread(task, list_thread);
}

void vitrine_library_set_in_view(VitrineLibrary *self, bool in_view)
{
    if (in_view && !self->in_view)
        vitrine_library_refresh(self);
    self->in_view = in_view;
}

static gboolean on_timer(gpointer opaque)
{
    VitrineLibrary *self = opaque;
    vitrine_library_refresh(self);
    bool live = self->in_view && g_settings_get_boolean(self->settings, "live-thumbnails");
    for (guint i = 0; live && i < self->machines->len; i++)
        if (vitrine_machine_get_state(g_ptr_array_index(self->machines, i)) == CLIENT_RUNNING)
            vitrine_machine_refresh_thumbnail(g_ptr_array_index(self->machines, i));
    return G_SOURCE_CONTINUE;
}

static void library_watch_folders(VitrineLibrary *self)
{
    g_autoptr(ClientPlaces) places = client_places_new(self->settings);
    g_ptr_array_set_size(self->monitors, 0);
    for (guint i = 0; i < places->folders->len; i++) {
        g_autoptr(GFile) folder = g_file_new_for_path(places->folders->pdata[i]);
        GFileMonitor *monitor =
            g_file_monitor_directory(folder, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
        if (!monitor)
            continue;
        g_signal_connect_swapped(monitor, "changed", G_CALLBACK(vitrine_library_refresh), self);
        g_ptr_array_add(self->monitors, monitor);
    }
    vitrine_library_refresh(self);
}

static void vitrine_library_dispose(GObject *object)
{
    VitrineLibrary *self = VITRINE_LIBRARY(object);
    g_clear_handle_id(&self->timer, g_source_remove);
    g_clear_handle_id(&self->order_idle, g_source_remove);
    g_clear_pointer(&self->monitors, g_ptr_array_unref);
    g_clear_pointer(&self->machines, g_ptr_array_unref);
    g_clear_object(&self->settings);
    G_OBJECT_CLASS(vitrine_library_parent_class)->dispose(object);
}

static void monitor_free(gpointer monitor)
{
    g_file_monitor_cancel(monitor);
    g_object_unref(monitor);
}

static void vitrine_library_class_init(VitrineLibraryClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_library_dispose;
    signals[SIGNAL_REFRESHED] = g_signal_new("refreshed", VITRINE_TYPE_LIBRARY, G_SIGNAL_RUN_LAST,
                                             0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_ORDER_CHANGED] =
        g_signal_new("order-changed", VITRINE_TYPE_LIBRARY, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 0);
}

static void vitrine_library_init(VitrineLibrary *self)
{
    self->machines = g_ptr_array_new_with_free_func(g_object_unref);
    self->monitors = g_ptr_array_new_with_free_func(monitor_free);
}

VitrineLibrary *vitrine_library_new(void)
{
    VitrineLibrary *self = g_object_new(VITRINE_TYPE_LIBRARY, NULL);
    self->settings = client_settings_new();
    g_autofree char *root = bundle_default_root();
    g_mkdir_with_parents(root, 0700);
    g_signal_connect_object(self->settings, "changed::machines-folder",
                            G_CALLBACK(library_watch_folders), self, G_CONNECT_SWAPPED);
    self->timer = g_timeout_add_seconds(LOOK_AGAIN_SECONDS, on_timer, self);
    library_watch_folders(self);
    return self;
}
