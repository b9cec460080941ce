/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Who has keyboard and pointer, how to take them back, and saying so. */

#include "display/release-chord.h"
#include "ui/machine-page-private.h"
#include <glib/gi18n.h>

#define HINT_SECONDS 4
#define ROOM_FOR_HINT 600    /* of a header, that is: logical units of the window's width */
#define REFUSAL_AFTER_MS 700 /* a compositor answers, or asks its user, within that */

/* The words beside the name ---------------------------------------------------------------------
 */

static void page_set_hint(VitrineMachinePage *self, char *hint)
{
    if (g_strcmp0(self->hint, hint) == 0) {
        g_free(hint);
        return;
    }
    g_free(self->hint);
    self->hint = hint;
    g_object_notify(G_OBJECT(self), "hint");
}

static void page_update_hint(VitrineMachinePage *self)
{
    if (!self->screen || !vitrine_screen_get_grabbed(self->screen)) {
        page_set_hint(self, NULL);
        return;
    }
    g_autofree char *keys = vitrine_screen_dup_release_label(self->screen);
    bool pointer = vitrine_screen_get_pointer_grabbed(self->screen);
    bool refused = !self->refusal_timer && !vitrine_screen_get_shortcuts_inhibited(self->screen);
    /* Translators: %s is a key combination such as “Left Ctrl + left Alt”. */
    const char *format = refused
                             ? _("%s releases the keyboard; the desktop keeps its own shortcuts")
                         : pointer ? _("%s releases the keyboard and the pointer")
                                   : _("%s releases the keyboard");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    page_set_hint(self, g_strdup_printf(format, keys));
#pragma GCC diagnostic pop
}

static gboolean on_refusal_timer(gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    self->refusal_timer = 0;
    page_update_hint(self);
    return G_SOURCE_REMOVE;
}

const char *vitrine_machine_page_get_hint(VitrineMachinePage *self)
{
    return self->hint_timer ? NULL : self->hint; /* said over the screen: once is enough */
}

/* The words over the screen ---------------------------------------------------------------------
 */

static gboolean on_hint_timer(gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    self->hint_timer = 0;
    gtk_revealer_set_reveal_child(self->hint_revealer, FALSE);
    g_object_notify(G_OBJECT(self), "hint");
    return G_SOURCE_REMOVE;
}

static void page_flash_hint(VitrineMachinePage *self)
{
    g_clear_handle_id(&self->hint_timer, g_source_remove);
    gtk_label_set_text(self->hint_label, self->hint);
    gtk_revealer_set_reveal_child(self->hint_revealer, TRUE);
    self->hint_timer = g_timeout_add_seconds(HINT_SECONDS, on_hint_timer, self);
    g_object_notify(G_OBJECT(self), "hint");
}

static void page_hide_flash(VitrineMachinePage *self)
{
    if (!self->hint_timer)
        return;
    g_clear_handle_id(&self->hint_timer, g_source_remove);
    gtk_revealer_set_reveal_child(self->hint_revealer, FALSE);
    g_object_notify(G_OBJECT(self), "hint");
}

/* Following the screen --------------------------------------------------------------------------
 */

static bool page_is_paused(VitrineMachinePage *self)
{
    ClientState state = self->machine ? vitrine_machine_get_state(self->machine) : CLIENT_OFF;
    return state == CLIENT_PAUSED || state == CLIENT_PAUSED_PROBLEM;
}

/* What stands still has no use for keys: it gets them back when it goes on. */
static void on_paused_or_resumed(VitrineScreen *screen, GParamSpec *spec, VitrineMachine *machine)
{
    VitrineMachinePage *self = VITRINE_MACHINE_PAGE(
        gtk_widget_get_ancestor(GTK_WIDGET(screen), VITRINE_TYPE_MACHINE_PAGE));
    if (!self)
        return;
    if (page_is_paused(self))
        vitrine_screen_release(screen);
    else if (gtk_widget_has_focus(GTK_WIDGET(screen)))
        vitrine_screen_grab(screen);
}

static void on_grabbed(VitrineMachinePage *self)
{
    /* A screen that is dropped lets go when the page has none any more. */
    bool grabbed = self->screen && vitrine_screen_get_grabbed(self->screen);
    if (grabbed && page_is_paused(self)) {
        vitrine_screen_release(self->screen);
        return;
    }
    g_clear_handle_id(&self->refusal_timer, g_source_remove);
    if (grabbed)
        self->refusal_timer = g_timeout_add(REFUSAL_AFTER_MS, on_refusal_timer, self);
    page_update_hint(self);
    if (self->hint && gtk_widget_get_width(GTK_WIDGET(self)) < ROOM_FOR_HINT)
        page_flash_hint(self);
    else
        page_hide_flash(self);
    g_object_notify(G_OBJECT(self), "grabbed");
}

