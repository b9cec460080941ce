/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/choose.h"

static const CpuProbe fast = { .kvm_mips = 4000, .software_mips = 300 };
static const CpuProbe slow = { .kvm_mips = 0.4, .software_mips = 300 };

static void check(CpuDecision got, const CpuOps *ops, CpuReason reason)
{
    assert_ptr_equal(got.ops, ops);
    assert_int_equal(got.reason, reason);
}

static void auto_takes_the_faster_cpu(void **state)
{
    check(cpu_decide(CPU_WISH_AUTO, false, &fast), &cpu_kvm_ops, CPU_REASON_FASTER);
    check(cpu_decide(CPU_WISH_AUTO, false, &slow), &cpu_soft_ops, CPU_REASON_SLOW);
}

static void kvm_as_fast_as_the_software_cpu_is_taken(void **state)
{
    const CpuProbe same = { .kvm_mips = 300, .software_mips = 300 };
    check(cpu_decide(CPU_WISH_AUTO, false, &same), &cpu_kvm_ops, CPU_REASON_FASTER);
}

static void kvm_is_taken_where_the_software_cpu_could_not_be_measured(void **state)
{
    const CpuProbe alone = { .kvm_mips = 0.4 };
    check(cpu_decide(CPU_WISH_AUTO, false, &alone), &cpu_kvm_ops, CPU_REASON_FASTER);
}

static void a_wish_for_kvm_is_granted_even_where_it_is_slow(void **state)
{
    check(cpu_decide(CPU_WISH_KVM, false, &fast), &cpu_kvm_ops, CPU_REASON_SET);
    CpuDecision decision = cpu_decide(CPU_WISH_KVM, false, &slow);
    check(decision, &cpu_kvm_ops, CPU_REASON_SLOW);
    assert_true(decision.probe.kvm_mips == slow.kvm_mips);
}

static void every_trouble_means_software_by_auto_and_nothing_by_a_wish_for_kvm(void **state)
{
    for (int kind = KVM_TROUBLE_NONE + 1; kind < KVM_TROUBLE_N_KINDS; kind++) {
        const CpuProbe probe = { .trouble = { .kind = kind } };
        CpuDecision decision = cpu_decide(CPU_WISH_AUTO, false, &probe);
        check(decision, &cpu_soft_ops, CPU_REASON_TROUBLE);
        assert_int_equal(decision.probe.trouble.kind, kind);
        check(cpu_decide(CPU_WISH_KVM, false, &probe), NULL, CPU_REASON_TROUBLE);
    }
}

static void a_wish_for_software_asks_nobody(void **state)
{
    assert_false(cpu_needs_probe(CPU_WISH_SOFTWARE, false));
    check(cpu_decide(CPU_WISH_SOFTWARE, false, NULL), &cpu_soft_ops, CPU_REASON_SET);
}

static void a_deterministic_machine_is_the_software_cpus(void **state)
{
    assert_false(cpu_needs_probe(CPU_WISH_AUTO, true));
    check(cpu_decide(CPU_WISH_AUTO, true, NULL), &cpu_soft_ops, CPU_REASON_DETERMINISTIC);
    check(cpu_decide(CPU_WISH_SOFTWARE, true, NULL), &cpu_soft_ops, CPU_REASON_SET);
}

static void kvm_that_fails_at_the_start_is_given_up_or_refused(void **state)
{
    const KvmTrouble held = { .kind = KVM_TROUBLE_HELD, .what = "vboxdrv" };
    CpuDecision decision = cpu_decide_again(CPU_WISH_AUTO, &held);
    check(decision, &cpu_soft_ops, CPU_REASON_TROUBLE);
    assert_string_equal(decision.probe.trouble.what, "vboxdrv");
    check(cpu_decide_again(CPU_WISH_KVM, &held), NULL, CPU_REASON_TROUBLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_takes_the_faster_cpu),
        cmocka_unit_test(kvm_as_fast_as_the_software_cpu_is_taken),
        cmocka_unit_test(kvm_is_taken_where_the_software_cpu_could_not_be_measured),
        cmocka_unit_test(a_wish_for_kvm_is_granted_even_where_it_is_slow),
        cmocka_unit_test(every_trouble_means_software_by_auto_and_nothing_by_a_wish_for_kvm),
        cmocka_unit_test(a_wish_for_software_asks_nobody),
        cmocka_unit_test(a_deterministic_machine_is_the_software_cpus),
        cmocka_unit_test(kvm_that_fails_at_the_start_is_given_up_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
