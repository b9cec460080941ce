/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_start(int argc, char **argv, GError **error)
{
    gboolean headless = FALSE, disposable = FALSE, paused = FALSE;
    const GOptionEntry entries[] = {
        { "headless", 0, 0, G_OPTION_ARG_NONE, &headless, NULL, NULL },
        { "disposable", 0, 0, G_OPTION_ARG_NONE, &disposable, NULL, NULL },
        { "paused", 0, 0, G_OPTION_ARG_NONE, &paused, NULL, NULL },
        { NULL },
    };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    if (!machine)
        return false;
    if (client_state_is_live(machine->state)) {
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE, "“%s” is %s already",
                    client_machine_name(machine), client_state_name(machine->state));
        return false;
    }
    return client_start(machine->bundle,
                        &(ClientStartOptions){ .paused = paused, .disposable = disposable }, error);
}
