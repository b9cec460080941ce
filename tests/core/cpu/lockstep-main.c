/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Two CPUs run the same guest, and the first difference is reported.
 *
 *   lockstep [--cpus ONE,OTHER] [--guest GUEST] [--count N] [--seed S] [--plant]
 *
 * CPUs: interpreted, translated, kvm, assisted (KVM that needs help with each
 * instruction). Guests:
 *   boot    lockstep-guest.asm, compared after each instruction
 *   classes lockstep-classes.asm: each class of instructions and of faults, in steps and at speed
 *   kernel  random integer code in ring 0, compared after each instruction
 *   user    random integer code in ring 3, in loops, compared where it ends (the default)
 * --count: instructions at least. --plant: the other CPU is made to err once, and it must be found:
 * that is then the success. Exit status: 0 they agree, 1 they differ, 77 a CPU cannot be had. */

#include "lockstep-classes.h"
#include "native-gen.h"
#include "native-run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUEST_AT 0x10000
#define LOOPS 16
#define COUNTER                                                                                    \
    (NATIVE_SCRATCH + NATIVE_SCRATCH_SIZE + 0x100) /* beyond what random code writes               \
                                                    */
#define SLOT 0x800u
#define LENGTH_MAX 900u
#define PLANT_TRIES 20 /* code may overwrite what was planted */

static struct {
    char *cpus, *guest;
    gint64 count, seed;
    gboolean plant;
} options = { .count = 1000000, .seed = 20221122 };

typedef struct {
    Lockstep *lockstep;
    NativeRandom random;
    unsigned slot;
    uint64_t n, n_sequences;
} Run;

/* Exit status for the @report of a difference, which is freed; NULL: none. */
static int conclude(char *report)
{
    g_autofree char *text = report;
    if (report)
        printf("%s", report);
    if (!options.plant)
        return report != NULL;
    bool found = report && strstr(report, "rdx differs");
    printf(found ? "the planted difference was found\n" : "the planted difference was not found\n");
    return !found;
}

static int run_boot(Run *r)
{
    g_autofree char *image = NULL;
    gsize length;
    CpuState state;
    g_assert_true(g_file_get_contents(LOCKSTEP_GUEST, &image, &length, NULL));
    lockstep_put(r->lockstep, GUEST_AT, image, length);
    /* The task is not busy yet. */
    uint8_t *gdt = cpu_harness_ram(lockstep_harness(r->lockstep, 0)) + CPU_HARNESS_GDT;
    gdt[CPU_HARNESS_TASK + 5] &= ~2;
    cpu_harness_init_state(lockstep_harness(r->lockstep, 0), &state, CPU_HARNESS_REAL, 0);
    state.segment[CPU_CS].selector = GUEST_AT >> 4;
    state.segment[CPU_CS].base = GUEST_AT;
    state.gpr[4] = 0x7000;
    if (options.plant)
        lockstep_plant(r->lockstep, 0x14); /* behind the first DIV */
    return conclude(lockstep_step(r->lockstep, &state, (uint64_t)options.count, &r->n));
}

/* A sequence at the next slot, and behind it, when @loops: DEC [COUNTER]; JNZ to its start. Then
 * HLT, which ring 3 may not, or the end of ring 0. */
static void put_sequence(Run *r, NativeGen *g, bool is_user)
{
    uint8_t code[NATIVE_GEN_MAX + 32];
    g->address = NATIVE_CODE + r->slot * SLOT + native_random_below(&r->random, 64);
    r->slot = (r->slot + 1) % (NATIVE_CODE_SIZE / SLOT);
    while (g->length < (is_user ? LENGTH_MAX : 100))
        native_gen_instruction(g);
    unsigned length = g->length;
    memcpy(code, g->bytes, length);
    if (is_user) {
        static const uint8_t dec64[] = { 0xFF, 0x0C, 0x25 }, dec32[] = { 0xFF, 0x0D };
        uint32_t counter = COUNTER;
        memcpy(code + length, g->is32 ? dec32 : dec64, g->is32 ? 2 : 3);
        length += g->is32 ? 2 : 3;
        memcpy(code + length, &counter, 4);
        length += 4;
        int32_t back = -(int32_t)(length + 6);
        memcpy(code + length, "\x0F\x85", 2);
        memcpy(code + length + 2, &back, 4);
        length += 6;
        code[length++] = 0xF4;
    } else {
        memcpy(code + length, CPU_HARNESS_END, CPU_HARNESS_END_LENGTH);
        length += CPU_HARNESS_END_LENGTH;
    }
    lockstep_put(r->lockstep, g->address, code, length);
}

