/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/machine-object.h"
#include "base/errors.h"
#include "base/fd.h"
#include "dbus-machine.h"
#include "model/medium.h"
#include <gio/gunixfdlist.h>
#include <sys/resource.h>
#include <unistd.h>

struct MachineObject {
    Engine *engine; /* borrowed */
    VitrineDBusMachine1 *dbus;
    char **media; /* as last told, a drive each; owned */
    /* For instructions-per-second. */
    gint64 rate_time;
    uint64_t rate_instructions;
};

static const char *state_name(MachineState state)
{
    static const char *const names[] = { "off", "running", "paused", "paused-problem", "failed" };
    return names[state];
}

static gboolean refuse(GDBusMethodInvocation *invocation, AppError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean refuse(GDBusMethodInvocation *invocation, AppError code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_dbus_method_invocation_return_error_valist(invocation, APP_ERROR, code, format, arguments);
    va_end(arguments);
    return TRUE;
}

/* Host errors get one of our names, so that no client has to know GIO's. */
static void return_error(GDBusMethodInvocation *invocation, const GError *error)
{
    int code = error->domain == APP_ERROR ? error->code : APP_ERROR_FAILED;
    g_dbus_method_invocation_return_error_literal(invocation, APP_ERROR, code, error->message);
}

static bool check_runs(MachineObject *object, GDBusMethodInvocation *invocation, const char *what)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_RUNNING)
        return true;
    refuse(invocation, APP_ERROR_WRONG_STATE, "The machine is %s: it cannot %s now",
           state_name(state), what);
    return false;
}

/* --- Life --- */

static gboolean on_pause(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                         MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_FAILED || state == MACHINE_OFF)
        return refuse(invocation, APP_ERROR_WRONG_STATE, "The machine is %s: it cannot be paused",
                      state_name(state));
    machine_pause(object->engine->machine);
    machine_object_sync_state(object);
    vitrine_dbus_machine1_complete_pause(dbus, invocation);
    return TRUE;
}

static gboolean on_resume(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                          MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    if (state == MACHINE_FAILED || state == MACHINE_OFF)
        return refuse(invocation, APP_ERROR_WRONG_STATE, "The machine is %s: it cannot be resumed",
                      state_name(state));
    machine_resume(object->engine->machine);
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
        if (!check_runs(object, invocation, "feel its power button"))
            return TRUE;
        machine_press_power_button(object->engine->machine);
        vitrine_dbus_machine1_complete_stop(dbus, invocation);
        return TRUE;
    }
    StopReply reply = { dbus, invocation };
    engine_end(object->engine, on_ended, &reply);
    return TRUE;
}

static gboolean on_reset(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                         MachineObject *object)
{
    machine_reset(object->engine->machine);
    machine_object_sync_state(object);
    vitrine_dbus_machine1_complete_reset(dbus, invocation);
    return TRUE;
}

/* --- Media --- */

/* The disc stays in for the next start: written to the file as it is now, which may have been
 * edited since we read it. */
static void remember_media(Engine *engine, unsigned drive, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Definition) definition = bundle_load(engine->bundle, &error);
    if (definition && definition->drive[drive].type == DRIVE_CDROM) {
        g_free(definition->drive[drive].path);
        definition->drive[drive].path = g_strdup(path ? path : "");
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
        return refuse(invocation, APP_ERROR_NOT_FOUND, "The machine has no CD drive %u", drive);
    if (!machine_set_media(engine->machine, drive, path, &error)) {
        return_error(invocation, error);
        return TRUE;
    }
    remember_media(engine, drive, path);
    machine_object_sync_media(object);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_insert_media(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                unsigned drive, const char *path, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!g_path_is_absolute(path))
        return refuse(invocation, APP_ERROR_INVALID, "“%s” is not an absolute path", path);
    g_autoptr(Medium) medium = medium_identify(path, &error);
    if (!medium) {
        return_error(invocation, error);
        return TRUE;
    }
    if (medium->kind != MEDIUM_DISC)
        return refuse(invocation, APP_ERROR_INVALID,
                      "“%s” is a disk image, not a disc. Choose an ISO", path);
    return change_media(object, invocation, drive, path);
}

static gboolean on_eject_media(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                               unsigned drive, MachineObject *object)
{
    return change_media(object, invocation, drive, NULL);
}

/* --- Screen --- */

typedef struct {
    VitrineDBusMachine1 *dbus;
    GDBusMethodInvocation *invocation;
    Picture *picture;
} ScreenshotTask;

static void screenshot_task_free(gpointer data)
{
    ScreenshotTask *shot = data;
    g_object_unref(shot->dbus);
    picture_free(shot->picture);
    g_free(shot);
}

