/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A software CPU on a bare board, for tests: RAM from address 0, no devices, a page table that maps
 * everything to itself. Put code into soft_harness_ram(), shape a CpuState, run until HLT, look at
 * the state. Included by the CPU's tests. */

#include "core/cpu/cpu.h"
#include "core/memory/ram.h"

#define SOFT_HARNESS_RAM_SIZE (UINT64_C(8) << 20)

/* What the harness itself put into RAM; the rest from SOFT_HARNESS_FREE on is the test's. */
enum {
    SOFT_HARNESS_GDT = 0x1000, /* selectors below */
    SOFT_HARNESS_IDT = 0x2000, /* 256 64-bit gates: vector n is a HLT at SOFT_HARNESS_VECTORS + n */
    SOFT_HARNESS_TSS = 0x3000, /* 64-bit TSS, RSP0 = SOFT_HARNESS_STACK0; I/O bitmap: all allowed */
    SOFT_HARNESS_IDT32 = 0x7000, /* the same for protected mode */
    SOFT_HARNESS_VECTORS = 0x6000,
    SOFT_HARNESS_REAL_CODE = 0x7800, /* to 0x7FFF: for code that real mode can reach */
    SOFT_HARNESS_PML4 = 0x8000,      /* 0-1 GiB to itself in 2 MiB pages, present, writable, user */
    SOFT_HARNESS_STACK0 = 0xF000,
    SOFT_HARNESS_FREE = 0x10000,
};
enum {
    SOFT_HARNESS_CODE64 = 0x08, /* ring 0 */
    SOFT_HARNESS_DATA = 0x10,   /* ring 0, base 0, 4 GiB */
    SOFT_HARNESS_CODE32 = 0x18,
    SOFT_HARNESS_CODE16 = 0x20,
    SOFT_HARNESS_DATA16 = 0x28,
    SOFT_HARNESS_USER_CODE32 = 0x30 | 3,
    SOFT_HARNESS_USER_DATA = 0x38 | 3,
    SOFT_HARNESS_USER_CODE64 = 0x40 | 3, /* order as SYSRET wants it */
    SOFT_HARNESS_TASK = 0x48,            /* takes two slots */
};

typedef enum {
    SOFT_HARNESS_REAL,      /* base 0 in all segments, IVT at 0 untouched */
    SOFT_HARNESS_PROTECTED, /* 32-bit flat, paging off */
    SOFT_HARNESS_LONG,      /* 64-bit ring 0 */
    SOFT_HARNESS_LONG_USER, /* 64-bit ring 3 */
} SoftHarnessMode;

typedef struct SoftHarness SoftHarness;

/* Never fails: aborts the test when the CPU cannot be made. Tables are written as above. */
SoftHarness *soft_harness_new(void);
void soft_harness_free(SoftHarness *harness);
/* Host address of guest physical address 0. Writing code that may have run before needs
 * soft_harness_put(). */
uint8_t *soft_harness_ram(SoftHarness *harness);
/* Copies @bytes to guest address @gpa and drops what was decoded from there. */
void soft_harness_put(SoftHarness *harness, uint64_t gpa, const void *bytes, size_t length);
Vcpu *soft_harness_vcpu(SoftHarness *harness);

/* A state in @mode, with SSE and x87 on, interrupts off, RIP = @rip, RSP = SOFT_HARNESS_STACK0 -
 * 0x100. */
void soft_harness_init_state(SoftHarness *harness, CpuState *state, SoftHarnessMode mode,
                             uint64_t rip);
/* Sets @state, runs until HLT (or a triple fault), and reads the state back into @state. RIP is
 * then past the HLT. Exceptions in the table-driven modes end at SOFT_HARNESS_VECTORS + n + 1 with
 * the frame on the stack: soft_harness_vector() says n, or -1 for an ordinary HLT. */
CpuExit soft_harness_run(SoftHarness *harness, CpuState *state);
int soft_harness_vector(const CpuState *state);
