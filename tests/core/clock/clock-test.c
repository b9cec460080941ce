/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/clock/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

typedef struct {
    GRecMutex lock;
    Clock *clock;
    ClockTimer timer[4];
    unsigned order[16], n_fired;
    uint64_t fired_at[16];
} Fixture;

typedef struct {
    Fixture *f;
    unsigned index;
} Fire;
static Fire fires[4];

static void on_fire(void *opaque)
{
    Fire *fire = opaque;
    Fixture *f = fire->f;

    assert_false(clock_timer_is_set(&f->timer[fire->index]));
    if (f->n_fired < 16) {
        f->order[f->n_fired] = fire->index;
        f->fired_at[f->n_fired] = clock_now_ns(f->clock);
    }
    __atomic_store_n(&f->n_fired, f->n_fired + 1, __ATOMIC_SEQ_CST);
}

static Fixture *fixture_new(ClockKind kind)
{
    Fixture *f = g_new0(Fixture, 1);

    g_rec_mutex_init(&f->lock);
    f->clock = clock_new(kind, &f->lock);
    for (unsigned i = 0; i < 4; i++) {
        fires[i] = (Fire){ f, i };
        clock_timer_init(&f->timer[i], f->clock, on_fire, &fires[i]);
    }
    return f;
}

static int setup(void **state)
{
    *state = fixture_new(CLOCK_DETERMINISTIC);
    return 0;
}

static int setup_real(void **state)
{
    *state = fixture_new(CLOCK_REAL);
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    clock_free(f->clock);
    g_rec_mutex_clear(&f->lock);
    g_free(f);
    return 0;
}

static void events_fire_in_order_each_at_its_own_time(void **state)
{
    Fixture *f = *state;

    clock_timer_set(&f->timer[0], 300);
    clock_timer_set(&f->timer[1], 100);
    clock_timer_set(&f->timer[2], 200);
    assert_int_equal(clock_next_deadline_ns(f->clock), 100);
    clock_advance(f->clock, 250);
    assert_int_equal(f->n_fired, 2);
    assert_int_equal(f->order[0], 1);
    assert_int_equal(f->fired_at[0], 100);
    assert_int_equal(f->order[1], 2);
    assert_int_equal(f->fired_at[1], 200);
    assert_int_equal(clock_now_ns(f->clock), 250);
}

static void equal_deadlines_fire_in_the_order_they_were_set(void **state)
{
    Fixture *f = *state;

    clock_timer_set(&f->timer[3], 100);
    clock_timer_set(&f->timer[0], 100);
    clock_timer_set(&f->timer[2], 100);
    clock_advance(f->clock, 100);
    assert_int_equal(f->order[0], 3);
    assert_int_equal(f->order[1], 0);
    assert_int_equal(f->order[2], 2);
}

static void rearming_moves_and_cancelling_removes(void **state)
{
    Fixture *f = *state;

    clock_timer_set(&f->timer[0], 100);
    clock_timer_set(&f->timer[1], 150);
    clock_timer_set(&f->timer[2], 120);
    clock_timer_set(&f->timer[0], 500);
    clock_timer_cancel(&f->timer[2]);
    clock_timer_cancel(&f->timer[2]);
    clock_advance(f->clock, 200);
    assert_int_equal(f->n_fired, 1);
    assert_int_equal(f->order[0], 1);
    assert_int_equal(clock_next_deadline_ns(f->clock), 500);
    clock_timer_set(&f->timer[0], CLOCK_NEVER);
    assert_int_equal(clock_next_deadline_ns(f->clock), CLOCK_NEVER);
}

