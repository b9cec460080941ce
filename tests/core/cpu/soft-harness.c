/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "soft-harness.h"
#include <string.h>

struct SoftHarness {
    GRecMutex lock;
    AddressSpace *memory, *ports;
    Ram *ram;
    Clock *clock;
    CpuBoard board;
    void *backend;
    Vcpu *vcpu;
};

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

static int harness_acknowledge(void *opaque, unsigned id)
{
    return -1;
}
static bool harness_pending(void *opaque, unsigned id)
{
    return false;
}
static bool harness_read_msr(void *opaque, unsigned id, uint32_t msr, uint64_t *out_value)
{
    return false;
}
static bool harness_write_msr(void *opaque, unsigned id, uint32_t msr, uint64_t value)
{
    return false;
}
static uint8_t harness_get_cr8(void *opaque, unsigned id)
{
    return 0;
}
static void harness_set_cr8(void *opaque, unsigned id, uint8_t value)
{
}
static uint64_t harness_apic_page(void *opaque, unsigned id)
{
    return UINT64_MAX;
}
static uint64_t harness_apic_read(void *opaque, unsigned id, uint64_t offset, unsigned size)
{
    return 0;
}
static void harness_apic_write(void *opaque, unsigned id, uint64_t offset, unsigned size,
                               uint64_t value)
{
}
static bool harness_a20(void *opaque)
{
    return true;
}
static void harness_x87_error(void *opaque, unsigned id)
{
}

static void harness_write64(SoftHarness *h, uint64_t gpa, uint64_t value)
{
    memcpy(h->ram->host + gpa, &value, sizeof value);
}

static void harness_set_descriptor(SoftHarness *h, unsigned selector, uint64_t base, uint32_t limit,
                                   unsigned attributes)
{
    uint32_t field = attributes & 0x8000 ? limit >> 12 : limit;
    uint64_t descriptor = (field & 0xFFFF) | (base & 0xFFFFFF) << 16 |
                          (uint64_t)(attributes & 0xFF) << 40 | (uint64_t)(field >> 16 & 15) << 48 |
                          (uint64_t)(attributes >> 12 & 15) << 52 | (base >> 24 & 0xFF) << 56;
    harness_write64(h, SOFT_HARNESS_GDT + (selector & ~7u), descriptor);
}

static void harness_write_tables(SoftHarness *h)
{
    harness_set_descriptor(h, SOFT_HARNESS_CODE64, 0, FLAT, CODE64);
    harness_set_descriptor(h, SOFT_HARNESS_DATA, 0, FLAT, DATA32);
    harness_set_descriptor(h, SOFT_HARNESS_CODE32, 0, FLAT, CODE32);
    harness_set_descriptor(h, SOFT_HARNESS_CODE16, 0, 0xFFFF, CODE16);
    harness_set_descriptor(h, SOFT_HARNESS_DATA16, 0, 0xFFFF, DATA16);
    harness_set_descriptor(h, SOFT_HARNESS_USER_CODE32, 0, FLAT, CODE32 | USER);
    harness_set_descriptor(h, SOFT_HARNESS_USER_DATA, 0, FLAT, DATA32 | USER);
    harness_set_descriptor(h, SOFT_HARNESS_USER_CODE64, 0, FLAT, CODE64 | USER);
    harness_set_descriptor(h, SOFT_HARNESS_TASK, SOFT_HARNESS_TSS, TSS_LIMIT, 0x8B);

    for (unsigned n = 0; n < 256; n++) {
        uint64_t target = SOFT_HARNESS_VECTORS + n;
        uint64_t gate = (target & 0xFFFF) | UINT64_C(0xEE) << 40;
        h->ram->host[target] = 0xF4; /* HLT */
        harness_write64(h, SOFT_HARNESS_IDT + 16 * n, gate | SOFT_HARNESS_CODE64 << 16);
        harness_write64(h, SOFT_HARNESS_IDT32 + 8 * n, gate | SOFT_HARNESS_CODE32 << 16);
    }

    uint8_t *tss = h->ram->host + SOFT_HARNESS_TSS;
    const uint64_t stack = SOFT_HARNESS_STACK0;
    const uint16_t bitmap = TSS_IO_BITMAP;
    memcpy(tss + 4, &stack, sizeof stack);
    memcpy(tss + 102, &bitmap, sizeof bitmap);
    tss[TSS_LIMIT] = 0xFF;

    enum { PDPT = SOFT_HARNESS_PML4 + 0x1000, PD = PDPT + 0x1000, FLAGS = 0x67 };
    harness_write64(h, SOFT_HARNESS_PML4, PDPT | FLAGS);
    harness_write64(h, PDPT, PD | FLAGS);
    for (uint64_t i = 0; i < 512; i++)
        harness_write64(h, PD + 8 * i, i << 21 | FLAGS | 0x80);
}

