/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* What this computer has for Vitrine, in words with a remedy. */

#include "cli/json.h"
#include "cli/verbs.h"
#include "client/host-cpu.h"
#include "model/defaults.h"
#include "model/firmware-files.h"
#include <glib/gi18n.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef struct {
    const char *name; /* in English, for scripts; its translation is for people */
    bool good;
    char *words; /* owned */
} Finding;

static void add(GArray *findings, const char *name, bool good, char *words)
{
    Finding finding = { name, good, words };
    g_array_append_val(findings, finding);
}

static void check_engine(GArray *findings)
{
    g_autofree char *path = client_dup_engine_path();
    bool good = g_file_test(path, G_FILE_TEST_IS_EXECUTABLE);
    add(findings, N_("engine"), good,
        good ? g_strdup(path)
             : g_strdup_printf(_("%s is missing: no machine can start. Install Vitrine again"),
                               path));
}

/* @path NULL: it is missing, and @remedy says what to do. */
static void add_firmware(GArray *findings, const char *name, const char *path, const char *remedy)
{
    add(findings, name, path != NULL, g_strdup(path ? path : remedy));
}

static void check_firmware(GArray *findings)
{
    UefiFiles uefi = { NULL };
    firmware_find_uefi(0, &uefi);
    add_firmware(findings, N_("firmware"), firmware_find_bios(),
                 _("SeaBIOS is missing: no machine with a BIOS can start. Install the package "
                   "seabios"));
    add_firmware(findings, N_("video firmware"), firmware_find_vga_bios(),
                 _("SeaVGABIOS is missing: no machine with a BIOS can start. Install the package "
                   "seabios"));
    add_firmware(findings, N_("UEFI firmware"), uefi.code,
                 _("OVMF is missing: no machine with UEFI can start. Install the package ovmf"));
}

/* The first question of anyone who finds it slow, so what is said is of now. */
static void check_cpu(GArray *findings)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HostCpu) cpu = client_probe_cpu(true, &error);
    if (!cpu)
        add(findings, N_("cpu"), false, g_strdup(error->message));
    else if (cpu->is_kvm)
        add(findings, N_("cpu"), true, g_strdup(cpu->words));
    else
        add(findings, N_("cpu"), false,
            g_strdup_printf(_("Machines run on Vitrine's software CPU. %s%s%s"), cpu->words,
                            cpu->remedy[0] ? " " : "", cpu->remedy));
}

static void check_resources(GArray *findings)
{
    uint64_t memory = host_memory_bytes();
    g_autofree char *memory_text = g_format_size_full(memory, G_FORMAT_SIZE_IEC_UNITS);
    add(findings, N_("memory"), memory >= (UINT64_C(1) << 30),
        g_strdup_printf(_("%s, %u processors"), memory_text, host_n_cpus()));

    g_autofree char *root = bundle_default_root();
    struct statvfs fs;
    g_autofree char *probe = g_strdup(root);
    while (statvfs(probe, &fs) < 0 && strlen(probe) > 1) {
        char *parent = g_path_get_dirname(probe);
        g_free(probe);
        probe = parent;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    g_autofree char *free_text = g_format_size_full(free_bytes, G_FORMAT_SIZE_IEC_UNITS);
    bool good = free_bytes >= (UINT64_C(2) << 30);
    add(findings, N_("disk space"), good,
        g_strdup_printf(_("%s free for %s%s"), free_text, root,
                        good ? "" : _(": machines pause when it runs out")));
}

static void check_runtime(GArray *findings)
{
    g_autofree char *root = runtime_dup_root();
    const char *set = g_getenv("XDG_RUNTIME_DIR");
    add(findings, N_("sockets"), true,
        set && g_str_has_prefix(root, set)
            ? g_strdup(root)
            : g_strdup_printf(_("%s (XDG_RUNTIME_DIR is not set, or too long)"), root));
}

static void check_machines(GArray *findings)
{
    g_autoptr(GPtrArray) machines = client_list_machines();
    unsigned n_running = 0;
    for (unsigned i = 0; i < machines->len; i++) {
        const ClientMachine *machine = machines->pdata[i];
        n_running += client_state_is_live(machine->state);
        if (machine->damage)
            add(findings, N_("machine"), false, g_strdup(machine->damage->message));
        else if (machine->problem[0])
            add(findings, N_("machine"), false,
                g_strdup_printf("%s: %s", client_machine_name(machine), machine->problem));
    }
    add(findings, N_("machines"), true,
        g_strdup_printf(_("%u, of which %u run"), machines->len, n_running));
}

static void print_finding(const Finding *finding)
{
    fputs(finding->good ? "  " : "! ", stdout);
    verb_print_row(15, _(finding->name), finding->words);
}

bool verb_doctor(int argc, char **argv, GError **error)
{
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 0, 0, error))
        return false;
    g_autoptr(GArray) findings = g_array_new(FALSE, FALSE, sizeof(Finding));
    check_engine(findings);
    check_firmware(findings);
    check_cpu(findings);
    check_resources(findings);
    check_runtime(findings);
    check_machines(findings);

    Json json;
    json_begin(&json);
    json_open_array(&json, NULL);
    for (unsigned i = 0; i < findings->len; i++) {
        Finding *finding = &g_array_index(findings, Finding, i);
        json_open_object(&json, NULL);
        json_string(&json, "name", finding->name);
        json_bool(&json, "good", finding->good);
        json_string(&json, "words", finding->words);
        json_close_object(&json);
        if (!as_json)
            print_finding(finding);
        g_free(finding->words);
    }
    json_close_array(&json);
    if (as_json)
        json_end(&json);
    else
        g_string_free(json.text, TRUE);
    return true;
}
