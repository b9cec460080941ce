/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The device idiom (CONTRIBUTING.md has the tour): a device is a struct whose first member is
 * Device, one const DeviceOps table, and one state table. Included by every device and by the bus.
 *
 * Threads. A device is entered with its lock held, always: by the bus around read and write, by the
 * clock around timers, by back ends through device_enter()/device_leave(). So device code reads as
 * single-threaded. Devices that are wired to each other share one lock, the board's. */

#include "core/state/state.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Device Device;
typedef struct Machine Machine; /* the board, core/machine/machine.h */

typedef struct {
    const char *name;     /* "uart", in logs and saved states */
    size_t instance_size; /* of a struct whose first member is Device */
    unsigned state_version;
    const StateField *state; /* every guest-visible field, described once; ends with STATE_END */
    unsigned min_access, max_access; /* bytes; the bus splits and widens, devices never do */
    bool (*realize)(Device *dev, Machine *machine,
                    GError **error); /* claim windows, IRQ, back end */
    void (*unrealize)(Device *dev);
    void (*reset)(Device *dev);  /* own registers only, to their power-on values */
    void (*update)(Device *dev); /* recompute IRQ lines and timers from the registers */
    uint64_t (*read)(Device *dev, uint64_t offset, unsigned size);
    void (*write)(Device *dev, uint64_t offset, unsigned size, uint64_t value);
    /* Optional: for a register that guests poll hard (a free-running counter). Called without the
     * lock; false: take the lock and call read. */
    bool (*read_lockless)(Device *dev, uint64_t offset, unsigned size, uint64_t *out_value);
    /* Optional: the same for a register that only remembers, and that guests write to pass time. */
    bool (*write_lockless)(Device *dev, uint64_t offset, unsigned size, uint64_t value);
} DeviceOps;

struct Device {
    const DeviceOps *ops;
    Machine *machine; /* borrowed; set before realize */
    char *id;         /* owned; unique in the machine: "uart0" */
    GRecMutex *lock;  /* borrowed: the board's */
    bool is_realized;
    unsigned n_warnings; /* guest_warn() speaks a few times a device, not more */
};

/* Allocates @ops->instance_size zeroed bytes and sets the common part. The device's own X_new()
 * fills wiring (IRQ lines, back ends) and returns it to the board, which realizes it. */
gpointer device_alloc(const DeviceOps *ops, const char *id);

/* Plugs the device into @machine (its lock becomes the device's) and calls ops->realize. Leaves the
 * registers alone: the machine then resets all devices and updates all. */
bool device_realize(Device *dev, Machine *machine, GError **error);
/* ops->unrealize, if it was realized, and the memory. NULL is fine. */
void device_free(Device *dev);
void device_reset(Device *dev);  /* ops->reset if any */
void device_update(Device *dev); /* ops->update if any */

/* Lets a back end's thread into the device, and out again. Takes and releases the device's lock. */
void device_enter(Device *dev);
void device_leave(Device *dev);

/* The guest did something odd. Logged a few times a device, then silently counted. Never fails. */
void guest_warn(Device *dev, const char *format, ...) G_GNUC_PRINTF(2, 3);
