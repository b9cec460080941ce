/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A virtqueue and drivers: one that keeps to the rules, and many that do not. */

#include "core/virtio/virtqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#define RAM_BYTES 0x20000u
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define TABLE 0x4000u
#define DATA 0x8000u
#define SIZE 8
#define N_HOSTILE 1000000

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

typedef struct {
    AddressSpace *as;
    Ram *ram;
    Virtqueue queue;
} Fixture;

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->as = address_space_new("memory", UINT64_C(1) << 32);
    f->ram = ram_new("ram", RAM_BYTES, NULL);
    ram_enable_dirty_log(f->ram);
    address_space_map_ram(f->as, 0, RAM_BYTES, 1, f->ram, 0);
    virtqueue_reset(&f->queue, SIZE);
    f->queue.descriptors = DESC;
    f->queue.driver = AVAIL;
    f->queue.device = USED;
    f->queue.is_enabled = f->queue.has_indirect = true;
    assert_true(virtqueue_map(&f->queue, address_space_view(f->as)));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    address_space_free(f->as);
    ram_free(f->ram);
    g_free(f);
    return 0;
}

static void put16(Fixture *f, unsigned at, uint16_t value)
{
    memcpy(f->ram->host + at, &value, 2);
}

static uint16_t get16(Fixture *f, unsigned at)
{
    uint16_t value;

    memcpy(&value, f->ram->host + at, 2);
    return value;
}

static void describe(Fixture *f, unsigned table, unsigned i, uint64_t address, uint32_t length,
                     uint16_t flags, uint16_t next)
{
    uint8_t *d = f->ram->host + table + i * 16;

    memcpy(d, &address, 8);
    memcpy(d + 8, &length, 4);
    memcpy(d + 12, &flags, 2);
    memcpy(d + 14, &next, 2);
}

static void offer(Fixture *f, uint16_t head)
{
    uint16_t index = get16(f, AVAIL + 2);

    put16(f, AVAIL + 4 + index % SIZE * 2, head);
    put16(f, AVAIL + 2, index + 1);
}

static void assert_broken(Fixture *f)
{
    assert_null(virtqueue_pop(&f->queue));
    assert_true(f->queue.is_broken);
    assert_null(virtqueue_pop(&f->queue));
}

static void a_chain_is_read_written_and_given_back(void **state)
{
    Fixture *f = *state;
    char text[9] = { 0 };

    memcpy(f->ram->host + DATA, "abcd", 4);
    memcpy(f->ram->host + DATA + 0x100, "efgh", 4);
    describe(f, DESC, 3, DATA, 4, NEXT, 5);
    describe(f, DESC, 5, DATA + 0x100, 4, NEXT, 1);
    describe(f, DESC, 1, DATA + 0x3000, 6, WRITE, 0);
    offer(f, 3);
    VirtChain *chain = virtqueue_pop(&f->queue);
    assert_non_null(chain);
    assert_int_equal(chain->out_length, 8);
    assert_int_equal(chain->in_length, 6);
    assert_int_equal(virt_chain_read(chain, 0, text, 8), 8);
    assert_string_equal(text, "abcdefgh");
    assert_int_equal(virt_chain_read(chain, 6, text, 8), 2);
    assert_int_equal(virt_chain_write(chain, 2, "wxyz!", 5), 4);
    memset(f->ram->dirty, 0, RAM_BYTES / RAM_PAGE_SIZE);
    virtqueue_push(&f->queue, chain, 6);
    assert_memory_equal(f->ram->host + DATA + 0x3002, "wxyz", 4);
    assert_int_equal(get16(f, USED + 2), 1);
    assert_int_equal(get16(f, USED + 4), 3);
    assert_int_equal(get16(f, USED + 8), 6);
    assert_true(f->ram->dirty[USED >> 12] && f->ram->dirty[(DATA + 0x3000) >> 12]);
    assert_false(f->ram->dirty[DATA >> 12]);
    assert_null(virtqueue_pop(&f->queue));
    assert_false(f->queue.is_broken);
}

