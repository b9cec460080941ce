/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "lockstep-classes.h"
#include <stdio.h>
#include <string.h>

#define DATA 0x30000
#define DATA_SIZE 0x1000
#define TASK_STACK 0x2C000
#define MOST 2000u
#define RFLAGS_NT (1u << 14)

typedef struct {
    const char *name;
    CpuHarnessMode mode;
    bool with_nmi;
    int interrupt;       /* the board has it from the start; 0: none */
    const char *differs; /* what this host's KVM gets wrong at speed, or NULL */
} Class;

static const Class classes[] = {
    { "sse_moves", CPU_HARNESS_LONG },
    { "sse_arithmetic", CPU_HARNESS_LONG },
    { "sse4", CPU_HARNESS_LONG },
    { "mmx", CPU_HARNESS_LONG },
    { "x87", CPU_HARNESS_LONG },
    { "x87_state", CPU_HARNESS_LONG },
    { "extended_state", CPU_HARNESS_LONG },
    { "compare_exchange", CPU_HARNESS_LONG },
    { "locked", CPU_HARNESS_LONG },
    { "strings", CPU_HARNESS_LONG },
    { "bit_fields", CPU_HARNESS_LONG },
    { "far_transfers", CPU_HARNESS_LONG },
    { "segment_loads", CPU_HARNESS_LONG },
    { "tables", CPU_HARNESS_LONG },
    { "control_registers", CPU_HARNESS_LONG },
    { "task_priority", CPU_HARNESS_LONG },
    { "debug_registers", CPU_HARNESS_LONG },
    { "model_specific", CPU_HARNESS_LONG },
    { "caches", CPU_HARNESS_LONG },
    { "flags", CPU_HARNESS_LONG },
    { "fault_undefined", CPU_HARNESS_LONG },
    { "fault_misaligned", CPU_HARNESS_LONG },
    { "fault_absent", CPU_HARNESS_LONG },
    { "fault_read_only", CPU_HARNESS_LONG },
    { "fault_not_available", CPU_HARNESS_LONG },
    { "fault_simd", CPU_HARNESS_LONG },
    { "fault_x87", CPU_HARNESS_LONG },
    { "fault_division", CPU_HARNESS_LONG },
    { "software_interrupt", CPU_HARNESS_LONG },
    { "trap_flag", CPU_HARNESS_LONG },
    { "shadow", CPU_HARNESS_LONG },
    { "nmi_in_nmi", CPU_HARNESS_LONG, .with_nmi = true },
    { "interrupt", CPU_HARNESS_LONG, .interrupt = 0x60 },
    { "to_ring_3", CPU_HARNESS_LONG },
    { "system_calls", CPU_HARNESS_LONG,
      .differs = "what SYSCALL enters has ring 3's rights: SWAPGS and SYSRET are #GP" },
    { "ports_of_ring_3", CPU_HARNESS_LONG,
      .differs = "IRET to ring 3 loses IOPL: CLI is #GP, and IN without a bitmap" },
    { "closes_segments", CPU_HARNESS_LONG, .differs = "IRET leaves ring 3 the segments of ring 0" },
    { "decimal", CPU_HARNESS_PROTECTED },
    { "pushes", CPU_HARNESS_PROTECTED },
    { "pointers", CPU_HARNESS_PROTECTED },
    { "far_32", CPU_HARNESS_PROTECTED },
    { "tasks", CPU_HARNESS_PROTECTED },
    { "sse_32", CPU_HARNESS_PROTECTED },
    { "real", CPU_HARNESS_REAL },
};

static void poke(uint8_t *ram, uint64_t at, uint64_t value, unsigned size)
{
    memcpy(ram + at, &value, size);
}

