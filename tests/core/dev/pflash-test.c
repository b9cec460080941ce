/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* The flash of UEFI's variables, as its firmware drives it and as nobody should. */

#include "dev-fixture.h"

#include "core/dev/pflash.h"
#include <string.h>

#define BASE UINT64_C(0xFFC00000)
#define N_BLOCKS 4
#define SIZE (N_BLOCKS * PFLASH_BLOCK_SIZE)

typedef struct {
    Board *board;
    Ram *image;
    Device *flash;
    unsigned changes;
} Rig;

static void on_changed(void *opaque)
{
    ((Rig *)opaque)->changes++;
}

static int setup(void **state)
{
    Rig *rig = g_new0(Rig, 1);

    rig->board = board_new();
    rig->image = ram_new("nvram", SIZE, NULL);
    for (unsigned i = 0; i < SIZE; i++)
        rig->image->host[i] = (uint8_t)(i * 7 + 1);
    rig->flash = pflash_new(&(PflashWiring){ .memory = rig->board->machine.memory,
                                             .base = BASE,
                                             .image = rig->image,
                                             .on_changed = on_changed,
                                             .opaque = rig });
    board_plug(rig->board, rig->flash);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    Rig *rig = *state;

    device_free(rig->flash);
    board_free(rig->board);
    ram_free(rig->image);
    g_free(rig);
    return 0;
}

static void put(Rig *rig, unsigned offset, uint8_t value)
{
    address_space_write(rig->board->machine.memory, BASE + offset, 1, value);
}

static uint8_t get(Rig *rig, unsigned offset)
{
    return (uint8_t)address_space_read(rig->board->machine.memory, BASE + offset, 1);
}

static void program(Rig *rig, unsigned offset, uint8_t value)
{
    put(rig, offset, 0x10);
    put(rig, offset, value);
}

static void erase(Rig *rig, unsigned offset)
{
    put(rig, offset, 0x20);
    put(rig, offset, 0xD0);
}

static SpanKind kind_at(Rig *rig, unsigned offset)
{
    const FlatView *view = address_space_view(rig->board->machine.memory);

    return flat_view_find(view, BASE + offset, NULL)->kind;
}

static void programming_clears_bits_and_never_sets_them(void **state)
{
    Rig *rig = *state;

    rig->image->host[5] = 0xF5;
    program(rig, 5, 0x3C);
    assert_int_equal(rig->image->host[5], 0x34);
    program(rig, 5, 0xFF);
    put(rig, 0, 0xFF);
    assert_int_equal(get(rig, 5), 0x34);
    assert_int_equal(get(rig, 4), 4 * 7 + 1);
    assert_int_equal(get(rig, 6), 6 * 7 + 1);
}

static void erasing_sets_one_block(void **state)
{
    Rig *rig = *state;

    erase(rig, 2 * PFLASH_BLOCK_SIZE + 77);
    put(rig, 0, 0xFF);
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(get(rig, i), i / PFLASH_BLOCK_SIZE == 2 ? 0xFF : (uint8_t)(i * 7 + 1));
}

/* Firmware writes 50h, must not read it back, writes 70h, must read 0. */
static void firmware_finds_flash_and_neither_ram_nor_rom(void **state)
{
    Rig *rig = *state;
    uint8_t original = get(rig, 3);

    put(rig, 3, 0x50);
    assert_int_equal(get(rig, 3), original);
    put(rig, 3, 0x70);
    assert_int_equal(get(rig, 3), 0);
    put(rig, 3, 0xFF);
    assert_int_equal(get(rig, 3), original);
}

static void status_tells_ready_and_a_broken_sequence(void **state)
{
    Rig *rig = *state;

    put(rig, 0, 0x50);
    program(rig, 9, 0);
    assert_int_equal(get(rig, 0), 0x80);
    put(rig, 0, 0x50);
    put(rig, 0, 0x20);
    put(rig, 0, 0x55);
    assert_int_equal(get(rig, 0), 0xB0);
    assert_int_equal(rig->image->host[0], 1);
    put(rig, 0, 0x50);
    put(rig, 0, 0x70);
    assert_int_equal(get(rig, 0), 0);
}

