/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Running a vCPU: into the guest, out at exits and kicks, and what each exit asks for. */

#include "core/cpu/kvm/kvm-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

/* A vCPU is got out of the guest by a signal that does nothing else. immediate_exit covers the
 * moment before the guest is entered. */
#define KICK_SIGNAL (SIGRTMIN + 4)
#define N_VECTORS 256

static void on_kick(int number)
{
}

bool kvm_cpu_install_kick(GError **error)
{
    struct sigaction action = { .sa_handler = on_kick };

    if (sigaction(KICK_SIGNAL, &action, NULL) == 0)
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("KVM: no signal for virtual CPUs: %s"),
                g_strerror(errno));
    return false;
}

void kvm_cpu_kick(Vcpu *vcpu)
{
    KvmCpu *cpu = kvm_cpu(vcpu);

    __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
        pthread_kill(cpu->thread, KICK_SIGNAL);
}

/* The vCPU whose ring is full empties all rings itself, so that it waits for nobody who may wait
 * for it. False: they got stuck. */
#define MOST_FULL 1000
static bool empty_rings(KvmCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;

    g_rec_mutex_lock(board->lock);
    unsigned n = kvm_dirty_harvest(cpu->machine);
    g_rec_mutex_unlock(board->lock);
    cpu->n_full = n > 0 ? 0 : cpu->n_full + 1; /* 0: somebody was faster */
    return cpu->n_full <= MOST_FULL;
}

/* A signal that waits for KVM_RUN to let it through ends that before the guest is entered, but
 * after timers that have expired were made interrupts and after ends of interrupts were told;
 * immediate_exit would end it before that. */
