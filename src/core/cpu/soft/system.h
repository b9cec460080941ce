/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The system side of the software CPU: what segment.c, transfer.c, interrupt.c, task.c, control.c,
 * debug.c, msr.c and cpuid.c share, and the few doors that instruction files use (soft_check_io).
 *
 * Where RIP is. Inside a block cpu->rip is the block's start and cpu->op says how far it got. A
 * function that takes @op transfers control from that instruction: it changes nothing before the
 * last check that may fault, then commits. With @op NULL (events between instructions) cpu->rip is
 * exact already. */

#include "core/cpu/paravirt.h"
#include "core/cpu/soft/decode.h"
#include "core/cpu/soft/soft-machine.h"

/* Segment attributes, as CpuSegment.attributes. */
#define SEG_ACCESSED 0x0001u
#define SEG_READ_WRITE 0x0002u /* data: writable, code: readable */
#define SEG_EXPAND_DOWN 0x0004u
#define SEG_CONFORMING 0x0004u
#define SEG_CODE 0x0008u
#define SEG_USER 0x0010u /* S: code or data */
#define SEG_PRESENT 0x0080u
#define SEG_LONG 0x2000u
#define SEG_BIG 0x4000u
#define SEG_GRANULAR 0x8000u
#define SEG_TYPE(attributes) ((attributes)&15u)
#define SEG_DPL(attributes) (((attributes) >> 5) & 3u)

enum { /* types of system descriptors */
       SEG_TSS16 = 1,
       SEG_LDT = 2,
       SEG_TSS16_BUSY = 3,
       SEG_CALL16 = 4,
       SEG_TASK_GATE = 5,
       SEG_INTERRUPT16 = 6,
       SEG_TRAP16 = 7,
       SEG_TSS32 = 9,
       SEG_TSS32_BUSY = 11,
       SEG_CALL32 = 12,
       SEG_INTERRUPT32 = 14,
       SEG_TRAP32 = 15,
};

typedef struct {
    uint64_t raw, high; /* as in memory; high: upper half of 16-byte ones */
    uint64_t linear;    /* where it is */
    uint64_t base;
    uint32_t limit; /* in bytes */
    uint16_t attributes;
    uint16_t selector;
} SoftDescriptor;

/* Reads the descriptor that @selector names; false: outside its table. Null is the caller's. */
bool soft_descriptor_fetch(SoftCpu *cpu, uint16_t selector, SoftDescriptor *out);
/* The same for a system descriptor of 16 bytes in long mode; raises @vector(selector | ext) when
 * the upper half is outside the table or not zero where it must be. */
void soft_descriptor_fetch_high(SoftCpu *cpu, SoftDescriptor *descriptor, uint8_t vector,
                                uint32_t ext);
void soft_descriptor_decode(SoftDescriptor *descriptor);
static inline uint16_t soft_gate_selector(const SoftDescriptor *gate)
{
    return (uint16_t)(gate->raw >> 16);
}
static inline uint64_t soft_gate_offset(const SoftDescriptor *gate)
{
    return (gate->raw & 0xFFFF) | ((gate->raw >> 32) & 0xFFFF0000) | gate->high << 32;
}
/* Change the descriptor in memory too, atomically. */
void soft_descriptor_set_accessed(SoftCpu *cpu, SoftDescriptor *descriptor);
void soft_descriptor_set_busy(SoftCpu *cpu, SoftDescriptor *descriptor, bool busy);

/* Segment registers. soft_load_segment: as MOV and POP do, with the checks of the mode; not CS. */
void soft_load_segment(SoftCpu *cpu, unsigned seg, uint16_t selector);
/* Real and virtual-8086 mode: base = selector * 16. */
void soft_set_segment_real(SoftCpu *cpu, unsigned seg, uint16_t selector);
/* Without checks: fills the register from a descriptor that passed them. */
void soft_set_segment(SoftCpu *cpu, unsigned seg, uint16_t selector,
                      const SoftDescriptor *descriptor);
void soft_set_segment_null(SoftCpu *cpu, unsigned seg, uint16_t selector);
/* Checks of a code segment that control passes to without a gate; raises @vector, #NP. CPL is the
 * one to run at: @cpl. @rpl counts for nonconforming segments. */
void soft_check_code_segment(SoftCpu *cpu, const SoftDescriptor *code, unsigned cpl, unsigned rpl,
                             uint32_t ext);
