/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/msi-route.h"
#include "core/machine/cpu-slice.h"
#include "core/machine/machine-private.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

/* The vCPUs of a machine: made, run by a thread each, stopped, reset. */

/* CPUs that keep decoded instructions hear of writes from elsewhere, to all that can be run. */
static void watch_code(Machine *machine, void (*on_written)(void *, Ram *, uint64_t, uint64_t))
{
    MachinePrivate *p = machine->priv;
    Ram *const blocks[] = { machine->ram, p->bios, p->vga_rom,
                            p->nvram ? nvram_image(p->nvram) : NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++)
        if (blocks[i]) {
            blocks[i]->on_code_written = on_written;
            blocks[i]->opaque = p->backend;
        }
}

void machine_cpus_watch_code(Machine *machine)
{
    watch_code(machine, machine->priv->cpu_ops->code_written);
}

/* A guest that could go on on KVM, too, counts time at the rate that KVM would give it: the door to
 * there is open. */
static void keep_movable(MachinePrivate *p, CpuModel *model)
{
    if (p->cpu_ops != &cpu_soft_ops || clock_kind(p->board.clock) == CLOCK_DETERMINISTIC)
        return;
    uint64_t tsc_hz = cpu_kvm_ops.tsc_hz_here(model);
    if (tsc_hz)
        model->tsc_hz = tsc_hz;
}

/* The model that the definition asks for, on the CPU that is to run it. */
static bool limit_model(MachinePrivate *p, GError **error)
{
    CpuModel wanted = cpu_model_named(p->config.model, p->config.n_cpus);
    if (p->config.hyperv != MACHINE_HYPERV_OFF)
        cpu_model_offer_hyperv(&wanted);
    CpuModel had = wanted;
    bool is_named = p->config.model != CPU_MODEL_AUTO && p->config.model != CPU_MODEL_HOST;

    if (p->cpu_ops->limit_model && !p->cpu_ops->limit_model(p->backend, &had, error))
        return false;
    g_autofree char *missing = is_named ? cpu_model_dup_missing(&wanted, &had) : NULL;
    if (missing) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    _("The processor model that is set has %s, which this computer's %s CPU does "
                      "not have."),
                    missing, p->cpu_ops->name);
        return false;
    }
    if (p->config.hyperv == MACHINE_HYPERV_ON && !had.features[CPU_FEATURES_HYPERV]) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                            _("The Hyper-V interface that is set for this machine needs a newer "
                              "KVM, that of Linux 5.16. Set “hyperv” to “auto”, or “cpu” to "
                              "“software”."));
        return false;
    }
    keep_movable(p, &had);
    p->board.model = had;
    return true;
}

bool machine_cpus_new(Machine *machine, GError **error)
{
    MachinePrivate *p = machine->priv;

    machine_board_init(machine);
    p->cpu_ops = p->config.cpu;
    p->backend = p->cpu_ops->machine_new(&p->board, p->config.n_cpus, error);
    if (!p->backend)
        return false;
    if (!limit_model(p, error))
        return false;
    machine_cpus_watch_code(machine);
    for (unsigned i = 0; i < p->config.n_cpus; i++) {
        p->cpu[i].machine = machine;
        p->cpu[i].vcpu = vcpu_new(p->cpu_ops, &p->board, p->backend, i, NULL, error);
        if (!p->cpu[i].vcpu)
            return false;
        p->n_cpus++;
    }
    g_rec_mutex_lock(&machine->lock);
    msi_router_attach(pci_bus_msi_router(machine->pci), p->cpu_ops, p->backend);
    g_rec_mutex_unlock(&machine->lock);
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

static void set_done(MachineCpu *cpu, bool is_stuck)
{
    MachinePrivate *p = cpu->machine->priv;

    g_mutex_lock(&p->run_lock);
    cpu->is_done = true;
    cpu->is_stuck = is_stuck;
    g_mutex_unlock(&p->run_lock);
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
            set_done(cpu, false);
            __atomic_fetch_add(&machine->priv->n_triple_faults, 1, __ATOMIC_SEQ_CST);
            machine_request_reset(machine);
            break;
        case CPU_EXIT_FAILED:
            set_done(cpu, true);
            machine_request_software_cpu(machine, cpu->vcpu->ops,
                                         cpu->vcpu->failure ? cpu->vcpu->failure : "no reason");
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

    if (p->cpu_ops->resume)
        p->cpu_ops->resume(p->backend);
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
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_signal(p->cpu[i].vcpu, VCPU_SIGNAL_STOP);
    g_mutex_unlock(&p->run_lock);
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
        p->cpu[i].is_done = p->cpu[i].is_stuck = false;
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
    g_rec_mutex_lock(&machine->lock);
    if (machine->pci)
        msi_router_detach(pci_bus_msi_router(machine->pci));
    g_rec_mutex_unlock(&machine->lock);
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_free(p->cpu[i].vcpu);
    p->n_cpus = 0;
    if (p->backend) {
        watch_code(machine, NULL);
        p->cpu_ops->machine_free(p->backend);
    }
    p->backend = NULL;
}

uint64_t machine_retired(const Machine *machine, unsigned id)
{
    MachinePrivate *p = machine->priv;

    g_return_val_if_fail(id < p->n_cpus, 0);
    g_mutex_lock(&p->run_lock);
    const Vcpu *vcpu = p->cpu[id].vcpu;
    uint64_t retired = vcpu->ops->retired(vcpu);
    g_mutex_unlock(&p->run_lock);
    return retired;
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

static void collect(MachinePrivate *p, Ram *ram)
{
    if (p->cpu_ops->collect_dirty)
        p->cpu_ops->collect_dirty(p->backend, ram);
}

void machine_collect_writes(Machine *machine, Ram *ram)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->dirty_lock);
    collect(p, ram);
    g_mutex_unlock(&p->dirty_lock);
}

bool machine_take_dirty(Machine *machine, Ram *ram, uint8_t *out_pages)
{
    MachinePrivate *p = machine->priv;
    uint64_t n = ram->size >> RAM_PAGE_SHIFT;
    bool any = false;

    g_return_val_if_fail(ram->dirty != NULL, false);
    g_mutex_lock(&p->dirty_lock);
    collect(p, ram);
    for (uint64_t i = 0; i < n; i++) {
        out_pages[i] = 0;
        if (__atomic_load_n(&ram->dirty[i], __ATOMIC_RELAXED)) {
            out_pages[i] = __atomic_exchange_n(&ram->dirty[i], 0, __ATOMIC_SEQ_CST) != 0;
            any = true;
        }
    }
    if (any)
        p->cpu_ops->sync_dirty(p->backend);
    g_mutex_unlock(&p->dirty_lock);
    return any;
}
