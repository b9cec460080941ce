/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/engine.h"
#include "base/errors.h"
#include "base/fd.h"
#include "engine/display-objects.h"
#include "engine/last-resort.h"
#include "engine/machine-config.h"
#include "engine/machine-object.h"
#include "engine/server.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 3000 /* the engine before us may be writing its disks out */
#define GRACE_SECONDS 20      /* from the power button to off, on SIGTERM */
#define THUMBNAIL_WIDTH 480

/* --- The bundle is ours --- */

static bool lock_bundle(Engine *engine, GError **error)
{
    engine->lock_fd = open(engine->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (engine->lock_fd < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_NOT_FOUND, _("Cannot open the machine “%s”: %s"),
                    engine->bundle, g_strerror(errno));
        return false;
    }
    for (unsigned waited = 0; flock(engine->lock_fd, LOCK_EX | LOCK_NB) < 0; waited += 20) {
        if (errno == EWOULDBLOCK && waited < LOCK_PATIENCE_MS) {
            /* One that runs answers; then there is nothing to be patient for. */
            g_autofree char *running = g_build_filename(engine->bundle, BUNDLE_RUNNING, NULL);
            if (waited < 200 || !g_file_test(running, G_FILE_TEST_EXISTS)) {
                g_usleep(20000);
                continue;
            }
        }
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                    _("The machine is running already (%s)"), engine->bundle);
        return false;
    }
    return true;
}

/* What says where we are and, if we vanish, that we did. */
static void write_traces(Engine *engine)
{
    engine->has_traces = true;
    g_autofree char *mark = g_build_filename(engine->bundle, BUNDLE_RUNNING, NULL);
    g_autofree char *text = g_strdup_printf("[engine]\npid=%d\nstarted=%" G_GINT64_FORMAT "\n",
                                            (int)getpid(), engine->started_at);
    g_autoptr(GError) error = NULL;
    if (!g_file_set_contents(mark, text, -1, &error))
        g_warning("A crash of this machine could not be told: %s", error->message);
    g_autofree char *last = g_build_filename(engine->bundle, BUNDLE_LAST_STOP, NULL);
    g_unlink(last); /* whatever ends this run, it is not that */
    g_autofree char *directory = runtime_dup_directory(engine->definition->uuid);
    g_autofree char *link = g_build_filename(directory, "bundle", NULL);
    g_unlink(link);
    if (symlink(engine->bundle, link) < 0)
        g_warning("%s: %s", link, g_strerror(errno));
}

static void remove_traces(Engine *engine)
{
    if (!engine->has_traces)
        return;
    g_autofree char *mark = g_build_filename(engine->bundle, BUNDLE_RUNNING, NULL);
    g_autofree char *directory = runtime_dup_directory(engine->definition->uuid);
    g_autofree char *link = g_build_filename(directory, "bundle", NULL);
    g_unlink(mark);
    g_unlink(link);
    g_rmdir(directory); /* not empty yet: the socket; engine_free() tries again */
}

/* Of a machine that did not start, too; where another engine has its socket there it stays. */
static void remove_runtime_folder(Engine *engine)
{
    if (!engine->definition)
        return;
    g_autofree char *directory = runtime_dup_directory(engine->definition->uuid);
    g_rmdir(directory);
}

/* Discs of files that are in no drive any more: the guest may have ejected them. */
static void remove_unused_file_discs(Engine *engine)
{
    g_autoptr(Definition) definition = bundle_load(engine->bundle, NULL);
    for (unsigned i = 0; definition && i < DEFINITION_MAX_DRIVES; i++) {
        g_autofree char *disc = bundle_dup_file_disc(engine->bundle, i);
        g_autofree char *in = bundle_dup_absolute(engine->bundle, definition->drive[i].path);
        if (strcmp(in, disc) != 0)
            g_unlink(disc);
    }
}

/* --- Events of the machine --- */

