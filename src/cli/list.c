/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

/* As the app's library by name: "Box 2" before "Box 10". */
static int compare_names(gconstpointer a, gconstpointer b)
{
    const ClientMachine *left = *(ClientMachine *const *)a, *right = *(ClientMachine *const *)b;
    g_autofree char *left_key = g_utf8_collate_key_for_filename(client_machine_name(left), -1);
    g_autofree char *right_key = g_utf8_collate_key_for_filename(client_machine_name(right), -1);
    int order = strcmp(left_key, right_key);
    return order ? order : strcmp(left->bundle, right->bundle);
}

static void print_json(GPtrArray *machines)
{
    Json json;
    json_begin(&json);
    json_open_array(&json, NULL);
    for (unsigned i = 0; i < machines->len; i++) {
        const ClientMachine *machine = machines->pdata[i];
        json_open_object(&json, NULL);
        json_string(&json, "name", client_machine_name(machine));
        json_string(&json, "uuid", machine->definition ? machine->definition->uuid : NULL);
        json_string(&json, "state", client_state_name(machine->state));
        json_string(&json, "bundle", machine->bundle);
        json_string(&json, "damage", machine->damage ? machine->damage->message : NULL);
        json_close_object(&json);
    }
    json_close_array(&json);
    json_end(&json);
}

bool verb_list(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE, as_names = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { "names", 0, 0, G_OPTION_ARG_NONE, &as_names, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 0, 0, error))
        return false;
    g_autoptr(GPtrArray) machines = client_list_machines();
    g_ptr_array_sort(machines, compare_names);
    if (as_json) {
        print_json(machines);
        return true;
    }
    for (unsigned i = 0; i < machines->len; i++) {
        const ClientMachine *machine = machines->pdata[i];
        if (as_names) {
            puts(client_machine_name(machine));
            continue;
        }
        verb_print_row(15, machine->damage ? _("damaged") : client_state_words(machine->state),
                       client_machine_name(machine));
        if (machine->damage)
            fprintf(stderr, "vitrinectl: %s\n", machine->damage->message);
    }
    return true;
}
