/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What a guest gets of its virtual machine beside a processor, on each CPU alike. The guest code is
 * paravirt-test.asm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/cpu/paravirt.h"
#include "cpu-harness.h"
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI }; /* in gpr[] */
enum { MSR_TSC = 0x10, MSR_TSC_ADJUST = 0x3B };
enum { MSR_WALL_CLOCK = 0x4B564D00, MSR_SYSTEM_TIME };
enum { /* Hyper-V's */
       MSR_GUEST_OS_ID = 0x40000000,
       MSR_HYPERCALL,
       MSR_VP_INDEX,
       MSR_TIME_REF_COUNT = 0x40000020,
       MSR_REFERENCE_TSC,
       MSR_TSC_FREQUENCY,
       MSR_APIC_FREQUENCY,
};
enum { VECTOR_UD = 6, VECTOR_GP = 13 };

#define INFO 0x30000u /* a vCPU's time information */
#define WALL 0x31000u /* the time of day of power-on */
#define ENABLED 1u
#define CLOCK_PAIRING 9
#define NS_OF_A_MS 1000000

typedef struct {
    CpuHarness *harness;
    uint8_t *ram;
    CpuState state;
} Fixture;

static Clock *clock_of(Fixture *f)
{
    return cpu_harness_vcpu(f->harness)->board->clock;
}

static int setup_with(void **test, void (*shape)(CpuModel *model))
{
    Fixture *f = g_new0(Fixture, 1);
    f->harness = cpu_harness_new_with(cpu_harness_choose(), shape);
    f->ram = cpu_harness_ram(f->harness);
    cpu_harness_load(f->harness, PARAVIRT_TEST_IMAGE);
    cpu_harness_init_state(f->harness, &f->state, CPU_HARNESS_LONG, 0);
    if (cpu_harness_is_kvm(f->harness))
        clock_start(clock_of(f));
    const Vcpu *vcpu = cpu_harness_vcpu(f->harness);
    if (vcpu->ops->resume)
        vcpu->ops->resume(vcpu->backend);
    *test = f;
    return 0;
}

static int setup(void **test)
{
    return setup_with(test, NULL);
}

static int setup_hyperv(void **test)
{
    return setup_with(test, cpu_model_offer_hyperv);
}

static int teardown(void **test)
{
    Fixture *f = *test;
    cpu_harness_free(f->harness);
    g_free(f);
    return 0;
}

static const CpuModel *model_of(Fixture *f)
{
    return &cpu_harness_vcpu(f->harness)->board->model;
}

/* The guest goes on with these registers; what a fault left is forgotten. */
static int run(Fixture *f, const char *snippet, uint64_t rax, uint64_t rcx, uint64_t rdx,
               uint64_t rsi)
{
    f->state.rip = cpu_harness_snippet(f->harness, snippet);
    f->state.gpr[RAX] = rax;
    f->state.gpr[RCX] = rcx;
    f->state.gpr[RDX] = rdx;
    f->state.gpr[RSI] = rsi;
    f->state.gpr[RSP] = CPU_HARNESS_STACK0 - 0x100;
    assert_int_equal(cpu_harness_run(f->harness, &f->state), CPU_EXIT_HALTED);
    return cpu_harness_vector(&f->state);
}

static int write_msr(Fixture *f, uint32_t msr, uint64_t value)
{
    return run(f, "write_msr", (uint32_t)value, msr, value >> 32, 0);
}

static uint64_t read_msr(Fixture *f, uint32_t msr)
{
    assert_int_equal(run(f, "read_msr", 0, msr, 0, 0), -1);
    return (uint32_t)f->state.gpr[RAX] | f->state.gpr[RDX] << 32;
}

static uint64_t tell_time(Fixture *f)
{
    assert_int_equal(run(f, "tell_time", 0, 0, 0, INFO), -1);
    return f->state.gpr[RAX];
}

static uint32_t word(Fixture *f, uint64_t gpa)
{
    uint32_t value;
    memcpy(&value, f->ram + gpa, sizeof value);
    return value;
}

/* Leaves of the hypervisor's range are read in 32-bit mode: some KVMs do not see CPUID in the
 * other. */
static void cpuid(Fixture *f, uint32_t leaf, uint32_t out[4])
{
    CpuState state;
    cpu_harness_init_state(f->harness, &state, CPU_HARNESS_PROTECTED,
                           cpu_harness_snippet(f->harness, "cpuid_32"));
    state.gpr[RAX] = leaf;
    assert_int_equal(cpu_harness_run(f->harness, &state), CPU_EXIT_HALTED);
    const unsigned order[4] = { RAX, RBX, RCX, RDX };
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint32_t)state.gpr[order[i]];
}

