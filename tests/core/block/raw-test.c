/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "block-fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

static char *make_file(const char *name, const void *bytes, size_t length, uint64_t total)
{
    char *path = scratch_path(name);
    int fd = g_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(ftruncate(fd, (off_t)total), 0);
    close(fd);
    return path;
}

static void raw_disk_returns_what_was_written(void **state)
{
    g_autofree char *path = make_file("a.img", "", 0, 1 << 20);
    g_autoptr(Disk) disk = disk_open(path, NULL, NULL);
    assert_non_null(disk);
    assert_string_equal(disk_format_name(disk), "raw");
    assert_int_equal(disk_size(disk), 1 << 20);
    uint8_t in[1000], out[1000];
    memset(in, 0x5a, sizeof in);
    assert_true(disk_write(disk, 777, in, sizeof in, NULL));
    assert_true(disk_flush(disk, NULL));
    assert_true(disk_read(disk, 777, out, sizeof out, NULL));
    assert_memory_equal(in, out, sizeof in);
}

static void partial_last_sector_reads_as_zeros(void **state)
{
    g_autofree char *path = make_file("odd.img", "xyz", 3, 1003);
    g_autoptr(Disk) disk = disk_open(path, &(DiskOptions){ .read_only = true }, NULL);
    uint8_t out[512], zero[512] = { 0 };
    assert_int_equal(disk_size(disk), 1024);
    memset(out, 1, sizeof out);
    assert_true(disk_read(disk, 512, out, sizeof out, NULL));
    assert_memory_equal(out, zero, sizeof out);
    assert_false(disk_read(disk, 1024, out, 1, NULL));
    assert_false(disk_write(disk, 0, out, 1, NULL));
}

static void guest_cannot_turn_a_probed_raw_disk_into_another_format(void **state)
{
    g_autofree char *path = make_file("t.img", "", 0, 1 << 20);
    g_autoptr(Disk) disk = disk_open(path, NULL, NULL);
    assert_false(disk_write(disk, 0, "QFI\xfb", 4, NULL));
    assert_true(disk_write(disk, 0, "QFI", 3, NULL));
    assert_false(disk_write(disk, 3, "\xfb", 1, NULL));
    assert_true(disk_write(disk, 0, "harmless", 8, NULL));
}

static uint8_t changing[1024]; /* as a guest's memory */
static bool is_over;           /* atomic */

static gpointer change_memory(gpointer data)
{
    uint32_t header, other = 0;
    memcpy(&header, "QFI\xfb", 4);
    for (unsigned i = 0; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); i++)
        __atomic_store_n((uint32_t *)(void *)changing, i & 64 ? header : other, __ATOMIC_RELAXED);
    return NULL;
}

