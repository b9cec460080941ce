/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/cpu/cpu.h"

Vcpu *vcpu_new(const CpuOps *ops, const CpuBoard *board, void *backend, unsigned id,
               const CpuState *state, GError **error)
{
    Vcpu *vcpu = g_aligned_alloc0(1, ops->vcpu_size, 64);
    vcpu->ops = ops;
    vcpu->board = board;
    vcpu->backend = backend;
    vcpu->id = id;
    g_mutex_init(&vcpu->wait_lock);
    g_cond_init(&vcpu->wait_cond);
    if (!ops->vcpu_init(vcpu, error)) {
        vcpu_free(vcpu);
        return NULL;
    }
    CpuState reset;
    cpu_state_reset(&reset, id == 0);
    ops->set_state(vcpu, state ? state : &reset);
    return vcpu;
}

void vcpu_free(Vcpu *vcpu)
{
    if (!vcpu)
        return;
    vcpu->ops->vcpu_clear(vcpu);
    g_mutex_clear(&vcpu->wait_lock);
    g_cond_clear(&vcpu->wait_cond);
    g_free(vcpu->failure);
    g_aligned_free(vcpu);
}

void vcpu_signal(Vcpu *vcpu, unsigned signals)
{
    __atomic_fetch_or(&vcpu->signals, signals, __ATOMIC_SEQ_CST);
    vcpu->ops->kick(vcpu);
    /* A sleeper checks signals under the lock, so it cannot miss this. */
    g_mutex_lock(&vcpu->wait_lock);
    g_cond_signal(&vcpu->wait_cond);
    g_mutex_unlock(&vcpu->wait_lock);
}

static bool vcpu_has_reason_to_wake(Vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->signals, __ATOMIC_SEQ_CST) & vcpu->wake_mask;
}

/* Nothing happens in a halted machine until the next event, so its time is the next event's. */
static bool vcpu_skip_to_next_event(Vcpu *vcpu)
{
    const CpuBoard *board = vcpu->board;
    g_rec_mutex_lock(board->lock);
    uint64_t next_ns = clock_next_deadline_ns(board->clock);
    if (next_ns != CLOCK_NEVER)
        clock_advance(board->clock, next_ns);
    g_rec_mutex_unlock(board->lock);
    return next_ns != CLOCK_NEVER;
}

static void vcpu_sleep(Vcpu *vcpu)
{
    bool deterministic = clock_kind(vcpu->board->clock) == CLOCK_DETERMINISTIC;
    while (!vcpu_has_reason_to_wake(vcpu)) {
        if (deterministic && vcpu_skip_to_next_event(vcpu))
            continue;
        g_mutex_lock(&vcpu->wait_lock);
        if (!vcpu_has_reason_to_wake(vcpu))
            g_cond_wait(&vcpu->wait_cond, &vcpu->wait_lock);
        g_mutex_unlock(&vcpu->wait_lock);
    }
}

CpuExit vcpu_run(Vcpu *vcpu)
{
    CpuExit exit;
    while ((exit = vcpu->ops->run(vcpu)) == CPU_EXIT_HALTED)
        vcpu_sleep(vcpu);
    return exit;
}
