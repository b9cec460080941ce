/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Runs guest user code on the processor itself, in this process, at the addresses it has in the
 * guest: what the software CPU is compared with. Included by native-diff.c. One thread only. */

#include <stdbool.h>
#include <stdint.h>

/* Low memory of the process, mapped where the guest has RAM too. */
enum {
    NATIVE_CODE = 0x100000, /* up to NATIVE_CONTROL: code under test */
    NATIVE_CODE_SIZE = 0x80000,
    NATIVE_CONTROL = 0x180000,
    NATIVE_SCRATCH = 0x200000, /* data and stack under test */
    NATIVE_SCRATCH_SIZE = 0x4000,
};
#define NATIVE_END_LENGTH 7

typedef struct {
    uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    uint64_t rflags;
    uint64_t rip; /* after native_run: of the fault */
} NativeState;

/* Maps the low memory. False when the host does not allow it. */
bool native_init(void);
/* Writes the instruction that ends a run, NATIVE_END_LENGTH bytes, at @at. */
void native_put_end(uint8_t *at, bool is32);
/* Runs from state->rip until that instruction or a fault. Returns the fault's vector, or -1. */
int native_run(NativeState *state, bool is32);
