/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"

bool verb_rename(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, 2, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    g_autoptr(Definition) scratch = definition_new("x");
    g_autofree char *name = g_strstrip(g_strdup(argv[2]));
    if (!machine || !verb_usage(definition_set(scratch, "name", name, error), error))
        return false;
    g_autofree char *bundle = client_rename(machine->bundle, name, error);
    return bundle != NULL;
}
