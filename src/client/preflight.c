/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/preflight.h"
#include "model/defaults.h"
#include "model/firmware-files.h"
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define LEAST_SPACE (256 * MIB) /* for a definition, a log and an installer's first steps */

static void finding_free(gpointer data)
{
    PreflightFinding *finding = data;
    g_free(finding->words);
    g_free(finding->remedy);
    g_free(finding);
}

/* Takes @words. */
static void add(GPtrArray *findings, PreflightGrade grade, char *words, const char *remedy)
{
    PreflightFinding *finding = g_new(PreflightFinding, 1);
    *finding = (PreflightFinding){ grade, words, g_strdup(remedy) };
    g_ptr_array_add(findings, finding);
}

static void check_parts(GPtrArray *findings, const PreflightWants *wants, const PreflightHost *host)
{
    if (!host->has_engine)
        add(findings, PREFLIGHT_FATAL, g_strdup(_("A part of Vitrine is missing: its engine")),
            _("Install Vitrine again."));
    if (wants->firmware == FIRMWARE_BIOS && !host->has_bios)
        add(findings, PREFLIGHT_FATAL,
            g_strdup(_("The firmware that starts machines is not installed")),
            _("Install the package “seabios”."));
    if (wants->firmware == FIRMWARE_UEFI && !host->has_uefi)
        add(findings, PREFLIGHT_FATAL,
            g_strdup(_("The UEFI firmware that starts this machine is not installed")),
            _("Install the package “ovmf”, or choose BIOS."));
}

static void check_memory(GPtrArray *findings, const PreflightWants *wants,
                         const PreflightHost *host)
{
    g_autofree char *wanted = g_format_size_full(wants->memory_bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *total = g_format_size_full(host->memory_total, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *left = g_format_size_full(host->memory_free, G_FORMAT_SIZE_IEC_UNITS);
    if (host->memory_total && wants->memory_bytes > host->memory_total)
        add(findings, PREFLIGHT_FATAL,
            g_strdup_printf(_("%s of memory is more than this computer has (%s)"), wanted, total),
            _("Choose less memory."));
    else if (host->memory_free && wants->memory_bytes > host->memory_free)
        add(findings, PREFLIGHT_WARNING,
            g_strdup_printf(_("Only %s of memory is free now, and the machine may use %s"), left,
                            wanted),
            _("Close other programs and machines, or choose less memory."));
}

static void check_space(GPtrArray *findings, const PreflightWants *wants, const PreflightHost *host)
{
    g_autofree char *left = g_format_size(host->space_free);
    g_autofree char *disk = g_format_size(wants->disk_bytes);
    if (!host->root_writable)
        add(findings, PREFLIGHT_FATAL,
            g_strdup_printf(_("No machine can be made in “%s”: it is read-only or not yours"),
                            wants->root),
            _("Choose another folder in the preferences."));
    else if (host->space_free < LEAST_SPACE)
        add(findings, PREFLIGHT_FATAL,
            g_strdup_printf(_("The disk of this computer is full: %s free"), left),
            _("Make room, or choose another folder in the preferences."));
    else if (wants->disk_bytes > host->space_free)
        add(findings, PREFLIGHT_WARNING,
            g_strdup_printf(_("The machine's disk may grow to %s, and %s are free"), disk, left),
            _("It takes space only as it fills; when there is none left the machine pauses."));
}

/* No obstacle, as a machine always runs; but slower it is. */
static void check_cpu(GPtrArray *findings, const PreflightHost *host)
{
    if (host->cpu && !host->cpu->is_kvm)
        add(findings, PREFLIGHT_NOTE,
            g_strdup_printf(_("The machine will run on Vitrine's software CPU. %s"),
                            host->cpu->words),
            host->cpu->remedy);
}

static int compare_grades(gconstpointer a, gconstpointer b)
{
    const PreflightFinding *left = *(PreflightFinding *const *)a;
    const PreflightFinding *right = *(PreflightFinding *const *)b;
    return (int)right->grade - (int)left->grade;
}

GPtrArray *client_preflight_on(const PreflightWants *wants, const PreflightHost *host)
{
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);
    check_parts(findings, wants, host);
    check_space(findings, wants, host);
    check_memory(findings, wants, host);
    check_cpu(findings, host);
    g_ptr_array_sort(findings, compare_grades);
    return findings;
}

/* proc(5), /proc/meminfo: what could be used without swapping. */
static uint64_t free_memory_bytes(void)
{
    g_autofree char *text = NULL;
    unsigned long long kib = 0;
    if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
        return 0;
    const char *line = strstr(text, "MemAvailable:");
    return line && sscanf(line, "MemAvailable: %llu kB", &kib) == 1 ? kib * 1024 : 0;
}

/* Of @path, or of the folder that it would be made in. */
static char *dup_existing(const char *path)
{
    char *at = g_strdup(path);
    while (!g_file_test(at, G_FILE_TEST_EXISTS) && strlen(at) > 1) {
        char *parent = g_path_get_dirname(at);
        g_free(at);
        at = parent;
    }
    return at;
}

GPtrArray *client_preflight(const PreflightWants *wants)
{
    g_autofree char *engine = client_dup_engine_path();
    g_autofree char *folder = dup_existing(wants->root);
    struct statvfs fs = { 0 };
    UefiFiles uefi;
    g_autoptr(HostCpu) cpu = client_probe_cpu(false, NULL); /* no engine: said by another check */
    PreflightHost host = {
        .has_engine = g_file_test(engine, G_FILE_TEST_IS_EXECUTABLE),
        .has_bios = firmware_find_bios() && firmware_find_vga_bios(),
        .has_uefi = firmware_find_uefi(0, &uefi),
        .cpu = cpu,
        .memory_total = host_memory_bytes(),
        .memory_free = free_memory_bytes(),
        .root_writable = access(folder, W_OK | X_OK) == 0,
        .space_free = statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0,
    };
    return client_preflight_on(wants, &host);
}
