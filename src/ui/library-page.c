/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library-order.h"
#include "ui/library-page-private.h"
#include <glib/gi18n.h>

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

GtkWidget *library_page_view(VitrineLibraryPage *self)
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

void vitrine_library_page_set_narrow(VitrineLibraryPage *self, bool narrow)
{
    gtk_widget_set_visible(GTK_WIDGET(self->view_button), !narrow);
    gtk_widget_set_visible(GTK_WIDGET(self->sort_button), !narrow);
    gtk_menu_button_set_menu_model(self->primary_button,
                                   narrow ? G_MENU_MODEL(self->narrow_menu) : self->primary_menu);
}

/* Not the menu as one section: each of its own would have two separators. */
static void menu_append_sections(GMenu *menu, GMenuModel *from)
{
    for (int i = 0; i < g_menu_model_get_n_items(from); i++) {
        g_autoptr(GMenuItem) section = g_menu_item_new_from_model(from, i);
        g_menu_append_item(menu, section);
    }
}

static void page_set_primary_menu(VitrineLibraryPage *self, GMenuModel *menu)
{
    g_set_object(&self->primary_menu, menu);
    menu_append_sections(self->narrow_menu, G_MENU_MODEL(self->sort_menu));
    menu_append_sections(self->narrow_menu, menu);
    gtk_menu_button_set_menu_model(self->primary_button, menu);
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

static void on_view_activate(GtkWidget *view, guint position, VitrineLibraryPage *self)
{
    g_autoptr(VitrineMachine) machine =
        g_list_model_get_item(G_LIST_MODEL(self->selection), position);
    if (machine)
        g_signal_emit(self, signals[SIGNAL_ACTIVATED], 0, machine);
}

/* The page --------------------------------------------------------------------------------------
 */

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
    g_signal_connect_swapped(self->selection, "items-changed",
                             G_CALLBACK(library_page_items_changed), self);
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
    g_autoptr(GAction) mode = g_settings_create_action(page_settings(self), "view-mode");
    g_action_map_add_action(G_ACTION_MAP(view), sort);
    g_action_map_add_action(G_ACTION_MAP(view), mode);
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
    case PROP_PRIMARY_MENU: page_set_primary_menu(self, g_value_get_object(value)); break;
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
    g_clear_handle_id(&self->heir_idle, g_source_remove);
    g_clear_pointer(&self->popover, gtk_widget_unparent);
    g_clear_pointer(&self->box, gtk_widget_unparent);
    g_clear_pointer(&self->tiles, g_ptr_array_unref);
    g_clear_object(&self->selection);
    g_clear_object(&self->primary_menu);
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
    CHILD(new_button);
    CHILD(primary_button);
    CHILD(sort_button);
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
    CHILD(sort_menu);
    CHILD(narrow_menu);
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
    library_page_install_menu(widget_class);
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
    g_autoptr(GtkListItemFactory) tiles = library_page_new_factory(self, false);
    g_autoptr(GtkListItemFactory) rows = library_page_new_factory(self, true);
    gtk_grid_view_set_factory(self->grid, tiles);
    gtk_list_view_set_factory(self->list, rows);
}
