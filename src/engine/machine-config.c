/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/machine-config.h"
#include "base/errors.h"
#include "engine/cpu-choice.h"
#include "engine/cpu-words.h"
#include "model/defaults.h"
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

static const char *keep(EngineConfig *config, char *string)
{
    g_ptr_array_add(config->strings, string);
    return string;
}

static void parse_uuid(const char *text, uint8_t out[16])
{
    for (unsigned i = 0; i < 16; text += *text == '-') {
        out[i++] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
        text += 2;
    }
}

static bool take_cpu(EngineConfig *config, const char *bundle, const CpuDecision *decision,
                     GError **error)
{
    g_autofree char *words = cpu_words_dup(decision);
    if (!decision->ops) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("%s/%s: [machine] cpu is “kvm”, which does not work on this computer. %s Set "
                      "it to auto, and the machine runs without KVM."),
                    bundle, BUNDLE_DEFINITION, words);
        return false;
    }
    config->config.cpu = decision->ops;
    g_free(config->cpu_reason);
    config->cpu_reason = g_steal_pointer(&words);
    return true;
}

static bool choose_cpu(EngineConfig *config, const char *bundle, const Definition *definition,
                       GError **error)
{
    CpuDecision decision = cpu_choice_make(definition);
    return take_cpu(config, bundle, &decision, error);
}

bool engine_config_try_another_cpu(EngineConfig *config, const char *bundle,
                                   const Definition *definition, GError **failure)
{
    if (config->config.cpu == &cpu_soft_ops)
        return false;
    CpuDecision decision = cpu_choice_make_again(definition, *failure);
    /* A wish for KVM keeps an error that says more than that KVM is well. */
    if (!decision.ops && decision.probe.trouble.message[0])
        return false;
    g_clear_error(failure);
    return take_cpu(config, bundle, &decision, failure);
}

/* The disk as it is with everything written going to a file that nobody keeps. */
static char *add_overlay(EngineConfig *config, const char *bundle, const char *path, unsigned slot,
                         GError **error)
{
    g_autofree char *name = g_strdup_printf(".disposable-%u-%u.qcow2", slot, (unsigned)getpid());
    g_autofree char *overlay = g_build_filename(bundle, name, NULL);
    g_autoptr(Disk) disk =
        disk_open(path, &(DiskOptions){ .read_only = true, .allow_shared = true }, error);
    if (!disk)
        return NULL;
    const char *format = strcmp(disk_format_name(disk), "qcow2") == 0 ? "qcow2" : "raw";
    if (!disk_create_qcow2(overlay, disk_size(disk), path, format, error))
        return NULL;
    g_ptr_array_add(config->temporary, g_strdup(overlay));
    return g_steal_pointer(&overlay);
}

static bool add_drive(EngineConfig *config, const char *bundle, const Definition *definition,
                      unsigned slot, bool disposable, GError **error)
{
    const DefinitionDrive *from = &definition->drive[slot];
    MachineDrive *to = &config->config.drive[slot];
    to->is_cdrom = from->type == DRIVE_CDROM;
    to->read_only = to->is_cdrom || from->read_only;
    to->is_absent = from->type == DRIVE_NONE;
    to->is_virtio = from->type == DRIVE_DISK && from->interface == INTERFACE_VIRTIO;
    if (to->is_absent || from->path[0] == '\0') {
        if (from->type == DRIVE_DISK) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("%s/%s: [drive-%u] path is missing; expected the disk image's file name"),
                        bundle, BUNDLE_DEFINITION, slot);
            return false;
        }
        return true;
    }
    char *path = bundle_dup_absolute(bundle, from->path);
    to->path = keep(config, path);
    if (from->type == DRIVE_CDROM || g_file_test(path, G_FILE_TEST_EXISTS)) {
        if (!disposable || to->read_only)
            return true;
        char *overlay = add_overlay(config, bundle, path, slot, error);
        if (!overlay)
            return false;
        to->path = keep(config, overlay);
        return true;
    }
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("The disk image “%s” is missing. Put it back, or correct [drive-%u] path in "
                  "%s/%s"),
                path, slot, bundle, BUNDLE_DEFINITION);
    return false;
}

