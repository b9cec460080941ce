/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The guest's stack for handlers that push and pop (int-stack.c, int-branch.c). @width is the width
 * of the stack pointer, a compile-time constant: 64 in 64-bit mode, else 32 or 16 by SS.B. A
 * flavour is a width with an operand size: what a family of stack handlers is made for. */

#include "core/cpu/soft/int.h"

#define STACK_RSP SOFT_REG(4)
#define STACK_RBP SOFT_REG(5)

/* M(width, operand size, …), in the order of stack_flavour(). */
#define STACK_FOR_FLAVOURS(M, ...)                                                                 \
    M(64, 8, ##__VA_ARGS__)                                                                        \
    M(64, 2, ##__VA_ARGS__)                                                                        \
    M(32, 4, ##__VA_ARGS__)                                                                        \
    M(32, 2, ##__VA_ARGS__)                                                                        \
    M(16, 4, ##__VA_ARGS__)                                                                        \
    M(16, 2, ##__VA_ARGS__)
#define STACK_FLAVOURS(N)                                                                          \
    {                                                                                              \
        N##_64_8, N##_64_2, N##_32_4, N##_32_2, N##_16_4, N##_16_2                                 \
    }
enum { STACK_N_FLAVOURS = 6 };

static inline unsigned stack_width(uint32_t mode)
{
    return mode & SOFT_MODE_CODE64 ? 64 : mode & SOFT_MODE_STACK32 ? 32 : 16;
}
/* Operand size of stack instructions: 64 bits by default in 64-bit mode. */
static inline unsigned stack_operand_size(const SoftDecode *d)
{
    return d->mode & SOFT_MODE_CODE64 && d->operand_size == 4 ? 8 : d->operand_size;
}
static inline unsigned stack_flavour(const SoftDecode *d, unsigned operand_size)
{
    unsigned width = stack_width(d->mode);
    return (width == 64 ? 0 : width == 32 ? 2 : 4) + (operand_size == 2);
}

INT_INLINE uint64_t stack_wrap(unsigned width, uint64_t offset)
{
    return width == 64 ? offset : width == 32 ? (uint32_t)offset : (uint16_t)offset;
}
INT_INLINE uint64_t stack_top(SoftCpu *cpu, unsigned width)
{
    return stack_wrap(width, SOFT_R64(cpu, STACK_RSP));
}
INT_INLINE void stack_set_top(SoftCpu *cpu, unsigned width, uint64_t offset)
{
    if (width == 64)
        SOFT_R64(cpu, STACK_RSP) = offset;
    else if (width == 32)
        SOFT_R64(cpu, STACK_RSP) = (uint32_t)offset;
    else
        SOFT_R16(cpu, STACK_RSP) = (uint16_t)offset;
}
/* Host address of the bytes at stack offset @offset, or NULL: go the slow way. */
INT_INLINE void *stack_pointer(SoftCpu *cpu, unsigned width, uint64_t offset, unsigned size,
                               bool write)
{
    if (width != 64) {
        const SoftSegment *ss = &cpu->seg[CPU_SS];
        if (G_UNLIKELY(offset + size > ss->end[write]))
            return NULL;
        offset = (uint32_t)(ss->base + offset);
    }
    return write ? soft_tlb_write(cpu, offset, size) : soft_tlb_read(cpu, offset, size);
}
