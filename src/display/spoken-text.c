/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The words of a text screen for screen readers: a text view that is never drawn and never takes
 * the focus, of which assistive technologies get text, caret and changes as of any other (GTK 4.8
 * lets no widget of ours be a text). Only rows that differ are replaced, so only they are said. */

#include "display/screen-private.h"
#include <glib/gi18n.h>

GtkWidget *spoken_text_new(void)
{
    GtkWidget *view = gtk_text_view_new();
    GtkWidget *window = gtk_scrolled_window_new();
    gtk_text_view_set_editable(GTK_TEXT_VIEW(view), FALSE);
    gtk_text_view_set_cursor_visible(GTK_TEXT_VIEW(view), FALSE);
    gtk_widget_set_focusable(view, FALSE);
    gtk_accessible_update_property(GTK_ACCESSIBLE(view), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   _("Text on the machine's screen"), -1);
    /* Asks for no room. */
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(window), GTK_POLICY_EXTERNAL,
                                   GTK_POLICY_EXTERNAL);
    gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(window), view);
    gtk_widget_set_opacity(window, 0);
    gtk_widget_set_can_target(window, FALSE);
    gtk_widget_set_visible(window, FALSE);
    return window;
}

static void spoken_update_row(GtkTextBuffer *buffer, int row, const char *words)
{
    GtkTextIter start, end;
    if (!gtk_text_buffer_get_iter_at_line(buffer, &start, row)) {
        gtk_text_buffer_get_end_iter(buffer, &end);
        if (row > 0)
            gtk_text_buffer_insert(buffer, &end, "\n", 1);
        gtk_text_buffer_insert(buffer, &end, words, -1);
        return;
    }
    end = start;
    if (!gtk_text_iter_ends_line(&end))
        gtk_text_iter_forward_to_line_end(&end);
    g_autofree char *before = gtk_text_buffer_get_text(buffer, &start, &end, TRUE);
    if (strcmp(before, words) == 0)
        return;
    gtk_text_buffer_delete(buffer, &start, &end);
    gtk_text_buffer_insert(buffer, &start, words, -1);
}

static void spoken_place_cursor(GtkTextBuffer *buffer, const TextScreen *screen)
{
    GtkTextIter at;
    if (screen->cursor_y < 0 || !gtk_text_buffer_get_iter_at_line(buffer, &at, screen->cursor_y))
        return;
    for (int x = 0; x < screen->cursor_x && !gtk_text_iter_ends_line(&at); x++)
        gtk_text_iter_forward_char(&at);
    gtk_text_buffer_place_cursor(buffer, &at);
}

void spoken_text_update(GtkWidget *spoken, const TextScreen *screen)
{
    GtkWidget *view = gtk_scrolled_window_get_child(GTK_SCROLLED_WINDOW(spoken));
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(view));
    gtk_widget_set_visible(spoken, screen != NULL);
    if (!screen) {
        gtk_text_buffer_set_text(buffer, "", 0);
        return;
    }
    if (gtk_text_buffer_get_line_count(buffer) > screen->rows)
        gtk_text_buffer_set_text(buffer, "", 0);
    for (int row = 0; row < screen->rows; row++) {
        g_autofree char *words =
            text_screen_dup_span(screen, text_screen_line_at(screen, row * screen->columns));
        spoken_update_row(buffer, row, words);
    }
    spoken_place_cursor(buffer, screen);
}
