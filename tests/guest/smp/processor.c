/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What a CPU needs to run: descriptor tables, the local APIC, INIT and SIPI, and the traps. */

#include "smp.h"

#define APIC 0xFEE00000u
#define MSR_APIC_BASE 0x1B
#define MSR_X2APIC 0x800
#define SIPI_PAGE 9
#define TSS_SELECTOR 0x40
enum { APIC_EOI = 0xB0, APIC_LDR = 0xD0, APIC_DFR = 0xE0, APIC_SVR = 0xF0, APIC_ICR = 0x300 };
enum { APIC_ICR_HIGH = 0x310 };

extern uint64_t gdt[];
extern char vector_stubs[], syscall_at[];
void enter_user(void *rip, void *rsp, void *argument);
void enter_c(void);
void on_trap(CpuSpace *space, Trap *trap);

CpuSpace cpus[MAX_CPUS];
uint64_t page_root[512] __attribute__((aligned(4096)));
uint64_t page_pointers[512] __attribute__((aligned(4096)));
uint64_t page_directories[4 * 512] __attribute__((aligned(4096)));

static struct {
    uint32_t reserved;
    uint64_t rsp[3], reserved2, ist[7];
    uint64_t reserved3;
    uint16_t reserved4, io_bitmap;
} __attribute__((packed, aligned(128))) tss[MAX_CPUS];

static struct {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
} idt[256] __attribute__((aligned(16)));

/* Ports, MSRs and the local APIC, from either ring. The APIC's page needs no help but as x2APIC. */

static bool in_ring_0(void)
{
    uint16_t cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return !(cs & 3);
}

void write_msr(uint32_t index, uint64_t value)
{
    if (!in_ring_0())
        syscall2(SYS_WRITE_MSR, index, value);
    else
        __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                         : "memory");
}

static uint64_t read_msr(uint32_t index)
{
    uint32_t low, high;

    if (!in_ring_0())
        return syscall2(SYS_READ_MSR, index, 0);
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

void out8(uint16_t port, uint8_t value)
{
    if (!in_ring_0())
        syscall2(SYS_OUT, port, value);
    else
        __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

uint8_t in8(uint16_t port)
{
    uint8_t value;

    if (!in_ring_0())
        return (uint8_t)syscall2(SYS_IN, port, 0);
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

void apic_write(unsigned offset, uint32_t value)
{
    if (run.x2apic)
        write_msr(MSR_X2APIC + offset / 16, value);
    else
        *(volatile uint32_t *)(uintptr_t)(APIC + offset) = value;
}

uint32_t apic_read(unsigned offset)
{
    return run.x2apic ? (uint32_t)read_msr(MSR_X2APIC + offset / 16)
                      : *(volatile uint32_t *)(uintptr_t)(APIC + offset);
}

static void send(uint32_t destination, uint32_t what)
{
    if (run.x2apic) {
        write_msr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)destination << 32 | what);
        return;
    }
    /* A trap that sends between the two writes of what it interrupted puts the first one back. */
    uint32_t high = in_ring_0() ? apic_read(APIC_ICR_HIGH) : 0;
    apic_write(APIC_ICR_HIGH, destination << 24);
    apic_write(APIC_ICR, what);
    while (apic_read(APIC_ICR) & 1 << 12)
        pause();
    if (in_ring_0())
        apic_write(APIC_ICR_HIGH, high);
}

void send_ipi(unsigned target, uint32_t what)
{
    send(target, what | 1 << 14);
}

void send_ipi_logical(unsigned target, uint32_t what)
{
    if (!run.x2apic && target >= 8) /* flat mode has eight bits */
        send_ipi(target, what);
    else
        send(1u << target, what | 1 << 14 | 1 << 11);
}

static void enable_apic(const Cpu *cpu)
{
    if (run.x2apic) {
        write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 3 << 10);
    } else {
        apic_write(APIC_DFR, UINT32_MAX);
        apic_write(APIC_LDR, cpu->id < 8 ? 1u << (24 + cpu->id) : 0);
    }
    apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
}

/* Descriptor tables */

static void set_gates(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uintptr_t)vector_stubs + 16 * i;

        idt[i].offset_low = (uint16_t)at;
        idt[i].offset_middle = (uint16_t)(at >> 16);
        idt[i].offset_high = (uint32_t)(at >> 32);
        idt[i].selector = 8;
        idt[i].ist = i == VECTOR_NMI;
        idt[i].type = i == VECTOR_BREAKPOINT ? 0xEE : 0x8E;
    }
}

static void load_tables(CpuSpace *space)
{
    unsigned id = (unsigned)space->cpu.id;
    uint64_t base = (uintptr_t)&tss[id], limit = sizeof tss[id] - 1;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = { sizeof idt - 1, (uintptr_t)idt };

    tss[id].rsp[0] = (uintptr_t)(space->kernel_stack + sizeof space->kernel_stack);
    tss[id].ist[0] = (uintptr_t)(space->nmi_stack + sizeof space->nmi_stack);
    tss[id].io_bitmap = sizeof tss[id];
    gdt[TSS_SELECTOR / 8 + 2 * id] =
        limit | (base & 0xFFFFFF) << 16 | UINT64_C(0x89) << 40 | (base >> 24 & 0xFF) << 56;
    gdt[TSS_SELECTOR / 8 + 2 * id + 1] = base >> 32;
    __asm__ volatile("lidt %0" ::"m"(idtr));
    __asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR + 16 * id));
}

