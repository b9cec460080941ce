/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Selecting and searching what a text screen says. The words are the engine's, the places those of
 * the picture: every cell is an equal part of it. */

#include "display/screen-private.h"

static const GdkRGBA selection_color = { 0.21f, 0.52f, 0.89f, 0.45f };
static const GdkRGBA found_color = { 0.97f, 0.83f, 0.27f, 0.45f };

static const TextScreen *screen_words(VitrineScreen *self)
{
    return self->text ? vitrine_text_source_get_screen(self->text) : NULL;
}

bool vitrine_screen_get_has_text(VitrineScreen *self)
{
    return screen_words(self) != NULL;
}

bool vitrine_screen_get_selecting(VitrineScreen *self)
{
    return self->selecting;
}

static void screen_select(VitrineScreen *self, TextSpan span)
{
    self->selection = span;
    gtk_widget_queue_draw(GTK_WIDGET(self));
    g_object_notify(G_OBJECT(self), "has-selection");
}

static void screen_forget_found(VitrineScreen *self)
{
    g_clear_pointer(&self->found, g_array_unref);
    self->which = 0;
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

void vitrine_screen_set_selecting(VitrineScreen *self, bool selecting)
{
    if (self->selecting == selecting || (selecting && !screen_words(self)))
        return;
    self->selecting = selecting;
    if (selecting) {
        vitrine_screen_release(self);
    } else {
        g_clear_pointer(&self->needle, g_free);
        screen_forget_found(self);
        screen_select(self, (TextSpan){ 0, 0 });
        if (gtk_widget_has_focus(GTK_WIDGET(self)))
            vitrine_screen_grab(self);
    }
    screen_update_cursor(self);
    g_object_notify(G_OBJECT(self), "selecting");
}

char *vitrine_screen_dup_selection(VitrineScreen *self)
{
    const TextScreen *words = screen_words(self);
    if (!words || self->selection.end <= self->selection.start)
        return NULL;
    return text_screen_dup_span(words, self->selection);
}

void vitrine_screen_select_all(VitrineScreen *self)
{
    const TextScreen *words = screen_words(self);
    if (words && self->selecting)
        screen_select(self, text_screen_all(words));
}

/* Searching -------------------------------------------------------------------------------------
 */

static unsigned screen_show_found(VitrineScreen *self, unsigned *out_which)
{
    unsigned n = self->found ? self->found->len : 0;
    if (self->which > 0)
        screen_select(self, g_array_index(self->found, TextSpan, self->which - 1));
    *out_which = self->which;
    return n;
}

unsigned vitrine_screen_find(VitrineScreen *self, const char *needle, unsigned *out_which)
{
    const TextScreen *words = screen_words(self);
    g_free(self->needle);
    self->needle = g_strdup(needle);
    screen_forget_found(self);
    if (words && needle[0])
        self->found = text_screen_find(words, needle);
    /* The newest words are at the bottom. */
    self->which = self->found ? self->found->len : 0;
    if (self->which == 0)
        screen_select(self, (TextSpan){ 0, 0 });
    return screen_show_found(self, out_which);
}

unsigned vitrine_screen_find_next(VitrineScreen *self, bool backwards, unsigned *out_which)
{
    unsigned n = self->found ? self->found->len : 0;
    if (n > 0)
        self->which = backwards ? (self->which + n - 2) % n + 1 : self->which % n + 1;
    return screen_show_found(self, out_which);
}

/* Following the guest ---------------------------------------------------------------------------
 */

/* What was selected may be elsewhere now: nobody should copy what they have not seen. */
static void on_text_changed(VitrineTextSource *source, gboolean words_changed, VitrineScreen *self)
{
    const TextScreen *words = screen_words(self);
    spoken_text_update(self->spoken, words);
    if (!words_changed)
        return;
    if (!words)
        vitrine_screen_set_selecting(self, false);
    if (self->selecting) {
        screen_forget_found(self);
        screen_select(self, (TextSpan){ 0, 0 });
        if (words && self->needle && self->needle[0])
            self->found = text_screen_find(words, self->needle);
    }
    g_object_notify(G_OBJECT(self), "has-text");
}

/* The mouse -------------------------------------------------------------------------------------
 */

static int screen_cell_at(VitrineScreen *self, const TextScreen *words, double x, double y)
{
    DisplayGeometry g;
    screen_geometry(self, &g);
    return text_screen_cell_at(words, g.width > 0 ? (x - g.x) / g.width : 0,
                               g.height > 0 ? (y - g.y) / g.height : 0);
}

/* What shows itself for a selection moves the picture: not under the pointer while it drags. */
static void screen_hold_notify(VitrineScreen *self, bool hold)
{
    if (self->notify_held == hold)
        return;
    self->notify_held = hold;
    if (hold)
        g_object_freeze_notify(G_OBJECT(self));
    else
        g_object_thaw_notify(G_OBJECT(self));
}

/* Shift and a drag, as in terminals whose program has the mouse. */
static void on_drag_begin(GtkGestureDrag *drag, double x, double y, VitrineScreen *self)
{
    GdkModifierType held = gtk_event_controller_get_current_event_state(GTK_EVENT_CONTROLLER(drag));
    const TextScreen *words = screen_words(self);
    bool begins = (held & GDK_SHIFT_MASK) && !vitrine_screen_get_pointer_grabbed(self);
    if (!words || (!self->selecting && !begins)) {
        gtk_gesture_set_state(GTK_GESTURE(drag), GTK_EVENT_SEQUENCE_DENIED);
        return;
    }
    gtk_widget_grab_focus(GTK_WIDGET(self));
    screen_hold_notify(self, true);
    vitrine_screen_set_selecting(self, true);
    self->anchor = screen_cell_at(self, words, x, y);
    screen_select(self, (TextSpan){ 0, 0 });
    gtk_gesture_set_state(GTK_GESTURE(drag), GTK_EVENT_SEQUENCE_CLAIMED);
}

static void on_drag_update(GtkGestureDrag *drag, double dx, double dy, VitrineScreen *self)
{
    double x, y;
    const TextScreen *words = screen_words(self);
    if (self->selecting && words && gtk_gesture_drag_get_start_point(drag, &x, &y))
        screen_select(self, text_screen_span(words, self->anchor,
                                             screen_cell_at(self, words, x + dx, y + dy)));
}

/* What is selected can be pasted with the middle button, as everywhere. */
static void screen_offer_selection(VitrineScreen *self)
{
    g_autofree char *text = vitrine_screen_dup_selection(self);
    if (text && text[0])
        gdk_clipboard_set_text(gtk_widget_get_primary_clipboard(GTK_WIDGET(self)), text);
}

static void on_drag_end(GtkGestureDrag *drag, double dx, double dy, VitrineScreen *self)
{
    screen_offer_selection(self);
    screen_hold_notify(self, false);
}

static void on_drag_cancel(GtkGesture *drag, GdkEventSequence *sequence, VitrineScreen *self)
{
    screen_hold_notify(self, false);
}

static void on_click(GtkGestureClick *click, int n_press, double x, double y, VitrineScreen *self)
{
    const TextScreen *words = screen_words(self);
    if (!self->selecting || !words || n_press < 2)
        return;
    int cell = screen_cell_at(self, words, x, y);
    screen_select(self, n_press == 2 ? text_screen_word_at(words, cell)
                                     : text_screen_line_at(words, cell));
    screen_offer_selection(self);
}

/* Drawing ---------------------------------------------------------------------------------------
 */

static void screen_snapshot_span(const TextScreen *words, const DisplayGeometry *g, TextSpan span,
                                 const GdkRGBA *color, GtkSnapshot *snapshot)
{
    double cell_width = g->width / words->columns, cell_height = g->height / words->rows;
    int first, last;
    for (int row = 0; row < words->rows; row++)
        if (text_screen_span_in_row(words, span, row, &first, &last))
            gtk_snapshot_append_color(snapshot, color,
                                      &GRAPHENE_RECT_INIT((float)(g->x + first * cell_width),
                                                          (float)(g->y + row * cell_height),
                                                          (float)((last - first) * cell_width),
                                                          (float)cell_height));
}

void screen_snapshot_text(VitrineScreen *self, GtkSnapshot *snapshot)
{
    const TextScreen *words = screen_words(self);
    DisplayGeometry g;
    if (!words || !self->selecting)
        return;
    screen_geometry(self, &g);
    for (guint i = 0; self->found && i < self->found->len; i++)
        if (i + 1 != self->which)
            screen_snapshot_span(words, &g, g_array_index(self->found, TextSpan, i), &found_color,
                                 snapshot);
    screen_snapshot_span(words, &g, self->selection, &selection_color, snapshot);
}

void screen_add_text(VitrineScreen *self)
{
    GtkWidget *widget = GTK_WIDGET(self);
    self->text = vitrine_text_source_new(self->frame);
    self->spoken = spoken_text_new();
    gtk_widget_set_parent(self->spoken, widget);
    g_signal_connect(self->text, "changed", G_CALLBACK(on_text_changed), self);

    /* Before the controllers that tell the guest. */
    GtkGesture *drag = gtk_gesture_drag_new();
    gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(drag), GTK_PHASE_CAPTURE);
    g_signal_connect(drag, "drag-begin", G_CALLBACK(on_drag_begin), self);
    g_signal_connect(drag, "drag-update", G_CALLBACK(on_drag_update), self);
    g_signal_connect(drag, "drag-end", G_CALLBACK(on_drag_end), self);
    g_signal_connect(drag, "cancel", G_CALLBACK(on_drag_cancel), self);
    gtk_widget_add_controller(widget, GTK_EVENT_CONTROLLER(drag));
    GtkGesture *click = gtk_gesture_click_new();
    gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(click), GTK_PHASE_CAPTURE);
    g_signal_connect(click, "pressed", G_CALLBACK(on_click), self);
    gtk_widget_add_controller(widget, GTK_EVENT_CONTROLLER(click));
    gtk_gesture_group(drag, click);
}

void screen_drop_text(VitrineScreen *self)
{
    if (self->text)
        g_signal_handlers_disconnect_by_data(self->text, self);
    g_clear_object(&self->text);
    g_clear_pointer(&self->spoken, gtk_widget_unparent);
    g_clear_pointer(&self->found, g_array_unref);
}
