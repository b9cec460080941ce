/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

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

/* What the guest was told at its start must stay true. */
static bool model_fits(const Machine *machine, Team *team, GError **error)
{
    const CpuModel *model = &machine->priv->board.model;
    CpuModel limited = *model;

    if (team->ops->limit_model && !team->ops->limit_model(team->backend, &limited, error))
        return false;
    if (same_features(model, &limited) && model->tsc_hz == limited.tsc_hz)
        return true;
    g_set_error_literal(
        error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
        same_features(model, &limited)
            ? _("The running guest counts on a time-stamp counter of another speed; "
                "the change takes effect when the machine is started again.")
            : _("The running guest counts on instructions that the other processor "
                "does not have; the change takes effect when the machine is started "
                "again."));
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

bool machine_move_at_rest(Machine *machine, const CpuOps *ops, GError **error)
{
    MachinePrivate *p = machine->priv;
    g_autofree CpuState *states = g_new0(CpuState, p->n_cpus);
    Team team = { .ops = ops };
    bool good;

    g_mutex_lock(&p->dirty_lock);
    g_rec_mutex_lock(&machine->lock); /* no interrupt gets lost between the two */
    for (unsigned i = 0; i < p->n_cpus; i++)
        p->cpu_ops->get_state(p->cpu[i].vcpu, &states[i]);
    good = team_make(machine, &team, states, error);
    if (good) {
        mark_all_dirty(machine);
        exchange(machine, &team);
    }
    team_clear(&team, p->n_cpus);
    g_rec_mutex_unlock(&machine->lock);
    g_mutex_unlock(&p->dirty_lock);
    return good;
}
