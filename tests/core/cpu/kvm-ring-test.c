/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The ring of written pages, with a kernel made of this program: one that keeps to its limits, and
 * one that does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/kvm/kvm-ring.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 16u

static struct kvm_dirty_gfn entries[SIZE];
static uint32_t n_pushed, n_reset;
static unsigned n_interruptions;

static void push(uint64_t page)
{
    struct kvm_dirty_gfn *entry = &entries[n_pushed++ % SIZE];
    *entry = (struct kvm_dirty_gfn){ .slot = 3, .offset = page, .flags = KVM_DIRTY_GFN_F_DIRTY };
}

static void push_many(uint64_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        push(first + i);
}

int ioctl(int fd, unsigned long request, ...)
{
    int n = 0;

    assert_int_equal(request, KVM_RESET_DIRTY_RINGS);
    if (n_interruptions > 0 && n_interruptions--) {
        errno = EINTR;
        return n_interruptions % 2 ? 0 : -1;
    }
    for (; entries[n_reset % SIZE].flags & KVM_DIRTY_GFN_F_RESET; n++)
        entries[n_reset++ % SIZE].flags = 0;
    return n;
}

static int set_up(void **state)
{
    static KvmRing ring;

    memset(entries, 0, sizeof entries);
    n_pushed = n_reset = 0;
    ring = (KvmRing){ .entries = entries, .size = SIZE };
    *state = &ring;
    return 0;
}

static uint8_t pages[256];

static void on_page(void *opaque, uint32_t slot, uint64_t page)
{
    assert_int_equal(slot, 3);
    assert_true(page < sizeof pages);
    pages[page]++;
}

static bool is_whole; /* what the last read said */

static uint32_t read_all(KvmRing *ring)
{
    uint32_t n = 0;

    memset(pages, 0, sizeof pages);
    is_whole = kvm_ring_read(ring, on_page, NULL, &n);
    return n;
}

static void a_page_is_read_once(void **state)
{
    KvmRing *ring = *state;

    push(7);
    assert_int_equal(read_all(ring), 1);
    assert_int_equal(pages[7], 1);
    assert_int_equal(read_all(ring), 0);
    assert_true(is_whole);
}

static void the_ring_goes_round(void **state)
{
    KvmRing *ring = *state;

    for (unsigned i = 0; i < 10; i++) {
        push_many(i * 5, 5);
        assert_int_equal(read_all(ring), 5);
        assert_true(pages[i * 5] && pages[i * 5 + 4]);
        kvm_ring_reset(0, 5);
        assert_true(is_whole && kvm_ring_settle(ring));
    }
    assert_int_equal(n_reset, n_pushed);
}

static void a_reset_that_a_signal_cut_short_is_finished(void **state)
{
    KvmRing *ring = *state;

    push_many(0, 4);
    n_interruptions = 4;
    kvm_ring_reset(0, read_all(ring));
    assert_int_equal(n_reset, 4);
    assert_true(kvm_ring_settle(ring));
}

static void what_comes_after_an_overrun_is_read(void **state)
{
    KvmRing *ring = *state;

    for (unsigned excess = 0; excess + 5 <= SIZE; excess++) {
        set_up(state);
        push_many(0, SIZE + excess);
        read_all(ring);
        assert_false(is_whole);
        kvm_ring_reset(0, SIZE);
        assert_true(kvm_ring_settle(ring));
        assert_int_equal(read_all(ring), 0);
        push_many(100, 5); /* behind what the kernel thinks is still in the ring */
        assert_int_equal(read_all(ring), 5);
        assert_true(pages[100] && pages[104]);
        kvm_ring_reset(0, excess + 5);
        assert_int_equal(n_reset, n_pushed);
    }
}

static void an_overrun_of_what_was_read_is_told(void **state)
{
    KvmRing *ring = *state;

    push_many(0, SIZE - 2);
    assert_int_equal(read_all(ring), SIZE - 2);
    push_many(50, 6); /* before the reset: four of them over what was read */
    kvm_ring_reset(0, SIZE - 2);
    assert_false(kvm_ring_settle(ring));
    assert_int_equal(read_all(ring), 6);
    assert_false(is_whole);
    kvm_ring_reset(0, 6);
    assert_false(kvm_ring_settle(ring));
    kvm_ring_reset(0, 1);
    assert_true(kvm_ring_settle(ring));
    assert_int_equal(n_reset, n_pushed);
}

/* Whatever the kernel does, each page is read, or it is said that some were not. */
static void nothing_is_lost_unsaid(void **state)
{
    KvmRing *ring = *state;

    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned n = (unsigned)rand() % (SIZE + 8), late = rand() % 8 ? 0 : (unsigned)rand() % 6;
        push_many(0, n);
        bool was_adrift = ring->is_adrift;
        read_all(ring);
        bool whole = is_whole;
        push_many(100, late);
        kvm_ring_reset(0, n);
        bool settled = kvm_ring_settle(ring);
        for (unsigned i = 0; i < n && whole && settled && !was_adrift; i++)
            assert_true(pages[i]);
        if (!settled)
            kvm_ring_reset(0, 1), kvm_ring_settle(ring);
        for (unsigned i = 0; i < 3; i++) { /* calm: in step again */
            push(200);
            read_all(ring);
            assert_true(pages[200]);
            kvm_ring_reset(0, 1);
            if (!kvm_ring_settle(ring))
                kvm_ring_reset(0, 1), kvm_ring_settle(ring);
        }
        assert_int_equal(n_reset, n_pushed);
        assert_int_equal(ring->head, n_pushed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_page_is_read_once, set_up),
        cmocka_unit_test_setup(the_ring_goes_round, set_up),
        cmocka_unit_test_setup(a_reset_that_a_signal_cut_short_is_finished, set_up),
        cmocka_unit_test_setup(what_comes_after_an_overrun_is_read, set_up),
        cmocka_unit_test_setup(an_overrun_of_what_was_read_is_told, set_up),
        cmocka_unit_test_setup(nothing_is_lost_unsaid, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
