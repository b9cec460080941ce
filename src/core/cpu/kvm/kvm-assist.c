/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Where KVM gives up ("internal error": an instruction that its emulator lacks), the software CPU
 * takes the vCPU's state, executes that one instruction on the same memory, and gives the state
 * back. Its board is the machine's, but for the local APIC, which stays in the kernel. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/msr.h"
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TPR_REGISTER 0x80
#define BASE_X2APIC (UINT64_C(1) << 10)
#define BASE_ENABLED (UINT64_C(1) << 11)
#define AVX_OFFSET 576u /* of the upper halves in the XSAVE area */
#define AVX_SIZE 256u
#define XSTATE_BV 512u
#define XSTATE_AVX UINT64_C(4)

struct KvmAssist {
    KvmMachine *machine; /* borrowed */
    CpuBoard board;
    void *backend;                       /* owned: the software CPU's */
    unsigned apic_written[KVM_MAX_CPUS]; /* by its vCPU's thread: the instruction is none of ours */
};

/* No interrupt is taken between KVM's instructions: KVM has them. */

static int no_interrupt(void *opaque, unsigned id)
{
    return -1;
}

static bool none_pending(void *opaque, unsigned id)
{
    return false;
}

/* The local APIC's registers are read in the kernel. A write has effects that only KVM can have:
 * the kernel takes registers as a whole page, over whatever interrupts came since that was read,
 * and ends no interrupt for anybody but the guest. What writes there in a way that KVM cannot
 * emulate (x87 stores, say: no system does) goes to the software CPU with all of the machine. */

static uint64_t read_apic(void *opaque, unsigned id, uint64_t offset, unsigned size)
{
    const KvmAssist *assist = opaque;
    struct kvm_lapic_state page = { 0 };
    uint64_t value = 0;

    ioctl(assist->machine->vcpu[id]->fd, KVM_GET_LAPIC, &page);
    if (offset + size <= sizeof page.regs)
        memcpy(&value, page.regs + offset, size);
    return value;
}

static void write_apic(void *opaque, unsigned id, uint64_t offset, unsigned size, uint64_t value)
{
    ((KvmAssist *)opaque)->apic_written[id] = 1;
}

static uint64_t apic_page(void *opaque, unsigned id)
{
    const KvmAssist *assist = opaque;
    uint64_t base = assist->machine->vcpu[id]->run->apic_base;

    return (base & (BASE_ENABLED | BASE_X2APIC)) == BASE_ENABLED ? base & CPU_PHYSICAL_PAGES
                                                                 : UINT64_MAX;
}

/* The software CPU speaks of deadlines on the machine's clock. */

static bool read_apic_msr(void *opaque, unsigned id, uint32_t msr, uint64_t *out_value)
{
    KvmCpu *cpu = ((KvmAssist *)opaque)->machine->vcpu[id];

    if (msr == MSR_TSC_DEADLINE)
        *out_value = kvm_apic_get_deadline(cpu);
    return msr == MSR_TSC_DEADLINE || kvm_try_get_msr(cpu, msr, out_value);
}

static bool write_apic_msr(void *opaque, unsigned id, uint32_t msr, uint64_t value)
{
    KvmCpu *cpu = ((KvmAssist *)opaque)->machine->vcpu[id];

    if (msr == MSR_TSC_DEADLINE)
        kvm_apic_set_deadline(cpu, value);
    return msr == MSR_TSC_DEADLINE || kvm_try_set_msr(cpu, msr, value);
}

static uint8_t get_cr8(void *opaque, unsigned id)
{
    return (uint8_t)(read_apic(opaque, id, TPR_REGISTER, 4) >> 4);
}

static void set_cr8(void *opaque, unsigned id, uint8_t value)
{
    const KvmAssist *assist = opaque;
    int fd = assist->machine->vcpu[id]->fd;
    struct kvm_sregs sregs = { 0 };

    if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0)
        return;
    sregs.cr8 = value;
    memset(sregs.interrupt_bitmap, 0, sizeof sregs.interrupt_bitmap);
    ioctl(fd, KVM_SET_SREGS, &sregs);
}