void engine_note_problem(Engine *engine)
{
    static const StopReason reasons[] = { [MACHINE_PROBLEM_NONE] = STOP_NONE,
                                          [MACHINE_PROBLEM_DISK_FULL] = STOP_DISK_FULL,
                                          [MACHINE_PROBLEM_DISK] = STOP_DISK,
                                          [MACHINE_PROBLEM_CPU] = STOP_CPU };
    char *subject = NULL;
    StopReason reason = reasons[machine_problem(engine->machine, &subject)];
    bool is_new = reason != engine->stop.reason;
    g_free(engine->stop.subject);
    engine->stop.subject = subject;
    engine->stop.reason = reason;
    if (reason == STOP_NONE || !is_new)
        return;
    g_autofree char *problem = machine_dup_problem(engine->machine);
    g_warning("The machine stopped (%s): %s", stop_reason_name(reason),
              problem ? problem : "no reason given");
}

static void handle_state(Engine *engine)
{
    machine_object_sync_state(engine->object);
    if (machine_state(engine->machine) == MACHINE_PAUSED)
        engine_update_thumbnail(engine);
}

/* A processor that gives up resets the board, as on a PC; without a word nobody knows why. */
static void handle_reset(Engine *engine)
{
    unsigned n = machine_triple_faults(engine->machine);
    if (n != engine->n_triple_faults)
        g_warning("The guest's processor gave up (triple fault, the %u. of this run): the machine "
                  "was reset",
                  n);
    else
        g_message("The machine was reset");
    engine->n_triple_faults = n;
    machine_object_tell_reset(engine->object);
}

static void handle_event(Engine *engine, MachineEvent event)
{
    switch (event) {
    case MACHINE_EVENT_STATE: handle_state(engine); break;
    case MACHINE_EVENT_RESET: handle_reset(engine); break;
    case MACHINE_EVENT_MEDIA: machine_object_sync_media(engine->object); break;
    case MACHINE_EVENT_CPU: machine_object_sync_cpu(engine->object); break;
    case MACHINE_EVENT_POWEROFF:
        g_message("The guest turned the machine off");
        engine_end(engine, engine->off_timer ? STOP_HOST : STOP_GUEST, NULL, NULL);
        break;
    }
}

static gboolean handle_events(gpointer opaque)
{
    Engine *engine = opaque;
    for (;;) {
        g_mutex_lock(&engine->events_lock);
        bool any = !g_queue_is_empty(&engine->events);
        MachineEvent event = GPOINTER_TO_INT(g_queue_pop_head(&engine->events));
        g_mutex_unlock(&engine->events_lock);
        if (!any)
            return G_SOURCE_REMOVE;
        if (engine->machine)
            handle_event(engine, event);
    }
}

/* Any thread. */
static void on_machine_event(void *opaque, MachineEvent event)
{
    Engine *engine = opaque;
    /* At once: waits for text must not see what was said before, nor miss what comes next. */
    if (event == MACHINE_EVENT_RESET && engine->serial)
        serial_log_cut(engine->serial);
    g_mutex_lock(&engine->events_lock);
    g_queue_push_tail(&engine->events, GINT_TO_POINTER(event));
    g_mutex_unlock(&engine->events_lock);
    g_idle_add_full(G_PRIORITY_DEFAULT, handle_events, engine, NULL);
}

static void on_resized(gpointer opaque, unsigned width, unsigned height)
{
    Engine *engine = opaque;
    if (engine->display_objects)
        display_objects_set_size(engine->display_objects, width, height);
}

/* --- Beginning and end --- */

static bool build_machine(Engine *engine, GError **error)
{
    EngineConfig config;
    if (!engine_config_init(&config, engine->bundle, engine->definition, engine->options.disposable,
                            error))
        return false;
    g_autoptr(GError) failure = NULL;
    do {
        g_clear_error(&failure);
        engine->machine = machine_new(&config.config, &failure);
    } while (!engine->machine &&
             engine_config_try_another_cpu(&config, engine->bundle, engine->definition, &failure));
    engine->cpu_backend = config.config.cpu->name;
    engine->cpu_reason = g_steal_pointer(&config.cpu_reason);
    engine_config_clear(&config);
    if (!engine->machine)
        g_propagate_error(error, g_steal_pointer(&failure));
    return engine->machine != NULL;
}

