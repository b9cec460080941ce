/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/address-space.h"
#include "core/memory/dma.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A device that remembers what reached it. */
typedef struct {
    Device dev;
    unsigned n_reads, n_writes, size;
    uint64_t offset, value;
    uint8_t bytes[64];
} Probe;

static uint64_t probe_read(Device *dev, uint64_t offset, unsigned size)
{
    Probe *probe = (Probe *)dev;
    uint64_t value = 0;

    probe->n_reads++;
    probe->offset = offset;
    probe->size = size;
    memcpy(&value, probe->bytes + (offset & 31), size);
    return value;
}

static void probe_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Probe *probe = (Probe *)dev;

    probe->n_writes++;
    probe->offset = offset;
    probe->size = size;
    probe->value = value;
    memcpy(probe->bytes + (offset & 31), &value, size);
}

static const StateField no_state[] = { STATE_END };

#define PROBE_OPS(min, max)                                                                        \
    {                                                                                              \
        .name = "probe", .instance_size = sizeof(Probe), .state = no_state, .min_access = (min),   \
        .max_access = (max), .read = probe_read, .write = probe_write,                             \
    }
static const DeviceOps byte_ops = PROBE_OPS(1, 1);
static const DeviceOps any_ops = PROBE_OPS(1, 8);
static const DeviceOps dword_ops = PROBE_OPS(4, 4);

typedef struct {
    AddressSpace *as;
    Ram *ram;
    Probe *probe;
} Fixture;

static void fill(Probe *probe)
{
    for (unsigned i = 0; i < sizeof(probe->bytes); i++)
        probe->bytes[i] = (uint8_t)(0x10 + i);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->as = address_space_new("memory", UINT64_C(1) << 40);
    f->ram = ram_new("ram", 0x10000, NULL);
    f->probe = device_alloc(&any_ops, "probe");
    fill(f->probe);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    address_space_free(f->as);
    ram_free(f->ram);
    device_free(&f->probe->dev);
    g_free(f);
    return 0;
}

static void use_ops(Fixture *f, const DeviceOps *ops)
{
    device_free(&f->probe->dev);
    f->probe = device_alloc(ops, "probe");
    fill(f->probe);
    address_space_map_device(f->as, 0x1000, 0x20, 0, &f->probe->dev, 0);
}

static void the_higher_priority_answers(void **state)
{
    Fixture *f = *state;

    f->ram->host[0x800] = 0x55;
    address_space_map_ram(f->as, 0, 0x10000, 1, f->ram, 0);
    Region *over = address_space_map_device(f->as, 0x800, 0x10, 2, &f->probe->dev, 0);
    address_space_map_device(f->as, 0x800, 0x10, 0, &f->probe->dev, 0x10);
    assert_int_equal(address_space_read(f->as, 0x800, 1), 0x10);

    region_set_enabled(over, false);
    assert_int_equal(address_space_read(f->as, 0x800, 1), 0x55);
}

static void the_newer_wins_among_equals(void **state)
{
    Fixture *f = *state;

    address_space_map_ram(f->as, 0, 0x1000, 1, f->ram, 0);
    Region *newer = address_space_map_device(f->as, 0, 0x10, 1, &f->probe->dev, 0);
    assert_int_equal(address_space_read(f->as, 0, 1), 0x10);
    address_space_unmap(f->as, newer);
    assert_int_equal(address_space_read(f->as, 0, 1), 0);
}

static void a_hole_hides_what_is_below(void **state)
{
    Fixture *f = *state;

    address_space_map_ram(f->as, 0, 0x3000, 1, f->ram, 0);
    address_space_map_hole(f->as, 0x1000, 0x1000, 2);
    address_space_write(f->as, 0x1000, 4, 0);
    assert_int_equal(address_space_read(f->as, 0x1000, 4), 0xFFFFFFFF);
    assert_int_equal(f->ram->host[0x1000], 0);
    assert_int_equal(address_space_view(f->as)->n, 2);
}

static void a_window_over_ram_splits_it_and_offsets_follow(void **state)
{
    Fixture *f = *state;

    f->ram->host[0x2000] = 0x77;
    address_space_map_ram(f->as, 0x100000, 0x4000, 1, f->ram, 0);
    address_space_map_device(f->as, 0x101000, 0x1000, 2, &f->probe->dev, 0x4000);
    const FlatView *view = address_space_view(f->as);
    assert_int_equal(view->n, 3);
    assert_int_equal(view->spans[2].ram_offset, 0x2000);
    assert_int_equal(address_space_read(f->as, 0x102000, 1), 0x77);
    address_space_read(f->as, 0x101008, 1);
    assert_int_equal(f->probe->offset, 0x4008);
}

