/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

typedef struct {
    char *name;      /* the new one, or NULL */
    char *cpu;       /* the new one, or NULL: a running machine is moved */
    bool has_others; /* than these, which count at once */
    bool any;        /* than a name: the definition is written */
} Changes;

static bool apply(Definition *definition, const char *setting, Changes *changes, GError **error)
{
    const char *equals = strchr(setting, '=');
    if (!equals)
        return usage_error(error, _("“%s” is not KEY=VALUE"), setting);
    g_autofree char *key = g_strndup(setting, equals - setting);
    g_autofree char *value = g_strdup(equals + 1);
    bool is_name = strcmp(key, "name") == 0;
    if (is_name)
        g_strstrip(value);
    if (!verb_usage(definition_set(definition, key, value, error), error))
        return false;
    if (!is_name) {
        changes->any = true;
        if (strcmp(key, "cpu") != 0) {
            changes->has_others = true;
        } else {
            g_free(changes->cpu);
            changes->cpu = g_steal_pointer(&value);
        }
        return true;
    }
    g_free(changes->name);
    changes->name = g_steal_pointer(&value);
    return true;
}

/* All or nothing: one bad value and the file stays as it was. Another name is a rename. */
static bool save(const ClientMachine *machine, const Changes *changes, GError **error)
{
    g_autofree char *bundle = changes->name ? client_rename(machine->bundle, changes->name, error)
                                            : g_strdup(machine->bundle);
    return bundle && (!changes->any || bundle_save(bundle, machine->definition, error));
}

/* The running guest goes on with another CPU; which, and why, is said. */
static bool move(const ClientMachine *machine, const char *cpu, GError **error)
{
    const char *uuid = machine->definition->uuid;
    g_autoptr(VitrineDBusMachine1) proxy = client_connect_machine(uuid, error);
    if (!proxy || !vitrine_dbus_machine1_call_set_cpu_sync(proxy, cpu, NULL, error))
        return false;
    g_autoptr(VitrineDBusMachine1) after = client_connect_machine(uuid, error);
    if (after)
        fprintf(stderr, "vitrinectl: %s\n", vitrine_dbus_machine1_get_cpu_reason(after));
    return after;
}

/* What does not reach the running guest counts from its next start. */
static void tell_running(const ClientMachine *machine, const Changes *changes)
{
    g_autoptr(GError) error = NULL;
    if (changes->cpu && !move(machine, changes->cpu, &error)) {
        g_dbus_error_strip_remote_error(error);
        fprintf(stderr, "vitrinectl: %s\n", error->message);
    }
    if (changes->has_others || error) {
        g_autofree char *words =
            g_strdup_printf(_("“%s” is %s; this counts from its next start"),
                            client_machine_name(machine), client_state_words(machine->state));
        fprintf(stderr, "vitrinectl: %s\n", words);
    }
}

bool verb_set(int argc, char **argv, GError **error)
{
    if (!verb_parse(&argc, &argv, NULL, 2, -1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    if (!machine)
        return false;
    Changes changes = { 0 };
    g_autofree char *conf = g_build_filename(machine->bundle, BUNDLE_DEFINITION, NULL);
    /* What was wrong before may stay so: only what this changes is refused. */
    bool ran = client_check_definition(machine->definition, conf, NULL);
    bool good = true;
    for (int i = 2; good && i < argc; i++)
        good = apply(machine->definition, argv[i], &changes, error);
    good = good && (!ran || client_check_definition(machine->definition, conf, error)) &&
           save(machine, &changes, error);
    if (good && changes.any && client_state_is_live(machine->state))
        tell_running(machine, &changes);
    g_free(changes.name);
    g_free(changes.cpu);
    return good;
}
