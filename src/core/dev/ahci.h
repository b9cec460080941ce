/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* ICH9 AHCI controller 8086:2922 (AHCI 1.3.1) with six ports, each a SATA disk (ACS-3), an ATAPI
 * CD-ROM (MMC-6) or nothing. */

#include "core/block/disk.h"
#include "core/clock/clock.h"
#include "core/pci/pci.h"

#define AHCI_PORTS 6
typedef struct Ahci Ahci;

Device *ahci_new(PciBus *bus, uint8_t devfn);
/* Before realize. @disk may be NULL for an empty CD drive. Ownership stays with the board, which
 * frees its disks first and the controller then: freeing a disk ends what waits on it. */
void ahci_attach_disk(Ahci *ahci, unsigned port, Disk *disk, const char *serial);
void ahci_attach_cdrom(Ahci *ahci, unsigned port, Disk *disk);
/* After the drives are attached: I/O takes the time of this deterministic @clock, however fast the
 * host is. */
void ahci_set_timed(Ahci *ahci, Clock *clock);
/* Changes the disc (NULL: none) with the right unit attentions; returns the old one, no longer
 * used, in
 * *@out_old. Any thread. A tray locked by the guest is opened all the same. */
void ahci_set_media(Ahci *ahci, unsigned port, Disk *disk, Disk **out_old);
/* Whether the guest has opened the tray: the disc inside is out of its reach until it closes it.
 * @on_tray: it has opened or closed one, on its thread, with the board lock held. Set before the
 * machine runs. */
void ahci_set_tray_callback(Ahci *ahci, void (*on_tray)(void *opaque), void *opaque);
bool ahci_tray_is_open(Ahci *ahci, unsigned port);
/* Waits for what is under way (before pause or save). Board lock not held. */
void ahci_drain(Ahci *ahci);