static void random_state(Run *r, const NativeGen *g, CpuState *state, bool is_user)
{
    CpuHarnessMode mode = is_user   ? CPU_HARNESS_LONG_USER
                          : g->is32 ? CPU_HARNESS_PROTECTED
                                    : CPU_HARNESS_LONG;
    const uint32_t loops = LOOPS;
    cpu_harness_init_state(lockstep_harness(r->lockstep, 0), state, mode, g->address);
    if (is_user && g->is32) {
        state->segment[CPU_CS].selector = CPU_HARNESS_USER_CODE32;
        state->segment[CPU_CS].attributes = 0xC0FB;
    }
    native_random_registers(&r->random, g->is32, state->gpr, &state->rflags);
    lockstep_put(r->lockstep, COUNTER, &loops, sizeof loops);
}

/* 32-bit code is slow on some KVMs: little of it. */
static int run_random(Run *r, bool is_user)
{
    Vcpu *one = cpu_harness_vcpu(lockstep_harness(r->lockstep, 0));
    lockstep_watch(r->lockstep, NATIVE_SCRATCH - 0x4000, NATIVE_SCRATCH_SIZE + 0x5000);
    bool no_32 =
        is_user && cpu_harness_known_difference(lockstep_harness(r->lockstep, 1), "32-bit code",
                                                "what its emulator lacks is #UD in ring 3");
    uint8_t *scratch = cpu_harness_ram(lockstep_harness(r->lockstep, 0)) + NATIVE_SCRATCH;
    for (unsigned i = 0; i < NATIVE_SCRATCH_SIZE; i++)
        scratch[i] = (uint8_t)native_random(&r->random);
    while (r->n < (uint64_t)options.count) {
        NativeGen g = { .random = &r->random,
                        .is32 = !no_32 && native_random_below(&r->random, 16) == 0 };
        CpuState state;
        uint64_t before = one->ops->retired(one), n;
        put_sequence(r, &g, is_user);
        random_state(r, &g, &state, is_user);
        if (options.plant)
            lockstep_plant(r->lockstep, g.address);
        char *report = is_user ? lockstep_run(r->lockstep, &state)
                               : lockstep_step(r->lockstep, &state, UINT64_MAX, &n);
        r->n += is_user ? one->ops->retired(one) - before : n;
        r->n_sequences++;
        if (report || (options.plant && r->n_sequences == PLANT_TRIES))
            return conclude(report);
    }
    return 0;
}

static bool parse(int argc, char **argv, LockstepCpu cpu[2])
{
    const GOptionEntry entries[] = {
        { "cpus", 0, 0, G_OPTION_ARG_STRING, &options.cpus, "Two CPUs", "ONE,OTHER" },
        { "guest", 0, 0, G_OPTION_ARG_STRING, &options.guest, "boot, classes, kernel or user",
          "GUEST" },
        { "count", 0, 0, G_OPTION_ARG_INT64, &options.count, "Instructions", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed, "Of random code", "S" },
        { "plant", 0, 0, G_OPTION_ARG_NONE, &options.plant, "A difference that must be found",
          NULL },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "lockstep: %s\n", error->message);
        return false;
    }
    g_auto(GStrv) names =
        g_strsplit(options.cpus ? options.cpus : "interpreted,translated", ",", 2);
    if (g_strv_length(names) == 2 && lockstep_parse_cpu(names[0], &cpu[0]) &&
        lockstep_parse_cpu(names[1], &cpu[1]))
        return true;
    fprintf(stderr, "lockstep: --cpus wants two of interpreted, translated, kvm, assisted\n");
    return false;
}

int main(int argc, char **argv)
{
    LockstepCpu cpu[2];
    if (!parse(argc, argv, cpu))
        return 2;
    if (cpu[0] >= LOCKSTEP_KVM || cpu[1] >= LOCKSTEP_KVM) {
        g_setenv("VITRINE_TEST_CPU", "kvm", TRUE);
        cpu_harness_choose();
    }
    Run r = { .lockstep = lockstep_new(cpu[0], cpu[1]), .random = { (uint64_t)options.seed | 1 } };
    const char *guest = options.guest ? options.guest : "user";
    int status;
    if (strcmp(guest, "boot") == 0)
        status = run_boot(&r);
    else if (strcmp(guest, "classes") == 0)
        status = conclude(lockstep_classes(r.lockstep, LOCKSTEP_CLASSES, &r.n));
    else
        status = run_random(&r, strcmp(guest, "kernel") != 0);
    printf("%s guest: %" G_GUINT64_FORMAT " instructions compared; KVM had %" G_GUINT64_FORMAT
           " executed for it\n",
           guest, r.n,
           cpu_harness_n_assisted(lockstep_harness(r.lockstep, 0)) +
               cpu_harness_n_assisted(lockstep_harness(r.lockstep, 1)));
    lockstep_free(r.lockstep);
    return status;
}
