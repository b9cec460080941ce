/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

#include "core/dev/ahci.h"
#include "core/virtio/virtio-blk.h"
#include "core/virtio/virtio-rng.h"

/* The machine's virtio devices, and the I/O that goes on beside its vCPUs. */

enum { SLOT_RNG = 3, SLOT_FIRST_DISK = 8 };

unsigned machine_virtio_slot(unsigned drive)
{
    return SLOT_FIRST_DISK + drive;
}

static Device *make_disk(Machine *machine, unsigned drive)
{
    MachinePrivate *p = machine->priv;
    g_autofree char *serial = machine_drive_dup_serial(machine, drive);
    g_autofree char *id = g_strdup_printf("virtio-blk%u", drive);

    return virtio_blk_new(machine->pci, PCI_DEVFN(machine_virtio_slot(drive), 0), id,
                          p->drive[drive].disk, serial, p->config.n_cpus);
}

bool machine_virtio_build(Machine *machine, bool (*add)(Machine *, Device *, GError **),
                          GError **error)
{
    MachinePrivate *p = machine->priv;

    if (p->config.has_rng && clock_kind(machine->clock) != CLOCK_DETERMINISTIC) {
        Device *rng = virtio_rng_new(machine->pci, PCI_DEVFN(SLOT_RNG, 0));
        if (!add(machine, rng, error))
            return false;
        g_ptr_array_add(p->virtio, rng);
    }
    for (unsigned i = 0; i < p->config.n_drives; i++) {
        const MachineDrive *drive = &p->config.drive[i];
        if (!drive->is_virtio || drive->is_absent)
            continue;
        Device *disk = make_disk(machine, i);
        if (!add(machine, disk, error))
            return false;
        g_ptr_array_add(p->virtio, disk);
    }
    return true;
}

void machine_io_rest(Machine *machine)
{
    const GPtrArray *virtio = machine->priv->virtio;

    for (unsigned i = 0; i < virtio->len; i++)
        virtio_rest(virtio->pdata[i]);
    ahci_drain(machine->ahci);
}

void machine_io_forget(Machine *machine)
{
    const GPtrArray *virtio = machine->priv->virtio;

    g_rec_mutex_lock(&machine->lock);
    for (unsigned i = 0; i < virtio->len; i++)
        device_reset(virtio->pdata[i]);
    g_rec_mutex_unlock(&machine->lock);
}

void machine_io_take_no_more(Machine *machine)
{
    const GPtrArray *virtio = machine->priv->virtio;

    for (unsigned i = 0; i < virtio->len; i++)
        virtio_take_no_more(virtio->pdata[i]);
}

void machine_io_resume(Machine *machine)
{
    const GPtrArray *virtio = machine->priv->virtio;

    for (unsigned i = 0; i < virtio->len; i++)
        virtio_resume(virtio->pdata[i]);
}
