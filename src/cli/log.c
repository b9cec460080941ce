/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"
#include "client/stop-words.h"
#include <glib/gi18n.h>

bool verb_log(int argc, char **argv, GError **error)
{
    gboolean as_path = FALSE, as_json = FALSE;
    const GOptionEntry entries[] = { { "path", 0, 0, G_OPTION_ARG_NONE, &as_path, NULL, NULL },
                                     { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(ClientMachine) machine = client_find_machine(argv[1], error);
    if (!machine)
        return false;
    g_autofree char *path = g_build_filename(machine->bundle, BUNDLE_LOG, NULL);
    if (as_path) {
        puts(path);
        return true;
    }
    g_autofree char *text = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        text = g_strdup(""); /* it never ran */
    else if (!g_file_get_contents(path, &text, NULL, error))
        return false;
    if (!as_json) {
        g_autofree char *why = stop_dup_explanation(&machine->stop, machine->bundle);
        fputs(text, stdout);
        if (why[0])
            printf(_("\nWhy it stopped: %s\n"), why);
        return true;
    }
    Json json;
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    json_begin(&json);
    json_open_array(&json, NULL);
    for (unsigned i = 0; lines[i]; i++)
        json_string(&json, NULL, lines[i]);
    json_close_array(&json);
    json_end(&json);
    return true;
}
