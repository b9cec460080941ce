/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The stress guest for machines with several CPUs: a small kernel of its own, entered as Linux is,
 * whose CPUs do to one another whatever operating systems do, and check each outcome. Nearly all of
 * it runs in ring 3 (with the local APIC and the page tables within reach), so that it is of
 * use on virtual machines whose kernel mode is slow; ring 0 is traps only.
 *
 * A run is rounds. In the quiet part of a round CPUs wake each other out of HLT with nothing else
 * going on, so that a wake-up that is lost stays lost. In the mixed part each CPU does whatever its
 * dice say. Between rounds the sums are checked. Included by the files of this folder only. */

#include <stdbool.h>
#include <stdint.h>

#define MAX_CPUS 16

/* What an interrupt or exception finds on the stack; entry.S. */
typedef struct {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
} Trap;

/* Vectors. Those with a base are one for each sender, so that none can hide another. */
enum {
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3,
    VECTOR_UNDEFINED = 6, /* a call of ring 0 */
    VECTOR_PAGE_FAULT = 14,
    VECTOR_TIMER = 0x30,
    VECTOR_PING = 0x40, /* answered by a pong */
    VECTOR_PONG = 0x50,
    VECTOR_INVALIDATE = 0x60, /* answered in memory */
    VECTOR_SYNC = 0x70,       /* answered in memory: the IRET serializes */
    VECTOR_WAKE = 0x90,
    VECTOR_SPURIOUS = 0xFF,
};

/* What ring 3 asks of ring 0. */
enum {
    SYS_HALT_WHILE, /* (uint64_t *word, value): HLT until an interrupt has changed it */
    SYS_INVLPG,     /* (address) */
    SYS_WRITE_MSR,  /* (index, value) */
    SYS_READ_MSR,   /* (index) */
    SYS_OUT,        /* (port, byte) */
    SYS_IN,         /* (port) */
};

/* Counts that a CPU keeps of what it added to a shared one; the sum is checked after each round. */
enum {
    SUM_XADD8,
    SUM_XADD16,
    SUM_XADD32,
    SUM_XADD64,
    SUM_ADD,
    SUM_INC,
    SUM_CMPXCHG,
    SUM_CMPXCHG8B,
    SUM_CMPXCHG16B,
    SUM_SPLIT,
    SUM_XOR,
    SUM_BITS,
    SUM_TICKET,
    SUM_SPIN,
    N_SUMS
};

typedef struct Cpu {
    uint64_t id;
    uint64_t random;
    volatile bool is_up;
    volatile unsigned n_starts; /* SIPIs taken */

    /* What it does, for a report when something stands still. */
    const char *volatile doing;
    volatile int waits_for; /* a CPU, or -1 */
    volatile bool is_halted;
    volatile uint64_t n_done; /* activities, all in all */

    uint64_t sum[N_SUMS];

    /* Interrupts, by the other side. */
    volatile uint64_t n_pings_sent[MAX_CPUS], n_pings[MAX_CPUS], n_pongs[MAX_CPUS];
    volatile uint64_t n_nmis_sent[MAX_CPUS];
    volatile uint64_t n_nmis, n_wakes, n_halts;
    volatile uint64_t n_broadcasts;

    /* A request to invalidate or to serialize that this CPU makes to all others. */
    volatile uint64_t request, answer[MAX_CPUS]; /* answer[c]: written by CPU c */
    volatile uint64_t invalidate;                /* address; 0: everything */

    /* Timer. */
    volatile uint64_t n_ticks;
    uint64_t n_one_shots, n_periodic_ticks;

    /* Page faults taken on purpose, and what they may be. */
    uint64_t n_faults, n_breakpoints, fault_deadline;
    volatile bool may_fault;

    /* The wake-up chain. */
    volatile uint64_t token;

    /* Fairness and throughput. */
    volatile uint64_t n_turns;
    uint64_t litmus[MAX_CPUS]; /* by partner: offers taken */
    uint64_t n_times;
} __attribute__((aligned(64))) Cpu;

/* With its stacks, so that ring 0 finds it by its own. */
typedef union {
    Cpu cpu;
    struct {
        uint8_t data[8 << 10], user_stack[8 << 10], kernel_stack[8 << 10], nmi_stack[8 << 10];
    };
} __attribute__((aligned(32 << 10))) CpuSpace;
_Static_assert(sizeof(CpuSpace) == 1 << 15, "entry.S: CPU_SHIFT");
extern CpuSpace cpus[MAX_CPUS];

static inline Cpu *cpu_at(unsigned id)
{
    return &cpus[id].cpu;
}