/* kvmclock */

static void kvm_is_found_by_its_signature(void **test)
{
    Fixture *f = *test;
    uint32_t out[4];

    cpuid(f, 0x40000000, out);
    assert_memory_equal(&out[1], "KVMKVMKVM\0\0", 12);
    assert_int_equal(out[0], 0x40000001);
    cpuid(f, 0x40000001, out);
    assert_int_equal(out[0], 1u << 0 | 1u << 1 | 1u << 3 | 1u << 24);
}

static void system_time_is_the_machines_clock(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, INFO | ENABLED), -1);
    uint64_t before = clock_now_ns(clock_of(f)), told = tell_time(f),
             after = clock_now_ns(clock_of(f));
    /* A deterministic clock is set when it must be; what ran since is in the TSC. */
    assert_in_range(told, before - MIN(before, NS_OF_A_MS), after + NS_OF_A_MS);
    assert_true(tell_time(f) >= told);
    assert_int_equal(f->ram[INFO + 29] & 1, 1); /* TSC_STABLE */
    assert_int_equal(read_msr(f, MSR_SYSTEM_TIME), INFO | ENABLED);
}

static void both_numbers_are_one_register(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, 0x12, INFO | ENABLED), -1);
    assert_int_equal(read_msr(f, MSR_SYSTEM_TIME), INFO | ENABLED);
    assert_true(tell_time(f) <= clock_now_ns(clock_of(f)) + NS_OF_A_MS);
}

static void wall_clock_is_the_time_of_power_on(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, MSR_WALL_CLOCK, WALL), -1);
    assert_int_equal(word(f, WALL + 4), CPU_HARNESS_POWER_ON);
    assert_int_equal(word(f, WALL + 8), 0);
    uint32_t version = word(f, WALL);
    assert_true(version != 0 && version % 2 == 0);
    assert_int_equal(write_msr(f, MSR_WALL_CLOCK, WALL), -1);
    assert_int_equal(word(f, WALL), version + 2);
}

/* Where TSCs cannot be set, nothing happens. */
static void setting_the_tsc_leaves_the_time(void **test)
{
    Fixture *f = *test;
    uint64_t hour = 3600 * model_of(f)->tsc_hz;

    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, INFO | ENABLED), -1);
    uint64_t first = tell_time(f);
    uint32_t version = word(f, INFO);
    assert_int_equal(write_msr(f, MSR_TSC, f->state.gpr[RBX] + hour), -1);
    bool was_set = word(f, INFO) != version;
    uint64_t second = tell_time(f);
    if (!cpu_harness_known_difference(f->harness, __func__, "its TSC cannot be set"))
        assert_true(was_set && word(f, INFO) % 2 == 0);
    assert_in_range(second, first, first + 1000 * NS_OF_A_MS);
    assert_int_equal(write_msr(f, MSR_TSC_ADJUST, 0), -1);
    assert_in_range(tell_time(f), second, second + 1000 * NS_OF_A_MS);
}

static void nothing_is_written_once_it_is_switched_off(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, INFO | ENABLED), -1);
    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, 0), -1);
    memset(f->ram + INFO, 0x5A, 32);
    assert_int_equal(write_msr(f, MSR_TSC, 12345), -1);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(f->ram[INFO + i], 0x5A);
}

static void wild_addresses_do_no_harm(void **test)
{
    Fixture *f = *test;
    static const uint64_t wild[] = {
        INFO + 2,     /* askew */
        INFO + 0xFF0, /* across a page */
        CPU_HARNESS_RAM_SIZE - 16,
        CPU_HARNESS_RAM_SIZE,
        0xFEE00000,
        UINT64_C(1) << 52,
        UINT64_MAX - 31,
        UINT64_MAX - 1,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(wild); i++) {
        memset(f->ram + INFO, 0, 0x2000);
        assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, wild[i] | ENABLED), -1);
        assert_int_equal(read_msr(f, MSR_SYSTEM_TIME), wild[i] | ENABLED);
        assert_int_equal(
            write_msr(f, MSR_WALL_CLOCK, wild[i] == INFO + 0xFF0 ? INFO + 0xFFC : wild[i]), -1);
        for (unsigned at = 0; at < 0x2000; at += 4)
            assert_int_equal(word(f, INFO + at), 0);
    }
}

