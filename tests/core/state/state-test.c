/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/state/state.h"

#include "core/clock/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>
#include <string.h>

typedef struct {
    uint8_t low;
    uint64_t high;
} Part;

typedef struct {
    uint32_t number;
    uint8_t index; /* at most 3 */
    bool flag;
    uint16_t list[3];
    uint8_t bytes[5];
    Part part[2];
    ClockTimer timer;
} Thing;

static const StateField part_state[] = { STATE_UINT(Part, low), STATE_UINT(Part, high), STATE_END };
static const StateField thing_state[] = {
    STATE_UINT(Thing, number), STATE_UINT_MAX(Thing, index, 3),
    STATE_BOOL(Thing, flag),   STATE_ARRAY(Thing, list),
    STATE_BYTES(Thing, bytes), STATE_STRUCTS(Thing, part, part_state),
    STATE_TIMER(Thing, timer), STATE_END,
};
static const StateField other_state[] = { STATE_UINT(Thing, number), STATE_END };

#define PAYLOAD (4 + 1 + 1 + 6 + 5 + 2 * 9 + 8)
enum { OFFSET_INDEX = 12 + 4, OFFSET_FLAG = OFFSET_INDEX + 1 };

static GRecMutex lock;
static Clock *test_clock;

static void on_timer(void *opaque)
{
}

static Thing make_thing(void)
{
    Thing thing = {
        0x12345678, 2, true, { 1, 2, 0xFFFF }, { 9, 8, 7, 6, 5 }, { { 1, UINT64_MAX }, { 2, 3 } }
    };

    clock_timer_init(&thing.timer, test_clock, on_timer, NULL);
    return thing;
}

static void what_was_saved_is_loaded(void **state)
{
    Thing saved = make_thing(), loaded = { 0 };
    g_autoptr(GByteArray) blob = g_byte_array_new();
    size_t used;

    clock_timer_init(&loaded.timer, test_clock, on_timer, NULL);
    saved.timer.deadline_ns = 777;
    state_save(&saved, thing_state, 3, blob);
    assert_int_equal(blob->len, 12 + PAYLOAD);
    assert_true(state_load(&loaded, thing_state, 3, blob->data, blob->len, &used, NULL));
    assert_int_equal(used, blob->len);
    assert_int_equal(loaded.number, 0x12345678);
    assert_int_equal(loaded.index, 2);
    assert_true(loaded.flag);
    assert_memory_equal(loaded.list, saved.list, sizeof(saved.list));
    assert_memory_equal(loaded.bytes, saved.bytes, sizeof(saved.bytes));
    assert_int_equal(loaded.part[0].high, UINT64_MAX);
    assert_int_equal(loaded.part[1].low, 2);
    assert_int_equal(clock_next_deadline_ns(test_clock), 777); /* and armed */
    clock_timer_cancel(&loaded.timer);
}

static void assert_refused(const StateField *fields, unsigned version, const uint8_t *bytes,
                           size_t length, const char *word)
{
    g_autoptr(GError) error = NULL;
    Thing thing = make_thing(), before;
    size_t used = 99;

    memset(&thing.part, 0x5A, sizeof(thing.part));
    before = thing;
    assert_false(state_load(&thing, fields, version, bytes, length, &used, &error));
    assert_non_null(strstr(error->message, word));
    assert_memory_equal(&thing, &before, sizeof(thing));
    assert_int_equal(used, 99);
}

static void damaged_state_is_refused_and_changes_nothing(void **state)
{
    Thing thing = make_thing();
    g_autoptr(GByteArray) blob = g_byte_array_new();

    state_save(&thing, thing_state, 3, blob);
    for (size_t length = 0; length < blob->len; length++) {
        g_autofree uint8_t *part = g_memdup2(blob->data, MAX(length, 1));
        assert_refused(thing_state, 3, part, length, "cut short");
    }
    assert_refused(thing_state, 4, blob->data, blob->len, "version");
    assert_refused(other_state, 3, blob->data, blob->len, "version");

    blob->data[OFFSET_INDEX] = 4;
    assert_refused(thing_state, 3, blob->data, blob->len, "index");
    blob->data[OFFSET_INDEX] = 3;
    blob->data[OFFSET_FLAG] = 2;
    assert_refused(thing_state, 3, blob->data, blob->len, "flag");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(damaged_state_is_refused_and_changes_nothing),
    };

    test_clock = clock_new(CLOCK_DETERMINISTIC, &lock);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    clock_free(test_clock);
    return result;
}
