/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"
#include "client/stop-words.h"
#include <glib/gi18n.h>

/* What only an engine knows. NULL when there is none. */
static VitrineDBusMachine1 *live_proxy(const ClientMachine *machine)
{
    return client_state_is_live(machine->state)
               ? client_connect_machine(machine->definition->uuid, NULL)
               : NULL;
}

static void print_json(const ClientMachine *machine, char **values, VitrineDBusMachine1 *live)
{
    Json json;
    json_begin(&json);
    json_open_object(&json, NULL);
    json_string(&json, "state", client_state_name(machine->state));
    json_string(&json, "problem", machine->problem);
    json_string(&json, "stop-reason", stop_reason_name(machine->stop.reason));
    json_string(&json, "stop-subject", machine->stop.subject ? machine->stop.subject : "");
    json_integer(&json, "triple-faults", machine->stop.n_triple_faults);
    json_string(&json, "bundle", machine->bundle);
    json_open_object(&json, "definition");
    for (unsigned i = 0; values[i]; i += 2)
        json_string(&json, values[i], values[i + 1]);
    json_close_object(&json);
    if (live) {
        json_string(&json, "cpu-backend", vitrine_dbus_machine1_get_cpu_backend(live));
        json_string(&json, "cpu-reason", vitrine_dbus_machine1_get_cpu_reason(live));
        json_integer(&json, "started-at", vitrine_dbus_machine1_get_started_at(live));
        json_variant(&json, "drives", vitrine_dbus_machine1_get_drives(live));
    }
    json_close_object(&json);
    json_end(&json);
}

static void print_row(const char *label, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void print_row(const char *label, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    verb_print_row(18, label, text);
}

/* What is said of the machine is for people; the definition's keys are as "set" takes them. */
static void print_text(const ClientMachine *machine, char **values, VitrineDBusMachine1 *live)
{
    g_autofree char *why = stop_dup_explanation(&machine->stop, machine->bundle);
    print_row(_("state"), "%s", client_state_words(machine->state));
    if (machine->problem[0])
        print_row(_("problem"), "%s", machine->problem);
    else if (why[0])
        print_row(_("stopped because"), "%s", why);
    if (machine->stop.n_triple_faults)
        print_row(_("triple faults"),
                  _("%u (the guest's processor gave up, and the machine was reset)"),
                  machine->stop.n_triple_faults);
    if (live)
        print_row(_("runs on"), "%s: %s", vitrine_dbus_machine1_get_cpu_backend(live),
                  vitrine_dbus_machine1_get_cpu_reason(live));
    print_row(_("bundle"), "%s", machine->bundle);
    for (unsigned i = 0; values[i]; i += 2)
        print_row(values[i], "%s", values[i + 1]);
}

static void print_keys(char **values, bool as_json)
{
    if (!as_json) {
        for (unsigned i = 0; values[i]; i += 2)
            puts(values[i]);
        return;
    }
    Json json;
    json_begin(&json);
    json_open_array(&json, NULL);
    for (unsigned i = 0; values[i]; i += 2)
        json_string(&json, NULL, values[i]);
    json_close_array(&json);
    json_end(&json);
}

bool verb_info(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE, as_keys = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { "keys", 0, 0, G_OPTION_ARG_NONE, &as_keys, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    if (!machine)
        return false;
    g_auto(GStrv) values = definition_dup_values(machine->definition);
    if (as_keys) {
        print_keys(values, as_json);
        return true;
    }
    g_autoptr(VitrineDBusMachine1) live = live_proxy(machine);
    if (as_json) {
        print_json(machine, values, live);
        return true;
    }
    print_text(machine, values, live);
    return true;
}
