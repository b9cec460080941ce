/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "cpu-harness.h"
#include "core/cpu/kvm/kvm-device.h"
#include "core/cpu/kvm/kvm-machine.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 20

typedef struct {
    Device device;
    CpuHarness *harness;
} EndPort;

struct CpuHarness {
    const CpuOps *ops;
    GRecMutex lock;
    AddressSpace *memory, *ports;
    Ram *ram;
    Clock *clock;
    CpuBoard board;
    void *backend;
    Vcpu *vcpu;
    Region *ram_region;
    EndPort *end_port; /* owned */
    int interrupt;     /* what the board has for the CPU, or -1 */
    bool ended;        /* the guest said so */
    uint8_t cr8;
};

/* The program's one run that is going on: for the alarm. */
static Vcpu *running;

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
    CpuHarness *h = opaque;
    int vector = h->interrupt;
    h->interrupt = -1;
    return vector;
}
static bool harness_pending(void *opaque, unsigned id)
{
    return ((CpuHarness *)opaque)->interrupt >= 0;
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
    return ((CpuHarness *)opaque)->cr8;
}
static void harness_set_cr8(void *opaque, unsigned id, uint8_t value)
{
    ((CpuHarness *)opaque)->cr8 = value;
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

static void harness_write64(CpuHarness *h, uint64_t gpa, uint64_t value)
{
    memcpy(h->ram->host + gpa, &value, sizeof value);
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
        memcpy(h->ram->host + target, CPU_HARNESS_END, CPU_HARNESS_END_LENGTH);
        harness_write64(h, CPU_HARNESS_IDT + 16 * n, gate | CPU_HARNESS_CODE64 << 16);
        harness_write64(h, CPU_HARNESS_IDT32 + 8 * n, gate | CPU_HARNESS_CODE32 << 16);
    }

    uint8_t *tss = h->ram->host + CPU_HARNESS_TSS;
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

/* The guest has come to its end: the vCPU leaves at its next look around. */
static void end_port_write(Device *device, uint64_t offset, unsigned size, uint64_t value)
{
    CpuHarness *h = ((EndPort *)device)->harness;
    h->ended = true;
    vcpu_signal(h->vcpu, VCPU_SIGNAL_STOP);
}

static uint64_t end_port_read(Device *device, uint64_t offset, unsigned size)
{
    return 0xFF;
}

static const StateField no_state[] = { STATE_END };
static const DeviceOps end_port_ops = { .name = "end-port",
                                        .instance_size = sizeof(EndPort),
                                        .state = no_state,
                                        .min_access = 1,
                                        .max_access = 4,
                                        .read = end_port_read,
                                        .write = end_port_write };

/* A guest that does not end: KVM would wait for ever. Runs in the vCPU's thread. */
static void on_alarm(int number)
{
    if (!running)
        return;
    __atomic_fetch_or(&running->signals, VCPU_SIGNAL_STOP, __ATOMIC_SEQ_CST);
    running->ops->kick(running);
}

const CpuOps *cpu_harness_choose(void)
{
    const char *name = g_getenv("VITRINE_TEST_CPU");
    KvmTrouble trouble;
    if (g_strcmp0(name, "kvm") != 0)
        return &cpu_soft_ops;
    int fd = kvm_device_open(&trouble);
    if (fd < 0) {
        printf("skipped: %s cannot be used: %s (%d)\n", KVM_DEVICE_PATH, g_strerror(trouble.error),
               trouble.kind);
        exit(77);
    }
    close(fd);
    return &cpu_kvm_ops;
}

static void harness_init_board(CpuHarness *h)
{
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
}

static void harness_map(CpuHarness *h)
{
    h->end_port = device_alloc(&end_port_ops, "end-port");
    h->end_port->harness = h;
    h->end_port->device.lock = &h->lock;
    g_rec_mutex_lock(&h->lock);
    h->ram_region =
        address_space_map_ram(h->memory, 0, CPU_HARNESS_RAM_SIZE, MAP_PRIORITY_RAM, h->ram, 0);
    address_space_map_device(h->ports, CPU_HARNESS_END_PORT, 1, MAP_PRIORITY_CHIPSET,
                             &h->end_port->device, 0);
    g_rec_mutex_unlock(&h->lock);
}

CpuHarness *cpu_harness_new(const CpuOps *ops)
{
    g_autoptr(GError) error = NULL;
    CpuHarness *h = g_new0(CpuHarness, 1);
    h->ops = ops;
    h->interrupt = -1;
    g_rec_mutex_init(&h->lock);
    h->ram = ram_new("ram", CPU_HARNESS_RAM_SIZE, &error);
    g_assert_no_error(error);
    h->memory = address_space_new("memory", UINT64_C(1) << 40);
    h->ports = address_space_new("ports", 1 << 16);
    h->clock = clock_new(cpu_harness_is_kvm(h) ? CLOCK_REAL : CLOCK_DETERMINISTIC, &h->lock);
    harness_map(h);
    harness_init_board(h);
    h->backend = ops->machine_new(&h->board, 1, &error);
    g_assert_no_error(error);
    if (ops->limit_model)
        ops->limit_model(h->backend, &h->board.model, &error);
    g_assert_no_error(error);
    h->vcpu = vcpu_new(ops, &h->board, h->backend, 0, NULL, &error);
    g_assert_no_error(error);
    h->ram->on_code_written = ops->code_written;
    h->ram->opaque = h->backend;
    cpu_harness_write_tables(h);
    return h;
}

void cpu_harness_free(CpuHarness *h)
{
    vcpu_free(h->vcpu);
    h->ops->machine_free(h->backend);
    clock_free(h->clock);
    address_space_free(h->memory);
    address_space_free(h->ports);
    device_free(&h->end_port->device);
    ram_free(h->ram);
    g_rec_mutex_clear(&h->lock);
    g_free(h);
}

bool cpu_harness_is_kvm(const CpuHarness *h)
{
    return h->ops == &cpu_kvm_ops;
}

bool cpu_harness_known_difference(const CpuHarness *h, const char *test, const char *why)
{
    if (!cpu_harness_is_kvm(h) || !g_file_test("/sys/module/kvm_pvm", G_FILE_TEST_IS_DIR))
        return false;
    printf("known difference of this KVM: %s: %s\n", test, why);
    return true;
}

uint64_t cpu_harness_n_assisted(const CpuHarness *h)
{
    return cpu_harness_is_kvm(h) ? ((const KvmCpu *)h->vcpu)->n_assisted : 0;
}

void cpu_harness_raise(CpuHarness *h, int vector)
{
    h->interrupt = vector;
    vcpu_signal(h->vcpu, VCPU_SIGNAL_INTERRUPT);
}

uint8_t *cpu_harness_ram(CpuHarness *h)
{
    return h->ram->host;
}

Vcpu *cpu_harness_vcpu(CpuHarness *h)
{
    return h->vcpu;
}

void cpu_harness_put(CpuHarness *h, uint64_t gpa, const void *bytes, size_t length)
{
    memcpy(h->ram->host + gpa, bytes, length);
    ram_wrote(h->ram, gpa, length);
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
    const uint8_t *record = h->ram->host + CPU_HARNESS_FREE;
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

/* KVM keeps what it has made of the guest's page tables until the guest writes to them, and does
 * not see that we do: its memory is taken away and given again. */
static void harness_forget_tables(CpuHarness *h)
{
    if (!cpu_harness_is_kvm(h))
        return;
    g_rec_mutex_lock(&h->lock);
    region_set_enabled(h->ram_region, false);
    region_set_enabled(h->ram_region, true);
    g_rec_mutex_unlock(&h->lock);
}

void cpu_harness_begin(CpuHarness *h, const CpuState *state)
{
    h->ended = false;
    __atomic_fetch_and(&h->vcpu->signals, ~(unsigned)VCPU_SIGNAL_STOP, __ATOMIC_SEQ_CST);
    harness_forget_tables(h);
    h->ops->set_state(h->vcpu, state);
}

CpuExit cpu_harness_step(CpuHarness *h, CpuState *state)
{
    CpuExit exit = h->ops->step(h->vcpu);
    h->ops->get_state(h->vcpu, state);
    if (exit == CPU_EXIT_FAILED)
        printf("%s gave up: %s\n", h->ops->name, h->vcpu->failure);
    return exit == CPU_EXIT_STOPPED && h->ended ? CPU_EXIT_HALTED : exit;
}

CpuExit cpu_harness_assist(CpuHarness *h, CpuState *state)
{
    KvmCpu *cpu = (KvmCpu *)h->vcpu;
    bool is_shutdown = false;
    uint64_t before = cpu->assistant ? cpu_soft_ops.retired(cpu->assistant) : 0;
    bool good = kvm_assist(cpu, &is_shutdown);
    cpu->n_assisted += cpu->assistant && cpu_soft_ops.retired(cpu->assistant) > before;
    h->ops->get_state(h->vcpu, state);
    if (!good)
        printf("no assistance: %s\n", h->vcpu->failure);
    return !good         ? CPU_EXIT_FAILED
           : is_shutdown ? CPU_EXIT_SHUTDOWN
           : h->ended    ? CPU_EXIT_HALTED
                         : CPU_EXIT_STOPPED;
}

CpuExit cpu_harness_go_on(CpuHarness *h, CpuState *state)
{
    struct sigaction action = { .sa_handler = on_alarm };

    running = h->vcpu;
    sigaction(SIGALRM, &action, NULL);
    alarm(PATIENCE_S);
    CpuExit exit = h->ops->run(h->vcpu);
    alarm(0);
    running = NULL;
    h->ops->get_state(h->vcpu, state);
    if (exit == CPU_EXIT_STOPPED)
        return h->ended ? CPU_EXIT_HALTED : CPU_EXIT_FAILED;
    if (exit == CPU_EXIT_FAILED)
        printf("%s gave up: %s\n", h->ops->name, h->vcpu->failure);
    return exit;
}

CpuExit cpu_harness_run(CpuHarness *h, CpuState *state)
{
    cpu_harness_begin(h, state);
    return cpu_harness_go_on(h, state);
}

int cpu_harness_vector(const CpuState *state)
{
    uint64_t past = state->rip - CPU_HARNESS_VECTORS;
    return past % 4 == CPU_HARNESS_END_RIP && past / 4 < 256 ? (int)(past / 4) : -1;
}
