/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The run loop: finds blocks and runs them, answers signals between them, turns faults into
 * deliveries. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/translate.h"

#define BUDGET_UNLIMITED (INT64_MAX / 2)
#define DR7_ENABLES 0xFFu
#define DR6_BS (1u << 14)

G_NORETURN void soft_fault(SoftCpu *cpu, uint8_t vector)
{
    cpu->fault.vector = vector;
    cpu->fault.has_error = false;
    siglongjmp(cpu->fault_jump, 1);
}

G_NORETURN void soft_fault_error(SoftCpu *cpu, uint8_t vector, uint32_t error)
{
    cpu->fault.vector = vector;
    cpu->fault.has_error = true;
    cpu->fault.error = error;
    siglongjmp(cpu->fault_jump, 1);
}

G_NORETURN void soft_fault_page(SoftCpu *cpu, uint64_t linear, uint32_t error)
{
    cpu->cr2 = linear;
    soft_fault_error(cpu, X86_PF, error);
}

SoftNext soft_op_undefined(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault(cpu, X86_UD);
}

static G_GNUC_NO_INLINE void log_not_implemented(SoftCpu *cpu, SoftOp *op)
{
    static unsigned n_logged; /* of this process: a guest cannot fill the log */
    if (__atomic_fetch_add(&n_logged, 1, __ATOMIC_RELAXED) >= 32)
        return;
    uint64_t linear = cpu->seg[CPU_CS].base * !soft_in_64bit(cpu) + soft_rip_of(cpu, op);
    GString *bytes = g_string_new(NULL);
    const SoftItlbEntry *entry = soft_itlb_lookup(cpu, linear);
    for (unsigned i = 0; i < 15 && entry->host && (linear & 0xFFF) + i < RAM_PAGE_SIZE; i++)
        g_string_append_printf(bytes, " %02x", entry->host[(linear & 0xFFF) + i]);
    g_warning("vCPU %u: instruction not implemented at 0x%" G_GINT64_MODIFIER "x:%s", cpu->vcpu.id,
              linear, bytes->str);
    g_string_free(bytes, TRUE);
}

SoftNext soft_op_not_implemented(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    log_not_implemented(cpu, op);
    soft_fault(cpu, X86_UD);
}

uint64_t soft_rip_after(const SoftCpu *cpu, const SoftOp *op)
{
    uint64_t rip = cpu->rip + op->offset + op->len;
    return cpu->mode & SOFT_MODE_CODE64 ? rip : (uint32_t)rip;
}

void soft_finish(SoftCpu *cpu, const SoftOp *op)
{
    cpu->budget -= op->ordinal + 1;
    cpu->rip = soft_rip_after(cpu, op);
}

void soft_finish_at(SoftCpu *cpu, const SoftOp *op, uint64_t rip)
{
    cpu->budget -= op->ordinal + 1;
    cpu->rip = rip;
}

void soft_request_attention(SoftCpu *cpu)
{
    __atomic_store_n(&cpu->attention, 1, __ATOMIC_SEQ_CST);
}

static bool interrupt_waits(const SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    return __atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST) ||
           (board->pending && board->pending(board->opaque, cpu->vcpu.id));
}

void soft_set_rflags(SoftCpu *cpu, uint64_t rflags)
{
    uint64_t changed = cpu->rflags ^ rflags;
    soft_set_arithmetic(cpu, rflags);
    cpu->rflags = (rflags & ~(uint64_t)RFLAGS_ARITHMETIC) | 2;
    if (changed & (RFLAGS_TF | RFLAGS_AC | RFLAGS_VM)) {
        if (changed & RFLAGS_VM)
            soft_update_mode(cpu);
        if (changed & RFLAGS_TF) {
            bool one = rflags & RFLAGS_TF || cpu->dr[7] & DR7_ENABLES;
            cpu->mode = one ? cpu->mode | SOFT_MODE_ONE : cpu->mode & ~(uint32_t)SOFT_MODE_ONE;
            soft_request_attention(cpu);
        }
        soft_update_context(cpu);
    }
    if (changed & rflags & RFLAGS_IF && interrupt_waits(cpu)) {
        __atomic_fetch_or(&cpu->vcpu.signals, VCPU_SIGNAL_INTERRUPT, __ATOMIC_SEQ_CST);
        soft_request_attention(cpu);
    }
}

