/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Interrupts and exceptions through the IVT and the IDT (SDM vol. 3A chapter 6), double and triple
 * faults. */

#include "core/cpu/soft/system.h"

#define DELIVERING_BENIGN 0x100 /* an interrupt: a fault on the way is no double fault */

typedef struct {
    const SoftOp *op;
    uint8_t vector;
    SoftEvent event;
    bool has_error;
    uint32_t error, ext;
    uint64_t flags; /* RFLAGS as pushed */
} Delivery;

static void interrupt_real(SoftCpu *cpu, const Delivery *delivery)
{
    unsigned at = delivery->vector * 4u;
    if (at + 3 > cpu->idt_limit)
        soft_fault_error(cpu, X86_GP, delivery->vector * 8u + 2 + delivery->ext);
    uint32_t target = (uint32_t)soft_load_system(cpu, cpu->idt_base + at, 4);
    SoftStack stack = soft_stack_current(cpu, delivery->ext);
    soft_stack_push(cpu, &stack, 2, delivery->flags);
    soft_stack_push(cpu, &stack, 2, cpu->seg[CPU_CS].selector);
    soft_stack_push(cpu, &stack, 2, soft_rip_next(cpu, delivery->op));
    bool was_stepping = cpu->rflags & RFLAGS_TF;
    soft_set_sp(cpu, stack.sp);
    soft_go_to(cpu, delivery->op, target & 0xFFFF);
    soft_set_segment_real(cpu, CPU_CS, (uint16_t)(target >> 16));
    cpu->rflags &= ~(uint64_t)(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    if (was_stepping)
        soft_update_mode(cpu);
}

/* The gate of the vector, present and allowed. */
static void fetch_gate(SoftCpu *cpu, const Delivery *delivery, SoftDescriptor *gate,
                       unsigned entry_size, uint32_t types)
{
    uint32_t error = delivery->vector * 8u + 2 + delivery->ext;
    unsigned at = delivery->vector * entry_size;
    if (at + entry_size - 1 > cpu->idt_limit)
        soft_fault_error(cpu, X86_GP, error);
    gate->linear = cpu->idt_base + at;
    gate->raw = soft_load_system(cpu, gate->linear, 8);
    gate->high = 0;
    gate->attributes = (uint16_t)((gate->raw >> 40) & 0xFF);
    if (gate->attributes & SEG_USER || !(types & 1u << SEG_TYPE(gate->attributes)))
        soft_fault_error(cpu, X86_GP, error);
    if (delivery->event == SOFT_EVENT_SOFTWARE && SEG_DPL(gate->attributes) < cpu->cpl)
        soft_fault_error(cpu, X86_GP, error);
    if (!(gate->attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
}

/* The code segment of a gate: privilege @cpl may be entered from the current one. */
static void fetch_handler(SoftCpu *cpu, const SoftDescriptor *gate, SoftDescriptor *code,
                          uint32_t ext)
{
    uint16_t selector = soft_gate_selector(gate);
    uint32_t error = (selector & 0xFFFC) | ext;
    if (!(selector & 0xFFFC) || !soft_descriptor_fetch(cpu, selector, code))
        soft_fault_error(cpu, X86_GP, error);
    unsigned attributes = code->attributes;
    if ((attributes & (SEG_USER | SEG_CODE)) != (SEG_USER | SEG_CODE) ||
        SEG_DPL(attributes) > cpu->cpl)
        soft_fault_error(cpu, X86_GP, error);
    if (soft_in_long_mode(cpu) && (attributes & (SEG_LONG | SEG_BIG)) != SEG_LONG)
        soft_fault_error(cpu, X86_GP, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
}

static uint64_t flags_after_gate(SoftCpu *cpu, const SoftDescriptor *gate)
{
    uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
    if (!(gate->attributes & 1)) /* interrupt gates have even types */
        clear |= RFLAGS_IF;
    return cpu->rflags & ~clear;
}

static void interrupt_protected(SoftCpu *cpu, const Delivery *delivery)
{
    static const uint32_t types = 1u << SEG_TASK_GATE | 1u << SEG_INTERRUPT16 | 1u << SEG_TRAP16 |
                                  1u << SEG_INTERRUPT32 | 1u << SEG_TRAP32;
    uint32_t ext = delivery->ext;
    SoftDescriptor gate, code, ss;
    fetch_gate(cpu, delivery, &gate, 8, types);
    if (SEG_TYPE(gate.attributes) == SEG_TASK_GATE) {
        soft_task_gate(cpu, delivery->op, &gate, SOFT_TASK_INTERRUPT, ext, delivery->has_error,
                       delivery->error);
        return;
    }
    fetch_handler(cpu, &gate, &code, ext);
    unsigned size = SEG_TYPE(gate.attributes) & 8 ? 4 : 2;
    uint64_t rip = soft_gate_offset(&gate);
    if (size == 2)
        rip &= 0xFFFF;

    unsigned dpl = SEG_DPL(code.attributes);
    bool inner = !(code.attributes & SEG_CONFORMING) && dpl < cpu->cpl;
    bool from_v86 = soft_in_v86(cpu);
    if (from_v86 && (!inner || dpl != 0))
        soft_fault_error(cpu, X86_GP, (code.selector & 0xFFFC) | ext);
    unsigned cpl = inner ? dpl : cpu->cpl;
    SoftStack stack;
    uint16_t ss_selector = 0;
    if (inner)
        soft_tss_stack(cpu, dpl, &stack, &ss_selector, &ss, ext);
    else
        stack = soft_stack_current(cpu, ext);
    if (rip > code.limit)
        soft_fault_error(cpu, X86_GP, ext);
    if (from_v86) {
        soft_stack_push(cpu, &stack, size, cpu->seg[CPU_GS].selector);
        soft_stack_push(cpu, &stack, size, cpu->seg[CPU_FS].selector);
        soft_stack_push(cpu, &stack, size, cpu->seg[CPU_DS].selector);
        soft_stack_push(cpu, &stack, size, cpu->seg[CPU_ES].selector);
    }
    if (inner) {
        soft_stack_push(cpu, &stack, size, cpu->seg[CPU_SS].selector);
        soft_stack_push(cpu, &stack, size, cpu->gpr[4]);
    }
    soft_stack_push(cpu, &stack, size, delivery->flags);
    soft_stack_push(cpu, &stack, size, cpu->seg[CPU_CS].selector);
    soft_stack_push(cpu, &stack, size, soft_rip_next(cpu, delivery->op));
    if (delivery->has_error)
        soft_stack_push(cpu, &stack, size, delivery->error);

    soft_descriptor_set_accessed(cpu, &code);
    if (inner)
        soft_descriptor_set_accessed(cpu, &ss);
    soft_go_to(cpu, delivery->op, rip);
    cpu->rflags = flags_after_gate(cpu, &gate);
    cpu->cpl = (uint8_t)cpl;
    if (from_v86) {
        soft_set_segment_null(cpu, CPU_GS, 0);
        soft_set_segment_null(cpu, CPU_FS, 0);
        soft_set_segment_null(cpu, CPU_DS, 0);
        soft_set_segment_null(cpu, CPU_ES, 0);
    }
    soft_set_segment(cpu, CPU_CS, (uint16_t)((code.selector & 0xFFFC) | cpl), &code);
    if (inner)
        soft_set_segment(cpu, CPU_SS, ss_selector, &ss);
    soft_update_mode(cpu);
    soft_set_sp(cpu, stack.sp);
}

/* The frame of long mode, by one pointer where the stack is in the TLB. */
static uint64_t push_frame64(SoftCpu *cpu, const Delivery *delivery, SoftStack *stack)
{
    uint64_t frame[6] = { delivery->error,
                          soft_rip_next(cpu, delivery->op),
                          cpu->seg[CPU_CS].selector,
                          delivery->flags,
                          cpu->gpr[4],
                          cpu->seg[CPU_SS].selector };
    unsigned first = delivery->has_error ? 0 : 1;
    unsigned bytes = (6 - first) * 8;
    uint64_t *p = soft_system_write_pointer(cpu, stack->sp - bytes, bytes);
    if (G_LIKELY(p && stack->cpl != 3)) {
        memcpy(p, frame + first, bytes);
        stack->sp -= bytes;
    } else {
        for (unsigned i = 6; i-- > first;)
            soft_stack_push(cpu, stack, 8, frame[i]);
    }
    return stack->sp;
}

static void interrupt_long(SoftCpu *cpu, const Delivery *delivery)
{
    uint32_t ext = delivery->ext;
    SoftDescriptor gate, code;
    fetch_gate(cpu, delivery, &gate, 16, 1u << SEG_INTERRUPT32 | 1u << SEG_TRAP32);
    gate.high = soft_load_system(cpu, gate.linear + 8, 8) & 0xFFFFFFFF;
    fetch_handler(cpu, &gate, &code, ext);
    uint64_t rip = soft_gate_offset(&gate);
    unsigned ist = (gate.raw >> 32) & 7;
    unsigned dpl = SEG_DPL(code.attributes);
    bool inner = !(code.attributes & SEG_CONFORMING) && dpl < cpu->cpl;
    SoftStack stack = {
        .sp = cpu->gpr[4], .mask = UINT64_MAX, .error = ext, .cpl = inner ? dpl : cpu->cpl
    };
    if (ist)
        stack.sp = soft_tss_stack64(cpu, 3 + ist, ext);
    else if (inner)
        stack.sp = soft_tss_stack64(cpu, dpl, ext);
    if (!soft_is_canonical(stack.sp))
        soft_fault_error(cpu, X86_SS, ext);
    if (!soft_is_canonical(rip))
        soft_fault_error(cpu, X86_GP, ext);
    stack.sp &= ~UINT64_C(15);
    push_frame64(cpu, delivery, &stack);

    soft_descriptor_set_accessed(cpu, &code);
    bool same_mode = soft_in_64bit(cpu) && !(cpu->mode & SOFT_MODE_ONE);
    soft_go_to(cpu, delivery->op, rip);
    cpu->rflags = flags_after_gate(cpu, &gate);
    cpu->cpl = (uint8_t)stack.cpl;
    soft_set_segment(cpu, CPU_CS, (uint16_t)((code.selector & 0xFFFC) | stack.cpl), &code);
    if (inner)
        soft_set_segment_null(cpu, CPU_SS, (uint16_t)stack.cpl);
    cpu->gpr[4] = stack.sp;
    if (same_mode)
        soft_update_context(cpu);
    else
        soft_update_mode(cpu);
}

void soft_interrupt_from(SoftCpu *cpu, const SoftOp *op, uint8_t vector, SoftEvent event,
                         bool has_error, uint32_t error)
{
    bool is_exception = event == SOFT_EVENT_FAULT || event == SOFT_EVENT_TRAP;
    Delivery delivery = { .op = op,
                          .vector = vector,
                          .event = event,
                          .has_error = has_error,
                          .error = error,
                          .ext = event == SOFT_EVENT_SOFTWARE ? 0 : 1,
                          .flags = soft_get_rflags(cpu) };
    cpu->trap_dropped = true;
    cpu->delivering = is_exception ? vector : DELIVERING_BENIGN;
    if (event == SOFT_EVENT_FAULT)
        delivery.flags |= RFLAGS_RF;
    if (is_exception && vector == X86_DB) {
        uint64_t hits = cpu->fault.dr6;
        cpu->fault.dr6 = 0;
        cpu->dr[6] |= hits;
        cpu->dr[7] &= ~UINT64_C(0x2000); /* GD */
        /* A code breakpoint leaves RF to its handler. */
        if (hits & 0xF)
            delivery.flags &= ~(uint64_t)RFLAGS_RF;
    }
    if (soft_is_real(cpu))
        interrupt_real(cpu, &delivery);
    else if (soft_in_long_mode(cpu))
        interrupt_long(cpu, &delivery);
    else
        interrupt_protected(cpu, &delivery);
    cpu->delivering = -1;
    cpu->halted = false;
}

void soft_interrupt(SoftCpu *cpu, uint8_t vector, SoftEvent event, bool has_error, uint32_t error)
{
    cpu->op = NULL;
    soft_interrupt_from(cpu, NULL, vector, event, has_error, error);
}

/* SDM vol. 3A table 6-5. */
static bool is_contributory(int vector)
{
    return vector == X86_DE || (vector >= X86_TS && vector <= X86_GP);
}

bool soft_deliver_fault(SoftCpu *cpu)
{
    int first = cpu->delivering;
    uint8_t second = cpu->fault.vector;
    bool serious = is_contributory(second) || second == X86_PF;
    if (first == X86_DF && serious)
        return false;
    if ((is_contributory(first) && is_contributory(second)) || (first == X86_PF && serious))
        soft_interrupt(cpu, X86_DF, SOFT_EVENT_FAULT, true, 0);
    else
        soft_interrupt(cpu, second, SOFT_EVENT_FAULT, cpu->fault.has_error, cpu->fault.error);
    return true;
}

/* imm: vector. */
SoftNext soft_op_int(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (soft_in_v86(cpu) && soft_iopl(cpu) != 3)
        soft_fault_gp0(cpu);
    soft_interrupt_from(cpu, op, (uint8_t)op->imm, SOFT_EVENT_SOFTWARE, false, 0);
    SOFT_GO(cpu);
}

SoftNext soft_op_int3(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_interrupt_from(cpu, op, X86_BP, SOFT_EVENT_SOFTWARE, false, 0);
    SOFT_GO(cpu);
}

SoftNext soft_op_into(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (cpu->flags & SOFT_FLAG_OF)
        soft_interrupt_from(cpu, op, X86_OF, SOFT_EVENT_SOFTWARE, false, 0);
    else
        soft_finish(cpu, op);
    SOFT_GO(cpu);
}
