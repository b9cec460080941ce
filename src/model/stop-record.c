/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/stop-record.h"

#define GROUP "stop"

static const char *const reason_names[] = { "",     "guest", "user", "host",  "disk-full",
                                            "disk", "cpu",   "bug",  "killed" };
G_STATIC_ASSERT(G_N_ELEMENTS(reason_names) == STOP_N_REASONS);

const char *stop_reason_name(StopReason reason)
{
    return reason_names[reason];
}

StopReason stop_reason_parse(const char *name)
{
    for (unsigned i = STOP_NONE + 1; i < STOP_N_REASONS; i++)
        if (g_strcmp0(reason_names[i], name) == 0)
            return (StopReason)i;
    return STOP_NONE;
}

void stop_record_clear(StopRecord *record)
{
    g_free(record->subject);
    *record = (StopRecord){ STOP_NONE };
}

bool stop_record_save(const char *bundle, const StopRecord *record, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, GROUP, "reason", stop_reason_name(record->reason));
    if (record->subject)
        g_key_file_set_string(file, GROUP, "subject", record->subject);
    g_key_file_set_int64(file, GROUP, "time", record->time);
    if (record->n_triple_faults)
        g_key_file_set_integer(file, GROUP, "triple-faults", (int)record->n_triple_faults);
    g_autofree char *path = g_build_filename(bundle, BUNDLE_LAST_STOP, NULL);
    return g_key_file_save_to_file(file, path, error);
}

bool stop_record_load(const char *bundle, StopRecord *out)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = g_build_filename(bundle, BUNDLE_LAST_STOP, NULL);
    *out = (StopRecord){ STOP_NONE };
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return false;
    g_autofree char *reason = g_key_file_get_string(file, GROUP, "reason", NULL);
    out->reason = stop_reason_parse(reason);
    out->subject = g_key_file_get_string(file, GROUP, "subject", NULL);
    out->time = g_key_file_get_int64(file, GROUP, "time", NULL);
    int faults = g_key_file_get_integer(file, GROUP, "triple-faults", NULL);
    out->n_triple_faults = faults > 0 ? (unsigned)faults : 0;
    return out->reason != STOP_NONE;
}
