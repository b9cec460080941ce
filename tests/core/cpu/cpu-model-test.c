/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Processor models: what each name promises, what a backend takes away, and who notices. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/cpu.h"

enum { ECX = 2, EDX = 3, EAX = 0, EBX = 1 };
#define BIT(n) (UINT32_C(1) << (n))

static bool says(const CpuModel *model, uint32_t leaf, unsigned reg, unsigned bit)
{
    uint32_t out[4];
    cpu_model_leaf(model, 0, leaf, 0, out);
    return out[reg] & BIT(bit);
}

static void each_level_has_what_the_one_below_lacks(void **state)
{
    CpuModel v1 = cpu_model_named(CPU_MODEL_V1, 1), v2 = cpu_model_named(CPU_MODEL_V2, 1),
             v3 = cpu_model_named(CPU_MODEL_V3, 1);

    assert_true(says(&v1, 1, EDX, 26));          /* SSE2 */
    assert_true(says(&v1, 0x80000001, EDX, 29)); /* long mode */
    assert_false(says(&v1, 1, ECX, 20));         /* SSE4.2 */
    assert_false(says(&v1, 1, ECX, 13));         /* CMPXCHG16B */
    assert_true(says(&v2, 1, ECX, 20) && says(&v2, 1, ECX, 13) && says(&v2, 1, ECX, 23));
    assert_false(says(&v2, 1, ECX, 28)); /* AVX */
    assert_true(says(&v3, 1, ECX, 28) && says(&v3, 7, EBX, 5) && says(&v3, 7, EBX, 8));
    assert_true(says(&v3, 0x80000001, ECX, 5)); /* LZCNT */
}

static void xsave_is_as_large_as_the_registers_that_it_saves(void **state)
{
    CpuModel v2 = cpu_model_named(CPU_MODEL_V2, 1), v3 = cpu_model_named(CPU_MODEL_V3, 1),
             mine = cpu_model_named(CPU_MODEL_AUTO, 1);
    uint32_t out[4];

    cpu_model_leaf(&v2, 0, 0xD, 0, out);
    assert_int_equal(out[EAX], 0);
    cpu_model_leaf(&mine, 0, 0xD, 0, out);
    assert_int_equal(out[EAX], 3);
    assert_int_equal(out[ECX], 576);
    cpu_model_leaf(&v3, 0, 0xD, 0, out);
    assert_int_equal(out[EAX], 7);
    assert_int_equal(out[ECX], 832);
    cpu_model_leaf(&v3, 0, 0xD, 2, out);
    assert_int_equal(out[EAX], 256);
    assert_int_equal(out[EBX], 576);
}

static void what_is_missing_is_named(void **state)
{
    CpuModel v3 = cpu_model_named(CPU_MODEL_V3, 1), software = cpu_model_software(1);
    g_autofree char *missing = cpu_model_dup_missing(&v3, &software);

    assert_string_equal(missing, "AVX, F16C, FMA, MOVBE, AVX2, BMI1, BMI2, LZCNT");
    CpuModel v2 = cpu_model_named(CPU_MODEL_V2, 1);
    assert_null(cpu_model_dup_missing(&v2, &software));
}

static void a_poor_backend_takes_features_and_leaves_the_board(void **state)
{
    static const uint32_t none[CPU_N_FEATURES];
    CpuModel model = cpu_model_software(4);

    assert_false(cpu_model_fits(&model, none));
    cpu_model_restrict(&model, none);
    assert_true(cpu_model_fits(&model, none));
    assert_false(says(&model, 1, ECX, 20));
    assert_true(says(&model, 1, ECX, 31)); /* a hypervisor is there */
    assert_true(says(&model, 1, ECX, 21)); /* x2APIC */
    assert_true(says(&model, 1, EDX, 9));  /* APIC */
    assert_true(says(&model, 1, EDX, 28)); /* several processors */
}

static void kvm_is_told_of_where_it_is_spoken(void **state)
{
    static const uint32_t none[CPU_N_FEATURES];
    CpuModel model = cpu_model_named(CPU_MODEL_V1, 1);
    uint32_t out[4];

    assert_true(says(&model, 0x40000001, EAX, 3)); /* kvmclock, for every model */
    cpu_model_leaf(&model, 0, 0x40000000, 0, out);
    assert_memory_equal(out + 1, "KVMKVMKVM\0\0", 12);
    assert_int_equal(out[EAX], 0x40000001);
    cpu_model_restrict(&model, none);
    cpu_model_leaf(&model, 0, 0x40000000, 0, out);
    assert_memory_equal(out + 1, "VitrineVitri", 12);
    assert_int_equal(out[EAX], 0x40000000);
    assert_false(says(&model, 0x40000001, EAX, 3));
}

static void hyperv_comes_before_kvm_where_it_is_offered(void **state)
{
    static const uint32_t none[CPU_N_FEATURES];
    CpuModel model = cpu_model_software(1);
    uint32_t out[4];

    cpu_model_leaf(&model, 0, 0x40000100, 0, out);
    assert_int_equal(out[EAX] | out[EBX], 0);
    cpu_model_offer_hyperv(&model);
    cpu_model_leaf(&model, 0, 0x40000000, 0, out);
    assert_memory_equal(out + 1, "Microsoft Hv", 12);
    assert_true(says(&model, 0x40000003, EAX, 9)); /* the reference TSC */
    assert_true(says(&model, 0x40000101, EAX, 3)); /* kvmclock */
    cpu_model_restrict(&model, none);
    cpu_model_leaf(&model, 0, 0x40000000, 0, out);
    assert_memory_equal(out + 1, "VitrineVitri", 12);
}

static void a_processor_is_not_refused_for_what_is_none_of_it(void **state)
{
    CpuModel v1 = cpu_model_named(CPU_MODEL_V1, 1), had = v1;

    had.features[CPU_FEATURES_KVM] = 0;
    assert_null(cpu_model_dup_missing(&v1, &had));
}

static void leaf_15h_gives_the_rate_of_the_counter(void **state)
{
    CpuModel model = cpu_model_software(1);
    uint32_t out[4];

    model.tsc_hz = UINT64_C(2345000000);
    cpu_model_leaf(&model, 0, 0x15, 0, out);
    assert_int_equal((uint64_t)out[ECX] * out[EBX] / out[EAX], model.tsc_hz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_has_what_the_one_below_lacks),
        cmocka_unit_test(xsave_is_as_large_as_the_registers_that_it_saves),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_poor_backend_takes_features_and_leaves_the_board),
        cmocka_unit_test(kvm_is_told_of_where_it_is_spoken),
        cmocka_unit_test(hyperv_comes_before_kvm_where_it_is_offered),
        cmocka_unit_test(a_processor_is_not_refused_for_what_is_none_of_it),
        cmocka_unit_test(leaf_15h_gives_the_rate_of_the_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
