/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A vCPU's whole state out of the kernel and back. The local APIC travels with it, between the
 * board and the kernel. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/msr.h"
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>

#define XSAVE_BYTES 832u /* of CpuState.xsave: legacy area, header, AVX */
#define XSTATE_BV 512u
#define XSTATE_KNOWN UINT64_C(7)

int kvm_must(KvmCpu *cpu, unsigned long request, void *argument, const char *what)
{
    int result = ioctl(cpu->fd, request, argument);

    if (result < 0) {
        cpu->has_failed = true;
        g_warning("KVM: vCPU %u: %s: %s", cpu->vcpu.id, what, g_strerror(errno));
    }
    return result;
}

void kvm_state_init(KvmMachine *machine, KvmCpu *first)
{
    if (machine->msrs)
        return;
    kvm_msr_init(machine, first);
    kvm_tsc_init(machine, first);
}

/* Segments: the kernel spells out what the descriptor's second word packs. */

static CpuSegment segment_out(const struct kvm_segment *from)
{
    unsigned attributes = from->type | from->s << 4 | from->dpl << 5 | from->present << 7 |
                          from->avl << 12 | from->l << 13 | from->db << 14 | from->g << 15;
    if (from->unusable)
        attributes &= ~(1u << 7);
    return (CpuSegment){ from->base, from->limit, from->selector, (uint16_t)attributes };
}

static struct kvm_segment segment_in(const CpuSegment *from)
{
    unsigned attributes = from->attributes;
    return (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .type = attributes & 15,
        .s = attributes >> 4 & 1,
        .dpl = attributes >> 5 & 3,
        .present = attributes >> 7 & 1,
        .avl = attributes >> 12 & 1,
        .l = attributes >> 13 & 1,
        .db = attributes >> 14 & 1,
        .g = attributes >> 15 & 1,
        .unusable = !(attributes >> 7 & 1),
    };
}

/* General registers are in the kernel's own order. */

static void get_general(KvmCpu *cpu, CpuState *state)
{
    struct kvm_regs regs = { 0 };
    kvm_must(cpu, KVM_GET_REGS, &regs, "reading registers");
    const uint64_t in_order[16] = { regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp,
                                    regs.rsi, regs.rdi, regs.r8,  regs.r9,  regs.r10, regs.r11,
                                    regs.r12, regs.r13, regs.r14, regs.r15 };
    memcpy(state->gpr, in_order, sizeof in_order);
    state->rip = regs.rip;
    state->rflags = regs.rflags;
}

static void set_general(KvmCpu *cpu, const CpuState *state)
{
    const uint64_t *gpr = state->gpr;
    struct kvm_regs regs = {
        .rax = gpr[0],
        .rcx = gpr[1],
        .rdx = gpr[2],
        .rbx = gpr[3],
        .rsp = gpr[4],
        .rbp = gpr[5],
        .rsi = gpr[6],
        .rdi = gpr[7],
        .r8 = gpr[8],
        .r9 = gpr[9],
        .r10 = gpr[10],
        .r11 = gpr[11],
        .r12 = gpr[12],
        .r13 = gpr[13],
        .r14 = gpr[14],
        .r15 = gpr[15],
        .rip = state->rip,
        .rflags = state->rflags,
    };
    kvm_must(cpu, KVM_SET_REGS, &regs, "setting registers");
}

static void get_system(KvmCpu *cpu, CpuState *state)
{
    struct kvm_sregs sregs = { 0 };
    kvm_must(cpu, KVM_GET_SREGS, &sregs, "reading system registers");
    const struct kvm_segment *const in_order[CPU_N_SEGMENTS] = { &sregs.es, &sregs.cs, &sregs.ss,
                                                                 &sregs.ds, &sregs.fs, &sregs.gs };
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        state->segment[i] = segment_out(in_order[i]);
    state->ldt = segment_out(&sregs.ldt);
    state->task = segment_out(&sregs.tr);
    state->gdt.base = sregs.gdt.base;
    state->gdt.limit = sregs.gdt.limit;
    state->idt.base = sregs.idt.base;
    state->idt.limit = sregs.idt.limit;
    state->cr0 = sregs.cr0;
    state->cr2 = sregs.cr2;
    state->cr3 = sregs.cr3;
    state->cr4 = sregs.cr4;
    state->efer = sregs.efer;
}

