/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* TLB shoot-down. A few pages whose mapping any CPU may change while all others use them: to
 * another frame, to none, to read-only and back. Once all CPUs have acknowledged, nobody may see
 * the old mapping: not by reading (each frame bears the generation of its mapping), not by writing
 * (what is retired must stay as it is). */

#include "smp.h"

#define N_PAGES 16
#define REGION 0x40000000u /* 1 GiB: beyond the guest's memory */
#define PAGE_SIZE 4096
enum { PRESENT = 1, WRITABLE = 2, USER = 4 };

typedef struct {
    volatile uint64_t generation; /* 0: retired */
    volatile uint64_t n_writes[MAX_CPUS];
} Frame;

static uint8_t frames[N_PAGES][2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static volatile uint64_t page_table[512] __attribute__((aligned(PAGE_SIZE)));
static struct {
    unsigned lock;
    unsigned current;            /* frame */
    volatile uint64_t begun;     /* the newest generation there may be */
    volatile uint64_t completed; /* … and the oldest */
    uint64_t harvested[MAX_CPUS];
    uint64_t retired[MAX_CPUS]; /* what the other frame's counts were when it was retired */
} page[N_PAGES];
static uint64_t written[N_PAGES][MAX_CPUS]; /* by each CPU, in its own account */

extern uint64_t page_directories[];

static Frame *frame_of(unsigned number, unsigned which)
{
    return (Frame *)frames[number][which];
}

static Frame *mapped(unsigned number)
{
    return (Frame *)(uintptr_t)(REGION + number * PAGE_SIZE);
}

/* Without A and D: to be set by the CPUs that walk, at the same time, and not over our heads. */
static void set_entry(unsigned number, uint64_t flags)
{
    uintptr_t address = flags ? (uintptr_t)frame_of(number, page[number].current) : 0;

    __atomic_store_n(&page_table[number], address | flags, __ATOMIC_SEQ_CST);
}

void init_mappings(void)
{
    page_directories[REGION >> 21] = (uintptr_t)page_table | PRESENT | WRITABLE | USER;
    syscall2(SYS_INVLPG, 0, 0);
    for (unsigned i = 0; i < N_PAGES; i++) {
        frame_of(i, 0)->generation = page[i].begun = page[i].completed = 1;
        set_entry(i, PRESENT | WRITABLE | USER);
    }
}

static void shoot_down(Cpu *cpu, unsigned number)
{
    uint64_t address = (uintptr_t)mapped(number);

    syscall2(SYS_INVLPG, address, 0);
    ask_all(cpu, VECTOR_INVALIDATE, below(cpu, 4) ? address : 0, "a TLB shoot-down");
}

static void check_retired(Cpu *cpu, unsigned number, const char *what)
{
    const Frame *frame = frame_of(number, page[number].current ^ 1);

    for (unsigned i = 0; i < run.n_cpus; i++)
        if (frame->n_writes[i] != page[number].retired[i])
            fail(cpu, "CPU %u wrote to a page after it had acknowledged %s", i, what);
}

/* To the other frame. */
static void move(Cpu *cpu, unsigned number)
{
    Frame *old = frame_of(number, page[number].current);
    Frame *new = frame_of(number, page[number].current ^ 1);

    check_retired(cpu, number, "its removal");
    for (unsigned i = 0; i < run.n_cpus; i++)
        new->n_writes[i] = 0;
    new->generation = ++page[number].begun;
    page[number].current ^= 1;
    set_entry(number, PRESENT | WRITABLE | USER);
    shoot_down(cpu, number);
    page[number].completed = page[number].begun;
    for (unsigned i = 0; i < run.n_cpus; i++) {
        page[number].retired[i] = old->n_writes[i];
        page[number].harvested[i] += old->n_writes[i];
    }
    old->generation = 0;
}

/* Comes and goes while all others want it, so that they walk just as it changes. */
static void flicker(Cpu *cpu, unsigned number)
{
    for (unsigned i = 0; i < 512; i++) {
        set_entry(number, PRESENT | WRITABLE | USER);
        for (unsigned n = 0; n < 16; n++)
            (void)page_table[number];
        set_entry(number, 0);
        for (unsigned n = 0; n < 32; n++)
            if (page_table[number])
                fail(cpu, "the entry of page %u was cleared, and became %lx", number,
                     page_table[number]);
    }
}

/* Away, or read-only, for a moment in which nothing may be written. */
static void forbid(Cpu *cpu, unsigned number, uint64_t flags)
{
    Frame *frame = frame_of(number, page[number].current);
    uint64_t before[MAX_CPUS];

    set_entry(number, flags);
    shoot_down(cpu, number);
    for (unsigned i = 0; i < run.n_cpus; i++)
        before[i] = frame->n_writes[i];
    for (unsigned i = below(cpu, 100); i > 0; i--)
        pause();
    if (!flags && page_table[number])
        fail(cpu, "page %u was unmapped, and its entry became %lx", number, page_table[number]);
    for (unsigned i = 0; i < run.n_cpus; i++)
        if (frame->n_writes[i] != before[i])
            fail(cpu, "CPU %u wrote to a page after it had acknowledged that it is %s", i,
                 flags ? "read-only" : "gone");
    if (!flags) /* who reads it now, must read this */
        frame->generation = page[number].completed = ++page[number].begun;
    set_entry(number, PRESENT | WRITABLE | USER); /* more rights need no shoot-down */
}

void do_remap(Cpu *cpu)
{
    unsigned number = below(cpu, N_PAGES);

    if (__atomic_exchange_n(&page[number].lock, 1, __ATOMIC_ACQUIRE))
        return;
    switch (below(cpu, 4)) {
    case 0:
        forbid(cpu, number, 0);
        flicker(cpu, number);
        forbid(cpu, number, 0);
        break;
    case 1: forbid(cpu, number, PRESENT | USER); break;
    default: move(cpu, number);
    }
    __atomic_store_n(&page[number].lock, 0, __ATOMIC_RELEASE);
}

void do_read_mappings(Cpu *cpu)
{
    cpu->may_fault = true;
    cpu->fault_deadline = 0;
    for (unsigned i = 0; i < 256; i++) {
        unsigned number = below(cpu, N_PAGES);
        uint64_t completed = __atomic_load_n(&page[number].completed, __ATOMIC_ACQUIRE);
        uint64_t seen = mapped(number)->generation;
        uint64_t begun = __atomic_load_n(&page[number].begun, __ATOMIC_ACQUIRE);
        if (seen < completed || seen > begun)
            fail(cpu, "a stale mapping: page %u shows generation %lu, %lu was acknowledged by all",
                 number, seen, completed);
        /* One instruction, LOCKed or not: on one frame or the other. */
        volatile uint64_t *count = &mapped(number)->n_writes[cpu->id];
        if (run.plain && i % 2)
            __asm__ volatile("incq %0" : "+m"(*count)::"cc", "memory");
        else
            __asm__ volatile("lock incq %0" : "+m"(*count)::"cc", "memory");
        written[number][cpu->id]++;
    }
    cpu->may_fault = false;
}

/* Whoever took the right away will give it back; and rights that grew may be in the TLB as they
 * were. */
bool on_mapping_fault(Cpu *cpu, const Trap *trap, uint64_t address)
{
    if (address < REGION || address >= REGION + N_PAGES * PAGE_SIZE || !cpu->may_fault ||
        (trap->error & ~(uint64_t)(PRESENT | WRITABLE)) != USER)
        return false;
    if (trap->error & PRESENT && !(trap->error & WRITABLE))
        return false;
    cpu->n_faults++;
    check_patience(cpu, &cpu->fault_deadline);
    /* Not for long: whoever forbade it may want our acknowledgement first. */
    volatile uint64_t *entry = &page_table[(address - REGION) / PAGE_SIZE];
    for (unsigned i = 0; i < 64 && !(*entry & WRITABLE); i++)
        pause();
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
    return true;
}

void check_mappings(Cpu *cpu)
{
    for (unsigned number = 0; number < N_PAGES; number++) {
        const Frame *frame = frame_of(number, page[number].current);
        check_retired(cpu, number, "its removal");
        for (unsigned i = 0; i < run.n_cpus; i++)
            if (page[number].harvested[i] + frame->n_writes[i] != written[number][i])
                fail(cpu, "page %u: CPU %u wrote %lu times, %lu are there", number, i,
                     written[number][i], page[number].harvested[i] + frame->n_writes[i]);
    }
}
