/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/machine-object-private.h"
#include <sys/resource.h>
#include <unistd.h>

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

gboolean machine_object_on_stats(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
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
