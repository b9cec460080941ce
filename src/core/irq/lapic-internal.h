/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The inside of the local APIC, shared by its parts: lapic.c (priorities, delivery, the device),
 * lapic-bus.c (messages), lapic-timer.c, lapic-registers.c and lapic-msr.c (how the CPU reaches
 * them). Included by those only. Board lock held. */

#include "core/irq/apic.h"

/* Registers, as offsets in the xAPIC page (SDM vol. 3A table 11-1). The x2APIC MSR of a register is
 * 800h + offset / 16. */
enum {
    LAPIC_ID = 0x020,
    LAPIC_VERSION = 0x030,
    LAPIC_TPR = 0x080,
    LAPIC_APR = 0x090,
    LAPIC_PPR = 0x0A0,
    LAPIC_EOI = 0x0B0,
    LAPIC_RRD = 0x0C0,
    LAPIC_LDR = 0x0D0,
    LAPIC_DFR = 0x0E0,
    LAPIC_SVR = 0x0F0,
    LAPIC_ISR = 0x100,
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_LVT_CMCI = 0x2F0,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_INITIAL_COUNT = 0x380,
    LAPIC_CURRENT_COUNT = 0x390,
    LAPIC_DIVIDE = 0x3E0,
    LAPIC_SELF_IPI = 0x3F0,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_COUNTER, LVT_LINT0, LVT_LINT1, LVT_ERROR, N_LVT };

#define BASE_BOOT_CPU (UINT64_C(1) << 8)
#define BASE_X2APIC (UINT64_C(1) << 10)
#define BASE_ENABLED (UINT64_C(1) << 11)
#define BASE_ADDRESS CPU_PHYSICAL_PAGES

#define VERSION_VALUE (0x14u | (N_LVT - 1) << 16)
#define SVR_ENABLED (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_LEVEL (1u << 15)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_DELIVERY(lvt) ((lvt) >> 8 & 7)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_WRITABLE 0x000CCFFFu

enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };
enum {
    ERROR_SEND_VECTOR = 1 << 5,
    ERROR_RECEIVE_VECTOR = 1 << 6,
    ERROR_REGISTER = 1 << 7,
};

typedef struct Lapic {
    Device dev;
    LapicBus *bus;
    unsigned id;
    ClockTimer timer;
    int is_pending; /* atomic: lapic_pending() */

    /* guest state */
    uint64_t base; /* IA32_APIC_BASE; atomic */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_pending; /* what reads, and what the next write latches */
    uint64_t icr;
    uint32_t lvt[N_LVT];
    uint32_t initial_count, divide;
    uint64_t timer_start_ns; /* when the count was written, or last reloaded */
    uint64_t timer_next_ns;  /* when it reaches zero; CLOCK_NEVER: it stands */
    bool lint0_level;        /* the wire from the PIC */
    bool extint;             /* an ExtINT message waits for its INTA */
    uint8_t sipi_vector;
} Lapic;

struct LapicBus {
    unsigned n;
    Lapic **lapic; /* owned */
    Clock *clock;  /* borrowed */
    void (*signal)(void *opaque, unsigned id, unsigned signals);
    void (*on_eoi)(void *opaque, uint8_t vector);
    void *opaque;
    void (*keeper_send)(void *opaque,
                        const ApicMessage *message); /* NULL: nobody else keeps them */
    void *keeper;
};

static inline bool lapic_is_kept_elsewhere(const Lapic *lapic)
{
    return lapic->bus->keeper_send;
}

static inline bool lapic_is_enabled(const Lapic *lapic)
{
    return lapic->base & BASE_ENABLED;
}

static inline bool lapic_is_x2apic(const Lapic *lapic)
{
    return lapic->base & BASE_X2APIC;
}

static inline bool lapic_accepts(const Lapic *lapic) /* fixed interrupts */
{
    return lapic_is_enabled(lapic) && (lapic->svr & SVR_ENABLED);
}

static inline int bits_highest(const uint32_t bits[8])
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return 32 * i + 31 - __builtin_clz(bits[i]);
    return -1;
}

static inline void bits_set(uint32_t bits[8], unsigned vector, bool value)
{
    uint32_t bit = 1u << (vector & 31);

    bits[vector >> 5] = value ? bits[vector >> 5] | bit : bits[vector >> 5] & ~bit;
}

static inline bool bits_get(const uint32_t bits[8], unsigned vector)
{
    return bits[vector >> 5] >> (vector & 31) & 1;
}

/* lapic.c */
uint32_t lapic_ppr(const Lapic *lapic);
/* After any change of registers: what lapic_pending() says, and whether the vCPU must look. */
void lapic_update_pending(Lapic *lapic);
void lapic_deliver(Lapic *lapic, ApicDelivery delivery, uint8_t vector, bool level);
void lapic_deliver_local(Lapic *lapic, unsigned which); /* through LVT entry @which */
void lapic_set_error(Lapic *lapic, uint32_t error);
void lapic_reset_registers(Lapic *lapic); /* all but IA32_APIC_BASE */

/* lapic-bus.c */
void lapic_send_icr(Lapic *lapic);

/* lapic-timer.c */
unsigned lapic_timer_mode(const Lapic *lapic);
uint32_t lapic_timer_count(const Lapic *lapic);
void lapic_update_timer(Lapic *lapic);
void lapic_timer_catch_up(Lapic *lapic);
void on_lapic_timer(void *opaque);
void lapic_timer_restart(Lapic *lapic, uint32_t initial_count);
/* The same, with @count left to go: of a timer that ran elsewhere. */
void lapic_timer_continue(Lapic *lapic, uint32_t initial_count, uint32_t count);
/* TSC-deadline mode: when, on the machine's clock; 0: not armed. Ignored in other modes. */
uint64_t lapic_deadline_ns(const Lapic *lapic);
void lapic_set_deadline_ns(Lapic *lapic, uint64_t deadline_ns);
void lapic_write_divide(Lapic *lapic, uint32_t value);
void lapic_write_lvt_timer(Lapic *lapic, uint32_t value);

/* lapic-registers.c */
uint32_t lapic_read_register(Lapic *lapic, unsigned offset);
void lapic_write_register(Lapic *lapic, unsigned offset, uint32_t value);
