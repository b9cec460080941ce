/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/last-resort.h"
#include "engine/machine-object-private.h"
#include "model/medium.h"
#include <glib/gi18n.h>

/* As the wire has it (org.vitrine.Machine1.xml): for programs, so never translated. */
static const char *state_name(MachineState state)
{
    static const char *const names[] = { "off", "running", "paused", "paused-problem", "failed" };
    return names[state];
}

/* In words, after "the machine is". */
static const char *state_words(MachineState state)
{
    static const char *const words[] = { N_("off"), N_("running"), N_("paused"),
                                         N_("paused, as it needs attention"), N_("failed") };
    return _(words[state]);
}

gboolean machine_object_refuse(GDBusMethodInvocation *invocation, AppError code, const char *format,
                               ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_dbus_method_invocation_return_error_valist(invocation, APP_ERROR, code, format, arguments);
    va_end(arguments);
    return TRUE;
}

void machine_object_return_error(GDBusMethodInvocation *invocation, const GError *error)
{
    int code = error->domain == APP_ERROR ? error->code : APP_ERROR_FAILED;
    g_dbus_method_invocation_return_error_literal(invocation, APP_ERROR, code, error->message);
}

bool machine_object_check_runs(MachineObject *object, GDBusMethodInvocation *invocation,
                               const char *refusal)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_RUNNING)
        return true;
    machine_object_refuse(invocation, APP_ERROR_WRONG_STATE, _("%s: the machine is %s"), refusal,
                          state_words(state));
    return false;
}

/* --- Life --- */

static gboolean on_pause(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                         MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_FAILED || state == MACHINE_OFF)
        return machine_object_refuse(invocation, APP_ERROR_WRONG_STATE,
                                     _("The machine is %s: it cannot be paused"),
                                     state_words(state));
    LastResort *watch = last_resort_begin(object->engine, LAST_RESORT_MS, NULL, NULL);
    machine_pause(object->engine->machine);
    last_resort_end(watch);
    g_message("Paused");
    machine_object_sync_state(object);
    vitrine_dbus_machine1_complete_pause(dbus, invocation);
    return TRUE;
}

static gboolean on_resume(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                          MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_FAILED || state == MACHINE_OFF)
        return machine_object_refuse(invocation, APP_ERROR_WRONG_STATE,
                                     _("The machine is %s: it cannot be resumed"),
                                     state_words(state));
    machine_resume(object->engine->machine);
    g_message("Resumed");
    machine_object_sync_state(object);
    vitrine_dbus_machine1_complete_resume(dbus, invocation);
    return TRUE;
}

typedef struct {
    VitrineDBusMachine1 *dbus;
    GDBusMethodInvocation *invocation;
} StopReply;

static void on_ended(gpointer opaque)
{
    StopReply *reply = opaque;
    vitrine_dbus_machine1_complete_stop(reply->dbus, reply->invocation);
}

static gboolean on_stop(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                        gboolean force, MachineObject *object)
{
    if (!force) {
        if (!machine_object_check_runs(object, invocation,
                                       _("It cannot feel its power button now")))
            return TRUE;
        g_message("The power button was pressed");
        machine_press_power_button(object->engine->machine);
        vitrine_dbus_machine1_complete_stop(dbus, invocation);
        return TRUE;
    }
    StopReply reply = { dbus, invocation };
    engine_end(object->engine, STOP_USER, on_ended, &reply);
    return TRUE;
}

static gboolean on_reset(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                         MachineObject *object)
{
    LastResort *watch = last_resort_begin(object->engine, LAST_RESORT_MS, NULL, NULL);
    machine_reset(object->engine->machine);
    last_resort_end(watch);
    machine_object_sync_state(object);
    vitrine_dbus_machine1_complete_reset(dbus, invocation);
    return TRUE;
}

/* --- Media --- */

/* The disc stays in for the next start, and one that somebody or the guest took out stays out:
 * written to the file as it is now, which may have been edited since we read it. */
static void remember_media(Engine *engine, unsigned drive, const char *path)
{
    g_autoptr(GError) error = NULL;
    if (engine->options.disposable)
        return;
    g_autoptr(Definition) definition = bundle_load(engine->bundle, &error);
    if (definition && definition->drive[drive].type == DRIVE_CDROM) {
        g_free(definition->drive[drive].path);
        definition->drive[drive].path = bundle_dup_relative(engine->bundle, path);
        bundle_save(engine->bundle, definition, &error);
    }
    if (error)
        g_warning("The disc in drive %u is not remembered: %s", drive, error->message);
}

