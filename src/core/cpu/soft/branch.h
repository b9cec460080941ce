/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Direct branches between blocks. Included by int-branch.c, int-stack.c and block.c.
 *
 * A branch record holds disp = target RIP minus the RIP of the block's start, ashift = width of the
 * instruction pointer after it (0: 64 bits, 32: 32 bits, 48: 16 bits) and link = first record of
 * the target block, or NULL. Its target is soft_branch_target(). A conditional branch has two such
 * records: the second (fn = NULL) is the way straight on.
 *
 * soft_branch_slow may set link only if, whenever this block runs, cpu->rip + disp needs no masking
 * to 32 bits (a target in the same linear page never does when the CS base is page-aligned); 16-bit
 * branches are masked on the linked path too. */

#include "core/cpu/soft/block.h"

/* SoftOp.scale of a branch record whose target lies in another page, so that it has no link; set by
 * soft_branch_slow. */
#define SOFT_BRANCH_CROSSES 1

static inline uint64_t soft_branch_target(const SoftCpu *cpu, const SoftOp *branch)
{
    return (cpu->rip + (int64_t)branch->disp) & (~UINT64_C(0) >> branch->ashift);
}

/* Cold ends of SOFT_BRANCH: leave with RIP = target, and find the target block, then run it. */
SoftHandler soft_branch_leave, soft_branch_find;

/* Ends a handler by the direct branch @branch (link or slow); @retired instructions of this block
 * are done. @mask: a constant, whether RIP is 16 bits wide. */
#define SOFT_BRANCH_COUNTED(cpu, branch, retired, mask)                                            \
    do {                                                                                           \
        SoftOp *soft_branch_record = (branch);                                                     \
        (cpu)->budget -= (retired);                                                                \
        if (G_UNLIKELY((cpu)->budget <= 0 ||                                                       \
                       __atomic_load_n(&(cpu)->attention, __ATOMIC_RELAXED)))                      \
            return soft_branch_leave(cpu, soft_branch_record);                                     \
        SoftOp *soft_branch_link = soft_branch_record->link;                                       \
        if (G_UNLIKELY(!soft_branch_link))                                                         \
            return soft_branch_find(cpu, soft_branch_record);                                      \
        if (mask)                                                                                  \
            (cpu)->rip = soft_branch_target(cpu, soft_branch_record);                              \
        else                                                                                       \
            (cpu)->rip += (int64_t)soft_branch_record->disp;                                       \
        SOFT_NEXT_AT(cpu, soft_branch_link);                                                       \
    } while (0)
#define SOFT_BRANCH(cpu, branch, last)                                                             \
    SOFT_BRANCH_COUNTED(cpu, branch, (int64_t)(last)->ordinal + 1, false)
#define SOFT_BRANCH_16(cpu, branch, last)                                                          \
    SOFT_BRANCH_COUNTED(cpu, branch, (int64_t)(last)->ordinal + 1, true)

/* JMP rel with disp, ashift (not 48), link set. */
SoftHandler soft_op_jump;

/* Whether @op is the first record of a Jcc with 32- or 64-bit RIP; its condition is op->dst. */
bool soft_branch_is_conditional(const SoftOp *op);
