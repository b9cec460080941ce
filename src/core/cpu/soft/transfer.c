/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Far transfers: JMP, CALL, RET and IRET between segments and privileges, call gates, and the fast
 * system calls (SDM vol. 2 and vol. 3A §5.8). */

#include "core/cpu/soft/system.h"

/* Stacks
 * --------------------------------------------------------------------------------------- */

void soft_stack_push(SoftCpu *cpu, SoftStack *stack, unsigned size, uint64_t value)
{
    uint64_t sp = (stack->sp - size) & stack->mask;
    const SoftSegment *seg = &stack->segment;
    uint64_t linear = sp;
    if (stack->mask == UINT64_MAX) {
        if (!soft_is_canonical(sp))
            soft_fault_error(cpu, X86_SS, stack->error);
    } else {
        bool outside;
        if (seg->attributes & SEG_EXPAND_DOWN && !soft_in_real_or_v86(cpu))
            outside = sp <= seg->limit ||
                      sp + size - 1 > (seg->attributes & SEG_BIG ? 0xFFFFFFFFu : 0xFFFFu);
        else
            outside = sp + size - 1 > seg->limit;
        if (outside)
            soft_fault_error(cpu, X86_SS, stack->error);
        linear = (seg->base + sp) & 0xFFFFFFFF;
    }
    if (stack->cpl == 3)
        soft_store_linear(cpu, linear, size, value);
    else
        soft_store_system(cpu, linear, size, value);
    stack->sp = sp;
}

SoftStack soft_stack_current(SoftCpu *cpu, uint32_t error)
{
    return (SoftStack){
        .segment = cpu->seg[CPU_SS],
        .sp = cpu->gpr[4],
        .mask = soft_stack_mask(cpu),
        .error = error,
        .cpl = cpu->cpl,
    };
}

uint64_t soft_tss_stack64(SoftCpu *cpu, unsigned slot, uint32_t ext)
{
    unsigned at = slot < 3 ? 4 + slot * 8 : 0x24 + (slot - 4) * 8;
    if (at + 7 > cpu->task.limit)
        soft_fault_error(cpu, X86_TS, (cpu->task.selector & 0xFFFC) | ext);
    return soft_load_system(cpu, cpu->task.base + at, 8);
}

void soft_tss_stack(SoftCpu *cpu, unsigned cpl, SoftStack *out, uint16_t *out_selector,
                    SoftDescriptor *d, uint32_t ext)
{
    uint32_t error = (cpu->task.selector & 0xFFFC) | ext;
    uint64_t base = cpu->task.base;
    uint16_t selector;
    uint32_t sp;
    if (cpu->task.attributes & 8) {
        unsigned at = 4 + cpl * 8;
        if (at + 5 > cpu->task.limit)
            soft_fault_error(cpu, X86_TS, error);
        sp = (uint32_t)soft_load_system(cpu, (uint32_t)(base + at), 4);
        selector = (uint16_t)soft_load_system(cpu, (uint32_t)(base + at + 4), 2);
    } else {
        unsigned at = 2 + cpl * 4;
        if (at + 3 > cpu->task.limit)
            soft_fault_error(cpu, X86_TS, error);
        sp = (uint32_t)soft_load_system(cpu, (uint32_t)(base + at), 2);
        selector = (uint16_t)soft_load_system(cpu, (uint32_t)(base + at + 2), 2);
    }
    soft_check_stack_segment(cpu, selector, d, cpl, X86_TS, ext);
    *out_selector = selector;
    *out = (SoftStack){
        .segment = { .base = d->base, .limit = d->limit, .attributes = d->attributes },
        .sp = sp,
        .mask = d->attributes & SEG_BIG ? 0xFFFFFFFF : 0xFFFF,
        .error = (selector & 0xFFFC) | ext,
        .cpl = cpl,
    };
}

/* Pushes and pops of far CALL, RET and IRET on the current stack. */
static void push_current(SoftCpu *cpu, uint64_t *sp, unsigned size, uint64_t value)
{
    uint64_t next = (*sp - size) & soft_stack_mask(cpu);
    soft_store(cpu, CPU_SS, next, size, value);
    *sp = next;
}

static uint64_t pop_current(SoftCpu *cpu, uint64_t *sp, unsigned size)
{
    uint64_t mask = soft_stack_mask(cpu);
    uint64_t value = soft_load(cpu, CPU_SS, *sp & mask, size);
    *sp = (*sp + size) & mask;
    return value;
}