static gboolean change_media(MachineObject *object, GDBusMethodInvocation *invocation,
                             unsigned drive, const char *path)
{
    Engine *engine = object->engine;
    g_autoptr(GError) error = NULL;
    if (drive >= DEFINITION_MAX_DRIVES || engine->definition->drive[drive].type != DRIVE_CDROM)
        return machine_object_refuse(invocation, APP_ERROR_NOT_FOUND,
                                     _("The machine has no CD drive %u"), drive);
    if (!machine_set_media(engine->machine, drive, path, &error)) {
        machine_object_return_error(invocation, error);
        return TRUE;
    }
    machine_object_sync_media(object);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_insert_media(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                unsigned drive, const char *path, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!g_path_is_absolute(path))
        return machine_object_refuse(invocation, APP_ERROR_INVALID,
                                     _("“%s” is not an absolute path"), path);
    g_autoptr(Medium) medium = medium_identify(path, &error);
    if (!medium) {
        machine_object_return_error(invocation, error);
        return TRUE;
    }
    if (medium->kind != MEDIUM_DISC)
        return machine_object_refuse(invocation, APP_ERROR_INVALID,
                                     _("“%s” is a disk image, not a disc. Choose an ISO"), path);
    return change_media(object, invocation, drive, path);
}

static gboolean on_eject_media(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                               unsigned drive, MachineObject *object)
{
    return change_media(object, invocation, drive, NULL);
}

/* --- What clients are told --- */

static GVariant *describe_drives(MachineObject *object)
{
    GVariantBuilder drives;
    g_variant_builder_init(&drives, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        const DefinitionDrive *drive = &object->engine->definition->drive[i];
        if (drive->type == DRIVE_NONE)
            continue;
        bool is_cdrom = drive->type == DRIVE_CDROM;
        g_autofree char *disk =
            is_cdrom ? NULL : bundle_dup_absolute(object->engine->bundle, drive->path);
        g_variant_builder_open(&drives, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&drives, "{sv}", "drive", g_variant_new_uint32(i));
        g_variant_builder_add(&drives, "{sv}", "kind",
                              g_variant_new_string(is_cdrom ? "cdrom" : "disk"));
        g_variant_builder_add(&drives, "{sv}", "path",
                              g_variant_new_string(is_cdrom ? object->media[i] : disk));
        g_variant_builder_add(&drives, "{sv}", "removable", g_variant_new_boolean(is_cdrom));
        g_variant_builder_add(&drives, "{sv}", "read-only",
                              g_variant_new_boolean(is_cdrom || drive->read_only));
        g_variant_builder_close(&drives);
    }
    return g_variant_builder_end(&drives);
}

static char *dup_media(MachineObject *object, unsigned drive)
{
    if (object->engine->definition->drive[drive].type != DRIVE_CDROM)
        return g_strdup("");
    char *path = machine_dup_media(object->engine->machine, drive);
    return path ? path : g_strdup("");
}

void machine_object_sync_media(MachineObject *object)
{
    bool changed = false;
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        char *now = dup_media(object, i);
        if (object->media[i] && strcmp(now, object->media[i]) == 0) {
            g_free(now);
            continue;
        }
        bool first = object->media[i] == NULL;
        g_free(object->media[i]);
        object->media[i] = now;
        changed = true;
        if (!first) {
            g_message("Drive %u: %s", i, now[0] ? now : "no disc");
            remember_media(object->engine, i, now);
            vitrine_dbus_machine1_emit_media_changed(object->dbus, i, now);
        }
    }
    if (changed)
        vitrine_dbus_machine1_set_drives(object->dbus, describe_drives(object));
}

static void tell_state(MachineObject *object, const char *state, const char *problem)
{
    const char *before = vitrine_dbus_machine1_get_state(object->dbus);
    const char *problem_before = vitrine_dbus_machine1_get_problem(object->dbus);
    if (g_strcmp0(before, state) == 0 && g_strcmp0(problem_before, problem) == 0)
        return;
    const StopRecord *stop = &object->engine->stop;
    vitrine_dbus_machine1_set_problem(object->dbus, problem);
    vitrine_dbus_machine1_set_stop_reason(object->dbus, stop_reason_name(stop->reason));
    vitrine_dbus_machine1_set_stop_subject(object->dbus, stop->subject ? stop->subject : "");
    vitrine_dbus_machine1_set_state(object->dbus, state);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(object->dbus));
    vitrine_dbus_machine1_emit_state_changed(object->dbus, state, problem);
}

