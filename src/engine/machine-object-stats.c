/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/machine-object-private.h"
#include <string.h>
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

/* FNV-1a over 64-bit words, for it runs over whole pictures. Never 0. */
static uint64_t fingerprint(uint64_t hash, const void *bytes, gsize length)
{
    const uint8_t *at = bytes;
    for (; length > 0; at += sizeof(uint64_t), length -= MIN(length, sizeof(uint64_t))) {
        uint64_t word = 0;
        memcpy(&word, at, MIN(length, sizeof word));
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash ? hash : 1;
}

/* Of the letters and the cursor's place in a text mode, where both cursor and letters may blink. */
static uint64_t screen_fingerprint(Engine *engine)
{
    int size_and_cursor[4] = { 0, 0, -1, -1 };
    g_autofree char *text =
        engine->machine->vga
            ? vga_dup_text(engine->machine->vga, &size_and_cursor[0], &size_and_cursor[1],
                           &size_and_cursor[2], &size_and_cursor[3])
            : NULL;
    uint64_t hash =
        fingerprint(UINT64_C(0xcbf29ce484222325), size_and_cursor, sizeof size_and_cursor);
    if (text)
        return fingerprint(hash, text, strlen(text));
    g_autoptr(Picture) picture = display_capture(engine->display);
    return fingerprint(hash ^ picture->width, picture->pixels,
                       (gsize)picture->width * picture->height * sizeof *picture->pixels);
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
    g_variant_builder_add(&builder, "{sv}", "screen",
                          g_variant_new_uint64(screen_fingerprint(object->engine)));
    g_variant_builder_add(&builder, "{sv}", "drives", drive_stats(machine));
    object->rate_time = now;
    object->rate_instructions = instructions;
    vitrine_dbus_machine1_complete_stats(dbus, invocation, g_variant_builder_end(&builder));
    return TRUE;
}
