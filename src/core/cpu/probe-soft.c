/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/probe-soft.h"
#include "core/cpu/cpu.h"
#include "core/dev/device.h"

#define FIRST_PORT 0xE0
#define N_PORTS 16

/* --- A board with memory, the guest's ports, and nothing else --- */

typedef struct {
    Device dev;
    ProbeGuest *guest;
} ProbePorts;

static uint64_t ports_read(Device *dev, uint64_t offset, unsigned size)
{
    return probe_guest_read(((ProbePorts *)dev)->guest, FIRST_PORT + offset);
}

static void ports_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    probe_guest_write(((ProbePorts *)dev)->guest, FIRST_PORT + offset, value);
}

static const StateField ports_state[] = { STATE_END };

static const DeviceOps ports_ops = {
    .name = "probe",
    .instance_size = sizeof(ProbePorts),
    .state = ports_state,
    .min_access = 4,
    .max_access = 4,
    .read = ports_read,
    .write = ports_write,
};

static int board_acknowledge(void *opaque, unsigned id)
{
    return -1;
}

static bool board_pending(void *opaque, unsigned id)
{
    return false;
}

static uint64_t board_apic_page(void *opaque, unsigned id)
{
    return UINT64_MAX;
}

static uint8_t board_get_cr8(void *opaque, unsigned id)
{
    return 0;
}

static bool board_a20(void *opaque)
{
    return true;
}

/* --- The run --- */

static void run(const CpuBoard *board, ProbeGuest *guest)
{
    CpuState state;
    void *backend = cpu_soft_ops.machine_new(board, 1, NULL);
    Vcpu *vcpu = backend ? vcpu_new(&cpu_soft_ops, board, backend, 0, NULL, NULL) : NULL;
    if (vcpu) {
        cpu_state_reset(&state, true);
        state.segment[CPU_CS].selector = 0;
        state.segment[CPU_CS].base = 0;
        state.rip = PROBE_ENTRY;
        cpu_soft_ops.set_state(vcpu, &state);
        /* Until it halts: read from what the guest said, not from how it ended. */
        while (!guest->finished && !guest->wrong)
            if (cpu_soft_ops.run(vcpu) != CPU_EXIT_STOPPED)
                break;
        vcpu_free(vcpu);
    }
    if (backend)
        cpu_soft_ops.machine_free(backend);
}

bool probe_soft_run(ProbeGuest *guest)
{
    g_autoptr(Ram) ram = ram_new("probe", PROBE_RAM_SIZE, NULL);
    if (!ram)
        return false;
    GRecMutex lock;
    g_rec_mutex_init(&lock);
    ProbePorts *ports = device_alloc(&ports_ops, "probe");
    ports->dev.lock = &lock;
    ports->guest = guest;
    CpuBoard board = { .lock = &lock,
                       .memory = address_space_new("memory", UINT64_C(1) << 32),
                       .ports = address_space_new("ports", 1 << 16),
                       .clock = clock_new(CLOCK_REAL, &lock),
                       .acknowledge = board_acknowledge,
                       .pending = board_pending,
                       .apic_page = board_apic_page,
                       .get_cr8 = board_get_cr8,
                       .a20 = board_a20 };
    probe_guest_load(ram->host);
    g_rec_mutex_lock(&lock);
    address_space_map_ram(board.memory, 0, PROBE_RAM_SIZE, MAP_PRIORITY_RAM, ram, 0);
    address_space_map_device(board.ports, FIRST_PORT, N_PORTS, MAP_PRIORITY_CHIPSET, &ports->dev,
                             0);
    g_rec_mutex_unlock(&lock);

    run(&board, guest);

    clock_free(board.clock);
    address_space_free(board.memory);
    address_space_free(board.ports);
    device_free(&ports->dev);
    g_rec_mutex_clear(&lock);
    return guest->finished && !guest->wrong;
}
