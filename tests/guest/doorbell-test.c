/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A guest's doorbells and the interrupts that answer them, on either CPU and while the guest is
 * moved between them: each request is answered once, with one interrupt, and on KVM without an exit
 * to us for the doorbell. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/virtio/virtio-pci.h"
#include "tiny-machine.h"
#include <string.h>
#include <unistd.h>

#define N_SECTORS 128
#define PATIENCE_US (60 * G_USEC_PER_SEC)

static char *image_path;

static int make_disk(void **state)
{
    uint8_t disk[N_SECTORS][512] = { 0 };
    int fd = g_file_open_tmp("disk-XXXXXX", &image_path, NULL);

    for (uint32_t i = 0; i < N_SECTORS; i++)
        memcpy(disk[i], &i, sizeof i);
    bool good = fd >= 0 && write(fd, disk, sizeof disk) == sizeof disk;
    close(fd);
    return good ? 0 : -1;
}

static int remove_disk(void **state)
{
    unlink(image_path);
    g_free(image_path);
    return 0;
}

static void need_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        skip();
}

static const Virtio *find_disk(Machine *machine)
{
    for (Device *const *dev = machine_devices(machine); *dev; dev++)
        if (strcmp((*dev)->id, "virtio-blk0") == 0)
            return (const Virtio *)*dev;
    fail_msg("there is no disk");
    return NULL;
}

typedef enum { STAYS, MOVES, PAUSES } Trouble;

static void make_trouble(Machine *machine, Trouble trouble, unsigned n)
{
    g_autoptr(GError) error = NULL;

    g_usleep((gulong)g_random_int_range(500, 4000));
    if (trouble == PAUSES) {
        machine_pause(machine);
        machine_resume(machine);
    }
    if (trouble == MOVES && !machine_set_cpu(machine, n % 2 ? &cpu_kvm_ops : &cpu_soft_ops, &error))
        fail_msg("%s", error->message);
}

/* Returns how often it was troubled meanwhile. */
static unsigned run_to_the_end(Machine *machine, Trouble trouble)
{
    gint64 end = g_get_monotonic_time() + PATIENCE_US;
    unsigned n = 0;

    while (machine_exit_code(machine) < 0) {
        if (g_get_monotonic_time() > end)
            fail_msg("after %u troubles the guest waits for ever", n);
        make_trouble(machine, trouble, n++);
    }
    return n;
}

static void check(const CpuOps *cpu, TinyGuest guest, unsigned n_requests, Trouble trouble)
{
    g_autoptr(GError) error = NULL;
    Machine *machine = tiny_machine_new_with_disk(cpu, guest, image_path, n_requests, &error);

    if (!machine)
        fail_msg("%s", error->message);
    assert_true(machine_start(machine, false, &error));
    unsigned n = run_to_the_end(machine, trouble);
    DiskStats stats = { 0 };
    machine_get_drive_stats(machine, 0, &stats);
    uint64_t n_exits = find_disk(machine)->n_notified;
    int code = machine_exit_code(machine);
    unsigned n_faults = machine_triple_faults(machine);
    bool has_stayed = strcmp(machine_cpu_name(machine), cpu->name) == 0;
    machine_free(machine);
    print_message("%u requests, troubled %u times, %" G_GUINT64_FORMAT
                  " doorbells that were exits\n",
                  n_requests, n, n_exits);
    assert_int_equal(code, 1);
    assert_int_equal(n_faults, 0);
    assert_true(has_stayed || trouble == MOVES);
    assert_int_equal(stats.reads, n_requests);
    assert_int_equal(n_exits, 0);
}

static void the_software_cpu_rings_and_is_told_by_message(void **state)
{
    check(&cpu_soft_ops, TINY_READS, 2000, STAYS);
}

static void the_software_cpu_is_told_by_level(void **state)
{
    check(&cpu_soft_ops, TINY_READS_BY_LEVEL, 2000, STAYS);
}

static void a_pause_loses_no_answer(void **state)
{
    check(&cpu_soft_ops, TINY_READS, 2000, PAUSES);
}

static void kvm_rings_without_an_exit(void **state)
{
    need_kvm();
    check(&cpu_kvm_ops, TINY_READS, 500, STAYS);
}

static void kvm_tells_the_end_of_a_level(void **state)
{
    need_kvm();
    check(&cpu_kvm_ops, TINY_READS_BY_LEVEL, 500, STAYS);
}

static void a_guest_on_the_move_gets_each_answer_once(void **state)
{
    need_kvm();
    check(&cpu_kvm_ops, TINY_READS, 3000, MOVES);
}

static void a_guest_on_the_move_gets_each_level_once(void **state)
{
    need_kvm();
    check(&cpu_kvm_ops, TINY_READS_BY_LEVEL, 2000, MOVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_software_cpu_rings_and_is_told_by_message),
        cmocka_unit_test(the_software_cpu_is_told_by_level),
        cmocka_unit_test(a_pause_loses_no_answer),
        cmocka_unit_test(kvm_rings_without_an_exit),
        cmocka_unit_test(kvm_tells_the_end_of_a_level),
        cmocka_unit_test(a_guest_on_the_move_gets_each_answer_once),
        cmocka_unit_test(a_guest_on_the_move_gets_each_level_once),
    };
    return cmocka_run_group_tests(tests, make_disk, remove_disk);
}
