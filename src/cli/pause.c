/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_pause(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 1, 1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    return machine && verb_done(vitrine_dbus_machine1_call_pause_sync(machine, NULL, error), error);
}
