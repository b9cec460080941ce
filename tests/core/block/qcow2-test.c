/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* qcow2 against QEMU's tools: what we write they find clean and equal, what they write we read. */

#include "block-fixture.h"
#include "core/block/disk-format.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MIB (1u << 20)

typedef struct {
    Disk *disk;
    uint8_t *flat; /* what must be there */
    uint64_t size;
    GRand *rand;
} Oracle;

static void oracle_read(Oracle *o, uint64_t offset, size_t length)
{
    g_autofree uint8_t *out = g_malloc(length);
    assert_true(disk_read(o->disk, offset, out, length, NULL));
    if (memcmp(out, o->flat + offset, length))
        fail_msg("%zu bytes at %" G_GUINT64_FORMAT " differ", length, offset);
}

static void oracle_write(Oracle *o, uint64_t offset, size_t length)
{
    uint8_t fill = (uint8_t)g_rand_int(o->rand);
    for (size_t i = 0; i < length; i++)
        o->flat[offset + i] = (uint8_t)(fill + i * 7);
    g_autoptr(GError) error = NULL;
    if (!disk_write(o->disk, offset, o->flat + offset, length, &error))
        fail_msg("%s", error->message);
}

typedef struct {
    DiskRequest request;
    gint result;
} SyncRequest;

static void on_sync_done(DiskRequest *request, int result)
{
    g_atomic_int_set(&((SyncRequest *)request->opaque)->result, result);
}

static int run_request(Disk *disk, DiskOperation operation, uint64_t offset, uint64_t length)
{
    SyncRequest r = { .result = 1 };
    r.request = (DiskRequest){ .operation = operation,
                               .offset = offset,
                               .length = length,
                               .done = on_sync_done,
                               .opaque = &r };
    disk_submit(disk, &r.request);
    disk_drain(disk);
    return g_atomic_int_get(&r.result);
}

static void oracle_step(Oracle *o)
{
    uint64_t offset = g_rand_int(o->rand) % o->size;
    uint64_t most = g_rand_int(o->rand) % 8 ? 20000 : 700000;
    size_t length = 1 + g_rand_int(o->rand) % MIN(o->size - offset, most);
    switch (g_rand_int(o->rand) % 16) {
    case 0: assert_true(disk_flush(o->disk, NULL)); break;
    case 1:
        memset(o->flat + offset, 0, length);
        assert_int_equal(run_request(o->disk, DISK_WRITE_ZEROES, offset, length), 0);
        break;
    case 2:
        /* What a discarded range reads as is undefined to a guest: define it at once. */
        assert_int_equal(run_request(o->disk, DISK_DISCARD, offset, length), 0);
        oracle_write(o, offset, length);
        break;
    case 3:
    case 4:
    case 5:
    case 6: oracle_read(o, offset, length); break;
    default: oracle_write(o, offset, length); break;
    }
}

static void oracle_save(const Oracle *o, const char *path)
{
    assert_true(g_file_set_contents(path, (const char *)o->flat, (gssize)o->size, NULL));
}

static void assert_image_is(const char *image, const Oracle *o)
{
    g_autofree char *flat = scratch_path("flat.img");
    oracle_save(o, flat);
    assert_int_equal(run_tool("qemu-img check -q %s", image), 0);
    assert_int_equal(run_tool("qemu-img compare -q -F raw %s %s", image, flat), 0);
}

/* Random work on @image, reopened now and then; the tools have the last word. */
static void work_on(const char *image, uint8_t *flat, uint64_t size, uint32_t seed, unsigned steps)
{
    Oracle o = { .flat = flat, .size = size, .rand = g_rand_new_with_seed(seed) };
    for (unsigned round = 0; round < 3; round++) {
        g_autoptr(GError) error = NULL;
        o.disk = disk_open(image, NULL, &error);
        if (!o.disk)
            fail_msg("%s", error->message);
        for (unsigned i = 0; i < steps; i++)
            oracle_step(&o);
        disk_free(o.disk);
        assert_image_is(image, &o);
    }
    g_rand_free(o.rand);
}

