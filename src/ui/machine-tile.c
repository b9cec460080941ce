/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/machine-tile.h"
#include <glib/gi18n.h>

#define ROW_WIDTH 96
#define ROW_HEIGHT 60

struct _VitrineMachineTile {
    GtkWidget parent;
    GtkBox *box, *words;
    GtkWidget *shot;
    GtkPicture *picture;
    GtkWidget *placeholder;
    GtkLabel *name, *caption;
    GtkLabel *tile_badge, *row_badge; /* one of them is used */
    GtkLabel *badge;                  /* borrowed: that one */
    VitrineMachine *machine;          /* owned, or NULL */
};

enum { SIGNAL_MENU, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineMachineTile, vitrine_machine_tile, GTK_TYPE_WIDGET)

/* What is said ----------------------------------------------------------------------------------
 */

static char *dup_last_used(int64_t when)
{
    if (when == 0)
        return g_strdup(_("Never started"));
    g_autoptr(GDateTime) then = g_date_time_new_from_unix_local(when);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    if (!then)
        return g_strdup("");
    /* By the calendar, not by hours: what ran last night ran yesterday. */
    GDate a, b;
    g_date_clear(&a, 1);
    g_date_clear(&b, 1);
    g_date_set_dmy(&a, g_date_time_get_day_of_month(then), g_date_time_get_month(then),
                   g_date_time_get_year(then));
    g_date_set_dmy(&b, g_date_time_get_day_of_month(now), g_date_time_get_month(now),
                   g_date_time_get_year(now));
    int days = g_date_days_between(&a, &b);
    if (days <= 0)
        return g_strdup(_("Used today"));
    if (days == 1)
        return g_strdup(_("Used yesterday"));
    if (days < 30)
        return g_strdup_printf(ngettext("Used %d day ago", "Used %d days ago", days), days);
    g_autofree char *date = g_date_time_format(then, "%x");
    /* Translators: %s is a date */
    return g_strdup_printf(_("Used on %s"), date);
}

static char *dup_caption(VitrineMachine *machine)
{
    const char *problem = vitrine_machine_get_problem(machine);
    g_autofree char *cpu = NULL;
    g_object_get(machine, "cpu-text", &cpu, NULL);
    /* The tip has all of it; paths would leave no room for what is wrong. */
    if (vitrine_machine_is_missing(machine))
        return g_strdup(_("Not where it was"));
    if (vitrine_machine_is_damaged(machine))
        return g_strdup(_("Its definition cannot be read"));
    if (problem && *problem)
        return g_strdup(problem);
    if (vitrine_machine_is_live(machine))
        return g_steal_pointer(&cpu);
    return dup_last_used(vitrine_machine_get_last_used(machine));
}

static const char *badge_class(VitrineMachine *machine)
{
    if (vitrine_machine_is_missing(machine))
        return "off";
    switch (vitrine_machine_get_state(machine)) {
    case CLIENT_RUNNING: return "running";
    case CLIENT_PAUSED: return "paused";
    case CLIENT_OFF: return "off";
    default: return "problem";
    }
}

/* The list item says the same to those who do not see the tile. */
static void tile_name_item(VitrineMachineTile *self, const char *state)
{
    GtkWidget *item = gtk_widget_get_parent(GTK_WIDGET(self));
    if (!item)
        return;
    g_autofree char *label =
        g_strdup_printf("%s, %s", vitrine_machine_get_name(self->machine), state);
    gtk_accessible_update_property(GTK_ACCESSIBLE(item), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                   GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                   gtk_label_get_text(self->caption), -1);
}

