/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/cpu-slice.h"
#include "core/machine/machine-private.h"

/* The board as the CPUs see it. */

/* The local APIC decides; only it knows whether the PIC is to be asked. */
static int board_acknowledge(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    int vector = lapic_acknowledge(machine->priv->lapics, id);
    if (vector == -2)
        vector = pic_acknowledge(machine->priv->pic);
    lost_ticks_on_acknowledge(&machine->priv->ticks, vector);
    g_rec_mutex_unlock(&machine->lock);
    return vector;
}

static bool board_pending(void *opaque, unsigned id)
{
    return lapic_pending(((Machine *)opaque)->priv->lapics, id);
}

static bool board_read_msr(void *opaque, unsigned id, uint32_t msr, uint64_t *out_value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    bool good = lapic_read_msr(machine->priv->lapics, id, msr, out_value);
    g_rec_mutex_unlock(&machine->lock);
    return good;
}

static bool board_write_msr(void *opaque, unsigned id, uint32_t msr, uint64_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    bool good = lapic_write_msr(machine->priv->lapics, id, msr, value);
    g_rec_mutex_unlock(&machine->lock);
    return good;
}

static uint8_t board_get_cr8(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    uint8_t value = lapic_get_cr8(machine->priv->lapics, id);
    g_rec_mutex_unlock(&machine->lock);
    return value;
}

static void board_set_cr8(void *opaque, unsigned id, uint8_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_set_cr8(machine->priv->lapics, id, value);
    g_rec_mutex_unlock(&machine->lock);
}

static uint64_t board_apic_page(void *opaque, unsigned id)
{
    return lapic_page(((Machine *)opaque)->priv->lapics, id);
}

static uint64_t board_apic_read(void *opaque, unsigned id, uint64_t offset, unsigned size)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    uint64_t value = lapic_read(machine->priv->lapics, id, offset, size);
    g_rec_mutex_unlock(&machine->lock);
    return value;
}

static void board_apic_write(void *opaque, unsigned id, uint64_t offset, unsigned size,
                             uint64_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_write(machine->priv->lapics, id, offset, size, value);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_keep(void *opaque, void (*send)(void *backend, const ApicMessage *message),
                            void *backend)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_bus_set_keeper(machine->priv->lapics, send, backend);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_get(void *opaque, unsigned id, CpuApic *out_apic)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_get(machine->priv->lapics, id, out_apic);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_set(void *opaque, unsigned id, const CpuApic *apic)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_set(machine->priv->lapics, id, apic);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_eoi(void *opaque, uint8_t vector)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    ioapic_on_eoi(machine->priv->ioapic, vector);
    g_rec_mutex_unlock(&machine->lock);
}

static bool board_a20(void *opaque)
{
    return machine_a20(opaque);
}

static void board_x87_error(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lpc_raise_x87_error(machine->priv->lpc);
    g_rec_mutex_unlock(&machine->lock);
}

/* CPUs that keep decoded instructions hear of writes from elsewhere. */
static void watch_code(MachinePrivate *p, Ram *ram)
{
    ram->on_code_written = p->config.cpu->code_written;
    ram->opaque = p->backend;
}

bool machine_cpus_new(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    p->board = (CpuBoard){
        .opaque = machine,
        .lock = &machine->lock,
        .memory = machine->memory,
        .ports = machine->ports,
        .clock = machine->clock,
        .model = cpu_model_software(p->config.n_cpus),
        .acknowledge = board_acknowledge,
        .pending = board_pending,
        .apic_read_msr = board_read_msr,
        .apic_write_msr = board_write_msr,
        .get_cr8 = board_get_cr8,
        .set_cr8 = board_set_cr8,
        .apic_page = board_apic_page,
        .apic_read = board_apic_read,
        .apic_write = board_apic_write,
        .apic_keep = board_apic_keep,
        .apic_get = board_apic_get,
        .apic_set = board_apic_set,
        .apic_eoi = board_apic_eoi,
        .a20 = board_a20,
        .x87_error = board_x87_error,
    };
    p->backend = p->config.cpu->machine_new(&p->board, p->config.n_cpus, error);
    if (!p->backend)
        return false;
    if (p->config.cpu->limit_model &&
        !p->config.cpu->limit_model(p->backend, &p->board.model, error))
        return false;
    watch_code(p, machine->ram);
    watch_code(p, p->bios);
    watch_code(p, p->vga_rom);
    for (unsigned i = 0; i < p->config.n_cpus; i++) {
        p->cpu[i].machine = machine;
        p->cpu[i].vcpu = vcpu_new(p->config.cpu, &p->board, p->backend, i, error);
        if (!p->cpu[i].vcpu)
            return false;
        p->n_cpus++;
    }
    return true;
}

/* Threads. Each waits until the machine runs, runs its vCPU until that stops, and waits again. */

static bool wait_for_run(MachineCpu *cpu)
{
    MachinePrivate *p = cpu->machine->priv;

    g_mutex_lock(&p->run_lock);
    while (!p->quit && (!p->run || cpu->is_done)) {
        if (!cpu->is_parked) {
            cpu->is_parked = true;
            p->n_parked++;
            g_cond_broadcast(&p->run_cond);
        }
        g_cond_wait(&p->run_cond, &p->run_lock);
    }
    if (cpu->is_parked) {
        cpu->is_parked = false;
        p->n_parked--;
    }
    /* Whoever stops us from now on clears run first, then signals: no order to stop is lost. */
    __atomic_fetch_and(&cpu->vcpu->signals, ~(unsigned)VCPU_SIGNAL_STOP, __ATOMIC_SEQ_CST);
    bool quit = p->quit;
    g_mutex_unlock(&p->run_lock);
    return !quit;
}