static void need_tools(void)
{
    if (!have_qemu_tools())
        skip();
}

static void own_image_survives_random_work(void **state)
{
    need_tools();
    g_autofree char *path = scratch_path("own.qcow2");
    g_autofree uint8_t *flat = g_malloc0(8 * MIB);
    assert_true(disk_create_qcow2(path, 8 * MIB, NULL, NULL, NULL));
    assert_int_equal(run_tool("qemu-img check -q %s", path), 0);
    work_on(path, flat, 8 * MIB, 1, 150);
}

static void every_geometry_survives_random_work(void **state)
{
    static const char *const options[] = {
        "compat=1.1,cluster_size=512,refcount_bits=64",
        "compat=1.1,cluster_size=4k,refcount_bits=1",
        "compat=0.10,cluster_size=1k",
        "compat=1.1,cluster_size=2M,refcount_bits=8",
        "compat=1.1,cluster_size=64k,lazy_refcounts=on",
        "compat=0.10",
    };
    need_tools();
    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *path = scratch_path("geometry.qcow2");
        g_autofree uint8_t *flat = g_malloc0(5 * MIB + 512);
        assert_int_equal(
            run_tool("qemu-img create -q -f qcow2 -o %s %s %u", options[i], path, 5 * MIB + 512),
            0);
        work_on(path, flat, 5 * MIB + 512, 100 + i, 60);
        g_unlink(path);
    }
}

static void overlay_reads_through_and_leaves_the_backing_file_alone(void **state)
{
    need_tools();
    g_autofree char *base = scratch_path("base.qcow2");
    g_autofree char *top = scratch_path("top.qcow2");
    g_autofree uint8_t *flat = g_malloc0(6 * MIB);
    for (unsigned i = 0; i < 3 * MIB; i++)
        flat[i] = (uint8_t)(i * 31 >> 8);
    Oracle o = { .flat = flat, .size = 3 * MIB };
    g_autofree char *raw = scratch_path("base.raw");
    oracle_save(&o, raw);
    assert_int_equal(run_tool("qemu-img convert -O qcow2 -c %s %s", raw, base), 0);
    g_autofree uint8_t *before = g_memdup2(flat, 3 * MIB);
    /* Larger than its backing file; ours first, then theirs. */
    assert_true(disk_create_qcow2(top, 6 * MIB, "base.qcow2", "qcow2", NULL));
    work_on(top, flat, 6 * MIB, 7, 80);
    g_unlink(top);
    memset(flat, 0, 6 * MIB);
    memcpy(flat, before, 3 * MIB);
    assert_int_equal(
        run_tool("qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 %s %u", top, 6 * MIB), 0);
    work_on(top, flat, 6 * MIB, 8, 80);
    assert_int_equal(run_tool("qemu-img compare -q %s %s", base, raw), 0);
}

static void old_overlay_survives_random_work(void **state)
{
    need_tools();
    g_autofree char *base = scratch_path("b.raw");
    g_autofree char *top = scratch_path("t.qcow2");
    g_autofree uint8_t *flat = g_malloc0(2 * MIB);
    memset(flat, 0xab, 2 * MIB);
    assert_true(g_file_set_contents(base, (char *)flat, 2 * MIB, NULL));
    assert_int_equal(
        run_tool("qemu-img create -q -f qcow2 -o compat=0.10 -b b.raw -F raw %s %u", top, 2 * MIB),
        0);
    work_on(top, flat, 2 * MIB, 9, 60);
}

static void compressed_images_are_read_and_written(void **state)
{
    static const char *const types[] = { "zlib", "zstd" };
    need_tools();
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autofree char *path = scratch_path("packed.qcow2");
        g_autofree char *raw = scratch_path("packed.raw");
        g_autofree uint8_t *flat = g_malloc0(4 * MIB);
        for (unsigned j = 0; j < 4 * MIB; j++)
            flat[j] = (uint8_t)(j * j >> 12);
        Oracle o = { .flat = flat, .size = 4 * MIB };
        oracle_save(&o, raw);
        assert_int_equal(run_tool("qemu-img convert -c -O qcow2 -o compression_type=%s %s %s",
                                  types[i], raw, path),
                         0);
        o.disk = disk_open(path, &(DiskOptions){ .read_only = true }, NULL);
        assert_non_null(o.disk);
        oracle_read(&o, 0, 4 * MIB);
        oracle_read(&o, 65535, 131);
        disk_free(o.disk);
        work_on(path, flat, 4 * MIB, 20 + i, 60);
        g_unlink(path);
    }
}