/* Each CPU comes here once it is in 64-bit mode, on its ring 0 stack. */
void enter_c(void)
{
    CpuSpace *space = (CpuSpace *)((uintptr_t)__builtin_frame_address(0) & -sizeof(CpuSpace));
    Cpu *cpu = &space->cpu;
    bool is_boot_cpu = !cpu_at(0)->is_up;

    cpu->id = (uint64_t)(space - cpus);
    cpu->random = (cpu->id + 1) * 0x9E3779B97F4A7C15u ^ read_tsc();
    cpu->waits_for = -1;
    if (is_boot_cpu) {
        out8(0x21, 0xFF); /* nothing from the PICs */
        out8(0xA1, 0xFF);
        set_gates();
    }
    load_tables(space);
    start_clock(cpu);
    if (!is_boot_cpu)
        enable_apic(cpu);
    cpu->is_halted = false;
    cpu->n_starts++;
    cpu->is_up = true;
    enter_user(is_boot_cpu ? main_boot_cpu : main_other_cpu,
               space->user_stack + sizeof space->user_stack - 8, cpu);
}

/* INIT, SIPI */

static void wait_us(uint64_t us)
{
    uint64_t end = read_tsc() + us * run.tsc_hz / 1000000;

    while (read_tsc() < end)
        pause();
}

void restart_cpu(Cpu *cpu, unsigned target)
{
    unsigned n_starts = cpu_at(target)->n_starts;

    send_ipi(target, IPI_INIT);
    wait_us(200);
    send_ipi(target, IPI_SIPI | SIPI_PAGE);
    wait_us(200);
    send_ipi(target, IPI_SIPI | SIPI_PAGE); /* the second one is to be ignored */
    WAIT_UNTIL(cpu, cpu_at(target)->n_starts != n_starts, "start of a CPU", target);
}

void start_boot_cpu(void)
{
    enable_apic(cpu_at(0));
}

void start_other_cpus(void)
{
    for (unsigned i = 1; i < run.n_cpus; i++) {
        cpu_at(i)->id = i;
        cpu_at(i)->waits_for = -1;
    }
    for (unsigned i = 1; i < run.n_cpus; i++)
        restart_cpu(cpu_at(0), i);
}

/* Traps */

static uint64_t on_syscall(Cpu *cpu, uint64_t number, uint64_t a, uint64_t b)
{
    switch (number) {
    case SYS_HALT_WHILE:
        /* STI's shadow makes looking and halting one. */
        while (*(volatile uint64_t *)a == b) {
            cpu->is_halted = true;
            cpu->n_halts++;
            __asm__ volatile("sti; hlt; cli" ::: "memory");
            cpu->is_halted = false;
        }
        return 0;
    case SYS_INVLPG:
        if (a)
            __asm__ volatile("invlpg (%0)" ::"r"(a) : "memory");
        else
            __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" ::: "rax", "memory");
        return 0;
    case SYS_WRITE_MSR: write_msr((uint32_t)a, b); return 0;
    case SYS_READ_MSR: return read_msr((uint32_t)a);
    case SYS_OUT: out8((uint16_t)a, (uint8_t)b); return 0;
    case SYS_IN: return in8((uint16_t)a);
    }
    fail(cpu, "system call %lu", number);
}

static void on_interrupt(Cpu *cpu, unsigned vector)
{
    unsigned sender = vector & 15;

    switch (vector & 0xF0) {
    case VECTOR_TIMER: cpu->n_ticks++; break;
    case VECTOR_PING:
        cpu->n_pings[sender]++;
        send_ipi(sender, VECTOR_PONG + (uint32_t)cpu->id);
        break;
    case VECTOR_PONG: cpu->n_pongs[sender]++; break;
    case VECTOR_INVALIDATE:
        on_syscall(cpu, SYS_INVLPG, cpu_at(sender)->invalidate, 0);
        cpu_at(sender)->answer[cpu->id] = cpu_at(sender)->request;
        break;
    case VECTOR_SYNC: cpu_at(sender)->answer[cpu->id] = cpu_at(sender)->request; break;
    case VECTOR_WAKE: cpu->n_wakes++; break;
    default:
        if (vector != VECTOR_SPURIOUS)
            fail(cpu, "interrupt %x", vector);
        return;
    }
    apic_write(APIC_EOI, 0);
}

void on_trap(CpuSpace *space, Trap *trap)
{
    Cpu *cpu = &space->cpu;
    uint64_t address;

    if (trap->rip == (uintptr_t)syscall_at && trap->vector == VECTOR_UNDEFINED) {
        trap->rax = on_syscall(cpu, trap->rax, trap->rsi, trap->rdx);
        trap->rip += 2;
    } else if (trap->vector >= 32) {
        on_interrupt(cpu, (unsigned)trap->vector);
    } else if (trap->vector == VECTOR_NMI) {
        cpu->n_nmis++;
    } else {
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        if (trap->vector == VECTOR_PAGE_FAULT && on_mapping_fault(cpu, trap, address))
            return;
        if (trap->vector == VECTOR_BREAKPOINT && on_code_breakpoint(trap)) {
            cpu->n_breakpoints++;
            return;
        }
        fail(cpu, "exception %lu (%lx) at %lx, CS %lx, CR2 %lx, while it did: %s", trap->vector,
             trap->error, trap->rip, trap->cs, address, cpu->doing ? cpu->doing : "start");
    }
}