static void neighbours_of_one_block_become_one_span(void **state)
{
    Fixture *f = *state;

    address_space_map_ram(f->as, 0, 0x4000, 1, f->ram, 0);
    address_space_map_ram(f->as, 0x1000, 0x1000, 3, f->ram, 0x1000);
    assert_int_equal(address_space_view(f->as)->n, 1);
}

static void a_gap_tells_its_borders(void **state)
{
    Fixture *f = *state;
    Span gap;

    address_space_map_ram(f->as, 0x1000, 0x1000, 1, f->ram, 0);
    address_space_map_ram(f->as, 0x5000, 0x1000, 1, f->ram, 0x2000);
    const FlatView *view = address_space_view(f->as);
    assert_null(flat_view_find(view, 0x2000, &gap));
    assert_int_equal(gap.start, 0x2000);
    assert_int_equal(gap.end, 0x5000);
    assert_ptr_equal(flat_view_find(view, 0x1FFF, NULL), &view->spans[0]);
    assert_ptr_equal(flat_view_find(view, 0x5000, NULL), &view->spans[1]);
    assert_null(flat_view_find(view, 0x6000, NULL));
    assert_null(flat_view_find(view, 0, NULL));
}

static void an_access_across_spans_reaches_both(void **state)
{
    Fixture *f = *state;

    address_space_map_ram(f->as, 0, 0x1000, 1, f->ram, 0);
    address_space_map_device(f->as, 0x1000, 0x10, 1, &f->probe->dev, 0);
    f->ram->host[0xFFF] = 0xAB;
    assert_int_equal(address_space_read(f->as, 0xFFF, 2), 0x10AB);
    assert_int_equal(address_space_read(f->as, 0x100F, 2),
                     0xFF1F); /* the second byte is nobody's */
    address_space_write(f->as, 0xFFF, 2, 0x3412);
    assert_int_equal(f->ram->host[0xFFF], 0x12);
    assert_int_equal(f->probe->bytes[0], 0x34);
}

static void wide_accesses_are_split_for_a_byte_device(void **state)
{
    Fixture *f = *state;

    use_ops(f, &byte_ops);
    assert_int_equal(address_space_read(f->as, 0x1001, 4), 0x14131211);
    assert_int_equal(f->probe->n_reads, 4);
    address_space_write(f->as, 0x1002, 2, 0xBEEF);
    assert_int_equal(f->probe->n_writes, 2);
    assert_int_equal(f->probe->bytes[2], 0xEF);
    assert_int_equal(f->probe->bytes[3], 0xBE);
}

static void narrow_and_crooked_accesses_are_widened(void **state)
{
    Fixture *f = *state;

    use_ops(f, &dword_ops);
    assert_int_equal(address_space_read(f->as, 0x1005, 1), 0x15);
    assert_int_equal(f->probe->offset, 4);
    assert_int_equal(f->probe->size, 4);
    assert_int_equal(address_space_read(f->as, 0x1002, 4), 0x15141312);
    assert_int_equal(address_space_read(f->as, 0x1000, 8), UINT64_C(0x1716151413121110));

    address_space_write(f->as, 0x1001, 1, 0xAA);
    assert_int_equal(f->probe->size, 4);
    assert_int_equal(f->probe->value, 0x1312AA10);
}

static void devices_only_see_aligned_pieces(void **state)
{
    Fixture *f = *state;

    use_ops(f, &any_ops);
    assert_int_equal(address_space_read(f->as, 0x1001, 4), 0x14131211);
    assert_int_equal(f->probe->n_reads, 3); /* 1 + 2 + 1 */
}

static void writes_to_rom_go_to_its_device_only(void **state)
{
    Fixture *f = *state;

    address_space_map_rom(f->as, 0, 0x1000, 1, f->ram, 0, &f->probe->dev, 0);
    address_space_map_rom(f->as, 0x1000, 0x1000, 1, f->ram, 0x1000, NULL, 0);
    address_space_write(f->as, 4, 1, 0x99);
    address_space_write(f->as, 0x1004, 1, 0x99);
    assert_int_equal(f->probe->n_writes, 1);
    assert_int_equal(address_space_read(f->as, 4, 1), 0);
    assert_int_equal(address_space_read(f->as, 0x1004, 1), 0);
}

