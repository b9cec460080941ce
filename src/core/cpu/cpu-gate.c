/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/cpu-gate.h"

void cpu_gate_init(CpuGate *gate)
{
    g_mutex_init(&gate->lock);
    g_cond_init(&gate->changed);
}

void cpu_gate_clear(CpuGate *gate)
{
    g_mutex_clear(&gate->lock);
    g_cond_clear(&gate->changed);
}

void cpu_gate_tell(CpuGate *gate)
{
    g_mutex_lock(&gate->lock);
    g_cond_broadcast(&gate->changed);
    g_mutex_unlock(&gate->lock);
}

void cpu_gate_wait_open(CpuGate *gate)
{
    g_mutex_lock(&gate->lock);
    while (cpu_gate_is_closed(gate))
        g_cond_wait(&gate->changed, &gate->lock);
    g_mutex_unlock(&gate->lock);
}

static bool is_empty(const CpuGate *gate)
{
    for (unsigned i = 0; i < CPU_GATE_MAX; i++)
        if (gate->vcpu[i] && __atomic_load_n(&gate->vcpu[i]->in_guest, __ATOMIC_SEQ_CST))
            return false;
    return true;
}

void cpu_gate_close(CpuGate *gate)
{
    g_mutex_lock(&gate->lock);
    while (gate->taken)
        g_cond_wait(&gate->changed, &gate->lock);
    gate->taken = true;
    __atomic_store_n(&gate->closed, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < CPU_GATE_MAX; i++)
        if (gate->vcpu[i])
            gate->vcpu[i]->ops->kick(gate->vcpu[i]);
    while (!is_empty(gate))
        g_cond_wait(&gate->changed, &gate->lock);
    g_mutex_unlock(&gate->lock);
}

void cpu_gate_open(CpuGate *gate)
{
    g_mutex_lock(&gate->lock);
    gate->taken = false;
    __atomic_store_n(&gate->closed, 0, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&gate->changed);
    g_mutex_unlock(&gate->lock);
}