void soft_update_context(SoftCpu *cpu)
{
    unsigned context;
    if (cpu->cpl == 3)
        context = SOFT_CONTEXT_USER;
    else if (cpu->cr4 & CR4_SMAP && !(cpu->rflags & RFLAGS_AC) && cpu->cr0 & CR0_PG)
        context = SOFT_CONTEXT_KERNEL;
    else
        context = SOFT_CONTEXT_KERNEL_USER;
    cpu->context = (uint8_t)context;
    cpu->tlb = cpu->tlb_table[context];
    if (G_UNLIKELY(cpu->cpl == 3 && cpu->cr0 & CR0_AM && cpu->rflags & RFLAGS_AC))
        cpu->tlb = cpu->tlb_unaligned; /* never hits: every access is checked */
    soft_jump_keys_update(cpu);
}

static bool is_whole(const SoftSegment *seg)
{
    const uint64_t end = UINT64_C(1) << 32;
    return seg->base == 0 && seg->end[0] == end && seg->end[1] == end;
}

void soft_update_flat(SoftCpu *cpu)
{
    const uint32_t kind = SOFT_MODE_CODE64 | SOFT_MODE_CODE32 | SOFT_MODE_STACK32 | SOFT_MODE_REAL;
    uint32_t mode = cpu->mode & ~(uint32_t)SOFT_MODE_FLAT;
    const SoftSegment *cs = &cpu->seg[CPU_CS];
    if ((mode & kind) == (SOFT_MODE_CODE32 | SOFT_MODE_STACK32) && cs->base == 0 &&
        cs->limit == UINT32_MAX && is_whole(&cpu->seg[CPU_DS]) && is_whole(&cpu->seg[CPU_SS]) &&
        is_whole(&cpu->seg[CPU_ES]))
        mode |= SOFT_MODE_FLAT;
    if (mode != cpu->mode) {
        cpu->mode = mode;
        soft_jump_keys_update(cpu);
    }
}

void soft_update_mode(SoftCpu *cpu)
{
    uint32_t old = cpu->mode, mode = 0;
    const SoftSegment *cs = &cpu->seg[CPU_CS], *ss = &cpu->seg[CPU_SS];
    bool protected_mode = cpu->cr0 & CR0_PE && !(cpu->rflags & RFLAGS_VM);
    if (cpu->efer & EFER_LMA && cs->attributes & 0x2000) {
        mode |= SOFT_MODE_CODE64 | SOFT_MODE_CODE32 | SOFT_MODE_STACK32;
    } else {
        if (cs->attributes & 0x4000)
            mode |= SOFT_MODE_CODE32;
        if (ss->attributes & 0x4000)
            mode |= SOFT_MODE_STACK32;
        if (cs->limit != 0xFFFF && cs->limit != 0xFFFFFFFF)
            mode |= SOFT_MODE_LIMIT;
    }
    if (!protected_mode)
        mode |= SOFT_MODE_REAL;
    if (!(cpu->cr0 & (CR0_EM | CR0_TS)))
        mode |= SOFT_MODE_X87 | (cpu->cr4 & CR4_OSFXSR ? SOFT_MODE_SSE : 0);
    if (cpu->cr4 & CR4_OSXSAVE)
        mode |= SOFT_MODE_XSAVE;
    if (cpu->rflags & RFLAGS_TF || cpu->dr[7] & DR7_ENABLES)
        mode |= SOFT_MODE_ONE;
    cpu->mode = mode;
    cpu->linear_mask = mode & SOFT_MODE_CODE64 ? UINT64_MAX : UINT32_MAX;
    cpu->watch_any = (cpu->dr[7] & DR7_ENABLES) != 0;
    if ((old ^ mode) & (SOFT_MODE_CODE64 | SOFT_MODE_REAL))
        for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
            soft_segment_cache(cpu, i);
    soft_update_flat(cpu);
    soft_update_context(cpu);
}

static uint64_t retired_now(const SoftCpu *cpu)
{
    return cpu->retired_base + (uint64_t)(cpu->budget_start - cpu->budget);
}