static bool serve(Engine *engine, GError **error)
{
    ServerObject objects[1 + DISPLAY_OBJECTS_COUNT];
    g_autofree char *bus = runtime_dup_bus(engine->definition->uuid);
    objects[0] = (ServerObject){ machine_object_skeleton(engine->object), "/org/vitrine/Machine1" };
    display_objects_list(engine->display_objects, objects + 1);
    engine->server = server_new(bus, objects, G_N_ELEMENTS(objects), error);
    return engine->server != NULL;
}

static bool engine_start(Engine *engine, GError **error)
{
    if (!lock_bundle(engine, error) || !(engine->definition = bundle_load(engine->bundle, error)) ||
        !runtime_make_directory(engine->definition->uuid, error) || !build_machine(engine, error))
        return false;
    Machine *machine = engine->machine;
    if (machine->serial)
        engine->serial = serial_log_new(machine->serial);
    engine->typist = typist_new(machine->i8042);
    engine->watch = text_watch_new(machine->vga, engine->serial);
    engine->display = display_new(machine->vga, on_resized, engine);
    engine->started_at = g_get_real_time() / G_USEC_PER_SEC;
    engine->object = machine_object_new(engine);
    engine->display_objects = display_objects_new(engine);
    machine_set_listener(machine, on_machine_event, engine);
    if (!machine_start(machine, engine->options.paused, error))
        return false;
    machine_object_sync_state(engine->object);
    if (!serve(engine, error))
        return false;
    write_traces(engine);
    g_message("“%s” started: %u CPUs (%s), %" G_GUINT64_FORMAT " MiB", engine->definition->name,
              (unsigned)engine->definition->n_cpus, engine->cpu_backend,
              engine->definition->memory_bytes >> 20);
    g_message("%s", engine->cpu_reason);
    return true;
}

Engine *engine_new(const char *bundle, const EngineOptions *options, GMainLoop *loop,
                   GError **error)
{
    Engine *engine = g_new0(Engine, 1);
    engine->loop = loop;
    engine->options = *options;
    engine->bundle = g_canonicalize_filename(bundle, NULL);
    engine->lock_fd = -1;
    g_mutex_init(&engine->events_lock);
    g_queue_init(&engine->events);
    if (engine_start(engine, error))
        return engine;
    engine_free(engine);
    return NULL;
}

/* Answers what is open. */
static void power_off(Engine *engine)
{
    g_clear_handle_id(&engine->off_timer, g_source_remove);
    machine_set_listener(engine->machine, NULL, NULL);
    g_clear_pointer(&engine->watch, text_watch_free);
    g_clear_pointer(&engine->typist, typist_free);
    machine_power_off(engine->machine);
}

/* Takes the machine down, from who uses it to itself. */
static void stop_machine(Engine *engine)
{
    if (!engine->machine)
        return;
    power_off(engine);
    g_clear_pointer(&engine->display, display_free);
    g_clear_pointer(&engine->serial, serial_log_free);
    g_clear_pointer(&engine->machine, machine_free); /* writes the disks out */
}

/* Before the machine is taken down: it forgets its problem then. */
static void record_stop(Engine *engine, StopReason reason)
{
    g_autoptr(GError) error = NULL;
    engine_note_problem(engine);
    if (engine->stop.reason == STOP_NONE)
        engine->stop.reason = reason;
    engine->stop.time = g_get_real_time() / G_USEC_PER_SEC;
    engine->stop.n_triple_faults = machine_triple_faults(engine->machine);
    if (!stop_record_save(engine->bundle, &engine->stop, &error))
        g_warning("Why the machine stopped is not remembered: %s", error->message);
    g_message("Stopped: %s%s%s", stop_reason_name(engine->stop.reason),
              engine->stop.subject ? ", " : "", engine->stop.subject ? engine->stop.subject : "");
}

