/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* qcow2 and power cuts. The file layer is recorded (the linker wraps the calls); then files as they
 * may be found after a cut are put together: everything before the last sync, and of what came
 * after any part, torn at sectors. QEMU's checker must find no error in any of them, and data that
 * a flush had promised must be there. The same wrapping makes the host's disk full on command. */

#include "block-fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SIZE (4u << 20)
#define SECTOR 512u
#define N_SECTORS (SIZE / SECTOR)

typedef enum { EVENT_WRITE, EVENT_TRUNCATE, EVENT_HOLE, EVENT_SYNC } EventKind;
typedef struct {
    EventKind kind;
    uint64_t offset, length;
    uint8_t *bytes; /* owned */
} Event;

static GArray *events; /* NULL: not recording */
static int writes_until_full = -1;

static void record(EventKind kind, uint64_t offset, uint64_t length, uint8_t *bytes)
{
    Event event = { kind, offset, length, bytes };
    if (events)
        g_array_append_val(events, event);
    else
        g_free(bytes);
}

/* The names of the calls in a program with 64-bit file offsets, as the build has them. */
ssize_t __real_pwritev64(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t offset)
{
    if (writes_until_full == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (writes_until_full > 0)
        writes_until_full--;
    ssize_t put = __real_pwritev64(fd, iov, n, offset);
    if (put > 0 && events) {
        uint8_t *bytes = g_malloc((size_t)put), *to = bytes;
        for (int i = 0; i < n && to < bytes + put; i++) {
            size_t piece = MIN(iov[i].iov_len, (size_t)(bytes + put - to));
            memcpy(to, iov[i].iov_base, piece);
            to += piece;
        }
        record(EVENT_WRITE, (uint64_t)offset, (uint64_t)put, bytes);
    }
    return put;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    record(EVENT_SYNC, 0, 0, NULL);
    return 0; /* nothing is cut here in truth */
}

int __real_ftruncate64(int fd, off_t length);
int __wrap_ftruncate64(int fd, off_t length);
int __wrap_ftruncate64(int fd, off_t length)
{
    record(EVENT_TRUNCATE, (uint64_t)length, 0, NULL);
    return __real_ftruncate64(fd, length);
}

int __real_fallocate64(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t length)
{
    record(EVENT_HOLE, (uint64_t)offset, (uint64_t)length, NULL);
    return __real_fallocate64(fd, mode, offset, length);
}

/* --- the work --------------------------------------------------------------------------------- */

/* What a flush promised, and what was touched since. */
typedef struct {
    unsigned at; /* number of events when the flush returned */
    uint8_t *flat;
} Promise;

typedef struct {
    GArray *promises;

    GArray *touches; /* of Touch */
} History;

typedef struct {
    unsigned at; /* events when it began */
    uint32_t sector, n;
} Touch;

static void touch(History *h, uint64_t offset, uint64_t length)
{
    Touch t = { events->len, (uint32_t)(offset / SECTOR), 0 };
    t.n = (uint32_t)((offset + length - 1) / SECTOR - t.sector + 1);
    g_array_append_val(h->touches, t);
}

static int discard(Disk *disk, uint64_t offset, uint64_t length);

static void work(const char *path, History *h, GRand *rand, unsigned steps)
{
    Disk *disk = disk_open(path, NULL, NULL);
    uint8_t *flat = g_malloc0(SIZE);
    assert_non_null(disk);
    assert_true(disk_read(disk, 0, flat, SIZE, NULL));
    Promise beginning = { 0, g_memdup2(flat, SIZE) };
    g_array_append_val(h->promises, beginning);
    for (unsigned i = 0; i < steps; i++) {
        uint32_t sector = g_rand_int(rand) % N_SECTORS;
        uint64_t offset = sector * SECTOR;
        uint64_t length = MIN(1 + g_rand_int(rand) % 300, N_SECTORS - sector) * SECTOR;
        switch (g_rand_int(rand) % 6) {
        case 0: {
            Promise promise = { 0, g_memdup2(flat, SIZE) };
            assert_true(disk_flush(disk, NULL));
            promise.at = events->len;
            g_array_append_val(h->promises, promise);
            break;
        }
        case 1:
            touch(h, offset, length);
            assert_int_equal(discard(disk, offset, length), 0);
            assert_true(disk_read(disk, offset, flat + offset, length, NULL));
            break;
        default:
            touch(h, offset, length);
            memset(flat + offset, (int)(1 + i % 255), length);
            assert_true(disk_write(disk, offset, flat + offset, length, NULL));
        }
    }
    disk_free(disk);
    g_free(flat);
}

static gint request_result;
static void on_done(DiskRequest *request, int result)
{
    g_atomic_int_set(&request_result, result);
}

static int discard(Disk *disk, uint64_t offset, uint64_t length)
{
    DiskRequest request = {
        .operation = DISK_DISCARD, .offset = offset, .length = length, .done = on_done
    };
    g_atomic_int_set(&request_result, 1);
    disk_submit(disk, &request);
    disk_drain(disk);
    return g_atomic_int_get(&request_result);
}

/* --- files after a cut ------------------------------------------------------------------------ */

static void apply(int fd, const Event *event, GRand *rand)
{
    uint64_t from = 0, to = event->length;
    switch (event->kind) {
    case EVENT_WRITE:
        if (rand && g_rand_boolean(rand)) { /* torn */
            from = event->length * g_rand_double(rand) / SECTOR;
            to = from + (event->length - from * SECTOR) * g_rand_double(rand) / SECTOR;
            from *= SECTOR;
            to = MIN(to * SECTOR, event->length);
        }
        if (to > from)
            assert_int_equal(
                pwrite(fd, event->bytes + from, to - from, (off_t)(event->offset + from)),
                to - from);
        break;
    case EVENT_TRUNCATE: assert_int_equal(__real_ftruncate64(fd, (off_t)event->offset), 0); break;
    case EVENT_HOLE:
        __real_fallocate64(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)event->offset,
                           (off_t)event->length);
        break;
    case EVENT_SYNC: break;
    }
}

