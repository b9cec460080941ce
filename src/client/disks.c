/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/disks.h"
#include "base/errors.h"
#include "client/spawn.h"
#include "model/medium.h"
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QCOW2_HEAD_BYTES 32
#define QCOW2_SIZE_OFFSET 24

bool client_look_at_disk(const char *path, ClientDiskImage *out_image)
{
    uint8_t head[QCOW2_HEAD_BYTES] = { 0 };
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) &&
                pread(fd, head, sizeof head, 0) >= 0;
    if (good) {
        bool is_qcow2 = memcmp(head, "QFI\xfb", 4) == 0;
        off_t end = lseek(fd, 0, SEEK_END); /* block devices have no st_size */
        uint64_t be;
        memcpy(&be, head + QCOW2_SIZE_OFFSET, sizeof be);
        out_image->format = is_qcow2 ? "qcow2" : "raw";
        out_image->size_bytes = is_qcow2 ? GUINT64_FROM_BE(be) : (uint64_t)MAX(end, 0);
        out_image->occupied_bytes =
            S_ISBLK(st.st_mode) ? (uint64_t)MAX(end, 0) : (uint64_t)st.st_blocks * 512;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

bool client_create_disk(const char *path, uint64_t size_bytes, GError **error)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, size_bytes);
    const char *argv[] = { "--create-disk", path, "--size", size, NULL };
    return spawn_engine(argv, error);
}

static int add_drive(const char *bundle, DefinitionDriveType type, const char *path, GError **error)
{
    g_autoptr(Definition) definition = bundle_load(bundle, error);
    if (!definition)
        return -1;
    int slot = definition_free_drive(definition);
    if (slot < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("A machine has at most %d drives. Remove one first"), DEFINITION_MAX_DRIVES);
        return -1;
    }
    definition->drive[slot].type = type;
    definition->drive[slot].read_only = false;
    definition->drive[slot].interface = INTERFACE_AHCI;
    g_free(definition->drive[slot].path);
    definition->drive[slot].path = g_strdup(path);
    return bundle_save(bundle, definition, error) ? slot : -1;
}

int client_add_new_disk(const char *bundle, uint64_t size_bytes, GError **error)
{
    g_autofree char *name = bundle_dup_new_disk_name(bundle);
    g_autofree char *path = g_build_filename(bundle, name, NULL);
    if (!client_create_disk(path, size_bytes, error))
        return -1;
    int slot = add_drive(bundle, DRIVE_DISK, name, error);
    if (slot < 0)
        g_unlink(path);
    return slot;
}

int client_add_disk_image(const char *bundle, const char *path, GError **error)
{
    g_autoptr(Medium) medium = medium_identify(path, error);
    if (!medium)
        return -1;
    if (medium->kind != MEDIUM_DISK) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("“%s” is a disc. Insert it into a disc drive instead"), path);
        return -1;
    }
    return add_drive(bundle, DRIVE_DISK, path, error);
}

int client_add_disc_drive(const char *bundle, GError **error)
{
    return add_drive(bundle, DRIVE_CDROM, "", error);
}

bool client_set_disc(const char *bundle, unsigned number, const char *path, GError **error)
{
    g_return_val_if_fail(number < DEFINITION_MAX_DRIVES, false);
    g_autoptr(Definition) definition = bundle_load(bundle, error);
    g_autoptr(Medium) medium = path[0] && definition ? medium_identify(path, error) : NULL;
    if (!definition || (path[0] && !medium))
        return false;
    if (definition->drive[number].type != DRIVE_CDROM) {
        g_set_error(error, APP_ERROR, APP_ERROR_NOT_FOUND, _("The machine has no disc drive %u"),
                    number);
        return false;
    }
    if (medium && medium->kind != MEDIUM_DISC) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("“%s” is a disk image, not a disc. Choose an ISO"), path);
        return false;
    }
    g_free(definition->drive[number].path);
    definition->drive[number].path = g_strdup(path);
    return bundle_save(bundle, definition, error);
}

static bool check_off(const char *bundle, GError **error)
{
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    if (!client_state_is_live(machine->state))
        return true;
    g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                _("“%s” runs and uses its disks. Stop it first"), client_machine_name(machine));
    return false;
}

bool client_remove_drive(const char *bundle, unsigned number, bool trash_file, GError **error)
{
    g_return_val_if_fail(number < DEFINITION_MAX_DRIVES, false);
    g_autoptr(Definition) definition = bundle_load(bundle, error);
    if (!definition || (trash_file && !check_off(bundle, error)))
        return false;
    DefinitionDrive *drive = &definition->drive[number];
    g_autofree char *path = bundle_dup_absolute(bundle, drive->path);
    g_autofree char *folder = g_path_get_dirname(path);
    bool ours = drive->type == DRIVE_DISK && g_strcmp0(folder, bundle) == 0;
    drive->type = DRIVE_NONE;
    if (!bundle_save(bundle, definition, error))
        return false;
    g_autoptr(GFile) file = g_file_new_for_path(path);
    return !trash_file || !ours || !g_file_test(path, G_FILE_TEST_EXISTS) ||
           g_file_trash(file, NULL, error);
}
