/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

bool verb_set(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, -1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    if (!machine)
        return false;
    for (int i = 2; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (!equals)
            return usage_error(error, _("“%s” is not KEY=VALUE"), argv[i]);
        g_autofree char *key = g_strndup(argv[i], equals - argv[i]);
        if (!definition_set(machine->definition, key, equals + 1, error))
            return false;
    }
    /* All or nothing: one bad value and the file stays as it was. */
    if (!bundle_save(machine->bundle, machine->definition, error))
        return false;
    if (client_state_is_live(machine->state))
        fprintf(stderr, "vitrinectl: “%s” is %s; this counts from its next start\n",
                client_machine_name(machine), client_state_name(machine->state));
    return true;
}
