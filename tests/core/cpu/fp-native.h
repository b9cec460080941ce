/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Differential tests of floating point and SIMD: many small cases, each "load the whole FXSAVE
 * image and four general registers, one instruction, store all again", are laid out in a window of
 * low addresses that exists both in this process and in the guest, run on the processor and in ring
 * 3 of the guest, and compared. Included by fp-simd-test.c and fp-x87-test.c. */

#include "cpu-harness.h"

#define FP_CODE UINT64_C(0x100000) /* of both */
#define FP_DATA UINT64_C(0x140000)
#define FP_WINDOW_SIZE UINT64_C(0x200000)
#define FP_MAX_CASES 512

/* One case as the code sees it, RBX pointing at it. */
typedef struct {
    uint8_t in[512];
    uint64_t gpr_in[3], flags_in; /* RAX RCX RDX */
    uint64_t gpr_out[3], flags_out;
    uint8_t memory[192]; /* operand at [rbx + 0x280], 64 bytes into it */
    uint8_t out[512];
    char name[58];
    uint16_t ignore_from, ignore_length; /* bytes of .memory that need not be the same */
} __attribute__((aligned(64))) FpCase;
#define FP_OPERAND_OFFSET 0x280

typedef struct FpBatch FpBatch;
FpBatch *fp_batch_new(void);
void fp_batch_free(FpBatch *batch);
void fp_batch_clear(FpBatch *batch);
/* Adds a case with instruction @code; returns it to be filled: zero but for a valid, empty FXSAVE
 * image (FCW 37F, MXCSR 1F80) and flags 2. Runs and clears the batch first when it is full. */
FpCase *fp_batch_add(FpBatch *batch, const uint8_t *code, unsigned length, const char *name);
/* Runs all cases on both and compares; fails the test at the first difference. */
void fp_batch_run(FpBatch *batch);

/* Runs the one case of the batch, whose instruction may raise #XM, on both: either both raise it
 * with the same XMM registers and MXCSR, or neither does and the results are the same. Clears the
 * batch. Returns whether it was raised. */
bool fp_batch_run_unmasked(FpBatch *batch);

/* Deterministic random numbers. */
uint64_t fp_random(void);
unsigned fp_random_below(unsigned n);
/* Interesting values: special, near the limits, or anything. */
uint32_t fp_random_single(void);
uint64_t fp_random_double(void);
void fp_random_extended(uint8_t *out_bytes);
void fp_random_vector(uint8_t *out_bytes);
