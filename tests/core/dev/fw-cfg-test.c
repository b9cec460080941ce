/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "dev-fixture.h"

#include "core/dev/fw-cfg.h"
#include <string.h>

#define RAM_SIZE 0x10000u

typedef struct {
    Board *board;
    Device *dev;
    FwCfg *fw_cfg;
    Ram *ram;
    unsigned n_built;
} Fixture;

static GBytes *build_lazily(void *opaque, const char *name)
{
    g_autofree char *text = g_strdup_printf("%s #%u", name, ++((Fixture *)opaque)->n_built);

    return g_bytes_new(text, strlen(text));
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->board = board_new();
    f->ram = ram_new("ram", RAM_SIZE, NULL);
    address_space_map_ram(f->board->machine.memory, 0, RAM_SIZE, MAP_PRIORITY_RAM, f->ram, 0);
    f->dev = fw_cfg_new(f->board->machine.memory, f->board->machine.ports);
    f->fw_cfg = (FwCfg *)f->dev;
    board_plug(f->board, f->dev);
    fw_cfg_add_file(f->fw_cfg, "zebra", g_bytes_new_static("stripes", 7));
    fw_cfg_add_file(f->fw_cfg, "apple", g_bytes_new_static("red", 3));
    fw_cfg_add_lazy_file(f->fw_cfg, "mango", 10, build_lazily, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->dev);
    board_free(f->board);
    ram_free(f->ram);
    g_free(f);
    return 0;
}

static void read_item(Fixture *f, uint16_t key, void *out, unsigned n)
{
    board_out(f->board, 0x510, 2, key);
    for (unsigned i = 0; i < n; i++)
        ((uint8_t *)out)[i] = board_in(f->board, 0x511, 1);
}

/* What firmware does: a descriptor in memory, its address big-endian in two halves. */
static uint32_t run_dma(Fixture *f, uint32_t control, uint32_t length, uint64_t gpa)
{
    struct {
        uint32_t control, length;
        uint64_t gpa;
    } access = { GUINT32_TO_BE(control), GUINT32_TO_BE(length), GUINT64_TO_BE(gpa) };

    memcpy(f->ram->host + 0x100, &access, sizeof access);
    board_out(f->board, 0x514, 4, 0);
    board_out(f->board, 0x518, 4, GUINT32_TO_BE(0x100));
    memcpy(&access, f->ram->host + 0x100, 4);
    return GUINT32_FROM_BE(access.control);
}

static void signature_and_id_say_that_there_is_dma(void **state)
{
    Fixture *f = *state;
    char text[5] = "";
    uint8_t id;

    read_item(f, FW_CFG_SIGNATURE, text, 4);
    assert_string_equal(text, "QEMU");
    read_item(f, FW_CFG_ID, &id, 1);
    assert_int_equal(id, 3);
    assert_int_equal(board_in(f->board, 0x514, 4), GUINT32_FROM_LE(0x554D4551));
    assert_int_equal(board_in(f->board, 0x518, 4), GUINT32_FROM_LE(0x47464320));
}

static void directory_is_sorted_by_name(void **state)
{
    Fixture *f = *state;
    uint8_t directory[4 + 3 * 64];

    read_item(f, FW_CFG_FILE_DIRECTORY, directory, sizeof directory);
    assert_int_equal(directory[3], 3);
    assert_string_equal((char *)directory + 4 + 8, "apple");
    assert_int_equal(directory[4 + 3], 3); /* size */
    assert_int_equal(directory[4 + 5], 0x20);
    assert_string_equal((char *)directory + 4 + 64 + 8, "mango");
    assert_int_equal(directory[4 + 64 + 3], 10);
    assert_string_equal((char *)directory + 4 + 128 + 8, "zebra");
    assert_int_equal(directory[4 + 128 + 5], 0x22);
}

static void unknown_keys_and_what_is_past_the_end_read_as_zeros(void **state)
{
    Fixture *f = *state;
    uint8_t bytes[8];

    read_item(f, 0x20, bytes, 5);
    assert_memory_equal(bytes, "red\0\0", 5);
    static const uint16_t odd[] = { 0x23, 0x7FFF, 0x8003, 0xBFFF, 0xFFFF };
    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        memset(bytes, 0xAA, sizeof bytes);
        read_item(f, odd[i], bytes, 8);
        assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", 8);
    }
}

static void a_lazy_file_is_built_when_selected(void **state)
{
    Fixture *f = *state;
    char text[11] = "";

    assert_int_equal(f->n_built, 0);
    read_item(f, 0x21, text, 8);
    assert_string_equal(text, "mango #1");
    read_item(f, 0x21, text, 8);
    assert_string_equal(text, "mango #2");
}

static void dma_selects_skips_and_reads(void **state)
{
    Fixture *f = *state;

    memset(f->ram->host + 0x1000, 0xAA, 16);
    assert_int_equal(run_dma(f, 0x22 << 16 | 8 | 4, 3, 0), 0); /* select zebra, skip 3 */
    assert_int_equal(run_dma(f, 2, 8, 0x1000), 0);
    assert_memory_equal(f->ram->host + 0x1000, "ipes\0\0\0\0\xAA", 9);
}

static void dma_outside_of_memory_is_an_error(void **state)
{
    Fixture *f = *state;

    assert_int_equal(run_dma(f, 0x22 << 16 | 8 | 2, 7, RAM_SIZE - 3), 1);
    assert_int_equal(run_dma(f, 0x22 << 16 | 8 | 2, 0xFFFFFFFF, 0x1000), 1);
    assert_int_equal(run_dma(f, 0x22 << 16 | 8 | 2, 7, UINT64_MAX - 2), 1);
    /* A descriptor that is nowhere has no place for the answer. */
    board_out(f->board, 0x514, 4, 0xFFFFFFFF);
    board_out(f->board, 0x518, 4, 0xF8FFFFFF);
    assert_int_equal(run_dma(f, 0x22 << 16 | 8 | 2, 7, 0x1000), 0);
}

static void items_cannot_be_written(void **state)
{
    Fixture *f = *state;
    char text[4] = "";

    memcpy(f->ram->host + 0x1000, "blu", 3);
    assert_int_equal(run_dma(f, 0x20 << 16 | 8 | 16, 3, 0x1000), 1);
    board_out(f->board, 0x510, 2, 0x20);
    board_out(f->board, 0x511, 1, 'x');
    read_item(f, 0x20, text, 3);
    assert_string_equal(text, "red");
}

static void offsets_do_not_wrap(void **state)
{
    Fixture *f = *state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(run_dma(f, i == 0 ? 0x22 << 16 | 8 | 4 : 4, 0xFFFFFFFF, 0), 0);
    assert_int_equal(board_in(f->board, 0x511, 1), 0);
}

static void position_survives_save_and_load(void **state)
{
    Fixture *f = *state;
    char text[4] = "";

    read_item(f, 0x22, text, 3);
    board_save_and_load(f->dev);
    assert_int_equal(board_in(f->board, 0x511, 1), 'i');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signature_and_id_say_that_there_is_dma),
        TEST(directory_is_sorted_by_name),
        TEST(unknown_keys_and_what_is_past_the_end_read_as_zeros),
        TEST(a_lazy_file_is_built_when_selected),
        TEST(dma_selects_skips_and_reads),
        TEST(dma_outside_of_memory_is_an_error),
        TEST(items_cannot_be_written),
        TEST(offsets_do_not_wrap),
        TEST(position_survives_save_and_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
