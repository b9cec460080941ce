/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/search-provider.h"
#include "dbus-search.h"
#include "ui/library-order.h"

struct SearchProvider {
    GApplication *app;        /* borrowed */
    VitrineLibrary **library; /* borrowed; set by the time the first question comes */
    GnomeDBusShellSearchProvider2 *dbus;
};

/* Answering waits until the library has looked once: the desktop may have started us for this. */

typedef struct {
    SearchProvider *self;
    GDBusMethodInvocation *invocation;
    char **words; /* terms or identifiers; owned */
    void (*answer)(SearchProvider *, GDBusMethodInvocation *, const char *const *words);
    gulong handler;
} Question;

static void question_answer(Question *question)
{
    question->answer(question->self, question->invocation, (const char *const *)question->words);
    g_application_release(question->self->app);
    g_strfreev(question->words);
    g_free(question);
}

static void on_refreshed(VitrineLibrary *library, Question *question)
{
    g_signal_handler_disconnect(library, question->handler);
    question_answer(question);
}

static gboolean ask(SearchProvider *self, GDBusMethodInvocation *invocation,
                    const char *const *words,
                    void (*answer)(SearchProvider *, GDBusMethodInvocation *, const char *const *))
{
    Question *question = g_new0(Question, 1);
    *question = (Question){ self, invocation, g_strdupv((char **)words), answer, 0 };
    g_application_hold(self->app);
    if (vitrine_library_is_listed((*self->library)))
        question_answer(question);
    else
        question->handler =
            g_signal_connect((*self->library), "refreshed", G_CALLBACK(on_refreshed), question);
    return TRUE;
}

static void answer_search(SearchProvider *self, GDBusMethodInvocation *invocation,
                          const char *const *terms)
{
    g_autofree char *search = g_strjoinv(" ", (char **)terms);
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    guint n = g_list_model_get_n_items(G_LIST_MODEL((*self->library)));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine =
            g_list_model_get_item(G_LIST_MODEL((*self->library)), i);
        if (library_order_matches(machine, search))
            g_ptr_array_add(found, (gpointer)vitrine_machine_get_bundle(machine));
    }
    g_ptr_array_add(found, NULL);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(^as)", found->pdata));
}

static GVariant *meta_new(VitrineMachine *machine)
{
    GVariantBuilder meta;
    g_autofree char *state = NULL;
    g_autoptr(GIcon) icon = g_themed_icon_new("org.vitrine.Vitrine");
    g_object_get(machine, "state-text", &state, NULL);
    g_variant_builder_init(&meta, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&meta, "{sv}", "id",
                          g_variant_new_string(vitrine_machine_get_bundle(machine)));
    g_variant_builder_add(&meta, "{sv}", "name",
                          g_variant_new_string(vitrine_machine_get_name(machine)));
    g_variant_builder_add(&meta, "{sv}", "description", g_variant_new_string(state));
    g_variant_builder_add(&meta, "{sv}", "icon", g_icon_serialize(icon));
    return g_variant_builder_end(&meta);
}

static void answer_metas(SearchProvider *self, GDBusMethodInvocation *invocation,
                         const char *const *identifiers)
{
    GVariantBuilder metas;
    g_variant_builder_init(&metas, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; identifiers[i]; i++) {
        VitrineMachine *machine = vitrine_library_find((*self->library), identifiers[i]);
        if (machine)
            g_variant_builder_add_value(&metas, meta_new(machine));
    }
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(aa{sv})", &metas));
}

static gboolean on_initial(GnomeDBusShellSearchProvider2 *dbus, GDBusMethodInvocation *invocation,
                           const char *const *terms, SearchProvider *self)
{
    return ask(self, invocation, terms, answer_search);
}

static gboolean on_subsearch(GnomeDBusShellSearchProvider2 *dbus, GDBusMethodInvocation *invocation,
                             const char *const *previous, const char *const *terms,
                             SearchProvider *self)
{
    return ask(self, invocation, terms, answer_search);
}

static gboolean on_metas(GnomeDBusShellSearchProvider2 *dbus, GDBusMethodInvocation *invocation,
                         const char *const *identifiers, SearchProvider *self)
{
    return ask(self, invocation, identifiers, answer_metas);
}

static gboolean on_activate(GnomeDBusShellSearchProvider2 *dbus, GDBusMethodInvocation *invocation,
                            const char *identifier, const char *const *terms, guint timestamp,
                            SearchProvider *self)
{
    g_action_group_activate_action(G_ACTION_GROUP(self->app), "show-machine",
                                   g_variant_new_string(identifier));
    gnome_dbus_shell_search_provider2_complete_activate_result(dbus, invocation);
    return TRUE;
}

static gboolean on_launch(GnomeDBusShellSearchProvider2 *dbus, GDBusMethodInvocation *invocation,
                          const char *const *terms, guint timestamp, SearchProvider *self)
{
    g_autofree char *text = g_strjoinv(" ", (char **)terms);
    g_action_group_activate_action(G_ACTION_GROUP(self->app), "search", g_variant_new_string(text));
    gnome_dbus_shell_search_provider2_complete_launch_search(dbus, invocation);
    return TRUE;
}

SearchProvider *search_provider_new(GApplication *app, VitrineLibrary **library)
{
    SearchProvider *self = g_new0(SearchProvider, 1);
    self->app = app;
    self->library = library;
    self->dbus = gnome_dbus_shell_search_provider2_skeleton_new();
    g_signal_connect(self->dbus, "handle-get-initial-result-set", G_CALLBACK(on_initial), self);
    g_signal_connect(self->dbus, "handle-get-subsearch-result-set", G_CALLBACK(on_subsearch), self);
    g_signal_connect(self->dbus, "handle-get-result-metas", G_CALLBACK(on_metas), self);
    g_signal_connect(self->dbus, "handle-activate-result", G_CALLBACK(on_activate), self);
    g_signal_connect(self->dbus, "handle-launch-search", G_CALLBACK(on_launch), self);
    return self;
}

void search_provider_free(SearchProvider *self)
{
    if (!self)
        return;
    g_signal_handlers_disconnect_by_data(self->dbus, self);
    search_provider_unexport(self);
    g_object_unref(self->dbus);
    g_free(self);
}

bool search_provider_export(SearchProvider *self, GDBusConnection *connection, GError **error)
{
    return g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->dbus), connection,
                                            SEARCH_PROVIDER_PATH, error);
}

void search_provider_unexport(SearchProvider *self)
{
    if (g_dbus_interface_skeleton_get_connection(G_DBUS_INTERFACE_SKELETON(self->dbus)))
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->dbus));
}
