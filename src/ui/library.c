/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library.h"

#define LOOK_AGAIN_SECONDS 3

struct _VitrineLibrary {
    GObject parent;
    GPtrArray *machines; /* of VitrineMachine, by name */
    GPtrArray *others;   /* paths of bundles elsewhere that were opened */
    GFileMonitor *monitor;
    guint timer;
    bool refreshing, again;
};

enum { SIGNAL_REFRESHED, N_SIGNALS };
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

static guint library_place_of(VitrineLibrary *self, const char *name)
{
    guint i = 0;
    while (i < self->machines->len &&
           g_utf8_collate(vitrine_machine_get_name(g_ptr_array_index(self->machines, i)), name) <=
               0)
        i++;
    return i;
}

static void library_apply(VitrineLibrary *self, GPtrArray *clients)
{
    for (guint i = self->machines->len; i-- > 0;) {
        if (!list_has(clients, vitrine_machine_get_bundle(g_ptr_array_index(self->machines, i)))) {
            g_ptr_array_remove_index(self->machines, i);
            g_list_model_items_changed(G_LIST_MODEL(self), i, 1, 0);
        }
    }
    for (guint i = 0; i < clients->len; i++) {
        ClientMachine *client = g_ptr_array_index(clients, i);
        VitrineMachine *known = vitrine_library_find(self, client->bundle);
        if (known) {
            vitrine_machine_update(known, client);
            continue;
        }
        guint place = library_place_of(self, client_machine_name(client));
        g_ptr_array_insert(self->machines, (int)place, vitrine_machine_new(client));
        g_list_model_items_changed(G_LIST_MODEL(self), place, 0, 1);
    }
}

static void list_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GPtrArray *clients = client_list_machines(), *others = data;
    for (guint i = 0; i < others->len; i++) {
        const char *bundle = g_ptr_array_index(others, i);
        if (!list_has(clients, bundle) && bundle_is_bundle(bundle))
            g_ptr_array_add(clients, client_open_machine(bundle));
    }
    g_task_return_pointer(task, clients, (GDestroyNotify)g_ptr_array_unref);
}

static void on_listed(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineLibrary *self = VITRINE_LIBRARY(source);
    g_autoptr(GPtrArray) clients = g_task_propagate_pointer(G_TASK(result), NULL);
    self->refreshing = false;
    if (clients)
        library_apply(self, clients);
    g_signal_emit(self, signals[SIGNAL_REFRESHED], 0);
    if (self->again) {
        self->again = false;
        vitrine_library_refresh(self);
    }
}

void vitrine_library_add(VitrineLibrary *self, const char *bundle)
{
    if (!g_ptr_array_find_with_equal_func(self->others, bundle, g_str_equal, NULL))
        g_ptr_array_add(self->others, g_strdup(bundle));
}

static gpointer copy_path(gconstpointer path, gpointer unused)
{
    return g_strdup(path);
}

void vitrine_library_refresh(VitrineLibrary *self)
{
    if (self->refreshing) {
        self->again = true;
        return;
    }
    self->refreshing = true;
    g_autoptr(GTask) task = g_task_new(self, NULL, on_listed, NULL);
    GPtrArray *others = g_ptr_array_copy(self->others, copy_path, NULL);
    g_ptr_array_set_free_func(others, g_free);
    g_task_set_task_data(task, others, (GDestroyNotify)g_ptr_array_unref);
    g_task_run_in_thread(task, list_thread);
}

static gboolean on_timer(gpointer opaque)
{
    VitrineLibrary *self = opaque;
    vitrine_library_refresh(self);
    for (guint i = 0; i < self->machines->len; i++)
        if (vitrine_machine_get_state(g_ptr_array_index(self->machines, i)) == CLIENT_RUNNING)
            vitrine_machine_refresh_thumbnail(g_ptr_array_index(self->machines, i));
    return G_SOURCE_CONTINUE;
}

static void vitrine_library_dispose(GObject *object)
{
    VitrineLibrary *self = VITRINE_LIBRARY(object);
    g_clear_handle_id(&self->timer, g_source_remove);
    g_clear_object(&self->monitor);
    g_clear_pointer(&self->machines, g_ptr_array_unref);
    g_clear_pointer(&self->others, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_library_parent_class)->dispose(object);
}

static void vitrine_library_class_init(VitrineLibraryClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_library_dispose;
    signals[SIGNAL_REFRESHED] = g_signal_new("refreshed", VITRINE_TYPE_LIBRARY, G_SIGNAL_RUN_LAST,
                                             0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void vitrine_library_init(VitrineLibrary *self)
{
    self->machines = g_ptr_array_new_with_free_func(g_object_unref);
    self->others = g_ptr_array_new_with_free_func(g_free);
}

VitrineLibrary *vitrine_library_new(void)
{
    VitrineLibrary *self = g_object_new(VITRINE_TYPE_LIBRARY, NULL);
    g_autofree char *root = bundle_default_root();
    g_mkdir_with_parents(root, 0700);
    g_autoptr(GFile) folder = g_file_new_for_path(root);
    self->monitor = g_file_monitor_directory(folder, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
    if (self->monitor)
        g_signal_connect_swapped(self->monitor, "changed", G_CALLBACK(vitrine_library_refresh),
                                 self);
    self->timer = g_timeout_add_seconds(LOOK_AGAIN_SECONDS, on_timer, self);
    vitrine_library_refresh(self);
    return self;
}
