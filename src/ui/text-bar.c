/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/text-bar.h"
#include <glib/gi18n.h>

struct _VitrineTextBar {
    GtkWidget parent;
    GtkRevealer *revealer;
    GtkSearchEntry *entry;
    GtkLabel *count;
    GtkButton *previous_button, *next_button;
    VitrineScreen *screen; /* owned, or NULL */
};

G_DEFINE_FINAL_TYPE(VitrineTextBar, vitrine_text_bar, GTK_TYPE_WIDGET)

static void bar_show_count(VitrineTextBar *self, unsigned n, unsigned which)
{
    g_autofree char *text = NULL;
    if (gtk_editable_get_text(GTK_EDITABLE(self->entry))[0] == '\0')
        text = g_strdup("");
    else if (n == 0)
        text = g_strdup(_("Not found"));
    else /* Translators: the place that is selected, of all that were found. */
        text = g_strdup_printf(_("%u of %u"), which, n);
    gtk_label_set_text(self->count, text);
    gtk_widget_set_sensitive(GTK_WIDGET(self->previous_button), n > 1);
    gtk_widget_set_sensitive(GTK_WIDGET(self->next_button), n > 1);
}

static void on_search_changed(GtkSearchEntry *entry, VitrineTextBar *self)
{
    unsigned which = 0;
    if (!self->screen)
        return;
    unsigned n =
        vitrine_screen_find(self->screen, gtk_editable_get_text(GTK_EDITABLE(entry)), &which);
    bar_show_count(self, n, which);
}

static void bar_go(VitrineTextBar *self, bool backwards)
{
    unsigned which = 0;
    if (self->screen) {
        unsigned n = vitrine_screen_find_next(self->screen, backwards, &which);
        bar_show_count(self, n, which);
    }
}

static void on_next(GtkWidget *widget, VitrineTextBar *self)
{
    bar_go(self, false);
}

static void on_previous(GtkWidget *widget, VitrineTextBar *self)
{
    bar_go(self, true);
}

static void on_done(GtkWidget *widget, VitrineTextBar *self)
{
    if (self->screen)
        vitrine_screen_set_selecting(self->screen, false);
}

static void on_selecting(VitrineTextBar *self)
{
    bool selecting = self->screen && vitrine_screen_get_selecting(self->screen);
    GtkRoot *root = gtk_widget_get_root(GTK_WIDGET(self));
    GtkWidget *focus = root ? gtk_root_get_focus(root) : NULL;
    if (!selecting && self->screen && focus && gtk_widget_is_ancestor(focus, GTK_WIDGET(self)))
        gtk_widget_grab_focus(GTK_WIDGET(self->screen));
    if (!selecting)
        gtk_editable_set_text(GTK_EDITABLE(self->entry), "");
    bar_show_count(self, 0, 0);
    gtk_revealer_set_reveal_child(self->revealer, selecting);
}

void vitrine_text_bar_set_screen(VitrineTextBar *self, VitrineScreen *screen)
{
    if (self->screen)
        g_signal_handlers_disconnect_by_func(self->screen, on_selecting, self);
    g_set_object(&self->screen, screen);
    if (screen)
        g_signal_connect_swapped(screen, "notify::selecting", G_CALLBACK(on_selecting), self);
    gtk_revealer_set_reveal_child(self->revealer, screen && vitrine_screen_get_selecting(screen));
}

void vitrine_text_bar_find(VitrineTextBar *self)
{
    gtk_widget_grab_focus(GTK_WIDGET(self->entry));
}

static void vitrine_text_bar_dispose(GObject *object)
{
    VitrineTextBar *self = VITRINE_TEXT_BAR(object);
    GtkWidget *child;
    if (self->screen)
        g_signal_handlers_disconnect_by_func(self->screen, on_selecting, self);
    g_clear_object(&self->screen);
    while ((child = gtk_widget_get_first_child(GTK_WIDGET(self))))
        gtk_widget_unparent(child);
    G_OBJECT_CLASS(vitrine_text_bar_parent_class)->dispose(object);
}

static void vitrine_text_bar_class_init(VitrineTextBarClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_text_bar_dispose;
    gtk_widget_class_set_template_from_resource(widget_class, "/org/vitrine/Vitrine/text-bar.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineTextBar, name)
    CHILD(revealer);
    CHILD(entry);
    CHILD(count);
    CHILD(previous_button);
    CHILD(next_button);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_search_changed);
    gtk_widget_class_bind_template_callback(widget_class, on_next);
    gtk_widget_class_bind_template_callback(widget_class, on_previous);
    gtk_widget_class_bind_template_callback(widget_class, on_done);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
}

static void vitrine_text_bar_init(VitrineTextBar *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
    bar_show_count(self, 0, 0);
}
