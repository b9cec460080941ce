/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A CPU of any backend on a bare board, for tests: RAM from address 0, one port, a page table that
 * maps everything to itself. Put code into cpu_harness_ram(), shape a CpuState, run until the code
 * says that it has ended, look at the state. Included by the CPU's tests. */

#include "core/cpu/cpu.h"
#include "core/memory/ram.h"

#define CPU_HARNESS_POWER_ON 1700000000 /* seconds since 1970, when the clock was 0 */
#define CPU_HARNESS_RAM_SIZE (UINT64_C(8) << 20)

/* What the harness itself put into RAM; the rest from CPU_HARNESS_FREE on is the test's. */
enum {
    CPU_HARNESS_GDT = 0x1000,   /* selectors below */
    CPU_HARNESS_IDT = 0x2000,   /* 256 64-bit gates: vector n ends at CPU_HARNESS_VECTOR(n) */
    CPU_HARNESS_TSS = 0x3000,   /* 64-bit TSS, RSP0 = CPU_HARNESS_STACK0; I/O bitmap: all allowed */
    CPU_HARNESS_IDT32 = 0x7000, /* the same for protected mode */
    CPU_HARNESS_VECTORS = 0x6000,
    CPU_HARNESS_REAL_CODE = 0x7800, /* to 0x7FFF: for code that real mode can reach */
    CPU_HARNESS_PML4 = 0x8000,      /* 0-1 GiB to itself in 2 MiB pages, present, writable, user */
    CPU_HARNESS_STACK0 = 0xF000,
    CPU_HARNESS_FREE = 0x10000,
};
enum {
    CPU_HARNESS_CODE64 = 0x08, /* ring 0 */
    CPU_HARNESS_DATA = 0x10,   /* ring 0, base 0, 4 GiB */
    CPU_HARNESS_CODE32 = 0x18,
    CPU_HARNESS_CODE16 = 0x20,
    CPU_HARNESS_DATA16 = 0x28,
    CPU_HARNESS_USER_CODE32 = 0x30 | 3,
    CPU_HARNESS_USER_DATA = 0x38 | 3,
    CPU_HARNESS_USER_CODE64 = 0x40 | 3, /* order as SYSRET wants it */
    CPU_HARNESS_TASK = 0x48,            /* takes two slots */
};

#define CPU_HARNESS_VECTOR(n) (CPU_HARNESS_VECTORS + 4 * (n))

/* What ends a snippet on every backend: OUT CPU_HARNESS_END_PORT, AL; JMP to itself. (HLT does on
 * the software CPU alone: KVM halts in the kernel.) RIP is then at the JMP. Ring 3 may say HLT:
 * that is #GP, and the vector's handler ends. */
#define CPU_HARNESS_END_PORT 0xF4
#define CPU_HARNESS_END "\xE6\xF4\xEB\xFE"
#define CPU_HARNESS_END_LENGTH 4
#define CPU_HARNESS_END_RIP 2 /* from its first byte */

typedef enum {
    CPU_HARNESS_REAL,      /* base 0 in all segments, IVT at 0 untouched */
    CPU_HARNESS_PROTECTED, /* 32-bit flat, paging off */
    CPU_HARNESS_LONG,      /* 64-bit ring 0 */
    CPU_HARNESS_LONG_USER, /* 64-bit ring 3 */
} CpuHarnessMode;

typedef struct CpuHarness CpuHarness;

/* The backend that the test is about: the software CPU, or with VITRINE_TEST_CPU=kvm the host's
 * KVM. Where that cannot be used the program ends as skipped (77), with the reason. */
const CpuOps *cpu_harness_choose(void);
/* Never fails: aborts the test when the CPU cannot be made. Tables are written as above. */
CpuHarness *cpu_harness_new(const CpuOps *ops);
/* @shape changes the model before the backend limits it. */
CpuHarness *cpu_harness_new_with(const CpuOps *ops, void (*shape)(CpuModel *model));
void cpu_harness_free(CpuHarness *harness);
bool cpu_harness_is_kvm(const CpuHarness *harness);
/* For what a test expects and the KVM of this host is known to get wrong: true when @harness runs
 * on the KVM that is built on page tables (kvm_pvm), and then prints the test's name and @why. */
bool cpu_harness_known_difference(const CpuHarness *harness, const char *test, const char *why);
/* How many instructions the software CPU has executed for KVM; 0 on the software CPU. */
uint64_t cpu_harness_n_assisted(const CpuHarness *harness);
/* Host address of guest physical address 0. Writing code that may have run before needs
 * cpu_harness_put(). */
uint8_t *cpu_harness_ram(CpuHarness *harness);
/* Copies @bytes to guest address @gpa and drops what was decoded from there. */
void cpu_harness_put(CpuHarness *harness, uint64_t gpa, const void *bytes, size_t length);
Vcpu *cpu_harness_vcpu(CpuHarness *harness);
/* Puts an image made with snippets.inc at its address; where in it the piece @name is. */
void cpu_harness_load(CpuHarness *harness, const char *path);
uint64_t cpu_harness_snippet(CpuHarness *harness, const char *name);
/* The tables again as cpu_harness_new() leaves them. */
void cpu_harness_write_tables(CpuHarness *harness);

/* A state in @mode, with SSE and x87 on, interrupts off, RIP = @rip, RSP = CPU_HARNESS_STACK0 -
 * 0x100. */
void cpu_harness_init_state(CpuHarness *harness, CpuState *state, CpuHarnessMode mode,
                            uint64_t rip);
/* The board has @vector for the CPU's INTR pin, once; -1: none. */
void cpu_harness_raise(CpuHarness *harness, int vector);
/* Sets @state. Page tables may have been written since the last run. */
void cpu_harness_begin(CpuHarness *harness, const CpuState *state);
/* Runs until the end is said (or a triple fault), and reads the state into @out_state. Exceptions
 * in the table-driven modes end at CPU_HARNESS_VECTOR(n) + CPU_HARNESS_END_RIP with the frame on
 * the stack: cpu_harness_vector() says n, or -1 for an end in the snippet. HALTED: it ended;
 * SHUTDOWN: a triple fault; FAILED: the backend gave up, or the end did not come in 20 s. */
CpuExit cpu_harness_go_on(CpuHarness *harness, CpuState *out_state);
/* One instruction of it. STOPPED: not the end. */
CpuExit cpu_harness_step(CpuHarness *harness, CpuState *out_state);
/* The same on KVM, forced: the software CPU executes it, as where KVM cannot. */
CpuExit cpu_harness_assist(CpuHarness *harness, CpuState *out_state);
/* cpu_harness_begin() and cpu_harness_go_on(). */
CpuExit cpu_harness_run(CpuHarness *harness, CpuState *state);
int cpu_harness_vector(const CpuState *state);
