/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "cpu-harness.h"
#include "core/cpu/kvm/kvm-device.h"
#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/paravirt.h"
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
    Device *paravirt;  /* owned */
    int interrupt;     /* what the board has for the CPU, or -1 */
    bool ended;        /* the guest said so */
    uint8_t cr8;
};

/* The program's one run that is going on: for the alarm. */
static Vcpu *running;

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
        .paravirt = (Paravirt *)h->paravirt,
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
    return cpu_harness_new_with(ops, NULL);
}

CpuHarness *cpu_harness_new_with(const CpuOps *ops, void (*shape)(CpuModel *model))
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
    h->paravirt = paravirt_new(CPU_HARNESS_POWER_ON);
    h->paravirt->lock = &h->lock;
    harness_map(h);
    harness_init_board(h);
    if (shape)
        shape(&h->board.model);
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
    device_free(h->paravirt);
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