static void run_screenshot(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    ScreenshotTask *shot = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) png = picture_to_png(shot->picture, &error);
    int fd = png ? fd_new_memory("screenshot", g_bytes_get_data(png, NULL), g_bytes_get_size(png),
                                 &error)
                 : -1;
    if (fd < 0) {
        return_error(shot->invocation, error);
        return;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1); /* owns it */
    vitrine_dbus_machine1_complete_screenshot(shot->dbus, shot->invocation, fds,
                                              g_variant_new_handle(0));
}

static gboolean on_screenshot(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                              GUnixFDList *fds, MachineObject *object)
{
    ScreenshotTask *shot = g_new0(ScreenshotTask, 1);
    *shot = (ScreenshotTask){ g_object_ref(dbus), invocation,
                              display_capture(object->engine->display) };
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);
    g_task_set_task_data(task, shot, screenshot_task_free);
    g_task_run_in_thread(task, run_screenshot);
    return TRUE;
}

static gboolean on_update_thumbnail(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                    MachineObject *object)
{
    engine_update_thumbnail(object->engine);
    vitrine_dbus_machine1_complete_update_thumbnail(dbus, invocation);
    return TRUE;
}

static gboolean on_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                        MachineObject *object)
{
    int columns = 0, rows = 0, x = -1, y = -1;
    Vga *vga = object->engine->machine->vga;
    g_autofree char *text = vga ? vga_dup_text(vga, &columns, &rows, &x, &y) : NULL;
    if (!text)
        return refuse(invocation, APP_ERROR_NO_TEXT,
                      "The screen is in a graphics mode and has no text. A screenshot shows it");
    vitrine_dbus_machine1_complete_text(dbus, invocation, text, columns, rows, x, y);
    return TRUE;
}

/* --- Input --- */

static void on_typed(gpointer opaque, const GError *error)
{
    GDBusMethodInvocation *invocation = opaque;
    if (error)
        return_error(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

static gboolean on_type_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                             const char *text, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!check_runs(object, invocation, "be typed to"))
        return TRUE;
    display_poke(object->engine->display);
    if (!typist_type_text(object->engine->typist, text, on_typed, invocation, &error))
        return_error(invocation, error);
    return TRUE;
}

static gboolean on_send_keys(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                             const char *const *chords, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!check_runs(object, invocation, "be typed to"))
        return TRUE;
    display_poke(object->engine->display);
    if (!typist_press_chords(object->engine->typist, chords, on_typed, invocation, &error))
        return_error(invocation, error);
    return TRUE;
}

static gboolean on_click(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation, unsigned x,
                         unsigned y, unsigned button, MachineObject *object)
{
    if (!check_runs(object, invocation, "be clicked on"))
        return TRUE;
    g_autoptr(Picture) screen = display_capture(object->engine->display);
    if (x >= screen->width || y >= screen->height || button > 2)
        return refuse(invocation, APP_ERROR_INVALID,
                      "There is nothing at %u, %u: the screen has %u×%u pixels, and buttons are 0 "
                      "to 2",
                      x, y, screen->width, screen->height);
    typist_click(object->engine->typist, x, y, button, screen->width, screen->height, on_typed,
                 invocation);
    return TRUE;
}

/* --- Console and waiting --- */

static gboolean on_console_open(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                GUnixFDList *in_fds, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    if (!object->engine->serial)
        return refuse(invocation, APP_ERROR_NOT_FOUND, "The machine has no serial port");
    int fd = serial_log_open_console(object->engine->serial, &error);
    if (fd < 0) {
        return_error(invocation, error);
        return TRUE;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);
    vitrine_dbus_machine1_complete_console_open(dbus, invocation, fds, g_variant_new_handle(0));
    return TRUE;
}

/* A wait ends by a match, its time, or the client's going. */
typedef struct {
    MachineObject *object;
    GDBusMethodInvocation *invocation;
    gulong closed_handler;
} TextWait;

static void text_wait_free(TextWait *wait)
{
    GDBusConnection *connection = g_dbus_method_invocation_get_connection(wait->invocation);
    g_signal_handler_disconnect(connection, wait->closed_handler);
    g_free(wait);
}

static void on_text_found(gpointer opaque, const char *source, const char *match,
                          const GError *error)
{
    TextWait *wait = opaque;
    GDBusMethodInvocation *invocation = g_object_ref(wait->invocation);
    text_wait_free(wait);
    if (error)
        return_error(invocation, error);
    else
        vitrine_dbus_machine1_complete_wait_for_text(NULL, invocation, source, match);
    g_object_unref(invocation);
}

static void on_waiter_gone(GDBusConnection *connection, gboolean remote, GError *error,
                           gpointer opaque)
{
    TextWait *wait = opaque;
    GDBusMethodInvocation *invocation = wait->invocation;
    if (wait->object->engine->watch)
        text_watch_forget(wait->object->engine->watch, wait);
    text_wait_free(wait);
    refuse(invocation, APP_ERROR_FAILED, "The client went away");
}

