/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The sleep of a halted vCPU, on a CPU that does nothing but halt. */

#include "core/cpu/cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define N_WAKES 100000
#define PATIENCE_US (20 * G_USEC_PER_SEC)

typedef struct {
    Vcpu vcpu;
    unsigned n_halts; /* atomic: how often it ran up to a HLT */
} IdleCpu;

static bool idle_init(Vcpu *vcpu, GError **error)
{
    return true;
}

static void idle_clear(Vcpu *vcpu)
{
}

static void idle_kick(Vcpu *vcpu)
{
}

static void idle_set_state(Vcpu *vcpu, const CpuState *state)
{
}

static CpuExit idle_run(Vcpu *vcpu)
{
    unsigned signals =
        __atomic_fetch_and(&vcpu->signals, ~(unsigned)VCPU_SIGNAL_INTERRUPT, __ATOMIC_SEQ_CST);

    if (signals & VCPU_SIGNAL_STOP)
        return CPU_EXIT_STOPPED;
    __atomic_fetch_add(&((IdleCpu *)vcpu)->n_halts, 1, __ATOMIC_SEQ_CST);
    return CPU_EXIT_HALTED;
}

static const CpuOps idle_ops = {
    .name = "idle",
    .vcpu_size = sizeof(IdleCpu),
    .vcpu_init = idle_init,
    .vcpu_clear = idle_clear,
    .run = idle_run,
    .kick = idle_kick,
    .set_state = idle_set_state,
};

typedef struct {
    GRecMutex lock;
    CpuBoard board;
    IdleCpu *cpu;
    GThread *thread;
} Fixture;

static gpointer run(gpointer data)
{
    vcpu_run(data);
    return NULL;
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    g_rec_mutex_init(&f->lock);
    f->board = (CpuBoard){ .lock = &f->lock, .clock = clock_new(CLOCK_REAL, &f->lock) };
    f->cpu = (IdleCpu *)vcpu_new(&idle_ops, &f->board, NULL, 0, NULL, NULL);
    f->cpu->vcpu.wake_mask = ~0u;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    vcpu_signal(&f->cpu->vcpu, VCPU_SIGNAL_STOP);
    if (f->thread)
        g_thread_join(f->thread);
    vcpu_free(&f->cpu->vcpu);
    clock_free(f->board.clock);
    g_rec_mutex_clear(&f->lock);
    g_free(f);
    return 0;
}

static unsigned halts(Fixture *f)
{
    return __atomic_load_n(&f->cpu->n_halts, __ATOMIC_SEQ_CST);
}

/* False when @n halts do not come. Spins first: the next signal is to meet the vCPU as it goes to
 * sleep, not long after. */
static bool wait_for_halts(Fixture *f, unsigned n)
{
    gint64 end = 0;

    for (unsigned i = 1; halts(f) < n; i++) {
        if (i % 1000)
            continue;
        g_thread_yield();
        gint64 now = g_get_monotonic_time();
        if (!end)
            end = now + PATIENCE_US;
        else if (now > end)
            return false;
    }
    return true;
}

static void signal_that_meets_it_going_to_sleep_wakes_it(void **state)
{
    Fixture *f = *state;

    f->thread = g_thread_new("vcpu", run, f->cpu);
    for (unsigned i = 0; i < N_WAKES; i++) {
        if (!wait_for_halts(f, i + 1)) {
            vcpu_signal(&f->cpu->vcpu, VCPU_SIGNAL_STOP);
            fail_msg("wake-up %u was lost", i);
        }
        for (volatile unsigned wait = i % 256; wait; wait--)
            ;
        vcpu_signal(&f->cpu->vcpu, VCPU_SIGNAL_INTERRUPT);
    }
}

static void signal_outside_the_mask_waits(void **state)
{
    Fixture *f = *state;

    f->cpu->vcpu.wake_mask = ~(unsigned)VCPU_SIGNAL_NMI;
    f->thread = g_thread_new("vcpu", run, f->cpu);
    assert_true(wait_for_halts(f, 1));
    vcpu_signal(&f->cpu->vcpu, VCPU_SIGNAL_NMI);
    g_usleep(20000);
    assert_int_equal(halts(f), 1);
    vcpu_signal(&f->cpu->vcpu, VCPU_SIGNAL_INTERRUPT);
    assert_true(wait_for_halts(f, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signal_that_meets_it_going_to_sleep_wakes_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(signal_outside_the_mask_waits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