uint64_t soft_retired(const Vcpu *vcpu)
{
    return retired_now((const SoftCpu *)vcpu);
}

uint64_t soft_tsc(const SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    uint64_t now = clock_now_ns(board->clock);
    if (clock_kind(board->clock) == CLOCK_DETERMINISTIC) /* an instruction takes a nanosecond */
        now += retired_now(cpu) - cpu->clock_retired;
    if (G_UNLIKELY(board->model.tsc_hz != CPU_TSC_HZ_USUAL))
        now = clock_ns_to_ticks(now, board->model.tsc_hz);
    return now + cpu->tsc_offset;
}

void soft_sync_clock(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    uint64_t retired = retired_now(cpu);
    uint64_t passed = retired - cpu->clock_retired;
    cpu->clock_retired = retired;
    soft_guest_leave(cpu);
    g_rec_mutex_lock(board->lock);
    clock_advance(board->clock, clock_now_ns(board->clock) + passed);
    g_rec_mutex_unlock(board->lock);
    soft_guest_enter(cpu);
}

static void refill_budget(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    int64_t budget = BUDGET_UNLIMITED;
    if (clock_kind(board->clock) == CLOCK_DETERMINISTIC) {
        soft_sync_clock(cpu);
        soft_guest_leave(cpu);
        g_rec_mutex_lock(board->lock);
        uint64_t now = clock_now_ns(board->clock), next = clock_next_deadline_ns(board->clock);
        g_rec_mutex_unlock(board->lock);
        soft_guest_enter(cpu);
        budget = (int64_t)MIN(next > now ? next - now : 1, UINT64_C(10000000));
    }
    cpu->retired_base = retired_now(cpu);
    cpu->budget = cpu->budget_start = budget;
}

/* INIT (SDM vol. 3A table 10-1): as power-on, but for the caches, the FPU and most MSRs. */
static void take_init(SoftCpu *cpu)
{
    CpuState old, state;
    soft_get_state(&cpu->vcpu, &old);
    cpu_state_reset(&state, cpu->vcpu.id == 0);
    memcpy(state.xsave, old.xsave, sizeof state.xsave);
    state.xcr0 = old.xcr0;
    state.msr = old.msr;
    state.tsc_offset = old.tsc_offset;
    state.tsc_adjust = old.tsc_adjust;
    state.cr0 |= old.cr0 & (CR0_CD | CR0_NW);
    soft_set_state(&cpu->vcpu, &state);
}

static void take_sipi(SoftCpu *cpu)
{
    if (!cpu->wait_sipi)
        return;
    uint8_t vector = cpu->vcpu.sipi_vector;
    cpu->wait_sipi = cpu->halted = false;
    cpu->seg[CPU_CS].selector = (uint16_t)(vector << 8);
    cpu->seg[CPU_CS].base = (uint64_t)vector << 12;
    cpu->rip = 0;
}

static void take_a20(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    bool open = !board->a20 || board->a20(board->opaque);
    cpu->phys_mask = open ? UINT64_MAX : ~(UINT64_C(1) << 20);
    soft_mmu_view_changed(cpu);
}

static bool take_interrupt(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    __atomic_fetch_and(&cpu->vcpu.signals, ~(unsigned)VCPU_SIGNAL_INTERRUPT, __ATOMIC_SEQ_CST);
    soft_guest_leave(cpu);
    int vector = board->acknowledge(board->opaque, cpu->vcpu.id);
    soft_guest_enter(cpu);
    if (vector < 0)
        return false;
    /* One more may wait: to be asked for when IF is set again. */
    if (board->pending && board->pending(board->opaque, cpu->vcpu.id))
        __atomic_fetch_or(&cpu->vcpu.signals, VCPU_SIGNAL_INTERRUPT, __ATOMIC_SEQ_CST);
    cpu->halted = false;
    soft_interrupt(cpu, (uint8_t)vector, SOFT_EVENT_EXTERNAL, false, 0);
    return true;
}

static bool take_signal(SoftCpu *cpu, unsigned signal)
{
    if (!(__atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST) & signal))
        return false;
    __atomic_fetch_and(&cpu->vcpu.signals, ~signal, __ATOMIC_SEQ_CST);
    return true;
}

