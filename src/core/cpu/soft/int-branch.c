/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Near transfers: Jcc, JMP, CALL, RET, LOOP, JCXZ; and BOUND. Far ones are transfer.c's. */

#include "core/cpu/soft/branch.h"
#include "core/cpu/soft/stack.h"

__attribute__((cold)) SoftNext soft_branch_leave(SoftCpu *cpu, SoftOp *branch)
{
    cpu->rip = soft_branch_target(cpu, branch);
    SOFT_LEAVE(cpu);
}

static __attribute__((noinline)) SoftNext branch_find_slow(SoftCpu *cpu, SoftOp *branch)
{
    SoftOp *next = soft_branch_slow(cpu, branch);
    if (!next)
        SOFT_LEAVE(cpu);
    SOFT_NEXT_AT(cpu, next);
}

/* Most branches without a link go to another page, and did before. */
__attribute__((noinline)) SoftNext soft_branch_find(SoftCpu *cpu, SoftOp *branch)
{
    if (G_LIKELY(branch->scale == SOFT_BRANCH_CROSSES)) {
        uint64_t target = soft_branch_target(cpu, branch);
        uint64_t linear =
            cpu->mode & SOFT_MODE_CODE64 ? target : (cpu->seg[CPU_CS].base + target) & UINT32_MAX;
        SoftJump *jump = soft_jump_slot(cpu, linear);
        if (G_LIKELY(soft_jump_hits(cpu, jump, linear))) {
            cpu->rip = target;
            SOFT_NEXT_AT(cpu, jump->first);
        }
    }
    return branch_find_slow(cpu, branch);
}

SoftNext soft_op_fallthrough(SoftCpu *cpu, SoftOp *op)
{
    SOFT_BRANCH_COUNTED(cpu, op, op->ordinal, false);
}

SoftNext soft_op_jump(SoftCpu *cpu, SoftOp *op)
{
    SOFT_BRANCH(cpu, op, op);
}
static SoftNext jump_16(SoftCpu *cpu, SoftOp *op)
{
    SOFT_BRANCH_16(cpu, op, op);
}

/* Indirect: every fault has been taken, the rest cannot fail. */
#define BRANCH_INDIRECT(cpu, op, target)                                                           \
    do {                                                                                           \
        (cpu)->budget -= (int64_t)(op)->ordinal + 1;                                               \
        (cpu)->rip = (target);                                                                     \
        SOFT_GO(cpu);                                                                              \
    } while (0)