/* What the kernel alone keeps (the APIC's base and priority) is read first and given back. */
static void set_system(KvmCpu *cpu, const CpuState *state, const uint64_t *apic_base)
{
    struct kvm_sregs sregs = { 0 };
    kvm_must(cpu, KVM_GET_SREGS, &sregs, "reading system registers");
    struct kvm_segment *const in_order[CPU_N_SEGMENTS] = { &sregs.es, &sregs.cs, &sregs.ss,
                                                           &sregs.ds, &sregs.fs, &sregs.gs };
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        *in_order[i] = segment_in(&state->segment[i]);
    sregs.ldt = segment_in(&state->ldt);
    sregs.tr = segment_in(&state->task);
    sregs.gdt = (struct kvm_dtable){ .base = state->gdt.base, .limit = state->gdt.limit };
    sregs.idt = (struct kvm_dtable){ .base = state->idt.base, .limit = state->idt.limit };
    sregs.cr0 = state->cr0;
    sregs.cr2 = state->cr2;
    sregs.cr3 = state->cr3;
    sregs.cr4 = state->cr4;
    sregs.efer = state->efer;
    memset(sregs.interrupt_bitmap, 0, sizeof sregs.interrupt_bitmap);
    if (apic_base)
        sregs.apic_base = *apic_base;
    kvm_must(cpu, KVM_SET_SREGS, &sregs, "setting system registers");
}

static void get_floating_point(KvmCpu *cpu, CpuState *state)
{
    struct kvm_xsave area = { 0 };
    struct kvm_xcrs xcrs = { 0 };
    uint64_t components;

    kvm_must(cpu, KVM_GET_XSAVE, &area, "reading floating-point registers");
    memcpy(state->xsave, area.region, XSAVE_BYTES);
    memcpy(&components, state->xsave + XSTATE_BV, sizeof components);
    components &= XSTATE_KNOWN;
    memcpy(state->xsave + XSTATE_BV, &components, sizeof components);
    kvm_must(cpu, KVM_GET_XCRS, &xcrs, "reading XCR0");
    state->xcr0 = xcrs.nr_xcrs ? xcrs.xcrs[0].value : 1;
}

static void set_floating_point(KvmCpu *cpu, const CpuState *state)
{
    struct kvm_xsave area = { 0 };
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = state->xcr0 } };
    uint64_t components;

    memcpy(area.region, state->xsave, XSAVE_BYTES);
    memcpy(&components, state->xsave + XSTATE_BV, sizeof components);
    components |= 3; /* the area is whole: a reset state has values of its own */
    memcpy((uint8_t *)area.region + XSTATE_BV, &components, sizeof components);
    kvm_must(cpu, KVM_SET_XSAVE, &area, "setting floating-point registers");
    kvm_must(cpu, KVM_SET_XCRS, &xcrs, "setting XCR0");
}

static void get_debug(KvmCpu *cpu, CpuState *state)
{
    struct kvm_debugregs debug = { 0 };
    kvm_must(cpu, KVM_GET_DEBUGREGS, &debug, "reading debug registers");
    for (unsigned i = 0; i < 4; i++)
        state->dr[i] = debug.db[i];
    state->dr[6] = debug.dr6;
    state->dr[7] = debug.dr7;
}

static void set_debug(KvmCpu *cpu, const CpuState *state)
{
    struct kvm_debugregs debug = { .dr6 = state->dr[6], .dr7 = state->dr[7] };
    for (unsigned i = 0; i < 4; i++)
        debug.db[i] = state->dr[i];
    kvm_must(cpu, KVM_SET_DEBUGREGS, &debug, "setting debug registers");
}

/* What was accepted and not yet delivered, and what holds delivery back. */
static void get_events(KvmCpu *cpu, CpuState *state)
{
    struct kvm_vcpu_events events = { 0 };
    kvm_must(cpu, KVM_GET_VCPU_EVENTS, &events, "reading events");
    state->interrupt_shadow = events.interrupt.shadow;
    state->nmi_blocked = events.nmi.masked;
    state->event = (CpuEvent){ CPU_EVENT_NONE };
    if (events.exception.injected || events.exception.pending)
        state->event = (CpuEvent){ CPU_EVENT_EXCEPTION, events.exception.nr,
                                   events.exception.has_error_code, events.exception.error_code };
    else if (events.nmi.injected)
        state->event = (CpuEvent){ .kind = CPU_EVENT_NMI };
    else if (events.interrupt.injected && !events.interrupt.soft)
        state->event = (CpuEvent){ .kind = CPU_EVENT_INTERRUPT, .vector = events.interrupt.nr };
    /* An INT n is executed again: RIP is still its own. */
}

