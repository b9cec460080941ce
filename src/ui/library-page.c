/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library-page.h"
#include "ui/library-order.h"
#include "ui/machine-tile.h"
#include <glib/gi18n.h>

struct _VitrineLibraryPage {
    GtkWidget parent;
    GtkWidget *box;
    GtkMenuButton *primary_button;
    GtkButton *view_button;
    GtkToggleButton *search_button;
    GtkSearchBar *search_bar;
    GtkSearchEntry *search_entry;
    GtkStack *stack;
    GtkGridView *grid;
    GtkListView *list;
    GtkWidget *demo_button, *recent_group;
    GtkListBox *recent_list;
    GMenu *recent_menu;
    GMenuModel *machine_menu; /* owned */
    VitrineLibrary *library;  /* owned */
    GtkFilter *filter;        /* borrowed from the models below */
    GtkSorter *sorter;
    GtkSingleSelection *selection; /* owned: library, filtered, sorted */
    GPtrArray *tiles;              /* borrowed: all there are, to find the selected one's */
    GtkWidget *popover;            /* child, or NULL: the machine's menu */
};

enum { PROP_0, PROP_PRIMARY_MENU, PROP_MACHINE_MENU, PROP_SELECTED, N_PROPS };
static GParamSpec *properties[N_PROPS];
enum { SIGNAL_ACTIVATED, SIGNAL_MENU_OPENS, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineLibraryPage, vitrine_library_page, GTK_TYPE_WIDGET)

/* Which view ------------------------------------------------------------------------------------
 */

static GSettings *page_settings(VitrineLibraryPage *self)
{
    return vitrine_library_get_settings(self->library);
}

static bool page_is_list(VitrineLibraryPage *self)
{
    return g_settings_get_enum(page_settings(self), "view-mode") == VIEW_MODE_LIST;
}

static GtkWidget *page_view(VitrineLibraryPage *self)
{
    return page_is_list(self) ? GTK_WIDGET(self->list) : GTK_WIDGET(self->grid);
}

static void page_update_stack(VitrineLibraryPage *self)
{
    guint n_all = g_list_model_get_n_items(G_LIST_MODEL(self->library));
    guint n_shown = g_list_model_get_n_items(G_LIST_MODEL(self->selection));
    bool some = n_all > 0;
    gtk_widget_set_sensitive(GTK_WIDGET(self->view_button), some);
    gtk_widget_set_sensitive(GTK_WIDGET(self->search_button), some);
    if (!some)
        gtk_search_bar_set_search_mode(self->search_bar, FALSE);
    const char *before = gtk_stack_get_visible_child_name(self->stack);
    bool was_bare = strcmp(before, "wait") == 0 || strcmp(before, "empty") == 0;
    const char *now = n_shown > 0 ? (page_is_list(self) ? "list" : "grid")
                      : some      ? "none"
                      : vitrine_library_is_listed(self->library) ? "empty"
                                                                 : "wait";
    gtk_stack_set_visible_child_name(self->stack, now);
    if (was_bare && n_shown > 0)
        vitrine_library_page_focus(self);
}

/* Only the view that shows has the machines: each makes widgets for all it has. */
static void page_update_view(VitrineLibraryPage *self)
{
    bool list = page_is_list(self);
    GtkSelectionModel *model = GTK_SELECTION_MODEL(self->selection);
    gtk_list_view_set_model(self->list, list ? model : NULL);
    gtk_grid_view_set_model(self->grid, list ? NULL : model);
    const char *label = list ? _("Show as grid") : _("Show as list");
    gtk_button_set_icon_name(self->view_button, list ? "view-grid-symbolic" : "view-list-symbolic");
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->view_button), label);
    gtk_accessible_update_property(GTK_ACCESSIBLE(self->view_button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   label, -1);
    page_update_stack(self);
}

static void on_view_clicked(GtkButton *button, VitrineLibraryPage *self)
{
    g_settings_set_enum(page_settings(self), "view-mode",
                        page_is_list(self) ? VIEW_MODE_GRID : VIEW_MODE_LIST);
    vitrine_library_page_focus(self);
}

/* Search and order ------------------------------------------------------------------------------
 */

static gboolean filter_machine(gpointer machine, gpointer opaque)
{
    VitrineLibraryPage *self = opaque;
    return library_order_matches(machine, gtk_editable_get_text(GTK_EDITABLE(self->search_entry)));
}

static int compare_machines(gconstpointer a, gconstpointer b, gpointer opaque)
{
    VitrineLibraryPage *self = opaque;
    return library_order_compare((VitrineMachine *)a, (VitrineMachine *)b,
                                 g_settings_get_enum(page_settings(self), "sort-order"));
}

static void on_search_changed(GtkSearchEntry *entry, VitrineLibraryPage *self)
{
    gtk_filter_changed(self->filter, GTK_FILTER_CHANGE_DIFFERENT);
    page_update_stack(self);
}