SoftHarness *soft_harness_new(void)
{
    g_autoptr(GError) error = NULL;
    SoftHarness *h = g_new0(SoftHarness, 1);
    g_rec_mutex_init(&h->lock);
    h->ram = ram_new("ram", SOFT_HARNESS_RAM_SIZE, &error);
    g_assert_no_error(error);
    h->memory = address_space_new("memory", UINT64_C(1) << 40);
    h->ports = address_space_new("ports", 1 << 16);
    g_rec_mutex_lock(&h->lock);
    address_space_map_ram(h->memory, 0, SOFT_HARNESS_RAM_SIZE, 0, h->ram, 0);
    g_rec_mutex_unlock(&h->lock);
    h->clock = clock_new(CLOCK_DETERMINISTIC, &h->lock);
    h->board = (CpuBoard){
        .opaque = h,
        .lock = &h->lock,
        .memory = h->memory,
        .ports = h->ports,
        .clock = h->clock,
        .model = cpu_model_software(1),
        .acknowledge = harness_acknowledge,
        .pending = harness_pending,
        .apic_read_msr = harness_read_msr,
        .apic_write_msr = harness_write_msr,
        .get_cr8 = harness_get_cr8,
        .set_cr8 = harness_set_cr8,
        .apic_page = harness_apic_page,
        .apic_read = harness_apic_read,
        .apic_write = harness_apic_write,
        .a20 = harness_a20,
        .x87_error = harness_x87_error,
    };
    h->backend = cpu_soft_ops.machine_new(&h->board, 1, &error);
    g_assert_no_error(error);
    h->vcpu = vcpu_new(&cpu_soft_ops, &h->board, h->backend, 0, &error);
    g_assert_no_error(error);
    h->ram->on_code_written = cpu_soft_ops.code_written;
    h->ram->opaque = h->backend;
    harness_write_tables(h);
    return h;
}

void soft_harness_free(SoftHarness *h)
{
    vcpu_free(h->vcpu);
    cpu_soft_ops.machine_free(h->backend);
    clock_free(h->clock);
    address_space_free(h->memory);
    address_space_free(h->ports);
    ram_free(h->ram);
    g_rec_mutex_clear(&h->lock);
    g_free(h);
}

uint8_t *soft_harness_ram(SoftHarness *h)
{
    return h->ram->host;
}

Vcpu *soft_harness_vcpu(SoftHarness *h)
{
    return h->vcpu;
}

void soft_harness_put(SoftHarness *h, uint64_t gpa, const void *bytes, size_t length)
{
    memcpy(h->ram->host + gpa, bytes, length);
    ram_wrote(h->ram, gpa, length);
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

void soft_harness_init_state(SoftHarness *h, CpuState *state, SoftHarnessMode mode, uint64_t rip)
{
    cpu_state_reset(state, true);
    state->rip = rip;
    state->gpr[2] = 0;
    state->gpr[4] = SOFT_HARNESS_STACK0 - 0x100;
    state->cr0 = 0x31;  /* PE, ET, NE */
    state->cr4 = 0x600; /* OSFXSR, OSXMMEXCPT */
    state->xcr0 = 3;
    state->xsave[0] = 0x7F; /* as FNINIT leaves it */
    state->xsave[1] = 0x03;
    state->xsave[4] = 0;
    state->gdt.base = SOFT_HARNESS_GDT;
    state->gdt.limit = SOFT_HARNESS_TASK + 15;
    state->task = (CpuSegment){ .base = SOFT_HARNESS_TSS,
                                .limit = TSS_LIMIT,
                                .selector = SOFT_HARNESS_TASK,
                                .attributes = 0x8B };
    switch (mode) {
    case SOFT_HARNESS_REAL:
        state->cr0 &= ~UINT64_C(1);
        state->idt.base = 0;
        state->idt.limit = 0x3FF;
        harness_set_segments(state, 0, CODE16, 0, DATA16, 0xFFFF);
        break;
    case SOFT_HARNESS_PROTECTED:
        state->idt.base = SOFT_HARNESS_IDT32;
        state->idt.limit = 256 * 8 - 1;
        harness_set_segments(state, SOFT_HARNESS_CODE32, CODE32, SOFT_HARNESS_DATA, DATA32, FLAT);
        break;
    case SOFT_HARNESS_LONG:
    case SOFT_HARNESS_LONG_USER:
        state->cr0 |= UINT64_C(1) << 31;
        state->cr3 = SOFT_HARNESS_PML4;
        state->cr4 |= 0x20;  /* PAE */
        state->efer = 0xD01; /* SCE, LME, LMA, NXE */
        state->idt.base = SOFT_HARNESS_IDT;
        state->idt.limit = 256 * 16 - 1;
        if (mode == SOFT_HARNESS_LONG)
            harness_set_segments(state, SOFT_HARNESS_CODE64, CODE64, SOFT_HARNESS_DATA, DATA32,
                                 FLAT);
        else
            harness_set_segments(state, SOFT_HARNESS_USER_CODE64, CODE64 | USER,
                                 SOFT_HARNESS_USER_DATA, DATA32 | USER, FLAT);
        break;
    }
}

CpuExit soft_harness_run(SoftHarness *h, CpuState *state)
{
    state->halted = false;
    cpu_soft_ops.set_state(h->vcpu, state);
    CpuExit exit = cpu_soft_ops.run(h->vcpu);
    cpu_soft_ops.get_state(h->vcpu, state);
    return exit;
}

int soft_harness_vector(const CpuState *state)
{
    uint64_t n = state->rip - SOFT_HARNESS_VECTORS - 1;
    return n < 256 ? (int)n : -1;
}
