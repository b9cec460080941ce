/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The block device through its registers and one queue, as a driver has it. Once with a clock that
 * stands, where a doorbell is answered before it returns, and once with the device's own thread. */

#include "../dev/dev-fixture.h"

#include "core/virtio/virtio-blk.h"
#include "core/virtio/virtio-internal.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RAM_BYTES 0x100000u
#define DISK_SECTORS 256
#define DEVFN PCI_DEVFN(8, 0)
#define BAR 0xC0010000u
#define NOTIFY (BAR + 0x3000)
#define CONFIG (BAR + 0x2000)
enum {
    DESC = 0x1000,
    AVAIL = 0x2000,
    USED = 0x3000,
    HEADER = 0x4000,
    STATUS = 0x5000,
    DATA = 0x8000
};
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { NEXT = 1, WRITE = 2 };
enum { STATUS_REGISTER = 20, QUEUE_SIZE = 24, QUEUE_ENABLE = 28 };

typedef struct {
    Board *board;
    Ram *ram, *more_ram;
    Device *dev;
    Disk *disk;
    char *path;
    uint16_t n_asked;
} Fixture;

static uint32_t get(Fixture *f, unsigned offset, unsigned size)
{
    device_enter(f->dev);
    uint32_t value = (uint32_t)address_space_read(f->board->machine.memory, BAR + offset, size);
    device_leave(f->dev);
    return value;
}

static void set(Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
    device_enter(f->dev);
    address_space_write(f->board->machine.memory, BAR + offset, size, value);
    device_leave(f->dev);
}

static void start_driver(Fixture *f, uint32_t low_features)
{
    set(f, STATUS_REGISTER, 1, 0);
    set(f, STATUS_REGISTER, 1, 3);
    set(f, 8, 4, 0);
    set(f, 12, 4, low_features);
    set(f, 8, 4, 1);
    set(f, 12, 4, 1); /* VERSION_1 */
    set(f, STATUS_REGISTER, 1, 0xB);
    set(f, QUEUE_SIZE, 2, 8);
    set(f, 32, 4, DESC);
    set(f, 40, 4, AVAIL);
    set(f, 48, 4, USED);
    set(f, QUEUE_ENABLE, 2, 1);
    memset(f->ram->host + AVAIL, 0, 0x2000);
    f->n_asked = 0;
    set(f, STATUS_REGISTER, 1, 0xF);
}

static Fixture *fixture_new_sized(Board *board, bool read_only, uint64_t n_sectors)
{
    Fixture *f = g_new0(Fixture, 1);
    int fd = g_file_open_tmp("disk-XXXXXX", &f->path, NULL);

    assert_true(fd >= 0 && ftruncate(fd, (off_t)n_sectors * 512) == 0);
    close(fd);
    f->board = board;
    f->ram = ram_new("ram", RAM_BYTES, NULL);
    address_space_map_ram(board->machine.memory, 0, RAM_BYTES, MAP_PRIORITY_RAM, f->ram, 0);
    f->disk = disk_open(f->path, &(DiskOptions){ .format = "raw", .read_only = read_only }, NULL);
    assert_non_null(f->disk);
    f->dev = virtio_blk_new(board->machine.pci, DEVFN, "virtio-blk0", f->disk, "VT1234", 1);
    board_plug(board, f->dev);
    device_enter(f->dev);
    pci_config_write(board->machine.pci, 0, DEVFN, 0x20, 4, BAR);
    pci_config_write(board->machine.pci, 0, DEVFN, 4, 2, 6);
    device_leave(f->dev);
    start_driver(f, 0);
    return f;
}

static Fixture *fixture_new(Board *board, bool read_only)
{
    return fixture_new_sized(board, read_only, DISK_SECTORS);
}

static int setup(void **state)
{
    *state = fixture_new(board_new(), false);
    return 0;
}

static int setup_read_only(void **state)
{
    *state = fixture_new(board_new(), true);
    return 0;
}

static int setup_real_time(void **state)
{
    *state = fixture_new(board_new_real_time(), false);
    return 0;
}

static int setup_huge(void **state)
{
    *state = fixture_new_sized(board_new(), false, UINT64_C(1) << 23); /* 4 GiB */
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    disk_free(f->disk);
    device_free(f->dev);
    board_free(f->board);
    ram_free(f->ram);
    ram_free(f->more_ram);
    unlink(f->path);
    g_free(f->path);
    g_free(f);
    return 0;
}

