/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The course of a run: stages that CPU 0 announces and all CPUs go through together. */

#include "smp.h"

#define CHAIN_LAPS 16
#define PING_PONGS 256
#define PIT_HZ 1193182

enum { ZERO_PAGE_COMMAND_LINE = 0x228 };
enum { APIC_LVT_TIMER = 0x320, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390, APIC_DIVIDE = 0x3E0 };

Run run = { .n_cpus = 2,
            .seconds = 2,
            .round_ms = 300,
            .patience_s = 30,
            .split = 1,
            .plain = 1,
            .mode = "stress" }; /* modes: stress, tickets, busy, wake */
extern uint32_t zero_page;

typedef enum {
    STAGE_NONE,
    STAGE_CHAIN,
    STAGE_PING_PONG,
    STAGE_RESTART,
    STAGE_MIX,
    STAGE_TICKETS,
    STAGE_BUSY,
    STAGE_BESIDE, /* CPUs 2 and 3 wake each other, all others are busy */
} Stage;

static volatile uint64_t stage_number = 1;
static volatile Stage stage;
static volatile uint64_t stage_argument; /* how often; whom; until when (TSC) */
static volatile uint64_t stage_done[MAX_CPUS];
static volatile uint64_t n_met;

/* Options */

static bool starts_with(const char *text, const char *key, const char **out_rest)
{
    while (*key)
        if (*text++ != *key++)
            return false;
    *out_rest = text;
    return true;
}

static void read_option(const char *text, const char *key, uint64_t *out_value)
{
    if (!starts_with(text, key, &text))
        return;
    for (*out_value = 0; *text >= '0' && *text <= '9'; text++)
        *out_value = *out_value * 10 + (uint64_t)(*text - '0');
}

static void read_word(const char *word)
{
    read_option(word, "cpus=", &run.n_cpus);
    read_option(word, "seconds=", &run.seconds);
    read_option(word, "round_ms=", &run.round_ms);
    read_option(word, "patience=", &run.patience_s);
    read_option(word, "x2apic=", &run.x2apic);
    read_option(word, "hyperv=", &run.hyperv);
    read_option(word, "split=", &run.split);
    read_option(word, "plain=", &run.plain);
    if (!starts_with(word, "mode=", &word))
        return;
    unsigned i = 0;
    for (; word[i] > ' ' && i < sizeof run.mode - 1; i++)
        run.mode[i] = word[i];
    run.mode[i] = 0;
}

static void read_options(const char *line)
{
    for (bool in_word = false; *line; line++) {
        if (*line > ' ' && !in_word)
            read_word(line);
        in_word = *line > ' ';
    }
    if (run.n_cpus < 2 || run.n_cpus > MAX_CPUS)
        run.n_cpus = 2;
}

/* Rates, by 50 ms of the PIT's channel 2. A pause may fall in between, and not all monitors stop
 * the TSC then: what kvmclock says of it is better. */
static void measure_clocks(const Cpu *cpu)
{
    uint16_t count = PIT_HZ / 20;

    apic_write(APIC_DIVIDE, 0xB);
    apic_write(APIC_LVT_TIMER, 1 << 16);
    out8(0x61, (in8(0x61) & ~3));
    out8(0x43, 0xB0);
    out8(0x42, (uint8_t)count);
    out8(0x42, (uint8_t)(count >> 8));
    apic_write(APIC_INITIAL, UINT32_MAX);
    out8(0x61, (in8(0x61) & ~3) | 1);
    uint64_t begin = read_tsc();
    while (!(in8(0x61) & 0x20))
        ;
    run.tsc_hz = (read_tsc() - begin) * 20;
    if (tsc_hz_by_kvmclock(cpu))
        run.tsc_hz = tsc_hz_by_kvmclock(cpu);
    run.apic_hz = (UINT32_MAX - apic_read(APIC_CURRENT)) * UINT64_C(20);
    apic_write(APIC_INITIAL, 0);
}

/* Stages */

