/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Which machine is selected, and which has the keyboard. */

#include "ui/library-page-private.h"

VitrineMachine *vitrine_library_page_get_selected(VitrineLibraryPage *self)
{
    if (!self->selection)
        return NULL;
    /* After one was deleted the keyboard is on its neighbour, which is not selected. */
    VitrineMachine *selected = gtk_single_selection_get_selected_item(self->selection);
    return selected ? selected : library_page_get_focused(self);
}

static guint model_find(GListModel *model, VitrineMachine *machine)
{
    guint n = g_list_model_get_n_items(model);
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) at = g_list_model_get_item(model, i);
        if (at == machine)
            return i;
    }
    return GTK_INVALID_LIST_POSITION;
}

void vitrine_library_page_select(VitrineLibraryPage *self, VitrineMachine *machine)
{
    guint at = model_find(G_LIST_MODEL(self->selection), machine);
    if (at != GTK_INVALID_LIST_POSITION)
        gtk_single_selection_set_selected(self->selection, at);
}

void vitrine_library_page_focus(VitrineLibraryPage *self)
{
    if (!self->library || g_list_model_get_n_items(G_LIST_MODEL(self->selection)) == 0)
        return;
    GtkWidget *tile =
        library_page_find_tile(self, gtk_single_selection_get_selected_item(self->selection));
    gtk_widget_grab_focus(tile ? gtk_widget_get_parent(tile) : library_page_view(self));
}

static gboolean on_heir_idle(gpointer opaque)
{
    VitrineLibraryPage *self = opaque;
    guint n = g_list_model_get_n_items(G_LIST_MODEL(self->selection));
    self->heir_idle = 0;
    if (n == 0) {
        gtk_widget_grab_focus(GTK_WIDGET(self->new_button));
        return G_SOURCE_REMOVE;
    }
    gtk_single_selection_set_selected(self->selection, MIN(self->heir, n - 1));
    vitrine_library_page_focus(self);
    return G_SOURCE_REMOVE;
}

/* The keyboard goes from one that is no more to the next, or to the one before the last. The views
 * do not know yet, so it is still where it was. */
void library_page_items_changed(VitrineLibraryPage *self, guint position, guint removed,
                                guint added)
{
    VitrineMachine *focused = removed > added ? library_page_get_focused(self) : NULL;
    if (!focused || model_find(G_LIST_MODEL(self->selection), focused) != GTK_INVALID_LIST_POSITION)
        return;
    self->heir = position;
    if (!self->heir_idle)
        self->heir_idle = g_idle_add(on_heir_idle, self);
}