static gboolean on_wait_for_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                 const char *regex, unsigned timeout_ms, MachineObject *object)
{
    g_autoptr(GError) error = NULL;
    TextWait *wait = g_new0(TextWait, 1);
    wait->object = object;
    wait->invocation = invocation;
    wait->closed_handler = g_signal_connect(g_dbus_method_invocation_get_connection(invocation),
                                            "closed", G_CALLBACK(on_waiter_gone), wait);
    if (!text_watch_add(object->engine->watch, regex, timeout_ms, on_text_found, wait, &error)) {
        text_wait_free(wait);
        return_error(invocation, error);
    }
    return TRUE;
}

/* --- Numbers --- */

static uint64_t resident_bytes(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    char *second = strchr(text, ' ');
    return second ? g_ascii_strtoull(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static GVariant *drive_stats(Machine *machine)
{
    GVariantBuilder drives;
    g_variant_builder_init(&drives, G_VARIANT_TYPE("aa{sv}"));
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        DiskStats stats;
        if (!machine_get_drive_stats(machine, i, &stats))
            continue;
        g_variant_builder_open(&drives, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&drives, "{sv}", "drive", g_variant_new_uint32(i));
        g_variant_builder_add(&drives, "{sv}", "read-bytes",
                              g_variant_new_uint64(stats.read_bytes));
        g_variant_builder_add(&drives, "{sv}", "written-bytes",
                              g_variant_new_uint64(stats.written_bytes));
        g_variant_builder_add(&drives, "{sv}", "reads", g_variant_new_uint64(stats.reads));
        g_variant_builder_add(&drives, "{sv}", "writes", g_variant_new_uint64(stats.writes));
        g_variant_builder_close(&drives);
    }
    return g_variant_builder_end(&drives);
}

static gboolean on_stats(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                         MachineObject *object)
{
    Machine *machine = object->engine->machine;
    gint64 now = g_get_monotonic_time();
    uint64_t instructions = 0;
    for (unsigned i = 0; i < machine_n_cpus(machine); i++)
        instructions += machine_retired(machine, i);
    struct rusage usage = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    double cpu_seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
                         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    double seconds = (now - object->rate_time) / 1e6;

    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "uptime-seconds",
                          g_variant_new_double(clock_now_ns(machine->clock) / 1e9));
    g_variant_builder_add(&builder, "{sv}", "cpu-seconds", g_variant_new_double(cpu_seconds));
    g_variant_builder_add(&builder, "{sv}", "instructions", g_variant_new_uint64(instructions));
    g_variant_builder_add(
        &builder, "{sv}", "instructions-per-second",
        g_variant_new_double(seconds > 0 ? (instructions - object->rate_instructions) / seconds
                                         : 0));
    g_variant_builder_add(&builder, "{sv}", "memory-resident",
                          g_variant_new_uint64(resident_bytes()));
    g_variant_builder_add(&builder, "{sv}", "frames",
                          g_variant_new_uint64(display_frames(object->engine->display)));
    g_variant_builder_add(&builder, "{sv}", "drives", drive_stats(machine));
    object->rate_time = now;
    object->rate_instructions = instructions;
    vitrine_dbus_machine1_complete_stats(dbus, invocation, g_variant_builder_end(&builder));
    return TRUE;
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
        if (!first)
            vitrine_dbus_machine1_emit_media_changed(object->dbus, i, now);
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
    vitrine_dbus_machine1_set_problem(object->dbus, problem);
    vitrine_dbus_machine1_set_state(object->dbus, state);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(object->dbus));
    vitrine_dbus_machine1_emit_state_changed(object->dbus, state, problem);
}

void machine_object_sync_state(MachineObject *object)
{
    MachineState state = machine_state(object->engine->machine);
    g_autofree char *problem = machine_dup_problem(object->engine->machine);
    if (state == MACHINE_OFF)
        return; /* said when all disks are written: machine_object_tell_off() */
    tell_state(object, state_name(state), problem ? problem : "");
}

void machine_object_tell_reset(MachineObject *object)
{
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
        { "handle-insert-media", G_CALLBACK(on_insert_media) },
        { "handle-eject-media", G_CALLBACK(on_eject_media) },
        { "handle-screenshot", G_CALLBACK(on_screenshot) },
        { "handle-update-thumbnail", G_CALLBACK(on_update_thumbnail) },
        { "handle-text", G_CALLBACK(on_text) },
        { "handle-type-text", G_CALLBACK(on_type_text) },
        { "handle-send-keys", G_CALLBACK(on_send_keys) },
        { "handle-click", G_CALLBACK(on_click) },
        { "handle-console-open", G_CALLBACK(on_console_open) },
        { "handle-wait-for-text", G_CALLBACK(on_wait_for_text) },
        { "handle-stats", G_CALLBACK(on_stats) },
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
