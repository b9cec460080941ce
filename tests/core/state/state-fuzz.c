/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Any bytes as a saved state, for one table with every kind of field: refused with the object as it
 * was, or loaded with every number in its range. (What devices do with states that pass is the
 * contract test's.) */

#include "core/clock/clock.h"
#include "core/state/state.h"
#include "fuzz.h"
#include <string.h>

typedef struct {
    uint8_t index; /* at most 7 */
    uint64_t wide;
} Part;

typedef struct {
    uint8_t small;
    uint16_t list[5];
    uint32_t index; /* at most 1000 */
    bool flags[2];
    uint8_t bytes[9];
    Part part[3], single;
    ClockTimer timer;
} Thing;

static const StateField part_state[] = { STATE_UINT_MAX(Part, index, 7), STATE_UINT(Part, wide),
                                         STATE_END };
static const StateField thing_state[] = {
    STATE_UINT(Thing, small),
    STATE_ARRAY(Thing, list),
    STATE_UINT_MAX(Thing, index, 1000),
    STATE_BOOL(Thing, flags[0]),
    STATE_BOOL(Thing, flags[1]),
    STATE_BYTES(Thing, bytes),
    STATE_STRUCTS(Thing, part, part_state),
    STATE_STRUCT(Thing, single, part_state),
    STATE_TIMER(Thing, timer),
    STATE_END,
};
#define VERSION 2

static void check_loaded(const Thing *thing, size_t used, size_t size)
{
    uint8_t flags[2];
    memcpy(flags, thing->flags, 2); /* a bool with 2 in it is no bool */
    g_assert(used <= size && thing->index <= 1000 && flags[0] <= 1 && flags[1] <= 1);
    g_assert(thing->single.index <= 7);
    for (unsigned i = 0; i < G_N_ELEMENTS(thing->part); i++)
        g_assert(thing->part[i].index <= 7);
}

static void on_timer(void *opaque)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GRecMutex lock;
    g_rec_mutex_init(&lock);
    Clock *clock = clock_new(CLOCK_DETERMINISTIC, &lock);
    Thing thing, before;
    g_autoptr(GError) error = NULL;
    size_t used = 0;

    memset(&thing, 0, sizeof thing);
    thing.small = 42;
    clock_timer_init(&thing.timer, clock, on_timer, NULL);
    memcpy(&before, &thing, sizeof thing);
    g_rec_mutex_lock(&lock);
    if (state_load(&thing, thing_state, VERSION, data, size, &used, &error))
        check_loaded(&thing, used, size);
    else
        g_assert(error && used == 0 && memcmp(&thing, &before, sizeof thing) == 0);
    clock_timer_cancel(&thing.timer);
    g_rec_mutex_unlock(&lock);
    clock_free(clock);
    g_rec_mutex_clear(&lock);
    return 0;
}

void fuzz_add_seeds(GPtrArray *seeds)
{
    Thing thing = { .small = 1, .index = 999, .flags = { true, false } };
    GByteArray *blob = g_byte_array_new();

    thing.timer.deadline_ns = 12345;
    state_save(&thing, thing_state, VERSION, blob);
    g_ptr_array_add(seeds, g_byte_array_free_to_bytes(blob));
}