void kvm_cpu_settle(KvmCpu *cpu)
{
    struct {
        struct kvm_signal_mask head;
        uint8_t bits[8];
    } mask = { .head.len = 8 }; /* of the kernel's sigset: nothing blocked */
    const CpuBoard *board = cpu->vcpu.board;
    sigset_t kick, before;

    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &kick, &before);
    pthread_kill(pthread_self(), KICK_SIGNAL);
    __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    cpu->run->request_interrupt_window = 0;
    kvm_must(cpu, KVM_SET_SIGNAL_MASK, &mask, "setting a signal mask");
    for (unsigned i = 0; i < N_VECTORS && ioctl(cpu->fd, KVM_RUN, NULL) == 0; i++)
        if (cpu->run->exit_reason == KVM_EXIT_IOAPIC_EOI)
            board->apic_eoi(board->opaque, cpu->run->eoi.vector);
        else if (cpu->run->exit_reason == KVM_EXIT_DIRTY_RING_FULL)
            empty_rings(cpu);
    kvm_must(cpu, KVM_SET_SIGNAL_MASK, NULL, "setting a signal mask");
    sigtimedwait(&kick, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Exits. */

void kvm_access(AddressSpace *space, uint64_t address, uint8_t *data, unsigned size, bool is_write)
{
    unsigned step = size == 1 || size == 2 || size == 4 || size == 8 ? size : 1;

    for (unsigned at = 0; at < size; at += step) {
        uint64_t value = 0;
        if (is_write) {
            memcpy(&value, data + at, step);
            address_space_write(space, address + at, step, value);
        } else {
            value = address_space_read(space, address + at, step);
            memcpy(data + at, &value, step);
        }
    }
}

static void access_board(KvmCpu *cpu, AddressSpace *space, uint64_t address, uint8_t *data,
                         unsigned size, bool is_write)
{
    g_rec_mutex_lock(cpu->vcpu.board->lock);
    kvm_coalesced_drain(cpu->machine);
    kvm_access(space, address, data, size, is_write);
    g_rec_mutex_unlock(cpu->vcpu.board->lock);
}

static void on_io(KvmCpu *cpu)
{
    struct kvm_run *run = cpu->run;
    const CpuBoard *board = cpu->vcpu.board;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (unsigned i = 0; i < run->io.count; i++, data += run->io.size)
        access_board(cpu, board->ports, run->io.port, data, run->io.size,
                     run->io.direction == KVM_EXIT_IO_OUT);
    cpu->needs_entry = true;
}

static void on_mmio(KvmCpu *cpu)
{
    struct kvm_run *run = cpu->run;
    const CpuBoard *board = cpu->vcpu.board;

    access_board(cpu, board->memory, kvm_memory_bend(cpu->machine, run->mmio.phys_addr),
                 run->mmio.data, run->mmio.len, run->mmio.is_write);
    cpu->needs_entry = true;
}

static CpuExit give_up(KvmCpu *cpu, char *why)
{
    g_free(cpu->vcpu.failure);
    cpu->vcpu.failure = why;
    return CPU_EXIT_FAILED;
}

/* Half of the time over a second or more, and the software CPU had better do it all. */
#define RULE_WINDOW_US G_USEC_PER_SEC
static bool assistance_is_the_rule(KvmCpu *cpu, int64_t begin_us)
{
    int64_t now = g_get_monotonic_time();

    cpu->assisted_us += now - begin_us;
    if (now - cpu->window_us < RULE_WINDOW_US)
        return false;
    bool is_rule = cpu->assisted_us > (now - cpu->window_us) / 2;
    cpu->assisted_us = 0;
    cpu->window_us = now;
    return is_rule;
}

/* KVM does not know how to go on; the software CPU does. */
static int on_failure(KvmCpu *cpu)
{
    bool is_shutdown = false;
    int64_t begin = g_get_monotonic_time();

    __atomic_fetch_add(&cpu->n_assisted, 1, __ATOMIC_RELAXED);
    if (!kvm_assist(cpu, &is_shutdown))
        return CPU_EXIT_FAILED;
    if (is_shutdown)
        return CPU_EXIT_SHUTDOWN;
    return assistance_is_the_rule(cpu, begin)
               ? give_up(cpu, g_strdup("KVM cannot emulate much of what this guest does"))
               : KVM_GO_ON;
}

static int on_ring_full(KvmCpu *cpu)
{
    return empty_rings(cpu) ? KVM_GO_ON : give_up(cpu, g_strdup("KVM's log of writes got stuck"));
}

static int on_exit_reason(KvmCpu *cpu)
{
    struct kvm_run *run = cpu->run;
    const CpuBoard *board = cpu->vcpu.board;

    switch (run->exit_reason) {
    case KVM_EXIT_IO: on_io(cpu); return KVM_GO_ON;
    case KVM_EXIT_MMIO: on_mmio(cpu); return KVM_GO_ON;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR: kvm_paravirt_on_msr(cpu); return KVM_GO_ON;
    case KVM_EXIT_DIRTY_RING_FULL: return on_ring_full(cpu);
    case KVM_EXIT_IOAPIC_EOI: board->apic_eoi(board->opaque, run->eoi.vector); return KVM_GO_ON;
    case KVM_EXIT_DEBUG: /* kvm-step.c */
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_HLT: return KVM_GO_ON;
    case KVM_EXIT_SHUTDOWN:
    case KVM_EXIT_SYSTEM_EVENT: return CPU_EXIT_SHUTDOWN;
    case KVM_EXIT_INTERNAL_ERROR:
    case KVM_EXIT_FAIL_ENTRY: return on_failure(cpu);
    default:
        return give_up(cpu, g_strdup_printf("KVM stopped for a reason that is not known: %u",
                                            run->exit_reason));
    }
}

int kvm_cpu_complete(KvmCpu *cpu)
{
    int exit = KVM_GO_ON;

    while (cpu->needs_entry && exit == KVM_GO_ON) {
        cpu->needs_entry = false;
        __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        cpu_gate_enter(&cpu->machine->gate, &cpu->vcpu);
        int result = ioctl(cpu->fd, KVM_RUN, NULL);
        cpu_gate_leave(&cpu->machine->gate, &cpu->vcpu);
        if (result == 0)
            exit = on_exit_reason(cpu);
    }
    return exit;
}

static bool take_signal(KvmCpu *cpu, unsigned signal)
{
    if (!(__atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST) & signal))
        return false;
    __atomic_fetch_and(&cpu->vcpu.signals, ~signal, __ATOMIC_SEQ_CST);
    return true;
}