static void a_reset_forgets_and_a_load_brings_back(void **test)
{
    Fixture *f = *test;
    Device *device = (Device *)cpu_harness_vcpu(f->harness)->board->paravirt;
    g_autoptr(GByteArray) blob = g_byte_array_new();
    size_t used = 0;

    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, INFO | ENABLED), -1);
    assert_int_equal(write_msr(f, MSR_WALL_CLOCK, WALL), -1);
    state_save(device, device->ops->state, 0, blob);
    device_reset(device);
    assert_int_equal(read_msr(f, MSR_SYSTEM_TIME), 0);
    assert_int_equal(read_msr(f, MSR_WALL_CLOCK), 0);
    assert_true(state_load(device, device->ops->state, 0, blob->data, blob->len, &used, NULL));
    assert_int_equal(read_msr(f, MSR_SYSTEM_TIME), INFO | ENABLED);
    assert_int_equal(read_msr(f, MSR_WALL_CLOCK), WALL);
}

/* Hypercalls */

static void calls_that_are_not_offered_say_so(void **test)
{
    Fixture *f = *test;
    CpuState state;

    if (cpu_harness_known_difference(f->harness, __func__, "it emulates VMCALL over and over"))
        skip();
    assert_int_equal(run(f, "call_hypervisor", 0x7777, 0, 0, 0), -1);
    assert_int_equal((int64_t)f->state.gpr[RAX], -1000);
    assert_int_equal(run(f, "call_hypervisor_amd", 0x7777, 0, 0, 0), -1);
    assert_int_equal((int64_t)f->state.gpr[RAX], -1000);
    cpu_harness_init_state(f->harness, &state, CPU_HARNESS_PROTECTED,
                           cpu_harness_snippet(f->harness, "call_hypervisor_32"));
    state.gpr[RAX] = 0x7777;
    assert_int_equal(cpu_harness_run(f->harness, &state), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&state), -1);
    assert_int_equal(state.gpr[RAX], (uint32_t)-1000);
}

/* On KVM the kernel does it. */
static void a_call_pairs_the_time_of_day_with_the_tsc(void **test)
{
    Fixture *f = *test;
    uint64_t seconds, nanoseconds, tsc;

    if (cpu_harness_is_kvm(f->harness))
        skip();
    assert_int_equal(run(f, "call_hypervisor", CLOCK_PAIRING, 0, 0, WALL), -1);
    assert_int_equal(f->state.gpr[RAX], 0);
    uint64_t now_ns = clock_now_ns(clock_of(f));
    memcpy(&seconds, f->ram + WALL, 8);
    memcpy(&nanoseconds, f->ram + WALL + 8, 8);
    memcpy(&tsc, f->ram + WALL + 16, 8);
    assert_int_equal(seconds, CPU_HARNESS_POWER_ON);
    assert_in_range(nanoseconds, 0, now_ns);
    assert_in_range(tsc, nanoseconds, now_ns); /* both since power-on */
    assert_int_equal(run(f, "call_hypervisor", CLOCK_PAIRING, 1, 0, WALL), -1);
    assert_int_equal((int64_t)f->state.gpr[RAX], -95);
    assert_int_equal(run(f, "call_hypervisor", CLOCK_PAIRING, 0, 0, CPU_HARNESS_RAM_SIZE - 32), -1);
    assert_int_equal((int64_t)f->state.gpr[RAX], -14);
}

/* Hyper-V */

#define OVERLAY 0x32000u
#define NOTIFY_LONG_SPIN_WAIT 8
#define INVALID_HYPERCALL_CODE 2

static void hyperv_comes_first_and_kvm_second(void **test)
{
    Fixture *f = *test;
    uint32_t out[4];

    cpuid(f, 0x40000000, out);
    assert_memory_equal(&out[1], "Microsoft Hv", 12);
    assert_int_equal(out[0], 0x40000006);
    cpuid(f, 0x40000001, out);
    assert_memory_equal(&out[0], "Hv#1", 4);
    cpuid(f, 0x40000003, out);
    assert_int_equal(out[0], 1u << 1 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 11);
    cpuid(f, 0x40000100, out);
    assert_memory_equal(&out[1], "KVMKVMKVM\0\0", 12);
    assert_int_equal(out[0], 0x40000101);
    cpuid(f, 0x40000101, out);
    assert_int_equal(out[0] >> 3 & 1, 1);
    assert_int_equal(write_msr(f, MSR_SYSTEM_TIME, INFO | ENABLED), -1);
}

