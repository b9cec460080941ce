/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/clock/clock.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

struct Clock {
    ClockKind kind;
    GRecMutex *lock;  /* borrowed: the board's */
    GPtrArray *heap;  /* ClockTimer, borrowed; the earliest first; board lock */
    uint64_t n_armed; /* timers set so far */

    /* How guest time follows the host's; written with the board lock, read by anyone. */
    unsigned sequence; /* odd while the next three change */
    bool is_running;
    uint64_t guest_ns; /* guest time … */
    uint64_t host_ns;  /* … at this host time */

    /* The thread of a real clock. */
    GThread *thread;
    pthread_mutex_t wait_lock;
    pthread_cond_t wait_cond;
    uint64_t wait_until_ns; /* guest time of the next event, wait_lock */
    bool is_quitting;       /* wait_lock */
};

static uint64_t host_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void clock_set_time(Clock *clock, uint64_t guest_ns, bool is_running)
{
    unsigned sequence = clock->sequence;

    __atomic_store_n(&clock->sequence, sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&clock->guest_ns, guest_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&clock->host_ns, host_now_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&clock->is_running, is_running, __ATOMIC_RELAXED);
    __atomic_store_n(&clock->sequence, sequence + 2, __ATOMIC_RELEASE);
}

uint64_t clock_now_ns(const Clock *clock)
{
    if (clock->kind == CLOCK_DETERMINISTIC)
        return __atomic_load_n(&clock->guest_ns, __ATOMIC_RELAXED);
    for (;;) {
        unsigned before = __atomic_load_n(&clock->sequence, __ATOMIC_ACQUIRE);
        uint64_t guest_ns = __atomic_load_n(&clock->guest_ns, __ATOMIC_RELAXED);
        uint64_t host_ns = __atomic_load_n(&clock->host_ns, __ATOMIC_RELAXED);
        bool is_running = __atomic_load_n(&clock->is_running, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((before & 1) || before != __atomic_load_n(&clock->sequence, __ATOMIC_RELAXED))
            continue;
        if (!is_running)
            return guest_ns;
        uint64_t now = host_now_ns();
        return guest_ns + (now > host_ns ? now - host_ns : 0);
    }
}

uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz)
{
    /* Seconds and the rest apart: no overflow below 18 GHz, and no 128-bit division. */
    return ns / CLOCK_NS_PER_SECOND * hz + ns % CLOCK_NS_PER_SECOND * hz / CLOCK_NS_PER_SECOND;
}

uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    if (ticks / hz >= UINT64_MAX / CLOCK_NS_PER_SECOND)
        return CLOCK_NEVER;
    return ticks / hz * CLOCK_NS_PER_SECOND + (ticks % hz * CLOCK_NS_PER_SECOND + hz - 1) / hz;
}

ClockKind clock_kind(const Clock *clock)
{
    return clock->kind;
}

/* The heap of armed timers */

static bool timer_before(const ClockTimer *a, const ClockTimer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : a->sequence < b->sequence;
}

static void heap_put(Clock *clock, unsigned index, ClockTimer *timer)
{
    clock->heap->pdata[index] = timer;
    timer->heap_index = index;
}