/* The run, from the command line: "cpus=8 seconds=5 mode=stress". */
typedef struct {
    uint64_t n_cpus, seconds, round_ms, patience_s;
    uint64_t x2apic, hyperv, split; /* LOCKed accesses across cache lines and pages too */
    uint64_t plain; /* read-modify-write without LOCK translates once (not so in QEMU's TCG) */
    char mode[16];
    uint64_t tsc_hz, apic_hz; /* measured */
} Run;
extern Run run;

/* processor.c: start-up, traps, local APIC. */
void start_boot_cpu(void);
void start_other_cpus(void);
void restart_cpu(Cpu *cpu, unsigned target); /* INIT, SIPI */
uint64_t syscall2(uint64_t number, uint64_t a, uint64_t b);
void out8(uint16_t port, uint8_t value);
uint8_t in8(uint16_t port);
void write_msr(uint32_t index, uint64_t value);
void apic_write(unsigned offset, uint32_t value);
uint32_t apic_read(unsigned offset);
enum {
    IPI_FIXED = 0,
    IPI_NMI = 4 << 8,
    IPI_INIT = 5 << 8,
    IPI_SIPI = 6 << 8,
    IPI_OTHERS = 3 << 18
};
void send_ipi(unsigned target, uint32_t what);         /* physical destination */
void send_ipi_logical(unsigned target, uint32_t what); /* flat, or x2APIC cluster */

/* main.c: where CPUs go in ring 3. */
void main_boot_cpu(Cpu *cpu);
void main_other_cpu(Cpu *cpu);

/* report.c */
void print(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %s %u %lu %x %lx */
/* Says what is wrong and what each CPU does, and ends the run. */
__attribute__((noreturn, format(printf, 2, 3))) void fail(Cpu *cpu, const char *format, ...);
__attribute__((noreturn)) void end_run(bool good);
/* For loops that wait: fails once @deadline (0: to be set) is past. */
void check_patience(Cpu *cpu, uint64_t *deadline);

/* A wait for other CPUs, with interrupts on. */
#define WAIT_UNTIL(cpu, condition, what, whom)                                                     \
    do {                                                                                           \
        uint64_t wait_deadline = 0;                                                                \
        (cpu)->waits_for = (int)(whom);                                                            \
        (cpu)->doing = (what);                                                                     \
        for (unsigned wait_n = 1; !(condition); wait_n++) {                                        \
            pause();                                                                               \
            if (wait_n % 4096 == 0)                                                                \
                check_patience((cpu), &wait_deadline);                                             \
        }                                                                                          \
        (cpu)->waits_for = -1;                                                                     \
    } while (0)

/* The activities. Each does a little and checks it; check_… are called between rounds, when all
 * other CPUs stand still. */
void do_atomics(Cpu *cpu);
void check_atomics(Cpu *cpu);
void do_locks(Cpu *cpu);
void check_locks(Cpu *cpu);
void take_ticket(void);
void give_ticket(void);
void do_pings(Cpu *cpu);
void do_broadcast(Cpu *cpu);
void check_pings(Cpu *cpu);
void ask_all(Cpu *cpu, unsigned vector, uint64_t address, const char *what);
void pass_token(Cpu *cpu, uint64_t laps); /* all CPUs at once */
void play_ping_pong(Cpu *cpu, uint64_t n);
void do_timers(Cpu *cpu);
void init_mappings(void);
void do_remap(Cpu *cpu);
void do_read_mappings(Cpu *cpu);
void check_mappings(Cpu *cpu);
bool on_mapping_fault(Cpu *cpu, const Trap *trap, uint64_t address);
void init_code(void);
void do_code(Cpu *cpu);
bool on_code_breakpoint(Trap *trap);
void do_litmus(Cpu *cpu);
void say_litmus(void);

/* clocks.c */
void start_clock(Cpu *cpu); /* ring 0 */
void init_clocks(Cpu *cpu);
uint64_t tsc_hz_by_kvmclock(const Cpu *cpu); /* 0: there is none */
void do_clock(Cpu *cpu);
void say_clocks(void);

/* Small things. */

static inline void pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t random64(Cpu *cpu)
{
    cpu->random ^= cpu->random << 13;
    cpu->random ^= cpu->random >> 7;
    cpu->random ^= cpu->random << 17;
    return cpu->random;
}

static inline uint32_t below(Cpu *cpu, uint32_t n)
{
    return (uint32_t)((random64(cpu) >> 32) * n >> 32);
}

/* Another CPU, any. There must be two. */
static inline unsigned any_other(Cpu *cpu)
{
    unsigned other = below(cpu, (uint32_t)run.n_cpus - 1);

    return other + (other >= cpu->id);
}
