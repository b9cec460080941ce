/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The instruction that a CPU of the harness stands before. Included by the lock-step. */

#include "cpu-harness.h"

#define LOCKSTEP_INSTRUCTION_MAX 15

/* Guest address of CS:RIP: what is code is mapped to itself. */
uint64_t lockstep_code_address(const CpuState *state);
/* In words, by objdump; NULL where there is none. Owned. */
char *lockstep_disassemble(const uint8_t *bytes, const CpuState *state);
/* Arithmetic flags that the instruction at @state leaves undefined (SDM vol. 2). */
uint64_t lockstep_undefined_flags(CpuHarness *harness, const CpuState *state);
/* Whether that is CMPXCHG of two registers. */
bool lockstep_is_register_cmpxchg(CpuHarness *harness, const CpuState *state);
/* Whether CS:RIP is at a string instruction with a REP prefix. */
bool lockstep_is_repeated_string(CpuHarness *harness, const CpuState *state);