/* Enter in the search opens what is found. */
static void on_search_activate(GtkSearchEntry *entry, VitrineLibraryPage *self)
{
    VitrineMachine *machine = vitrine_library_page_get_selected(self);
    if (!machine)
        machine = gtk_single_selection_get_selected_item(self->selection);
    g_autoptr(VitrineMachine) first =
        machine ? g_object_ref(machine) : g_list_model_get_item(G_LIST_MODEL(self->selection), 0);
    if (first)
        g_signal_emit(self, signals[SIGNAL_ACTIVATED], 0, first);
}

static void on_search_mode(GtkSearchBar *bar, GParamSpec *spec, VitrineLibraryPage *self)
{
    if (!gtk_search_bar_get_search_mode(bar))
        vitrine_library_page_focus(self);
}

static void page_order_changed(VitrineLibraryPage *self)
{
    gtk_sorter_changed(self->sorter, GTK_SORTER_CHANGE_DIFFERENT);
    gtk_filter_changed(self->filter, GTK_FILTER_CHANGE_DIFFERENT);
}

void vitrine_library_page_search(VitrineLibraryPage *self, bool open)
{
    gtk_search_bar_set_search_mode(self->search_bar, open);
    if (open)
        gtk_widget_grab_focus(GTK_WIDGET(self->search_entry));
}

void vitrine_library_page_search_for(VitrineLibraryPage *self, const char *text)
{
    vitrine_library_page_search(self, true);
    gtk_editable_set_text(GTK_EDITABLE(self->search_entry), text);
    gtk_editable_set_position(GTK_EDITABLE(self->search_entry), -1);
}

/* A machine's menu ------------------------------------------------------------------------------
 */

static void page_pop_up_menu(VitrineLibraryPage *self, GtkWidget *tile, double x, double y)
{
    double at_x, at_y;
    if (!self->machine_menu ||
        !gtk_widget_translate_coordinates(tile, GTK_WIDGET(self), x, y, &at_x, &at_y))
        return;
    g_signal_emit(self, signals[SIGNAL_MENU_OPENS], 0);
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

static GtkListItemFactory *page_new_factory(VitrineLibraryPage *self, bool rows)
{
    GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
    g_object_set_data(G_OBJECT(factory), "rows", GINT_TO_POINTER(rows));
    g_signal_connect(factory, "setup", G_CALLBACK(on_tile_setup), self);
    g_signal_connect(factory, "bind", G_CALLBACK(on_tile_bind), NULL);
    g_signal_connect(factory, "unbind", G_CALLBACK(on_tile_unbind), NULL);
    return factory;
}

static void on_view_activate(GtkWidget *view, guint position, VitrineLibraryPage *self)
{
    g_autoptr(VitrineMachine) machine =
        g_list_model_get_item(G_LIST_MODEL(self->selection), position);
    if (machine)
        g_signal_emit(self, signals[SIGNAL_ACTIVATED], 0, machine);
}

/* New machines ----------------------------------------------------------------------------------
 */

static GtkWidget *recent_row(const char *name, const char *path)
{
    GtkWidget *row = adw_action_row_new();
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *shown = g_filename_display_name(folder);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), name);
    adw_action_row_set_subtitle(ADW_ACTION_ROW(row), shown);
    adw_action_row_set_icon_name(ADW_ACTION_ROW(row), "media-optical-symbolic");
    gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), TRUE);
    gtk_actionable_set_action_name(GTK_ACTIONABLE(row), "win.new-from");
    gtk_actionable_set_action_target(GTK_ACTIONABLE(row), "s", path);
    return row;
}

void vitrine_library_page_set_recent(VitrineLibraryPage *self, const char *const *paths)
{
    GtkWidget *row;
    g_menu_remove_all(self->recent_menu);
    while ((row = gtk_widget_get_first_child(GTK_WIDGET(self->recent_list))))
        gtk_list_box_remove(self->recent_list, row);
    for (unsigned i = 0; paths[i]; i++) {
        g_autofree char *base = g_path_get_basename(paths[i]);
        g_autofree char *name = g_filename_display_name(base);
        g_auto(GStrv) parts = g_strsplit(name, "_", -1);
        g_autofree char *label = g_strjoinv("__", parts); /* no mnemonics in file names */
        g_autoptr(GMenuItem) item = g_menu_item_new(label, NULL);
        g_menu_item_set_action_and_target(item, "win.new-from", "s", paths[i]);
        g_menu_append_item(self->recent_menu, item);
        gtk_list_box_append(self->recent_list, recent_row(name, paths[i]));
    }
    gtk_widget_set_visible(self->recent_group, paths[0] != NULL);
}

