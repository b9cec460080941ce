/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_stop(int argc, char **argv, GError **error)
{
    gboolean force = FALSE;
    const GOptionEntry entries[] = { { "force", 0, 0, G_OPTION_ARG_NONE, &force, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    return machine &&
           verb_done(vitrine_dbus_machine1_call_stop_sync(machine, force, NULL, error), error);
}
