/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* PUSH, POP, LEAVE, ENTER, PUSHA, POPA, PUSHF, POPF. Segment registers are segment.c's. */

#include "core/cpu/soft/stack.h"

#define STACK_PUSH(W, S, N, VALUE)                                                                 \
    INT_SLOW N##_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                          \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        soft_store(cpu, CPU_SS, top, S, VALUE);                                                    \
        stack_set_top(cpu, W, top);                                                                \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FAST N##_##W##_##S(SoftCpu *cpu, SoftOp *op)                                               \
    {                                                                                              \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, true);                                     \
        if (G_UNLIKELY(!p))                                                                        \
            return N##_slow_##W##_##S(cpu, op);                                                    \
        *p = (INT_TYPE_##S)(VALUE);                                                                \
        stack_set_top(cpu, W, top);                                                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }
STACK_FOR_FLAVOURS(STACK_PUSH, push_r, INT_GET_8(cpu, op->src))
STACK_FOR_FLAVOURS(STACK_PUSH, push_i, op->imm)

#define STACK_PUSH_MEMORY(W, S, EA)                                                                \
    INT_SLOW push_m_slow_##EA##_##W##_##S(SoftCpu *cpu, SoftOp *op)                                \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t value = soft_load(cpu, op->seg, soft_ea(cpu, op), S);                             \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        soft_store(cpu, CPU_SS, top, S, value);                                                    \
        stack_set_top(cpu, W, top);                                                                \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    INT_FAST push_m_##EA##_##W##_##S(SoftCpu *cpu, SoftOp *op)                                     \
    {                                                                                              \
        const INT_TYPE_##S *from = soft_ptr(cpu, op, INT_EA_##EA, S, false);                       \
        if (G_UNLIKELY(!from))                                                                     \
            return push_m_slow_##EA##_##W##_##S(cpu, op);                                          \
        INT_TYPE_##S value = *from;                                                                \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, true);                                     \
        if (G_UNLIKELY(!p))                                                                        \
            return push_m_slow_##EA##_##W##_##S(cpu, op);                                          \
        *p = value;                                                                                \
        stack_set_top(cpu, W, top);                                                                \
        SOFT_NEXT(cpu, op);                                                                        \
    }
STACK_FOR_FLAVOURS(STACK_PUSH_MEMORY, g)
STACK_PUSH_MEMORY(64, 8, b)

/* The pointer moves first, so that POP (E)SP ends with what was popped. */
#define STACK_POP(W, S)                                                                            \
    INT_SLOW pop_r_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                        \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t top = stack_top(cpu, W);                                                          \
        uint64_t value = soft_load(cpu, CPU_SS, top, S);                                           \
        stack_set_top(cpu, W, top + S);                                                            \
        INT_SET_##S(cpu, op->dst, value);                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST pop_r_##W##_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        uint64_t top = stack_top(cpu, W);                                                          \
        const INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, false);                              \
        if (G_UNLIKELY(!p))                                                                        \
            return pop_r_slow_##W##_##S(cpu, op);                                                  \
        INT_TYPE_##S value = *p;                                                                   \
        stack_set_top(cpu, W, top + S);                                                            \
        INT_SET_##S(cpu, op->dst, value);                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
STACK_FOR_FLAVOURS(STACK_POP)

/* The address is that of after the pop, when it is on RSP itself. */
#define STACK_POP_MEMORY(W, S)                                                                     \
    INT_FAST pop_m_##W##_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t before = SOFT_R64(cpu, STACK_RSP), top = stack_top(cpu, W);                       \
        uint64_t value = soft_load(cpu, CPU_SS, top, S);                                           \
        stack_set_top(cpu, W, top + S);                                                            \
        uint64_t offset = soft_ea(cpu, op);                                                        \
        SOFT_R64(cpu, STACK_RSP) = before;                                                         \
        soft_store(cpu, op->seg, offset, S, value);                                                \
        stack_set_top(cpu, W, top + S);                                                            \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }
STACK_FOR_FLAVOURS(STACK_POP_MEMORY)

#define STACK_LEAVE(W, S)                                                                          \
    INT_SLOW leave_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                        \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t frame = stack_wrap(W, SOFT_R64(cpu, STACK_RBP));                                  \
        uint64_t value = soft_load(cpu, CPU_SS, frame, S);                                         \
        stack_set_top(cpu, W, frame + S);                                                          \
        INT_SET_##S(cpu, STACK_RBP, value);                                                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    INT_FAST leave_##W##_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        uint64_t frame = stack_wrap(W, SOFT_R64(cpu, STACK_RBP));                                  \
        const INT_TYPE_##S *p = stack_pointer(cpu, W, frame, S, false);                            \
        if (G_UNLIKELY(!p))                                                                        \
            return leave_slow_##W##_##S(cpu, op);                                                  \
        INT_TYPE_##S value = *p;                                                                   \
        stack_set_top(cpu, W, frame + S);                                                          \
        INT_SET_##S(cpu, STACK_RBP, value);                                                        \
        SOFT_NEXT(cpu, op);                                                                        \
    }
