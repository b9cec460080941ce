/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What can be done with the screen that is shown: the actions "screen.…" of the window the page is
 * in, so that its menus have them. */

#include "ui/machine-page-private.h"
#include "ui/type-clipboard.h"
#include <glib/gi18n.h>

static void action_type_clipboard(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    type_clipboard_show(GTK_WINDOW(self->root), self->machine);
}

static void change_select_text(GSimpleAction *action, GVariant *value, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    if (!self->screen)
        return;
    gtk_widget_grab_focus(GTK_WIDGET(self->screen));
    vitrine_screen_set_selecting(self->screen, g_variant_get_boolean(value));
}

static void action_find_text(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    vitrine_screen_set_selecting(self->screen, true);
    vitrine_text_bar_find(self->text_bar);
}

/* What people select on a console they want elsewhere: the guest gets its keyboard back. */
static void action_copy_text(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    g_autofree char *text = vitrine_screen_dup_selection(self->screen);
    if (!text)
        return;
    gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(self)), text);
    vitrine_screen_set_selecting(self->screen, false);
    vitrine_machine_page_focus_screen(self);
}

static void action_select_all(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    vitrine_screen_select_all(((VitrineMachinePage *)opaque)->screen);
}

static void action_leave_text(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    vitrine_screen_set_selecting(self->screen, false);
    vitrine_machine_page_focus_screen(self);
}

/* Which processor runs the guest, and why that one. */
static void action_processor(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    g_autofree char *cpu = NULL, *reason = NULL;
    g_object_get(self->machine, "cpu-text", &cpu, "cpu-reason", &reason, NULL);
    GtkWidget *dialog = adw_message_dialog_new(GTK_WINDOW(self->root), cpu, reason);
    adw_message_dialog_add_response(ADW_MESSAGE_DIALOG(dialog), "close", _("_Close"));
    adw_message_dialog_set_close_response(ADW_MESSAGE_DIALOG(dialog), "close");
    gtk_window_present(GTK_WINDOW(dialog));
}

static GSimpleAction *page_action(VitrineMachinePage *self, const char *name)
{
    return G_SIMPLE_ACTION(g_action_map_lookup_action(self->actions, name));
}

void page_update_actions(VitrineMachinePage *self)
{
    bool running = self->screen && vitrine_machine_get_state(self->machine) == CLIENT_RUNNING;
    bool text = self->screen && vitrine_screen_get_has_text(self->screen);
    bool selecting = text && vitrine_screen_get_selecting(self->screen);
    gboolean selected = FALSE;
    if (selecting)
        g_object_get(self->screen, "has-selection", &selected, NULL);
    g_simple_action_set_enabled(page_action(self, "processor"), self->screen != NULL);
    g_simple_action_set_enabled(page_action(self, "type-clipboard"), running);
    g_simple_action_set_enabled(page_action(self, "select-text"), text);
    g_simple_action_set_state(page_action(self, "select-text"), g_variant_new_boolean(selecting));
    g_simple_action_set_enabled(page_action(self, "find-text"), selecting);
    g_simple_action_set_enabled(page_action(self, "select-all"), selecting);
    g_simple_action_set_enabled(page_action(self, "leave-text"), selecting);
    g_simple_action_set_enabled(page_action(self, "copy-text"), selecting && selected);
}

void page_make_actions(VitrineMachinePage *self)
{
    static const GActionEntry entries[] = {
        { .name = "processor", .activate = action_processor },
        { .name = "type-clipboard", .activate = action_type_clipboard },
        { .name = "select-text", .state = "false", .change_state = change_select_text },
        { .name = "find-text", .activate = action_find_text },
        { .name = "copy-text", .activate = action_copy_text },
        { .name = "select-all", .activate = action_select_all },
        { .name = "leave-text", .activate = action_leave_text },
    };
    self->actions = G_ACTION_MAP(g_simple_action_group_new());
    g_action_map_add_action_entries(self->actions, entries, G_N_ELEMENTS(entries), self);
    page_update_actions(self);
}

void page_follow_text(VitrineMachinePage *self)
{
    static const char *const signals[] = { "notify::has-text", "notify::selecting",
                                           "notify::has-selection" };
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        g_signal_connect_object(self->screen, signals[i], G_CALLBACK(page_update_actions), self,
                                G_CONNECT_SWAPPED);
    vitrine_text_bar_set_screen(self->text_bar, self->screen);
}

/* They do nothing, and so reach the window, while nothing is selected. */
void page_bind_text_keys(GtkWidgetClass *widget_class)
{
    static const struct {
        guint key;
        GdkModifierType held;
        const char *action;
    } keys[] = {
        { GDK_KEY_c, GDK_CONTROL_MASK, "screen.copy-text" },
        { GDK_KEY_c, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "screen.copy-text" },
        { GDK_KEY_a, GDK_CONTROL_MASK, "screen.select-all" },
        { GDK_KEY_f, GDK_CONTROL_MASK, "screen.find-text" },
        { GDK_KEY_Escape, 0, "screen.leave-text" },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        gtk_widget_class_add_binding_action(widget_class, keys[i].key, keys[i].held, keys[i].action,
                                            NULL);
}
