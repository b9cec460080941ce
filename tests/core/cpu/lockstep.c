/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "lockstep.h"
#include "lockstep-insn.h"
#include "lockstep-report.h"
#include <string.h>

#define CATCH_UP_MAX 64u
#define REPEATS_MAX 100000u /* iterations of a string instruction */

struct Lockstep {
    CpuHarness *harness[2];
    const char *name[2];
    bool is_assisted[2];
    uint64_t watch_gpa;
    size_t watch_length;
    uint8_t *before; /* owned: the watched memory at the start */
    uint64_t planted_rip;
};

static const char *const cpu_names[] = { "interpreted", "translated", "kvm", "assisted" };

bool lockstep_parse_cpu(const char *name, LockstepCpu *out_cpu)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cpu_names); i++) {
        if (strcmp(name, cpu_names[i]) == 0) {
            *out_cpu = (LockstepCpu)i;
            return true;
        }
    }
    return false;
}

static CpuHarness *harness_of(LockstepCpu cpu)
{
    /* Read when a CPU is made. */
    g_setenv("VITRINE_TRANSLATOR", cpu == LOCKSTEP_TRANSLATED ? "always" : "never", TRUE);
    return cpu_harness_new(cpu >= LOCKSTEP_KVM ? &cpu_kvm_ops : &cpu_soft_ops);
}

Lockstep *lockstep_new(LockstepCpu one, LockstepCpu other)
{
    Lockstep *l = g_new0(Lockstep, 1);
    l->harness[0] = harness_of(one);
    l->harness[1] = harness_of(other);
    l->name[0] = cpu_names[one];
    l->name[1] = cpu_names[other];
    l->is_assisted[0] = one == LOCKSTEP_ASSISTED;
    l->is_assisted[1] = other == LOCKSTEP_ASSISTED;
    l->planted_rip = UINT64_MAX;
    lockstep_watch(l, CPU_HARNESS_GDT, 0x40000 - CPU_HARNESS_GDT);
    return l;
}

void lockstep_free(Lockstep *l)
{
    cpu_harness_free(l->harness[0]);
    cpu_harness_free(l->harness[1]);
    g_free(l->before);
    g_free(l);
}

CpuHarness *lockstep_harness(Lockstep *l, unsigned i)
{
    return l->harness[i];
}

bool lockstep_is_assisted(const Lockstep *l, unsigned i)
{
    return l->is_assisted[i];
}

void lockstep_put(Lockstep *l, uint64_t gpa, const void *bytes, size_t length)
{
    cpu_harness_put(l->harness[0], gpa, bytes, length);
    cpu_harness_put(l->harness[1], gpa, bytes, length);
}

void lockstep_watch(Lockstep *l, uint64_t gpa, size_t length)
{
    l->watch_gpa = gpa;
    l->watch_length = length;
    l->before = g_realloc(l->before, length);
}

void lockstep_plant(Lockstep *l, uint64_t rip)
{
    l->planted_rip = rip;
}

static uint8_t *watched(Lockstep *l, unsigned i)
{
    return cpu_harness_ram(l->harness[i]) + l->watch_gpa;
}

/* Both from the same memory: that of the one. */
static void begin(Lockstep *l, const CpuState *start)
{
    memcpy(l->before, watched(l, 0), l->watch_length);
    cpu_harness_put(l->harness[1], l->watch_gpa, l->before, l->watch_length);
    for (unsigned i = 0; i < 2; i++)
        cpu_harness_begin(l->harness[i], start);
}

static const char *difference(Lockstep *l, const CpuState state[2])
{
    const char *field = lockstep_compare(&state[0], &state[1]);
    if (field)
        return field;
    return memcmp(watched(l, 0), watched(l, 1), l->watch_length) ? "memory" : NULL;
}

static void plant(Lockstep *l, CpuState *state)
{
    Vcpu *other = cpu_harness_vcpu(l->harness[1]);
    state->gpr[2] ^= 1u << 4;
    other->ops->set_state(other, state);
}

/* One instruction, a string instruction with all its iterations: backends differ in how many they
 * do at a time. */
static CpuExit step_whole(Lockstep *l, unsigned i, CpuState *state)
{
    uint64_t rip = state->rip;
    bool repeats = lockstep_is_repeated_string(l->harness[i], state);
    CpuExit exit = CPU_EXIT_STOPPED;
    if (i == 1 && rip == l->planted_rip) {
        plant(l, state);
        l->planted_rip = UINT64_MAX;
    }
    for (unsigned n = 0; n < REPEATS_MAX; n++) {
        exit = l->is_assisted[i] ? cpu_harness_assist(l->harness[i], state)
                                 : cpu_harness_step(l->harness[i], state);
        if (!repeats || state->rip != rip || exit != CPU_EXIT_STOPPED)
            break;
    }
    return exit;
}