static void snapshot_keeps_its_content_while_the_disk_changes(void **state)
{
    need_tools();
    g_autofree char *path = scratch_path("snap.qcow2");
    g_autofree char *raw = scratch_path("snap.raw");
    g_autofree uint8_t *flat = g_malloc0(4 * MIB);
    assert_true(disk_create_qcow2(path, 4 * MIB, NULL, NULL, NULL));
    work_on(path, flat, 4 * MIB, 30, 40);
    Oracle before = { .flat = flat, .size = 4 * MIB };
    oracle_save(&before, raw);
    assert_int_equal(run_tool("qemu-img snapshot -c one %s", path), 0);
    work_on(path, flat, 4 * MIB, 31, 60);
    assert_int_equal(run_tool("qemu-img snapshot -a one %s", path), 0);
    assert_int_equal(run_tool("qemu-img compare -q -F raw %s %s", path, raw), 0);
}

static void unclosed_lazy_image_is_repaired_on_open(void **state)
{
    need_tools();
    g_autofree char *path = scratch_path("lazy.qcow2");
    assert_int_equal(run_tool("qemu-img create -q -f qcow2 -o lazy_refcounts=on %s 64M", path), 0);
    run_tool("qemu-io -c 'write -P 7 1M 3M' -c flush -c abort %s", path);
    assert_int_not_equal(run_tool("qemu-img check -q %s", path), 0);
    Disk *disk = disk_open(path, NULL, NULL);
    assert_non_null(disk);
    uint8_t byte = 0;
    assert_true(disk_read(disk, 2 * MIB, &byte, 1, NULL));
    assert_int_equal(byte, 7);
    assert_true(disk_write(disk, 5 * MIB, "hello", 5, NULL));
    disk_free(disk);
    assert_int_equal(run_tool("qemu-img check -q %s", path), 0);
    assert_int_equal(run_tool("qemu-io -r -c 'read -P 7 1M 3M' %s", path), 0);
}

static void discard_gives_space_back(void **state)
{
    g_autofree char *path = scratch_path("discard.qcow2");
    assert_true(disk_create_qcow2(path, 64 * MIB, NULL, NULL, NULL));
    Disk *disk = disk_open(path, NULL, NULL);
    g_autofree uint8_t *bytes = g_malloc(8 * MIB);
    memset(bytes, 0x77, 8 * MIB);
    assert_true(disk_write(disk, 0, bytes, 8 * MIB, NULL));
    assert_int_equal(run_request(disk, DISK_DISCARD, 0, 8 * MIB), 0);
    assert_true(disk_flush(disk, NULL));
    struct stat full, reused;
    assert_int_equal(g_stat(path, &full), 0);
    assert_true(disk_read(disk, 4 * MIB, bytes, 4, NULL));
    assert_memory_equal(bytes, "\0\0\0\0", 4);
    memset(bytes, 0x78, 4);
    assert_true(disk_write(disk, 32 * MIB, bytes, 4 * MIB, NULL));
    disk_free(disk);
    assert_int_equal(g_stat(path, &reused), 0);
    assert_int_equal(full.st_size, reused.st_size);
    if (have_qemu_tools())
        assert_int_equal(run_tool("qemu-img check -q %s", path), 0);
}

typedef struct {
    Disk *disk;
    uint8_t *flat;
    unsigned index;
} Writer;

