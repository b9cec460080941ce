/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

static bool refuse_place(const char *number, GError **error)
{
    return usage_error(error, _("“%s” is not a place on a screen: pixels count from 0"), number);
}

bool verb_click(int argc, char **argv, GError **error)
{
    static const char *const buttons[] = { "left", "middle", "right" };
    g_autofree char *name = NULL;
    const GOptionEntry entries[] = { { "button", 0, 0, G_OPTION_ARG_STRING, &name, NULL, NULL },
                                     { NULL } };
    guint64 x, y;
    unsigned button = 0;
    for (int i = 2; i < argc; i++)
        if (argv[i][0] == '-' && g_ascii_isdigit(argv[i][1])) /* a number, not an option */
            return refuse_place(argv[i], error);
    if (!verb_parse(&argc, &argv, entries, 3, 3, error))
        return false;
    while (name && button < G_N_ELEMENTS(buttons) && strcmp(buttons[button], name) != 0)
        button++;
    if (button == G_N_ELEMENTS(buttons))
        return usage_error(error, _("--button is “%s”; expected left, middle or right"), name);
    if (!g_ascii_string_to_unsigned(argv[2], 10, 0, 65535, &x, NULL))
        return refuse_place(argv[2], error);
    if (!g_ascii_string_to_unsigned(argv[3], 10, 0, 65535, &y, NULL))
        return refuse_place(argv[3], error);
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    return machine &&
           verb_done(vitrine_dbus_machine1_call_click_sync(machine, x, y, button, NULL, error),
                     error);
}
