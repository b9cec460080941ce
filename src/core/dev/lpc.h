/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The ICH9 LPC bridge 8086:2918 at 00:1f.0: where the ACPI ports lie (PMBASE), PIRQ routing, the
 * chipset's own registers (RCBA), and the small ports that no other chip has: 92h (A20, reset),
 * B2h/B3h (APM), CF9h (reset), F0h (clears FERR#). Intel ICH9 datasheet (316972) §13. */

#include "core/irq/irq.h"
#include "core/pci/pci.h"

typedef struct Lpc Lpc;

/* The offset of port CF9h, whose window the host bridge has. */
#define LPC_RESET_CONTROL 0xCF9

typedef struct {
    AddressSpace *memory, *ports;
    PciBus *bus;
    IrqLine pic[16];   /* PIRQs routed to ISA interrupts */
    IrqLine ioapic[8]; /* PIRQA-H as they are */
    IrqLine x87_error; /* IRQ 13 */
    Device *acpi_pm;   /* answers ACPI_PM_SIZE ports at PMBASE */
} LpcWiring;

Device *lpc_new(const LpcWiring *wiring);
/* INTx pin @pin (0: INTA#) of function @devfn: the board's half of pci_bus_new(). */
void lpc_set_intx(Lpc *lpc, uint8_t devfn, unsigned pin, bool level);
/* Which PIRQ (0: A … 7: H) that pin is wired to. */
unsigned lpc_pirq(const Lpc *lpc, uint8_t devfn, unsigned pin);
uint16_t lpc_pm_base(const Lpc *lpc);
/* The processor's FERR# line went up. */
void lpc_raise_x87_error(Lpc *lpc);
/* The A20 gate: kept here, so that it is saved and restored. */
void lpc_set_a20(Lpc *lpc, bool enabled);
