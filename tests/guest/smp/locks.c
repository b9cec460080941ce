/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Locks that spin with PAUSE, around words that only their holder may find unequal. */

#include "smp.h"

static struct {
    volatile uint32_t next, serving;
    volatile uint64_t word[8] __attribute__((aligned(64)));
} ticket __attribute__((aligned(64)));
static struct {
    volatile uint8_t taken;
    volatile uint64_t word[8] __attribute__((aligned(64)));
} spin __attribute__((aligned(64)));

void take_ticket(void)
{
    uint32_t mine = __atomic_fetch_add(&ticket.next, 1, __ATOMIC_ACQUIRE);

    while (ticket.serving != mine)
        pause();
}

void give_ticket(void)
{
    __atomic_store_n(&ticket.serving, ticket.serving + 1, __ATOMIC_RELEASE);
}

static void use(Cpu *cpu, volatile uint64_t word[8], const char *what)
{
    uint64_t first = word[0];

    for (unsigned i = 0; i < 8; i++) {
        if (word[i] != first)
            fail(cpu, "two were inside a %s lock", what);
        word[i] = first + 1;
    }
}

void do_locks(Cpu *cpu)
{
    uint64_t deadline = 0;

    for (unsigned i = 0; i < 8; i++) {
        take_ticket();
        use(cpu, ticket.word, "ticket");
        give_ticket();
        cpu->sum[SUM_TICKET]++;
        for (unsigned n = 1; __atomic_exchange_n(&spin.taken, 1, __ATOMIC_ACQUIRE); n++) {
            while (spin.taken)
                pause();
            if (n % 4096 == 0)
                check_patience(cpu, &deadline);
        }
        use(cpu, spin.word, "spin");
        __atomic_store_n(&spin.taken, 0, __ATOMIC_RELEASE);
        cpu->sum[SUM_SPIN]++;
    }
}

void check_locks(Cpu *cpu)
{
    uint64_t n_ticket = 0, n_spin = 0;

    for (unsigned i = 0; i < run.n_cpus; i++) {
        n_ticket += cpu_at(i)->sum[SUM_TICKET];
        n_spin += cpu_at(i)->sum[SUM_SPIN];
    }
    if (ticket.word[7] != n_ticket || spin.word[7] != n_spin)
        fail(cpu, "locks: %lu and %lu times held, %lu and %lu counted", n_ticket, n_spin,
             ticket.word[7], spin.word[7]);
}
