/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

/* A machine whose CPU does not come back: a kernel in trouble may keep a thread in its guest for
 * ever, and who waits for it keeps locks. Here nobody waits. */

#define LOCK_TRIES 100
#define LOCK_PAUSE_US 10000
#define DISKS_US (10 * G_USEC_PER_SEC)

bool machine_is_stuck(Machine *machine, bool for_good)
{
    MachinePrivate *p = machine->priv;
    bool is_stuck = false;

    if (for_good)
        machine_cpus_halt(machine);
    g_mutex_lock(&p->run_lock);
    for (unsigned i = 0; i < p->n_cpus; i++) {
        Vcpu *vcpu = p->cpu[i].vcpu;
        if (vcpu->ops == &cpu_soft_ops || /* our own, and comes when it is given a processor */
            !__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST) ||
            !(__atomic_load_n(&vcpu->signals, __ATOMIC_SEQ_CST) & VCPU_SIGNAL_STOP))
            continue;
        vcpu->ops->kick(vcpu); /* once more */
        is_stuck = true;
    }
    g_mutex_unlock(&p->run_lock);
    return is_stuck;
}

typedef struct {
    Machine *machine;
    GMutex lock;
    GCond changed;
    bool done;
} Rescue;

static bool lock_board(Machine *machine)
{
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (g_rec_mutex_trylock(&machine->lock))
            return true;
        g_usleep(LOCK_PAUSE_US);
    }
    return false;
}

/* First what matters most. With the board lock, and virtio's threads told, no device has a request,
 * and the images can be closed; without it they are as complete as after a flush of the guest's. */
static gpointer write_disks(gpointer data)
{
    Rescue *rescue = data;
    Machine *machine = rescue->machine;
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++)
        if (p->drive[i].disk && !disk_is_read_only(p->drive[i].disk))
            disk_flush(p->drive[i].disk, NULL);
    machine_io_take_no_more(machine);
    for (unsigned i = 0; i < MACHINE_MAX_DRIVES && lock_board(machine); i++) {
        g_rec_mutex_unlock(&machine->lock); /* who ends a request needs it */
        if (p->drive[i].disk)
            disk_drain(p->drive[i].disk);
    }
    if (lock_board(machine))
        machine_drives_close(machine); /* and the lock stays: nobody comes to a disk any more */
    g_mutex_lock(&rescue->lock);
    rescue->done = true;
    g_cond_signal(&rescue->changed);
    g_mutex_unlock(&rescue->lock);
    return NULL;
}

bool machine_abandon(Machine *machine)
{
    Rescue *rescue = g_new0(Rescue, 1); /* outlives us where the disks do not end */
    gint64 end = g_get_monotonic_time() + DISKS_US;

    rescue->machine = machine;
    g_mutex_init(&rescue->lock);
    g_cond_init(&rescue->changed);
    g_thread_unref(g_thread_new("disks", write_disks, rescue));
    g_mutex_lock(&rescue->lock);
    while (!rescue->done && g_cond_wait_until(&rescue->changed, &rescue->lock, end))
        continue;
    bool done = rescue->done;
    g_mutex_unlock(&rescue->lock);
    return done;
}
