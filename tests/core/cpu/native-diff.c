/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The integer instructions against the processor: random sequences run natively and on the software
 * CPU from the same state; registers, all arithmetic flags and memory must be equal. Undefined
 * flags too, for both run the same instruction on the same processor.
 *
 *   native-diff [--count N] [--seed S]     N instruction instances; stops at the tenth difference
 */

#include "cpu-harness.h"
#include "native-gen.h"
#include "native-run.h"
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS 0xCD5u /* CF PF AF ZF SF DF OF */
#define SLOT 0x800u  /* bytes of code area a sequence gets */
#define N_INPUTS 3

typedef struct {
    CpuHarness *harness;
    NativeRandom random;
    uint8_t *guest_scratch, *host_scratch;
    unsigned slot, n_different;
    uint64_t n_instances;
} Diff;

/* The guest ends by HLT, which ring 3 may not: #GP, with RIP, RFLAGS and RSP in the frame. */
static int run_guest(Diff *t, NativeState *s, bool is32, uint64_t end)
{
    static CpuState template;
    if (!template.cr0)
        cpu_harness_init_state(t->harness, &template, CPU_HARNESS_LONG_USER, 0);
    CpuState state = template;
    if (is32) {
        state.segment[CPU_CS].selector = CPU_HARNESS_USER_CODE32;
        state.segment[CPU_CS].attributes = 0xC0FB;
    }
    memcpy(state.gpr, s->gpr, sizeof s->gpr);
    state.rip = s->rip;
    state.rflags = s->rflags;
    cpu_harness_run(t->harness, &state);
    int vector = cpu_harness_vector(&state);
    const uint8_t *frame = cpu_harness_ram(t->harness) + CPU_HARNESS_STACK0;
    memcpy(s->gpr, state.gpr, sizeof s->gpr);
    memcpy(&s->gpr[4], frame - 16, 8);
    memcpy(&s->rflags, frame - 24, 8);
    memcpy(&s->rip, frame - 40, 8);
    return vector == 13 && s->rip == end ? -1 : vector;
}

static void print_state(const char *what, const NativeState *s)
{
    static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    printf("  %s: flags %03x rip %llx", what, (unsigned)(s->rflags & FLAGS),
           (unsigned long long)s->rip);
    for (unsigned i = 0; i < 16; i++)
        printf(" %s %llx", names[i], (unsigned long long)s->gpr[i]);
    printf("\n");
}

static void report(Diff *t, const NativeGen *g, const NativeState *before,
                   const NativeState *native, int native_vector, const NativeState *soft,
                   int soft_vector)
{
    t->n_different++;
    printf("difference (%d-bit), code at %x:", g->is32 ? 32 : 64, g->address);
    for (unsigned i = 0; i < g->length; i++)
        printf(" %02x", g->bytes[i]);
    printf("\n  vector: processor %d, software %d\n", native_vector, soft_vector);
    print_state("before", before);
    print_state("processor", native);
    print_state("software ", soft);
    for (unsigned i = 0, shown = 0; i < NATIVE_SCRATCH_SIZE && shown < 8; i++)
        if (t->host_scratch[i] != t->guest_scratch[i]) {
            printf("  memory %x: processor %02x, software %02x\n", NATIVE_SCRATCH + i,
                   t->host_scratch[i], t->guest_scratch[i]);
            shown++;
        }
    memcpy(t->guest_scratch, t->host_scratch, NATIVE_SCRATCH_SIZE);
}

static void compare_once(Diff *t, const NativeGen *g)
{
    NativeState before, native, soft;
    native_random_registers(&t->random, g->is32, before.gpr, &before.rflags);
    before.rip = g->address;
    native = soft = before;
    uint64_t end = g->address + g->length;
    int native_vector = native_run(&native, g->is32);
    int soft_vector = run_guest(t, &soft, g->is32, end);
    bool same = native_vector == soft_vector && ((native.rflags ^ soft.rflags) & FLAGS) == 0 &&
                (native_vector < 0 || native.rip == soft.rip) &&
                memcmp(t->host_scratch, t->guest_scratch, NATIVE_SCRATCH_SIZE) == 0;
    for (unsigned i = 0; i < (g->is32 ? 8 : 16); i++)
        same &= g->is32 ? (uint32_t)native.gpr[i] == (uint32_t)soft.gpr[i]
                        : native.gpr[i] == soft.gpr[i];
    t->n_instances += g->n_instructions;
    if (!same)
        report(t, g, &before, &native, native_vector, &soft, soft_vector);
}

static void compare_sequence(Diff *t)
{
    NativeGen g = { .random = &t->random, .is32 = native_random_below(&t->random, 4) == 0 };
    g.address = NATIVE_CODE + t->slot * SLOT + native_random_below(&t->random, 64);
    t->slot = (t->slot + 1) % (NATIVE_CODE_SIZE / SLOT);
    unsigned n = 1 + native_random_below(&t->random, 8);
    while (n-- > 0)
        native_gen_instruction(&g);
    memcpy((void *)(uintptr_t)g.address, g.bytes, g.length);
    native_put_end((uint8_t *)(uintptr_t)g.address + g.length, g.is32);
    uint8_t code[NATIVE_GEN_MAX + 1];
    memcpy(code, g.bytes, g.length);
    code[g.length] = 0xF4;
    cpu_harness_put(t->harness, g.address, code, g.length + 1);
    for (unsigned i = 0; i < N_INPUTS; i++)
        compare_once(t, &g);
}

int main(int argc, char **argv)
{
    uint64_t count = 200000, seed = 20221122;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--count"))
            count = strtoull(argv[i + 1], NULL, 0);
        else if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 0);
    }
    if (!native_init()) {
        printf("low memory cannot be mapped here (vm.mmap_min_addr?)\n");
        return 77;
    }
    Diff t = { .harness = cpu_harness_new(cpu_harness_choose()), .random = { seed | 1 } };
    t.host_scratch = (uint8_t *)(uintptr_t)NATIVE_SCRATCH;
    t.guest_scratch = cpu_harness_ram(t.harness) + NATIVE_SCRATCH;
    for (unsigned i = 0; i < NATIVE_SCRATCH_SIZE; i++)
        t.host_scratch[i] = t.guest_scratch[i] = (uint8_t)native_random(&t.random);
    while (t.n_instances < count && t.n_different < 10)
        compare_sequence(&t);
    printf("%" G_GUINT64_FORMAT " instruction instances, %u differences\n", t.n_instances,
           t.n_different);
    cpu_harness_free(t.harness);
    return t.n_different != 0;
}
