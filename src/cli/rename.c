/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_rename(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, 2, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    g_autofree char *bundle = machine ? client_rename(machine->bundle, argv[2], error) : NULL;
    return bundle != NULL;
}