/* What another backend had accepted and not got to deliver. */
static void deliver_event(SoftCpu *cpu)
{
    CpuEvent event = cpu->event;
    cpu->event.kind = CPU_EVENT_NONE;
    cpu->halted = false;
    switch (event.kind) {
    case CPU_EVENT_INTERRUPT:
        soft_interrupt(cpu, event.vector, SOFT_EVENT_EXTERNAL, false, 0);
        break;
    case CPU_EVENT_NMI:
        cpu->nmi_blocked = true;
        soft_interrupt(cpu, X86_NMI, SOFT_EVENT_EXTERNAL, false, 0);
        break;
    case CPU_EVENT_EXCEPTION:
        if (event.has_error)
            soft_fault_error(cpu, event.vector, event.error);
        soft_fault(cpu, event.vector);
    case CPU_EVENT_NONE: break;
    }
}

enum { GO_ON = -1 };

/* Between two blocks: what others want of this vCPU. A CpuExit, or GO_ON. */
static int answer_signals(SoftCpu *cpu)
{
    SoftMachine *machine = cpu->machine;
    __atomic_store_n(&cpu->attention, 0, __ATOMIC_SEQ_CST);
    if (cpu_gate_is_closed(&machine->gate)) {
        soft_guest_leave(cpu);
        soft_guest_enter(cpu);
    }
    if (cpu->budget <= 0)
        refill_budget(cpu);
    if (take_signal(cpu, VCPU_SIGNAL_WORK))
        soft_read_mailbox(cpu);
    if (take_signal(cpu, VCPU_SIGNAL_A20))
        take_a20(cpu);
    /* Before stopping: what another CPU takes over is in the state. */
    if (take_signal(cpu, VCPU_SIGNAL_INIT))
        take_init(cpu);
    if (take_signal(cpu, VCPU_SIGNAL_SIPI))
        take_sipi(cpu);
    if (take_signal(cpu, VCPU_SIGNAL_STOP))
        return CPU_EXIT_STOPPED;
    if (cpu->wait_sipi) {
        cpu->vcpu.wake_mask = ~(unsigned)(VCPU_SIGNAL_INTERRUPT | VCPU_SIGNAL_NMI);
        return CPU_EXIT_HALTED;
    }
    if (cpu->event.kind != CPU_EVENT_NONE)
        deliver_event(cpu);
    if (!cpu->shadow) {
        if (!cpu->nmi_blocked && take_signal(cpu, VCPU_SIGNAL_NMI)) {
            cpu->halted = false;
            cpu->nmi_blocked = true;
            soft_interrupt(cpu, X86_NMI, SOFT_EVENT_EXTERNAL, false, 0);
        }
        if (cpu->rflags & RFLAGS_IF &&
            __atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST) & VCPU_SIGNAL_INTERRUPT)
            take_interrupt(cpu);
    }
    if (cpu->halted) {
        cpu->vcpu.wake_mask = cpu->rflags & RFLAGS_IF ? ~0u : ~(unsigned)VCPU_SIGNAL_INTERRUPT;
        return CPU_EXIT_HALTED;
    }
    return GO_ON;
}

static inline void run_block(SoftCpu *cpu, SoftOp *op)
{
#ifdef SOFT_CPU_LOOP
    while (op)
        op = op->fn(cpu, op);
#else
    op->fn(cpu, op);
#endif
}

/* One instruction, then the debug traps it has earned. */
static G_GNUC_NO_INLINE void run_single(SoftCpu *cpu)
{
    bool step = cpu->rflags & RFLAGS_TF;
    if (cpu->dr[7] & DR7_ENABLES && !(cpu->rflags & RFLAGS_RF))
        soft_check_code_breakpoint(cpu, (cpu->seg[CPU_CS].base * !soft_in_64bit(cpu) + cpu->rip) &
                                            cpu->linear_mask);
    SoftOp *op = soft_block_lookup(cpu);
    cpu->shadow = false;
    cpu->fault.dr6 = 0;
    cpu->trap_dropped = false;
    cpu->rflags &= ~(uint64_t)RFLAGS_RF;
    soft_request_attention(cpu); /* one only */
    run_block(cpu, op);
    cpu->op = NULL;
    uint64_t hits = cpu->fault.dr6 | (step && !cpu->trap_dropped ? DR6_BS : 0);
    cpu->fault.dr6 = 0;
    if (hits && !cpu->shadow) {
        cpu->dr[6] |= hits;
        cpu->halted = false;
        soft_interrupt(cpu, X86_DB, SOFT_EVENT_TRAP, false, 0);
    }
}

