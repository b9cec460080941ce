/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What the harness's guests find in memory, and the states that they begin with. */

#include "cpu-harness.h"
#include <string.h>

enum {
    CODE64 = 0xA09B,
    CODE32 = 0xC09B,
    CODE16 = 0x009B,
    DATA32 = 0xC093,
    DATA16 = 0x0093,
    USER = 3 << 5,
};
#define FLAT 0xFFFFFFFFu
#define TSS_IO_BITMAP 104
#define TSS_LIMIT (TSS_IO_BITMAP + 8192)

static void harness_write64(CpuHarness *h, uint64_t gpa, uint64_t value)
{
    memcpy(cpu_harness_ram(h) + gpa, &value, sizeof value);
}

static void harness_set_descriptor(CpuHarness *h, unsigned selector, uint64_t base, uint32_t limit,
                                   unsigned attributes)
{
    uint32_t field = attributes & 0x8000 ? limit >> 12 : limit;
    uint64_t descriptor = (field & 0xFFFF) | (base & 0xFFFFFF) << 16 |
                          (uint64_t)(attributes & 0xFF) << 40 | (uint64_t)(field >> 16 & 15) << 48 |
                          (uint64_t)(attributes >> 12 & 15) << 52 | (base >> 24 & 0xFF) << 56;
    harness_write64(h, CPU_HARNESS_GDT + (selector & ~7u), descriptor);
}

void cpu_harness_write_tables(CpuHarness *h)
{
    harness_set_descriptor(h, CPU_HARNESS_CODE64, 0, FLAT, CODE64);
    harness_set_descriptor(h, CPU_HARNESS_DATA, 0, FLAT, DATA32);
    harness_set_descriptor(h, CPU_HARNESS_CODE32, 0, FLAT, CODE32);
    harness_set_descriptor(h, CPU_HARNESS_CODE16, 0, 0xFFFF, CODE16);
    harness_set_descriptor(h, CPU_HARNESS_DATA16, 0, 0xFFFF, DATA16);
    harness_set_descriptor(h, CPU_HARNESS_USER_CODE32, 0, FLAT, CODE32 | USER);
    harness_set_descriptor(h, CPU_HARNESS_USER_DATA, 0, FLAT, DATA32 | USER);
    harness_set_descriptor(h, CPU_HARNESS_USER_CODE64, 0, FLAT, CODE64 | USER);
    harness_set_descriptor(h, CPU_HARNESS_TASK, CPU_HARNESS_TSS, TSS_LIMIT, 0x8B);

    for (unsigned n = 0; n < 256; n++) {
        uint64_t target = CPU_HARNESS_VECTOR(n);
        uint64_t gate = (target & 0xFFFF) | UINT64_C(0xEE) << 40;
        memcpy(cpu_harness_ram(h) + target, CPU_HARNESS_END, CPU_HARNESS_END_LENGTH);
        harness_write64(h, CPU_HARNESS_IDT + 16 * n, gate | CPU_HARNESS_CODE64 << 16);
        harness_write64(h, CPU_HARNESS_IDT32 + 8 * n, gate | CPU_HARNESS_CODE32 << 16);
    }

    uint8_t *tss = cpu_harness_ram(h) + CPU_HARNESS_TSS;
    const uint64_t stack = CPU_HARNESS_STACK0;
    const uint16_t bitmap = TSS_IO_BITMAP;
    memcpy(tss + 4, &stack, sizeof stack);
    memcpy(tss + 102, &bitmap, sizeof bitmap);
    tss[TSS_LIMIT] = 0xFF;

    enum { PDPT = CPU_HARNESS_PML4 + 0x1000, PD = PDPT + 0x1000, FLAGS = 0x67 };
    harness_write64(h, CPU_HARNESS_PML4, PDPT | FLAGS);
    harness_write64(h, PDPT, PD | FLAGS);
    for (uint64_t i = 0; i < 512; i++)
        harness_write64(h, PD + 8 * i, i << 21 | FLAGS | 0x80);
}

