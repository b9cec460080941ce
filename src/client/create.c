/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "client/disks.h"
#include "client/files.h"
#include "client/settings.h"
#include "model/defaults.h"
#include "model/medium-name.h"
#include "model/medium.h"
#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

static void add_drive(Definition *definition, DefinitionDriveType type, const char *path)
{
    int slot = definition_free_drive(definition);
    g_return_if_fail(slot >= 0);
    DefinitionDrive *drive = &definition->drive[slot];
    drive->type = type;
    g_free(drive->path);
    drive->path = g_strdup(path);
}

static void fill_definition(Definition *definition, const ClientCreateOptions *options,
                            const Medium *medium, bool with_disk)
{
    MachineDefaults defaults;
    machine_defaults_get(options->os, 0, 0, &defaults);
    definition->memory_bytes =
        options->memory_bytes ? options->memory_bytes : defaults.memory_bytes;
    definition->n_cpus = options->n_cpus ? options->n_cpus : defaults.n_cpus;
    definition->cpu = options->cpu;
    definition->firmware = options->firmware              ? *options->firmware
                           : medium && medium->needs_uefi ? FIRMWARE_UEFI
                                                          : defaults.firmware;
    if (options->os) {
        g_free(definition->os);
        definition->os = g_strdup(options->os);
    }
    if (with_disk)
        add_drive(definition, DRIVE_DISK, "disk-0.qcow2");
    g_autofree char *path =
        options->source ? g_canonicalize_filename(options->source, NULL) : g_strdup("");
    if (medium && medium->kind == MEDIUM_DISK)
        add_drive(definition, DRIVE_DISK, path);
    add_drive(definition, DRIVE_CDROM, medium && medium->kind == MEDIUM_DISC ? path : "");
}

/* Through the schema, so that a size out of range is refused in its words. */
static bool check_options(const ClientCreateOptions *options, GError **error)
{
    g_autoptr(Definition) scratch = definition_new("x");
    g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT, options->memory_bytes);
    g_autofree char *cpus = g_strdup_printf("%u", options->n_cpus);
    if ((options->memory_bytes && !definition_set(scratch, "memory", memory, error)) ||
        (options->n_cpus && !definition_set(scratch, "cpus", cpus, error)) ||
        (options->name && !definition_set(scratch, "name", options->name, error)))
        return false;
    return true;
}

bool client_check_definition(const Definition *definition, const char *where, GError **error)
{
    if (!definition_check_runs(definition, where, error))
        return false;
    uint64_t host = host_memory_bytes();
    if (!host || definition->memory_bytes <= host)
        return true;
    g_autofree char *has = g_format_size_full(host, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *wants = g_format_size_full(definition->memory_bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("%s of memory is more than this computer has (%s). Choose less"), wants, has);
    return false;
}

static char *dup_users_folder(void)
{
    g_autoptr(GSettings) settings = client_settings_new();
    return client_settings_dup_machines_folder(settings);
}

char *client_create(const ClientCreateOptions *options, char **out_warning, GError **error)
{
    g_autofree char *root = options->root ? g_strdup(options->root) : dup_users_folder();
    g_autoptr(Medium) medium = NULL;
    if (!check_options(options, error) ||
        (options->source && !(medium = medium_identify(options->source, error))))
        return NULL;

    bool with_disk = !options->no_disk && !(medium && medium->kind == MEDIUM_DISK);
    MachineDefaults defaults;
    machine_defaults_get(options->os, 0, 0, &defaults);
    g_autofree char *guess = options->source ? medium_dup_name_of_file(options->source) : NULL;
    g_autofree char *name = options->name ? g_strdup(options->name)
                                          : bundle_dup_free_name(root, guess ? guess : "Machine");

    if (client_name_is_taken(root, NULL, name)) {
        g_set_error(error, APP_ERROR, APP_ERROR_IN_USE,
                    _("There is a machine “%s” already (%s); choose another name"), name, root);
        return NULL;
    }
    g_autoptr(Definition) definition = definition_new(name);
    fill_definition(definition, options, medium, with_disk);
    g_autofree char *bundle = client_check_definition(definition, BUNDLE_DEFINITION, error)
                                  ? bundle_create(root, definition, error)
                                  : NULL;
    if (!bundle)
        return NULL;
    g_autofree char *disk = g_build_filename(bundle, "disk-0.qcow2", NULL);
    if (with_disk &&
        !client_create_disk(disk, options->disk_bytes ? options->disk_bytes : defaults.disk_bytes,
                            error)) {
        g_autofree char *conf = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
        g_unlink(disk);
        g_unlink(conf);
        g_rmdir(bundle);
        return NULL;
    }
    if (out_warning)
        *out_warning = medium ? g_steal_pointer(&medium->warning) : NULL;
    return g_steal_pointer(&bundle);
}
