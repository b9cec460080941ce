/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Random sequences of integer user instructions that run the same anywhere: memory operands lie in
 * the scratch area, branches stay inside, the stack pointer stays on the stack. Included by
 * native-diff.c and lockstep-main.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t state; /* never 0 */
} NativeRandom;
uint64_t native_random(NativeRandom *random);
/* 0 … n - 1 */
uint32_t native_random_below(NativeRandom *random, uint32_t n);
/* Operand values that find mistakes: small, extreme, any. */
uint64_t native_random_value(NativeRandom *random);
/* Registers to begin with: RSP on the stack of the scratch area, arithmetic flags, IF and often DF.
 */
void native_random_registers(NativeRandom *random, bool is32, uint64_t gpr[16],
                             uint64_t *out_rflags);

#define NATIVE_GEN_MAX 1024

typedef struct {
    NativeRandom *random;
    bool is32;        /* 32-bit code, else 64-bit */
    uint32_t address; /* of bytes[0] */
    uint8_t bytes[NATIVE_GEN_MAX];
    unsigned length;
    unsigned n_instructions; /* those meant; set-up moves not counted */
} NativeGen;

/* Appends one random instruction (with what it needs before it). */
void native_gen_instruction(NativeGen *gen);
