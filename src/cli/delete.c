/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>

bool verb_delete(int argc, char **argv, GError **error)
{
    gboolean force = FALSE;
    const GOptionEntry entries[] = { { "force", 0, 0, G_OPTION_ARG_NONE, &force, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    /* A damaged one may be deleted too. */
    g_autoptr(ClientMachine) machine = client_find_machine(argv[1], error);
    g_autoptr(GError) local = NULL;
    if (!machine)
        return false;
    if (client_trash(machine->bundle, NULL, &local))
        return true;
    if (!g_error_matches(local, APP_ERROR, APP_ERROR_WRONG_STATE) && force)
        return client_delete_for_good(machine->bundle, error);
    if (local->domain == APP_ERROR) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                _("“%s” cannot be moved to the Trash (%s). --force deletes it for good"),
                client_machine_name(machine), local->message);
    return false;
}