static void tile_update(VitrineMachineTile *self)
{
    static const char *const classes[] = { "running", "paused", "problem", "off" };
    g_autofree char *state = NULL, *caption = dup_caption(self->machine);
    g_autoptr(GdkPaintable) thumbnail = NULL;
    g_object_get(self->machine, "state-text", &state, "thumbnail", &thumbnail, NULL);
    gtk_label_set_text(self->name, vitrine_machine_get_name(self->machine));
    gtk_label_set_text(self->caption, caption);
    gtk_label_set_text(self->badge, state);
    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++)
        gtk_widget_remove_css_class(GTK_WIDGET(self->badge), classes[i]);
    gtk_widget_add_css_class(GTK_WIDGET(self->badge), badge_class(self->machine));
    gtk_picture_set_paintable(self->picture, thumbnail);
    gtk_widget_set_visible(self->placeholder, thumbnail == NULL);
    gtk_widget_set_opacity(GTK_WIDGET(self->picture),
                           vitrine_machine_is_live(self->machine) ? 1 : 0.55);
    const char *problem = vitrine_machine_get_problem(self->machine);
    gtk_widget_set_tooltip_text(GTK_WIDGET(self), problem && *problem ? problem : NULL);
    tile_name_item(self, state);
}

void vitrine_machine_tile_set_machine(VitrineMachineTile *self, VitrineMachine *machine)
{
    if (self->machine)
        g_signal_handlers_disconnect_by_data(self->machine, self);
    g_set_object(&self->machine, machine);
    if (!machine)
        return;
    g_signal_connect_swapped(machine, "notify", G_CALLBACK(tile_update), self);
    vitrine_machine_want_thumbnail(machine, gtk_widget_get_scale_factor(GTK_WIDGET(self)));
    tile_update(self);
}

VitrineMachine *vitrine_machine_tile_get_machine(VitrineMachineTile *self)
{
    return self->machine;
}

/* The widget ------------------------------------------------------------------------------------
 */

static void on_menu_click(GtkGestureClick *gesture, int n_press, double x, double y,
                          VitrineMachineTile *self)
{
    gtk_gesture_set_state(GTK_GESTURE(gesture), GTK_EVENT_SEQUENCE_CLAIMED);
    g_signal_emit(self, signals[SIGNAL_MENU], 0, x, y);
}

static void on_long_press(GtkGestureLongPress *gesture, double x, double y,
                          VitrineMachineTile *self)
{
    gtk_gesture_set_state(GTK_GESTURE(gesture), GTK_EVENT_SEQUENCE_CLAIMED);
    g_signal_emit(self, signals[SIGNAL_MENU], 0, x, y);
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

static void vitrine_machine_tile_class_init(VitrineMachineTileClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_machine_tile_dispose;
    signals[SIGNAL_MENU] =
        g_signal_new("menu", VITRINE_TYPE_MACHINE_TILE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/machine-tile.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineMachineTile, name)
    CHILD(box);
    CHILD(words);
    CHILD(shot);
    CHILD(picture);
    CHILD(placeholder);
    CHILD(name);
    CHILD(caption);
    CHILD(tile_badge);
    CHILD(row_badge);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_menu_click);
    gtk_widget_class_bind_template_callback(widget_class, on_long_press);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
}

static void vitrine_machine_tile_init(VitrineMachineTile *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}

GtkWidget *vitrine_machine_tile_new(bool as_row)
{
    VitrineMachineTile *self = g_object_new(VITRINE_TYPE_MACHINE_TILE, NULL);
    self->badge = as_row ? self->row_badge : self->tile_badge;
    gtk_widget_set_visible(GTK_WIDGET(self->badge), TRUE);
    if (as_row) {
        gtk_orientable_set_orientation(GTK_ORIENTABLE(self->box), GTK_ORIENTATION_HORIZONTAL);
        gtk_box_set_spacing(self->box, 12);
        gtk_widget_set_size_request(self->shot, ROW_WIDTH, ROW_HEIGHT);
        gtk_widget_set_halign(GTK_WIDGET(self->name), GTK_ALIGN_START);
        gtk_widget_set_halign(GTK_WIDGET(self->caption), GTK_ALIGN_START);
        gtk_widget_set_hexpand(self->shot, FALSE);
    }
    return GTK_WIDGET(self);
}
