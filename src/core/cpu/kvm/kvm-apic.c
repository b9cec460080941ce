/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Local APICs between the kernel, which keeps them while KVM runs the guest, and the board. What
 * needs care is the timer: the kernel turns an expiry into an interrupt only on the way into the
 * guest, and starts an expired one-shot anew. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/msr.h"
#include <string.h>

enum {
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    LVT_TIMER = 0x320,
    INITIAL_COUNT = 0x380,
    CURRENT_COUNT = 0x390
};
#define LVT_MASKED (1u << 16)
#define LVT_MODE (3u << 17) /* 0: one-shot */

G_STATIC_ASSERT(sizeof(struct kvm_lapic_state) == 64 * 16);

static uint32_t *reg(CpuApic *apic, unsigned offset)
{
    return &apic->registers[offset / 16];
}

static bool has_expired(CpuApic *apic)
{
    return !(*reg(apic, LVT_TIMER) & LVT_MODE) && *reg(apic, INITIAL_COUNT) &&
           *reg(apic, CURRENT_COUNT) == 0;
}

static void read_page(KvmCpu *cpu, CpuApic *apic)
{
    struct kvm_lapic_state page = { 0 };

    kvm_must(cpu, KVM_GET_LAPIC, &page, "reading the local APIC");
    for (unsigned i = 0; i < G_N_ELEMENTS(apic->registers); i++)
        memcpy(&apic->registers[i], page.regs + i * 16, 4);
}

/* Expired between the two looks, and perhaps after the kernel looked at it in between. */
static void request_timer(CpuApic *apic, CpuApic *before)
{
    uint32_t lvt = *reg(apic, LVT_TIMER), word = (lvt & 0xFF) / 32 * 16, bit = 1u << (lvt & 31);
    bool has_begun = *reg(apic, ISR + word) & ~*reg(before, ISR + word) & bit;

    if (!(lvt & LVT_MASKED) && !has_begun)
        *reg(apic, IRR + word) |= bit;
}

uint64_t kvm_apic_get_deadline(KvmCpu *cpu)
{
    uint64_t deadline = 0;

    kvm_try_get_msr(cpu, MSR_TSC_DEADLINE, &deadline);
    return cpu_deadline_to_ns(deadline, kvm_get_tsc_offset(cpu), cpu->vcpu.board->model.tsc_hz);
}

void kvm_apic_set_deadline(KvmCpu *cpu, uint64_t deadline_ns)
{
    uint64_t hz = cpu->vcpu.board->model.tsc_hz;

    kvm_try_set_msr(cpu, MSR_TSC_DEADLINE,
                    cpu_deadline_from_ns(deadline_ns, kvm_get_tsc_offset(cpu), hz));
}

void kvm_apic_get(KvmCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    struct kvm_sregs sregs = { 0 };
    CpuApic before, apic;

    if (!board->apic_set)
        return;
    read_page(cpu, &before);
    kvm_cpu_settle(cpu);
    read_page(cpu, &apic);
    if (!has_expired(&before) && has_expired(&apic))
        request_timer(&apic, &before);
    kvm_must(cpu, KVM_GET_SREGS, &sregs, "reading system registers");
    apic.base = sregs.apic_base;
    apic.deadline_ns = kvm_apic_get_deadline(cpu); /* 0 once it has become an interrupt */
    board->apic_set(board->opaque, cpu->vcpu.id, &apic);
}

/* What is under way as a level was sent before this virtual machine was. */
static void expect_ends(KvmCpu *cpu, CpuApic *apic)
{
    for (unsigned word = 0; word < 8; word++) {
        unsigned at = word * 16;
        uint32_t begun = *reg(apic, ISR + at) | *reg(apic, IRR + at);
        for (uint32_t bits = begun & *reg(apic, TMR + at); bits; bits &= bits - 1)
            kvm_irq_expect_end(cpu->machine, cpu->vcpu.id,
                               (uint8_t)(word * 32 + (unsigned)__builtin_ctz(bits)));
    }
}

void kvm_apic_set(KvmCpu *cpu, const CpuApic *from)
{
    struct kvm_lapic_state page = { 0 };
    CpuApic apic = *from;

    if (has_expired(&apic))
        *reg(&apic, INITIAL_COUNT) = 0; /* or it would expire once more */
    for (unsigned i = 0; i < G_N_ELEMENTS(apic.registers); i++)
        memcpy(page.regs + i * 16, &apic.registers[i], 4);
    kvm_must(cpu, KVM_SET_LAPIC, &page, "setting the local APIC");
    expect_ends(cpu, &apic);
}