void vitrine_library_page_set_has_demo(VitrineLibraryPage *self, bool has_demo)
{
    gtk_widget_set_visible(self->demo_button, has_demo);
}

/* The page --------------------------------------------------------------------------------------
 */

VitrineMachine *vitrine_library_page_get_selected(VitrineLibraryPage *self)
{
    VitrineMachine *selected =
        self->selection ? gtk_single_selection_get_selected_item(self->selection) : NULL;
    /* After one was deleted the keyboard is on its neighbour, which is not selected. */
    for (guint i = 0; !selected && i < self->tiles->len; i++) {
        GtkWidget *tile = g_ptr_array_index(self->tiles, i);
        GtkWidget *item = gtk_widget_get_parent(tile);
        if (item && gtk_widget_has_focus(item))
            selected = vitrine_machine_tile_get_machine(VITRINE_MACHINE_TILE(tile));
    }
    return selected;
}

void vitrine_library_page_select(VitrineLibraryPage *self, VitrineMachine *machine)
{
    guint n = g_list_model_get_n_items(G_LIST_MODEL(self->selection));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) at = g_list_model_get_item(G_LIST_MODEL(self->selection), i);
        if (at == machine)
            gtk_single_selection_set_selected(self->selection, i);
    }
}

void vitrine_library_page_focus(VitrineLibraryPage *self)
{
    if (self->library && g_list_model_get_n_items(G_LIST_MODEL(self->selection)) > 0)
        gtk_widget_grab_focus(page_view(self));
}

static void on_selected(VitrineLibraryPage *self)
{
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_SELECTED]);
}