/* The pointer vanishes: that needs to be said where people look. */
static void on_pointer_grabbed(VitrineMachinePage *self)
{
    page_update_hint(self);
    if (self->hint && vitrine_screen_get_pointer_grabbed(self->screen))
        page_flash_hint(self);
    else
        page_hide_flash(self);
}

void page_follow_input(VitrineMachinePage *self)
{
    g_signal_connect_object(self->machine, "notify::state", G_CALLBACK(on_paused_or_resumed),
                            self->screen, G_CONNECT_SWAPPED);
    g_object_set(self->screen, "release-chord", self->release_chord, NULL);
    if (self->host_chords)
        g_object_set(self->screen, "host-chords", self->host_chords, NULL);
    g_signal_connect_object(self->screen, "notify::grabbed", G_CALLBACK(on_grabbed), self,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(self->screen, "notify::pointer-grabbed", G_CALLBACK(on_pointer_grabbed),
                            self, G_CONNECT_SWAPPED);
    g_signal_connect_object(self->screen, "notify::shortcuts-inhibited",
                            G_CALLBACK(page_update_hint), self, G_CONNECT_SWAPPED);
}

void page_forget_input(VitrineMachinePage *self)
{
    g_clear_handle_id(&self->refusal_timer, g_source_remove);
    page_hide_flash(self);
    page_set_hint(self, NULL);
    g_object_notify(G_OBJECT(self), "grabbed");
}

void page_set_release_chord(VitrineMachinePage *self, const char *chord)
{
    g_free(self->release_chord);
    self->release_chord = g_strdup(chord);
    if (self->screen)
        g_object_set(self->screen, "release-chord", chord, NULL);
    page_update_hint(self);
}

void page_set_host_chords(VitrineMachinePage *self, const char *const *accelerators)
{
    g_strfreev(self->host_chords);
    self->host_chords = g_strdupv((char **)accelerators);
    if (self->screen && accelerators)
        g_object_set(self->screen, "host-chords", accelerators, NULL);
}

char *vitrine_machine_page_dup_release_label(VitrineMachinePage *self)
{
    ReleaseChord chord;
    release_chord_parse(&chord, self->release_chord);
    return release_chord_dup_label(&chord);
}

char *vitrine_machine_page_dup_brief_release_label(VitrineMachinePage *self)
{
    ReleaseChord chord;
    release_chord_parse(&chord, self->release_chord);
    return release_chord_dup_brief_label(&chord);
}

bool vitrine_machine_page_get_grabbed(VitrineMachinePage *self)
{
    return self->screen && vitrine_screen_get_grabbed(self->screen);
}

bool vitrine_machine_page_get_pointer_grabbed(VitrineMachinePage *self)
{
    return self->screen && vitrine_screen_get_pointer_grabbed(self->screen);
}

/* Focus -----------------------------------------------------------------------------------------
 */

void vitrine_machine_page_focus_screen(VitrineMachinePage *self)
{
    if (!self->screen || !gtk_widget_get_mapped(GTK_WIDGET(self->screen)))
        return;
    gtk_widget_grab_focus(GTK_WIDGET(self->screen));
    vitrine_screen_grab(self->screen);
}

static gboolean on_menu_closed(gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    GtkWidget *focus = self->root ? gtk_root_get_focus(self->root) : NULL;
    if (self->root && !(focus && gtk_widget_get_ancestor(focus, GTK_TYPE_POPOVER)))
        vitrine_machine_page_focus_screen(self);
    return G_SOURCE_REMOVE;
}

/* A menu that closes leaves the focus on its button, where what is typed next would open it again:
 * it goes to the screen, whose menu that was. */
static void on_focus_widget(VitrineMachinePage *self)
{
    GtkWidget *focus = gtk_root_get_focus(self->root);
    bool was_in_popover = self->focus_in_popover;
    self->focus_in_popover = focus && gtk_widget_get_ancestor(focus, GTK_TYPE_POPOVER);
    if (was_in_popover && !self->focus_in_popover && self->screen)
        g_idle_add_full(G_PRIORITY_DEFAULT, on_menu_closed, g_object_ref(self), g_object_unref);
}

void page_follow_focus(VitrineMachinePage *self, GtkRoot *root)
{
    if (self->root)
        g_signal_handlers_disconnect_by_func(self->root, on_focus_widget, self);
    self->root = GTK_IS_WINDOW(root) ? root : NULL;
    self->focus_in_popover = false;
    if (self->root)
        g_signal_connect_swapped(self->root, "notify::focus-widget", G_CALLBACK(on_focus_widget),
                                 self);
}
