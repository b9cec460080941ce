/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* MSI-X (PCI 3.0 §6.8.2): a table of messages in a memory window of the device, each with a mask,
 * and a bit for each message that waits behind its mask. Embedded in a device, which gives its
 * window's accesses on and signals by number. Included by PCI devices. Board lock held but where
 * said. */

#include "core/irq/msi-route.h"
#include "core/pci/pci.h"

#define MSIX_MAX_VECTORS 16
#define MSIX_WINDOW_SIZE 0x1000 /* the table at 0, the pending bits at … */
#define MSIX_PENDING_OFFSET 0x800

typedef struct {
    uint32_t address, address_high, data, control;
} MsixEntry;

typedef struct {
    PciDevice *pci; /* borrowed */
    unsigned n;
    MsiRoute *route[MSIX_MAX_VECTORS]; /* owned; NULL: the host has no more eventfds */
    bool is_enabled;                   /* atomic; the capability's bit, as of the last update */
    /* guest state */
    MsixEntry entry[MSIX_MAX_VECTORS];
    uint64_t pending; /* by vector */
} Msix;

extern const StateField msix_state[];

/* In realize: @n vectors, whose window is the @bar of the device (the caller's to map). */
void msix_init(Msix *msix, PciDevice *pci, unsigned n, unsigned bar);
void msix_clear(Msix *msix); /* a zeroed one is fine */
void msix_reset(Msix *msix);
/* After the configuration or the state has changed: masks that opened send what waited. */
void msix_update(Msix *msix);
/* @offset in the window, aligned; @size 4 (or less, of a read). */
uint64_t msix_read(const Msix *msix, uint64_t offset, unsigned size);
void msix_write(Msix *msix, uint64_t offset, uint32_t value);

/* Any thread. */
bool msix_is_enabled(const Msix *msix);
/* Sends message @vector, or leaves it pending. Any thread; a vector that is not there: nothing. */
void msix_signal(Msix *msix, unsigned vector);