void engine_end(Engine *engine, StopReason reason, void (*ended)(gpointer opaque), gpointer opaque)
{
    if (!engine->ending) {
        engine->ending = true;
        LastResort *watch = last_resort_begin(engine, LAST_RESORT_FORCED_MS, ended, opaque);
        record_stop(engine, reason);
        engine->thumbnail_at = 0;
        engine_update_thumbnail(engine);
        power_off(engine);
        last_resort_end(watch);
        stop_machine(engine);
        remove_unused_file_discs(engine);
        remove_traces(engine);
        machine_object_tell_off(engine->object);
        g_message("“%s” is off", engine->definition->name);
    }
    if (ended)
        ended(opaque);
    server_withdraw(engine->server);
    g_main_loop_quit(engine->loop);
}

void engine_vanish(Engine *engine, void (*last_words)(gpointer opaque), gpointer opaque)
{
    g_autofree char *bus = runtime_dup_bus(engine->definition->uuid);

    if (!engine->stop.time) {
        g_free(engine->stop.subject);
        engine->stop.subject = g_strdup("KVM does not come back from the guest");
        engine->stop.reason = STOP_CPU;
        engine->stop.time = g_get_real_time() / G_USEC_PER_SEC;
        stop_record_save(engine->bundle, &engine->stop, NULL);
    }
    remove_traces(engine);
    g_unlink(bus);
    remove_runtime_folder(engine);
    if (last_words)
        last_words(opaque);
    server_withdraw(engine->server);
    close(engine->lock_fd); /* a thread that cannot be ended would keep it */
}

static gboolean on_grace_over(gpointer opaque)
{
    Engine *engine = opaque;
    engine->off_timer = 0;
    g_message("The guest did not turn off in %d seconds", GRACE_SECONDS);
    engine_end(engine, STOP_HOST, NULL, NULL);
    return G_SOURCE_REMOVE;
}

void engine_ask_to_end(Engine *engine)
{
    if (engine->ending)
        return;
    bool running = machine_state(engine->machine) == MACHINE_RUNNING;
    if (!running || engine->off_timer) {
        engine_end(engine, STOP_HOST, NULL, NULL);
        return;
    }
    g_message("Asked to end: pressing the power button");
    machine_press_power_button(engine->machine);
    engine->off_timer = g_timeout_add_seconds(GRACE_SECONDS, on_grace_over, engine);
}

void engine_update_thumbnail(Engine *engine)
{
    gint64 now = g_get_monotonic_time();
    if (!engine->display || (engine->thumbnail_at && now - engine->thumbnail_at < G_USEC_PER_SEC))
        return;
    engine->thumbnail_at = now;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(engine->bundle, BUNDLE_THUMBNAIL, NULL);
    /* Read anew: privacy counts at once, not from the next start. */
    g_autoptr(Definition) definition = bundle_load(engine->bundle, NULL);
    if (definition && !definition->thumbnail) {
        g_unlink(path);
        return;
    }
    g_autoptr(Picture) picture = display_capture(engine->display);
    g_autoptr(Picture) small = picture_scale_down(picture, THUMBNAIL_WIDTH);
    g_autoptr(GBytes) png = picture_to_png(small, &error);
    /* Replaced in one step, but not worth an fsync. */
    if (!png || !g_file_set_contents_full(path, g_bytes_get_data(png, NULL), g_bytes_get_size(png),
                                          G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        g_warning("No thumbnail: %s", error->message);
}

void engine_free(Engine *engine)
{
    if (!engine)
        return;
    stop_machine(engine);
    g_clear_pointer(&engine->server, server_free);
    remove_traces(engine);
    remove_runtime_folder(engine);
    g_clear_pointer(&engine->object, machine_object_free);
    g_clear_pointer(&engine->display_objects, display_objects_free);
    while (g_idle_remove_by_data(engine))
        continue;
    g_queue_clear(&engine->events);
    g_mutex_clear(&engine->events_lock);
    definition_free(engine->definition);
    stop_record_clear(&engine->stop);
    if (engine->lock_fd >= 0)
        close(engine->lock_fd);
    g_free(engine->cpu_reason);
    g_free(engine->bundle);
    g_free(engine);
}