/* Interleaved blocks of 3 KiB: neighbours in one cluster belong to different threads. */
static gpointer write_own_blocks(gpointer data)
{
    Writer *w = data;
    for (unsigned block = w->index; (block + 1) * 3072 <= 4 * MIB; block += 4) {
        memset(w->flat + block * 3072, (int)(block * 5 + w->index), 3072);
        if (!disk_write(w->disk, block * 3072, w->flat + block * 3072, 3072, NULL))
            return "failed";
        if (block % 64 == w->index)
            disk_flush(w->disk, NULL);
    }
    return NULL;
}

static void threads_that_share_clusters_lose_nothing(void **state)
{
    need_tools();
    g_autofree char *path = scratch_path("threads.qcow2");
    g_autofree uint8_t *flat = g_malloc0(4 * MIB);
    assert_true(disk_create_qcow2(path, 4 * MIB, NULL, NULL, NULL));
    Oracle o = { .disk = disk_open(path, NULL, NULL), .flat = flat, .size = 4 * MIB };
    Writer writer[4];
    GThread *thread[4];
    for (unsigned i = 0; i < 4; i++) {
        writer[i] = (Writer){ o.disk, flat, i };
        thread[i] = g_thread_new("writer", write_own_blocks, &writer[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_null(g_thread_join(thread[i]));
    oracle_read(&o, 0, 4 * MIB);
    disk_free(o.disk);
    assert_image_is(path, &o);
}

/* Changes @length bytes at @offset of a good image in a copy. */
static char *spoiled(const char *name, uint64_t offset, const void *bytes, size_t length)
{
    g_autofree char *good = scratch_path("good.qcow2");
    g_unlink(good);
    assert_true(disk_create_qcow2(good, 64 * MIB, NULL, NULL, NULL));
    Disk *disk = disk_open(good, NULL, NULL);
    assert_true(disk_write(disk, MIB, "data", 4, NULL));
    disk_free(disk);
    char *path = scratch_path(name), *content;
    gsize size;
    assert_true(g_file_get_contents(good, &content, &size, NULL));
    memcpy(content + offset, bytes, length);
    assert_true(g_file_set_contents(path, content, (gssize)size, NULL));
    g_free(content);
    return path;
}

static void unfit_images_are_refused_with_a_reason(void **state)
{
    static const struct {
        unsigned offset;
        const char *bytes;
        size_t length;
        int code;
        const char *words;
    } cases[] = {
        { 4, "\0\0\0\7", 4, G_IO_ERROR_NOT_SUPPORTED, "version 7" },
        { 20, "\0\0\0\x3f", 4, G_IO_ERROR_INVALID_DATA, "cluster size" },
        { 24, "\x7f\0\0\0", 4, G_IO_ERROR_INVALID_DATA, "disk size" },
        { 32, "\0\0\0\1", 4, G_IO_ERROR_NOT_SUPPORTED, "encrypted" },
        { 36, "\xff\xff\xff\xff", 4, G_IO_ERROR_INVALID_DATA, "table too large" },
        { 36, "\0\0\0\0", 4, G_IO_ERROR_INVALID_DATA, "too small" },
        { 40, "\0\0\xff\0", 4, G_IO_ERROR_INVALID_DATA, "incomplete" },
        { 47, "\1", 1, G_IO_ERROR_INVALID_DATA, "odd place" },
        { 56, "\xff\0\0\0", 4, G_IO_ERROR_INVALID_DATA, "impossible size" },
        { 72, "\0\0\0\0\0\0\0\4", 8, G_IO_ERROR_NOT_SUPPORTED, "another file" },
        { 72, "\0\0\0\0\0\0\0\x10", 8, G_IO_ERROR_NOT_SUPPORTED, "subclusters" },
        { 72, "\1\0\0\0\0\0\0\0", 8, G_IO_ERROR_NOT_SUPPORTED, "newer" },
        { 72, "\0\0\0\0\0\0\0\2", 8, G_IO_ERROR_INVALID_DATA, "corrupt" },
        { 96, "\0\0\0\x9", 4, G_IO_ERROR_INVALID_DATA, "width" },
        { 100, "\0\xff\0\0", 4, G_IO_ERROR_INVALID_DATA, "header length" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path =
            spoiled("bad.qcow2", cases[i].offset, cases[i].bytes, cases[i].length);
        assert_open_fails(path, NULL, cases[i].code, cases[i].words);
    }
}

static void truncated_image_is_refused(void **state)
{
    g_autofree char *path = spoiled("cut.qcow2", 0, "Q", 1);
    for (int size = 70; size < 5 * 65536; size += 65536 / 2 + 3) {
        assert_int_equal(truncate(path, 5 * 65536 + 4 - size), 0);
        assert_open_fails(path, NULL, G_IO_ERROR_INVALID_DATA, "incomplete");
    }
}

static void backing_chain_problems_are_told(void **state)
{
    g_autofree char *base = scratch_path("gone.qcow2");
    g_autofree char *top = scratch_path("over.qcow2");
    assert_true(disk_create_qcow2(base, MIB, NULL, NULL, NULL));
    assert_true(disk_create_qcow2(top, MIB, "gone.qcow2", "qcow2", NULL));
    g_unlink(base);
    assert_open_fails(top, NULL, G_IO_ERROR_NOT_FOUND, "builds on another image");
    g_rename(top, base); /* now it is its own backing file */
    assert_open_fails(base, NULL, G_IO_ERROR_INVALID_DATA, "its own backing file");
    g_autoptr(GError) error = NULL;
    assert_false(disk_create_qcow2(base, MIB, NULL, NULL, &error));
    assert_int_equal(error->code, G_IO_ERROR_EXISTS);
}

/* Flips bytes of the metadata and uses what still opens: errors are fine, crashes are not. */
static void hostile_images_do_no_harm(void **state)
{
    g_autofree char *path = spoiled("hostile.qcow2", 0, "Q", 1);
    g_autofree char *content = NULL;
    gsize size;
    assert_true(g_file_get_contents(path, &content, &size, NULL));
    GRand *rand = g_rand_new_with_seed(99);
    g_test_log_set_fatal_handler(NULL, NULL);
    g_autofree uint8_t *buffer = g_malloc0(MIB);
    for (unsigned i = 0; i < 400; i++) {
        g_autofree char *copy = g_memdup2(content, size);
        for (unsigned n = 1 + g_rand_int(rand) % 3; n; n--) {
            /* header, refcount table and block, L1, L2 */
            static const unsigned at[] = { 0, 65536, 131072, 196608, 262144 };
            unsigned where = at[g_rand_int(rand) % 5] + g_rand_int(rand) % 112;
            copy[where] = (char)g_rand_int(rand);
        }
        assert_true(g_file_set_contents(path, copy, (gssize)size, NULL));
        Disk *disk = disk_open(path, NULL, NULL);
        if (!disk)
            continue;
        for (unsigned j = 0; j < 6; j++) {
            uint64_t offset = g_rand_int(rand) % (16 * MIB);
            disk_read(disk, offset, buffer, 70000, NULL);
            disk_write(disk, offset, buffer, 70000, NULL);
            run_request(disk, DISK_DISCARD, offset, MIB);
        }
        disk_flush(disk, NULL);
        disk_free(disk);
    }
    g_rand_free(rand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_image_survives_random_work),
        cmocka_unit_test(every_geometry_survives_random_work),
        cmocka_unit_test(overlay_reads_through_and_leaves_the_backing_file_alone),
        cmocka_unit_test(old_overlay_survives_random_work),
        cmocka_unit_test(compressed_images_are_read_and_written),
        cmocka_unit_test(snapshot_keeps_its_content_while_the_disk_changes),
        cmocka_unit_test(unclosed_lazy_image_is_repaired_on_open),
        cmocka_unit_test(discard_gives_space_back),
        cmocka_unit_test(threads_that_share_clusters_lose_nothing),
        cmocka_unit_test(unfit_images_are_refused_with_a_reason),
        cmocka_unit_test(truncated_image_is_refused),
        cmocka_unit_test(backing_chain_problems_are_told),
        cmocka_unit_test(hostile_images_do_no_harm),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