/* The file when power fails after event @cut. */
static void materialize(const char *base, const char *path, unsigned cut, GRand *rand)
{
    g_autofree char *content = NULL;
    gsize length;
    assert_true(g_file_get_contents(base, &content, &length, NULL));
    assert_true(g_file_set_contents(path, content, (gssize)length, NULL));
    int fd = g_open(path, O_RDWR, 0);
    unsigned last_sync = 0;
    for (unsigned i = 0; i < cut; i++)
        if (g_array_index(events, Event, i).kind == EVENT_SYNC)
            last_sync = i;
    for (unsigned i = 0; i < cut; i++) {
        if (i < last_sync)
            apply(fd, &g_array_index(events, Event, i), NULL);
        else if (g_rand_boolean(rand))
            apply(fd, &g_array_index(events, Event, i), rand);
    }
    close(fd);
}

static void assert_promise_kept(const char *path, const History *h, unsigned cut)
{
    const Promise *promise = NULL;
    for (unsigned i = 0; i < h->promises->len; i++)
        if (g_array_index(h->promises, Promise, i).at <= cut)
            promise = &g_array_index(h->promises, Promise, i);
    if (!promise)
        return;
    g_autofree uint8_t *open_to_change = g_malloc0(N_SECTORS);
    for (unsigned i = 0; i < h->touches->len; i++) {
        const Touch *t = &g_array_index(h->touches, Touch, i);
        if (t->at >= promise->at)
            memset(open_to_change + t->sector, 1, t->n);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(Disk) disk = disk_open(path, &(DiskOptions){ .read_only = true }, &error);
    g_autofree uint8_t *now = g_malloc(SIZE);
    if (!disk)
        fail_msg("cut after event %u: %s", cut, error->message);
    assert_true(disk_read(disk, 0, now, SIZE, NULL));
    for (unsigned s = 0; s < N_SECTORS; s++)
        if (!open_to_change[s] && memcmp(now + s * SECTOR, promise->flat + s * SECTOR, SECTOR))
            fail_msg("cut after event %u: sector %u was promised and is lost", cut, s);
}

static void forget(History *h)
{
    for (unsigned i = 0; i < events->len; i++)
        g_free(g_array_index(events, Event, i).bytes);
    g_clear_pointer(&events, g_array_unref);
    for (unsigned i = 0; i < h->promises->len; i++)
        g_free(g_array_index(h->promises, Promise, i).flat);
    g_array_unref(h->promises);
    g_array_unref(h->touches);
}

/* Full of data in compressed clusters: a write to a part of one moves it, and gives up the place of
 * what it did not touch. */
static void create_packed(const char *path, const char *options, GRand *rand)
{
    g_autofree char *raw = scratch_path("base.raw");
    g_autofree uint8_t *flat = g_malloc(SIZE);
    for (unsigned i = 0; i < SIZE; i++)
        flat[i] = (uint8_t)(i & 1 ? g_rand_int(rand) : i / SECTOR);
    assert_true(g_file_set_contents(raw, (char *)flat, SIZE, NULL));
    assert_int_equal(
        run_tool("qemu-img convert -q -c -f raw -O qcow2 -o %s %s %s", options, raw, path), 0);
}

/* Half of the cuts follow a hole: what it held must not be needed any more, whatever is lost. */
static unsigned pick_cut(unsigned from, bool at_hole)
{
    for (unsigned i = from; at_hole && i < events->len; i++)
        if (g_array_index(events, Event, i).kind == EVENT_HOLE)
            return i + 1;
    return from;
}

static void power_cuts_lose_nothing_that_was_flushed(void **state)
{
    static const char *const options[] = { "cluster_size=64k", "cluster_size=512,refcount_bits=64",
                                           "cluster_size=4k", "cluster_size=16k" };
    enum { PACKED = 3 };
    if (!have_qemu_tools())
        skip();
    for (unsigned n = 0; n < G_N_ELEMENTS(options); n++) {
        g_autofree char *base = scratch_path("base.qcow2");
        g_autofree char *path = scratch_path("work.qcow2");
        g_autofree char *cut_path = scratch_path("cut.qcow2");
        GRand *rand = g_rand_new_with_seed(n);
        if (n == PACKED)
            create_packed(base, options[n], rand);
        else
            assert_int_equal(
                run_tool("qemu-img create -q -f qcow2 -o %s %s %u", options[n], base, SIZE), 0);
        assert_int_equal(run_tool("cp %s %s", base, path), 0);
        History h = { g_array_new(FALSE, FALSE, sizeof(Promise)),
                      g_array_new(FALSE, FALSE, sizeof(Touch)) };
        events = g_array_new(FALSE, FALSE, sizeof(Event));
        work(path, &h, rand, 60);
        GArray *recorded = events;
        for (unsigned i = 0; i < 30; i++) {
            unsigned cut = pick_cut(g_rand_int(rand) % (recorded->len + 1), i % 2);
            materialize(base, cut_path, cut, rand);
            events = NULL; /* checking writes nothing, but opens */
            int result = run_tool("qemu-img check -q -f qcow2 %s", cut_path);
            if (result != 0 && result != 3) /* 3: lost clusters only */
                fail_msg("%s, cut after event %u: the image is damaged", options[n], cut);
            assert_promise_kept(cut_path, &h, cut);
            events = recorded;
        }
        forget(&h);
        g_rand_free(rand);
    }
}

/* --- full host disk --------------------------------------------------------------------------- */

static void full_disk_at_any_write_is_survived(void **state)
{
    g_autofree char *path = scratch_path("full.qcow2");
    g_autofree uint8_t *flat = g_malloc(SIZE);
    g_autofree uint8_t *now = g_malloc(SIZE);
    memset(flat, 0x42, SIZE);
    for (int room = 0; room < 24; room++) {
        g_unlink(path);
        assert_true(disk_create_qcow2(path, SIZE, NULL, NULL, NULL));
        Disk *disk = disk_open(path, NULL, NULL);
        bool was_full = false;
        writes_until_full = room;
        for (unsigned at = 0; at < SIZE; at += 100 * 1024) {
            size_t length = MIN(100 * 1024, SIZE - at);
            g_autoptr(GError) error = NULL;
            int more = room;
            while (!disk_write(disk, at, flat + at, length, &error) || !disk_flush(disk, &error)) {
                assert_int_equal(error->code, G_IO_ERROR_NO_SPACE);
                g_clear_error(&error);
                was_full = true;
                writes_until_full = ++more; /* the user made a little room */
            }
        }
        writes_until_full = -1;
        disk_free(disk);
        assert_true(was_full || room > 20);
        disk = disk_open(path, NULL, NULL);
        assert_true(disk_read(disk, 0, now, SIZE, NULL));
        assert_memory_equal(now, flat, SIZE);
        disk_free(disk);
        if (have_qemu_tools())
            assert_int_equal(run_tool("qemu-img check -q %s", path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cuts_lose_nothing_that_was_flushed),
        cmocka_unit_test(full_disk_at_any_write_is_survived),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
