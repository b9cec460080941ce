/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* PAUSE in a loop. A guest's CPUs spin while another one holds a lock or owes an answer; when the
 * host has fewer cores than the guest has CPUs, the one waited for may be waiting for this very
 * core. So a vCPU that spins gives its core to whoever wants it. One that spins for long waits for
 * no lock: it sleeps in between, ever for a fraction of what it has spun already, so that it is
 * late by no more than that fraction. A signal ends the sleep. */

#include "core/cpu/soft/int.h"
#include "core/cpu/soft/soft-machine.h"

/* PAUSEs are of one loop when no more instructions than this lie between them … */
#define NEAR_INSTRUCTIONS 32
/* … and it spins when it has had this many; from then on each so manieth gives way. */
#define SPIN_PAUSES 32
#define YIELD_PAUSES 8
/* Sleep costs a contended lock dear: 200 µs of spinning before it, and the ticket lock of
 * docs/benchmarks.md is 15 times slower. */
#define SLEEP_AFTER_US 10000
#define SLEEP_FRACTION 8
#define SLEEP_MOST_US 200

static void sleep_a_little(SoftCpu *cpu, int64_t now_us, int64_t spun_us)
{
    Vcpu *vcpu = &cpu->vcpu;
    int64_t until_us = now_us + MIN(spun_us / SLEEP_FRACTION, SLEEP_MOST_US);
    g_mutex_lock(&vcpu->wait_lock);
    bool is_wanted = __atomic_load_n(&vcpu->signals, __ATOMIC_SEQ_CST);
    if (!is_wanted)
        g_cond_wait_until(&vcpu->wait_cond, &vcpu->wait_lock, until_us);
    g_mutex_unlock(&vcpu->wait_lock);
    if (is_wanted) /* by what it does not take now, perhaps */
        g_thread_yield();
}

/* Others that want to be alone do not wait for us meanwhile. */
static G_GNUC_NO_INLINE void give_way(SoftCpu *cpu)
{
    int64_t now_us = g_get_monotonic_time();
    if (cpu->spin.n == SPIN_PAUSES)
        cpu->spin.since_us = now_us;
    int64_t spun_us = now_us - cpu->spin.since_us;
    soft_guest_leave(cpu);
    if (spun_us < SLEEP_AFTER_US)
        g_thread_yield();
    else
        sleep_a_little(cpu, now_us, spun_us);
    soft_guest_enter(cpu);
}

SoftNext soft_op_pause(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    int64_t left = cpu->budget - op->ordinal;
    if (cpu->spin.left - left > NEAR_INSTRUCTIONS || cpu->spin.left < left)
        cpu->spin.n = 0;
    cpu->spin.left = left;
    cpu->spin.n++;
    if (G_UNLIKELY(cpu->spin.n >= SPIN_PAUSES && cpu->spin.n % YIELD_PAUSES == 0))
        give_way(cpu);
    SOFT_NEXT(cpu, op);
}
