/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/os-info.h"
#include <osinfo/osinfo.h>

void os_info_free(OsInfo *info)
{
    if (!info)
        return;
    g_free(info->id);
    g_free(info->name);
    g_free(info);
}

static void take_resources(OsInfo *info, OsinfoResourcesList *list, bool minimum)
{
    for (int i = 0; i < osinfo_list_get_length(OSINFO_LIST(list)); i++) {
        OsinfoResources *resources = OSINFO_RESOURCES(osinfo_list_get_nth(OSINFO_LIST(list), i));
        gint64 ram = osinfo_resources_get_ram(resources),
               storage = osinfo_resources_get_storage(resources);
        uint64_t *memory = minimum ? &info->minimum_memory : &info->recommended_memory;
        if (ram > 0)
            *memory = MAX(*memory, (uint64_t)ram);
        if (!minimum && storage > 0)
            info->recommended_disk = MAX(info->recommended_disk, (uint64_t)storage);
    }
}

/* The database names what a system supports besides a BIOS, and says so where a BIOS is not enough.
 */
static bool refuses_bios(OsinfoOs *os)
{
    g_autoptr(OsinfoFirmwareList) list = osinfo_os_get_complete_firmware_list(os, NULL);
    bool refuses = false;
    for (int i = 0; i < osinfo_list_get_length(OSINFO_LIST(list)); i++) {
        OsinfoFirmware *firmware = OSINFO_FIRMWARE(osinfo_list_get_nth(OSINFO_LIST(list), i));
        refuses |= g_strcmp0(osinfo_firmware_get_architecture(firmware), "x86_64") == 0 &&
                   g_strcmp0(osinfo_firmware_get_firmware_type(firmware), "bios") == 0 &&
                   !osinfo_firmware_is_supported(firmware);
    }
    return refuses;
}

static void detect_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    OsInfo *info = g_new0(OsInfo, 1);
    g_autoptr(OsinfoLoader) loader = osinfo_loader_new();
    osinfo_loader_process_default_path(loader, NULL);
    g_autoptr(OsinfoMedia) media = osinfo_media_create_from_location(data, cancellable, NULL);
    OsinfoDb *db = osinfo_loader_get_db(loader);
    if (media && osinfo_db_identify_media(db, media)) {
        g_autoptr(OsinfoOs) os = osinfo_media_get_os(media);
        if (os) {
            info->id = g_strdup(osinfo_product_get_short_id(OSINFO_PRODUCT(os)));
            info->name = g_strdup(osinfo_product_get_name(OSINFO_PRODUCT(os)));
            g_autoptr(OsinfoResourcesList) minimum = osinfo_os_get_minimum_resources(os);
            g_autoptr(OsinfoResourcesList) recommended = osinfo_os_get_recommended_resources(os);
            take_resources(info, minimum, true);
            take_resources(info, recommended, false);
            info->needs_uefi = refuses_bios(os);
        }
    }
    g_task_return_pointer(task, info, (GDestroyNotify)os_info_free);
}

void os_info_detect_async(const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer opaque)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, opaque);
    g_task_set_task_data(task, g_strdup(path), g_free);
    g_task_run_in_thread(task, detect_thread);
}

OsInfo *os_info_detect_finish(GAsyncResult *result)
{
    return g_task_propagate_pointer(G_TASK(result), NULL);
}
