/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Interrupts between processors, each of them counted at both ends, and the local APIC's timer.
 * Whoever waits does so spinning or in HLT, as the dice say. */

#include "smp.h"

enum { APIC_LVT_TIMER = 0x320, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390, APIC_DIVIDE = 0x3E0 };
#define PERIODIC (1u << 17)
#define TSC_DEADLINE (1u << 18)
#define MSR_TSC_DEADLINE 0x6E0
#define MASKED (1u << 16)
#define DIVIDE_BY_1 0xB

static void wait_while(Cpu *cpu, volatile uint64_t *word, uint64_t value, const char *what,
                       int whom)
{
    if (below(cpu, 2)) {
        cpu->doing = what;
        cpu->waits_for = whom;
        syscall2(SYS_HALT_WHILE, (uintptr_t)word, value);
        cpu->waits_for = -1;
    } else {
        WAIT_UNTIL(cpu, *word != value, what, whom);
    }
}

static void ping(Cpu *cpu, unsigned target)
{
    uint64_t n = cpu->n_pongs[target];

    cpu->n_pings_sent[target]++;
    if (below(cpu, 2))
        send_ipi(target, VECTOR_PING + (uint32_t)cpu->id);
    else
        send_ipi_logical(target, VECTOR_PING + (uint32_t)cpu->id);
    wait_while(cpu, &cpu->n_pongs[target], n, "the answer to an IPI", (int)target);
}

void do_pings(Cpu *cpu)
{
    for (unsigned i = 1; i < run.n_cpus; i++)
        ping(cpu, (unsigned)(cpu->id + i) % (unsigned)run.n_cpus);
    if (below(cpu, 4) == 0) {
        unsigned target = any_other(cpu);
        cpu->n_nmis_sent[target]++;
        send_ipi(target, IPI_NMI);
    }
}

/* All at once by the shorthand. */
void do_broadcast(Cpu *cpu)
{
    uint64_t n[MAX_CPUS];

    for (unsigned i = 0; i < run.n_cpus; i++) {
        n[i] = cpu->n_pongs[i];
        cpu->n_pings_sent[i] += i != cpu->id;
    }
    send_ipi(0, IPI_OTHERS | (VECTOR_PING + (uint32_t)cpu->id));
    for (unsigned i = 0; i < run.n_cpus; i++)
        if (i != cpu->id)
            wait_while(cpu, &cpu->n_pongs[i], n[i], "the answer to a broadcast", (int)i);
    cpu->n_broadcasts++;
}

/* Each vector was delivered as often as it was sent. NMIs merge while one is on its way. */
void check_pings(Cpu *cpu)
{
    for (unsigned to = 0; to < run.n_cpus; to++) {
        uint64_t n_nmis = 0;
        for (unsigned from = 0; from < run.n_cpus; from++) {
            uint64_t sent = cpu_at(from)->n_pings_sent[to];
            if (cpu_at(to)->n_pings[from] != sent || cpu_at(from)->n_pongs[to] != sent)
                fail(cpu, "CPU %u sent CPU %u %lu IPIs; %lu came, %lu were answered", from, to,
                     sent, cpu_at(to)->n_pings[from], cpu_at(from)->n_pongs[to]);
            n_nmis += cpu_at(from)->n_nmis_sent[to];
        }
        if (n_nmis)
            WAIT_UNTIL(cpu, cpu_at(to)->n_nmis, "the arrival of an NMI", to);
        if (cpu_at(to)->n_nmis > n_nmis)
            fail(cpu, "CPU %u took %lu NMIs of %lu", to, cpu_at(to)->n_nmis, n_nmis);
    }
}

/* Sends @vector to all others and waits until each has answered in memory. */
void ask_all(Cpu *cpu, unsigned vector, uint64_t address, const char *what)
{
    cpu->invalidate = address;
    cpu->request++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (below(cpu, 2)) {
        send_ipi(0, IPI_OTHERS | (vector + (uint32_t)cpu->id));
    } else {
        for (unsigned i = 0; i < run.n_cpus; i++)
            if (i != cpu->id)
                send_ipi(i, vector + (uint32_t)cpu->id);
    }
    for (unsigned i = 0; i < run.n_cpus; i++)
        if (i != cpu->id)
            WAIT_UNTIL(cpu, cpu->answer[i] == cpu->request, what, i);
}

/* Quiet part: nothing but the one IPI can wake a CPU here. */

static void wait_for_token(Cpu *cpu, uint64_t before, unsigned from, bool awake)
{
    cpu->doing = "the wake-up by a token";
    cpu->waits_for = (int)from;
    if (awake || cpu->id == 0) /* somebody has to watch */
        WAIT_UNTIL(cpu, cpu->token != before, "the return of a token", from);
    else
        syscall2(SYS_HALT_WHILE, (uintptr_t)&cpu->token, before);
    cpu->waits_for = -1;
}