/* Checks of a stack segment for privilege @cpl; raises @vector, #SS when not present. */
void soft_check_stack_segment(SoftCpu *cpu, uint16_t selector, SoftDescriptor *out, unsigned cpl,
                              uint8_t vector, uint32_t ext);
/* LLDT, LTR and task switches: @vector for what is wrong. */
void soft_load_ldt(SoftCpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext);
/* After a change to an outer privilege: data segments that it may not use become null. */
void soft_drop_inner_segments(SoftCpu *cpu);

static inline bool soft_is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}
static inline bool soft_in_v86(const SoftCpu *cpu)
{
    return cpu->rflags & RFLAGS_VM;
}
static inline bool soft_is_real(const SoftCpu *cpu)
{
    return !(cpu->cr0 & CR0_PE);
}
static inline unsigned soft_iopl(const SoftCpu *cpu)
{
    return (cpu->rflags >> 12) & 3;
}
static inline uint64_t soft_stack_mask(const SoftCpu *cpu)
{
    return cpu->mode & SOFT_MODE_CODE64    ? UINT64_MAX
           : cpu->mode & SOFT_MODE_STACK32 ? 0xFFFFFFFF
                                           : 0xFFFF;
}
/* RSP keeps what the stack's width does not cover. */
static inline void soft_set_sp(SoftCpu *cpu, uint64_t value)
{
    if (cpu->mode & SOFT_MODE_CODE64)
        cpu->gpr[4] = value;
    else if (cpu->mode & SOFT_MODE_STACK32)
        cpu->gpr[4] = (uint32_t)value;
    else
        cpu->gpr[4] = (cpu->gpr[4] & ~UINT64_C(0xFFFF)) | (uint16_t)value;
}
static inline G_NORETURN void soft_fault_gp0(SoftCpu *cpu)
{
    soft_fault_error(cpu, X86_GP, 0);
}

/* Host address of [linear, linear + size) for a system store, if the TLB has it right now. */
static inline void *soft_system_write_pointer(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    unsigned context = cpu->cr4 & CR4_SMAP ? SOFT_CONTEXT_KERNEL : SOFT_CONTEXT_KERNEL_USER;
    SoftTlbEntry *entry = &cpu->tlb_table[context][(linear >> 12) & (SOFT_TLB_SIZE - 1)];
    return entry->write == ((linear + size - 1) & ~UINT64_C(0xFFF))
               ? (void *)(linear + entry->addend)
               : NULL;
}

/* A stack that is about to become the current one: pushes go to it by supervisor accesses (or those
 * of @cpl 3), below @sp, and nothing of the CPU changes. */
typedef struct {
    SoftSegment segment;
    uint64_t sp, mask;
    uint32_t error; /* error code of #SS at a limit */
    unsigned cpl;
} SoftStack;
void soft_stack_push(SoftCpu *cpu, SoftStack *stack, unsigned size, uint64_t value);
/* The current stack as such. */
SoftStack soft_stack_current(SoftCpu *cpu, uint32_t error);
/* RF matters to code breakpoints only, and for one instruction: without any it is dropped at once.
 * @mask: the bits of RFLAGS that are written. */
void soft_write_flags(SoftCpu *cpu, uint64_t flags, uint64_t mask);
/* RIP of the end of @op, or exact RIP with @op NULL. */
static inline uint64_t soft_rip_next(const SoftCpu *cpu, const SoftOp *op)
{
    return op ? soft_rip_after(cpu, op) : cpu->rip;
}
/* Retires @op and goes to @rip. */
static inline void soft_go_to(SoftCpu *cpu, const SoftOp *op, uint64_t rip)
{
    if (op)
        soft_finish_at(cpu, op, rip);
    else
        cpu->rip = rip;
    cpu->op = NULL;
}

/* transfer.c: a stack pointer of the 64-bit TSS (@slot: 0-2 RSPn, 3 + n: ISTn, n from 1). */
uint64_t soft_tss_stack64(SoftCpu *cpu, unsigned slot, uint32_t ext);
/* The same of a 16- or 32-bit TSS, with all checks of its segment. */
void soft_tss_stack(SoftCpu *cpu, unsigned cpl, SoftStack *out, uint16_t *out_selector,
                    SoftDescriptor *out_descriptor, uint32_t ext);

/* interrupt.c: like soft_interrupt, from an instruction (INT n …), which retires when it worked. */
void soft_interrupt_from(SoftCpu *cpu, const SoftOp *op, uint8_t vector, SoftEvent event,
                         bool has_error, uint32_t error);

