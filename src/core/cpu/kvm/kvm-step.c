/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* One instruction on KVM: its single-stepping (api.rst, KVM_SET_GUEST_DEBUG), which sets TF behind
 * the guest's back. The instructions that would show that to the guest, or that lose a TF of its
 * own, are the software CPU's; so is delivering what is due. */

#include "core/cpu/kvm/kvm-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>

#define RFLAGS_TF (UINT64_C(1) << 8)
#define DR7_ENABLES 0xFFu
#define EFER_LMA (UINT64_C(1) << 10)
#define ATTRIBUTE_LONG 0x2000
#define PEEK_LENGTH 16
#define GPR_RSP 4
#define FRAME_REACH 2 /* words */
#define INSTRUCTION_MAX 15

static bool is_64bit(const CpuState *state)
{
    return state->efer & EFER_LMA && state->segment[CPU_CS].attributes & ATTRIBUTE_LONG;
}

/* Where the byte at linear address @linear of the guest is; NULL: in no memory. */
static uint8_t *find_byte(KvmCpu *cpu, uint64_t linear)
{
    const CpuBoard *board = cpu->vcpu.board;
    struct kvm_translation translation = { .linear_address = linear };
    uint8_t *byte = NULL;

    if (ioctl(cpu->fd, KVM_TRANSLATE, &translation) < 0 || !translation.valid)
        return NULL;
    uint64_t gpa = kvm_memory_bend(cpu->machine, translation.physical_address);
    g_rec_mutex_lock(board->lock);
    const Span *span = flat_view_find(address_space_view(board->memory), gpa, NULL);
    if (span && span->ram)
        byte = span->ram->host + span->ram_offset + (gpa - span->start);
    g_rec_mutex_unlock(board->lock);
    return byte;
}

/* -1: there is none, and a fault will say so. */
static int peek(KvmCpu *cpu, uint64_t linear)
{
    const uint8_t *byte = find_byte(cpu, linear);
    return byte ? *byte : -1;
}

/* The opcode at CS:RIP behind its prefixes: a byte, or 0F00h and the second byte; ModRM in
 * *@out_modrm. -1 where it cannot be read. */
static int find_opcode(KvmCpu *cpu, const CpuState *state, int *out_modrm)
{
    bool is64 = is_64bit(state);
    uint64_t linear = state->rip + (is64 ? 0 : state->segment[CPU_CS].base);
    uint64_t mask = is64 ? UINT64_MAX : UINT32_MAX;

    for (unsigned i = 0; i < PEEK_LENGTH; i++) {
        int byte = peek(cpu, (linear + i) & mask);
        if (byte < 0)
            return -1;
        if (strchr("\x26\x2E\x36\x3E\x64\x65\x66\x67\xF0\xF2\xF3", byte) && byte != 0)
            continue;
        if (is64 && byte >= 0x40 && byte <= 0x4F)
            continue;
        int next = peek(cpu, (linear + i + 1) & mask);
        *out_modrm = next;
        return byte == 0x0F ? 0x0F00 | next : byte;
    }
    return -1;
}

/* What reads or writes TF, raises an interrupt (whose frame holds TF), holds the trap back by an
 * instruction, or would sleep in the kernel. */
static bool is_ours(int opcode, int modrm)
{
    switch (opcode) {
    case 0x17: /* POP SS */
    case 0x9C:
    case 0x9D: /* PUSHF, POPF */
    case 0xCC:
    case 0xCD: /* INT3, INT */
    case 0xCE:
    case 0xCF: /* INTO, IRET */
    case 0xF1:
    case 0xF4: /* INT1, HLT */
    case 0x0F05:
    case 0x0F07: /* SYSCALL, SYSRET: R11 */
    case 0x0F34:
    case 0x0FAA: /* SYSENTER, RSM */ return true;
    case 0x8E: /* MOV SS */ return (modrm >> 3 & 7) == CPU_SS;
    default: return false;
    }
}