static void give_token(unsigned to)
{
    cpu_at(to)->token++;
    send_ipi(to, VECTOR_WAKE);
}

/* Once around, @laps times: CPU 0 begins. */
void pass_token(Cpu *cpu, uint64_t laps)
{
    unsigned n = (unsigned)run.n_cpus, next = (unsigned)(cpu->id + 1) % n;
    unsigned last = (unsigned)(cpu->id + n - 1) % n;

    for (uint64_t i = 0; i < laps; i++) {
        if (cpu->id == 0)
            give_token(next);
        wait_for_token(cpu, i, last, false);
        if (cpu->id != 0)
            give_token(next);
    }
}

/* Pairs. The tightest race there is: one is woken just as it goes to sleep, by another that does
 * so, too, or in the second half is awake and chooses the moment. */
void play_ping_pong(Cpu *cpu, uint64_t n)
{
    unsigned other = (unsigned)cpu->id ^ 1;

    if (other >= run.n_cpus)
        return;
    for (uint64_t i = 0; i < n; i++) {
        if (cpu->id & 1) {
            wait_for_token(cpu, i, other, false);
        } else {
            for (unsigned wait = i > n / 2 ? below(cpu, 64) : 0; wait; wait--)
                pause();
        }
        give_token(other);
        if (!(cpu->id & 1))
            wait_for_token(cpu, i, other, i > n / 2);
    }
}

/* Timers */

static uint64_t apic_ticks(uint64_t us)
{
    return us * run.apic_hz / 1000000;
}

static void one_shot(Cpu *cpu)
{
    uint64_t us = 20 + below(cpu, 500), n = cpu->n_ticks, begin = read_tsc();

    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(APIC_INITIAL, (uint32_t)apic_ticks(us));
    wait_while(cpu, &cpu->n_ticks, n, "its one-shot timer", (int)cpu->id);
    uint64_t passed = read_tsc() - begin;
    if (passed < us * run.tsc_hz / 1000000 * 9 / 10)
        fail(cpu, "a timer of %lu us came after %lu TSC ticks", us, passed);
    if (cpu->n_ticks != n + 1)
        fail(cpu, "a one-shot timer came %lu times", cpu->n_ticks - n);
    cpu->n_one_shots++;
}

static bool has_deadline(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx & 1 << 24;
}

static void deadline(Cpu *cpu)
{
    uint64_t n = cpu->n_ticks, end;
    uint32_t most_us = below(cpu, 2) ? 500 : 10000; /* long enough for a move in between */

    apic_write(APIC_LVT_TIMER, TSC_DEADLINE | VECTOR_TIMER);
    __asm__ volatile("mfence" ::: "memory");
    end = read_tsc() + (20 + below(cpu, most_us)) * run.tsc_hz / 1000000;
    write_msr(MSR_TSC_DEADLINE, end);
    wait_while(cpu, &cpu->n_ticks, n, "its TSC deadline", (int)cpu->id);
    uint64_t now = read_tsc();
    if (now < end)
        fail(cpu, "a TSC deadline came %lu ticks before its time", end - now);
    if (cpu->n_ticks != n + 1)
        fail(cpu, "a TSC deadline came %lu times", cpu->n_ticks - n);
    cpu->n_one_shots++;
}

static void periodic(Cpu *cpu)
{
    uint64_t us = 100 + below(cpu, 300), n = cpu->n_ticks, begin = read_tsc();

    apic_write(APIC_LVT_TIMER, PERIODIC | VECTOR_TIMER);
    apic_write(APIC_INITIAL, (uint32_t)apic_ticks(us));
    for (unsigned i = 0; i < 4; i++)
        wait_while(cpu, &cpu->n_ticks, cpu->n_ticks, "its periodic timer", (int)cpu->id);
    apic_write(APIC_LVT_TIMER, MASKED | VECTOR_TIMER);
    apic_write(APIC_INITIAL, 0);
    uint64_t passed = read_tsc() - begin, ticks = cpu->n_ticks - n;
    /* Late ones merge; there are never more than fit, and one that was on its way. */
    if (ticks > passed * 11 / 10 / (us * run.tsc_hz / 1000000) + 2)
        fail(cpu, "a timer of %lu us came %lu times in %lu TSC ticks", us, ticks, passed);
    cpu->n_periodic_ticks += ticks;
}

void do_timers(Cpu *cpu)
{
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    if (below(cpu, 2) && has_deadline())
        deadline(cpu);
    else if (below(cpu, 2))
        one_shot(cpu);
    else
        periodic(cpu);
}