static void describe(Fixture *f, unsigned i, uint64_t address, uint32_t length, uint16_t flags)
{
    uint16_t next = (uint16_t)(i + 1);
    uint8_t *d = f->ram->host + DESC + i * 16;

    memcpy(d, &address, 8);
    memcpy(d + 8, &length, 4);
    memcpy(d + 12, &flags, 2);
    memcpy(d + 14, &next, 2);
}

static uint16_t n_answers(Fixture *f)
{
    return __atomic_load_n((uint16_t *)(void *)(f->ram->host + USED + 2), __ATOMIC_ACQUIRE);
}

/* Header, @length bytes at DATA to be read or written, status. */
static void ask(Fixture *f, uint32_t type, uint64_t sector, uint32_t length, bool in)
{
    memcpy(f->ram->host + HEADER, &type, 4);
    memcpy(f->ram->host + HEADER + 8, &sector, 8);
    f->ram->host[STATUS] = 0xEE;
    describe(f, 0, HEADER, 16, NEXT);
    describe(f, 1, DATA, length, in ? NEXT | WRITE : NEXT);
    if (length == 0)
        describe(f, 1, STATUS, 1, WRITE);
    describe(f, 2, STATUS, 1, WRITE);
    memset(f->ram->host + AVAIL + 4 + f->n_asked % 8 * 2, 0, 2);
    f->n_asked++;
    __atomic_store_n((uint16_t *)(void *)(f->ram->host + AVAIL + 2), f->n_asked, __ATOMIC_RELEASE);
    set(f, 0x3000, 2, 0);
}

static uint8_t answer(Fixture *f)
{
    for (unsigned i = 0; n_answers(f) != f->n_asked && i < 5000; i++)
        g_usleep(1000);
    assert_int_equal(n_answers(f), f->n_asked);
    return f->ram->host[STATUS];
}

static uint8_t do_request(Fixture *f, uint32_t type, uint64_t sector, uint32_t length, bool in)
{
    ask(f, type, sector, length, in);
    return answer(f);
}

static void ask_range(Fixture *f, uint64_t sector, uint32_t n, uint32_t flags)
{
    memcpy(f->ram->host + DATA, &sector, 8);
    memcpy(f->ram->host + DATA + 8, &n, 4);
    memcpy(f->ram->host + DATA + 12, &flags, 4);
}

static void what_is_written_is_read(void **state)
{
    Fixture *f = *state;

    memset(f->ram->host + DATA, 0x5A, 1024);
    assert_int_equal(do_request(f, OUT, 7, 1024, false), 0);
    memset(f->ram->host + DATA, 0, 1024);
    assert_int_equal(do_request(f, IN, 8, 512, true), 0);
    assert_int_equal(f->ram->host[DATA], 0x5A);
    assert_int_equal(f->ram->host[DATA + 512], 0);
    assert_int_equal(do_request(f, FLUSH, 0, 0, true), 0);
    assert_int_equal(do_request(f, GET_ID, 0, 20, true), 0);
    assert_string_equal((char *)f->ram->host + DATA, "VT1234");
    assert_int_equal(get(f, 0x2000, 4), DISK_SECTORS);
}

static void what_cannot_be_is_an_error(void **state)
{
    Fixture *f = *state;

    assert_int_equal(do_request(f, IN, DISK_SECTORS, 512, true), 1);
    assert_int_equal(do_request(f, IN, DISK_SECTORS - 1, 1024, true), 1);
    assert_int_equal(do_request(f, IN, UINT64_MAX / 512, 512, true), 1);
    assert_int_equal(do_request(f, IN, 0, 100, true), 1);
    assert_int_equal(do_request(f, 99, 0, 512, true), 2);
    assert_int_equal(do_request(f, IN, DISK_SECTORS - 1, 512, true), 0);
    assert_int_equal(get(f, STATUS_REGISTER, 1), 0xF);
}

