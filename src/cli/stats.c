/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

#define LABEL_WIDTH 24

/* An engine that is newer may know more: its name for that then. */
static const char *label_of(const char *name)
{
    static const struct {
        const char *name, *label;
    } labels[] = {
        { "uptime-seconds", N_("seconds since the start") },
        { "cpu-seconds", N_("seconds of processor") },
        { "instructions", N_("instructions") },
        { "instructions-per-second", N_("instructions per second") },
        { "memory-resident", N_("memory in use") },
        { "frames", N_("frames shown") },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(labels); i++)
        if (strcmp(labels[i].name, name) == 0)
            return _(labels[i].label);
    return name;
}

/* Figures a person takes in: bytes in units, seconds and rates rounded. */
static char *dup_figure(const char *name, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        return g_str_has_suffix(name, "-seconds")
                   ? g_strdup_printf("%.1f", g_variant_get_double(value))
                   : g_strdup_printf("%.0f", g_variant_get_double(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        return g_str_has_prefix(name, "memory")
                   ? g_format_size_full(g_variant_get_uint64(value), G_FORMAT_SIZE_IEC_UNITS)
                   : g_strdup_printf("%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
    return g_variant_print(value, FALSE);
}

static void print_drives(GVariant *drives)
{
    GVariantIter iter;
    GVariant *drive;
    g_variant_iter_init(&iter, drives);
    while ((drive = g_variant_iter_next_value(&iter))) {
        unsigned number = 0;
        guint64 read = 0, written = 0, reads = 0, writes = 0;
        g_variant_lookup(drive, "drive", "u", &number);
        g_variant_lookup(drive, "read-bytes", "t", &read);
        g_variant_lookup(drive, "written-bytes", "t", &written);
        g_variant_lookup(drive, "reads", "t", &reads);
        g_variant_lookup(drive, "writes", "t", &writes);
        g_autofree char *label = g_strdup_printf(_("drive %u"), number);
        g_autofree char *in = g_format_size_full(read, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *out = g_format_size_full(written, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *text =
            g_strdup_printf(_("%s read (%llu times), %s written (%llu times)"), in,
                            (unsigned long long)reads, out, (unsigned long long)writes);
        verb_print_row(LABEL_WIDTH, label, text);
        g_variant_unref(drive);
    }
}

static void print_text(GVariant *stats)
{
    GVariantIter iter;
    char *name;
    GVariant *value;
    g_variant_iter_init(&iter, stats);
    while (g_variant_iter_loop(&iter, "{sv}", &name, &value)) {
        if (strcmp(name, "screen") == 0) /* tells programs that it changed, and people nothing */
            continue;
        if (strcmp(name, "drives") == 0) {
            print_drives(value);
            continue;
        }
        g_autofree char *text = dup_figure(name, value);
        verb_print_row(LABEL_WIDTH, label_of(name), text);
    }
}

bool verb_stats(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(argv[1], NULL, error);
    g_autoptr(GVariant) stats = NULL;
    if (!machine ||
        !verb_done(vitrine_dbus_machine1_call_stats_sync(machine, &stats, NULL, error), error))
        return false;
    if (as_json) {
        Json json;
        json_begin(&json);
        json_variant(&json, NULL, stats);
        json_end(&json);
        return true;
    }
    print_text(stats);
    return true;
}