/* JMP and CALL
 * ---------------------------------------------------------------------------------- */

/* The offset must lie in the code segment that is about to be entered. */
static void check_target(SoftCpu *cpu, const SoftDescriptor *code, uint64_t rip, uint32_t ext)
{
    if (soft_in_long_mode(cpu) && code->attributes & SEG_LONG) {
        if (!soft_is_canonical(rip))
            soft_fault_error(cpu, X86_GP, ext);
    } else if (rip > code->limit) {
        soft_fault_error(cpu, X86_GP, ext);
    }
}

static void enter_code(SoftCpu *cpu, const SoftOp *op, SoftDescriptor *code, unsigned cpl,
                       uint64_t rip)
{
    soft_go_to(cpu, op, rip);
    cpu->cpl = (uint8_t)cpl;
    soft_set_segment(cpu, CPU_CS, (uint16_t)((code->selector & 0xFFFC) | cpl), code);
    soft_update_mode(cpu);
}

static void far_real(SoftCpu *cpu, const SoftOp *op, uint16_t selector, uint64_t rip, unsigned size,
                     bool is_call)
{
    uint32_t limit = soft_in_v86(cpu) ? 0xFFFF : cpu->seg[CPU_CS].limit;
    if (rip > limit)
        soft_fault_gp0(cpu);
    if (is_call) {
        uint64_t mask = soft_stack_mask(cpu), sp = cpu->gpr[4] & mask;
        soft_probe_store(cpu, CPU_SS, (sp - 2 * size) & mask, size);
        push_current(cpu, &sp, size, cpu->seg[CPU_CS].selector);
        push_current(cpu, &sp, size, soft_rip_after(cpu, op));
        soft_set_sp(cpu, sp);
    }
    soft_go_to(cpu, op, rip);
    soft_set_segment_real(cpu, CPU_CS, selector);
}

/* CALL through a gate to a more privileged segment. */
static void call_inner(SoftCpu *cpu, const SoftOp *op, const SoftDescriptor *gate,
                       SoftDescriptor *code, uint64_t rip)
{
    unsigned cpl = SEG_DPL(code->attributes);
    uint64_t old_sp = cpu->gpr[4];
    uint16_t old_ss = cpu->seg[CPU_SS].selector, old_cs = cpu->seg[CPU_CS].selector;
    SoftDescriptor ss;
    uint16_t ss_selector;
    SoftStack stack;
    if (soft_in_long_mode(cpu)) {
        stack = (SoftStack){ .sp = soft_tss_stack64(cpu, cpl, 0), .mask = UINT64_MAX, .cpl = cpl };
        if (!soft_is_canonical(stack.sp))
            soft_fault_error(cpu, X86_SS, 0);
        soft_stack_push(cpu, &stack, 8, old_ss);
        soft_stack_push(cpu, &stack, 8, old_sp);
        soft_stack_push(cpu, &stack, 8, old_cs);
        soft_stack_push(cpu, &stack, 8, soft_rip_after(cpu, op));
        soft_descriptor_set_accessed(cpu, code);
        enter_code(cpu, op, code, cpl, rip);
        soft_set_segment_null(cpu, CPU_SS, (uint16_t)cpl);
        cpu->gpr[4] = stack.sp;
        return;
    }
    soft_tss_stack(cpu, cpl, &stack, &ss_selector, &ss, 0);
    unsigned size = SEG_TYPE(gate->attributes) == SEG_CALL32 ? 4 : 2;
    unsigned n_parameters = (gate->raw >> 32) & 0x1F;
    soft_stack_push(cpu, &stack, size, old_ss);
    soft_stack_push(cpu, &stack, size, old_sp);
    uint64_t mask = soft_stack_mask(cpu);
    for (unsigned i = n_parameters; i-- > 0;)
        soft_stack_push(cpu, &stack, size,
                        soft_load(cpu, CPU_SS, (old_sp + i * size) & mask, size));
    soft_stack_push(cpu, &stack, size, old_cs);
    soft_stack_push(cpu, &stack, size, soft_rip_after(cpu, op));
    soft_descriptor_set_accessed(cpu, code);
    soft_descriptor_set_accessed(cpu, &ss);
    soft_go_to(cpu, op, rip);
    cpu->cpl = (uint8_t)cpl;
    soft_set_segment(cpu, CPU_CS, (uint16_t)((code->selector & 0xFFFC) | cpl), code);
    soft_set_segment(cpu, CPU_SS, ss_selector, &ss);
    soft_update_mode(cpu);
    soft_set_sp(cpu, stack.sp);
}