/* KVM's single step may go further than an instruction: a fault and the first of its handler. The
 * other follows to where it stands. */
static void catch_up(Lockstep *l, CpuState state[2], CpuExit exit[2])
{
    bool second = cpu_harness_is_kvm(l->harness[1]);
    unsigned behind = second ? 0 : 1;
    if (!second && !cpu_harness_is_kvm(l->harness[0]))
        return;
    for (unsigned n = 0; n < CATCH_UP_MAX; n++) {
        if (exit[0] == exit[1] && state[0].rip == state[1].rip)
            return;
        exit[behind] = step_whole(l, behind, &state[behind]);
    }
}

static bool clears_upper_halves(Lockstep *l)
{
    for (unsigned i = 0; i < 2; i++)
        if (!l->is_assisted[i] &&
            cpu_harness_known_difference(l->harness[i], "CMPXCHG of 32-bit registers",
                                         "the upper half is cleared when they are not equal"))
            return true;
    return false;
}

/* Flags that the instruction leaves undefined become those of the one. */
static void settle(Lockstep *l, const CpuState *before, CpuState state[2])
{
    Vcpu *other = cpu_harness_vcpu(l->harness[1]);
    uint64_t undefined =
        (state[0].rflags ^ state[1].rflags) & lockstep_undefined_flags(l->harness[0], before);
    uint64_t upper = 0;
    if (lockstep_is_register_cmpxchg(l->harness[0], before))
        for (unsigned i = 0; i < 16; i++)
            upper |= (state[0].gpr[i] ^ state[1].gpr[i]) >> 32;
    if (upper && clears_upper_halves(l))
        memcpy(state[1].gpr, state[0].gpr, sizeof state[1].gpr);
    else if (!undefined)
        return;
    state[1].rflags ^= undefined;
    other->ops->set_state(other, &state[1]);
}

/* Both at ring 3, which cannot be stepped on the one or the other: to the end at once. */
static bool goes_on(Lockstep *l, const CpuState *state)
{
    if (!(state->cr0 & 1) || (state->segment[CPU_CS].selector & 3) != 3)
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (!l->is_assisted[i] &&
            cpu_harness_known_difference(l->harness[i], "single-stepping ring 3",
                                         "the guest gets the #DB; it runs to its end instead"))
            return true;
    return false;
}

char *lockstep_step(Lockstep *l, const CpuState *start, uint64_t most, uint64_t *out_n)
{
    CpuState state[2] = { *start, *start }, before;
    begin(l, start);
    for (*out_n = 0; *out_n < most;) {
        CpuExit exit[2];
        before = state[0];
        bool to_end = goes_on(l, &before);
        for (unsigned i = 0; i < 2; i++)
            exit[i] =
                to_end ? cpu_harness_go_on(l->harness[i], &state[i]) : step_whole(l, i, &state[i]);
        catch_up(l, state, exit);
        settle(l, &before, state);
        (*out_n)++;
        const char *field = exit[0] != exit[1] ? "how it ends" : difference(l, state);
        if (field) {
            LockstepReport report = { field, *out_n, l->name, l->harness, &before, state };
            return lockstep_report(&report, l->watch_gpa, l->watch_length);
        }
        if (exit[0] != CPU_EXIT_STOPPED)
            break;
    }
    return NULL;
}

char *lockstep_run(Lockstep *l, const CpuState *start)
{
    CpuState state[2];
    CpuExit exit[2];
    uint64_t n;
    begin(l, start);
    state[1] = *start;
    if (l->planted_rip == start->rip)
        plant(l, &state[1]);
    for (unsigned i = 0; i < 2; i++)
        exit[i] = cpu_harness_go_on(l->harness[i], &state[i]);
    const char *field = exit[0] != exit[1] ? "how it ends" : difference(l, state);
    if (!field)
        return NULL;
    LockstepReport at_end = { field, 0, l->name, l->harness, start, state };
    g_autofree char *end = lockstep_report(&at_end, l->watch_gpa, l->watch_length);
    for (unsigned i = 0; i < 2; i++)
        cpu_harness_put(l->harness[i], l->watch_gpa, l->before, l->watch_length);
    char *where = lockstep_step(l, start, UINT64_MAX, &n);
    if (where)
        return where;
    return g_strdup_printf("Instruction by instruction they agree; at full speed they end so:\n%s",
                           end);
}
