/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

#define NOT_GIVEN G_MININT

typedef struct {
    char *name, *memory, *disk, *firmware, *cpu, *os;
    DefinitionFirmware firmware_choice;
    int n_cpus;
    gboolean start;
} CreateArguments;

static void create_arguments_clear(CreateArguments *a)
{
    g_free(a->name);
    g_free(a->memory);
    g_free(a->disk);
    g_free(a->firmware);
    g_free(a->cpu);
    g_free(a->os);
}

static int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static bool fill_options(CreateArguments *a, ClientCreateOptions *options, GError **error)
{
    static const char *const firmwares[] = { "bios", "uefi", NULL };
    static const char *const cpus[] = { "auto", "kvm", "software", NULL };
    int firmware = a->firmware ? find_word(firmwares, a->firmware) : 0;
    int cpu = a->cpu ? find_word(cpus, a->cpu) : 0;
    options->name = a->name;
    options->os = a->os;
    options->no_disk = a->disk && strcmp(a->disk, "none") == 0;
    if (firmware < 0)
        return usage_error(error, _("--firmware is “%s”; expected bios or uefi"), a->firmware);
    if (cpu < 0)
        return usage_error(error, _("--cpu is “%s”; expected auto, kvm or software"), a->cpu);
    if (a->memory && (!size_parse(a->memory, &options->memory_bytes) || !options->memory_bytes))
        return usage_error(error, _("--memory is “%s”; expected a size such as 2G"), a->memory);
    if (a->disk && !options->no_disk &&
        (!size_parse(a->disk, &options->disk_bytes) || options->disk_bytes < 512))
        return usage_error(error, _("--disk is “%s”; expected a size such as 20G, or none"),
                           a->disk);
    if (a->n_cpus != NOT_GIVEN && (a->n_cpus < 1 || a->n_cpus > DEFINITION_MAX_CPUS))
        return usage_error(error, _("--cpus is %d; expected 1 to %d"), a->n_cpus,
                           DEFINITION_MAX_CPUS);
    options->n_cpus = a->n_cpus == NOT_GIVEN ? 0 : a->n_cpus;
    a->firmware_choice = firmware;
    options->firmware = a->firmware ? &a->firmware_choice : NULL;
    options->cpu = cpu;
    g_autoptr(Definition) scratch = definition_new("x");
    return verb_usage((!a->name || definition_set(scratch, "name", a->name, error)) &&
                          (!a->memory || definition_set(scratch, "memory", a->memory, error)),
                      error);
}

/* In one vendor's folder of the osinfo-db (its README: os/VENDOR/ID.xml, each with its short-ids).
 */
static bool vendor_knows(const char *folder, const char *element)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *text = NULL;
        if (g_file_get_contents(path, &text, NULL, NULL) && strstr(text, element))
            return true;
    }
    return false;
}

/* An id that the database does not have is worth a word. Without a database nobody knows. */
static void warn_of_unknown_os(const char *id)
{
    static const char root[] = "/usr/share/osinfo/os";
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    g_autofree char *element = g_strdup_printf("<short-id>%s</short-id>", id);
    const char *vendor;
    while (dir && (vendor = g_dir_read_name(dir))) {
        g_autofree char *folder = g_build_filename(root, vendor, NULL);
        if (vendor_knows(folder, element))
            return;
    }
    if (dir)
        fprintf(stderr, "vitrinectl: %s\n", _("warning: the system given by --os is not known"));
}

static bool create(const ClientCreateOptions *options, bool start, GError **error)
{
    g_autofree char *warning = NULL;
    g_autofree char *bundle = client_create(options, &warning, error);
    if (!bundle)
        return false;
    if (options->os)
        warn_of_unknown_os(options->os);
    if (warning)
        fprintf(stderr, _("vitrinectl: warning: %s\n"), warning);
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    if (start && !client_start(bundle, NULL, error)) {
        g_prefix_error(error, _("“%s” was created but does not start: "),
                       client_machine_name(machine));
        return false;
    }
    puts(client_machine_name(machine));
    return true;
}

bool verb_create(int argc, char **argv, GError **error)
{
    CreateArguments a = { .n_cpus = NOT_GIVEN };
    ClientCreateOptions options = { 0 };
    const GOptionEntry entries[] = {
        { "name", 0, 0, G_OPTION_ARG_STRING, &a.name, NULL, NULL },
        { "memory", 0, 0, G_OPTION_ARG_STRING, &a.memory, NULL, NULL },
        { "cpus", 0, 0, G_OPTION_ARG_INT, &a.n_cpus, NULL, NULL },
        { "disk", 0, 0, G_OPTION_ARG_STRING, &a.disk, NULL, NULL },
        { "os", 0, 0, G_OPTION_ARG_STRING, &a.os, NULL, NULL },
        { "firmware", 0, 0, G_OPTION_ARG_STRING, &a.firmware, NULL, NULL },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &a.cpu, NULL, NULL },
        { "start", 0, 0, G_OPTION_ARG_NONE, &a.start, NULL, NULL },
        { NULL },
    };
    bool good = verb_parse(&argc, &argv, entries, 0, 1, error) && fill_options(&a, &options, error);
    if (good) {
        options.source = argc > 1 ? argv[1] : NULL;
        good = create(&options, a.start, error);
    }
    create_arguments_clear(&a);
    return good;
}