static void it_is_memory_while_it_reads_so(void **state)
{
    Rig *rig = *state;

    assert_int_equal(kind_at(rig, 0), SPAN_ROM);
    put(rig, 0, 0x70);
    assert_int_equal(kind_at(rig, 0), SPAN_DEVICE);
    put(rig, 0, 0xFF);
    assert_int_equal(kind_at(rig, 0), SPAN_ROM);
    program(rig, 0, 0);
    assert_int_equal(kind_at(rig, 0), SPAN_DEVICE);
    device_reset(rig->flash);
    device_update(rig->flash);
    assert_int_equal(kind_at(rig, 0), SPAN_ROM);
    assert_int_equal(get(rig, 0), 0);
}

static void its_query_tells_size_and_blocks(void **state)
{
    Rig *rig = *state;

    put(rig, 0, 0x98);
    assert_int_equal(get(rig, 0x10) << 16 | get(rig, 0x11) << 8 | get(rig, 0x12), 0x515259);
    assert_int_equal(1u << get(rig, 0x27), SIZE);
    assert_int_equal((get(rig, 0x2D) | get(rig, 0x2E) << 8) + 1, N_BLOCKS);
    assert_int_equal((get(rig, 0x2F) | get(rig, 0x30) << 8) * 256, PFLASH_BLOCK_SIZE);
    put(rig, 0, 0x90);
    assert_int_equal(get(rig, 0), 0x89);
}

static void only_changes_are_told(void **state)
{
    Rig *rig = *state;

    put(rig, 0, 0x70);
    put(rig, 0, 0x98);
    put(rig, 0, 0xFF);
    program(rig, 0, 0xFF);
    assert_int_equal(rig->changes, 0);
    program(rig, 0, 0);
    assert_int_equal(rig->changes, 1);
    erase(rig, 0);
    assert_int_equal(rig->changes, 2);
}

/* A state in the middle of a command goes on elsewhere, with the view that belongs to it. */
static void a_command_is_finished_after_save_and_load(void **state)
{
    Rig *rig = *state;

    put(rig, 0, 0x10);
    board_save_and_load(rig->flash);
    assert_int_equal(kind_at(rig, 0), SPAN_DEVICE);
    put(rig, 20, 0);
    assert_int_equal(rig->image->host[20], 0);
}

/* Whatever is written where: a change clears bits of one byte, or sets one block. */
static void assert_is_flash_like(const uint8_t *before, const uint8_t *after)
{
    unsigned first = 0, last = SIZE;

    while (first < SIZE && before[first] == after[first])
        first++;
    while (last > first && before[last - 1] == after[last - 1])
        last--;
    if (last - first <= 1) {
        assert_true(first == SIZE || after[first] == 0xFF || !(after[first] & ~before[first]));
        return;
    }
    unsigned block = first / PFLASH_BLOCK_SIZE;
    assert_int_equal((last - 1) / PFLASH_BLOCK_SIZE, block);
    for (unsigned i = 0; i < PFLASH_BLOCK_SIZE; i++)
        assert_int_equal(after[block * PFLASH_BLOCK_SIZE + i], 0xFF);
}

static void random_writes_do_what_flash_can(void **state)
{
    static const uint8_t commands[] = {
        0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xD0, 0xFF
    };
    Rig *rig = *state;
    g_autofree uint8_t *before = g_malloc(SIZE);
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (unsigned i = 0; i < 30000; i++) {
        unsigned at = g_rand_int_range(rand, 0, SIZE);
        memcpy(before, rig->image->host, SIZE);
        put(rig, at,
            g_rand_boolean(rand) ? commands[g_rand_int(rand) % G_N_ELEMENTS(commands)]
                                 : g_rand_int(rand));
        assert_is_flash_like(before, rig->image->host);
        get(rig, g_rand_int_range(rand, 0, SIZE));
    }
    /* In all sizes and over its ends, nothing but the flash is touched: a sanitizer watches. */
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t at = BASE - 8 + g_rand_int_range(rand, 0, SIZE + 16);
        unsigned size = 1u << g_rand_int_range(rand, 0, 4);
        uint64_t value =
            commands[g_rand_int(rand) % G_N_ELEMENTS(commands)] * UINT64_C(0x0101010101);
        address_space_write(rig->board->machine.memory, at, size, value);
        address_space_read(rig->board->machine.memory, at, size);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(programming_clears_bits_and_never_sets_them),
        TEST(erasing_sets_one_block),
        TEST(firmware_finds_flash_and_neither_ram_nor_rom),
        TEST(status_tells_ready_and_a_broken_sequence),
        TEST(it_is_memory_while_it_reads_so),
        TEST(its_query_tells_size_and_blocks),
        TEST(only_changes_are_told),
        TEST(a_command_is_finished_after_save_and_load),
        TEST(random_writes_do_what_flash_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
