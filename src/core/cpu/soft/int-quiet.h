/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Flags that nobody sees. Where an instruction's flags are all overwritten later in the block, and
 * nothing in between reads them or can fault or leave the block, a quiet twin computes the result
 * only. The decoders of register forms note what that takes in fields such a record does not use.
 * Included by int-*.c. */

#include "core/cpu/soft/int.h"

/* SoftOp.index of a record with notes: no memory operand has an odd slot. Then SoftOp.scale: */
#define QUIET_NOTE 1
enum {
    QUIET_TRANSPARENT = 1 << 0, /* neither reads nor writes flags, cannot fault */
    QUIET_KILLS = 1 << 1,       /* overwrites all six, reads none, cannot fault */
    QUIET_TWIN = 1 << 2,        /* cannot fault, and SoftOp.base says which twin */
};

/* Twins: a base number and a variant. ALU: 2 * form (RR, RI) + (size == 8). Others: size == 8. */
enum {
    QUIET_ADD = 0,
    QUIET_OR = 4,
    QUIET_AND = 8,
    QUIET_SUB = 12,
    QUIET_XOR = 16,
    QUIET_SHL = 20,
    QUIET_SHR = 22,
    QUIET_SAR = 24,
    QUIET_ROL = 26,
    QUIET_ROR = 28,
    QUIET_INC = 30,
    QUIET_DEC = 32,
    QUIET_NEG = 34,
    QUIET_IMUL_RR = 36,
    QUIET_IMUL_RRI = 38,
    QUIET_ZERO = 40,
    QUIET_N = 41
};

static inline void quiet_note(SoftOp *op, unsigned what, unsigned twin)
{
    op->index = QUIET_NOTE;
    op->scale = (uint8_t)what;
    op->base = (uint8_t)twin;
}

/* @op has just been decoded behind @previous in the block from @first on: finds the instruction
 * whose flags it kills. */
void soft_quieten(SoftOp *first, SoftOp *previous, const SoftOp *op);
/* LEA has no room for notes, and is transparent. */
bool soft_is_lea(const SoftOp *op);