static bool a20(void *opaque)
{
    const CpuBoard *board = ((KvmAssist *)opaque)->machine->board;
    return !board->a20 || board->a20(board->opaque);
}

static void x87_error(void *opaque, unsigned id)
{
    const CpuBoard *board = ((KvmAssist *)opaque)->machine->board;
    if (board->x87_error)
        board->x87_error(board->opaque, id);
}

static KvmAssist *assist_new(KvmMachine *machine, GError **error)
{
    KvmAssist *assist = g_new0(KvmAssist, 1);

    assist->machine = machine;
    assist->board = *machine->board;
    assist->board.opaque = assist;
    assist->board.acknowledge = no_interrupt;
    assist->board.pending = none_pending;
    assist->board.apic_read_msr = read_apic_msr;
    assist->board.apic_write_msr = write_apic_msr;
    assist->board.get_cr8 = get_cr8;
    assist->board.set_cr8 = set_cr8;
    assist->board.apic_page = apic_page;
    assist->board.apic_read = read_apic;
    assist->board.apic_write = write_apic;
    assist->board.a20 = a20;
    assist->board.x87_error = x87_error;
    assist->backend = cpu_soft_ops.machine_new(&assist->board, machine->n_vcpus, error);
    if (!assist->backend) {
        g_free(assist);
        return NULL;
    }
    return assist;
}

void kvm_assist_free(KvmAssist *assist)
{
    if (!assist)
        return;
    cpu_soft_ops.machine_free(assist->backend);
    g_free(assist);
}

static Vcpu *assistant_of(KvmCpu *cpu, GError **error)
{
    KvmMachine *machine = cpu->machine;

    if (cpu->assistant)
        return cpu->assistant;
    g_mutex_lock(&machine->assist_lock);
    if (!machine->assist)
        machine->assist = assist_new(machine, error);
    if (machine->assist)
        cpu->assistant = vcpu_new(&cpu_soft_ops, &machine->assist->board, machine->assist->backend,
                                  cpu->vcpu.id, NULL, error);
    g_mutex_unlock(&machine->assist_lock);
    return cpu->assistant;
}

/* The software CPU has no upper halves of vector registers: they stay what they were. */
static void keep_upper_halves(CpuState *after, const CpuState *before)
{
    uint64_t had, has;

    memcpy(&had, before->xsave + XSTATE_BV, sizeof had);
    memcpy(&has, after->xsave + XSTATE_BV, sizeof has);
    has |= had & XSTATE_AVX;
    memcpy(after->xsave + XSTATE_BV, &has, sizeof has);
    memcpy(after->xsave + AVX_OFFSET, before->xsave + AVX_OFFSET, AVX_SIZE);
}

bool kvm_assist(KvmCpu *cpu, bool *out_shutdown)
{
    g_autoptr(GError) error = NULL;
    Vcpu *assistant = assistant_of(cpu, &error);
    CpuState before, after;

    if (!assistant) {
        g_free(cpu->vcpu.failure);
        cpu->vcpu.failure = g_strdup(error->message);
        return false;
    }
    KvmAssist *assist = cpu->machine->assist;
    kvm_coalesced_sync(cpu->machine);
    kvm_get_registers(cpu, &before);
    cpu_soft_ops.set_state(assistant, &before);
    assist->apic_written[cpu->vcpu.id] = 0;
    *out_shutdown = cpu_soft_ops.step(assistant) == CPU_EXIT_SHUTDOWN;
    if (assist->apic_written[cpu->vcpu.id]) {
        g_free(cpu->vcpu.failure);
        cpu->vcpu.failure = g_strdup_printf("KVM cannot emulate what writes to the local APIC at "
                                            "0x%" G_GINT64_MODIFIER "x",
                                            before.rip);
        return false;
    }
    cpu_soft_ops.get_state(assistant, &after);
    keep_upper_halves(&after, &before);
    kvm_set_registers(cpu, &after);
    return true;
}