#define SNIPPET_RECORD 32
#define SNIPPET_NAME 24

void cpu_harness_load(CpuHarness *h, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *image = NULL;
    gsize length;
    g_file_get_contents(path, &image, &length, &error);
    g_assert_no_error(error);
    cpu_harness_put(h, CPU_HARNESS_FREE, image, length);
}

uint64_t cpu_harness_snippet(CpuHarness *h, const char *name)
{
    const uint8_t *record = cpu_harness_ram(h) + CPU_HARNESS_FREE;
    for (; record[0]; record += SNIPPET_RECORD) {
        if (strcmp((const char *)record, name) == 0) {
            uint64_t address;
            memcpy(&address, record + SNIPPET_NAME, 8);
            return address;
        }
    }
    g_error("no snippet %s", name);
}

static void harness_set_segments(CpuState *state, unsigned code, unsigned code_attributes,
                                 unsigned data, unsigned data_attributes, uint32_t limit)
{
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        state->segment[i] = (CpuSegment){ .limit = limit,
                                          .selector = (uint16_t)data,
                                          .attributes = (uint16_t)data_attributes };
    state->segment[CPU_CS].selector = (uint16_t)code;
    state->segment[CPU_CS].attributes = (uint16_t)code_attributes;
}

void cpu_harness_init_state(CpuHarness *h, CpuState *state, CpuHarnessMode mode, uint64_t rip)
{
    cpu_state_reset(state, true);
    state->rip = rip;
    state->gpr[2] = 0;
    state->gpr[4] = CPU_HARNESS_STACK0 - 0x100;
    state->cr0 = 0x31;  /* PE, ET, NE */
    state->cr4 = 0x600; /* OSFXSR, OSXMMEXCPT */
    state->xcr0 = 3;
    state->xsave[0] = 0x7F; /* as FNINIT leaves it */
    state->xsave[1] = 0x03;
    state->xsave[4] = 0;
    state->gdt.base = CPU_HARNESS_GDT;
    state->gdt.limit = CPU_HARNESS_TASK + 15;
    state->task = (CpuSegment){ .base = CPU_HARNESS_TSS,
                                .limit = TSS_LIMIT,
                                .selector = CPU_HARNESS_TASK,
                                .attributes = 0x8B };
    switch (mode) {
    case CPU_HARNESS_REAL:
        state->cr0 &= ~UINT64_C(1);
        state->idt.base = 0;
        state->idt.limit = 0x3FF;
        harness_set_segments(state, 0, CODE16, 0, DATA16, 0xFFFF);
        break;
    case CPU_HARNESS_PROTECTED:
        state->idt.base = CPU_HARNESS_IDT32;
        state->idt.limit = 256 * 8 - 1;
        harness_set_segments(state, CPU_HARNESS_CODE32, CODE32, CPU_HARNESS_DATA, DATA32, FLAT);
        break;
    case CPU_HARNESS_LONG:
    case CPU_HARNESS_LONG_USER:
        state->cr0 |= UINT64_C(1) << 31;
        state->cr3 = CPU_HARNESS_PML4;
        state->cr4 |= 0x20;  /* PAE */
        state->efer = 0xD01; /* SCE, LME, LMA, NXE */
        state->idt.base = CPU_HARNESS_IDT;
        state->idt.limit = 256 * 16 - 1;
        if (mode == CPU_HARNESS_LONG)
            harness_set_segments(state, CPU_HARNESS_CODE64, CODE64, CPU_HARNESS_DATA, DATA32, FLAT);
        else
            harness_set_segments(state, CPU_HARNESS_USER_CODE64, CODE64 | USER,
                                 CPU_HARNESS_USER_DATA, DATA32 | USER, FLAT);
        break;
    }
}

int cpu_harness_vector(const CpuState *state)
{
    uint64_t past = state->rip - CPU_HARNESS_VECTORS;
    return past % 4 == CPU_HARNESS_END_RIP && past / 4 < 256 ? (int)(past / 4) : -1;
}
