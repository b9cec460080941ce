/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

/* \\n, \\t, \\b, \\e and \\\\ as a shell user writes them. */
static char *unescape(const char *text)
{
    static const char letters[] = "ntbe\\", meanings[] = "\n\t\b\033\\";
    GString *out = g_string_new(NULL);
    for (; *text; text++) {
        const char *letter = text[0] == '\\' && text[1] ? strchr(letters, text[1]) : NULL;
        g_string_append_c(out, letter ? meanings[letter - letters] : *text);
        text += letter != NULL;
    }
    return g_string_free(out, FALSE);
}

bool verb_type(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, 2, error))
        return false;
    g_autofree char *text = unescape(argv[2]);
    if (!g_utf8_validate(text, -1, NULL))
        return usage_error(error, _("The text is not UTF-8"));
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    return machine &&
           verb_done(vitrine_dbus_machine1_call_type_text_sync(machine, text, NULL, error), error);
}