static void set_descriptor(uint8_t *ram, unsigned selector, uint64_t base, uint64_t limit,
                           uint64_t attributes)
{
    poke(ram, CPU_HARNESS_GDT + selector,
         (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | attributes << 40 | (base >> 24) << 56, 8);
}

/* The second task: where it starts, and flat segments. */
static void set_task(CpuHarness *harness)
{
    uint8_t *ram = cpu_harness_ram(harness);
    uint64_t one = cpu_harness_snippet(harness, "task_1");
    uint64_t two = cpu_harness_snippet(harness, "task_2");
    memset(ram + one, 0, 104);
    memset(ram + two, 0, 104);
    poke(ram, two + 0x20, cpu_harness_snippet(harness, "task_2_code"), 4);
    poke(ram, two + 0x24, 2, 4);
    poke(ram, two + 0x38, TASK_STACK, 4);
    for (unsigned i = 0; i < 6; i++)
        poke(ram, two + 0x48 + 4 * i, i == CPU_CS ? CPU_HARNESS_CODE32 : CPU_HARNESS_DATA, 2);
    set_descriptor(ram, 0x60, one, 0x67, 0x89);
    set_descriptor(ram, 0x68, two, 0x67, 0x89);
}

/* Memory as every piece finds it, in the one's RAM: the other gets it from there. */
static void set_memory(Lockstep *l, const char *image)
{
    CpuHarness *harness = lockstep_harness(l, 0);
    uint8_t *ram = cpu_harness_ram(harness);
    cpu_harness_write_tables(harness);
    cpu_harness_load(harness, image);
    set_task(harness);
    set_descriptor(ram, 0x70, 0, 0x7, 0x82); /* a LDT */
    poke(ram, 0x78 + CPU_HARNESS_GDT, 0, 8);
    ram[CPU_HARNESS_GDT + CPU_HARNESS_TASK + 5] &= ~2; /* not busy */
    poke(ram, CPU_HARNESS_PML4 + 0x1008, 0, 8);        /* the second gigabyte is not there */
    for (unsigned i = 0; i < DATA_SIZE / 4; i++)
        poke(ram, DATA + 4 * i, 0x3F8A0001u + i * 0x01030507u, 4);
    poke(ram, DATA + 256, 0x37F, 2);
    memset(ram + DATA + DATA_SIZE, 0, 0x8000);
}

static void set_state(Lockstep *l, const Class *class, CpuState *state)
{
    CpuHarness *harness = lockstep_harness(l, 0);
    uint64_t at = cpu_harness_snippet(harness, class->name);
    cpu_harness_init_state(harness, state, class->mode, at);
    state->gdt.limit = 0xFFF;
    state->gpr[3] = DATA;
    if (class->mode == CPU_HARNESS_REAL) {
        state->segment[CPU_CS].selector = 0x1000;
        state->segment[CPU_CS].base = 0x10000;
        state->rip -= 0x10000;
        state->gpr[4] = 0x7000;
    }
    state->nmi_blocked = class->with_nmi;
}

static void raise_what_waits(Lockstep *l, const Class *class)
{
    for (unsigned i = 0; i < 2; i++) {
        if (class->with_nmi)
            vcpu_signal(cpu_harness_vcpu(lockstep_harness(l, i)), VCPU_SIGNAL_NMI);
        if (class->interrupt)
            cpu_harness_raise(lockstep_harness(l, i), class->interrupt);
    }
}

static uint64_t n_assisted(Lockstep *l)
{
    return cpu_harness_n_assisted(lockstep_harness(l, 0)) +
           cpu_harness_n_assisted(lockstep_harness(l, 1));
}

/* A piece that ends by an exception has not shown what it is for. */
static char *check_end(Lockstep *l, const Class *class)
{
    Vcpu *vcpu = cpu_harness_vcpu(lockstep_harness(l, 0));
    CpuState state;
    uint64_t frame[3];
    vcpu->ops->get_state(vcpu, &state);
    int vector = cpu_harness_vector(&state);
    if ((class->with_nmi || class->interrupt) && (uint32_t)state.gpr[15] != 1)
        return g_strdup("what waited was not delivered once\n");
    if (vector < 0)
        return NULL;
    memcpy(frame, cpu_harness_ram(lockstep_harness(l, 0)) + (uint32_t)state.gpr[4], sizeof frame);
    return g_strdup_printf("ended by exception %d; on the stack: %" G_GINT64_MODIFIER
                           "x %" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x\n",
                           vector, frame[0], frame[1], frame[2]);
}

static char *run_class(Lockstep *l, const Class *class, const char *image, uint64_t *n)
{
    CpuState state;
    uint64_t before = n_assisted(l), steps = 0;
    char *report = NULL;
    bool differs = class->differs && cpu_harness_known_difference(lockstep_harness(l, 1),
                                                                  class->name, class->differs);
    /* A step takes no signals. */
    if (!class->with_nmi && !class->interrupt && (!differs || lockstep_is_assisted(l, 1))) {
        set_memory(l, image);
        set_state(l, class, &state);
        report = lockstep_step(l, &state, MOST, &steps);
    }
    uint64_t stepped = n_assisted(l) - before;
    if (!report && !differs) {
        set_memory(l, image);
        set_state(l, class, &state);
        raise_what_waits(l, class);
        report = lockstep_run(l, &state);
    }
    *n += steps;
    if (!report)
        report = check_end(l, class);
    if (!report && lockstep_is_assisted(l, 1) && 2 * stepped < steps) /* a fault retires nothing */
        report = g_strdup("KVM was not helped\n");
    printf("  %-20s %4" G_GUINT64_FORMAT " instructions; executed for KVM: %" G_GUINT64_FORMAT
           " in steps, %" G_GUINT64_FORMAT " at speed\n",
           class->name, steps, stepped, n_assisted(l) - before - stepped);
    return report;
}

char *lockstep_classes(Lockstep *l, const char *image, uint64_t *out_n)
{
    GString *all = g_string_new(NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autofree char *report = run_class(l, &classes[i], image, out_n);
        if (report)
            g_string_append_printf(all, "%s: %s", classes[i].name, report);
    }
    return g_string_free(all, all->len == 0);
}
