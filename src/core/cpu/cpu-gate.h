/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The gate to guest code: each vCPU of a machine goes in and out, and whoever changes what they all
 * rely on (the address map) closes it and waits until none is inside. Included by the CPU backends.
 *
 * Any thread. Going in waits while the gate is closed. Whoever closes it is outside, and holds no
 * lock that one inside may wait for. */

#include "core/cpu/cpu.h"

#define CPU_GATE_MAX 64

typedef struct {
    Vcpu *vcpu[CPU_GATE_MAX]; /* borrowed; by id, NULL: none */
    unsigned closed;          /* atomic: closed, or about to be */
    GMutex lock;
    GCond changed;
    bool taken; /* lock */
} CpuGate;

void cpu_gate_init(CpuGate *gate);
void cpu_gate_clear(CpuGate *gate);

/* Closes it, kicking those inside; of several who want that, one after the other. */
void cpu_gate_close(CpuGate *gate);
void cpu_gate_open(CpuGate *gate);

void cpu_gate_tell(CpuGate *gate);      /* somebody went out of a gate that is to be closed */
void cpu_gate_wait_open(CpuGate *gate); /* outside */

static inline bool cpu_gate_is_closed(const CpuGate *gate)
{
    return __atomic_load_n(&gate->closed, __ATOMIC_SEQ_CST);
}

static inline void cpu_gate_leave(CpuGate *gate, Vcpu *vcpu)
{
    __atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
    if (G_UNLIKELY(cpu_gate_is_closed(gate)))
        cpu_gate_tell(gate);
}

static inline void cpu_gate_enter(CpuGate *gate, Vcpu *vcpu)
{
    for (;;) {
        /* Sequentially consistent on both sides: either we see it closed, or who closes it sees us
         * inside. */
        __atomic_store_n(&vcpu->in_guest, 1, __ATOMIC_SEQ_CST);
        if (G_LIKELY(!cpu_gate_is_closed(gate)))
            return;
        cpu_gate_leave(gate, vcpu);
        cpu_gate_wait_open(gate);
    }
}
