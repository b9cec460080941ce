/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_sendkey(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, -1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    return machine && verb_done(vitrine_dbus_machine1_call_send_keys_sync(
                                    machine, (const char *const *)argv + 2, NULL, error),
                                error);
}
