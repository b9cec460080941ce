/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What can be done with the screen that is shown: the actions "screen.…" of the window the page is
 * in, so that its menus have them. */

#include "ui/machine-page-private.h"
#include "ui/type-clipboard.h"

static void action_type_clipboard(GSimpleAction *action, GVariant *parameter, gpointer opaque)
{
    VitrineMachinePage *self = opaque;
    type_clipboard_show(GTK_WINDOW(self->root), self->machine);
}

void page_update_actions(VitrineMachinePage *self)
{
    bool running = self->screen && vitrine_machine_get_state(self->machine) == CLIENT_RUNNING;
    g_simple_action_set_enabled(
        G_SIMPLE_ACTION(g_action_map_lookup_action(self->actions, "type-clipboard")), running);
}

void page_make_actions(VitrineMachinePage *self)
{
    static const GActionEntry entries[] = {
        { .name = "type-clipboard", .activate = action_type_clipboard },
    };
    self->actions = G_ACTION_MAP(g_simple_action_group_new());
    g_action_map_add_action_entries(self->actions, entries, G_N_ELEMENTS(entries), self);
    page_update_actions(self);
}