/* A fault left its handler: state is that before the instruction. */
static void fault_to_instruction(SoftCpu *cpu)
{
    if (!cpu->op)
        return;
    cpu->budget -= cpu->op->ordinal;
    cpu->rip = soft_rip_of(cpu, cpu->op);
    cpu->op = NULL;
}

/* A guest that has next to nothing to do does not keep megabytes of decoded code: what it still
 * runs is decoded again in a moment. */
#define IDLE_LOOK_US (5 * G_USEC_PER_SEC)
#define IDLE_INSTRUCTIONS 100000000u /* in that time, 2 % of what the CPU could */
#define IDLE_KEEP_BYTES (1u << 20)
static void give_back_when_idle(SoftCpu *cpu)
{
    int64_t now = g_get_monotonic_time();
    if (now - cpu->idle_since < IDLE_LOOK_US)
        return;
    uint64_t retired = retired_now(cpu);
    if (retired - cpu->idle_retired < IDLE_INSTRUCTIONS &&
        soft_code_cache_used(cpu) > IDLE_KEEP_BYTES)
        soft_code_cache_give_back(cpu);
    cpu->idle_since = now;
    cpu->idle_retired = retired;
}

CpuExit soft_run(Vcpu *vcpu)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    int exit;
    soft_guest_enter(cpu);
    soft_fp_enter(cpu);
    soft_request_attention(cpu);
    if (sigsetjmp(cpu->fault_jump, 0)) {
        /* Another vCPU unmapped the operand of a locked access after it was probed. */
        if (cpu->alone)
            soft_exclusive_end(cpu);
        fault_to_instruction(cpu);
        if (!soft_deliver_fault(cpu)) {
            exit = CPU_EXIT_SHUTDOWN;
            goto out;
        }
    }
    for (;;) {
        cpu->op = NULL;
        cpu->delivering = -1;
        if (G_UNLIKELY(cpu->attention || cpu->budget <= 0)) {
            exit = answer_signals(cpu);
            if (exit == CPU_EXIT_HALTED)
                give_back_when_idle(cpu);
            if (exit != GO_ON)
                break;
        }
        cpu->break_block = false;
        if (G_UNLIKELY(cpu->mode & SOFT_MODE_ONE || cpu->shadow))
            run_single(cpu);
        else
            run_block(cpu, soft_block_lookup(cpu));
    }
out:
    soft_fp_leave(cpu);
    soft_guest_leave(cpu);
    return (CpuExit)exit;
}

static CpuExit end_step(SoftCpu *cpu, CpuExit exit)
{
    cpu->op = NULL;
    soft_update_mode(cpu);
    soft_fp_leave(cpu);
    soft_guest_leave(cpu);
    return exit;
}

CpuExit soft_step(Vcpu *vcpu)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    soft_guest_enter(cpu);
    soft_fp_enter(cpu);
    soft_code_cache_flush(cpu);
    cpu->op = NULL;
    cpu->delivering = -1;
    if (sigsetjmp(cpu->fault_jump, 0)) {
        if (cpu->alone)
            soft_exclusive_end(cpu);
        fault_to_instruction(cpu);
        return end_step(cpu, soft_deliver_fault(cpu) ? CPU_EXIT_STOPPED : CPU_EXIT_SHUTDOWN);
    }
    if (cpu->event.kind != CPU_EVENT_NONE) {
        deliver_event(cpu);
    } else if (!cpu->halted && !cpu->wait_sipi) {
        cpu->break_block = false;
        cpu->mode |= SOFT_MODE_ONE;
        run_single(cpu);
    }
    return end_step(cpu, CPU_EXIT_STOPPED);
}
