/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A vCPU's whole state out of the kernel and back. The local APIC travels with it, between the
 * board and the kernel. */

#include "core/cpu/kvm/kvm-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#define MSR_TSC 0x10u
#define MSR_TSC_ADJUST 0x3Bu
#define XSAVE_BYTES 832u /* of CpuState.xsave: legacy area, header, AVX */
#define XSTATE_BV 512u
#define XSTATE_KNOWN UINT64_C(7)

/* Where each MSR has its home in a CpuState. */
static const struct {
    uint32_t index;
    uint16_t offset;
} homes[] = {
    { 0xC0000081, offsetof(CpuState, msr.star) },
    { 0xC0000082, offsetof(CpuState, msr.lstar) },
    { 0xC0000083, offsetof(CpuState, msr.cstar) },
    { 0xC0000084, offsetof(CpuState, msr.sfmask) },
    { 0xC0000102, offsetof(CpuState, msr.kernel_gs_base) },
    { 0xC0000103, offsetof(CpuState, msr.tsc_aux) },
    { 0x277, offsetof(CpuState, msr.pat) },
    { 0x174, offsetof(CpuState, msr.sysenter_cs) },
    { 0x175, offsetof(CpuState, msr.sysenter_esp) },
    { 0x176, offsetof(CpuState, msr.sysenter_eip) },
    { 0x1A0, offsetof(CpuState, msr.misc_enable) },
    { 0x1D9, offsetof(CpuState, msr.debugctl) },
    { 0x48, offsetof(CpuState, msr.spec_ctrl) },
    { 0x2FF, offsetof(CpuState, msr.mtrr_def_type) },
    { 0x250, offsetof(CpuState, msr.mtrr_fixed[0]) },
    { 0x258, offsetof(CpuState, msr.mtrr_fixed[1]) },
    { 0x259, offsetof(CpuState, msr.mtrr_fixed[2]) },
    { 0x268, offsetof(CpuState, msr.mtrr_fixed[3]) },
    { 0x269, offsetof(CpuState, msr.mtrr_fixed[4]) },
    { 0x26A, offsetof(CpuState, msr.mtrr_fixed[5]) },
    { 0x26B, offsetof(CpuState, msr.mtrr_fixed[6]) },
    { 0x26C, offsetof(CpuState, msr.mtrr_fixed[7]) },
    { 0x26D, offsetof(CpuState, msr.mtrr_fixed[8]) },
    { 0x26E, offsetof(CpuState, msr.mtrr_fixed[9]) },
    { 0x26F, offsetof(CpuState, msr.mtrr_fixed[10]) },
    { 0x200, offsetof(CpuState, msr.mtrr_base[0]) },
    { 0x201, offsetof(CpuState, msr.mtrr_mask[0]) },
    { 0x202, offsetof(CpuState, msr.mtrr_base[1]) },
    { 0x203, offsetof(CpuState, msr.mtrr_mask[1]) },
    { 0x204, offsetof(CpuState, msr.mtrr_base[2]) },
    { 0x205, offsetof(CpuState, msr.mtrr_mask[2]) },
    { 0x206, offsetof(CpuState, msr.mtrr_base[3]) },
    { 0x207, offsetof(CpuState, msr.mtrr_mask[3]) },
    { 0x208, offsetof(CpuState, msr.mtrr_base[4]) },
    { 0x209, offsetof(CpuState, msr.mtrr_mask[4]) },
    { 0x20A, offsetof(CpuState, msr.mtrr_base[5]) },
    { 0x20B, offsetof(CpuState, msr.mtrr_mask[5]) },
    { 0x20C, offsetof(CpuState, msr.mtrr_base[6]) },
    { 0x20D, offsetof(CpuState, msr.mtrr_mask[6]) },
    { 0x20E, offsetof(CpuState, msr.mtrr_base[7]) },
    { 0x20F, offsetof(CpuState, msr.mtrr_mask[7]) },
};

typedef struct {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[G_N_ELEMENTS(homes)];
} MsrTable;

static uint64_t *home_of(CpuState *state, unsigned i)
{
    return (uint64_t *)((char *)state + homes[i].offset);
}

