/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

#include "core/dev/ahci.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>

/* A full host disk is no error of the guest's: the machine waits until there is room. */
void machine_report_write_problem(Machine *machine, const char *path, int error_number)
{
    bool full = error_number == ENOSPC || error_number == EDQUOT;
    const char *remedy =
        full ? "Make room there, then resume it."
        : error_number == EFBIG
            ? "Its file system, or a limit of your session, allows no larger file: force the "
              "machine off and move the image to another file system."
            : "Mend that, then resume it.";
    char *text = g_strdup_printf("%s could not be written: %s. The machine is paused and nothing "
                                 "is lost. %s",
                                 path, g_strerror(error_number), remedy);
    machine_report(machine, REQUEST_PROBLEM,
                   (MachineTrouble){ full ? MACHINE_PROBLEM_DISK_FULL : MACHINE_PROBLEM_DISK,
                                     g_strdup(path), text });
}

static void on_disk_problem(void *opaque, Disk *disk, int error_number)
{
    machine_report_write_problem(opaque, disk_path(disk), error_number);
}

static Disk *open_disk(Machine *machine, const char *path, bool is_cdrom, bool read_only,
                       GError **error)
{
    DiskOptions options = { .read_only = is_cdrom || read_only, .allow_shared = is_cdrom };
    Disk *disk = disk_open(path, &options, error);

    if (disk)
        disk_set_problem_callback(disk, on_disk_problem, machine);
    return disk;
}

bool machine_drives_open(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < p->config.n_drives; i++) {
        const MachineDrive *drive = &p->config.drive[i];
        if (drive->is_absent)
            continue;
        if (drive->is_virtio && drive->is_cdrom) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        _("Drive %u is a CD drive: virtio is for disks."), i);
            return false;
        }
        p->drive[i].is_cdrom = drive->is_cdrom;
        p->drive[i].read_only = drive->read_only;
        if (!drive->path) {
            if (drive->is_cdrom)
                continue;
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        _("Drive %u is a hard disk without an image."), i);
            return false;
        }
        p->drive[i].disk =
            open_disk(machine, drive->path, drive->is_cdrom, drive->read_only, error);
        if (!p->drive[i].disk)
            return false;
        p->drive[i].path = g_strdup(drive->path);
    }
    return true;
}

/* The guest has put a disc out, or taken it in again. */
static void on_tray(void *opaque)
{
    machine_request(opaque, REQUEST_MEDIA);
}

/* Serial numbers tell the disks of one machine apart, and stay the same from start to start. */
char *machine_drive_dup_serial(Machine *machine, unsigned drive)
{
    const uint8_t *uuid = machine->priv->config.uuid;

    return g_strdup_printf("VT%02x%02x%02x%02x%04u", uuid[0], uuid[1], uuid[2], uuid[3], drive);
}

void machine_drives_attach(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < p->config.n_drives; i++) {
        g_autofree char *serial = machine_drive_dup_serial(machine, i);
        if (p->config.drive[i].is_absent || p->config.drive[i].is_virtio)
            continue;
        if (p->drive[i].is_cdrom)
            ahci_attach_cdrom(machine->ahci, i, p->drive[i].disk);
        else
            ahci_attach_disk(machine->ahci, i, p->drive[i].disk, serial);
    }
    ahci_set_tray_callback(machine->ahci, on_tray, machine);
}

void machine_drives_close(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++) {
        g_clear_pointer(&p->drive[i].disk, disk_free);
        g_clear_pointer(&p->drive[i].path, g_free);
    }
}

void machine_drives_retry(Machine *machine)
{
    for (unsigned i = 0; i < machine->priv->config.n_drives; i++)
        if (machine->priv->drive[i].disk)
            disk_retry(machine->priv->drive[i].disk);
}

static void add_stats(DiskStats *sum, const DiskStats *more)
{
    sum->read_bytes += more->read_bytes;
    sum->written_bytes += more->written_bytes;
    sum->reads += more->reads;
    sum->writes += more->writes;
    sum->flushes += more->flushes;
}

bool machine_set_media(Machine *machine, unsigned drive, const char *path, GError **error)
{
    MachinePrivate *p = machine->priv;
    Disk *disk = NULL, *old = NULL;

    if (drive >= p->config.n_drives || !p->drive[drive].is_cdrom) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("Drive %u is not a CD drive: only discs can be changed."), drive);
        return false;
    }
    if (path && !(disk = open_disk(machine, path, true, true, error)))
        return false;
    g_rec_mutex_lock(&p->life_lock);
    ahci_set_media(machine->ahci, drive, disk, &old);
    p->drive[drive].disk = disk;
    g_free(p->drive[drive].path);
    p->drive[drive].path = g_strdup(path);
    g_rec_mutex_unlock(&p->life_lock);
    if (old) {
        DiskStats last = { 0 };
        disk_get_stats(old, &last);
        g_rec_mutex_lock(&p->life_lock);
        add_stats(&p->drive[drive].gone, &last);
        g_rec_mutex_unlock(&p->life_lock);
    }
    disk_free(old);
    machine_request(machine, REQUEST_MEDIA);
    return true;
}

char *machine_dup_media(Machine *machine, unsigned drive)
{
    MachinePrivate *p = machine->priv;

    g_return_val_if_fail(drive < MACHINE_MAX_DRIVES, NULL);
    g_rec_mutex_lock(&p->life_lock);
    bool is_in = !p->drive[drive].is_cdrom || !ahci_tray_is_open(machine->ahci, drive);
    char *path = is_in ? g_strdup(p->drive[drive].path) : NULL;
    g_rec_mutex_unlock(&p->life_lock);
    return path;
}

bool machine_get_drive_stats(Machine *machine, unsigned drive, DiskStats *out_stats)
{
    MachinePrivate *p = machine->priv;

    g_return_val_if_fail(drive < MACHINE_MAX_DRIVES, false);
    g_rec_mutex_lock(&p->life_lock);
    bool exists = p->drive[drive].disk || p->drive[drive].is_cdrom;
    *out_stats = (DiskStats){ 0 };
    if (p->drive[drive].disk)
        disk_get_stats(p->drive[drive].disk, out_stats);
    add_stats(out_stats, &p->drive[drive].gone);
    g_rec_mutex_unlock(&p->life_lock);
    return exists;
}
