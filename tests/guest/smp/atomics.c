/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* LOCKed instructions of every kind on words that all CPUs share; each CPU keeps its own account,
 * and the accounts must add up. */

#include "smp.h"

#define N_TOKENS 8

static struct {
    /* Neighbours: an access that is wider than it should be shows. */
    uint8_t xadd8, guard8;
    uint16_t xadd16;
    uint32_t xadd32;
    uint64_t xadd64, add, inc, cmpxchg, cmpxchg8b, xor, flags;
    uint64_t cmpxchg16b[2] __attribute__((aligned(16)));
    uint64_t bits[2], own_bits;
    uint64_t token[N_TOKENS];
} shared __attribute__((aligned(64)));
static uint64_t held[MAX_CPUS]; /* the token of each CPU */
static uint8_t apart[2 * 4096] __attribute__((aligned(4096)));

#define LOCKED(insn, memory, ...) __asm__ volatile("lock " insn : "+m"(memory)__VA_ARGS__)

static void do_arithmetic(Cpu *cpu)
{
    uint64_t n = random64(cpu), old8 = n, old16 = n, old32 = n, old64 = n;

    LOCKED("xaddb %b1, %0", shared.xadd8, , "+q"(old8)::"cc", "memory");
    LOCKED("xaddw %w1, %0", shared.xadd16, , "+r"(old16)::"cc", "memory");
    LOCKED("xaddl %k1, %0", shared.xadd32, , "+r"(old32)::"cc", "memory");
    LOCKED("xaddq %1, %0", shared.xadd64, , "+r"(old64)::"cc", "memory");
    cpu->sum[SUM_XADD8] += n;
    cpu->sum[SUM_XADD16] += n;
    cpu->sum[SUM_XADD32] += n;
    cpu->sum[SUM_XADD64] += n;

    LOCKED("addq %1, %0", shared.add, : "r"(n) : "cc", "memory");
    LOCKED("subq %1, %0", shared.add, : "r"(n >> 3) : "cc", "memory");
    cpu->sum[SUM_ADD] += n - (n >> 3);

    LOCKED("incq %0", shared.inc, ::"cc", "memory");
    LOCKED("incq %0", shared.inc, ::"cc", "memory");
    LOCKED("decq %0", shared.inc, ::"cc", "memory");
    cpu->sum[SUM_INC]++;

    LOCKED("xorq %1, %0", shared.xor, : "r"(n) : "cc", "memory");
    LOCKED("notq %0", shared.xor, ::"cc", "memory");
    cpu->sum[SUM_XOR] ^= ~n;
}

/* OR, AND: a bit of one's own in a word that all change. */
static void do_own_bit(Cpu *cpu)
{
    uint64_t bit = UINT64_C(1) << cpu->id;
    bool was;

    LOCKED("orq %1, %0", shared.flags, : "r"(bit) : "cc", "memory");
    if (!(__atomic_load_n(&shared.flags, __ATOMIC_RELAXED) & bit))
        fail(cpu, "LOCK OR was lost");
    LOCKED("andq %1, %0", shared.flags, : "r"(~bit) : "cc", "memory");
    if (__atomic_load_n(&shared.flags, __ATOMIC_RELAXED) & bit)
        fail(cpu, "LOCK AND was lost");
    for (unsigned i = 0; i < 2; i++) {
        __asm__ volatile("lock btcq %2, %0"
                         : "+m"(shared.own_bits), "=@ccc"(was)
                         : "r"(cpu->id)
                         : "memory");
        if (was != i)
            fail(cpu, "LOCK BTC was lost");
    }
}

/* BTS, BTR: bits as locks. */
static void do_bits(Cpu *cpu)
{
    uint64_t bit = below(cpu, 128);
    bool was;

    __asm__ volatile("lock btsq %2, %0" : "+m"(shared.bits), "=@ccc"(was) : "r"(bit) : "memory");
    if (was)
        return;
    cpu->sum[SUM_BITS]++;
    __asm__ volatile("lock btrq %2, %0" : "+m"(shared.bits), "=@ccc"(was) : "r"(bit) : "memory");
    if (!was)
        fail(cpu, "a bit that LOCK BTS had set was gone at LOCK BTR");
}

