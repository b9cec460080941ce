/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/machine-tile.h"

struct _VitrineMachineTile {
    GtkWidget parent;
    GtkPicture *picture;
    GtkLabel *name, *state;
    VitrineMachine *machine; /* owned, or NULL */
    GPtrArray *bindings;
};

G_DEFINE_FINAL_TYPE(VitrineMachineTile, vitrine_machine_tile, GTK_TYPE_WIDGET)

static void tile_update(VitrineMachineTile *self)
{
    ClientState state = vitrine_machine_get_state(self->machine);
    gtk_widget_set_opacity(GTK_WIDGET(self->picture), client_state_is_live(state) ? 1 : 0.5);
    if (state == CLIENT_FAILED || state == CLIENT_CRASHED || state == CLIENT_PAUSED_PROBLEM)
        gtk_widget_add_css_class(GTK_WIDGET(self->state), "error");
    else
        gtk_widget_remove_css_class(GTK_WIDGET(self->state), "error");
    const char *problem = vitrine_machine_get_problem(self->machine);
    gtk_widget_set_tooltip_text(GTK_WIDGET(self), problem && *problem ? problem : NULL);
}

void vitrine_machine_tile_set_machine(VitrineMachineTile *self, VitrineMachine *machine)
{
    if (self->machine) {
        g_signal_handlers_disconnect_by_data(self->machine, self);
        for (guint i = 0; i < self->bindings->len; i++)
            g_binding_unbind(g_ptr_array_index(self->bindings, i));
        g_ptr_array_set_size(self->bindings, 0);
    }
    g_set_object(&self->machine, machine);
    if (!machine)
        return;
    const struct {
        const char *from;
        gpointer target;
        const char *to;
    } binds[] = { { "name", self->name, "label" },
                  { "state-text", self->state, "label" },
                  { "thumbnail", self->picture, "paintable" } };
    for (size_t i = 0; i < G_N_ELEMENTS(binds); i++)
        g_ptr_array_add(self->bindings,
                        g_object_bind_property(machine, binds[i].from, binds[i].target, binds[i].to,
                                               G_BINDING_SYNC_CREATE));
    g_signal_connect_swapped(machine, "notify::state", G_CALLBACK(tile_update), self);
    g_signal_connect_swapped(machine, "notify::problem", G_CALLBACK(tile_update), self);
    tile_update(self);
}

static void vitrine_machine_tile_dispose(GObject *object)
{
    VitrineMachineTile *self = VITRINE_MACHINE_TILE(object);
    vitrine_machine_tile_set_machine(self, NULL);
    GtkWidget *child;
    while ((child = gtk_widget_get_first_child(GTK_WIDGET(self))))
        gtk_widget_unparent(child);
    G_OBJECT_CLASS(vitrine_machine_tile_parent_class)->dispose(object);
}

static void vitrine_machine_tile_finalize(GObject *object)
{
    g_ptr_array_unref(VITRINE_MACHINE_TILE(object)->bindings);
    G_OBJECT_CLASS(vitrine_machine_tile_parent_class)->finalize(object);
}

static void vitrine_machine_tile_class_init(VitrineMachineTileClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_machine_tile_dispose;
    G_OBJECT_CLASS(klass)->finalize = vitrine_machine_tile_finalize;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/machine-tile.ui");
    gtk_widget_class_bind_template_child(widget_class, VitrineMachineTile, picture);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachineTile, name);
    gtk_widget_class_bind_template_child(widget_class, VitrineMachineTile, state);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
}

static void vitrine_machine_tile_init(VitrineMachineTile *self)
{
    self->bindings = g_ptr_array_new();
    gtk_widget_init_template(GTK_WIDGET(self));
}

GtkWidget *vitrine_machine_tile_new(void)
{
    return g_object_new(VITRINE_TYPE_MACHINE_TILE, NULL);
}