STACK_FOR_FLAVOURS(STACK_LEAVE)

/* ENTER imm = allocation | level << 16. Every store is probed or done before a register changes. */
static void stack_enter(SoftCpu *cpu, unsigned width, unsigned size, uint64_t imm)
{
    unsigned allocation = imm & 0xFFFF, level = (imm >> 16) & 31;
    uint64_t top = stack_wrap(width, stack_top(cpu, width) - size);
    uint64_t frame = SOFT_R64(cpu, STACK_RBP);
    soft_store(cpu, CPU_SS, top, size, frame);
    uint64_t new_frame = top;
    if (level > 0) {
        for (unsigned i = 1; i < level; i++) {
            frame = stack_wrap(width, frame - size);
            uint64_t display = soft_load(cpu, CPU_SS, frame, size);
            top = stack_wrap(width, top - size);
            soft_store(cpu, CPU_SS, top, size, display);
        }
        top = stack_wrap(width, top - size);
        soft_store(cpu, CPU_SS, top, size, new_frame);
    }
    top = stack_wrap(width, top - allocation);
    /* A fault of the future stack top is ENTER's. */
    soft_probe_store(cpu, CPU_SS, top, size);
    if (width == 16)
        SOFT_R16(cpu, STACK_RBP) = (uint16_t)new_frame;
    else if (size == 2)
        SOFT_R16(cpu, STACK_RBP) = (uint16_t)new_frame;
    else
        SOFT_R64(cpu, STACK_RBP) = new_frame;
    stack_set_top(cpu, width, top);
}

/* PUSHA and POPA: 16 or 32 bits, eight registers from AX up to DI. */
static void stack_push_all(SoftCpu *cpu, unsigned width, unsigned size)
{
    uint64_t top = stack_top(cpu, width), at = top;
    soft_probe_store(cpu, CPU_SS, stack_wrap(width, top - size), size);
    soft_probe_store(cpu, CPU_SS, stack_wrap(width, top - 8 * size), size);
    for (unsigned n = 0; n < 8; n++) {
        at = stack_wrap(width, at - size);
        soft_store(cpu, CPU_SS, at, size, int_get(cpu, SOFT_REG(n), size));
    }
    stack_set_top(cpu, width, at);
}
static void stack_pop_all(SoftCpu *cpu, unsigned width, unsigned size)
{
    uint64_t value[8], at = stack_top(cpu, width);
    for (unsigned n = 8; n-- > 0;) {
        value[n] = soft_load(cpu, CPU_SS, at, size);
        at = stack_wrap(width, at + size);
    }
    for (unsigned n = 0; n < 8; n++)
        if (n != 4)
            int_set(cpu, SOFT_REG(n), size, value[n]);
    stack_set_top(cpu, width, at);
}

/* In virtual-8086 mode IOPL 3 gives PUSHF and POPF the real thing; else CR4.VME a virtual IF, and
 * nothing else but a fault. */
static bool stack_flags_virtual(SoftCpu *cpu, unsigned size)
{
    if (!(cpu->rflags & RFLAGS_VM) || (cpu->rflags & RFLAGS_IOPL) == RFLAGS_IOPL)
        return false;
    if (!(cpu->cr4 & CR4_VME) || size != 2)
        soft_fault_error(cpu, X86_GP, 0);
    return true;
}

static void stack_push_flags(SoftCpu *cpu, unsigned width, unsigned size)
{
    uint64_t flags = soft_get_rflags(cpu) & ~(uint64_t)(RFLAGS_VM | RFLAGS_RF);
    if (stack_flags_virtual(cpu, size)) {
        flags |= RFLAGS_IOPL | RFLAGS_IF;
        if (!(cpu->rflags & RFLAGS_VIF))
            flags &= ~(uint64_t)RFLAGS_IF;
    }
    uint64_t top = stack_wrap(width, stack_top(cpu, width) - size);
    soft_store(cpu, CPU_SS, top, size, flags);
    stack_set_top(cpu, width, top);
}