#define BRANCH_CONDITIONAL(CC)                                                                     \
    static SoftNext j##CC(SoftCpu *cpu, SoftOp *op)                                                \
    {                                                                                              \
        uint32_t flags = cpu->flags;                                                               \
        if (INT_CC_##CC(flags))                                                                    \
            SOFT_BRANCH(cpu, op, op);                                                              \
        SOFT_BRANCH(cpu, op + 1, op);                                                              \
    }                                                                                              \
    static SoftNext j##CC##_16(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        uint32_t flags = cpu->flags;                                                               \
        if (INT_CC_##CC(flags))                                                                    \
            SOFT_BRANCH_16(cpu, op, op);                                                           \
        SOFT_BRANCH_16(cpu, op + 1, op);                                                           \
    }
INT_FOR_CC(BRANCH_CONDITIONAL)
#define BRANCH_ROW(CC) { j##CC, j##CC##_16 },
static SoftHandler *const conditional_handlers[16][2] = { INT_FOR_CC(BRANCH_ROW) };

bool soft_branch_is_conditional(const SoftOp *op)
{
    return op->dst < 16 && op->fn == conditional_handlers[op->dst][0];
}

/* LOOPNE, LOOPE, LOOP, JCXZ: op->src is the address size, which says how wide the counter is. */
static uint64_t loop_count(SoftCpu *cpu, const SoftOp *op)
{
    uint64_t count = int_get(cpu, SOFT_REG(1), op->src) - 1;
    int_set(cpu, SOFT_REG(1), op->src, count);
    return int_get(cpu, SOFT_REG(1), op->src);
}
static SoftNext loopne(SoftCpu *cpu, SoftOp *op)
{
    if (loop_count(cpu, op) && !(cpu->flags & SOFT_FLAG_ZF))
        SOFT_BRANCH_16(cpu, op, op);
    SOFT_BRANCH_16(cpu, op + 1, op);
}
static SoftNext loope(SoftCpu *cpu, SoftOp *op)
{
    if (loop_count(cpu, op) && (cpu->flags & SOFT_FLAG_ZF))
        SOFT_BRANCH_16(cpu, op, op);
    SOFT_BRANCH_16(cpu, op + 1, op);
}
static SoftNext loop(SoftCpu *cpu, SoftOp *op)
{
    if (loop_count(cpu, op))
        SOFT_BRANCH_16(cpu, op, op);
    SOFT_BRANCH_16(cpu, op + 1, op);
}
static SoftNext jcxz(SoftCpu *cpu, SoftOp *op)
{
    if (!int_get(cpu, SOFT_REG(1), op->src))
        SOFT_BRANCH_16(cpu, op, op);
    SOFT_BRANCH_16(cpu, op + 1, op);
}
static SoftHandler *const loop_handlers[4] = { loopne, loope, loop, jcxz };

#define BRANCH_LINK_8(cpu, branch) SOFT_BRANCH(cpu, branch, branch)
#define BRANCH_LINK_4(cpu, branch) SOFT_BRANCH(cpu, branch, branch)
#define BRANCH_LINK_2(cpu, branch) SOFT_BRANCH_16(cpu, branch, branch)

/* CALL rel. */
#define BRANCH_CALL(W, S)                                                                          \
    INT_SLOW call_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                         \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        soft_store(cpu, CPU_SS, top, S, cpu->rip + op->offset + op->len);                          \
        stack_set_top(cpu, W, top);                                                                \
        if (G_UNLIKELY(cpu->break_block)) {                                                        \
            cpu->budget -= (int64_t)op->ordinal + 1;                                               \
            return soft_branch_leave(cpu, op);                                                     \
        }                                                                                          \
        BRANCH_LINK_##S(cpu, op);                                                                  \
    }                                                                                              \
    INT_FAST call_##W##_##S(SoftCpu *cpu, SoftOp *op)                                              \
    {                                                                                              \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, true);                                     \
        if (G_UNLIKELY(!p))                                                                        \
            return call_slow_##W##_##S(cpu, op);                                                   \
        *p = (INT_TYPE_##S)(cpu->rip + op->offset + op->len);                                      \
        stack_set_top(cpu, W, top);                                                                \
        BRANCH_LINK_##S(cpu, op);                                                                  \
    }
STACK_FOR_FLAVOURS(BRANCH_CALL)

/* RET, RET imm16. */
#define BRANCH_RETURN(W, S)                                                                        \
    INT_SLOW ret_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                          \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t top = stack_top(cpu, W);                                                          \
        uint64_t target = soft_load(cpu, CPU_SS, top, S);                                          \
        stack_set_top(cpu, W, top + S + op->imm);                                                  \
        BRANCH_INDIRECT(cpu, op, target);                                                          \
    }                                                                                              \
    INT_FAST ret_##W##_##S(SoftCpu *cpu, SoftOp *op)                                               \
    {                                                                                              \
        uint64_t top = stack_top(cpu, W);                                                          \
        const INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, false);                              \
        if (G_UNLIKELY(!p))                                                                        \
            return ret_slow_##W##_##S(cpu, op);                                                    \
        uint64_t target = *p;                                                                      \
        stack_set_top(cpu, W, top + S + op->imm);                                                  \
        BRANCH_INDIRECT(cpu, op, target);                                                          \
    }
STACK_FOR_FLAVOURS(BRANCH_RETURN)

