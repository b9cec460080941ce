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
enum { VECTOR_UD = 6, VECTOR_GP = 13 };

#define INFO 0x30000u /* a vCPU's time information */
#define WALL 0x31000u /* the time of day of power-on */
#define ENABLED 1u
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

static int setup(void **test)
{
    Fixture *f = g_new0(Fixture, 1);
    f->harness = cpu_harness_new(cpu_harness_choose());
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
        TEST(kvm_is_found_by_its_signature),     TEST(system_time_is_the_machines_clock),
        TEST(both_numbers_are_one_register),     TEST(wall_clock_is_the_time_of_power_on),
        TEST(setting_the_tsc_leaves_the_time),   TEST(nothing_is_written_once_it_is_switched_off),
        TEST(wild_addresses_do_no_harm),         TEST(a_reset_forgets_and_a_load_brings_back),
        TEST(calls_that_are_not_offered_say_so),
    };
    const struct CMUnitTest withheld[] = {
        TEST(a_kvm_that_keeps_the_registers_offers_none),
    };
    if (argc > 1)
        return cmocka_run_group_tests(withheld, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