void machine_object_sync_state(MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    g_autofree char *problem = machine_dup_problem(object->engine->machine);
    engine_note_problem(object->engine);
    if (state == MACHINE_OFF)
        return; /* said when all disks are written: machine_object_tell_off() */
    tell_state(object, state_name(state), problem ? problem : "");
}

void machine_object_tell_reset(MachineObject *object)
{
    vitrine_dbus_machine1_set_triple_faults(object->dbus, object->engine->n_triple_faults);
    vitrine_dbus_machine1_emit_reset_happened(object->dbus);
}

void machine_object_tell_off(MachineObject *object)
{
    tell_state(object, "off", "");
}

GDBusInterfaceSkeleton *machine_object_skeleton(MachineObject *object)
{
    return G_DBUS_INTERFACE_SKELETON(object->dbus);
}

MachineObject *machine_object_new(Engine *engine)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } handlers[] = {
        { "handle-pause", G_CALLBACK(on_pause) },
        { "handle-resume", G_CALLBACK(on_resume) },
        { "handle-stop", G_CALLBACK(on_stop) },
        { "handle-reset", G_CALLBACK(on_reset) },
        { "handle-set-cpu", G_CALLBACK(machine_object_on_set_cpu) },
        { "handle-insert-media", G_CALLBACK(on_insert_media) },
        { "handle-eject-media", G_CALLBACK(on_eject_media) },
        { "handle-screenshot", G_CALLBACK(machine_object_on_screenshot) },
        { "handle-update-thumbnail", G_CALLBACK(machine_object_on_update_thumbnail) },
        { "handle-text", G_CALLBACK(machine_object_on_text) },
        { "handle-type-text", G_CALLBACK(machine_object_on_type_text) },
        { "handle-type-keys", G_CALLBACK(machine_object_on_type_keys) },
        { "handle-send-keys", G_CALLBACK(machine_object_on_send_keys) },
        { "handle-click", G_CALLBACK(machine_object_on_click) },
        { "handle-console-open", G_CALLBACK(machine_object_on_console_open) },
        { "handle-wait-for-text", G_CALLBACK(machine_object_on_wait_for_text) },
        { "handle-stats", G_CALLBACK(machine_object_on_stats) },
    };
    MachineObject *object = g_new0(MachineObject, 1);
    object->engine = engine;
    object->dbus = vitrine_dbus_machine1_skeleton_new();
    object->media = g_new0(char *, DEFINITION_MAX_DRIVES);
    object->rate_time = g_get_monotonic_time();
    for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++)
        g_signal_connect(object->dbus, handlers[i].signal, handlers[i].handler, object);

    const Definition *definition = engine->definition;
    VitrineDBusMachine1 *dbus = object->dbus;
    vitrine_dbus_machine1_set_name(dbus, definition->name);
    vitrine_dbus_machine1_set_uuid(dbus, definition->uuid);
    vitrine_dbus_machine1_set_bundle(dbus, engine->bundle);
    vitrine_dbus_machine1_set_state(dbus, "off");
    vitrine_dbus_machine1_set_problem(dbus, "");
    vitrine_dbus_machine1_set_stop_reason(dbus, "");
    vitrine_dbus_machine1_set_stop_subject(dbus, "");
    vitrine_dbus_machine1_set_triple_faults(dbus, 0);
    vitrine_dbus_machine1_set_cpu_backend(dbus, engine->cpu_backend);
    vitrine_dbus_machine1_set_cpu_reason(dbus, engine->cpu_reason);
    vitrine_dbus_machine1_set_memory(dbus, definition->memory_bytes);
    vitrine_dbus_machine1_set_cpus(dbus, definition->n_cpus);
    vitrine_dbus_machine1_set_has_serial(dbus, engine->serial != NULL);
    vitrine_dbus_machine1_set_pointer_absolute(dbus, FALSE);
    vitrine_dbus_machine1_set_started_at(dbus, engine->started_at);
    machine_object_sync_media(object);
    return object;
}

void machine_object_free(MachineObject *object)
{
    if (!object)
        return;
    g_signal_handlers_disconnect_by_data(object->dbus, object);
    g_object_unref(object->dbus);
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++)
        g_free(object->media[i]);
    g_free(object->media);
    g_free(object);
}
