/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Hardware task switches between 16- and 32-bit TSSs (SDM vol. 3A chapter 7). Not in long mode. */

#include "core/cpu/soft/system.h"

enum { /* byte offsets in a TSS */
       TSS32_CR3 = 0x1C,
       TSS32_EIP = 0x20,
       TSS32_EFLAGS = 0x24,
       TSS32_GPR = 0x28,
       TSS32_SEGMENTS = 0x48,
       TSS32_LDT = 0x60,
       TSS32_TRAP = 0x64,
       TSS32_LIMIT = 0x67,
       TSS16_IP = 0x0E,
       TSS16_FLAGS = 0x10,
       TSS16_GPR = 0x12,
       TSS16_SEGMENTS = 0x22,
       TSS16_LDT = 0x2A,
       TSS16_LIMIT = 0x2B,
};

typedef struct {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t segment[CPU_N_SEGMENTS], ldt;
    bool trap;
} Task;

/* The order of CPU_ES … is that of the TSS. */
static void read_task(SoftCpu *cpu, uint64_t base, bool is32, Task *task)
{
    unsigned n_segments = is32 ? 6 : 4, size = is32 ? 4 : 2;
    memset(task, 0, sizeof *task);
    task->eip = (uint32_t)soft_load_system(cpu, base + (is32 ? TSS32_EIP : TSS16_IP), size);
    task->eflags =
        (uint32_t)soft_load_system(cpu, base + (is32 ? TSS32_EFLAGS : TSS16_FLAGS), size);
    for (unsigned i = 0; i < 8; i++)
        task->gpr[i] =
            (uint32_t)soft_load_system(cpu, base + (is32 ? TSS32_GPR : TSS16_GPR) + i * size, size);
    for (unsigned i = 0; i < n_segments; i++)
        task->segment[i] = (uint16_t)soft_load_system(
            cpu, base + (is32 ? TSS32_SEGMENTS : TSS16_SEGMENTS) + i * size, 2);
    task->ldt = (uint16_t)soft_load_system(cpu, base + (is32 ? TSS32_LDT : TSS16_LDT), 2);
    if (is32) {
        task->cr3 = (uint32_t)soft_load_system(cpu, base + TSS32_CR3, 4);
        task->trap = soft_load_system(cpu, base + TSS32_TRAP, 2) & 1;
    } else {
        for (unsigned i = 0; i < 8; i++)
            task->gpr[i] |= 0xFFFF0000;
    }
}

static void save_task(SoftCpu *cpu, uint64_t eip, uint64_t eflags)
{
    bool is32 = cpu->task.attributes & 8;
    uint64_t base = cpu->task.base;
    unsigned n_segments = is32 ? 6 : 4, size = is32 ? 4 : 2;
    soft_store_system(cpu, base + (is32 ? TSS32_EIP : TSS16_IP), size, eip);
    soft_store_system(cpu, base + (is32 ? TSS32_EFLAGS : TSS16_FLAGS), size, eflags);
    for (unsigned i = 0; i < 8; i++)
        soft_store_system(cpu, base + (is32 ? TSS32_GPR : TSS16_GPR) + i * size, size, cpu->gpr[i]);
    for (unsigned i = 0; i < n_segments; i++)
        soft_store_system(cpu, base + (is32 ? TSS32_SEGMENTS : TSS16_SEGMENTS) + i * size, 2,
                          cpu->seg[i].selector);
}

/* What save_task writes can be written: a store of the first and the last byte as they are. */
static void probe_old_task(SoftCpu *cpu)
{
    bool is32 = cpu->task.attributes & 8;
    uint64_t first = cpu->task.base + (is32 ? TSS32_EIP : TSS16_IP);
    uint64_t last = cpu->task.base + (is32 ? TSS32_LDT : TSS16_LDT) - 1;
    soft_store_system(cpu, first, 1, soft_load_system(cpu, first, 1));
    soft_store_system(cpu, last, 1, soft_load_system(cpu, last, 1));
}