static void who_did_not_ask_for_hyperv_has_none(void **test)
{
    Fixture *f = *test;

    assert_int_equal(run(f, "read_msr", 0, MSR_VP_INDEX, 0, 0), VECTOR_GP);
    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, 1), VECTOR_GP);
}

static void rates_and_numbers_are_told(void **test)
{
    Fixture *f = *test;

    assert_int_equal(read_msr(f, MSR_VP_INDEX), 0);
    assert_int_equal(read_msr(f, MSR_TSC_FREQUENCY), model_of(f)->tsc_hz);
    assert_int_equal(read_msr(f, MSR_APIC_FREQUENCY), 1000000000);
    assert_int_equal(write_msr(f, MSR_VP_INDEX, 0), VECTOR_GP);
    assert_int_equal(run(f, "read_msr", 0, 0x40000004, 0, 0), VECTOR_GP);
}

static void reference_count_is_the_machines_clock(void **test)
{
    Fixture *f = *test;
    uint64_t before = clock_now_ns(clock_of(f)) / 100, told = read_msr(f, MSR_TIME_REF_COUNT),
             after = clock_now_ns(clock_of(f)) / 100;

    assert_in_range(told + NS_OF_A_MS / 100, before, after + 2 * NS_OF_A_MS / 100);
}

static void the_reference_page_tells_what_the_counter_does(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, MSR_REFERENCE_TSC, OVERLAY | ENABLED), -1);
    assert_int_not_equal(word(f, OVERLAY), 0);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = read_msr(f, MSR_TIME_REF_COUNT);
        assert_int_equal(run(f, "reference_time", 0, 0, 0, OVERLAY), -1);
        uint64_t told = f->state.gpr[RAX];
        assert_in_range(told, before, read_msr(f, MSR_TIME_REF_COUNT));
        /* And so it does when the TSC counts from elsewhere. */
        uint64_t value = i ? 0 : (uint64_t) - (int64_t)(7 * model_of(f)->tsc_hz);
        assert_int_equal(write_msr(f, MSR_TSC_ADJUST, value), -1);
    }
}

static void the_page_answers_calls_in_both_modes(void **test)
{
    Fixture *f = *test;
    CpuState state;

    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, UINT64_C(0x1040A00000000)), -1);
    assert_int_equal(write_msr(f, MSR_HYPERCALL, OVERLAY | ENABLED), -1);
    assert_int_equal(read_msr(f, MSR_HYPERCALL), OVERLAY | ENABLED);
    assert_int_equal(run(f, "call_page", 0x7777, NOTIFY_LONG_SPIN_WAIT, 0x55, OVERLAY), -1);
    assert_int_equal(f->state.gpr[RAX], 0);
    assert_int_equal(f->state.gpr[RDX], 0x55);
    assert_int_equal(run(f, "call_page", 0x7777, 0x1005C, 0, OVERLAY), -1);
    assert_int_equal(f->state.gpr[RAX], INVALID_HYPERCALL_CODE);
    for (unsigned call = 8; call < 10; call++) {
        cpu_harness_init_state(f->harness, &state, CPU_HARNESS_PROTECTED,
                               cpu_harness_snippet(f->harness, "call_page_32"));
        state.gpr[RAX] = call;
        state.gpr[RDX] = 0x55;
        state.gpr[RSI] = OVERLAY;
        assert_int_equal(cpu_harness_run(f->harness, &state), CPU_EXIT_HALTED);
        assert_int_equal(cpu_harness_vector(&state), -1);
        assert_int_equal(state.gpr[RAX], call == 8 ? 0 : INVALID_HYPERCALL_CODE);
        assert_int_equal(state.gpr[RDX], 0);
    }
}

static void assert_filled(Fixture *f, uint64_t gpa, uint8_t byte)
{
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(f->ram[gpa + i], byte);
}

static void what_is_beneath_a_page_comes_back(void **test)
{
    Fixture *f = *test;
    static const uint32_t pages[] = { MSR_HYPERCALL, MSR_REFERENCE_TSC };

    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, 1), -1);
    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        memset(f->ram + OVERLAY, 0x5A, 0x2000);
        assert_int_equal(write_msr(f, pages[i], OVERLAY | ENABLED), -1);
        assert_int_not_equal(f->ram[OVERLAY], 0x5A);
        assert_int_equal(f->ram[OVERLAY + 4095], 0);
        assert_int_equal(write_msr(f, pages[i], (OVERLAY + 0x1000) | ENABLED), -1);
        assert_filled(f, OVERLAY, 0x5A);
        assert_int_not_equal(f->ram[OVERLAY + 0x1000], 0x5A);
        assert_int_equal(write_msr(f, pages[i], 0), -1);
        assert_filled(f, OVERLAY + 0x1000, 0x5A);
    }
    assert_int_equal(write_msr(f, MSR_HYPERCALL, OVERLAY | ENABLED), -1);
    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, 0), -1);
    assert_filled(f, OVERLAY, 0x5A);
    assert_int_equal(read_msr(f, MSR_HYPERCALL) & ENABLED, 0);
}

