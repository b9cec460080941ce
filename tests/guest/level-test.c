/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Level-triggered interrupts: one that is handled while its wire is still up comes again, and when
 * the wire has fallen it does not. On each CPU, and while the guest moves from one to the other,
 * between its "I have handled it" and what the board makes of that. The guest is tiny-guest.S. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tiny-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_US (60 * G_USEC_PER_SEC)
#define MOVE_US 3000 /* on average */
/* Exit codes. */
#define GOOD 1
#define SOME_FOR_NOTHING 2

/* A kernel that takes no interrupt routes any more. */
static unsigned routes_fail; /* atomic */
int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (request == KVM_SET_GSI_ROUTING && __atomic_load_n(&routes_fail, __ATOMIC_SEQ_CST)) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static void check(const CpuOps *cpu, bool moves)
{
    g_autoptr(GError) error = NULL;

    if (cpu == &cpu_kvm_ops && access("/dev/kvm", R_OK | W_OK) < 0)
        skip();
    g_autoptr(Machine) machine = tiny_machine_new(cpu, 1, TINY_LEVELS, &error);
    if (!machine || !machine_start(machine, false, &error))
        fail_msg("%s", error->message);
    gint64 end = g_get_monotonic_time() + END_US;
    for (unsigned i = 0; machine_exit_code(machine) < 0 && g_get_monotonic_time() < end; i++) {
        g_usleep((gulong)g_random_int_range(0, 2 * MOVE_US));
        if (moves && !machine_set_cpu(machine, i % 2 ? &cpu_kvm_ops : &cpu_soft_ops, &error))
            fail_msg("%s", error->message);
    }
    /* There are KVMs that end an interrupt while they deliver it (their ISR stays empty): there it
     * begins again before its handler has looked at the wire. */
    if (cpu != &cpu_kvm_ops || machine_exit_code(machine) != SOME_FOR_NOTHING)
        assert_int_equal(machine_exit_code(machine), GOOD);
    if (routes_fail)
        assert_string_equal(machine_cpu_name(machine), "software");
}

static void on_the_software_cpu(void **state)
{
    check(&cpu_soft_ops, false);
}

static void on_kvm(void **state)
{
    check(&cpu_kvm_ops, false);
}

static void on_one_and_the_other(void **state)
{
    check(&cpu_kvm_ops, true);
}

static void on_a_kvm_that_takes_no_routes(void **state)
{
    __atomic_store_n(&routes_fail, 1, __ATOMIC_SEQ_CST);
    check(&cpu_kvm_ops, false);
    __atomic_store_n(&routes_fail, 0, __ATOMIC_SEQ_CST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_software_cpu),
        cmocka_unit_test(on_kvm),
        cmocka_unit_test(on_one_and_the_other),
        cmocka_unit_test(on_a_kvm_that_takes_no_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