static bool needs_software(KvmCpu *cpu, const CpuState *state)
{
    int modrm = 0;

    if (state->event.kind != CPU_EVENT_NONE || state->rflags & RFLAGS_TF ||
        state->dr[7] & DR7_ENABLES)
        return true;
    int opcode = find_opcode(cpu, state, &modrm);
    return is_ours(opcode, modrm);
}

static void set_stepping(KvmCpu *cpu, bool on)
{
    struct kvm_guest_debug debug = { 0 };

    if (on) {
        debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
#ifdef KVM_GUESTDBG_BLOCKIRQ
        debug.control |= cpu->machine->step_flags & KVM_GUESTDBG_BLOCKIRQ;
#endif
    }
    if (ioctl(cpu->fd, KVM_SET_GUEST_DEBUG, &debug) < 0)
        g_warning("KVM: vCPU %u: single-stepping: %s", cpu->vcpu.id, g_strerror(errno));
}

/* The guest is entered until something has happened there. */
static int step_in_guest(KvmCpu *cpu)
{
    int exit;

    do {
        __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        cpu->run->exit_reason = KVM_EXIT_INTR;
        exit = kvm_cpu_visit(cpu);
    } while (exit == KVM_GO_ON && (cpu->run->exit_reason == KVM_EXIT_INTR ||
                                   cpu->run->exit_reason == KVM_EXIT_DIRTY_RING_FULL ||
                                   cpu->run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN));
    return exit == KVM_GO_ON ? kvm_cpu_complete(cpu) : exit;
}

/* The @width bytes at @linear; UINT64_MAX: none there. */
static uint64_t peek_word(KvmCpu *cpu, uint64_t linear, unsigned width)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < width; i++) {
        int byte = peek(cpu, linear + i);
        if (byte < 0)
            return UINT64_MAX;
        word |= (uint64_t)byte << 8 * i;
    }
    return word;
}

/* An instruction that faulted has left KVM's TF in the frame on the stack. That is known by its RIP
 * and CS; the handler's first instruction may have pushed, popped or moved that RIP on already. */
static void clear_tf_of_frame(KvmCpu *cpu, const CpuState *before)
{
    CpuState now;

    kvm_get_registers(cpu, &now);
    if (now.rip == before->rip)
        return;
    bool is64 = is_64bit(&now), is_real = !(now.cr0 & 1);
    unsigned width = is64 ? 8 : is_real ? 2 : 4;
    uint64_t low = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
    uint64_t base = is64 ? 0 : now.segment[CPU_SS].base;
    for (int i = -FRAME_REACH; i <= FRAME_REACH; i++) {
        uint64_t at = base + now.gpr[GPR_RSP] + (uint64_t)((int64_t)i * width);
        if (((peek_word(cpu, at, width) - before->rip) & low) > INSTRUCTION_MAX ||
            (peek_word(cpu, at + width, width) & 0xFFFF) != before->segment[CPU_CS].selector)
            continue;
        uint8_t *flags = find_byte(cpu, at + 2 * width + 1);
        if (flags)
            *flags &= (uint8_t) ~(RFLAGS_TF >> 8);
        return;
    }
}

CpuExit kvm_step(Vcpu *vcpu)
{
    KvmCpu *cpu = kvm_cpu(vcpu);
    bool is_shutdown = false;
    CpuState state;

    cpu->thread = pthread_self();
    kvm_get_registers(cpu, &state);
    if (state.event.kind == CPU_EVENT_NONE && (state.halted || state.wait_sipi))
        return CPU_EXIT_STOPPED;
    if (needs_software(cpu, &state)) {
        if (!kvm_assist(cpu, &is_shutdown))
            return CPU_EXIT_FAILED;
        return is_shutdown ? CPU_EXIT_SHUTDOWN : CPU_EXIT_STOPPED;
    }
    set_stepping(cpu, true);
    int exit = step_in_guest(cpu);
    set_stepping(cpu, false);
    clear_tf_of_frame(cpu, &state);
    return exit == KVM_GO_ON ? CPU_EXIT_STOPPED : (CpuExit)exit;
}