static void mix(Cpu *cpu)
{
    static void (*const activity[])(Cpu *) = {
        do_atomics, do_locks,         do_pings, do_broadcast, do_timers, do_remap,
        do_remap,   do_read_mappings, do_code,  do_code,      do_litmus, do_clock,
    };
    static const char *const names[] = {
        "atomics",   "locks",          "pings", "a broadcast", "timers", "remapping",
        "remapping", "using mappings", "code",  "code",        "litmus", "clocks",
    };

    while (read_tsc() < stage_argument) {
        unsigned which = below(cpu, sizeof activity / sizeof *activity);
        cpu->doing = names[which];
        activity[which](cpu);
        cpu->n_done++;
    }
}

/* What is measured begins when all take part. */
static void take_turns(Cpu *cpu, bool tickets)
{
    __atomic_fetch_add(&n_met, 1, __ATOMIC_SEQ_CST);
    while (read_tsc() < stage_argument) {
        if (tickets) {
            take_ticket();
            give_ticket();
        }
        cpu->n_turns += n_met == run.n_cpus;
    }
}

static void wake_beside_busy(Cpu *cpu)
{
    if (cpu->id == 2 || cpu->id == 3) {
        play_ping_pong(cpu, stage_argument);
        n_met++; /* whichever is last */
    } else {
        while (!n_met)
            cpu->n_turns++;
    }
}

static void do_stage(Cpu *cpu)
{
    switch (stage) {
    case STAGE_CHAIN: pass_token(cpu, stage_argument); break;
    case STAGE_PING_PONG: play_ping_pong(cpu, stage_argument); break;
    case STAGE_RESTART:
        while (cpu->id == stage_argument) { /* left by INIT only */
            uint64_t word = 0;
            cpu->doing = "waits for INIT";
            syscall2(SYS_HALT_WHILE, (uintptr_t)&word, 0);
        }
        break;
    case STAGE_MIX: mix(cpu); break;
    case STAGE_TICKETS: take_turns(cpu, true); break;
    case STAGE_BUSY: take_turns(cpu, false); break;
    case STAGE_BESIDE: wake_beside_busy(cpu); break;
    case STAGE_NONE: break;
    }
}

void main_other_cpu(Cpu *cpu)
{
    /* Started anew within a stage: that one is done. */
    uint64_t done = stage_number;

    for (;;) {
        stage_done[cpu->id] = done;
        cpu->doing = "nothing";
        while (stage_number == done)
            pause();
        done = stage_number;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        do_stage(cpu);
    }
}

static void finish_stage(Cpu *cpu)
{
    for (unsigned i = 1; i < run.n_cpus; i++)
        WAIT_UNTIL(cpu, stage_done[i] == stage_number, "the end of the stage", i);
}

static void begin_stage(Stage next, uint64_t argument)
{
    stage = next;
    stage_argument = argument;
    n_met = 0;
    for (unsigned i = 0; i < run.n_cpus; i++)
        cpu_at(i)->token = cpu_at(i)->n_turns = 0;
    __atomic_fetch_add(&stage_number, 1, __ATOMIC_SEQ_CST);
}

static void run_stage(Cpu *cpu, Stage next, uint64_t argument)
{
    begin_stage(next, argument);
    do_stage(cpu);
    finish_stage(cpu);
}

static void run_restart(Cpu *cpu, unsigned target)
{
    begin_stage(STAGE_RESTART, target);
    WAIT_UNTIL(cpu, cpu_at(target)->is_halted, "a CPU to halt", target);
    restart_cpu(cpu, target);
    finish_stage(cpu);
}

/* Modes */

static uint64_t in_ms(uint64_t ms)
{
    return read_tsc() + ms * run.tsc_hz / 1000;
}

static uint64_t to_ns(uint64_t ticks)
{
    return ticks * 1000 / (run.tsc_hz / 1000000);
}

static void check_sums(Cpu *cpu)
{
    check_atomics(cpu);
    check_locks(cpu);
    check_pings(cpu);
    check_mappings(cpu);
}

