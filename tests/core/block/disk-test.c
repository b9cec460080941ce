/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* disk.c alone: its workers, its order, and a host disk that is full (here a format whose writes
 * fail on command). */

#include "block-fixture.h"
#include "core/block/disk-format.h"
#include <errno.h>
#include <fcntl.h>

static gint full; /* the host's disk, as seen by the test */

typedef struct {
    DiskRequest request;
    struct iovec iov;
    gint done, result;
} TestRequest;

static void on_done(DiskRequest *request, int result)
{
    TestRequest *test = request->opaque;
    g_atomic_int_set(&test->result, result);
    g_atomic_int_set(&test->done, 1);
}

static void submit(Disk *disk, TestRequest *test, DiskOperation operation, uint64_t offset,
                   void *buffer, size_t length)
{
    *test = (TestRequest){ .iov = { buffer, length } };
    test->request = (DiskRequest){ .operation = operation,
                                   .offset = offset,
                                   .length = length,
                                   .iov = &test->iov,
                                   .n_iov = 1,
                                   .done = on_done,
                                   .opaque = test };
    disk_submit(disk, &test->request);
}

/* A raw disk whose writes fail while `full`, an errno, is set. */
static int full_write(Image *image, uint64_t offset, IoVector v, size_t length)
{
    int error_number = g_atomic_int_get(&full);
    return error_number ? -error_number : raw_format.write(image, offset, v, length);
}

static Disk *open_disk(bool may_fill, ImageFormat *out_format)
{
    g_autofree char *path = scratch_path("d.img");
    int fd = g_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    close(fd);
    Disk *disk = disk_open(path, NULL, NULL);
    assert_non_null(disk);
    if (may_fill) {
        *out_format = raw_format;
        out_format->write = full_write;
        Image *image = *(Image **)disk; /* the first member of Disk */
        image->format = out_format;
    }
    return disk;
}

static void many_requests_all_complete(void **state)
{
    enum { N = 200 };
    static TestRequest request[N];
    static uint8_t block[N][512];
    Disk *disk = open_disk(false, NULL);
    for (int i = 0; i < N; i++) {
        memset(block[i], i, sizeof block[i]);
        submit(disk, &request[i], DISK_WRITE, i * 512, block[i], 512);
    }
    disk_drain(disk);
    for (int i = 0; i < N; i++)
        assert_true(g_atomic_int_get(&request[i].done) && request[i].result == 0);
    TestRequest flush;
    submit(disk, &flush, DISK_FLUSH, 0, NULL, 0);
    disk_drain(disk);
    uint8_t out[512];
    assert_true(disk_read(disk, 123 * 512, out, 512, NULL));
    assert_memory_equal(out, block[123], 512);
    DiskStats stats;
    disk_get_stats(disk, &stats);
    assert_int_equal(stats.writes, N);
    assert_int_equal(stats.written_bytes, N * 512);
    assert_int_equal(stats.flushes, 1);
    disk_free(disk);
}

static void request_past_the_end_is_invalid(void **state)
{
    Disk *disk = open_disk(false, NULL);
    TestRequest request;
    uint8_t block[512];
    submit(disk, &request, DISK_READ, (1 << 20) - 256, block, 512);
    disk_drain(disk);
    assert_int_equal(request.result, -EINVAL);
    submit(disk, &request, DISK_READ, UINT64_MAX - 10, block, 512);
    disk_drain(disk);
    assert_int_equal(request.result, -EINVAL);
    disk_free(disk);
}

static gint problems;
static void on_problem(void *opaque, Disk *disk, int error_number)
{
    assert_int_equal(error_number, g_atomic_int_get(&full));
    g_atomic_int_inc(&problems);
}

static void write_waits_for_a_host_that_takes_no_more(int error_number)
{
    ImageFormat format;
    Disk *disk = open_disk(true, &format);
    disk_set_problem_callback(disk, on_problem, NULL);
    TestRequest a, b;
    g_atomic_int_set(&full, error_number);
    g_atomic_int_set(&problems, 0);
    submit(disk, &a, DISK_WRITE, 0, "aaaa", 4);
    submit(disk, &b, DISK_WRITE, 4, "bbbb", 4);
    disk_drain(disk);
    assert_false(g_atomic_int_get(&a.done) || g_atomic_int_get(&b.done));
    assert_int_equal(g_atomic_int_get(&problems), 1);
    disk_retry(disk); /* still full: told again */
    disk_drain(disk);
    assert_int_equal(g_atomic_int_get(&problems), 2);
    g_atomic_int_set(&full, 0);
    disk_retry(disk);
    disk_drain(disk);
    assert_true(a.done && b.done && a.result == 0 && b.result == 0);
    char out[8];
    assert_true(disk_read(disk, 0, out, 8, NULL));
    assert_memory_equal(out, "aaaabbbb", 8);
    disk_free(disk);
}

static void write_waits_for_a_full_host_disk_and_then_succeeds(void **state)
{
    write_waits_for_a_host_that_takes_no_more(ENOSPC);
    write_waits_for_a_host_that_takes_no_more(EDQUOT);
    write_waits_for_a_host_that_takes_no_more(EFBIG);
}

static void closing_ends_parked_writes_with_an_error(void **state)
{
    ImageFormat format;
    Disk *disk = open_disk(true, &format);
    TestRequest a;
    g_atomic_int_set(&full, ENOSPC);
    submit(disk, &a, DISK_WRITE, 0, "aaaa", 4);
    disk_drain(disk);
    assert_false(a.done);
    disk_free(disk);
    assert_true(a.done);
    assert_int_equal(a.result, -EIO);
    g_atomic_int_set(&full, 0);
}

static void parked_write_can_be_taken_back(void **state)
{
    ImageFormat format;
    Disk *disk = open_disk(true, &format);
    TestRequest a;
    g_atomic_int_set(&full, ENOSPC);
    submit(disk, &a, DISK_WRITE, 0, "aaaa", 4);
    disk_drain(disk);
    assert_true(disk_cancel(disk, &a.request));
    assert_false(disk_cancel(disk, &a.request));
    g_atomic_int_set(&full, 0);
    disk_retry(disk);
    disk_drain(disk);
    assert_false(a.done);
    disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests_all_complete),
        cmocka_unit_test(request_past_the_end_is_invalid),
        cmocka_unit_test(write_waits_for_a_full_host_disk_and_then_succeeds),
        cmocka_unit_test(parked_write_can_be_taken_back),
        cmocka_unit_test(closing_ends_parked_writes_with_an_error),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
