/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Local APICs and the messages between them, I/O APICs and MSI (Intel SDM vol. 3A chapter 11). The
 * LapicBus is all local APICs of a machine; each sits beside one vCPU. Included by the board, the
 * IOAPIC, PCI (MSI) and nobody else. Board lock held unless said otherwise. */

#include "core/clock/clock.h"
#include "core/cpu/cpu.h"
#include "core/dev/device.h"
#include "core/irq/irq.h"

typedef struct LapicBus LapicBus;

typedef enum {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_REMOTE_READ,
    APIC_NMI,
    APIC_INIT,
    APIC_SIPI,
    APIC_EXTINT
} ApicDelivery;

struct ApicMessage {
    uint32_t destination; /* 8 bits, or 32 in x2APIC form */
    bool logical, level;  /* level: level-triggered */
    ApicDelivery delivery;
    uint8_t vector;
};

#define APIC_BASE_DEFAULT 0xFEE00000u
#define APIC_BUS_HZ UINT64_C(1000000000) /* the timer's input clock; CPUID 15h says so too */

/* Local APICs 0..@n - 1. @signal tells a vCPU to look (vcpu_signal). @on_eoi: a level-triggered
 * vector was EOIed (to the IOAPIC). Their register windows are mapped by the bus itself: accesses
 * of vCPU n reach its own APIC through lapic_read()/lapic_write(). */
LapicBus *lapic_bus_new(unsigned n, Clock *clock,
                        void (*signal)(void *opaque, unsigned id, unsigned signals),
                        void (*on_eoi)(void *opaque, uint8_t vector), void *opaque);
void lapic_bus_free(LapicBus *bus);
/* The device of local APIC @id, for reset and state. Owned by the bus. */
Device *lapic_bus_device(LapicBus *bus, unsigned id);
/* SIPI vector of the last APIC_SIPI message to @id. */
uint8_t lapic_bus_sipi_vector(LapicBus *bus, unsigned id);

void lapic_bus_send(LapicBus *bus, const ApicMessage *message);
/* Whether some local APIC has @vector requested and not yet acknowledged. */
bool lapic_bus_is_requested(const LapicBus *bus, uint8_t vector);
/* A message in MSI form (SDM vol. 3A §11.11). */
void lapic_bus_send_msi(LapicBus *bus, uint64_t address, uint32_t data);
/* The wire from the PIC to LINT0 of the boot CPU. */
void lapic_bus_set_lint0(LapicBus *bus, bool level);

/* From now on a CPU backend keeps the local APICs (CpuBoard.apic_keep): messages go to @send, ours
 * stand still, and lapic_acknowledge() and lapic_pending() speak of the PIC alone. NULL: ours
 * again. */
void lapic_bus_set_keeper(LapicBus *bus, void (*send)(void *opaque, const ApicMessage *message),
                          void *opaque);
/* The registers of local APIC @id, carried from and to another keeper. */
void lapic_get(LapicBus *bus, unsigned id, CpuApic *out_apic);
void lapic_set(LapicBus *bus, unsigned id, const CpuApic *apic);

/* The highest vector that may be delivered now, moved from IRR to ISR; -1: none; -2: LINT0 is in
 * ExtINT mode (or the APIC is off) and asserted: ask the PIC. */
int lapic_acknowledge(LapicBus *bus, unsigned id);
bool lapic_pending(const LapicBus *bus, unsigned id); /* lock-free hint */

uint64_t lapic_read(LapicBus *bus, unsigned id, uint64_t offset, unsigned size);
void lapic_write(LapicBus *bus, unsigned id, uint64_t offset, unsigned size, uint64_t value);
/* MSR 1Bh, 6E0h and 800h-8FFh; false: #GP. For 6E0h (IA32_TSC_DEADLINE) the value is in
 * nanoseconds of the machine's clock, as cpu_deadline_to_ns() makes it; 0: not armed. */
bool lapic_read_msr(LapicBus *bus, unsigned id, uint32_t msr, uint64_t *out_value);
bool lapic_write_msr(LapicBus *bus, unsigned id, uint32_t msr, uint64_t value);
uint8_t lapic_get_cr8(LapicBus *bus, unsigned id);
void lapic_set_cr8(LapicBus *bus, unsigned id, uint8_t value);
/* Where APIC @id's page answers: a page-aligned physical address, or UINT64_MAX (off or x2APIC).
 * The software CPU asks on a TLB fill. Lock-free. */
uint64_t lapic_page(const LapicBus *bus, unsigned id);
