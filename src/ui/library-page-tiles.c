/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library-page-private.h"
#include "ui/machine-tile.h"

/* A machine's menu ------------------------------------------------------------------------------
 */

static void page_pop_up_menu(VitrineLibraryPage *self, GtkWidget *tile, double x, double y)
{
    double at_x, at_y;
    if (!self->machine_menu ||
        !gtk_widget_translate_coordinates(tile, GTK_WIDGET(self), x, y, &at_x, &at_y))
        return;
    g_signal_emit_by_name(self, "menu-opens");
    if (!self->popover) {
        self->popover = gtk_popover_menu_new_from_model(self->machine_menu);
        gtk_popover_set_has_arrow(GTK_POPOVER(self->popover), FALSE);
        gtk_widget_set_halign(self->popover, GTK_ALIGN_START);
        gtk_widget_set_parent(self->popover, GTK_WIDGET(self));
    }
    gtk_popover_set_pointing_to(GTK_POPOVER(self->popover),
                                &(GdkRectangle){ (int)at_x, (int)at_y, 1, 1 });
    gtk_popover_popup(GTK_POPOVER(self->popover));
}

static void on_tile_menu(VitrineMachineTile *tile, double x, double y, VitrineLibraryPage *self)
{
    vitrine_library_page_select(self, vitrine_machine_tile_get_machine(tile));
    page_pop_up_menu(self, GTK_WIDGET(tile), x, y);
}

/* By the Menu key: at the selected machine. */
static void action_menu(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineLibraryPage *self = VITRINE_LIBRARY_PAGE(widget);
    VitrineMachine *machine = vitrine_library_page_get_selected(self);
    for (guint i = 0; machine && i < self->tiles->len; i++) {
        GtkWidget *tile = g_ptr_array_index(self->tiles, i);
        if (vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile)) == machine &&
            gtk_widget_get_mapped(tile)) {
            vitrine_library_page_select(self, machine); /* the menu will have the keyboard */
            page_pop_up_menu(self, tile, gtk_widget_get_width(tile) / 2.0,
                             gtk_widget_get_height(tile) / 2.0);
            return;
        }
    }
}

void library_page_install_menu(GtkWidgetClass *klass)
{
    gtk_widget_class_install_action(klass, "library.menu", NULL, action_menu);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_Menu, 0, "library.menu", NULL);
    gtk_widget_class_add_binding_action(klass, GDK_KEY_F10, GDK_SHIFT_MASK, "library.menu", NULL);
}

/* The tiles -------------------------------------------------------------------------------------
 */

static void on_tile_destroy(GtkWidget *tile, VitrineLibraryPage *self)
{
    if (self->tiles)
        g_ptr_array_remove_fast(self->tiles, tile);
}

static void on_tile_setup(GtkSignalListItemFactory *factory, GtkListItem *item,
                          VitrineLibraryPage *self)
{
    GtkWidget *tile = vitrine_machine_tile_new(g_object_get_data(G_OBJECT(factory), "rows"));
    g_signal_connect(tile, "menu", G_CALLBACK(on_tile_menu), self);
    g_signal_connect(tile, "destroy", G_CALLBACK(on_tile_destroy), self);
    g_ptr_array_add(self->tiles, tile);
    gtk_list_item_set_child(item, tile);
}

static void on_tile_bind(GtkSignalListItemFactory *factory, GtkListItem *item)
{
    vitrine_machine_tile_set_machine(VITRINE_MACHINE_TILE(gtk_list_item_get_child(item)),
                                     gtk_list_item_get_item(item));
}

static void on_tile_unbind(GtkSignalListItemFactory *factory, GtkListItem *item)
{
    vitrine_machine_tile_set_machine(VITRINE_MACHINE_TILE(gtk_list_item_get_child(item)), NULL);
}

GtkListItemFactory *library_page_new_factory(VitrineLibraryPage *self, bool rows)
{
    GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
    g_object_set_data(G_OBJECT(factory), "rows", GINT_TO_POINTER(rows));
    g_signal_connect(factory, "setup", G_CALLBACK(on_tile_setup), self);
    g_signal_connect(factory, "bind", G_CALLBACK(on_tile_bind), NULL);
    g_signal_connect(factory, "unbind", G_CALLBACK(on_tile_unbind), NULL);
    return factory;
}

VitrineMachine *library_page_get_focused(VitrineLibraryPage *self)
{
    for (guint i = 0; i < self->tiles->len; i++) {
        GtkWidget *tile = g_ptr_array_index(self->tiles, i);
        GtkWidget *item = gtk_widget_get_parent(tile);
        if (item && gtk_widget_has_focus(item))
            return vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile));
    }
    return NULL;
}
