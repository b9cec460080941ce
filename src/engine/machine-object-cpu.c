/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/cpu-choice.h"
#include "engine/cpu-words.h"
#include "engine/last-resort.h"
#include "engine/machine-object-private.h"
#include <glib/gi18n.h>
#include <string.h>

/* The CPU of a running machine, changed by a user or by itself. */

static bool parse_choice(const char *text, DefinitionCpu *out_choice)
{
    static const char *const names[] = {
        [CPU_CHOICE_AUTO] = "auto", [CPU_CHOICE_KVM] = "kvm", [CPU_CHOICE_SOFTWARE] = "software"
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out_choice = (DefinitionCpu)i;
            return true;
        }
    return false;
}

static void take_reason(Engine *engine, char *reason)
{
    g_free(engine->cpu_reason);
    engine->cpu_reason = reason;
}

void machine_object_sync_cpu(MachineObject *object)
{
    Engine *engine = object->engine;
    const char *name = machine_cpu_name(engine->machine);
    g_autofree char *why = machine_dup_cpu_left(engine->machine);
    /* A move that a user asked for has changed both already. */
    if (why && strcmp(engine->cpu_backend, name) != 0) {
        take_reason(engine, g_strdup_printf(_("KVM could not go on with this machine (%s), so it "
                                              "moved to the software CPU while it ran."),
                                            why));
        g_warning("%s", engine->cpu_reason);
    }
    engine->cpu_backend = name;
    vitrine_dbus_machine1_set_cpu_backend(object->dbus, engine->cpu_backend);
    vitrine_dbus_machine1_set_cpu_reason(object->dbus, engine->cpu_reason);
}

gboolean machine_object_on_set_cpu(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                   const char *choice, MachineObject *object)
{
    Engine *engine = object->engine;
    DefinitionCpu wanted, before = engine->definition->cpu;
    g_autoptr(GError) error = NULL;

    if (!parse_choice(choice, &wanted))
        return machine_object_refuse(invocation, APP_ERROR_INVALID,
                                     _("“%s” is not auto, kvm or software"), choice);
    engine->definition->cpu = wanted;
    CpuDecision decision = cpu_choice_make(engine->definition);
    g_autofree char *words = cpu_words_dup(&decision);
    g_autoptr(LastResort) watch = last_resort_begin(engine, LAST_RESORT_MS, NULL, NULL);
    if (!decision.ops || !machine_set_cpu(engine->machine, decision.ops, &error)) {
        engine->definition->cpu = before;
        return machine_object_refuse(invocation, APP_ERROR_WRONG_STATE, "%s",
                                     decision.ops ? error->message : words);
    }
    if (strcmp(engine->cpu_backend, decision.ops->name) != 0)
        g_message("The machine moved to another CPU (%s)", decision.ops->name);
    engine->cpu_backend = decision.ops->name;
    take_reason(engine, g_steal_pointer(&words));
    machine_object_sync_cpu(object);
    vitrine_dbus_machine1_complete_set_cpu(dbus, invocation);
    return TRUE;
}