/* task.c. */
typedef enum {
    SOFT_TASK_JUMP,
    SOFT_TASK_CALL,
    SOFT_TASK_INTERRUPT,
    SOFT_TASK_RETURN
} SoftTaskReason;
/* Switches to the task whose TSS @selector names; has raised #TS, #NP, #GP or #PF when something is
 * wrong before the switch, and raises further faults in the new task. */
void soft_task_switch(SoftCpu *cpu, const SoftOp *op, uint16_t selector, SoftTaskReason reason,
                      uint32_t ext, bool has_error, uint32_t error);
/* JMP, CALL or an interrupt through a task gate. */
void soft_task_gate(SoftCpu *cpu, const SoftOp *op, const SoftDescriptor *gate,
                    SoftTaskReason reason, uint32_t ext, bool has_error, uint32_t error);
void soft_task_return(SoftCpu *cpu, const SoftOp *op);

/* control.c. */
void soft_write_cr0(SoftCpu *cpu, uint64_t value);
/* Raises #GP(0) unless CPL 0. */
static inline void soft_require_cpl0(SoftCpu *cpu)
{
    if (G_UNLIKELY(cpu->cpl != 0))
        soft_fault_gp0(cpu);
}
/* IN, OUT, INS, OUTS: raises #GP(0) unless @size bytes of ports at @port may be used; notes I/O
 * breakpoints. SOFT_AT before. */
void soft_check_io(SoftCpu *cpu, uint16_t port, unsigned size);

/* debug.c: after DR0-DR3 or DR7 changed. */
void soft_debug_update(SoftCpu *cpu);
void soft_debug_io(SoftCpu *cpu, uint16_t port, unsigned size);
SoftHandler soft_op_mov_to_dr, soft_op_mov_from_dr, soft_op_int1;

/* msr.c. False: #GP. */
/* Before the board is entered, which takes its lock and looks at the clock; soft_guest_enter()
 * afterwards. */
void soft_leave_for_board(SoftCpu *cpu);
ParavirtTsc soft_paravirt_tsc(const SoftCpu *cpu);
bool soft_read_msr(SoftCpu *cpu, uint32_t msr, uint64_t *out_value);
bool soft_write_msr(SoftCpu *cpu, uint32_t msr, uint64_t value);

/* cpuid.c: EAX, EBX, ECX, EDX of a leaf. */
void soft_cpuid(SoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Handlers, by file; system.c hands them out. Sizes: 2, 4, 8 bytes of operand. */
/* segment.c */
SoftHandler soft_op_mov_to_seg_reg, soft_op_mov_to_seg_mem, soft_op_mov_to_ss_reg,
    soft_op_mov_to_ss_mem, soft_op_mov_from_seg_reg16, soft_op_mov_from_seg_reg32,
    soft_op_mov_from_seg_mem, soft_op_push_seg, soft_op_pop_seg, soft_op_pop_ss,
    soft_op_load_far_pointer, soft_op_load_far_pointer_ss, soft_op_lar, soft_op_lsl, soft_op_verr,
    soft_op_verw, soft_op_arpl, soft_op_store_table_selector, soft_op_lldt, soft_op_ltr,
    soft_op_sgdt, soft_op_lgdt, soft_op_swapgs, soft_op_rdfsgsbase, soft_op_wrfsgsbase;
/* transfer.c */
SoftHandler soft_op_jmp_far, soft_op_call_far, soft_op_jmp_far_mem, soft_op_call_far_mem,
    soft_op_ret_far, soft_op_iret, soft_op_syscall, soft_op_sysret, soft_op_sysenter,
    soft_op_sysexit;
/* interrupt.c */
SoftHandler soft_op_int, soft_op_int3, soft_op_into;
/* control.c */
SoftHandler soft_op_mov_to_cr, soft_op_mov_from_cr, soft_op_clts, soft_op_smsw_reg,
    soft_op_smsw_mem, soft_op_lmsw, soft_op_invlpg, soft_op_wbinvd, soft_op_hlt, soft_op_cli,
    soft_op_sti, soft_op_clac, soft_op_stac;
/* msr.c */
SoftHandler soft_op_hypercall, soft_op_rdmsr, soft_op_wrmsr, soft_op_rdtsc, soft_op_rdtscp,
    soft_op_rdpmc, soft_op_rdrand;
/* cpuid.c */
SoftHandler soft_op_cpuid;
/* xsave.c */
SoftHandler soft_op_xgetbv, soft_op_xsetbv;