static void an_indirect_table_is_followed(void **state)
{
    Fixture *f = *state;
    unsigned n;

    describe(f, DESC, 0, TABLE + 4, 3 * 16, INDIRECT, 0);
    describe(f, TABLE + 4, 0, DATA, 16, NEXT, 2);
    describe(f, TABLE + 4, 2, DATA + 0x200, 512, NEXT | WRITE, 1);
    describe(f, TABLE + 4, 1, DATA + 0x800, 1, WRITE, 0);
    offer(f, 0);
    VirtChain *chain = virtqueue_pop(&f->queue);
    assert_non_null(chain);
    assert_int_equal(chain->in_length, 513);
    struct iovec *iov = virt_chain_dup_iov(chain, true, 0, 512, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(iov[0].iov_base, f->ram->host + DATA + 0x200);
    g_free(iov);
    assert_null(virt_chain_dup_iov(chain, true, 2, 512, &n));
    virtqueue_push(&f->queue, chain, 0);
}

static void what_no_driver_does_breaks_the_queue(void **state)
{
    enum { LOOP, BEYOND, WILD, HUGE_LENGTH, WRITE_BEFORE_READ, NESTED, ODD_TABLE, BAD_HEAD, N };
    Fixture *f = *state;

    for (unsigned i = 0; i < N; i++) {
        teardown(state);
        setup(state);
        f = *state;
        describe(f, DESC, 0, DATA, 16, NEXT, i == LOOP ? 0 : i == BEYOND ? SIZE : 1);
        describe(f, DESC, 1, DATA, 16, 0, 0);
        if (i == WILD)
            describe(f, DESC, 1, RAM_BYTES - 8, 16, WRITE, 0);
        if (i == HUGE_LENGTH)
            describe(f, DESC, 1, UINT64_MAX - 8, 16, WRITE, 0);
        if (i == WRITE_BEFORE_READ)
            describe(f, DESC, 0, DATA, 16, NEXT | WRITE, 1);
        if (i == NESTED) {
            describe(f, DESC, 0, TABLE, 16, INDIRECT, 0);
            describe(f, TABLE, 0, TABLE, 16, INDIRECT, 0);
        }
        if (i == ODD_TABLE)
            describe(f, DESC, 0, TABLE, 17, INDIRECT, 0);
        offer(f, i == BAD_HEAD ? SIZE : 0);
        assert_broken(f);
    }
}

static void more_than_the_ring_holds_breaks_the_queue(void **state)
{
    Fixture *f = *state;

    describe(f, DESC, 0, DATA, 16, 0, 0);
    put16(f, AVAIL + 2, SIZE + 1);
    assert_broken(f);
}

static void a_chain_that_is_still_ours_breaks_the_queue(void **state)
{
    Fixture *f = *state;

    describe(f, DESC, 0, DATA, 16, 0, 0);
    offer(f, 0);
    VirtChain *chain = virtqueue_pop(&f->queue);
    assert_non_null(chain);
    offer(f, 0);
    assert_broken(f);
    virt_chain_free(chain);
}

static void a_chain_in_flight_survives_a_save(void **state)
{
    Fixture *f = *state;
    g_autoptr(GByteArray) blob = g_byte_array_new();
    size_t used;

    describe(f, DESC, 6, DATA, 16, WRITE, 0);
    offer(f, 6);
    virt_chain_free(virtqueue_pop(&f->queue));
    assert_null(virtqueue_pop_in_flight(&f->queue));
    state_save(&f->queue, virtqueue_state, 1, blob);
    virtqueue_reset(&f->queue, SIZE);
    assert_true(state_load(&f->queue, virtqueue_state, 1, blob->data, blob->len, &used, NULL));
    assert_true(virtqueue_map(&f->queue, address_space_view(f->as)));
    assert_null(virtqueue_pop(&f->queue));
    VirtChain *chain = virtqueue_pop_in_flight(&f->queue);
    assert_non_null(chain);
    assert_int_equal(chain->head, 6);
    assert_null(virtqueue_pop_in_flight(&f->queue));
    virtqueue_push(&f->queue, chain, 0);
    assert_int_equal(get16(f, USED + 4), 6);
}

static void push_one(Fixture *f)
{
    describe(f, DESC, 0, DATA, 16, 0, 0);
    offer(f, 0);
    VirtChain *chain = virtqueue_pop(&f->queue);
    assert_non_null(chain);
    virtqueue_push(&f->queue, chain, 0);
}

static void the_driver_is_told_when_it_wants_to_be(void **state)
{
    Fixture *f = *state;

    push_one(f);
    assert_true(virtqueue_take_signal(&f->queue));
    assert_false(virtqueue_take_signal(&f->queue)); /* nothing new */
    put16(f, AVAIL, 1);                             /* no interrupts, please */
    push_one(f);
    assert_false(virtqueue_take_signal(&f->queue));

    f->queue.has_event_index = true;
    put16(f, AVAIL + 4 + SIZE * 2, 3); /* when the fourth is there */
    push_one(f);
    assert_false(virtqueue_take_signal(&f->queue));
    push_one(f);
    assert_true(virtqueue_take_signal(&f->queue));
    push_one(f);
    assert_false(virtqueue_take_signal(&f->queue));
}

static void a_wish_for_doorbells_finds_what_came_before_it(void **state)
{
    Fixture *f = *state;

    describe(f, DESC, 0, DATA, 16, 0, 0);
    assert_false(virtqueue_want_doorbell(&f->queue, false));
    assert_int_equal(get16(f, USED), 1);
    assert_false(virtqueue_want_doorbell(&f->queue, true));
    assert_int_equal(get16(f, USED), 0);
    offer(f, 0);
    assert_true(virtqueue_want_doorbell(&f->queue, true));

    f->queue.has_event_index = true;
    f->queue.next_avail = 1;
    assert_false(virtqueue_want_doorbell(&f->queue, true));
    assert_int_equal(get16(f, USED + 4 + SIZE * 8), 1);
}

static void rings_must_lie_in_memory(void **state)
{
    Fixture *f = *state;
    const FlatView *view = address_space_view(f->as);

    f->queue.device = RAM_BYTES - 8;
    assert_false(virtqueue_map(&f->queue, view));
    assert_null(virtqueue_pop(&f->queue));
    f->queue.device = USED + 2; /* not aligned */
    assert_false(virtqueue_map(&f->queue, view));
    f->queue.device = USED;
    f->queue.size = 6;
    assert_false(virtqueue_map(&f->queue, view));
}

/* One descriptor in sixteen is junk; the others could be a driver's. */
static void scribble(Fixture *f, GRand *rand)
{
    uint32_t r = g_rand_int(rand);
    bool is_junk = (r & 0xF) == 0;
    uint64_t address = is_junk ? g_rand_int(rand) : TABLE + (r >> 4 & 0x7FF);
    uint32_t length = is_junk ? g_rand_int(rand) : r & 0x8000 ? (r >> 16 & 7) * 16 : r >> 16 & 0x7F;
    uint16_t flags = r >> 24 & (is_junk ? 7 : r & 0x800000 ? 5 : 3);

    describe(f, r & 0x100 ? TABLE + (r >> 4 & 3) : DESC, r >> 9 & (SIZE - 1), address, length,
             flags, r >> 27 & (is_junk ? 31 : SIZE - 1));
}

/* Anything in the rings, most of it nearly right: no crash, no access outside, no endless work, and
 * no chain that is larger than a chain may be. */
static void a_hostile_driver_gets_nowhere(void **state)
{
    Fixture *f = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(20260101);
    unsigned n_chains = 0, n_broken = 0;

    for (unsigned i = 0; i < N_HOSTILE; i++) {
        uint32_t r = g_rand_int(rand);
        scribble(f, rand);
        if ((r & 0xFFF) == 0)
            put16(f, AVAIL + 2, (uint16_t)(r >> 12));
        else
            offer(f, r >> 16 & ((r & 0xFF) ? SIZE - 1 : 0xFFFF));
        VirtChain *chain = virtqueue_pop(&f->queue);
        if (chain) {
            n_chains++;
            assert_true(chain->n_in + chain->n_out <= VIRTQUEUE_MAX_SEGMENTS + 16);
            assert_true(chain->in_length + chain->out_length < VIRTQUEUE_MAX_SEGMENTS * RAM_BYTES);
            virtqueue_push(&f->queue, chain, 0);
        }
        virtqueue_take_signal(&f->queue);
        virtqueue_want_doorbell(&f->queue, r >> 31);
        if (f->queue.is_broken) {
            n_broken++;
            f->queue.is_broken = false;
            f->queue.next_avail = get16(f, AVAIL + 2);
        }
    }
    assert_true(n_chains > N_HOSTILE / 10 && n_broken > N_HOSTILE / 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chain_is_read_written_and_given_back),
        TEST(an_indirect_table_is_followed),
        TEST(what_no_driver_does_breaks_the_queue),
        TEST(more_than_the_ring_holds_breaks_the_queue),
        TEST(a_chain_that_is_still_ours_breaks_the_queue),
        TEST(a_chain_in_flight_survives_a_save),
        TEST(the_driver_is_told_when_it_wants_to_be),
        TEST(a_wish_for_doorbells_finds_what_came_before_it),
        TEST(rings_must_lie_in_memory),
        TEST(a_hostile_driver_gets_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