static void set_done(MachineCpu *cpu)
{
    MachinePrivate *p = cpu->machine->priv;

    g_mutex_lock(&p->run_lock);
    cpu->is_done = true;
    g_mutex_unlock(&p->run_lock);
}

static void report_failure(Machine *machine, const char *why)
{
    char *text = g_strdup_printf("The processor cannot go on: %s", why);
    machine_report(machine, REQUEST_FAIL,
                   (MachineTrouble){ MACHINE_PROBLEM_CPU, g_strdup(why), text });
}

static gpointer run_cpu(gpointer data)
{
    MachineCpu *cpu = data;
    Machine *machine = cpu->machine;

    cpu_slice_shorten();
    while (wait_for_run(cpu)) {
        switch (vcpu_run(cpu->vcpu)) {
        case CPU_EXIT_STOPPED:
        case CPU_EXIT_HALTED: break;
        case CPU_EXIT_SHUTDOWN:
            set_done(cpu);
            __atomic_fetch_add(&machine->priv->n_triple_faults, 1, __ATOMIC_SEQ_CST);
            machine_request_reset(machine);
            break;
        case CPU_EXIT_FAILED:
            set_done(cpu);
            report_failure(machine, cpu->vcpu->failure ? cpu->vcpu->failure : "no reason");
            break;
        }
    }
    return NULL;
}

void machine_cpus_start_threads(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < p->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("vcpu-%u", i);
        p->cpu[i].thread = g_thread_new(name, run_cpu, &p->cpu[i]);
    }
}

void machine_cpus_run(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    if (p->config.cpu->resume)
        p->config.cpu->resume(p->backend);
    g_mutex_lock(&p->run_lock);
    p->run = true;
    g_cond_broadcast(&p->run_cond);
    g_mutex_unlock(&p->run_lock);
}

void machine_cpus_halt(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->run_lock);
    p->run = false;
    g_mutex_unlock(&p->run_lock);
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_signal(p->cpu[i].vcpu, VCPU_SIGNAL_STOP);
}

void machine_cpus_stop(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    machine_cpus_halt(machine);
    g_mutex_lock(&p->run_lock);
    while (p->n_parked < p->n_cpus)
        g_cond_wait(&p->run_cond, &p->run_lock);
    g_mutex_unlock(&p->run_lock);
}

void machine_cpus_reset(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    for (unsigned i = 0; i < p->n_cpus; i++) {
        Vcpu *vcpu = p->cpu[i].vcpu;
        CpuState state;
        cpu_state_reset(&state, i == 0);
        if (i == 0 && p->linux_boot)
            linux_boot_set_cpu(p->linux_boot, &state);
        __atomic_store_n(&vcpu->signals, VCPU_SIGNAL_A20, __ATOMIC_SEQ_CST);
        g_clear_pointer(&vcpu->failure, g_free);
        vcpu->ops->set_state(vcpu, &state);
        p->cpu[i].is_done = false;
    }
}

void machine_cpus_free(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->run_lock);
    p->quit = true;
    p->run = false;
    g_cond_broadcast(&p->run_cond);
    g_mutex_unlock(&p->run_lock);
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_signal(p->cpu[i].vcpu, VCPU_SIGNAL_STOP);
    for (unsigned i = 0; i < p->n_cpus; i++)
        if (p->cpu[i].thread)
            g_thread_join(p->cpu[i].thread);
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_free(p->cpu[i].vcpu);
    p->n_cpus = 0;
    if (p->backend) {
        machine->ram->on_code_written = NULL;
        p->bios->on_code_written = NULL;
        p->vga_rom->on_code_written = NULL;
        p->config.cpu->machine_free(p->backend);
    }
    p->backend = NULL;
}

uint64_t machine_retired(const Machine *machine, unsigned id)
{
    g_return_val_if_fail(id < machine->priv->n_cpus, 0);
    const Vcpu *vcpu = machine->priv->cpu[id].vcpu;
    return vcpu->ops->retired(vcpu);
}

unsigned machine_n_cpus(const Machine *machine)
{
    return machine->priv->n_cpus;
}

Vcpu *machine_vcpu(Machine *machine, unsigned id)
{
    g_return_val_if_fail(id < machine->priv->n_cpus, NULL);
    return machine->priv->cpu[id].vcpu;
}

bool machine_take_dirty(Machine *machine, Ram *ram, uint8_t *out_pages)
{
    MachinePrivate *p = machine->priv;
    uint64_t n = ram->size >> RAM_PAGE_SHIFT;
    bool any = false;

    g_return_val_if_fail(ram->dirty != NULL, false);
    if (p->config.cpu->collect_dirty)
        p->config.cpu->collect_dirty(p->backend, ram);
    for (uint64_t i = 0; i < n; i++) {
        out_pages[i] = 0;
        if (__atomic_load_n(&ram->dirty[i], __ATOMIC_RELAXED)) {
            out_pages[i] = __atomic_exchange_n(&ram->dirty[i], 0, __ATOMIC_SEQ_CST) != 0;
            any = true;
        }
    }
    if (any)
        p->config.cpu->sync_dirty(p->backend);
    return any;
}