static void on_changed(void *opaque, FlatView *view)
{
    ++*(unsigned *)opaque;
}

static void a_transaction_makes_one_view(void **state)
{
    Fixture *f = *state;
    unsigned n_changes = 0;

    address_space_add_listener(f->as, on_changed, &n_changes);
    FlatView *old = flat_view_ref(address_space_view(f->as));
    address_space_begin(f->as);
    address_space_begin(f->as);
    Region *region = address_space_map_ram(f->as, 0, 0x1000, 1, f->ram, 0);
    address_space_commit(f->as);
    region_set_start(region, 0x4000);
    assert_int_equal(n_changes, 0);
    address_space_commit(f->as);
    assert_int_equal(n_changes, 1);
    assert_int_equal(address_space_view(f->as)->spans[0].start, 0x4000);
    assert_int_equal(old->n, 0); /* who kept the old one still has it */
    flat_view_unref(old);
}

static void dma_moves_all_or_nothing(void **state)
{
    Fixture *f = *state;
    uint8_t bytes[32], back[32];

    address_space_map_ram(f->as, 0x1000, 0x1000, 1, f->ram, 0);
    address_space_map_ram(f->as, 0x2000, 0x1000, 1, f->ram, 0x8000);
    memset(bytes, 0x5A, sizeof(bytes));
    assert_true(dma_write(f->as, 0x1FF0, bytes, 32)); /* over a border */
    assert_int_equal(f->ram->host[0xFFF], 0x5A);
    assert_int_equal(f->ram->host[0x800F], 0x5A);
    assert_true(dma_read(f->as, 0x1FF0, back, 32));
    assert_memory_equal(bytes, back, 32);

    assert_false(dma_write(f->as, 0x2FF0, bytes, 32)); /* runs out of RAM */
    assert_int_equal(f->ram->host[0x8FF0], 0);
    assert_false(dma_read(f->as, UINT64_MAX - 4, back, 32));
    assert_false(dma_read(f->as, 0x1000, back, UINT64_MAX));
}

static void dma_never_reaches_a_device_or_writes_a_rom(void **state)
{
    Fixture *f = *state;
    uint32_t value = 0;
    uint64_t length;

    address_space_map_device(f->as, 0x1000, 0x20, 1, &f->probe->dev, 0);
    address_space_map_rom(f->as, 0x2000, 0x1000, 1, f->ram, 0, NULL, 0);
    assert_false(dma_read(f->as, 0x1000, &value, 4));
    assert_false(dma_write(f->as, 0x1000, &value, 4));
    assert_int_equal(f->probe->n_reads + f->probe->n_writes, 0);
    assert_true(dma_read(f->as, 0x2000, &value, 4));
    assert_false(dma_write(f->as, 0x2000, &value, 4));
    assert_null(dma_map(f->as, 0x2000, 4, &length));
}

static void on_code(void *opaque, Ram *ram, uint64_t offset, uint64_t length)
{
    *(uint64_t *)opaque = offset << 32 | length;
}

static void dma_marks_pages_dirty_and_drops_decoded_code(void **state)
{
    Fixture *f = *state;
    uint64_t told = 0, length;
    uint8_t bytes[8] = { 0 };

    address_space_map_ram(f->as, 0, 0x10000, 1, f->ram, 0);
    ram_enable_dirty_log(f->ram);
    assert_int_equal(f->ram->dirty[3], 1); /* all begin dirty */
    memset(f->ram->dirty, 0, 16);
    f->ram->on_code_written = on_code;
    f->ram->opaque = &told;
    f->ram->code[4] = 1;

    assert_true(dma_write(f->as, 0x2FFC, bytes, 8));
    assert_int_equal(f->ram->dirty[1], 0);
    assert_int_equal(f->ram->dirty[2], 1);
    assert_int_equal(f->ram->dirty[3], 1);
    assert_int_equal(told, 0);

    void *host = dma_map(f->as, 0x4000, 0x100, &length);
    assert_ptr_equal(host, f->ram->host + 0x4000);
    assert_int_equal(length, 0x100);
    dma_done(f->as, host, length);
    assert_int_equal(f->ram->dirty[4], 1);
    assert_int_equal(told, UINT64_C(0x4000) << 32 | 0x100);
}