static void the_heap_keeps_order_under_random_changes(void **state)
{
    Fixture *f = *state;
    enum { N = 64 };
    ClockTimer timers[N];
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (unsigned i = 0; i < N; i++)
        clock_timer_init(&timers[i], f->clock, on_fire, &fires[0]);
    for (unsigned i = 0; i < 20000; i++) {
        ClockTimer *timer = &timers[g_rand_int_range(rand, 0, N)];
        if (g_rand_int_range(rand, 0, 3))
            clock_timer_set(timer, (uint64_t)g_rand_int_range(rand, 1, 1000));
        else
            clock_timer_cancel(timer);
        uint64_t earliest = CLOCK_NEVER;
        for (unsigned j = 0; j < N; j++)
            earliest = MIN(earliest, timers[j].deadline_ns);
        assert_int_equal(clock_next_deadline_ns(f->clock), earliest);
    }
}

static void ticks_and_time_agree_and_round_the_right_way(void **state)
{
    const uint64_t hz[] = { 1, 32768, 1193182, 3579545, 100000000, 1000000000 };

    for (unsigned i = 0; i < G_N_ELEMENTS(hz); i++) {
        for (uint64_t ticks = 0; ticks < 100000; ticks += 37) {
            uint64_t ns = clock_ticks_to_ns(ticks, hz[i]);
            assert_int_equal(clock_ns_to_ticks(ns, hz[i]), ticks);
            if (ns)
                assert_true(clock_ns_to_ticks(ns - 1, hz[i]) < ticks);
        }
    }
    assert_int_equal(clock_ns_to_ticks(UINT64_C(31536000) * 100 * 1000000000, 3579545),
                     UINT64_C(31536000) * 100 * 3579545);
    assert_int_equal(clock_ticks_to_ns(UINT64_MAX, 1), CLOCK_NEVER);
}

static unsigned wait_for_fires(Fixture *f, unsigned n)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (__atomic_load_n(&f->n_fired, __ATOMIC_SEQ_CST) >= n)
            break;
        g_usleep(1000);
    }
    return __atomic_load_n(&f->n_fired, __ATOMIC_SEQ_CST);
}

static void a_real_clock_fires_from_its_thread_never_early(void **state)
{
    Fixture *f = *state;

    clock_start(f->clock);
    g_rec_mutex_lock(&f->lock);
    uint64_t now = clock_now_ns(f->clock);
    clock_timer_set(&f->timer[0], now + 20000000);
    clock_timer_set(&f->timer[1], now + 5000000);
    g_rec_mutex_unlock(&f->lock);
    assert_int_equal(wait_for_fires(f, 2), 2);
    assert_int_equal(f->order[0], 1);
    assert_true(f->fired_at[0] >= now + 5000000);
    assert_true(f->fired_at[1] >= now + 20000000);
}

static void a_stopped_clock_stands_and_fires_nothing(void **state)
{
    Fixture *f = *state;

    g_usleep(2000);
    assert_int_equal(clock_now_ns(f->clock), 0); /* not started yet */
    clock_start(f->clock);
    g_usleep(2000);
    clock_stop(f->clock);
    uint64_t stopped = clock_now_ns(f->clock);
    assert_true(stopped >= 2000000);
    g_rec_mutex_lock(&f->lock);
    clock_timer_set(&f->timer[0], stopped + 1);
    g_rec_mutex_unlock(&f->lock);
    g_usleep(10000);
    assert_int_equal(clock_now_ns(f->clock), stopped);
    assert_int_equal(f->n_fired, 0);

    clock_start(f->clock);
    assert_int_equal(wait_for_fires(f, 1), 1);
    assert_true(clock_now_ns(f->clock) < stopped + 5 * CLOCK_NS_PER_SECOND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_fire_in_order_each_at_its_own_time),
        TEST(equal_deadlines_fire_in_the_order_they_were_set),
        TEST(rearming_moves_and_cancelling_removes),
        TEST(the_heap_keeps_order_under_random_changes),
        TEST(ticks_and_time_agree_and_round_the_right_way),
        TEST_REAL(a_real_clock_fires_from_its_thread_never_early),
        TEST_REAL(a_stopped_clock_stands_and_fires_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