/* All of memory many times over is a request of any length. */
static void a_request_of_more_than_a_gibibyte_is_an_error(void **state)
{
    Fixture *f = *state;
    enum { N_BUFFERS = 65, BUFFER = 1 << 24 };
    uint8_t *table = f->ram->host + DATA;
    uint64_t header = HEADER, buffer = RAM_BYTES * 2, status = STATUS;
    uint32_t of_header = 16, of_buffer = BUFFER, of_status = 1;

    f->more_ram = ram_new("more-ram", BUFFER, NULL);
    address_space_map_ram(f->board->machine.memory, buffer, BUFFER, MAP_PRIORITY_RAM, f->more_ram,
                          0);
    start_driver(f, 1 << 28); /* INDIRECT_DESC */
    for (unsigned i = 0; i < N_BUFFERS + 2; i++) {
        bool is_last = i == N_BUFFERS + 1;
        uint16_t flags = i == 0 ? NEXT : is_last ? WRITE : NEXT | WRITE, next = (uint16_t)(i + 1);
        memcpy(table + i * 16, i == 0 ? &header : is_last ? &status : &buffer, 8);
        memcpy(table + i * 16 + 8, i == 0 ? &of_header : is_last ? &of_status : &of_buffer, 4);
        memcpy(table + i * 16 + 12, &flags, 2);
        memcpy(table + i * 16 + 14, &next, 2);
    }
    memset(f->ram->host + HEADER, 0, 16);
    describe(f, 0, DATA, (N_BUFFERS + 2) * 16, 4);
    f->n_asked = 1;
    f->ram->host[AVAIL + 2] = 1;
    set(f, 0x3000, 2, 0);
    assert_int_equal(answer(f), 1);
    disk_free(g_steal_pointer(&f->disk));
    device_free(f->dev);
    f->dev = NULL;
}

static void ranges_are_cleared(void **state)
{
    Fixture *f = *state;

    memset(f->ram->host + DATA, 0x77, 4096);
    assert_int_equal(do_request(f, OUT, 0, 4096, false), 0);
    ask_range(f, 2, 3, 1);
    assert_int_equal(do_request(f, WRITE_ZEROES, 0, 16, false), 0);
    assert_int_equal(do_request(f, IN, 1, 2560, true), 0);
    assert_int_equal(f->ram->host[DATA], 0x77);
    assert_int_equal(f->ram->host[DATA + 512], 0);
    assert_int_equal(f->ram->host[DATA + 2047], 0);
    assert_int_equal(f->ram->host[DATA + 2048], 0x77);
    ask_range(f, DISK_SECTORS - 1, 2, 0);
    assert_int_equal(do_request(f, DISCARD, 0, 16, false), 1);
    ask_range(f, 0, 8, 1); /* a discard has no such flag */
    assert_int_equal(do_request(f, DISCARD, 0, 16, false), 2);
    ask_range(f, 0, 8, 0);
    assert_int_equal(do_request(f, DISCARD, 0, 16, false), 0);
}

static void a_read_only_disk_is_not_written_to(void **state)
{
    Fixture *f = *state;

    set(f, 0, 4, 0);
    assert_int_equal(get(f, 4, 4) & (1 << 5 | 1 << 9 | 1 << 13), 1 << 5);
    assert_int_equal(do_request(f, OUT, 0, 512, false), 1);
    assert_int_equal(do_request(f, IN, 0, 512, true), 0);
}

static void a_driver_that_cannot_flush_writes_through(void **state)
{
    Fixture *f = *state;
    DiskStats stats;

    assert_int_equal(do_request(f, OUT, 0, 512, false), 0);
    disk_get_stats(f->disk, &stats);
    assert_int_equal(stats.flushes, 1);
    start_driver(f, 1 << 9 | 1 << 11); /* FLUSH, CONFIG_WCE */
    assert_int_equal(do_request(f, OUT, 0, 512, false), 0);
    disk_get_stats(f->disk, &stats);
    assert_int_equal(stats.flushes, 1);
    set(f, 0x2020, 1, 0);
    assert_int_equal(do_request(f, OUT, 0, 512, false), 0);
    disk_get_stats(f->disk, &stats);
    assert_int_equal(stats.flushes, 2);
}

static void put16(Fixture *f, unsigned at, unsigned i, uint16_t value)
{
    memcpy(f->ram->host + at + 4 + i * 2, &value, 2);
}

