/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

#include "core/irq/msi-route.h"
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

/* A guest changes its CPU. Its vCPUs rest while each one's whole state is taken from the one
 * backend and given to vCPUs of the other. Its time goes on meanwhile, as on a host that is busy
 * for some milliseconds: the guest cannot tell, but by its speed. */

typedef struct {
    const CpuOps *ops;
    void *backend;
    Vcpu *vcpu[MACHINE_MAX_CPUS];
} Team;

static void team_clear(Team *team, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        vcpu_free(team->vcpu[i]);
    if (team->backend)
        team->ops->machine_free(team->backend);
}

static bool same_features(const CpuModel *a, const CpuModel *b)
{
    return memcmp(a->features, b->features, sizeof a->features) == 0;
}

/* What differs, for people. */
static const char *why_not(const CpuModel *model, const CpuModel *limited)
{
    CpuModel alike = *limited;

    if (same_features(model, limited))
        return _("The running guest counts on a time-stamp counter of another speed; "
                 "the change takes effect when the machine is started again.");
    alike.features[CPU_FEATURES_KVM] = model->features[CPU_FEATURES_KVM];
    alike.features[CPU_FEATURES_HYPERV] = model->features[CPU_FEATURES_HYPERV];
    if (same_features(model, &alike))
        return _("The running guest counts on a clock that the other processor cannot give it; "
                 "the change takes effect when the machine is started again.");
    return _("The running guest counts on instructions that the other processor "
             "does not have; the change takes effect when the machine is started "
             "again.");
}

/* What the guest was told at its start must stay true. */
static bool model_fits(const Machine *machine, Team *team, GError **error)
{
    const CpuModel *model = &machine->priv->board.model;
    CpuModel limited = *model;

    if (team->ops->limit_model && !team->ops->limit_model(team->backend, &limited, error))
        return false;
    if (same_features(model, &limited) && model->tsc_hz == limited.tsc_hz)
        return true;
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, why_not(model, &limited));
    return false;
}

static bool team_make(Machine *machine, Team *team, const CpuState *states, GError **error)
{
    MachinePrivate *p = machine->priv;

    team->backend = team->ops->machine_new(&p->board, p->config.n_cpus, error);
    if (!team->backend || !model_fits(machine, team, error))
        return false;
    for (unsigned i = 0; i < p->n_cpus; i++) {
        team->vcpu[i] = vcpu_new(team->ops, &p->board, team->backend, i, &states[i], error);
        if (!team->vcpu[i])
            return false;
    }
    return true;
}

/* The old team in @team, the new one in the machine, or the other way round. */
static void exchange(Machine *machine, Team *team)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->run_lock);
    Team old = { .ops = p->cpu_ops, .backend = p->backend };
    p->cpu_ops = team->ops;
    p->backend = team->backend;
    for (unsigned i = 0; i < p->n_cpus; i++) {
        MachineCpu *cpu = &p->cpu[i];
        old.vcpu[i] = cpu->vcpu;
        cpu->vcpu = team->vcpu[i];
        cpu->is_done &= !cpu->is_stuck;
        cpu->is_stuck = false;
    }
    *team = old;
    g_mutex_unlock(&p->run_lock);
    machine_cpus_watch_code(machine);
}

/* What the old CPU had logged and not handed out goes with it: rather too much than too little. */
static void mark_all_dirty(Machine *machine)
{
    const FlatView *view = address_space_view(machine->memory);
    for (unsigned i = 0; i < view->n; i++)
        if (view->spans[i].ram && view->spans[i].ram->dirty)
            ram_wrote(view->spans[i].ram, 0, view->spans[i].ram->size);
}

/* No vCPU runs, no disk writes to memory. False: all is as before. */
static bool move_at_rest(Machine *machine, const CpuOps *ops, GError **error)
{
    MachinePrivate *p = machine->priv;
    g_autofree CpuState *states = g_new0(CpuState, p->n_cpus);
    Team team = { .ops = ops };
    bool good;

    g_mutex_lock(&p->dirty_lock);
    g_rec_mutex_lock(&machine->lock); /* no interrupt gets lost between the two */
    msi_router_detach(pci_bus_msi_router(machine->pci));
    for (unsigned i = 0; i < p->n_cpus; i++)
        p->cpu_ops->get_state(p->cpu[i].vcpu, &states[i]);
    good = team_make(machine, &team, states, error);
    if (good) {
        mark_all_dirty(machine);
        exchange(machine, &team);
    }
    msi_router_attach(pci_bus_msi_router(machine->pci), p->cpu_ops, p->backend);
    team_clear(&team, p->n_cpus);
    g_rec_mutex_unlock(&machine->lock);
    g_mutex_unlock(&p->dirty_lock);
    return good;
}

const char *machine_cpu_name(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->run_lock);
    const char *name = p->cpu_ops->name;
    g_mutex_unlock(&p->run_lock);
    return name;
}

char *machine_dup_cpu_left(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    char *why = g_strdup(p->cpu_left);
    g_mutex_unlock(&p->text_lock);
    return why;
}

bool machine_set_cpu(Machine *machine, const CpuOps *ops, GError **error)
{
    MachinePrivate *p = machine->priv;
    bool good = true;

    g_rec_mutex_lock(&p->life_lock);
    MachineState state = machine_state(machine);
    bool changes = p->cpu_ops != ops;
    if (changes) {
        machine_cpus_stop(machine);
        machine_io_rest(machine); /* its writes to memory are told to the CPUs */
        good = move_at_rest(machine, ops, error);
        if (state == MACHINE_RUNNING) {
            machine_io_resume(machine);
            machine_cpus_run(machine);
        }
    }
    g_rec_mutex_unlock(&p->life_lock);
    if (changes && good)
        machine_notify(machine, MACHINE_EVENT_CPU);
    return good;
}

void machine_request_software_cpu(Machine *machine, const CpuOps *failed, const char *why)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    g_free(p->cpu_left);
    p->cpu_left = g_strdup(why);
    p->cpu_failed = failed;
    g_mutex_unlock(&p->text_lock);
    machine_request(machine, REQUEST_SOFTWARE_CPU);
}

void machine_move_to_software(Machine *machine)
{
    MachinePrivate *p = machine->priv;
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&p->text_lock);
    const CpuOps *failed = p->cpu_failed;
    g_mutex_unlock(&p->text_lock);
    if (failed != p->cpu_ops) /* the last vCPU to fail, of a CPU that was left for the first one */
        return;
    if (failed != &cpu_soft_ops && machine_set_cpu(machine, &cpu_soft_ops, &error))
        return;
    g_autofree char *why = machine_dup_cpu_left(machine);
    char *text = error ? g_strdup_printf("The processor cannot go on: %s. The software CPU cannot "
                                         "take over: %s",
                                         why, error->message)
                       : g_strdup_printf("The processor cannot go on: %s", why);
    machine_report(machine, REQUEST_FAIL,
                   (MachineTrouble){ MACHINE_PROBLEM_CPU, g_strdup(why), text });
}