static void stack_pop_flags(SoftCpu *cpu, unsigned width, unsigned size)
{
    bool virtual_if = stack_flags_virtual(cpu, size);
    uint64_t top = stack_top(cpu, width), old = soft_get_rflags(cpu);
    uint64_t value = soft_load(cpu, CPU_SS, top, size);
    uint64_t writable = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
    if (size > 2)
        writable |= RFLAGS_AC | RFLAGS_ID;
    if (virtual_if) {
        if ((value & RFLAGS_TF) || ((value & RFLAGS_IF) && (old & RFLAGS_VIP)))
            soft_fault_error(cpu, X86_GP, 0);
        writable |= RFLAGS_VIF;
        value |= value & RFLAGS_IF ? RFLAGS_VIF : 0;
    } else {
        unsigned iopl = (old & RFLAGS_IOPL) >> 12;
        if (cpu->cpl <= iopl)
            writable |= RFLAGS_IF;
        if (cpu->cpl == 0)
            writable |= RFLAGS_IOPL;
    }
    stack_set_top(cpu, width, top + size);
    uint64_t flags = ((old & ~writable) | (value & writable)) & ~(uint64_t)RFLAGS_RF;
    soft_set_rflags(cpu, flags);
}

/* The rare ones share a handler a flavour and an operation. */
#define STACK_RARE(W, S)                                                                           \
    static SoftNext enter_##W##_##S(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        stack_enter(cpu, W, S, op->imm);                                                           \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    static SoftNext pushf_##W##_##S(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        stack_push_flags(cpu, W, S);                                                               \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    static SoftNext popf_##W##_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        stack_pop_flags(cpu, W, S);                                                                \
        soft_finish(cpu, op);                                                                      \
        SOFT_GO(cpu);                                                                              \
    }                                                                                              \
    static SoftNext pusha_##W##_##S(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        stack_push_all(cpu, W, S);                                                                 \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    static SoftNext popa_##W##_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        stack_pop_all(cpu, W, S);                                                                  \
        SOFT_NEXT(cpu, op);                                                                        \
    }
STACK_FOR_FLAVOURS(STACK_RARE)

enum { PUSH_R, PUSH_I, PUSH_M, POP_R, POP_M, LEAVE, ENTER, PUSHF, POPF, PUSHA, POPA, N_STACK };
static SoftHandler *const stack_handlers[N_STACK][STACK_N_FLAVOURS] = {
    [PUSH_R] = STACK_FLAVOURS(push_r),   [PUSH_I] = STACK_FLAVOURS(push_i),
    [PUSH_M] = STACK_FLAVOURS(push_m_g), [POP_R] = STACK_FLAVOURS(pop_r),
    [POP_M] = STACK_FLAVOURS(pop_m),     [LEAVE] = STACK_FLAVOURS(leave),
    [ENTER] = STACK_FLAVOURS(enter),     [PUSHF] = STACK_FLAVOURS(pushf),
    [POPF] = STACK_FLAVOURS(popf),       [PUSHA] = STACK_FLAVOURS(pusha),
    [POPA] = STACK_FLAVOURS(popa),
};

static bool stack_decode_set(SoftDecode *d, unsigned which)
{
    d->op->fn = stack_handlers[which][stack_flavour(d, stack_operand_size(d))];
    return true;
}

bool soft_decode_stack(SoftDecode *d)
{
    SoftOp *op = d->op;
    switch (d->opcode) {
    case 0x60: return stack_decode_set(d, PUSHA);
    case 0x61: return stack_decode_set(d, POPA);
    case 0x68: op->imm = soft_fetch_immediate(d, MIN(d->operand_size, 4)); break;
    case 0x6A: op->imm = soft_fetch_immediate(d, 1); break;
    case 0x8F:
        if ((d->reg & 7) != 0)
            return false;
        if (d->is_memory)
            return stack_decode_set(d, POP_M);
        op->dst = SOFT_REG(d->rm);
        return stack_decode_set(d, POP_R);
    case 0x9C: return stack_decode_set(d, PUSHF);
    case 0x9D: d->ends_block = true; return stack_decode_set(d, POPF);
    case 0xC8:
        op->imm = soft_fetch16(d);
        op->imm |= (uint64_t)soft_fetch8(d) << 16;
        return stack_decode_set(d, ENTER);
    case 0xC9: return stack_decode_set(d, LEAVE);
    case 0xFF: /* /6 */
        if (d->is_memory) {
            stack_decode_set(d, PUSH_M);
            if (op->fn == push_m_g_64_8 && d->ea == SOFT_EA_B)
                op->fn = push_m_b_64_8;
            return true;
        }
        op->src = SOFT_REG(d->rm);
        return stack_decode_set(d, PUSH_R);
    default: { /* 50-5F */
        unsigned n = (d->opcode & 7) | (d->rex & 1) << 3;
        op->src = op->dst = SOFT_REG(n);
        return stack_decode_set(d, d->opcode & 8 ? POP_R : PUSH_R);
    }
    }
    return stack_decode_set(d, PUSH_I);
}