static void do_exchanges(Cpu *cpu)
{
    uint64_t old = __atomic_load_n(&shared.cmpxchg, __ATOMIC_RELAXED), low, high;
    uint64_t n = random64(cpu) & 0xFFFF;
    bool done;

    do
        __asm__ volatile("lock cmpxchgq %3, %0"
                         : "+m"(shared.cmpxchg), "+a"(old), "=@ccz"(done)
                         : "r"(old + n)
                         : "memory");
    while (!done);
    cpu->sum[SUM_CMPXCHG] += n;

    do {
        old = __atomic_load_n(&shared.cmpxchg8b, __ATOMIC_RELAXED);
        uint64_t new = old + n;
        low = (uint32_t)old;
        high = old >> 32;
        __asm__ volatile("lock cmpxchg8b %0"
                         : "+m"(shared.cmpxchg8b), "+a"(low), "+d"(high), "=@ccz"(done)
                         : "b"((uint32_t) new), "c"(new >> 32)
                         : "memory");
    } while (!done);
    cpu->sum[SUM_CMPXCHG8B] += n;

    low = high = 0;
    do {
        __asm__ volatile("lock cmpxchg16b %0"
                         : "+m"(*(unsigned __int128 *)shared.cmpxchg16b), "+a"(low), "+d"(high),
                           "=@ccz"(done)
                         : "b"(low + n), "c"(high + 3 * n)
                         : "memory");
        if (high != 3 * low && !done)
            fail(cpu, "LOCK CMPXCHG16B saw halves of two writers: %lx %lx", low, high);
    } while (!done);
    cpu->sum[SUM_CMPXCHG16B] += n;

    /* XCHG locks of itself. Nothing is lost, nothing is doubled. */
    __asm__ volatile("xchgq %0, %1"
                     : "+m"(shared.token[n % N_TOKENS]), "+r"(held[cpu->id])::"memory");
}

/* Across two cache lines, and two pages. */
static void do_split(Cpu *cpu)
{
    for (unsigned i = 0; i < 32; i++) {
        LOCKED("addq %1, %0", *(uint64_t *)(apart + 64 - 3), : "r"(cpu->id + 1) : "cc", "memory");
        LOCKED("addq %1, %0", *(uint64_t *)(apart + 4096 - 5), : "r"(cpu->id + 1) : "cc", "memory");
        cpu->sum[SUM_SPLIT] += cpu->id + 1;
    }
}

void do_atomics(Cpu *cpu)
{
    for (unsigned i = 0; i < 64; i++) {
        do_arithmetic(cpu);
        do_own_bit(cpu);
        do_bits(cpu);
        do_exchanges(cpu);
    }
    if (run.split && below(cpu, 4) == 0)
        do_split(cpu);
}

static void check(Cpu *cpu, const char *what, uint64_t value, uint64_t mask, unsigned which)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < run.n_cpus; i++)
        sum = which == SUM_XOR ? sum ^ cpu_at(i)->sum[which] : sum + cpu_at(i)->sum[which];
    if ((value ^ sum) & mask)
        fail(cpu, "%s: %lx, the accounts say %lx", what, value & mask, sum & mask);
}

static void check_tokens(Cpu *cpu)
{
    static bool has_begun;
    uint64_t sum = 0;

    /* Each token is a bit: a sum with all of them and nothing else has each once. */
    if (!has_begun) {
        for (unsigned i = 0; i < N_TOKENS; i++)
            shared.token[i] = UINT64_C(1) << i;
        for (unsigned i = 0; i < run.n_cpus; i++)
            held[i] = UINT64_C(1) << (N_TOKENS + i);
        has_begun = true;
    }
    for (unsigned i = 0; i < N_TOKENS; i++)
        sum += shared.token[i];
    for (unsigned i = 0; i < run.n_cpus; i++)
        sum += held[i];
    if (sum != (UINT64_C(1) << (N_TOKENS + run.n_cpus)) - 1)
        fail(cpu, "XCHG lost or doubled a token: %lx", sum);
}

void check_atomics(Cpu *cpu)
{
    check(cpu, "LOCK XADD, 8 bits", shared.xadd8, UINT8_MAX, SUM_XADD8);
    check(cpu, "LOCK XADD, 16 bits", shared.xadd16, UINT16_MAX, SUM_XADD16);
    check(cpu, "LOCK XADD, 32 bits", shared.xadd32, UINT32_MAX, SUM_XADD32);
    check(cpu, "LOCK XADD, 64 bits", shared.xadd64, UINT64_MAX, SUM_XADD64);
    check(cpu, "LOCK ADD, SUB", shared.add, UINT64_MAX, SUM_ADD);
    check(cpu, "LOCK INC, DEC", shared.inc, UINT64_MAX, SUM_INC);
    check(cpu, "LOCK XOR, NOT", shared.xor, UINT64_MAX, SUM_XOR);
    check(cpu, "LOCK CMPXCHG", shared.cmpxchg, UINT64_MAX, SUM_CMPXCHG);
    check(cpu, "LOCK CMPXCHG8B", shared.cmpxchg8b, UINT64_MAX, SUM_CMPXCHG8B);
    check(cpu, "LOCK CMPXCHG16B", shared.cmpxchg16b[0], UINT64_MAX, SUM_CMPXCHG16B);
    check(cpu, "LOCK ADD across lines", *(uint64_t *)(apart + 64 - 3), UINT64_MAX, SUM_SPLIT);
    check(cpu, "LOCK ADD across pages", *(uint64_t *)(apart + 4096 - 5), UINT64_MAX, SUM_SPLIT);
    if (shared.guard8 || shared.flags || shared.own_bits || shared.bits[0] || shared.bits[1])
        fail(cpu, "a LOCKed write went beside its operand");
    check_tokens(cpu);
}