/* The TSS to switch to, with the checks of the manual's steps 2 to 4. */
static void fetch_new_task(SoftCpu *cpu, uint16_t selector, SoftTaskReason reason, uint32_t ext,
                           SoftDescriptor *d)
{
    uint32_t error = (selector & 0xFFFC) | ext;
    uint8_t vector = reason == SOFT_TASK_RETURN ? X86_TS : X86_GP;
    if (!(selector & 0xFFFC) || selector & 4 || !soft_descriptor_fetch(cpu, selector, d))
        soft_fault_error(cpu, vector, error);
    unsigned type = d->attributes & (SEG_USER | 15);
    bool is_busy = type == SEG_TSS16_BUSY || type == SEG_TSS32_BUSY;
    bool is_tss = is_busy || type == SEG_TSS16 || type == SEG_TSS32;
    if (!is_tss || is_busy != (reason == SOFT_TASK_RETURN))
        soft_fault_error(cpu, vector, error);
    if (!(d->attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    if (d->limit < (d->attributes & 8 ? TSS32_LIMIT : TSS16_LIMIT))
        soft_fault_error(cpu, X86_TS, error);
}

static void load_task_code(SoftCpu *cpu, uint16_t selector, uint32_t ext)
{
    uint32_t error = (selector & 0xFFFC) | ext;
    SoftDescriptor d;
    if (!(selector & 0xFFFC) || !soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, X86_TS, error);
    unsigned attributes = d.attributes, dpl = SEG_DPL(attributes), rpl = selector & 3;
    bool fits = (attributes & (SEG_USER | SEG_CODE)) == (SEG_USER | SEG_CODE);
    fits = fits && (attributes & SEG_CONFORMING ? dpl <= rpl : dpl == rpl);
    if (!fits)
        soft_fault_error(cpu, X86_TS, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    soft_descriptor_set_accessed(cpu, &d);
    soft_set_segment(cpu, CPU_CS, selector, &d);
}

static void load_task_data(SoftCpu *cpu, unsigned n, uint16_t selector, uint32_t ext)
{
    uint32_t error = (selector & 0xFFFC) | ext;
    SoftDescriptor d;
    if (!(selector & 0xFFFC)) {
        soft_set_segment_null(cpu, n, selector);
        return;
    }
    if (!soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, X86_TS, error);
    unsigned attributes = d.attributes, dpl = SEG_DPL(attributes);
    bool is_code = attributes & SEG_CODE;
    if (!(attributes & SEG_USER) || (is_code && !(attributes & SEG_READ_WRITE)))
        soft_fault_error(cpu, X86_TS, error);
    if (!(is_code && attributes & SEG_CONFORMING) && (dpl < cpu->cpl || dpl < (selector & 3u)))
        soft_fault_error(cpu, X86_TS, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    soft_descriptor_set_accessed(cpu, &d);
    soft_set_segment(cpu, n, selector, &d);
}

/* Step 14: the new task's segments. What fails here fails in the new task. */
static void load_task_segments(SoftCpu *cpu, const Task *task, uint32_t ext)
{
    soft_load_ldt(cpu, task->ldt, X86_TS, ext);
    if (soft_in_v86(cpu)) {
        cpu->cpl = 3;
        for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
            soft_set_segment_real(cpu, i, task->segment[i]);
        soft_update_mode(cpu);
        return;
    }
    SoftDescriptor ss;
    cpu->cpl = task->segment[CPU_CS] & 3;
    load_task_code(cpu, task->segment[CPU_CS], ext);
    soft_check_stack_segment(cpu, task->segment[CPU_SS], &ss, cpu->cpl, X86_TS, ext);
    soft_descriptor_set_accessed(cpu, &ss);
    soft_set_segment(cpu, CPU_SS, task->segment[CPU_SS], &ss);
    soft_update_mode(cpu);
    static const uint8_t data[] = { CPU_DS, CPU_ES, CPU_FS, CPU_GS };
    for (unsigned i = 0; i < G_N_ELEMENTS(data); i++)
        load_task_data(cpu, data[i], task->segment[data[i]], ext);
}

static void enter_address_space(SoftCpu *cpu, uint32_t cr3)
{
    if (!(cpu->cr0 & CR0_PG))
        return;
    if (cpu->cr4 & CR4_PAE)
        soft_load_pdptes(cpu, cr3);
    cpu->cr3 = cr3;
    soft_tlb_flush(cpu, true);
}

void soft_task_switch(SoftCpu *cpu, const SoftOp *op, uint16_t selector, SoftTaskReason reason,
                      uint32_t ext, bool has_error, uint32_t error)
{
    SoftDescriptor old, new;
    Task task;
    fetch_new_task(cpu, selector, reason, ext, &new);
    bool is32 = new.attributes & 8;
    uint16_t old_selector = cpu->task.selector;
    uint64_t flags = soft_get_rflags(cpu);
    bool nests = reason == SOFT_TASK_CALL || reason == SOFT_TASK_INTERRUPT;

    /* All accesses that may fault, before anything changes. */
    probe_old_task(cpu);
    read_task(cpu, new.base, is32, &task);
    if (nests)
        soft_store_system(cpu, new.base, 2, soft_load_system(cpu, new.base, 2));

    if (reason == SOFT_TASK_JUMP || reason == SOFT_TASK_RETURN) {
        if (soft_descriptor_fetch(cpu, old_selector, &old))
            soft_descriptor_set_busy(cpu, &old, false);
    }
    if (reason == SOFT_TASK_RETURN)
        flags &= ~(uint64_t)RFLAGS_NT;
    save_task(cpu, soft_rip_next(cpu, op), flags);
    /* A task that jumps to itself has just been saved where it is read from. */
    if (new.base == cpu->task.base)
        read_task(cpu, new.base, is32, &task);
    if (nests)
        soft_store_system(cpu, new.base, 2, old_selector);
    if (reason != SOFT_TASK_RETURN)
        soft_descriptor_set_busy(cpu, &new, true);

    /* From here on in the new task. */
    cpu->task = (SoftSegment){
        .base = new.base, .limit = new.limit, .selector = selector, .attributes = new.attributes | 2
    };
    cpu->cr0 |= CR0_TS;
    soft_go_to(cpu, op, task.eip);
    uint64_t new_flags = (task.eflags & 0x3F7FD5) | 2;
    if (nests)
        new_flags |= RFLAGS_NT;
    soft_set_rflags(cpu, new_flags);
    for (unsigned i = 0; i < 8; i++)
        cpu->gpr[i] = task.gpr[i];
    cpu->ldt = (SoftSegment){ .selector = task.ldt };
    /* Only L0-L3 are of the task. */
    if (cpu->dr[7] & 0x55) {
        cpu->dr[7] &= ~UINT64_C(0x55);
        soft_debug_update(cpu);
    }
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++) {
        cpu->seg[i].selector = task.segment[i];
        cpu->seg[i].attributes &= (uint16_t)~SEG_PRESENT;
        soft_segment_cache(cpu, i);
    }
    if (is32)
        enter_address_space(cpu, task.cr3);
    load_task_segments(cpu, &task, ext);
    if (has_error) {
        SoftStack stack = soft_stack_current(cpu, ext);
        soft_stack_push(cpu, &stack, is32 ? 4 : 2, error);
        soft_set_sp(cpu, stack.sp);
    }
    if (task.eip > cpu->seg[CPU_CS].limit)
        soft_fault_error(cpu, X86_GP, ext);
    if (task.trap) {
        cpu->fault.dr6 = UINT64_C(1) << 15; /* BT */
        soft_interrupt(cpu, X86_DB, SOFT_EVENT_TRAP, false, 0);
    }
}

void soft_task_gate(SoftCpu *cpu, const SoftOp *op, const SoftDescriptor *gate,
                    SoftTaskReason reason, uint32_t ext, bool has_error, uint32_t error)
{
    soft_task_switch(cpu, op, soft_gate_selector(gate), reason, ext, has_error, error);
}

void soft_task_return(SoftCpu *cpu, const SoftOp *op)
{
    uint16_t selector = (uint16_t)soft_load_system(cpu, cpu->task.base, 2);
    soft_task_switch(cpu, op, selector, SOFT_TASK_RETURN, 0, false, 0);
}