/* CALL r and CALL m. */
#define BRANCH_CALL_INDIRECT(W, S, NAME, TARGET, TARGET_SLOW)                                      \
    INT_SLOW NAME##_slow_##W##_##S(SoftCpu *cpu, SoftOp *op)                                       \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t target = TARGET_SLOW;                                                             \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        soft_store(cpu, CPU_SS, top, S, cpu->rip + op->offset + op->len);                          \
        stack_set_top(cpu, W, top);                                                                \
        if (G_UNLIKELY(cpu->break_block)) {                                                        \
            cpu->budget -= (int64_t)op->ordinal + 1;                                               \
            cpu->rip = target;                                                                     \
            SOFT_LEAVE(cpu);                                                                       \
        }                                                                                          \
        BRANCH_INDIRECT(cpu, op, target);                                                          \
    }                                                                                              \
    INT_FAST NAME##_##W##_##S(SoftCpu *cpu, SoftOp *op)                                            \
    {                                                                                              \
        const INT_TYPE_##S *from = TARGET;                                                         \
        if (G_UNLIKELY(!from))                                                                     \
            return NAME##_slow_##W##_##S(cpu, op);                                                 \
        uint64_t target = *from;                                                                   \
        uint64_t top = stack_wrap(W, stack_top(cpu, W) - S);                                       \
        INT_TYPE_##S *p = stack_pointer(cpu, W, top, S, true);                                     \
        if (G_UNLIKELY(!p))                                                                        \
            return NAME##_slow_##W##_##S(cpu, op);                                                 \
        *p = (INT_TYPE_##S)(cpu->rip + op->offset + op->len);                                      \
        stack_set_top(cpu, W, top);                                                                \
        BRANCH_INDIRECT(cpu, op, target);                                                          \
    }
#define BRANCH_CALL_REGISTER(W, S)                                                                 \
    BRANCH_CALL_INDIRECT(W, S, call_r, &INT_GET_##S(cpu, op->src), INT_GET_##S(cpu, op->src))
#define BRANCH_CALL_MEMORY(W, S, EA)                                                               \
    BRANCH_CALL_INDIRECT(W, S, call_m_##EA, soft_ptr(cpu, op, INT_EA_##EA, S, false),              \
                         soft_load(cpu, op->seg, soft_ea(cpu, op), S))
STACK_FOR_FLAVOURS(BRANCH_CALL_REGISTER)
STACK_FOR_FLAVOURS(BRANCH_CALL_MEMORY, g)
BRANCH_CALL_MEMORY(64, 8, b)
BRANCH_CALL_MEMORY(64, 8, bi)

/* JMP r and JMP m. */
#define BRANCH_JUMP_REGISTER(S)                                                                    \
    INT_FAST jump_r_##S(SoftCpu *cpu, SoftOp *op)                                                  \
    {                                                                                              \
        BRANCH_INDIRECT(cpu, op, INT_GET_##S(cpu, op->src));                                       \
    }                                                                                              \
    INT_SLOW jump_m_slow_##S(SoftCpu *cpu, SoftOp *op)                                             \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        uint64_t target = soft_load(cpu, op->seg, soft_ea(cpu, op), S);                            \
        BRANCH_INDIRECT(cpu, op, target);                                                          \
    }
#define BRANCH_JUMP_MEMORY(EA, S)                                                                  \
    INT_FAST jump_m_##EA##_##S(SoftCpu *cpu, SoftOp *op)                                           \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return jump_m_slow_##S(cpu, op);                                                       \
        BRANCH_INDIRECT(cpu, op, *p);                                                              \
    }
BRANCH_JUMP_REGISTER(2)
BRANCH_JUMP_REGISTER(4)
BRANCH_JUMP_REGISTER(8)
BRANCH_JUMP_MEMORY(g, 2)
BRANCH_JUMP_MEMORY(g, 4)
INT_FOR_EA(BRANCH_JUMP_MEMORY, 8)

/* 64-bit mode, and the displacement from the block's start does not fit 32 bits: imm has it.
 * dst: condition, or one of these. */
enum { WIDE_JUMP = 16, WIDE_CALL = 17 };
static SoftNext branch_wide(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint64_t after = cpu->rip + op->offset + op->len, target = cpu->rip + op->imm;
    if (op->dst < WIDE_JUMP && !int_condition(cpu->flags, op->dst))
        target = after;
    if (op->dst == WIDE_CALL) {
        uint64_t top = stack_top(cpu, 64) - 8;
        soft_store(cpu, CPU_SS, top, 8, after);
        stack_set_top(cpu, 64, top);
    }
    soft_finish_at(cpu, op, target);
    SOFT_LEAVE(cpu);
}

/* BOUND r, m&m: #BR outside. */
static SoftNext bound(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint64_t offset = soft_ea(cpu, op);
    uint64_t second = (offset + op->src) & (~UINT64_C(0) >> op->ashift);
    int32_t value, low, high;
    if (op->src == 2) {
        value = (int16_t)SOFT_R16(cpu, op->dst);
        low = (int16_t)soft_load(cpu, op->seg, offset, 2);
        high = (int16_t)soft_load(cpu, op->seg, second, 2);
    } else {
        value = (int32_t)SOFT_R32(cpu, op->dst);
        low = (int32_t)soft_load(cpu, op->seg, offset, 4);
        high = (int32_t)soft_load(cpu, op->seg, second, 4);
    }
    if (value < low || value > high)
        soft_fault(cpu, X86_BR);
    SOFT_NEXT(cpu, op);
}

static SoftHandler *const call_handlers[STACK_N_FLAVOURS] = STACK_FLAVOURS(call);
static SoftHandler *const ret_handlers[STACK_N_FLAVOURS] = STACK_FLAVOURS(ret);
static SoftHandler *const call_r_handlers[STACK_N_FLAVOURS] = STACK_FLAVOURS(call_r);
static SoftHandler *const call_m_handlers[STACK_N_FLAVOURS] = STACK_FLAVOURS(call_m_g);
static SoftHandler *const call_m_64_handlers[SOFT_N_EA] = { call_m_b_64_8, call_m_bi_64_8,
                                                            call_m_g_64_8 };
static SoftHandler *const jump_m_64_handlers[SOFT_N_EA] = { jump_m_b_8, jump_m_bi_8, jump_m_g_8 };

/* Near branches in 64-bit mode are 64 bits wide whatever the prefixes (Intel). */
static unsigned branch_size(const SoftDecode *d)
{
    return d->mode & SOFT_MODE_CODE64 ? 8 : d->operand_size;
}

/* Fills the branch record @record for a target @relative to the end of the instruction. False when
 * it does not fit: op[0] has been made a wide one. */
static bool branch_set_target(SoftDecode *d, SoftOp *record, int64_t relative, unsigned wide)
{
    int64_t disp = relative + d->offset + d->position;
    record->disp = (int32_t)disp;
    record->ashift = (uint8_t)(64 - 8 * branch_size(d));
    record->link = NULL;
    if (!(d->mode & SOFT_MODE_CODE64) || disp == (int32_t)disp)
        return true;
    d->op->fn = branch_wide;
    d->op->dst = (uint8_t)wide;
    d->op->imm = (uint64_t)disp;
    return false;
}

static int64_t branch_fetch_relative(SoftDecode *d)
{
    return (int64_t)soft_fetch_immediate(d, branch_size(d) == 2 ? 2 : 4);
}

static void branch_decode_two_way(SoftDecode *d, int64_t relative, unsigned cc, SoftHandler *fn)
{
    d->op->fn = fn;
    d->op->dst = (uint8_t)cc;
    if (!branch_set_target(d, d->op, relative, cc))
        return;
    memset(&d->op[1], 0, sizeof d->op[1]);
    branch_set_target(d, &d->op[1], 0, cc);
    d->n_records = 2;
}

bool soft_decode_branch(SoftDecode *d)
{
    SoftOp *op = d->op;
    unsigned size = branch_size(d), flavour = stack_flavour(d, size), cc = d->opcode & 15;
    if (d->map == 0 && d->opcode == 0x62) {
        op->fn = bound;
        op->dst = SOFT_REG(d->reg);
        op->src = d->operand_size;
        return d->is_memory;
    }
    d->ends_block = true;
    if (d->map == 1) { /* 0F 80-8F */
        branch_decode_two_way(d, branch_fetch_relative(d), cc, conditional_handlers[cc][size == 2]);
        return true;
    }
    switch (d->opcode) {
    case 0xC2:
        op->imm = soft_fetch16(d);
        op->fn = ret_handlers[flavour];
        return true;
    case 0xC3:
        op->imm = 0;
        op->fn = ret_handlers[flavour];
        return true;
    case 0xE0:
    case 0xE1:
    case 0xE2:
    case 0xE3:
        op->src = d->address_size;
        branch_decode_two_way(d, (int8_t)soft_fetch8(d), 0, loop_handlers[d->opcode & 3]);
        return true;
    case 0xE8:
        op->fn = call_handlers[flavour];
        branch_set_target(d, op, branch_fetch_relative(d), WIDE_CALL);
        return true;
    case 0xE9:
        op->fn = size == 2 ? jump_16 : soft_op_jump;
        branch_set_target(d, op, branch_fetch_relative(d), WIDE_JUMP);
        return true;
    case 0xEB:
        op->fn = size == 2 ? jump_16 : soft_op_jump;
        branch_set_target(d, op, (int8_t)soft_fetch8(d), WIDE_JUMP);
        return true;
    case 0xFF:
        op->src = SOFT_REG(d->rm);
        if ((d->reg & 7) == 2)
            op->fn = !d->is_memory ? call_r_handlers[flavour]
                     : size == 8   ? call_m_64_handlers[d->ea]
                                   : call_m_handlers[flavour];
        else if (d->is_memory)
            op->fn = size == 8 ? jump_m_64_handlers[d->ea] : size == 4 ? jump_m_g_4 : jump_m_g_2;
        else
            op->fn = size == 8 ? jump_r_8 : size == 4 ? jump_r_4 : jump_r_2;
        return true;
    default: /* 70-7F */
        branch_decode_two_way(d, (int8_t)soft_fetch8(d), cc, conditional_handlers[cc][size == 2]);
        return true;
    }
}
