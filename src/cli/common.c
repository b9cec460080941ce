/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <stdlib.h>

bool usage_error(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, APP_ERROR, APP_ERROR_USAGE, message);
    return false;
}

bool verb_parse(int *argc, char ***argv, const GOptionEntry *entries, int min, int max,
                GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, &local))
        return g_error_matches(local, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION)
                   ? usage_error(error, _("%s. What begins with “-” and is no option follows “--”"),
                                 local->message)
                   : usage_error(error, "%s", local->message);
    /* A "--" that ended the options is left in. */
    for (int i = 1; i < *argc; i++)
        if (strcmp((*argv)[i], "--") == 0) {
            for (int k = i; k < *argc; k++)
                (*argv)[k] = (*argv)[k + 1];
            --*argc;
            break;
        }
    if (*argc - 1 < min)
        return usage_error(error, "%s",
                           *argc == 1 ? _("No machine was named") : _("Too few arguments"));
    if (max >= 0 && *argc - 1 > max)
        return usage_error(error, _("“%s” is one argument too many"), (*argv)[max + 1]);
    return true;
}

ClientMachine *verb_find(const char *spec, GError **error)
{
    g_autoptr(ClientMachine) machine = client_find_machine(spec, error);
    if (machine && machine->damage) {
        g_propagate_error(error, g_error_copy(machine->damage));
        return NULL;
    }
    return g_steal_pointer(&machine);
}

VitrineDBusMachine1 *verb_connect(const char *spec, ClientMachine **out_machine, GError **error)
{
    g_autoptr(ClientMachine) machine = verb_find(spec, error);
    if (!machine)
        return NULL;
    if (!client_state_is_live(machine->state)) {
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE, _("“%s” is not running (%s)"),
                    client_machine_name(machine), client_state_words(machine->state));
        return NULL;
    }
    VitrineDBusMachine1 *proxy = client_connect_machine(machine->definition->uuid, error);
    if (proxy && out_machine)
        *out_machine = g_steal_pointer(&machine);
    return proxy;
}

bool verb_usage(bool good, GError **error)
{
    if (!good && error && g_error_matches(*error, APP_ERROR, APP_ERROR_INVALID))
        (*error)->code = APP_ERROR_USAGE;
    return good;
}

bool verb_done(bool good, GError **error)
{
    if (!good && error && *error)
        g_dbus_error_strip_remote_error(*error);
    return good;
}

/* printf() counts bytes, which "Größe" and "状态" have more of than columns. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        columns += g_unichar_iswide(c) ? 2 : !g_unichar_iszerowidth(c);
    }
    return columns;
}

void verb_print_row(int width, const char *label, const char *text)
{
    printf("%s%*s %s\n", label, MAX(width - columns_of(label), 0), "", text);
}