static void say_sums(uint64_t n_rounds)
{
    uint64_t n_done = 0, n_ipis = 0, n_halts = 0, n_faults = 0, n_requests = 0, n_traps = 0,
             n_timers = 0, n_nmis = 0;

    for (unsigned i = 0; i < run.n_cpus; i++) {
        const Cpu *cpu = cpu_at(i);
        for (unsigned j = 0; j < run.n_cpus; j++)
            n_ipis += cpu->n_pings[j] + cpu->n_pongs[j];
        n_done += cpu->n_done;
        n_ipis += cpu->n_wakes;
        n_halts += cpu->n_halts;
        n_faults += cpu->n_faults;
        n_requests += cpu->request;
        n_traps += cpu->n_breakpoints;
        n_timers += cpu->n_ticks;
        n_nmis += cpu->n_nmis;
    }
    print("%lu rounds: %lu activities, %lu IPIs, %lu NMIs, %lu halts ended, %lu timer ticks, "
          "%lu requests to all, %lu page faults, %lu breakpoints\n",
          n_rounds, n_done, n_ipis, n_nmis, n_halts, n_timers, n_requests, n_faults, n_traps);
}

static void stress(Cpu *cpu)
{
    uint64_t end = in_ms(run.seconds * 1000), say = in_ms(10000), n = 0;

    do {
        run_stage(cpu, STAGE_CHAIN, CHAIN_LAPS);
        run_stage(cpu, STAGE_PING_PONG, PING_PONGS);
        run_restart(cpu, 1 + (unsigned)(n % (run.n_cpus - 1)));
        run_stage(cpu, STAGE_MIX, in_ms(run.round_ms));
        check_sums(cpu);
        n++;
        if (read_tsc() > say) {
            say_sums(n);
            say = in_ms(10000);
        }
    } while (read_tsc() < end);
    say_sums(n);
    say_litmus();
    say_clocks();
}

static void say_turns(const char *what)
{
    uint64_t sum = 0, least = UINT64_MAX, most = 0;

    for (unsigned i = 0; i < run.n_cpus; i++) {
        uint64_t n = cpu_at(i)->n_turns;
        sum += n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    print("%s: %lu a second, each CPU %lu to %lu\n", what, sum / run.seconds, least, most);
}

static void measure(Cpu *cpu, Stage kind, const char *what)
{
    run_stage(cpu, kind, in_ms(run.seconds * 1000));
    say_turns(what);
}

static void measure_wake_ups(Cpu *cpu)
{
    uint64_t laps = 200 * run.seconds, begin = read_tsc();

    run_stage(cpu, STAGE_CHAIN, laps);
    print("token: %lu ns from CPU to CPU\n", to_ns(read_tsc() - begin) / (laps * run.n_cpus));
    if (run.n_cpus < 5)
        return;
    begin = read_tsc();
    run_stage(cpu, STAGE_BESIDE, laps);
    print("beside busy CPUs: %lu ns from CPU to CPU\n", to_ns(read_tsc() - begin) / (2 * laps));
}

void main_boot_cpu(Cpu *cpu)
{
    read_options((const char *)(uintptr_t) *
                 (const uint32_t *)(uintptr_t)(zero_page + ZERO_PAGE_COMMAND_LINE));
    start_boot_cpu();
    measure_clocks(cpu);
    init_mappings();
    init_code();
    init_clocks(cpu);
    check_atomics(cpu);
    start_other_cpus();
    finish_stage(cpu);
    print("%lu CPUs, %s, TSC %lu MHz, APIC timer %lu MHz\n", run.n_cpus,
          run.x2apic ? "x2APIC" : "xAPIC", run.tsc_hz / 1000000, run.apic_hz / 1000000);
    if (run.mode[0] == 't')
        measure(cpu, STAGE_TICKETS, "ticket lock");
    else if (run.mode[0] == 'b')
        measure(cpu, STAGE_BUSY, "busy loops");
    else if (run.mode[0] == 'w')
        measure_wake_ups(cpu);
    else
        stress(cpu);
    end_run(true);
}
