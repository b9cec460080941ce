/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The decoded instruction of the software CPU, and how one handler passes to the next.
 *
 * A handler is a C function that does one instruction and ends by a sibling call of the next
 * record's handler, so a block runs without returning. Returning from a handler goes back to the
 * run loop, which looks the next block up by SoftCpu.rip. Builds that cannot do sibling calls
 * (sanitizers, -O0: SOFT_CPU_LOOP) return the next record instead; the macros below hide the
 * difference, and every handler must leave through one of them.
 *
 * Rules of a handler. Before anything that may fault or that calls out of line: SOFT_AT(cpu, op),
 * so that the fault knows its instruction. Architectural state is changed only after the last
 * access that may fault. A handler must not keep the address of a local alive (that defeats the
 * sibling call): work that needs one goes into a noinline function. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct SoftCpu SoftCpu;
typedef struct SoftOp SoftOp;

#ifdef SOFT_CPU_LOOP
typedef SoftOp *SoftNext;
#define SOFT_NEXT_AT(cpu, next) return (next)
#define SOFT_LEAVE(cpu) return NULL
#else
typedef void SoftNext;
#define SOFT_NEXT_AT(cpu, next)                                                                    \
    do {                                                                                           \
        SoftOp *soft_next_op = (next);                                                             \
        return soft_next_op->fn(cpu, soft_next_op);                                                \
    } while (0)
#define SOFT_LEAVE(cpu) return
#endif
typedef SoftNext SoftHandler(SoftCpu *cpu, SoftOp *op);

/* One decoded instruction, 32 bytes. Register operands are byte offsets from SoftCpu.gpr
 * (SOFT_REG). */
struct SoftOp {
    SoftHandler *fn;
    uint8_t dst, src; /* register slots of the operands (XMM, MMX, x87, segment: plain numbers) */
    uint8_t base, index; /* register slots of the address; SOFT_SLOT_ZERO where absent */
    uint8_t scale;       /* shift of the index, 0..3 */
    uint8_t seg;         /* CPU_DS …: segment of the memory operand */
    uint8_t ashift;      /* address size as a mask: offset &= ~0 >> ashift (48, 32, 0) */
    uint8_t len;         /* bytes of the instruction */
    uint16_t offset;     /* of its first byte from the block's first byte */
    uint16_t ordinal;    /* instructions before it in the block */
    int32_t disp; /* of the address; of a branch: target minus the RIP of the block's start */
    union {
        uint64_t imm; /* immediate, sign-extended */
        SoftOp *link; /* branches: first record of the target once known, else NULL */
        void *pointer;
    };
};
G_STATIC_ASSERT(sizeof(SoftOp) == 32);

#define SOFT_REG(n) ((uint8_t)((n)*8)) /* slot of general register n, any size but AH..BH */
#define SOFT_REG_HIGH(n) ((uint8_t)(((n)-4) * 8 + 1)) /* AH CH DH BH: n = 4..7 without REX */
#define SOFT_SLOT_ZERO SOFT_REG(16)                   /* always reads 0 */
#define SOFT_SLOT_RIP SOFT_REG(17) /* RIP of the first instruction of the block */

/* On to the next instruction of the block. */
#define SOFT_NEXT(cpu, op) SOFT_NEXT_N(cpu, op, 1)
/* For instructions that use @n records. The empty asm keeps the compiler from addressing the next
 * record relative to this one, which costs it two instructions. */
#define SOFT_NEXT_N(cpu, op, n)                                                                    \
    do {                                                                                           \
        SoftOp *soft_following_op = (op) + (n);                                                    \
        __asm__("" : "+r"(soft_following_op));                                                     \
        SOFT_NEXT_AT(cpu, soft_following_op);                                                      \
    } while (0)
/* Names the instruction that is being executed; a fault or an out-of-line access reads it. */
#define SOFT_AT(cpu, op) ((cpu)->op = (op))
/* Like SOFT_NEXT, after anything that stored to memory out of line: stops when the store has
 * changed the code of this very block, or asked for attention. */
#define SOFT_NEXT_STORED(cpu, op)                                                                  \
    do {                                                                                           \
        if (G_UNLIKELY((cpu)->break_block)) {                                                      \
            soft_finish(cpu, op);                                                                  \
            SOFT_LEAVE(cpu);                                                                       \
        }                                                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    } while (0)
/* Ends the block after this instruction: RIP moves past it and the run loop looks again. For
 * whatever changes the mode, the privilege, the paging or the interrupt flag. The decoder must have
 * set SoftDecode.ends_block for it. */
#define SOFT_END_BLOCK(cpu, op)                                                                    \
    do {                                                                                           \
        soft_finish(cpu, op);                                                                      \
        SOFT_LEAVE(cpu);                                                                           \
    } while (0)
