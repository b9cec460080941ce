/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Clocks that all CPUs share: the TSC, kvmclock where the monitor has it, Hyper-V's reference page
 * where the command line says so (hyperv=1), and the HPET, which is the monitor's own time. None
 * runs backwards, whoever looks, and they go on together. */

#include "smp.h"

#define MSR_SYSTEM_TIME 0x4B564D01
#define MSR_GUEST_OS_ID 0x40000000
#define MSR_REFERENCE_TSC 0x40000021
#define FEATURE_CLOCK (1u << 3)
#define HPET UINT64_C(0xFED00000)
enum { HPET_CAPABILITIES = 0, HPET_CONFIGURATION = 0x10, HPET_COUNTER = 0xF0 };
#define HPET_MAX_PERIOD_FS 100000000
#define SLACK_NS 10000000
#define HYPERV_SLACK_NS 100000

static volatile struct {
    uint32_t version, reserved;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, reserved2[2];
} __attribute__((aligned(32))) info[MAX_CPUS];

static volatile struct {
    uint32_t sequence, reserved;
    uint64_t scale, offset;
} __attribute__((aligned(4096))) reference;

static bool has_kvmclock;
static uint64_t hpet_period_fs; /* 0: there is none */
static uint64_t hpet_begin, time_begin;

static volatile uint64_t *hpet(unsigned offset)
{
    return (volatile uint64_t *)(uintptr_t)(HPET + offset);
}

/* Ring 0. */
static bool find_kvmclock(uint32_t base)
{
    uint32_t eax = base, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (ebx != 0x4B4D564B || ecx != 0x564B4D56 || edx != 0x4D) /* KVMKVMKVM */
        return false;
    eax = base + 1;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return eax & FEATURE_CLOCK;
}

/* Ring 0, each time that a CPU starts. */
void start_clock(Cpu *cpu)
{
    if (!find_kvmclock(0x40000000) && !find_kvmclock(0x40000100))
        return;
    write_msr(MSR_SYSTEM_TIME, (uintptr_t)&info[cpu->id] | 1);
    has_kvmclock = true;
}

uint64_t tsc_hz_by_kvmclock(const Cpu *cpu)
{
    int shift = info[cpu->id].shift;

    if (!has_kvmclock)
        return 0;
    uint64_t hz = (UINT64_C(1000000000) << 32) / info[cpu->id].mul;
    return shift < 0 ? hz << -shift : hz >> shift;
}

static uint64_t scale(const Cpu *cpu, uint64_t ticks)
{
    int shift = info[cpu->id].shift;

    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)((unsigned __int128)ticks * info[cpu->id].mul >> 32);
}

static uint64_t read_kvmclock(const Cpu *cpu)
{
    uint64_t version, ns;

    do {
        version = info[cpu->id].version;
        __asm__ volatile("" ::: "memory");
        ns = scale(cpu, read_tsc() - info[cpu->id].tsc_timestamp) + info[cpu->id].system_time;
        __asm__ volatile("lfence" ::: "memory");
    } while (version != info[cpu->id].version || version & 1);
    return ns;
}

static uint64_t read_reference(void)
{
    uint64_t sequence, time;

    do {
        sequence = reference.sequence;
        __asm__ volatile("" ::: "memory");
        time = (uint64_t)((unsigned __int128)read_tsc() * reference.scale >> 64) + reference.offset;
        __asm__ volatile("lfence" ::: "memory");
    } while (sequence != reference.sequence || sequence == 0);
    return time * 100;
}

static uint64_t hpet_ns(void)
{
    return (*hpet(HPET_COUNTER) - hpet_begin) * (hpet_period_fs / 1000) / 1000;
}

void init_clocks(Cpu *cpu)
{
    uint64_t period = *hpet(HPET_CAPABILITIES) >> 32;

    if (run.hyperv) {
        write_msr(MSR_GUEST_OS_ID, 1);
        write_msr(MSR_REFERENCE_TSC, (uintptr_t)&reference | 1);
    }
    if (!has_kvmclock || period == 0 || period > HPET_MAX_PERIOD_FS)
        return;
    *hpet(HPET_CONFIGURATION) |= 1;
    hpet_period_fs = period;
    hpet_begin = *hpet(HPET_COUNTER);
    time_begin = read_kvmclock(cpu);
}

/* No CPU reads a time before one that it has been told. */
static void check_order(Cpu *cpu, const char *name, uint64_t *newest, uint64_t told, uint64_t now)
{
    if (now < told)
        fail(cpu, "%s is %lu behind what another CPU has read before", name, told - now);
    while (told < now && !__atomic_compare_exchange_n(newest, &told, now, false, __ATOMIC_SEQ_CST,
                                                      __ATOMIC_SEQ_CST))
        ;
}

static void check_rate(Cpu *cpu)
{
    uint64_t before = read_kvmclock(cpu) - time_begin, real = hpet_ns(),
             after = read_kvmclock(cpu) - time_begin;

    if (before > real + SLACK_NS || after + SLACK_NS < real)
        fail(cpu, "kvmclock says %lu to %lu ns when the HPET says %lu", before, after, real);
}

/* By the same TSC they are the same time. */
static void check_reference(Cpu *cpu)
{
    uint64_t before = read_kvmclock(cpu), time = read_reference(), after = read_kvmclock(cpu);

    if (time + HYPERV_SLACK_NS < before || time > after + HYPERV_SLACK_NS)
        fail(cpu, "Hyper-V's reference says %lu ns when kvmclock says %lu to %lu", time, before,
             after);
}

void do_clock(Cpu *cpu)
{
    static uint64_t newest_tsc, newest_time;

    for (unsigned i = 0; i < 64; i++) {
        uint64_t told = __atomic_load_n(&newest_tsc, __ATOMIC_ACQUIRE);
        check_order(cpu, "the TSC", &newest_tsc, told, read_tsc());
        if (!has_kvmclock)
            continue;
        told = __atomic_load_n(&newest_time, __ATOMIC_ACQUIRE);
        check_order(cpu, "kvmclock", &newest_time, told, read_kvmclock(cpu));
    }
    if (hpet_period_fs)
        check_rate(cpu);
    if (run.hyperv && has_kvmclock)
        check_reference(cpu);
    cpu->n_times++;
}

void say_clocks(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < run.n_cpus; i++)
        n += cpu_at(i)->n_times;
    print("clocks compared %lu times: TSC%s%s%s\n", n, has_kvmclock ? ", kvmclock" : "",
          run.hyperv ? ", Hyper-V's" : "", hpet_period_fs ? ", HPET" : "");
}
