/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The same deterministic guest on two CPUs, side by side, and the first difference between them: in
 * architectural state or in memory, with the registers of both and the instruction. Included by the
 * lock-step programs. */

#include "cpu-harness.h"

typedef struct Lockstep Lockstep;

typedef enum {
    LOCKSTEP_INTERPRETED, /* the software CPU, each instruction by its handler */
    LOCKSTEP_TRANSLATED,  /* the software CPU, each block translated at its first run */
    LOCKSTEP_KVM,
    LOCKSTEP_ASSISTED, /* KVM, and the software CPU executes each instruction for it when stepped */
} LockstepCpu;

/* "interpreted", "translated", "kvm", "assisted". */
bool lockstep_parse_cpu(const char *name, LockstepCpu *out_cpu);

/* KVM has been found good with cpu_harness_choose(). */
Lockstep *lockstep_new(LockstepCpu one, LockstepCpu other);
void lockstep_free(Lockstep *lockstep);
/* 0: the one, 1: the other. */
CpuHarness *lockstep_harness(Lockstep *lockstep, unsigned i);
/* Whether that one is LOCKSTEP_ASSISTED. */
bool lockstep_is_assisted(const Lockstep *lockstep, unsigned i);
/* Copies @bytes to guest address @gpa of both. */
void lockstep_put(Lockstep *lockstep, uint64_t gpa, const void *bytes, size_t length);
/* Memory that is compared; CPU_HARNESS_GDT to 256 KiB until said otherwise. */
void lockstep_watch(Lockstep *lockstep, uint64_t gpa, size_t length);
/* To see that a difference is found: flips bit 4 of RDX of the other CPU when it comes to @rip
 * (lockstep_run(): at the start). */
void lockstep_plant(Lockstep *lockstep, uint64_t rip);

/* Runs both from @start, instruction by instruction, to the end or for @most instructions. Returns
 * NULL when they agree, else the report (owned). @out_n: instructions compared. */
char *lockstep_step(Lockstep *lockstep, const CpuState *start, uint64_t most, uint64_t *out_n);
/* Runs both to the end at full speed and compares what they have come to. Where they differ, they
 * start again and are stepped to where they part. */
char *lockstep_run(Lockstep *lockstep, const CpuState *start);

/* The first difference of two states, in words ("rbx", "xmm3"); NULL: none that counts. The time,
 * what a KVM may lack (MTRRs), and the x87's last instruction and operand do not. */
const char *lockstep_compare(const CpuState *one, const CpuState *other);