/* The variables are the machine's, and what becomes of them goes where its disks' writes go. */
static void choose_firmware(EngineConfig *out, const char *bundle, const Definition *definition,
                            bool disposable)
{
    MachineConfig *config = &out->config;

    if (definition->firmware == FIRMWARE_BIOS) {
        config->firmware_path = g_getenv("VITRINE_FIRMWARE"); /* tests and developers */
        return;
    }
    config->firmware = MACHINE_FIRMWARE_UEFI;
    config->nvram_path = keep(out, g_build_filename(bundle, BUNDLE_NVRAM, NULL));
    config->forget_nvram = disposable;
}

/* Windows looks for it, as libosinfo's ids tell. */
static MachineHyperv choose_hyperv(const Definition *definition)
{
    switch ((DefinitionHyperv)definition->hyperv) {
    case HYPERV_CHOICE_ON: return MACHINE_HYPERV_ON;
    case HYPERV_CHOICE_OFF: return MACHINE_HYPERV_OFF;
    case HYPERV_CHOICE_AUTO: break;
    }
    return g_str_has_prefix(definition->os, "win") ? MACHINE_HYPERV_WHERE_THERE
                                                   : MACHINE_HYPERV_OFF;
}

bool engine_config_init(EngineConfig *out, const char *bundle, const Definition *definition,
                        bool disposable, GError **error)
{
    g_autofree char *conf = g_build_filename(bundle, BUNDLE_DEFINITION, NULL);
    static const CpuModelName models[] = { [CPU_MODEL_CHOICE_AUTO] = CPU_MODEL_AUTO,
                                           [CPU_MODEL_CHOICE_V1] = CPU_MODEL_V1,
                                           [CPU_MODEL_CHOICE_V2] = CPU_MODEL_V2,
                                           [CPU_MODEL_CHOICE_V3] = CPU_MODEL_V3,
                                           [CPU_MODEL_CHOICE_HOST] = CPU_MODEL_HOST };
    *out = (EngineConfig){ 0 };
    out->strings = g_ptr_array_new_with_free_func(g_free);
    out->temporary = g_ptr_array_new_with_free_func(g_free);
    MachineConfig *config = &out->config;

    if (!definition_check_runs(definition, conf, error))
        goto failed;
    if (!choose_cpu(out, bundle, definition, error))
        goto failed;
    config->name = keep(out, g_strdup(definition->name));
    parse_uuid(definition->uuid, config->uuid);
    config->memory_bytes = definition->memory_bytes;
    config->n_cpus = definition->n_cpus;
    config->model = models[definition->cpu_model];
    config->hyperv = choose_hyperv(definition);
    config->clock =
        definition->clock == CLOCK_CHOICE_DETERMINISTIC ? CLOCK_DETERMINISTIC : CLOCK_REAL;
    config->boot_order = definition->boot == BOOT_DISK_CDROM ? "disk,cdrom" : "cdrom,disk";
    config->boot_menu = definition->boot_menu;
    config->has_rng = machine_defaults_has_virtio(definition->os);
    config->rtc_base = -1;
    choose_firmware(out, bundle, definition, disposable);
    if (definition->kernel[0]) {
        config->kernel_path = keep(out, bundle_dup_absolute(bundle, definition->kernel));
        if (definition->initrd[0])
            config->initrd_path = keep(out, bundle_dup_absolute(bundle, definition->initrd));
        config->kernel_command_line = keep(out, g_strdup(definition->command_line));
    }
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        if (definition->drive[i].type != DRIVE_NONE)
            config->n_drives = i + 1;
    }
    for (unsigned i = 0; i < config->n_drives; i++)
        if (!add_drive(out, bundle, definition, i, disposable, error))
            goto failed;
    return true;

failed:
    engine_config_clear(out);
    return false;
}

void engine_config_clear(EngineConfig *config)
{
    for (unsigned i = 0; config->temporary && i < config->temporary->len; i++)
        g_unlink(config->temporary->pdata[i]);
    g_clear_pointer(&config->strings, g_ptr_array_unref);
    g_clear_pointer(&config->temporary, g_ptr_array_unref);
    g_clear_pointer(&config->cpu_reason, g_free);
}
