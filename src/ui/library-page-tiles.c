/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library-page-private.h"
#include "ui/machine-tile.h"

/* A machine's menu ------------------------------------------------------------------------------
 */

/* The keyboard goes back to the machine, unless what was chosen has taken it. */
static void on_menu_closed(GtkWidget *popover, VitrineLibraryPage *self)
{
    GtkWidget *focus = gtk_root_get_focus(gtk_widget_get_root(popover));
    if (!focus || focus == popover || gtk_widget_is_ancestor(focus, popover))
        vitrine_library_page_focus(self);
}

/* @at: what of @tile it belongs to. */
static void page_pop_up_menu(VitrineLibraryPage *self, GtkWidget *tile, GdkRectangle at,
                             GtkAlign align)
{
    double x, y;
    if (!self->machine_menu ||
        !gtk_widget_translate_coordinates(tile, GTK_WIDGET(self), at.x, at.y, &x, &y))
        return;
    g_signal_emit_by_name(self, "menu-opens");
    if (!self->popover) {
        self->popover = gtk_popover_menu_new_from_model(self->machine_menu);
        gtk_popover_set_has_arrow(GTK_POPOVER(self->popover), FALSE);
        gtk_widget_set_parent(self->popover, GTK_WIDGET(self));
        g_signal_connect(self->popover, "closed", G_CALLBACK(on_menu_closed), self);
    }
    gtk_widget_set_halign(self->popover, align);
    gtk_popover_set_pointing_to(GTK_POPOVER(self->popover),
                                &(GdkRectangle){ (int)x, (int)y, at.width, at.height });
    gtk_popover_popup(GTK_POPOVER(self->popover));
}

static void on_tile_menu(VitrineMachineTile *tile, double x, double y, VitrineLibraryPage *self)
{
    vitrine_library_page_select(self, vitrine_machine_tile_get_machine(tile));
    page_pop_up_menu(self, GTK_WIDGET(tile), (GdkRectangle){ (int)x, (int)y, 1, 1 },
                     GTK_ALIGN_START);
}

/* By the Menu key: below the selected machine, which stays in sight. */
static void action_menu(GtkWidget *widget, const char *name, GVariant *parameter)
{
    VitrineLibraryPage *self = VITRINE_LIBRARY_PAGE(widget);
    VitrineMachine *machine = vitrine_library_page_get_selected(self);
    GtkWidget *tile = library_page_find_tile(self, machine);
    if (!tile)
        return;
    vitrine_library_page_select(self, machine); /* the menu will have the keyboard */
    GdkRectangle all = { 0, 0, gtk_widget_get_width(tile), gtk_widget_get_height(tile) };
    page_pop_up_menu(self, tile, all, GTK_ALIGN_CENTER);
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

GtkWidget *library_page_find_tile(VitrineLibraryPage *self, VitrineMachine *machine)
{
    for (guint i = 0; machine && i < self->tiles->len; i++) {
        GtkWidget *tile = g_ptr_array_index(self->tiles, i);
        if (vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile)) == machine &&
            gtk_widget_get_mapped(tile))
            return tile;
    }
    return NULL;
}

VitrineMachine *library_page_get_focused(VitrineLibraryPage *self)
{
    for (guint i = 0; i < self->tiles->len; i++) {
        GtkWidget *tile = g_ptr_array_index(self->tiles, i);
        GtkWidget *item = gtk_widget_get_parent(tile);
        if (item && gtk_widget_is_focus(item))
            return vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile));
    }
    return NULL;
}