/* As many as the queue holds, each a chain of its own; one doorbell. */
static void ask_for_a_full_queue(Fixture *f)
{
    static const struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = { .type = GUINT32_TO_LE(FLUSH) };
    uint16_t n = 8;

    for (unsigned i = 0; i < n; i++) { /* header and answer in one table each, outside the queue */
        uint8_t *table = f->ram->host + DATA + i * 32;
        uint64_t at[2] = { HEADER, STATUS };
        uint32_t length[2] = { 16, 1 };
        uint16_t flags[2] = { NEXT, WRITE }, next = 1;
        for (unsigned j = 0; j < 2; j++) {
            memcpy(table + j * 16, &at[j], 8);
            memcpy(table + j * 16 + 8, &length[j], 4);
            memcpy(table + j * 16 + 12, &flags[j], 2);
            memcpy(table + j * 16 + 14, &next, 2);
        }
        describe(f, i, DATA + i * 32, 32, 4);
        put16(f, AVAIL, i, (uint16_t)i);
    }
    memcpy(f->ram->host + HEADER, &header, sizeof header);
    memcpy(f->ram->host + AVAIL + 2, &n, 2);
    f->n_asked = n;
    set(f, 0x3000, 2, 0);
}

/* The guest waits with the board lock, which nobody else may need for its requests to end. */
static void a_full_queue_is_answered_by_one_doorbell(void **state)
{
    Fixture *f = *state;

    start_driver(f, 1 << 28); /* INDIRECT_DESC */
    alarm(20);
    ask_for_a_full_queue(f);
    alarm(0);
    assert_int_equal(answer(f), 0);
}

/* Each request reads the next one's header, and its place in the ring, from the disk. */
static void requests_that_make_requests_end(void **state)
{
    Fixture *f = *state;
    enum { RING_HEADER = 256 }; /* the request's, beside the ring */

    for (unsigned i = 0; i < DISK_SECTORS; i++) {
        uint8_t sector[512] = { 0 };
        uint16_t index = (uint16_t)(i + 2);
        uint64_t next = i + 1;
        memcpy(sector + 2, &index, 2);
        memcpy(sector + RING_HEADER + 8, &next, 8);
        assert_true(disk_write(f->disk, i * 512, sector, 512, NULL));
    }
    describe(f, 0, AVAIL + RING_HEADER, 16, NEXT);
    describe(f, 1, AVAIL, 512, NEXT | WRITE);
    describe(f, 2, STATUS, 1, WRITE);
    f->ram->host[AVAIL + 2] = 1;
    set(f, 0x3000, 2, 0);
    assert_in_range(n_answers(f), 1, 8);
}

static void features_that_were_not_offered_are_refused(void **state)
{
    Fixture *f = *state;

    start_driver(f, 1 << 3);
    assert_int_equal(get(f, STATUS_REGISTER, 1), 3);
}

static void a_request_without_room_for_an_answer_stops_the_device(void **state)
{
    Fixture *f = *state;

    describe(f, 0, HEADER, 16, 0);
    f->ram->host[AVAIL + 2] = 1;
    set(f, 0x3000, 2, 0);
    assert_int_equal(get(f, STATUS_REGISTER, 1), 0x4F); /* NEEDS_RESET */
    assert_int_equal(n_answers(f), 0);
    start_driver(f, 0);
    assert_int_equal(do_request(f, IN, 0, 512, true), 0);
}

static void the_interrupt_is_a_level_until_it_is_read(void **state)
{
    Fixture *f = *state;

    assert_int_equal(do_request(f, IN, 0, 512, true), 0);
    assert_true(((PciDevice *)f->dev)->intx_level);
    assert_int_equal(get(f, 0x1000, 1), 1);
    assert_int_equal(get(f, 0x1000, 1), 0);
    assert_false(((PciDevice *)f->dev)->intx_level);
}

/* A thread that was about to interrupt has waited for the board while the driver reset the device.
 */
static void an_interrupt_of_before_a_reset_does_not_come_after_it(void **state)
{
    Fixture *f = *state;

    set(f, STATUS_REGISTER, 1, 0);
    virtio_interrupt((Virtio *)f->dev, VIRTQUEUE_NO_VECTOR, VIRTIO_ISR_QUEUE);
    assert_false(((PciDevice *)f->dev)->intx_level);
    assert_int_equal(get(f, 0x1000, 1), 0);
}

