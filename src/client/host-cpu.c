/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/host-cpu.h"
#include "base/errors.h"
#include "client/client.h"
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

#define GROUP "cpu" /* engine/cpu-choice.c writes it */

void host_cpu_free(HostCpu *cpu)
{
    if (!cpu)
        return;
    g_free(cpu->backend);
    g_free(cpu->reason);
    g_free(cpu->words);
    g_free(cpu->remedy);
    g_free(cpu);
}

static HostCpu *parse(const char *text)
{
    g_autoptr(GKeyFile) report = g_key_file_new();
    g_autoptr(HostCpu) cpu = g_new0(HostCpu, 1);
    if (!text || !g_key_file_load_from_data(report, text, -1, G_KEY_FILE_NONE, NULL))
        return NULL;
    cpu->backend = g_key_file_get_string(report, GROUP, "backend", NULL);
    cpu->reason = g_key_file_get_string(report, GROUP, "reason", NULL);
    cpu->words = g_key_file_get_string(report, GROUP, "words", NULL);
    cpu->remedy = g_key_file_get_string(report, GROUP, "remedy", NULL);
    cpu->kvm_mips = g_key_file_get_double(report, GROUP, "kvm-mips", NULL);
    cpu->software_mips = g_key_file_get_double(report, GROUP, "software-mips", NULL);
    cpu->is_kvm = g_strcmp0(cpu->backend, "kvm") == 0;
    bool whole = cpu->backend && cpu->reason && cpu->words && cpu->remedy;
    return whole ? g_steal_pointer(&cpu) : NULL;
}

HostCpu *client_probe_cpu(bool fresh, GError **error)
{
    g_autofree char *engine = client_dup_engine_path(), *text = NULL;
    g_autoptr(GError) local = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &local,
                         engine, "--probe-cpu", fresh ? "--fresh" : NULL, NULL);
    if (process)
        g_subprocess_communicate_utf8(process, NULL, NULL, &text, NULL, &local);
    HostCpu *cpu = parse(text);
    if (!cpu)
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("The engine (%s) does not say what machines run on: %s"), engine,
                    local ? local->message : _("its answer cannot be read"));
    return cpu;
}
