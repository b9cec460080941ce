/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#pragma once

/* Finding the next block: the jump cache, the inlined path of indirect transfers, and what block.c
 * and the branch instructions owe each other. */

#include "core/cpu/soft/soft-machine.h"

static inline SoftJump *soft_jump_slot(SoftCpu *cpu, uint64_t linear)
{
    return &cpu->jump[(linear ^ linear >> 12) & (SOFT_JUMP_SIZE - 1)];
}

/* An entry stands for its linear address only while that still maps to the same memory. */
static inline bool soft_jump_hits(SoftCpu *cpu, const SoftJump *jump, uint64_t linear)
{
    if (G_UNLIKELY(jump->linear != linear || jump->mode != cpu->mode || !jump->first))
        return false;
    const SoftItlbEntry *entry = &cpu->itlb[(linear >> 12) & (SOFT_ITLB_SIZE - 1)];
    return entry->tag == ((linear & ~UINT64_C(0xFFF)) | (cpu->cpl == 3 ? 1 : 2)) &&
           (uintptr_t)entry->host + (linear & 0xFFF) == jump->host;
}

/* The block at RIP, or NULL to leave. Everything of the last instruction is done. */
static inline SoftOp *soft_block_next(SoftCpu *cpu)
{
    if (G_UNLIKELY(cpu->attention) || G_UNLIKELY(cpu->budget <= 0))
        return NULL;
    uint64_t linear =
        cpu->mode & SOFT_MODE_CODE64 ? cpu->rip : (cpu->seg[CPU_CS].base + cpu->rip) & 0xFFFFFFFF;
    SoftJump *jump = soft_jump_slot(cpu, linear);
    if (G_LIKELY(soft_jump_hits(cpu, jump, linear)))
        return jump->first;
    return soft_block_next_slow(cpu);
}

/* Ends a block that goes on to the next instruction in memory; retires op->ordinal instructions. */
SoftHandler soft_op_fallthrough;
/* @op was decoded right behind @previous in the block that begins with @first: handlers before it
 * may change to such that do two instructions, or less than one. */
void soft_fuse(SoftOp *first, SoftOp *previous, SoftOp *op);
/* The block that begins with @first is no longer what its bytes say. */
void soft_block_retire(SoftCpu *cpu, SoftOp *first);
/* Whether @op lies in the buffer of instructions that are used once: nothing may link to it. */
bool soft_is_single(SoftCpu *cpu, const SoftOp *op);
/* Its block; and how often all blocks have been forgotten: what was found before is void after. */
SoftBlock *soft_block_of(SoftOp *first);
uint32_t soft_block_generation(SoftCpu *cpu);