void kvm_must(KvmCpu *cpu, unsigned long request, void *argument, const char *what)
{
    if (ioctl(cpu->fd, request, argument) >= 0)
        return;
    cpu->has_failed = true;
    g_warning("KVM: vCPU %u: %s: %s", cpu->vcpu.id, what, g_strerror(errno));
}

/* Which of ours this KVM has: the rest keep what they are. */
static bool has_msr(const KvmCpu *cpu, uint32_t index)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } one = { .head.nmsrs = 1, .entry.index = index };
    return ioctl(cpu->fd, KVM_GET_MSRS, &one) == 1;
}

/* Time. The guest's TSC is the clock's time in ticks plus an offset that the guest may change; the
 * kernel has it as the host's TSC plus an offset. The two run at one rate, so their distance is
 * measured when the clock starts, once for all vCPUs: their TSCs are in step. */

static uint64_t clock_ticks(const KvmMachine *machine)
{
    return clock_ns_to_ticks(clock_now_ns(machine->board->clock), machine->board->model.tsc_hz);
}

static uint64_t get_msr(KvmCpu *cpu, uint32_t index)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } one = { .head.nmsrs = 1, .entry.index = index };
    kvm_must(cpu, KVM_GET_MSRS, &one, "reading the time-stamp counter");
    return one.entry.data;
}

static void set_msr(KvmCpu *cpu, uint32_t index, uint64_t value)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } one = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };
    kvm_must(cpu, KVM_SET_MSRS, &one, "setting the time-stamp counter");
}

static bool access_tsc_offset(KvmCpu *cpu, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
                                    .attr = KVM_VCPU_TSC_OFFSET,
                                    .addr = (uintptr_t)offset };
    return ioctl(cpu->fd, request, &attr) == 0;
}

#define NEARLY_ZERO (UINT64_C(1) << 34) /* ticks: seconds after the counter was set to 0 */

/* Kernels since 5.16 tell and take the offset. Where they do not, the counter is written. And some
 * that run the guest on page tables alone can do neither: its TSC is the host's. */
static int find_tsc_way(KvmCpu *cpu)
{
    uint64_t offset = -(uint64_t)__rdtsc();

    if (access_tsc_offset(cpu, KVM_SET_DEVICE_ATTR, &offset) && get_msr(cpu, MSR_TSC) < NEARLY_ZERO)
        return KVM_TSC_OFFSET;
    set_msr(cpu, MSR_TSC, 0);
    return get_msr(cpu, MSR_TSC) < NEARLY_ZERO ? KVM_TSC_WRITE : KVM_TSC_FIXED;
}

static uint64_t get_tsc_offset(KvmCpu *cpu)
{
    KvmMachine *machine = cpu->machine;
    uint64_t kernels = 0;

    switch (machine->tsc_way) {
    case KVM_TSC_OFFSET:
        access_tsc_offset(cpu, KVM_GET_DEVICE_ATTR, &kernels);
        return kernels - machine->tsc_ahead;
    case KVM_TSC_WRITE: return get_msr(cpu, MSR_TSC) - clock_ticks(machine);
    case KVM_TSC_FIXED: break;
    }
    return -machine->tsc_ahead;
}

static void set_tsc_offset(KvmCpu *cpu, uint64_t offset)
{
    KvmMachine *machine = cpu->machine;
    uint64_t kernels = machine->tsc_ahead + offset;

    switch (machine->tsc_way) {
    case KVM_TSC_OFFSET: access_tsc_offset(cpu, KVM_SET_DEVICE_ATTR, &kernels); break;
    case KVM_TSC_WRITE: set_msr(cpu, MSR_TSC, clock_ticks(machine) + offset); break;
    case KVM_TSC_FIXED: break;
    }
}

/* The closest of a few looks at both: whoever is kept waiting between two looks is no measure. */
static uint64_t measure_ahead(const KvmMachine *machine)
{
    uint64_t best = UINT64_MAX, ahead = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = __rdtsc(), ticks = clock_ticks(machine), took = __rdtsc() - before;
        if (took < best) {
            best = took;
            ahead = ticks - (before + took / 2);
        }
    }
    return ahead;
}

/* The clock and the host's TSC drift apart while the guest runs: measured anew at the first vCPU's
 * stop, so that none is set back by it later. */
