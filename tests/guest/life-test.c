/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A machine's life under load, on KVM and between CPUs: many hands at its switches at once, as many
 * vCPUs as there may be, and a host that has nothing left to give. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tiny-machine.h"
#include <dirent.h>
#include <gio/gio.h>
#include <sys/resource.h>
#include <unistd.h>

#define STORM_US (2 * G_USEC_PER_SEC)
#define N_HANDS 4
#define MAX_DESCRIPTORS 64 /* more than a machine has */
#define MIB (UINT64_C(1) << 20)

static void need_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        skip();
}

static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static gpointer use_switches(gpointer data)
{
    Machine *machine = data;
    gint64 end = g_get_monotonic_time() + STORM_US;

    while (g_get_monotonic_time() < end)
        switch (g_random_int_range(0, 8)) {
        case 0: machine_pause(machine); break;
        case 1: machine_reset(machine); break;
        case 2: machine_power_off(machine); break;
        case 3: machine_set_cpu(machine, &cpu_soft_ops, NULL); break;
        case 4: machine_set_cpu(machine, &cpu_kvm_ops, NULL); break;
        case 5: machine_start(machine, g_random_boolean(), NULL); break;
        case 6: g_usleep((gulong)g_random_int_range(0, 5000)); break;
        default: machine_resume(machine);
        }
    return NULL;
}

/* The guest's CPUs reset and start one another meanwhile. */
static void many_hands_at_the_switches_leave_a_machine_that_works(void **state)
{
    g_autoptr(GError) error = NULL;
    GThread *hands[N_HANDS];

    need_kvm();
    Machine *machine = tiny_machine_new(&cpu_kvm_ops, 4, TINY_STARTS, &error);
    assert_non_null(machine);
    for (unsigned i = 0; i < N_HANDS; i++)
        hands[i] = g_thread_new("hand", use_switches, machine);
    for (unsigned i = 0; i < N_HANDS; i++)
        g_thread_join(hands[i]);
    machine_power_off(machine);
    assert_true(machine_set_cpu(machine, &cpu_kvm_ops, &error));
    assert_true(machine_start(machine, false, &error));
    g_usleep(50000);
    assert_int_equal(machine_state(machine), MACHINE_RUNNING);
    machine_free(machine);
}

static void sixteen_cpus_start_one_another_on_kvm(void **state)
{
    g_autoptr(GError) error = NULL;

    need_kvm();
    Machine *machine = tiny_machine_new(&cpu_kvm_ops, MACHINE_MAX_CPUS, TINY_STARTS, &error);
    if (!machine)
        fail_msg("%s", error->message);
    assert_true(machine_start(machine, false, &error));
    g_usleep(500000);
    assert_int_equal(machine_state(machine), MACHINE_RUNNING);
    machine_free(machine);
}

/* Whichever file it is that cannot be had: a message, and nothing left open. */
static void a_host_without_descriptors_is_an_error(void **state)
{
    struct rlimit before, limit;
    unsigned n_before = count_descriptors(), n_errors = 0;

    need_kvm();
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    for (unsigned n = 4; n < MAX_DESCRIPTORS; n++) {
        g_autoptr(GError) error = NULL;
        limit.rlim_cur = n_before + n - 8;
        setrlimit(RLIMIT_NOFILE, &limit);
        Machine *machine = tiny_machine_new(&cpu_kvm_ops, 4, TINY_STARTS, &error);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_true((machine != NULL) == (error == NULL));
        n_errors += error != NULL;
        machine_free(machine);
        assert_int_equal(count_descriptors(), n_before);
    }
    assert_in_range(n_errors, 8, MAX_DESCRIPTORS - 8);
}

static uint64_t address_space_in_use(void)
{
    g_autofree char *text = NULL;

    g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
    return g_ascii_strtoull(text, NULL, 10) * (uint64_t)getpagesize();
}

static void a_host_without_memory_is_an_error(void **state)
{
    g_autoptr(GError) error = NULL;
    struct rlimit before, limit;

    need_kvm();
    getrlimit(RLIMIT_AS, &before);
    limit = before;
    limit.rlim_cur = address_space_in_use() + 8 * MIB; /* half of the guest's */
    setrlimit(RLIMIT_AS, &limit);
    Machine *machine = tiny_machine_new(&cpu_kvm_ops, 4, TINY_STARTS, &error);
    setrlimit(RLIMIT_AS, &before);
    assert_null(machine);
    assert_non_null(error);
    print_message("%s\n", error->message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_hands_at_the_switches_leave_a_machine_that_works),
        cmocka_unit_test(sixteen_cpus_start_one_another_on_kvm),
        cmocka_unit_test(a_host_without_descriptors_is_an_error),
        cmocka_unit_test(a_host_without_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
