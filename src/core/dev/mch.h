/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The Q35 host bridge 8086:29C0 at 00:00.0: configuration ports CF8h/CFCh, the PCIe configuration
 * window (PCIEXBAR), and the PAM registers that say who answers at C0000h-FFFFFh. Intel 3 Series
 * Express Chipset datasheet (316966) §5.1. The subsystem is 1AF4:1100, by which SeaBIOS knows that
 * it may ask for a fw_cfg. */

#include "core/pci/pci.h"

typedef struct Mch Mch;

typedef struct {
    AddressSpace *memory, *ports;
    PciBus *bus;
    Ram *ram;              /* main memory: what shadows C0000h-FFFFFh */
    Ram *bios;             /* its last 128 KiB answer at E0000h-FFFFFh until shadowed */
    Device *reset_device;  /* who has port CF9h, which lies inside CF8h's window … */
    uint64_t reset_offset; /* … and the offset by which it knows it */
} MchWiring;

Device *mch_new(const MchWiring *wiring);
/* Where firmware has put the PCIe configuration window; 0 while it is off. */
uint64_t mch_ecam_base(const Mch *mch);