static void a_guest_without_a_name_gets_no_page(void **test)
{
    Fixture *f = *test;

    memset(f->ram + OVERLAY, 0x5A, 0x1000);
    assert_int_equal(write_msr(f, MSR_HYPERCALL, OVERLAY | ENABLED), -1);
    assert_int_equal(read_msr(f, MSR_HYPERCALL), OVERLAY);
    assert_filled(f, OVERLAY, 0x5A);
}

static void a_locked_page_stays(void **test)
{
    Fixture *f = *test;

    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, 1), -1);
    assert_int_equal(write_msr(f, MSR_HYPERCALL, OVERLAY | 3), -1);
    assert_int_equal(write_msr(f, MSR_HYPERCALL, 0), -1);
    assert_int_equal(read_msr(f, MSR_HYPERCALL), OVERLAY | 3);
}

static void pages_where_no_memory_is_are_refused(void **test)
{
    Fixture *f = *test;
    static const uint64_t wild[] = { CPU_HARNESS_RAM_SIZE, 0xFEE00000, UINT64_C(1) << 52,
                                     ~UINT64_C(0xFFF) };

    assert_int_equal(write_msr(f, MSR_GUEST_OS_ID, 1), -1);
    for (unsigned i = 0; i < G_N_ELEMENTS(wild); i++) {
        assert_int_equal(write_msr(f, MSR_HYPERCALL, wild[i] | ENABLED), VECTOR_GP);
        assert_int_equal(write_msr(f, MSR_REFERENCE_TSC, wild[i] | ENABLED), VECTOR_GP);
        assert_int_equal(read_msr(f, MSR_REFERENCE_TSC) & ENABLED, 0);
    }
}

/* A host whose KVM keeps those registers: the guest is not told of them, and counts on nothing. */
static void a_kvm_that_keeps_the_registers_offers_none(void **test)
{
    Fixture *f = *test;
    uint32_t out[4];

    assert_true(cpu_harness_is_kvm(f->harness));
    assert_int_equal(model_of(f)->features[CPU_FEATURES_KVM], 0);
    cpuid(f, 0x40000000, out);
    assert_memory_equal(&out[1], "VitrineVitri", 12);
    assert_int_equal(out[0], 0x40000000);
}

/* paravirt-test [withheld] */
int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(kvm_is_found_by_its_signature),
        TEST(system_time_is_the_machines_clock),
        TEST(both_numbers_are_one_register),
        TEST(wall_clock_is_the_time_of_power_on),
        TEST(setting_the_tsc_leaves_the_time),
        TEST(nothing_is_written_once_it_is_switched_off),
        TEST(wild_addresses_do_no_harm),
        TEST(a_reset_forgets_and_a_load_brings_back),
        TEST(a_call_pairs_the_time_of_day_with_the_tsc),
        TEST(calls_that_are_not_offered_say_so),
    };
#define HYPERV(name) cmocka_unit_test_setup_teardown(name, setup_hyperv, teardown)
    const struct CMUnitTest hyperv[] = {
        HYPERV(hyperv_comes_first_and_kvm_second),
        TEST(who_did_not_ask_for_hyperv_has_none),
        HYPERV(rates_and_numbers_are_told),
        HYPERV(reference_count_is_the_machines_clock),
        HYPERV(the_reference_page_tells_what_the_counter_does),
        HYPERV(the_page_answers_calls_in_both_modes),
        HYPERV(what_is_beneath_a_page_comes_back),
        HYPERV(a_guest_without_a_name_gets_no_page),
        HYPERV(a_locked_page_stays),
        HYPERV(pages_where_no_memory_is_are_refused),
    };
    const struct CMUnitTest withheld[] = {
        TEST(a_kvm_that_keeps_the_registers_offers_none),
    };
    if (argc > 1)
        return cmocka_run_group_tests(withheld, NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(hyperv, NULL, NULL);
}
