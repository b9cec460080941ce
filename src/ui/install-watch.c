/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/install-watch.h"
#include "model/bundle.h"
#include "ui/install-rest.h"
#include <sys/stat.h>

#define LOOK_SECONDS 5

/* One run of one machine. */
typedef struct {
    VitrineMachine *machine;    /* owned */
    VitrineDBusMachine1 *proxy; /* owned: of its engine */
    bool installs;              /* else there is nothing to watch */
    uint64_t allocated;         /* by its disks on the host, when it was first looked at */
    bool asking;                /* an answer is on its way */
    InstallRest rest;
} Run;

struct InstallWatch {
    VitrineLibrary *library; /* borrowed */
    InstallWatchFunc told;
    gpointer opaque;
    GPtrArray *runs;           /* owned, of Run */
    GCancellable *cancellable; /* answers that come when we are gone are not looked at */
    guint timer;
};

static void run_free(gpointer data)
{
    Run *run = data;
    g_object_unref(run->machine);
    g_object_unref(run->proxy);
    g_free(run);
}

static Run *watch_find(InstallWatch *self, gpointer proxy)
{
    for (guint i = 0; i < self->runs->len; i++) {
        Run *run = self->runs->pdata[i];
        if (run->proxy == proxy)
            return run;
    }
    return NULL;
}

/* What it does now ------------------------------------------------------------------------------
 */

static InstallSample sample_from_stats(GVariant *stats)
{
    InstallSample sample = { 0 };
    g_variant_lookup(stats, "uptime-seconds", "d", &sample.seconds);
    g_variant_lookup(stats, "cpu-seconds", "d", &sample.cpu_seconds);
    g_variant_lookup(stats, "screen", "t", &sample.screen);
    g_autoptr(GVariant) drives = g_variant_lookup_value(stats, "drives", G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; drives && i < g_variant_n_children(drives); i++) {
        g_autoptr(GVariant) drive = g_variant_get_child_value(drives, i);
        uint64_t read = 0, written = 0;
        g_variant_lookup(drive, "read-bytes", "t", &read);
        g_variant_lookup(drive, "written-bytes", "t", &written);
        sample.read_bytes += read;
        sample.written_bytes += written;
    }
    return sample;
}

static void on_stats(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GVariant) stats = NULL;
    g_autoptr(GError) error = NULL;
    vitrine_dbus_machine1_call_stats_finish(VITRINE_DBUS_MACHINE1(source), &stats, result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    InstallWatch *self = opaque;
    Run *run = watch_find(self, source);
    if (!run)
        return;
    run->asking = false;
    if (!stats)
        return;
    InstallSample sample = sample_from_stats(stats);
    if (!run->rest.begun && !install_began_empty(run->allocated, &sample)) {
        run->installs = false;
        return;
    }
    InstallChange change = install_rest_feed(&run->rest, &sample);
    if (change != INSTALL_UNCHANGED)
        self->told(run->machine, change == INSTALL_RESTS, self->opaque);
}

static void watch_ask(InstallWatch *self, Run *run)
{
    if (!run->installs || run->asking || vitrine_machine_get_state(run->machine) != CLIENT_RUNNING)
        return;
    run->asking = true;
    vitrine_dbus_machine1_call_stats(run->proxy, self->cancellable, on_stats, self);
}

/* Which are watched -----------------------------------------------------------------------------
 */

static bool starts_from_disc(const Definition *definition)
{
    int disc = definition_find_drive(definition, DRIVE_CDROM);
    return definition->boot == BOOT_CDROM_DISK && disc >= 0 && *definition->drive[disc].path &&
           definition_find_drive(definition, DRIVE_DISK) >= 0;
}

static uint64_t allocated_bytes(const char *bundle, const Definition *definition)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(definition->drive); i++) {
        const DefinitionDrive *drive = &definition->drive[i];
        if (drive->type != DRIVE_DISK || !*drive->path)
            continue;
        g_autofree char *path = bundle_dup_absolute(bundle, drive->path);
        struct stat st;
        if (stat(path, &st) == 0)
            sum += (uint64_t)st.st_blocks * 512;
    }
    return sum;
}

/* Returns how much its disks hold, or -1 where it does not start from a disc. */
static void look_thread(GTask *task, gpointer proxy, gpointer bundle, GCancellable *cancellable)
{
    g_autoptr(Definition) definition = bundle_load(bundle, NULL);
    g_task_return_int(task, definition && starts_from_disc(definition)
                                ? (gssize)allocated_bytes(bundle, definition)
                                : -1);
}

static void on_looked(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    gssize allocated = g_task_propagate_int(G_TASK(result), &error);
    Run *run = error ? NULL : watch_find(opaque, source); /* cancelled: we are gone */
    if (!run)
        return;
    run->installs = allocated >= 0;
    run->allocated = run->installs ? (uint64_t)allocated : 0;
    watch_ask(opaque, run);
}

static void watch_begin(InstallWatch *self, VitrineMachine *machine)
{
    Run *run = g_new0(Run, 1);
    run->machine = g_object_ref(machine);
    run->proxy = g_object_ref(vitrine_machine_get_proxy(machine));
    g_ptr_array_add(self->runs, run);
    g_autoptr(GTask) task = g_task_new(run->proxy, self->cancellable, on_looked, self);
    g_task_set_task_data(task, g_strdup(vitrine_machine_get_bundle(machine)), g_free);
    g_task_run_in_thread(task, look_thread);
}

static void watch_end_those_that_ended(InstallWatch *self)
{
    for (guint i = self->runs->len; i-- > 0;) {
        Run *run = self->runs->pdata[i];
        if (run->proxy == vitrine_machine_get_proxy(run->machine))
            continue;
        if (run->rest.rests)
            self->told(run->machine, false, self->opaque);
        g_ptr_array_remove_index_fast(self->runs, i);
    }
}

static gboolean on_timer(gpointer opaque)
{
    InstallWatch *self = opaque;
    watch_end_those_that_ended(self);
    guint n = g_list_model_get_n_items(G_LIST_MODEL(self->library));
    for (guint i = 0; i < n; i++) {
        g_autoptr(VitrineMachine) machine = g_list_model_get_item(G_LIST_MODEL(self->library), i);
        VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(machine);
        Run *run = proxy ? watch_find(self, proxy) : NULL;
        if (run)
            watch_ask(self, run);
        else if (proxy)
            watch_begin(self, machine);
    }
    return G_SOURCE_CONTINUE;
}

InstallWatch *install_watch_new(VitrineLibrary *library, InstallWatchFunc told, gpointer opaque)
{
    InstallWatch *self = g_new0(InstallWatch, 1);
    self->library = library;
    self->told = told;
    self->opaque = opaque;
    self->runs = g_ptr_array_new_with_free_func(run_free);
    self->cancellable = g_cancellable_new();
    self->timer = g_timeout_add_seconds(LOOK_SECONDS, on_timer, self);
    return self;
}

void install_watch_free(InstallWatch *self)
{
    if (!self)
        return;
    g_source_remove(self->timer);
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_ptr_array_unref(self->runs);
    g_free(self);
}