/* The PIC's interrupt, by way of LINT0 of the boot CPU; the kernel says when that lets it pass. */
static void offer_pic_interrupt(KvmCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    struct kvm_run *run = cpu->run;

    run->request_interrupt_window = 0;
    if (!board->pending(board->opaque, cpu->vcpu.id))
        return;
    if (run->ready_for_interrupt_injection) {
        int vector = board->acknowledge(board->opaque, cpu->vcpu.id);
        struct kvm_interrupt interrupt = { .irq = (uint32_t)vector };
        if (vector >= 0)
            ioctl(cpu->fd, KVM_INTERRUPT, &interrupt);
        run->ready_for_interrupt_injection = 0;
    }
    run->request_interrupt_window = board->pending(board->opaque, cpu->vcpu.id);
}

/* The instruction under way is finished here; what it has had of a device is the guest's. */
static CpuExit leave(KvmCpu *cpu, const char *why)
{
    int exit = kvm_cpu_complete(cpu);
    return exit == KVM_GO_ON ? give_up(cpu, g_strdup(why)) : (CpuExit)exit;
}

/* Between two visits to the guest. A kick sets its signal first. */
static int answer_signals(KvmCpu *cpu)
{
    if (__atomic_load_n(&cpu->run->immediate_exit, __ATOMIC_SEQ_CST))
        __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (G_UNLIKELY(__atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST))) {
        take_signal(cpu, VCPU_SIGNAL_INTERRUPT | VCPU_SIGNAL_WORK);
        if (__atomic_load_n(&cpu->machine->has_unended, __ATOMIC_SEQ_CST))
            return leave(cpu, "KVM takes no more interrupt routes");
        if (take_signal(cpu, VCPU_SIGNAL_A20))
            kvm_memory_on_a20(cpu->machine);
        if (take_signal(cpu, VCPU_SIGNAL_STOP)) {
            int exit = kvm_cpu_complete(cpu);
            kvm_note_tsc(cpu);
            return exit == KVM_GO_ON ? CPU_EXIT_STOPPED : exit;
        }
        if (take_signal(cpu, VCPU_SIGNAL_NMI))
            ioctl(cpu->fd, KVM_NMI);
    }
    offer_pic_interrupt(cpu);
    return KVM_GO_ON;
}

int kvm_cpu_visit(KvmCpu *cpu)
{
    cpu_gate_enter(&cpu->machine->gate, &cpu->vcpu);
    int problem = ioctl(cpu->fd, KVM_RUN, NULL) < 0 ? errno : 0;
    cpu_gate_leave(&cpu->machine->gate, &cpu->vcpu);
    cpu->needs_entry = false;
    __atomic_store_n(&cpu->n_exits, cpu->n_exits + 1, __ATOMIC_RELAXED);
    if (problem == 0)
        return on_exit_reason(cpu);
    if (problem == EINTR || problem == EAGAIN)
        return KVM_GO_ON;
    return give_up(cpu, g_strdup_printf("KVM_RUN: %s", g_strerror(problem)));
}

CpuExit kvm_cpu_run(Vcpu *vcpu)
{
    KvmCpu *cpu = kvm_cpu(vcpu);
    int exit;

    cpu->thread = pthread_self();
    if (cpu->refused)
        return give_up(cpu, g_strdup("KVM does not take the processor's state"));
    while ((exit = answer_signals(cpu)) == KVM_GO_ON) {
        exit = kvm_cpu_visit(cpu);
        if (exit != KVM_GO_ON)
            break;
    }
    kvm_cpu_settle(cpu); /* what it has ended may begin again on another, which rests already */
    kvm_coalesced_sync(cpu->machine);
    return (CpuExit)exit;
}