static void set_events(KvmCpu *cpu, const CpuState *state)
{
    const CpuEvent *event = &state->event;
    struct kvm_vcpu_events events = {
        .exception = { .injected = event->kind == CPU_EVENT_EXCEPTION,
                       .nr = event->kind == CPU_EVENT_EXCEPTION ? event->vector : 0,
                       .has_error_code = event->has_error,
                       .error_code = event->error },
        .interrupt = { .injected = event->kind == CPU_EVENT_INTERRUPT,
                       .nr = event->kind == CPU_EVENT_INTERRUPT ? event->vector : 0,
                       .shadow = state->interrupt_shadow },
        .nmi = { .injected = event->kind == CPU_EVENT_NMI, .masked = state->nmi_blocked },
        .flags = KVM_VCPUEVENT_VALID_SHADOW, /* a NMI that waits in the kernel goes on waiting */
    };
    kvm_must(cpu, KVM_SET_VCPU_EVENTS, &events, "setting events");
}

/* A NMI that has come and that nobody has accepted yet. */
static bool get_nmi_pending(KvmCpu *cpu)
{
    struct kvm_vcpu_events events = { 0 };

    kvm_must(cpu, KVM_GET_VCPU_EVENTS, &events, "reading events");
    return events.nmi.pending;
}

static void set_nmi_pending(KvmCpu *cpu, bool pending)
{
    struct kvm_vcpu_events events = { 0 };

    kvm_must(cpu, KVM_GET_VCPU_EVENTS, &events, "reading events");
    events.nmi.pending = pending;
    events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
    kvm_must(cpu, KVM_SET_VCPU_EVENTS, &events, "setting events");
}

static void get_activity(KvmCpu *cpu, CpuState *state)
{
    struct kvm_mp_state mp = { 0 };
    kvm_must(cpu, KVM_GET_MP_STATE, &mp, "reading the run state");
    state->halted = mp.mp_state == KVM_MP_STATE_HALTED;
    state->wait_sipi =
        mp.mp_state == KVM_MP_STATE_UNINITIALIZED || mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
}

static void set_activity(KvmCpu *cpu, const CpuState *state)
{
    struct kvm_mp_state mp = { .mp_state = state->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
                                           : state->halted  ? KVM_MP_STATE_HALTED
                                                            : KVM_MP_STATE_RUNNABLE };
    kvm_must(cpu, KVM_SET_MP_STATE, &mp, "setting the run state");
}

void kvm_get_registers(KvmCpu *cpu, CpuState *state)
{
    memset(state, 0, sizeof *state);
    get_general(cpu, state);
    get_system(cpu, state);
    get_floating_point(cpu, state);
    kvm_get_msrs(cpu, state);
    get_debug(cpu, state);
    get_activity(cpu, state);
    get_events(cpu, state);
    state->tsc_offset = cpu->tsc_offset = kvm_get_tsc_offset(cpu);
    state->tsc_adjust = kvm_get_msr(cpu, MSR_TSC_ADJUST);
}

void kvm_set_registers(KvmCpu *cpu, const CpuState *state)
{
    set_system(cpu, state, NULL);
    set_general(cpu, state);
    set_floating_point(cpu, state);
    kvm_set_msrs(cpu, state);
    set_debug(cpu, state);
    set_activity(cpu, state);
    set_events(cpu, state);
    if (state->tsc_offset != cpu->tsc_offset) {
        cpu->tsc_offset = state->tsc_offset;
        kvm_set_tsc_offset(cpu, state->tsc_offset);
    }
}

void kvm_get_state(Vcpu *vcpu, CpuState *state)
{
    KvmCpu *cpu = kvm_cpu(vcpu);

    if (cpu->refused) {
        *state = *cpu->refused;
        return;
    }
    if (__atomic_load_n(&cpu->machine->has_unended, __ATOMIC_SEQ_CST))
        kvm_irq_make_up_for_ends(cpu->machine);
    kvm_apic_get(cpu); /* first: what it had pending becomes an event of the vCPU's */
    kvm_get_registers(cpu, state);
    state->nmi_pending = get_nmi_pending(cpu);
}

void kvm_set_state(Vcpu *vcpu, const CpuState *state)
{
    KvmCpu *cpu = kvm_cpu(vcpu);
    const CpuBoard *board = vcpu->board;
    CpuApic apic;

    cpu->needs_entry = cpu->has_failed = false;
    if (board->apic_get) {
        board->apic_get(board->opaque, vcpu->id, &apic);
        set_system(cpu, state, &apic.base);
        kvm_apic_set(cpu, &apic);
    }
    cpu->tsc_offset = ~state->tsc_offset; /* sets it, whatever the kernel has */
    kvm_set_registers(cpu, state);
    set_nmi_pending(cpu, state->nmi_pending);
    kvm_set_msr(cpu, MSR_TSC_ADJUST, state->tsc_adjust);
    if (board->apic_get)
        kvm_apic_set_deadline(cpu, apic.deadline_ns);
    g_clear_pointer(&cpu->refused, g_free);
    if (cpu->has_failed) /* whoever runs the guest in our place gets it whole; the board has the
                            APIC */
        cpu->refused = g_memdup2(state, sizeof *state);
}