/* Asks for a write that the host has no room for, and waits until it is parked. */
static void ask_for_too_much(Fixture *f, struct rlimit *before)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, before);
    limit = *before;
    limit.rlim_cur = 512;
    setrlimit(RLIMIT_FSIZE, &limit);
    ask(f, OUT, 100, 512, false);
    for (unsigned i = 0; !disk_is_stuck(f->disk) && i < 5000; i++)
        g_usleep(1000);
    assert_true(disk_is_stuck(f->disk));
    assert_int_equal(n_answers(f), 0);
}

static void what_a_full_host_has_parked_is_done_when_there_is_room(void **state)
{
    Fixture *f = *state;
    struct rlimit before;

    memset(f->ram->host + DATA, 0x33, 512);
    ask_for_too_much(f, &before);
    virtio_rest((Virtio *)f->dev); /* as a machine that pauses */
    setrlimit(RLIMIT_FSIZE, &before);
    disk_retry(f->disk);
    virtio_resume((Virtio *)f->dev);
    assert_int_equal(answer(f), 0);
    memset(f->ram->host + DATA, 0, 512);
    assert_int_equal(do_request(f, IN, 100, 512, true), 0);
    assert_int_equal(f->ram->host[DATA], 0x33);
}

/* The guest's memory is its own again after a reset. */
static void a_reset_takes_back_what_a_full_host_has_parked(void **state)
{
    Fixture *f = *state;
    struct rlimit before;

    ask_for_too_much(f, &before);
    set(f, STATUS_REGISTER, 1, 0);
    setrlimit(RLIMIT_FSIZE, &before);
    disk_retry(f->disk);
    disk_drain(f->disk);
    assert_int_equal(n_answers(f), 0);
    start_driver(f, 0);
    assert_int_equal(do_request(f, OUT, 100, 512, false), 0);
}

static void a_device_at_rest_takes_nothing_and_loses_nothing(void **state)
{
    Fixture *f = *state;

    virtio_rest((Virtio *)f->dev);
    ask(f, IN, 0, 512, true);
    g_usleep(50000);
    assert_int_equal(n_answers(f), 0);
    virtio_resume((Virtio *)f->dev);
    assert_int_equal(answer(f), 0);
}

/* Its disk can be closed, though nobody has waited for its thread. */
static void a_device_that_takes_no_more_begins_nothing(void **state)
{
    Fixture *f = *state;
    DiskStats stats;

    virtio_take_no_more((Virtio *)f->dev);
    ask(f, IN, 0, 512, true);
    g_usleep(50000);
    disk_get_stats(f->disk, &stats);
    assert_int_equal(stats.reads, 0);
    assert_int_equal(n_answers(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_REAL_TIME(name) cmocka_unit_test_setup_teardown(name, setup_real_time, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST_REAL_TIME(what_is_written_is_read),
        TEST(what_cannot_be_is_an_error),
        cmocka_unit_test_setup_teardown(a_request_of_more_than_a_gibibyte_is_an_error, setup_huge,
                                        teardown),
        TEST(ranges_are_cleared),
        TEST_REAL_TIME(ranges_are_cleared),
        cmocka_unit_test_setup_teardown(a_read_only_disk_is_not_written_to, setup_read_only,
                                        teardown),
        TEST(a_driver_that_cannot_flush_writes_through),
        TEST(a_full_queue_is_answered_by_one_doorbell),
        TEST_REAL_TIME(a_full_queue_is_answered_by_one_doorbell),
        TEST(requests_that_make_requests_end),
        TEST(features_that_were_not_offered_are_refused),
        TEST(a_request_without_room_for_an_answer_stops_the_device),
        TEST(the_interrupt_is_a_level_until_it_is_read),
        TEST_REAL_TIME(what_a_full_host_has_parked_is_done_when_there_is_room),
        TEST(what_a_full_host_has_parked_is_done_when_there_is_room),
        TEST_REAL_TIME(a_reset_takes_back_what_a_full_host_has_parked),
        TEST(an_interrupt_of_before_a_reset_does_not_come_after_it),
        TEST_REAL_TIME(a_device_that_takes_no_more_begins_nothing),
        TEST_REAL_TIME(a_device_at_rest_takes_nothing_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