void kvm_note_tsc(KvmCpu *cpu)
{
    KvmMachine *machine = cpu->machine;

    g_mutex_lock(&machine->lock);
    if (!machine->tsc_rests)
        machine->tsc_ahead = measure_ahead(machine);
    machine->tsc_rests = true;
    g_mutex_unlock(&machine->lock);
    cpu->tsc_offset = get_tsc_offset(cpu);
}

void kvm_resume(void *backend)
{
    KvmMachine *machine = backend;

    machine->tsc_ahead = measure_ahead(machine);
    machine->tsc_rests = false;
    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (machine->vcpu[i])
            set_tsc_offset(machine->vcpu[i], machine->vcpu[i]->tsc_offset);
}

bool kvm_state_init(KvmMachine *machine, KvmCpu *first, GError **error)
{
    if (machine->msrs)
        return true;
    machine->msrs = g_new0(uint32_t, G_N_ELEMENTS(homes));
    for (unsigned i = 0; i < G_N_ELEMENTS(homes); i++)
        if (has_msr(first, homes[i].index))
            machine->msrs[machine->n_msrs++] = i;
    machine->tsc_way = find_tsc_way(first);
    kvm_resume(machine);
    return true;
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

static void get_msrs(KvmCpu *cpu, CpuState *state)
{
    const KvmMachine *machine = cpu->machine;
    MsrTable table = { .head.nmsrs = machine->n_msrs };

    for (unsigned i = 0; i < machine->n_msrs; i++)
        table.entries[i].index = homes[machine->msrs[i]].index;
    kvm_must(cpu, KVM_GET_MSRS, &table, "reading model-specific registers");
    for (unsigned i = 0; i < machine->n_msrs; i++)
        *home_of(state, machine->msrs[i]) = table.entries[i].data;
}

static void set_msrs(KvmCpu *cpu, const CpuState *state)
{
    const KvmMachine *machine = cpu->machine;
    MsrTable table = { .head.nmsrs = machine->n_msrs };

    for (unsigned i = 0; i < machine->n_msrs; i++) {
        unsigned home = machine->msrs[i];
        table.entries[i].index = homes[home].index;
        table.entries[i].data = *home_of((CpuState *)state, home);
    }
    /* It stops at the first that it does not like, and says how many it took. Such a one has a
     * value that this KVM's processor does not know, and keeps its own. */
    while (table.head.nmsrs > 0) {
        int taken = ioctl(cpu->fd, KVM_SET_MSRS, &table);
        if (taken < 0 || (unsigned)taken >= table.head.nmsrs)
            break;
        g_debug("KVM: MSR 0x%x stays", table.entries[taken].index);
        unsigned n = table.head.nmsrs - (unsigned)taken - 1;
        memmove(table.entries, table.entries + taken + 1, n * sizeof table.entries[0]);
        table.head.nmsrs = n;
    }
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
    get_msrs(cpu, state);
    get_debug(cpu, state);
    get_activity(cpu, state);
    get_events(cpu, state);
    state->tsc_offset = cpu->tsc_offset = get_tsc_offset(cpu);
    state->tsc_adjust = get_msr(cpu, MSR_TSC_ADJUST);
}

void kvm_set_registers(KvmCpu *cpu, const CpuState *state)
{
    set_system(cpu, state, NULL);
    set_general(cpu, state);
    set_floating_point(cpu, state);
    set_msrs(cpu, state);
    set_debug(cpu, state);
    set_activity(cpu, state);
    set_events(cpu, state);
    if (state->tsc_offset != cpu->tsc_offset) {
        cpu->tsc_offset = state->tsc_offset;
        set_tsc_offset(cpu, state->tsc_offset);
    }
}

void kvm_get_state(Vcpu *vcpu, CpuState *state)
{
    KvmCpu *cpu = kvm_cpu(vcpu);

    if (cpu->refused) {
        *state = *cpu->refused;
        return;
    }
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
    set_msr(cpu, MSR_TSC_ADJUST, state->tsc_adjust);
    g_clear_pointer(&cpu->refused, g_free);
    if (cpu->has_failed) /* whoever runs the guest in our place gets it whole; the board has the
                            APIC */
        cpu->refused = g_memdup2(state, sizeof *state);
}