static void memory_larger_than_the_host_is_refused_with_words(void **state)
{
    g_autoptr(GError) error = NULL;

    assert_null(ram_new("ram", UINT64_C(1) << 50, &error));
    assert_non_null(strstr(error->message, "PiB"));
    assert_non_null(strstr(error->message, "less memory"));
}

static void windows_are_cut_at_the_end_of_the_space(void **state)
{
    Fixture *f = *state;

    address_space_map_device(f->as, (UINT64_C(1) << 40) - 0x10, 0x1000, 1, &f->probe->dev, 0);
    address_space_map_device(f->as, UINT64_C(1) << 45, 0x1000, 1, &f->probe->dev, 0);
    assert_int_equal(address_space_view(f->as)->n, 1);
    assert_int_equal(address_space_view(f->as)->spans[0].end, UINT64_C(1) << 40);
}

static unsigned rings(int fd)
{
    eventfd_t count = 0;

    return eventfd_read(fd, &count) == 0 ? (unsigned)count : 0;
}

static bool write_at(Fixture *f, uint64_t addr, unsigned size, uint64_t value)
{
    const Span *span = flat_view_find(address_space_view(f->as), addr, NULL);

    return span && span_write_lockless(span, addr, size, value);
}

static void a_doorbell_rings_without_the_device(void **state)
{
    Fixture *f = *state;
    int any = eventfd(0, EFD_NONBLOCK), one = eventfd(0, EFD_NONBLOCK);
    const Doorbell bell[] = {
        { .offset = 0x104, .fd = any },
        { .offset = 0x108, .size = 2, .has_value = true, .value = 3, .fd = one }
    };
    const DoorbellSet bells = { 2, bell };
    Region *region = address_space_map_device(f->as, 0x1000, 0x20, 0, &f->probe->dev, 0x100);

    assert_false(write_at(f, 0x1004, 4, 0));
    region_set_doorbells(region, &bells);
    assert_true(write_at(f, 0x1004, 4, 0));
    assert_true(write_at(f, 0x1004, 2, 7));
    assert_int_equal(rings(any), 2);
    assert_true(write_at(f, 0x1008, 2, 0x10003));
    assert_false(write_at(f, 0x1008, 4, 3)); /* another size */
    assert_false(write_at(f, 0x1008, 2, 4)); /* another value */
    assert_false(write_at(f, 0x1005, 1, 0)); /* no doorbell */
    assert_int_equal(rings(one), 1);
    assert_int_equal(f->probe->n_writes, 0);
    close(any);
    close(one);
}

static void doorbells_move_with_their_window(void **state)
{
    Fixture *f = *state;
    int fd = eventfd(0, EFD_NONBLOCK);
    const Doorbell bell = { .offset = 0x14, .fd = fd };
    const DoorbellSet bells = { 1, &bell };
    Region *region = address_space_map_device(f->as, 0x1000, 0x20, 0, &f->probe->dev, 0);

    region_set_doorbells(region, &bells);
    address_space_map_hole(f->as, 0x1010, 2, 1); /* in two pieces */
    assert_true(write_at(f, 0x1014, 2, 0));
    region_set_start(region, 0x3000);
    assert_false(write_at(f, 0x1014, 2, 0));
    assert_true(write_at(f, 0x3014, 2, 0));
    region_set_enabled(region, false);
    assert_false(write_at(f, 0x3014, 2, 0));
    assert_int_equal(rings(fd), 2);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_higher_priority_answers),
        TEST(the_newer_wins_among_equals),
        TEST(a_hole_hides_what_is_below),
        TEST(a_window_over_ram_splits_it_and_offsets_follow),
        TEST(neighbours_of_one_block_become_one_span),
        TEST(a_gap_tells_its_borders),
        TEST(an_access_across_spans_reaches_both),
        TEST(wide_accesses_are_split_for_a_byte_device),
        TEST(narrow_and_crooked_accesses_are_widened),
        TEST(devices_only_see_aligned_pieces),
        TEST(writes_to_rom_go_to_its_device_only),
        TEST(a_transaction_makes_one_view),
        TEST(dma_moves_all_or_nothing),
        TEST(dma_never_reaches_a_device_or_writes_a_rom),
        TEST(dma_marks_pages_dirty_and_drops_decoded_code),
        TEST(memory_larger_than_the_host_is_refused_with_words),
        TEST(windows_are_cut_at_the_end_of_the_space),
        TEST(a_doorbell_rings_without_the_device),
        TEST(doorbells_move_with_their_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
