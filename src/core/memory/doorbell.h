/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Doorbells: registers whose only effect is that somebody looks at something. A guest's write there
 * needs no answer, so it need not wait for the board: a CPU backend rings the bell itself (the
 * software CPU by a write to the eventfd, KVM in the host's kernel), and the device's thread wakes.
 * A device says where its doorbells are with its window (pci_device_bar_doorbells(),
 * region_set_doorbells()). Included by address-space.h, devices that have some, and CPU backends.
 *
 * A backend may let any such write come to the device's write instead, as if there were no
 * doorbell: that must ring, too. A ring while the bell still sounds is heard once. */

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t offset; /* of the register, as the device's ops get it */
    unsigned size;   /* bytes of a write that rings: 1, 2, 4 or 8; 0: of any */
    bool has_value;  /* only writes of @value ring */
    uint64_t value;
    int fd; /* the device's eventfd; lives as long as the window */
} Doorbell;

typedef struct {
    unsigned n;
    const Doorbell *bell;
} DoorbellSet;

/* The bell that a write of @size bytes at @offset rings, or NULL. */
const Doorbell *doorbell_find(const DoorbellSet *set, uint64_t offset, unsigned size,
                              uint64_t value);
void doorbell_ring(const Doorbell *bell); /* any thread; never waits */
