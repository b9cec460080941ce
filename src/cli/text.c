/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"

bool verb_text(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    g_autofree char *text = NULL;
    int columns, rows, x, y;
    if (!machine || !verb_done(vitrine_dbus_machine1_call_text_sync(machine, &text, &columns, &rows,
                                                                    &x, &y, NULL, error),
                               error))
        return false;
    if (!as_json) {
        printf("%s%s", text, g_str_has_suffix(text, "\n") || !text[0] ? "" : "\n");
        return true;
    }
    Json json;
    json_begin(&json);
    json_open_object(&json, NULL);
    json_string(&json, "text", text);
    json_integer(&json, "columns", columns);
    json_integer(&json, "rows", rows);
    json_integer(&json, "cursor-x", x);
    json_integer(&json, "cursor-y", y);
    json_close_object(&json);
    json_end(&json);
    return true;
}