void vitrine_library_page_set_library(VitrineLibraryPage *self, VitrineLibrary *library)
{
    g_return_if_fail(!self->library);
    self->library = g_object_ref(library);
    self->filter = GTK_FILTER(gtk_custom_filter_new(filter_machine, self, NULL));
    self->sorter = GTK_SORTER(gtk_custom_sorter_new(compare_machines, self, NULL));
    GtkFilterListModel *filtered =
        gtk_filter_list_model_new(g_object_ref(G_LIST_MODEL(library)), self->filter);
    GtkSortListModel *sorted = gtk_sort_list_model_new(G_LIST_MODEL(filtered), self->sorter);
    self->selection = gtk_single_selection_new(G_LIST_MODEL(sorted));
    gtk_single_selection_set_autoselect(self->selection, FALSE);
    gtk_single_selection_set_can_unselect(self->selection, TRUE);
    g_signal_connect_swapped(self->selection, "notify::selected-item", G_CALLBACK(on_selected),
                             self);
    g_signal_connect_object(library, "refreshed", G_CALLBACK(page_update_stack), self,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(library, "order-changed", G_CALLBACK(page_order_changed), self,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(page_settings(self), "changed::view-mode", G_CALLBACK(page_update_view),
                            self, G_CONNECT_SWAPPED);
    g_signal_connect_object(page_settings(self), "changed::sort-order",
                            G_CALLBACK(page_order_changed), self, G_CONNECT_SWAPPED);
    g_autoptr(GSimpleActionGroup) view = g_simple_action_group_new();
    g_autoptr(GAction) sort = g_settings_create_action(page_settings(self), "sort-order");
    g_action_map_add_action(G_ACTION_MAP(view), sort);
    gtk_widget_insert_action_group(GTK_WIDGET(self), "view", G_ACTION_GROUP(view));
    page_update_view(self);
}

/* In view: in front, in a window that is not minimised. */
static void page_update_in_view(VitrineLibraryPage *self)
{
    GtkNative *native = gtk_widget_get_native(GTK_WIDGET(self));
    GdkSurface *surface = native ? gtk_native_get_surface(native) : NULL;
    bool minimized = surface && GDK_IS_TOPLEVEL(surface) &&
                     gdk_toplevel_get_state(GDK_TOPLEVEL(surface)) & GDK_TOPLEVEL_STATE_MINIMIZED;
    if (self->library)
        vitrine_library_set_in_view(self->library,
                                    gtk_widget_get_mapped(GTK_WIDGET(self)) && !minimized);
}

static void vitrine_library_page_map(GtkWidget *widget)
{
    GTK_WIDGET_CLASS(vitrine_library_page_parent_class)->map(widget);
    g_signal_connect_object(gtk_native_get_surface(gtk_widget_get_native(widget)), "notify::state",
                            G_CALLBACK(page_update_in_view), widget, G_CONNECT_SWAPPED);
    page_update_in_view(VITRINE_LIBRARY_PAGE(widget));
}

static void vitrine_library_page_unmap(GtkWidget *widget)
{
    GtkNative *native = gtk_widget_get_native(widget);
    if (native && gtk_native_get_surface(native))
        g_signal_handlers_disconnect_by_func(gtk_native_get_surface(native), page_update_in_view,
                                             widget);
    GTK_WIDGET_CLASS(vitrine_library_page_parent_class)->unmap(widget);
    page_update_in_view(VITRINE_LIBRARY_PAGE(widget));
}

static void vitrine_library_page_get_property(GObject *object, guint id, GValue *value,
                                              GParamSpec *spec)
{
    VitrineLibraryPage *self = VITRINE_LIBRARY_PAGE(object);
    switch (id) {
    case PROP_SELECTED: g_value_set_object(value, vitrine_library_page_get_selected(self)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_library_page_set_property(GObject *object, guint id, const GValue *value,
                                              GParamSpec *spec)
{
    VitrineLibraryPage *self = VITRINE_LIBRARY_PAGE(object);
    switch (id) {
    case PROP_PRIMARY_MENU:
        gtk_menu_button_set_menu_model(self->primary_button, g_value_get_object(value));
        break;
    case PROP_MACHINE_MENU: g_set_object(&self->machine_menu, g_value_get_object(value)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_library_page_dispose(GObject *object)
{
    VitrineLibraryPage *self = VITRINE_LIBRARY_PAGE(object);
    if (self->selection)
        g_signal_handlers_disconnect_by_data(self->selection, self);
    if (self->tiles)
        g_ptr_array_set_size(self->tiles, 0);
    g_clear_pointer(&self->popover, gtk_widget_unparent);
    g_clear_pointer(&self->box, gtk_widget_unparent);
    g_clear_pointer(&self->tiles, g_ptr_array_unref);
    g_clear_object(&self->selection);
    g_clear_object(&self->machine_menu);
    g_clear_object(&self->library);
    G_OBJECT_CLASS(vitrine_library_page_parent_class)->dispose(object);
}

static void bind_template(GtkWidgetClass *widget_class)
{
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/library-page.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineLibraryPage, name)
    CHILD(box);
    CHILD(primary_button);
    CHILD(view_button);
    CHILD(search_button);
    CHILD(search_bar);
    CHILD(search_entry);
    CHILD(stack);
    CHILD(grid);
    CHILD(list);
    CHILD(demo_button);
    CHILD(recent_group);
    CHILD(recent_list);
    CHILD(recent_menu);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_view_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_view_activate);
    gtk_widget_class_bind_template_callback(widget_class, on_search_changed);
    gtk_widget_class_bind_template_callback(widget_class, on_search_activate);
    gtk_widget_class_bind_template_callback(widget_class, on_search_mode);
}

static void vitrine_library_page_class_init(VitrineLibraryPageClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    object_class->dispose = vitrine_library_page_dispose;
    object_class->get_property = vitrine_library_page_get_property;
    object_class->set_property = vitrine_library_page_set_property;
    widget_class->map = vitrine_library_page_map;
    widget_class->unmap = vitrine_library_page_unmap;
    properties[PROP_PRIMARY_MENU] = g_param_spec_object(
        "primary-menu", NULL, NULL, G_TYPE_MENU_MODEL, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS);
    properties[PROP_MACHINE_MENU] = g_param_spec_object(
        "machine-menu", NULL, NULL, G_TYPE_MENU_MODEL, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS);
    properties[PROP_SELECTED] = g_param_spec_object("selected", NULL, NULL, VITRINE_TYPE_MACHINE,
                                                    G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_properties(object_class, N_PROPS, properties);
    signals[SIGNAL_ACTIVATED] =
        g_signal_new("activated", VITRINE_TYPE_LIBRARY_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 1, VITRINE_TYPE_MACHINE);
    signals[SIGNAL_MENU_OPENS] =
        g_signal_new("menu-opens", VITRINE_TYPE_LIBRARY_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                     NULL, G_TYPE_NONE, 0);
    bind_template(widget_class);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
    gtk_widget_class_install_action(widget_class, "library.menu", NULL, action_menu);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Menu, 0, "library.menu", NULL);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, "library.menu",
                                        NULL);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_F2, 0, "machine.rename", NULL);
    /* Menus show the last one. */
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_KP_Delete, 0, "machine.trash", NULL);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Delete, 0, "machine.trash", NULL);
}

static void vitrine_library_page_init(VitrineLibraryPage *self)
{
    self->tiles = g_ptr_array_new();
    gtk_widget_init_template(GTK_WIDGET(self));
    gtk_search_bar_connect_entry(self->search_bar, GTK_EDITABLE(self->search_entry));
    /* Not the whole page: menus are in it, and their letters are theirs. */
    gtk_search_bar_set_key_capture_widget(self->search_bar, GTK_WIDGET(self->stack));
    g_autoptr(GtkListItemFactory) tiles = page_new_factory(self, false);
    g_autoptr(GtkListItemFactory) rows = page_new_factory(self, true);
    gtk_grid_view_set_factory(self->grid, tiles);
    gtk_list_view_set_factory(self->list, rows);
}
