/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Cross-modifying code, by the two protocols that there are: nobody executes while it changes, and
 * a serializing instruction precedes the next execution (SDM vol. 3A §8.1.3); and the breakpoint
 * protocol of kernels that patch themselves, where everybody goes on executing meanwhile. */

#include "smp.h"

#define N_SLOTS 8
#define SLOT_SIZE 64
#define SKEW 61 /* the instruction crosses a cache line */
#define TRAPPED UINT32_MAX
enum { MOV_EAX_IMM32 = 0xB8, RET = 0xC3, INT3 = 0xCC };

static uint8_t quiet_code[N_SLOTS][SLOT_SIZE] __attribute__((aligned(4096)));
static uint8_t live_code[N_SLOTS + 1][SLOT_SIZE] __attribute__((aligned(4096)));
static struct {
    unsigned writer;
    unsigned n_readers;
    uint32_t value;
} quiet[N_SLOTS];
static struct {
    unsigned writer;
    volatile uint32_t begun, completed;
} live[N_SLOTS];

static uint8_t *live_at(unsigned slot)
{
    return live_code[slot] + SKEW;
}

static void write_function(volatile uint8_t *at, uint32_t value)
{
    at[0] = MOV_EAX_IMM32;
    *(volatile uint32_t *)(at + 1) = value;
    at[5] = RET;
}

static uint32_t call(const uint8_t *at)
{
    return ((uint32_t(*)(void))(uintptr_t)at)();
}

void init_code(void)
{
    for (unsigned i = 0; i < N_SLOTS; i++) {
        write_function(quiet_code[i], 0);
        write_function(live_at(i), 0);
    }
}

static void serialize(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

static void change_quiet(Cpu *cpu, unsigned slot)
{
    if (__atomic_exchange_n(&quiet[slot].writer, 1, __ATOMIC_SEQ_CST))
        return;
    WAIT_UNTIL(cpu, !__atomic_load_n(&quiet[slot].n_readers, __ATOMIC_SEQ_CST),
               "the end of others' execution", -1);
    quiet[slot].value++;
    write_function(quiet_code[slot], quiet[slot].value);
    __atomic_store_n(&quiet[slot].writer, 0, __ATOMIC_SEQ_CST);
}

static void call_quiet(Cpu *cpu, unsigned slot)
{
    __atomic_fetch_add(&quiet[slot].n_readers, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&quiet[slot].writer, __ATOMIC_SEQ_CST)) {
        serialize();
        for (unsigned i = 0; i < 32; i++) {
            uint32_t value = call(quiet_code[slot]);
            if (value != quiet[slot].value)
                fail(cpu, "old code was executed: %u, not %u", value, quiet[slot].value);
        }
    }
    __atomic_fetch_sub(&quiet[slot].n_readers, 1, __ATOMIC_SEQ_CST);
}

static void change_live(Cpu *cpu, unsigned slot)
{
    volatile uint8_t *at = live_at(slot);

    if (__atomic_exchange_n(&live[slot].writer, 1, __ATOMIC_SEQ_CST))
        return;
    uint32_t value = live[slot].begun + 1;
    live[slot].begun = value;
    at[0] = INT3;
    ask_all(cpu, VECTOR_SYNC, 0, "all to see a breakpoint");
    *(volatile uint32_t *)(at + 1) = value;
    ask_all(cpu, VECTOR_SYNC, 0, "all to see new code");
    at[0] = MOV_EAX_IMM32;
    ask_all(cpu, VECTOR_SYNC, 0, "all to see whole new code");
    serialize();
    live[slot].completed = value;
    __atomic_store_n(&live[slot].writer, 0, __ATOMIC_SEQ_CST);
}

static void call_live(Cpu *cpu, unsigned slot)
{
    for (unsigned i = 0; i < 32; i++) {
        uint32_t completed = live[slot].completed;
        uint32_t value = call(live_at(slot));
        uint32_t begun = live[slot].begun;
        if (value != TRAPPED && (value < completed || value > begun))
            fail(cpu, "patched code gave %x; between %u and %u would be right", value, completed,
                 begun);
    }
}

/* In place of the function: returns TRAPPED. */
bool on_code_breakpoint(Trap *trap)
{
    for (unsigned i = 0; i < N_SLOTS; i++) {
        if (trap->rip - 1 != (uintptr_t)live_at(i))
            continue;
        trap->rax = TRAPPED;
        trap->rip = *(uint64_t *)(uintptr_t)trap->rsp;
        trap->rsp += 8;
        return true;
    }
    return false;
}

void do_code(Cpu *cpu)
{
    unsigned slot = below(cpu, N_SLOTS);

    switch (below(cpu, 16)) {
    case 0:
    case 1: change_quiet(cpu, slot); break;
    case 2: change_live(cpu, slot); break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7: call_quiet(cpu, slot); break;
    default: call_live(cpu, slot);
    }
}