static void far_gate(SoftCpu *cpu, const SoftOp *op, SoftDescriptor *gate, bool is_call)
{
    uint32_t error = gate->selector & 0xFFFC;
    unsigned gate_dpl = SEG_DPL(gate->attributes);
    if (gate_dpl < cpu->cpl || gate_dpl < (gate->selector & 3u))
        soft_fault_error(cpu, X86_GP, error);
    if (soft_in_long_mode(cpu))
        soft_descriptor_fetch_high(cpu, gate, X86_GP, 0);
    if (!(gate->attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);

    uint16_t selector = soft_gate_selector(gate);
    SoftDescriptor code;
    if (!(selector & 0xFFFC))
        soft_fault_gp0(cpu);
    error = selector & 0xFFFC;
    if (!soft_descriptor_fetch(cpu, selector, &code))
        soft_fault_error(cpu, X86_GP, error);
    unsigned attributes = code.attributes, dpl = SEG_DPL(attributes);
    bool conforming = attributes & SEG_CONFORMING;
    if ((attributes & (SEG_USER | SEG_CODE)) != (SEG_USER | SEG_CODE) || dpl > cpu->cpl)
        soft_fault_error(cpu, X86_GP, error);
    if (!is_call && !conforming && dpl != cpu->cpl)
        soft_fault_error(cpu, X86_GP, error);
    if (soft_in_long_mode(cpu) && (attributes & (SEG_LONG | SEG_BIG)) != SEG_LONG)
        soft_fault_error(cpu, X86_GP, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);

    unsigned size = soft_in_long_mode(cpu) ? 8 : SEG_TYPE(gate->attributes) == SEG_CALL32 ? 4 : 2;
    uint64_t rip = soft_gate_offset(gate);
    if (size == 2)
        rip &= 0xFFFF;
    check_target(cpu, &code, rip, 0);
    if (is_call && !conforming && dpl < cpu->cpl) {
        call_inner(cpu, op, gate, &code, rip);
        return;
    }
    uint64_t sp = cpu->gpr[4];
    if (is_call) {
        uint64_t mask = soft_stack_mask(cpu);
        soft_probe_store(cpu, CPU_SS, (sp - 2 * size) & mask, size);
        push_current(cpu, &sp, size, cpu->seg[CPU_CS].selector);
        push_current(cpu, &sp, size, soft_rip_after(cpu, op));
    }
    soft_descriptor_set_accessed(cpu, &code);
    soft_set_sp(cpu, sp);
    enter_code(cpu, op, &code, cpu->cpl, rip);
}

/* @size: operand size. From an instruction: RIP and the retired count are settled here. */
static void far_transfer(SoftCpu *cpu, const SoftOp *op, uint16_t selector, uint64_t rip,
                         unsigned size, bool is_call)
{
    if (soft_in_real_or_v86(cpu)) {
        far_real(cpu, op, selector, rip, size, is_call);
        return;
    }
    SoftDescriptor d;
    uint32_t error = selector & 0xFFFC;
    if (!error)
        soft_fault_gp0(cpu);
    if (!soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, X86_GP, error);
    if (d.attributes & SEG_USER) {
        soft_check_code_segment(cpu, &d, cpu->cpl, selector & 3, 0);
        bool to_64 = soft_in_long_mode(cpu) && d.attributes & SEG_LONG;
        uint64_t target = to_64 ? rip : (uint32_t)rip;
        uint64_t sp = cpu->gpr[4];
        check_target(cpu, &d, target, 0);
        if (is_call) {
            soft_probe_store(cpu, CPU_SS, (sp - 2 * size) & soft_stack_mask(cpu), size);
            push_current(cpu, &sp, size, cpu->seg[CPU_CS].selector);
            push_current(cpu, &sp, size, soft_rip_after(cpu, op));
        }
        soft_descriptor_set_accessed(cpu, &d);
        soft_set_sp(cpu, sp);
        enter_code(cpu, op, &d, cpu->cpl, target);
        return;
    }
    unsigned type = SEG_TYPE(d.attributes);
    SoftTaskReason reason = is_call ? SOFT_TASK_CALL : SOFT_TASK_JUMP;
    if (type == SEG_CALL32 || (type == SEG_CALL16 && !soft_in_long_mode(cpu))) {
        far_gate(cpu, op, &d, is_call);
        return;
    }
    if (soft_in_long_mode(cpu))
        soft_fault_error(cpu, X86_GP, error);
    unsigned dpl = SEG_DPL(d.attributes);
    if (type != SEG_TASK_GATE && type != SEG_TSS16 && type != SEG_TSS32)
        soft_fault_error(cpu, X86_GP, error);
    if (dpl < cpu->cpl || dpl < (selector & 3u))
        soft_fault_error(cpu, X86_GP, error);
    if (!(d.attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    if (type == SEG_TASK_GATE)
        soft_task_gate(cpu, op, &d, reason, 0, false, 0);
    else
        soft_task_switch(cpu, op, selector, reason, 0, false, 0);
}

/* Direct: imm = selector << 32 | offset, dst = operand size. */
SoftNext soft_op_jmp_far(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    far_transfer(cpu, op, (uint16_t)(op->imm >> 32), (uint32_t)op->imm, op->dst, false);
    SOFT_GO(cpu);
}

SoftNext soft_op_call_far(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    far_transfer(cpu, op, (uint16_t)(op->imm >> 32), (uint32_t)op->imm, op->dst, true);
    SOFT_GO(cpu);
}

static G_GNUC_NO_INLINE void far_transfer_mem(SoftCpu *cpu, const SoftOp *op, bool is_call)
{
    unsigned size = op->dst;
    uint64_t ea = soft_ea(cpu, op), mask = ~UINT64_C(0) >> op->ashift;
    uint64_t offset = soft_load(cpu, op->seg, ea, size);
    uint16_t selector = (uint16_t)soft_load(cpu, op->seg, (ea + size) & mask, 2);
    far_transfer(cpu, op, selector, offset, size, is_call);
}

SoftNext soft_op_jmp_far_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    far_transfer_mem(cpu, op, false);
    SOFT_GO(cpu);
}

SoftNext soft_op_call_far_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    far_transfer_mem(cpu, op, true);
    SOFT_GO(cpu);
}

/* RET
 * ------------------------------------------------------------------------------------------ */

/* Fetches and checks the code segment that RET or IRET goes back to. */
static void check_return_code(SoftCpu *cpu, uint16_t selector, SoftDescriptor *code)
{
    uint32_t error = selector & 0xFFFC;
    if (!error)
        soft_fault_gp0(cpu);
    if (!soft_descriptor_fetch(cpu, selector, code) || (selector & 3) < cpu->cpl)
        soft_fault_error(cpu, X86_GP, error);
    unsigned attributes = code->attributes, dpl = SEG_DPL(attributes);
    bool fits = (attributes & (SEG_USER | SEG_CODE)) == (SEG_USER | SEG_CODE);
    fits = fits && (attributes & SEG_CONFORMING ? dpl <= (selector & 3u) : dpl == (selector & 3u));
    if (soft_in_long_mode(cpu) && attributes & SEG_LONG && attributes & SEG_BIG)
        fits = false;
    if (!fits)
        soft_fault_error(cpu, X86_GP, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
}

/* Checks SS of a return to privilege @rpl; false: a null one, which 64-bit code below ring 3 may
 * have. */
static bool check_return_stack(SoftCpu *cpu, uint16_t selector, unsigned rpl,
                               const SoftDescriptor *code, SoftDescriptor *ss)
{
    if (!(selector & 0xFFFC)) {
        bool to_64 = soft_in_long_mode(cpu) && code->attributes & SEG_LONG;
        if (!to_64 || rpl == 3 || (selector & 3u) != rpl)
            soft_fault_gp0(cpu);
        return false;
    }
    soft_check_stack_segment(cpu, selector, ss, rpl, X86_GP, 0);
    return true;
}

static G_GNUC_NO_INLINE void ret_far(SoftCpu *cpu, const SoftOp *op)
{
    unsigned size = op->dst, release = (unsigned)op->imm;
    uint64_t sp = cpu->gpr[4];
    uint64_t rip = pop_current(cpu, &sp, size);
    uint16_t selector = (uint16_t)pop_current(cpu, &sp, size);
    if (soft_in_real_or_v86(cpu)) {
        if (rip > (soft_in_v86(cpu) ? 0xFFFF : cpu->seg[CPU_CS].limit))
            soft_fault_gp0(cpu);
        soft_set_sp(cpu, sp + release);
        soft_go_to(cpu, op, rip);
        soft_set_segment_real(cpu, CPU_CS, selector);
        return;
    }
    SoftDescriptor code, ss;
    check_return_code(cpu, selector, &code);
    unsigned rpl = selector & 3;
    if (rpl == cpu->cpl) {
        check_target(cpu, &code, rip, 0);
        soft_descriptor_set_accessed(cpu, &code);
        soft_set_sp(cpu, sp + release);
        enter_code(cpu, op, &code, rpl, rip);
        return;
    }
    sp += release;
    uint64_t outer_sp = pop_current(cpu, &sp, size);
    uint16_t ss_selector = (uint16_t)pop_current(cpu, &sp, size);
    bool has_ss = check_return_stack(cpu, ss_selector, rpl, &code, &ss);
    check_target(cpu, &code, rip, 0);
    soft_descriptor_set_accessed(cpu, &code);
    if (has_ss)
        soft_descriptor_set_accessed(cpu, &ss);
    soft_go_to(cpu, op, rip);
    cpu->cpl = (uint8_t)rpl;
    soft_set_segment(cpu, CPU_CS, selector, &code);
    if (has_ss)
        soft_set_segment(cpu, CPU_SS, ss_selector, &ss);
    else
        soft_set_segment_null(cpu, CPU_SS, ss_selector);
    soft_update_mode(cpu);
    soft_set_sp(cpu, outer_sp + release);
    soft_drop_inner_segments(cpu);
}

/* dst: operand size, imm: bytes of parameters to release. */
SoftNext soft_op_ret_far(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    ret_far(cpu, op);
    SOFT_GO(cpu);
}

/* IRET
 * ----------------------------------------------------------------------------------------- */

/* RFLAGS that IRET may write, at the privilege it runs at. */
static uint64_t iret_flags_mask(SoftCpu *cpu, unsigned size)
{
    uint64_t mask = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
    if (size > 2)
        mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    if (cpu->cpl <= soft_iopl(cpu))
        mask |= RFLAGS_IF;
    if (cpu->cpl == 0) {
        mask |= RFLAGS_IOPL;
        if (size > 2)
            mask |= RFLAGS_VIF | RFLAGS_VIP;
    }
    return mask;
}

void soft_write_flags(SoftCpu *cpu, uint64_t flags, uint64_t mask)
{
    if (!(cpu->dr[7] & 0xFF))
        flags &= ~(uint64_t)RFLAGS_RF;
    uint64_t old = soft_get_rflags(cpu);
    soft_set_rflags(cpu, (old & ~mask) | (flags & mask));
}

static void iret_real(SoftCpu *cpu, const SoftOp *op, unsigned size)
{
    if (soft_in_v86(cpu) && soft_iopl(cpu) != 3)
        soft_fault_gp0(cpu);
    uint64_t sp = cpu->gpr[4];
    uint64_t rip = pop_current(cpu, &sp, size);
    uint16_t selector = (uint16_t)pop_current(cpu, &sp, size);
    uint64_t flags = pop_current(cpu, &sp, size);
    if (rip > (soft_in_v86(cpu) ? 0xFFFF : cpu->seg[CPU_CS].limit))
        soft_fault_gp0(cpu);
    uint64_t mask = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT;
    if (!soft_in_v86(cpu))
        mask |= RFLAGS_IOPL;
    if (size > 2)
        mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    soft_set_sp(cpu, sp);
    soft_go_to(cpu, op, rip);
    soft_set_segment_real(cpu, CPU_CS, selector);
    soft_write_flags(cpu, flags, mask);
}

static void iret_to_v86(SoftCpu *cpu, const SoftOp *op, uint64_t sp, uint64_t rip, uint16_t cs,
                        uint64_t flags)
{
    uint64_t new_sp = pop_current(cpu, &sp, 4);
    static const uint8_t order[] = { CPU_SS, CPU_ES, CPU_DS, CPU_FS, CPU_GS };
    uint16_t selector[5];
    for (unsigned i = 0; i < 5; i++)
        selector[i] = (uint16_t)pop_current(cpu, &sp, 4);
    soft_go_to(cpu, op, (uint16_t)rip);
    soft_write_flags(cpu, flags | RFLAGS_VM,
                     RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL |
                         RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP |
                         RFLAGS_ID);
    cpu->cpl = 3;
    for (unsigned i = 0; i < 5; i++)
        soft_set_segment_real(cpu, order[i], selector[i]);
    soft_set_segment_real(cpu, CPU_CS, cs);
    soft_update_mode(cpu);
    cpu->gpr[4] = (uint32_t)new_sp;
}

static G_GNUC_NO_INLINE void iret(SoftCpu *cpu, const SoftOp *op)
{
    unsigned size = op->dst;
    if (cpu->nmi_blocked) {
        cpu->nmi_blocked = false;
        soft_request_attention(cpu); /* another may have come meanwhile */
    }
    if (soft_in_real_or_v86(cpu)) {
        iret_real(cpu, op, size);
        return;
    }
    bool in_long = soft_in_long_mode(cpu);
    if (cpu->rflags & RFLAGS_NT) {
        if (in_long)
            soft_fault_gp0(cpu);
        soft_task_return(cpu, op);
        return;
    }
    uint64_t sp = cpu->gpr[4];
    uint64_t rip = pop_current(cpu, &sp, size);
    uint16_t selector = (uint16_t)pop_current(cpu, &sp, size);
    uint64_t flags = pop_current(cpu, &sp, size);
    if (!in_long && size == 4 && flags & RFLAGS_VM && cpu->cpl == 0) {
        iret_to_v86(cpu, op, sp, rip, selector, flags);
        return;
    }
    SoftDescriptor code, ss;
    check_return_code(cpu, selector, &code);
    unsigned rpl = selector & 3;
    uint64_t mask = iret_flags_mask(cpu, size);
    bool from_64 = soft_in_64bit(cpu);
    if (rpl == cpu->cpl && !from_64) {
        check_target(cpu, &code, rip, 0);
        soft_descriptor_set_accessed(cpu, &code);
        soft_set_sp(cpu, sp);
        soft_write_flags(cpu, flags, mask);
        enter_code(cpu, op, &code, rpl, rip);
        return;
    }
    uint64_t new_sp = pop_current(cpu, &sp, size);
    uint16_t ss_selector = (uint16_t)pop_current(cpu, &sp, size);
    bool has_ss = check_return_stack(cpu, ss_selector, rpl, &code, &ss);
    check_target(cpu, &code, rip, 0);
    soft_descriptor_set_accessed(cpu, &code);
    if (has_ss)
        soft_descriptor_set_accessed(cpu, &ss);
    bool outward = rpl != cpu->cpl;
    bool same_mode = from_64 && code.attributes & SEG_LONG;
    soft_write_flags(cpu, flags, mask);
    soft_go_to(cpu, op, rip);
    cpu->cpl = (uint8_t)rpl;
    soft_set_segment(cpu, CPU_CS, selector, &code);
    if (has_ss)
        soft_set_segment(cpu, CPU_SS, ss_selector, &ss);
    else
        soft_set_segment_null(cpu, CPU_SS, ss_selector);
    if (same_mode)
        soft_update_context(cpu);
    else
        soft_update_mode(cpu);
    soft_set_sp(cpu, new_sp);
    if (outward)
        soft_drop_inner_segments(cpu);
}

/* dst: operand size. */
SoftNext soft_op_iret(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    iret(cpu, op);
    SOFT_GO(cpu);
}

/* Fast system calls
 * ---------------------------------------------------------------------------- */

#define ATTRIBUTES_CODE64 (SEG_GRANULAR | SEG_LONG | SEG_PRESENT | SEG_USER | 11u)
#define ATTRIBUTES_CODE32 (SEG_GRANULAR | SEG_BIG | SEG_PRESENT | SEG_USER | 11u)
#define ATTRIBUTES_DATA (SEG_GRANULAR | SEG_BIG | SEG_PRESENT | SEG_USER | 3u)

/* Flat CS and SS without looking at a descriptor, as these instructions load them. */
static inline void set_flat(SoftCpu *cpu, uint16_t cs, uint16_t ss, unsigned cpl, bool to_64)
{
    SoftSegment *seg = &cpu->seg[CPU_CS];
    seg->selector = cs;
    seg->base = 0;
    seg->limit = 0xFFFFFFFF;
    seg->attributes = (uint16_t)((to_64 ? ATTRIBUTES_CODE64 : ATTRIBUTES_CODE32) | cpl << 5);
    cpu->held_base[CPU_CS] = 0;
    seg = &cpu->seg[CPU_SS];
    seg->selector = ss;
    seg->base = 0;
    seg->limit = 0xFFFFFFFF;
    seg->attributes = (uint16_t)(ATTRIBUTES_DATA | cpl << 5);
    cpu->held_base[CPU_SS] = 0;
    cpu->cpl = (uint8_t)cpl;
}

SoftNext soft_op_syscall(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (G_UNLIKELY(!(cpu->efer & EFER_SCE) || !soft_in_64bit(cpu)))
        soft_fault(cpu, X86_UD);
    uint64_t flags = soft_get_rflags(cpu);
    uint64_t next = soft_rip_after(cpu, op);
    soft_finish_at(cpu, op, cpu->lstar);
    cpu->gpr[1] = next;
    cpu->gpr[11] = flags & ~(uint64_t)RFLAGS_RF;
    uint64_t changed = flags & (cpu->sfmask | RFLAGS_RF);
    cpu->rflags &= ~changed;
    if (changed & RFLAGS_ARITHMETIC)
        soft_set_arithmetic(cpu, flags & ~changed);
    uint16_t cs = (uint16_t)(cpu->star >> 32) & 0xFFFC;
    set_flat(cpu, cs, cs + 8, 0, true);
    if (G_UNLIKELY(changed & RFLAGS_TF))
        soft_update_mode(cpu);
    else
        soft_update_context(cpu);
    SOFT_GO(cpu);
}

/* dst: operand size, 8 or 4. */
SoftNext soft_op_sysret(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (G_UNLIKELY(!(cpu->efer & EFER_SCE) || !soft_in_64bit(cpu)))
        soft_fault(cpu, X86_UD);
    soft_require_cpl0(cpu);
    bool to_64 = op->dst == 8;
    uint64_t rip = to_64 ? cpu->gpr[1] : (uint32_t)cpu->gpr[1];
    if (G_UNLIKELY(!soft_is_canonical(rip)))
        soft_fault_gp0(cpu);
    soft_finish_at(cpu, op, rip);
    soft_set_rflags(cpu, (cpu->gpr[11] & 0x3C7FD7) | 2);
    uint16_t base = (uint16_t)(cpu->star >> 48);
    set_flat(cpu, (uint16_t)((base + (to_64 ? 16 : 0)) | 3), (uint16_t)((base + 8) | 3), 3, to_64);
    if (G_LIKELY(to_64))
        soft_update_context(cpu);
    else
        soft_update_mode(cpu);
    SOFT_GO(cpu);
}

SoftNext soft_op_sysenter(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (soft_is_real(cpu) || !(cpu->sysenter_cs & 0xFFFC))
        soft_fault_gp0(cpu);
    bool to_64 = soft_in_long_mode(cpu);
    uint16_t cs = (uint16_t)cpu->sysenter_cs & 0xFFFC;
    soft_finish_at(cpu, op, to_64 ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip);
    cpu->rflags &= ~(uint64_t)(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
    set_flat(cpu, cs, cs + 8, 0, to_64);
    soft_update_mode(cpu);
    cpu->gpr[4] = to_64 ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
    SOFT_GO(cpu);
}

/* dst: operand size; 8 goes to 64-bit mode. */
SoftNext soft_op_sysexit(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (soft_is_real(cpu) || !(cpu->sysenter_cs & 0xFFFC) || cpu->cpl != 0)
        soft_fault_gp0(cpu);
    bool to_64 = op->dst == 8;
    if (to_64 && (!soft_is_canonical(cpu->gpr[1]) || !soft_is_canonical(cpu->gpr[2])))
        soft_fault_gp0(cpu);
    uint16_t base = (uint16_t)cpu->sysenter_cs & 0xFFFC;
    uint64_t sp = to_64 ? cpu->gpr[1] : (uint32_t)cpu->gpr[1];
    soft_finish_at(cpu, op, to_64 ? cpu->gpr[2] : (uint32_t)cpu->gpr[2]);
    set_flat(cpu, (uint16_t)((base + (to_64 ? 32 : 16)) | 3),
             (uint16_t)((base + (to_64 ? 40 : 24)) | 3), 3, to_64);
    soft_update_mode(cpu);
    cpu->gpr[4] = sp;
    SOFT_GO(cpu);
}
