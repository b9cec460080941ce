/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"

bool verb_stats(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    g_autoptr(GVariant) stats = NULL;
    if (!machine ||
        !verb_done(vitrine_dbus_machine1_call_stats_sync(machine, &stats, NULL, error), error))
        return false;
    if (as_json) {
        Json json;
        json_begin(&json);
        json_variant(&json, NULL, stats);
        json_end(&json);
        return true;
    }
    GVariantIter iter;
    char *name;
    GVariant *value;
    g_variant_iter_init(&iter, stats);
    while (g_variant_iter_loop(&iter, "{sv}", &name, &value)) {
        g_autofree char *text = g_variant_print(value, FALSE);
        printf("%-24s %s\n", name, text);
    }
    return true;
}
