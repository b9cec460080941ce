/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The order of memory accesses (SDM vol. 3A §8.2.3). Two CPUs that find each other run
 * the two sides of a litmus test some hundred times; an outcome that x86 forbids ends the run.
 * Whether the machine reorders at all is told by the one test whose outcome is allowed. */

#include "smp.h"

#define N_TIMES 128

typedef struct {
    volatile uint64_t x, pad1[7], y, pad2[7];
    uint64_t r0, r1, r2, r3;
} Cell;

enum { NOBODY, OFFERED, ACCEPTED };
static struct {
    unsigned state, kind;
    volatile unsigned at[2]; /* how far each side is */
    Cell cell[N_TIMES];
} board[MAX_CPUS] __attribute__((aligned(64)));
static uint64_t n_relaxed, n_played;

#define FENCE "mfence"
#define LOCKED_ADD "lock addq $0, -8(%%rsp)"
#define SB_SIDE(NAME, BETWEEN)                                                                     \
    static void NAME(volatile uint64_t *mine, volatile uint64_t *other, uint64_t *r)               \
    {                                                                                              \
        __asm__ volatile("movq $1, %1\n\t" BETWEEN "\n\tmovq %2, %0"                               \
                         : "=r"(*r), "=m"(*mine)                                                   \
                         : "m"(*other)                                                             \
                         : "cc", "memory");                                                        \
    }
SB_SIDE(sb_plain, "")
SB_SIDE(sb_fence, FENCE)
SB_SIDE(sb_locked, LOCKED_ADD)

static void sb_xchg(volatile uint64_t *mine, volatile uint64_t *other, uint64_t *r)
{
    uint64_t one = 1;

    __asm__ volatile("xchgq %1, %2\n\tmovq %3, %0"
                     : "=&r"(*r), "+r"(one), "+m"(*mine)
                     : "m"(*other)
                     : "memory");
}

static void load_two(volatile uint64_t *first, volatile uint64_t *second, uint64_t *r_first,
                     uint64_t *r_second)
{
    *r_first = *first;
    *r_second = *second;
}

/* Eight bytes inside a cache line are written and read as one, aligned or not. */
static volatile uint64_t *uneven(Cell *cell)
{
    return (volatile uint64_t *)((volatile uint8_t *)&cell->x + 3);
}

enum { SB_PLAIN, SB_FENCE, SB_LOCKED, SB_XCHG, MP, LB, TWO_WRITES, COHERENCE, TEARING, N_KINDS };
static const char *const names[] = {
    "store buffering",           "store buffering, MFENCE", "store buffering, LOCK",
    "store buffering, XCHG",     "message passing",         "load buffering",
    "two writes on either side", "coherence of one word",   "an uneven word in a line",
};

static void play(unsigned kind, unsigned side, Cell *c)
{
    volatile uint64_t *mine = side ? &c->y : &c->x, *other = side ? &c->x : &c->y;
    uint64_t *r = side ? &c->r1 : &c->r0;

    switch (kind) {
    case SB_PLAIN: sb_plain(mine, other, r); break;
    case SB_FENCE: sb_fence(mine, other, r); break;
    case SB_LOCKED: sb_locked(mine, other, r); break;
    case SB_XCHG: sb_xchg(mine, other, r); break;
    case MP:
        if (side) {
            load_two(&c->y, &c->x, &c->r0, &c->r1);
        } else {
            c->x = 1;
            c->y = 1;
        }
        break;
    case LB:
        *r = *mine;
        *other = 1;
        break;
    case TWO_WRITES:
        *mine = 1;
        *other = 2;
        break;
    case COHERENCE:
        if (side) {
            load_two(&c->x, &c->x, &c->r0, &c->r1);
            load_two(&c->x, &c->x, &c->r2, &c->r3);
        } else {
            c->x = 1;
            c->x = 2;
            c->x = 3;
        }
        break;
    default:
        if (side)
            c->r0 = *uneven(c);
        else
            *uneven(c) = UINT64_MAX;
    }
}

static bool is_forbidden(unsigned kind, const Cell *c)
{
    switch (kind) {
    case SB_PLAIN: return false;
    case SB_FENCE:
    case SB_LOCKED:
    case SB_XCHG: return c->r0 == 0 && c->r1 == 0;
    case MP: return c->r0 == 1 && c->r1 == 0;
    case LB: return c->r0 == 1 && c->r1 == 1;
    case TWO_WRITES: return c->x == 1 && c->y == 1;
    case COHERENCE: return c->r0 > c->r1 || c->r1 > c->r2 || c->r2 > c->r3;
    default: return c->r0 != 0 && c->r0 != UINT64_MAX;
    }
}

/* In step as far as that is to be had cheaply. */
static void play_all(Cpu *cpu, unsigned owner, unsigned side)
{
    for (unsigned i = 0; i < N_TIMES; i++) {
        board[owner].at[side] = i + 1;
        for (unsigned n = 0; board[owner].at[!side] < i + 1 && n < 2000; n++)
            __asm__ volatile("" ::: "memory");
        play(board[owner].kind, side, &board[owner].cell[i]);
    }
    board[owner].at[side] = N_TIMES + 1;
    cpu->litmus[owner]++;
}

static bool accept_offer(Cpu *cpu)
{
    unsigned first = any_other(cpu);

    for (unsigned i = 0; i < run.n_cpus; i++) {
        unsigned owner = (first + i) % (unsigned)run.n_cpus, expected = OFFERED;
        if (owner == cpu->id ||
            !__atomic_compare_exchange_n(&board[owner].state, &expected, ACCEPTED, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        play_all(cpu, owner, 1);
        return true;
    }
    return false;
}

static bool find_partner(Cpu *cpu)
{
    uint64_t until = read_tsc() + run.tsc_hz / 1000;
    unsigned expected = OFFERED;

    __atomic_store_n(&board[cpu->id].state, OFFERED, __ATOMIC_SEQ_CST);
    while (read_tsc() < until && board[cpu->id].at[1] == 0)
        pause();
    return !__atomic_compare_exchange_n(&board[cpu->id].state, &expected, NOBODY, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void do_litmus(Cpu *cpu)
{
    unsigned me = (unsigned)cpu->id;

    if (accept_offer(cpu))
        return;
    board[me].kind = below(cpu, N_KINDS);
    board[me].at[0] = board[me].at[1] = 0;
    for (unsigned i = 0; i < N_TIMES; i++)
        board[me].cell[i] = (Cell){ 0 };
    if (!find_partner(cpu))
        return;
    play_all(cpu, me, 0);
    WAIT_UNTIL(cpu, board[me].at[1] > N_TIMES, "the other side of a litmus test", -1);
    for (unsigned i = 0; i < N_TIMES; i++) {
        const Cell *c = &board[me].cell[i];
        if (is_forbidden(board[me].kind, c))
            fail(cpu, "forbidden outcome of %s: x %lx y %lx r %lx %lx %lx %lx",
                 names[board[me].kind], c->x, c->y, c->r0, c->r1, c->r2, c->r3);
        if (board[me].kind == SB_PLAIN && c->r0 == 0 && c->r1 == 0)
            __atomic_fetch_add(&n_relaxed, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&n_played, N_TIMES, __ATOMIC_RELAXED);
    __atomic_store_n(&board[me].state, NOBODY, __ATOMIC_SEQ_CST);
}

void say_litmus(void)
{
    print("litmus tests played %lu times, stores seen late (allowed) %lu times, forbidden 0\n",
          n_played, n_relaxed);
}