static void heap_sift(Clock *clock, unsigned index)
{
    GPtrArray *heap = clock->heap;
    ClockTimer *timer = heap->pdata[index];

    while (index > 0 && timer_before(timer, heap->pdata[(index - 1) / 2])) {
        heap_put(clock, index, heap->pdata[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        unsigned child = 2 * index + 1;
        if (child + 1 < heap->len && timer_before(heap->pdata[child + 1], heap->pdata[child]))
            child++;
        if (child >= heap->len || !timer_before(heap->pdata[child], timer))
            break;
        heap_put(clock, index, heap->pdata[child]);
        index = child;
    }
    heap_put(clock, index, timer);
}

static void heap_remove(Clock *clock, ClockTimer *timer)
{
    unsigned index = timer->heap_index;
    ClockTimer *last = g_ptr_array_steal_index(clock->heap, clock->heap->len - 1);

    if (last != timer) {
        heap_put(clock, index, last);
        heap_sift(clock, index);
    }
    timer->deadline_ns = CLOCK_NEVER;
}

uint64_t clock_next_deadline_ns(const Clock *clock)
{
    return clock->heap->len ? ((ClockTimer *)clock->heap->pdata[0])->deadline_ns : CLOCK_NEVER;
}

/* Fires what is due at @until_ns. Events that callbacks add for times past are left for the next
 * round, so that a guest that arms them for ever cannot keep the lock. */
static void clock_fire_due(Clock *clock, uint64_t until_ns)
{
    uint64_t newest = clock->n_armed;

    while (clock->heap->len > 0) {
        ClockTimer *timer = clock->heap->pdata[0];
        if (timer->deadline_ns > until_ns || timer->sequence > newest)
            break;
        heap_remove(clock, timer);
        timer->fire(timer->opaque);
    }
}

/* The thread of a real clock */

static void clock_wake_thread(Clock *clock, bool always)
{
    uint64_t next = clock_next_deadline_ns(clock);

    if (!clock->thread)
        return;
    pthread_mutex_lock(&clock->wait_lock);
    /* A later deadline needs no wake-up: the thread finds out when it wakes for the old one. */
    if (always || next < clock->wait_until_ns) {
        clock->wait_until_ns = next;
        pthread_cond_signal(&clock->wait_cond);
    }
    pthread_mutex_unlock(&clock->wait_lock);
}

static void clock_wait(Clock *clock, uint64_t guest_ns)
{
    if (guest_ns == CLOCK_NEVER || !__atomic_load_n(&clock->is_running, __ATOMIC_RELAXED)) {
        pthread_cond_wait(&clock->wait_cond, &clock->wait_lock);
        return;
    }
    uint64_t now = clock_now_ns(clock);
    /* An hour at most: far deadlines must not overflow the host's time. */
    uint64_t delay = MIN(guest_ns - now, 3600 * CLOCK_NS_PER_SECOND);
    if (now >= guest_ns)
        return;
    uint64_t until = host_now_ns() + delay;
    struct timespec at = { .tv_sec = (time_t)(until / CLOCK_NS_PER_SECOND),
                           .tv_nsec = (long)(until % CLOCK_NS_PER_SECOND) };
    pthread_cond_timedwait(&clock->wait_cond, &clock->wait_lock, &at);
}

static gpointer clock_thread(gpointer data)
{
    Clock *clock = data;

    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 µs is felt in a guest's timers */
    pthread_mutex_lock(&clock->wait_lock);
    while (!clock->is_quitting) {
        bool is_due = __atomic_load_n(&clock->is_running, __ATOMIC_RELAXED) &&
                      clock->wait_until_ns <= clock_now_ns(clock);
        if (!is_due) {
            clock_wait(clock, clock->wait_until_ns);
            continue;
        }
        pthread_mutex_unlock(&clock->wait_lock);

        g_rec_mutex_lock(clock->lock);
        if (clock->is_running)
            clock_fire_due(clock, clock_now_ns(clock));
        uint64_t next = clock_next_deadline_ns(clock);
        pthread_mutex_lock(&clock->wait_lock);
        clock->wait_until_ns = next;
        pthread_mutex_unlock(&clock->wait_lock);
        g_rec_mutex_unlock(clock->lock);

        pthread_mutex_lock(&clock->wait_lock);
    }
    pthread_mutex_unlock(&clock->wait_lock);
    return NULL;
}

Clock *clock_new(ClockKind kind, GRecMutex *lock)
{
    Clock *clock = g_new0(Clock, 1);
    pthread_condattr_t attributes;

    clock->kind = kind;
    clock->lock = lock;
    clock->heap = g_ptr_array_new();
    clock->wait_until_ns = CLOCK_NEVER;
    pthread_mutex_init(&clock->wait_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&clock->wait_cond, &attributes);
    pthread_condattr_destroy(&attributes);
    if (kind == CLOCK_REAL)
        clock->thread = g_thread_new("clock", clock_thread, clock);
    return clock;
}

void clock_free(Clock *clock)
{
    if (!clock)
        return;
    if (clock->thread) {
        pthread_mutex_lock(&clock->wait_lock);
        clock->is_quitting = true;
        pthread_cond_signal(&clock->wait_cond);
        pthread_mutex_unlock(&clock->wait_lock);
        g_thread_join(clock->thread);
    }
    pthread_cond_destroy(&clock->wait_cond);
    pthread_mutex_destroy(&clock->wait_lock);
    g_ptr_array_unref(clock->heap);
    g_free(clock);
}

void clock_start(Clock *clock)
{
    g_rec_mutex_lock(clock->lock);
    if (!clock->is_running) {
        clock_set_time(clock, clock->guest_ns, true);
        clock_wake_thread(clock, true);
    }
    g_rec_mutex_unlock(clock->lock);
}

void clock_stop(Clock *clock)
{
    /* With the board lock no event is half-way through firing. */
    g_rec_mutex_lock(clock->lock);
    if (clock->is_running) {
        clock_set_time(clock, clock_now_ns(clock), false);
        clock_wake_thread(clock, true);
    }
    g_rec_mutex_unlock(clock->lock);
}

void clock_set_now_ns(Clock *clock, uint64_t now_ns)
{
    g_return_if_fail(!clock->is_running || clock->kind == CLOCK_DETERMINISTIC);
    clock_set_time(clock, now_ns, clock->is_running);
}

void clock_timer_init(ClockTimer *timer, Clock *clock, void (*fire)(void *), void *opaque)
{
    *timer =
        (ClockTimer){ .clock = clock, .fire = fire, .opaque = opaque, .deadline_ns = CLOCK_NEVER };
}

void clock_timer_set(ClockTimer *timer, uint64_t deadline_ns)
{
    Clock *clock = timer->clock;

    if (timer->deadline_ns == deadline_ns)
        return;
    if (deadline_ns == CLOCK_NEVER) {
        heap_remove(clock, timer);
        return;
    }
    if (timer->deadline_ns == CLOCK_NEVER) {
        g_ptr_array_add(clock->heap, timer);
        timer->heap_index = clock->heap->len - 1;
    }
    timer->deadline_ns = deadline_ns;
    timer->sequence = ++clock->n_armed;
    heap_sift(clock, timer->heap_index);
    if (clock->heap->pdata[0] == timer)
        clock_wake_thread(clock, false);
}

void clock_timer_cancel(ClockTimer *timer)
{
    if (clock_timer_is_set(timer))
        heap_remove(timer->clock, timer);
}

void clock_advance(Clock *clock, uint64_t to_ns)
{
    g_return_if_fail(clock->kind == CLOCK_DETERMINISTIC);
    for (;;) {
        uint64_t next = clock_next_deadline_ns(clock);
        if (next > to_ns)
            break;
        if (next > clock->guest_ns)
            __atomic_store_n(&clock->guest_ns, next, __ATOMIC_RELAXED);
        ClockTimer *timer = clock->heap->pdata[0];
        heap_remove(clock, timer);
        timer->fire(timer->opaque);
    }
    if (to_ns > clock->guest_ns)
        __atomic_store_n(&clock->guest_ns, to_ns, __ATOMIC_RELAXED);
}