static void nor_by_changing_its_memory_while_that_is_written(void **state)
{
    g_autofree char *path = make_file("u.img", "", 0, 1 << 20);
    g_autoptr(Disk) disk = disk_open(path, NULL, NULL);
    GThread *other = g_thread_new("guest", change_memory, NULL);
    bool is_header = false;
    uint8_t head[4];

    for (unsigned i = 0; i < 20000 && !is_header; i++) {
        disk_write(disk, 0, changing, sizeof changing, NULL);
        assert_true(disk_read(disk, 0, head, sizeof head, NULL));
        is_header = memcmp(head, "QFI\xfb", 4) == 0;
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    g_thread_join(other);
    assert_false(is_header);
}

static void a_write_across_the_first_sector_is_whole(void **state)
{
    g_autofree char *path = make_file("v.img", "", 0, 1 << 20);
    g_autoptr(Disk) disk = disk_open(path, NULL, NULL);
    uint8_t in[2048], out[2048];
    for (unsigned i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned offset = 0; offset < 6; offset++) {
        assert_true(disk_write(disk, offset, in + offset, sizeof in - offset, NULL));
        assert_true(disk_read(disk, offset, out, sizeof in - offset, NULL));
        assert_memory_equal(out, in + offset, sizeof in - offset);
    }
}

static void unfit_files_are_refused_with_a_reason(void **state)
{
    g_autofree char *missing = scratch_path("missing.iso");
    assert_open_fails(missing, NULL, G_IO_ERROR_NOT_FOUND, "does not exist");
    assert_open_fails(scratch, &(DiskOptions){ .read_only = true }, G_IO_ERROR_IS_DIRECTORY,
                      "is a folder");
    assert_open_fails(scratch, NULL, G_IO_ERROR_IS_DIRECTORY, "is a folder");
    g_autofree char *empty = make_file("empty.iso", "", 0, 0);
    assert_open_fails(empty, NULL, G_IO_ERROR_INVALID_DATA, "is empty");
    g_autofree char *app = make_file("x.iso", "\177ELF\2\1\1\0AI\2", 11, 1 << 20);
    assert_open_fails(app, NULL, G_IO_ERROR_INVALID_DATA, "AppImage");
    g_autofree char *xz = make_file("disk.img.xz",
                                    "\xfd"
                                    "7zXZ",
                                    6, 4096);
    assert_open_fails(xz, NULL, G_IO_ERROR_NOT_SUPPORTED, "unpack");
    g_autofree char *vmdk = make_file("d.vmdk", "KDMV", 4, 4096);
    assert_open_fails(vmdk, NULL, G_IO_ERROR_NOT_SUPPORTED, "qemu-img convert");
    g_autofree char *beheaded = make_file("disk-0.qcow2", "XXXX", 4, 4096);
    assert_open_fails(beheaded, NULL, G_IO_ERROR_INVALID_DATA, "damaged qcow2");
    if (geteuid() != 0) {
        g_autofree char *secret = make_file("secret.img", "", 0, 4096);
        g_chmod(secret, 0);
        assert_open_fails(secret, NULL, G_IO_ERROR_PERMISSION_DENIED, "permissions");
    }
}

static void truncated_iso_is_refused(void **state)
{
    static uint8_t iso[40 * 1024];
    uint8_t *pvd = iso + 32768;
    memcpy(pvd, "\1CD001\1", 7);
    pvd[80] = 0x00, pvd[81] = 0x10; /* 4096 blocks */
    pvd[128] = 0x00, pvd[129] = 0x08;
    g_autofree char *cut = make_file("cut.iso", iso, sizeof iso, 4 << 20);
    assert_open_fails(cut, NULL, G_IO_ERROR_INVALID_DATA, "incomplete");
    g_autofree char *whole = make_file("whole.iso", iso, sizeof iso, 8 << 20);
    g_autoptr(Disk) disk = disk_open(whole, NULL, NULL);
    assert_non_null(disk);
    assert_string_equal(disk_format_name(disk), "iso");
}

static void second_writer_is_refused_and_told_who_holds_the_file(void **state)
{
    g_autofree char *path = make_file("l.img", "", 0, 1 << 20);
    Disk *writer = disk_open(path, NULL, NULL);
    assert_open_fails(path, NULL, G_IO_ERROR_BUSY, "in use by this machine itself");
    assert_open_fails(path, &(DiskOptions){ .read_only = true }, G_IO_ERROR_BUSY, "in use");
    disk_free(writer);
    g_autoptr(Disk) reader = disk_open(path, &(DiskOptions){ .read_only = true }, NULL);
    g_autoptr(Disk) reader_2 = disk_open(path, &(DiskOptions){ .read_only = true }, NULL);
    assert_non_null(reader);
    assert_non_null(reader_2);
    assert_open_fails(path, NULL, G_IO_ERROR_BUSY, "in use");
}

static void locks_exclude_qemu_both_ways(void **state)
{
    if (!have_qemu_tools())
        skip();
    g_autofree char *path = make_file("q.img", "", 0, 1 << 20);
    Disk *disk = disk_open(path, NULL, NULL);
    assert_int_not_equal(run_tool("qemu-io -f raw -c 'write 0 512' %s", path), 0);
    disk_free(disk);
    assert_int_equal(run_tool("qemu-io -f raw -c 'write 0 512' %s", path), 0);

    int in;
    GPid pid;
    const char *argv[] = { "qemu-io", "-f", "raw", path, NULL };
    assert_true(g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
                                         G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                                             G_SPAWN_DO_NOT_REAP_CHILD,
                                         NULL, NULL, &pid, &in, NULL, NULL, NULL));
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 500 && !error; i++) {
        g_usleep(10000);
        disk_free(disk_open(path, NULL, &error));
    }
    close(in);
    waitpid(pid, NULL, 0);
    assert_non_null(error);
    assert_int_equal(error->code, G_IO_ERROR_BUSY);
    assert_non_null(strstr(error->message, "qemu-io (process "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_disk_returns_what_was_written),
        cmocka_unit_test(partial_last_sector_reads_as_zeros),
        cmocka_unit_test(guest_cannot_turn_a_probed_raw_disk_into_another_format),
        cmocka_unit_test(nor_by_changing_its_memory_while_that_is_written),
        cmocka_unit_test(a_write_across_the_first_sector_is_whole),
        cmocka_unit_test(unfit_files_are_refused_with_a_reason),
        cmocka_unit_test(truncated_iso_is_refused),
        cmocka_unit_test(second_writer_is_refused_and_told_who_holds_the_file),
        cmocka_unit_test(locks_exclude_qemu_both_ways),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
