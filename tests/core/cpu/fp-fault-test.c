/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu-harness.h"
#include <string.h>

/* What floating point and SIMD instructions do when they may not run, or not to the end; and the
 * layouts that the processor's user mode does not show. */

#define CODE CPU_HARNESS_FREE
#define DATA (CPU_HARNESS_FREE + 0x10000)
enum { UD = 6, NM = 7, GP = 13, MF = 16, XM = 19 };
#define CR0_TS 8u
#define CR0_EM 4u
#define CR0_MP 2u
#define CR0_NE 0x20u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_OSXSAVE 0x40000u

static CpuHarness *harness;
static CpuState state;

static int setup(void **unused)
{
    harness = cpu_harness_new(cpu_harness_choose());
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    state.gpr[3] = DATA; /* RBX */
    return 0;
}

static int teardown(void **unused)
{
    cpu_harness_free(harness);
    return 0;
}

/* Runs @code to its end; the vector of the exception that ended it, or -1. */
static int run(const char *code, size_t length)
{
    uint8_t bytes[64];
    memcpy(bytes, code, length);
    memcpy(bytes + length, CPU_HARNESS_END, CPU_HARNESS_END_LENGTH);
    cpu_harness_put(harness, CODE, bytes, length + CPU_HARNESS_END_LENGTH);
    assert_int_equal(cpu_harness_run(harness, &state), CPU_EXIT_HALTED);
    return cpu_harness_vector(&state);
}
#define RUN(code) run(code, sizeof(code) - 1)

static uint8_t *data(void)
{
    return cpu_harness_ram(harness) + DATA;
}
static uint8_t *xmm(unsigned n)
{
    return state.xsave + 160 + 16 * n;
}
static void set_mxcsr(uint32_t value)
{
    memcpy(state.xsave + 24, &value, 4);
}
static uint32_t mxcsr(void)
{
    uint32_t value;
    memcpy(&value, state.xsave + 24, 4);
    return value;
}
static void set_doubles(void *p, double low, double high)
{
    const double both[2] = { low, high };
    memcpy(p, both, 16);
}
static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void misaligned_operand_is_a_general_protection_fault(void **unused)
{
    state.gpr[3] = DATA + 8;
    assert_int_equal(RUN("\x0F\x58\x03"), GP); /* addps xmm0, [rbx] */
}

static void misaligned_aligned_store_is_a_general_protection_fault(void **unused)
{
    memset(data(), 0x5A, 32);
    state.gpr[3] = DATA + 1;
    assert_int_equal(RUN("\x0F\x29\x03"), GP); /* movaps [rbx], xmm0 */
    assert_int_equal(data()[1], 0x5A);
}

static void unaligned_move_crosses_pages(void **unused)
{
    for (unsigned i = 0; i < 32; i++)
        data()[0x1000 - 16 + i] = i;
    state.gpr[3] = DATA + 0x1000 - 5;
    /* movdqu xmm1, [rbx]; movups [rbx + 0x1000], xmm1 */
    assert_int_equal(RUN("\xF3\x0F\x6F\x0B\x0F\x11\x8B\x00\x10\x00\x00"), -1);
    assert_memory_equal(xmm(1), data() + 0x1000 - 5, 16);
    assert_memory_equal(data() + 0x2000 - 5, data() + 0x1000 - 5, 16);
}

static void x87_operand_crosses_pages(void **unused)
{
    static const uint8_t pi[10] = { 0x35, 0xC2, 0x68, 0x21, 0xA2, 0xDA, 0x0F, 0xC9, 0x00, 0x40 };
    state.gpr[3] = DATA + 0x1000 - 3;
    assert_int_equal(RUN("\xD9\xEB\xDB\x3B\xDB\x2B"), -1); /* fldpi; fstp m80; fld m80 */
    assert_memory_equal(data() + 0x1000 - 3, pi, 10);
    assert_memory_equal(state.xsave + 32, pi, 10);
}

static void unmasked_divide_by_zero_raises_and_keeps_the_destination(void **unused)
{
    set_doubles(xmm(0), 1.0, 2.0);
    set_doubles(xmm(1), 0.0, 4.0);
    set_mxcsr(0x1F80 & ~0x200);
    uint8_t before[16];
    memcpy(before, xmm(0), 16);
    assert_int_equal(RUN("\x66\x0F\x5E\xC1"), XM); /* divpd xmm0, xmm1 */
    assert_memory_equal(xmm(0), before, 16);
    assert_int_equal(mxcsr(), (0x1F80 & ~0x200) | 4);
}

static void masked_result_is_stored_while_another_exception_is_unmasked(void **unused)
{
    set_doubles(xmm(0), 1.0, 2.0);
    set_doubles(xmm(1), 3.0, 4.0);
    set_mxcsr(0x1F80 & ~0x80);
    assert_int_equal(RUN("\x66\x0F\x5E\xC1"), -1); /* divpd xmm0, xmm1 */
    double result[2];
    memcpy(result, xmm(0), 16);
    assert_true(result[0] == 1.0 / 3.0 && result[1] == 0.5);
    assert_int_equal(mxcsr(), (0x1F80 & ~0x80) | 0x20);
}

static void unmasked_invalid_hides_flags_of_the_computation(void **unused)
{
    set_doubles(xmm(0), 0.0, 1.0); /* 0 / 0: invalid; 1 / 3 would be inexact */
    set_doubles(xmm(1), 0.0, 3.0);
    set_mxcsr(0x1F80 & ~0x80);
    assert_int_equal(RUN("\x66\x0F\x5E\xC1"), XM);
    assert_int_equal(mxcsr(), (0x1F80 & ~0x80) | 1);
}

static void unmasked_underflow_is_raised_by_an_exact_tiny_result(void **unused)
{
    set_doubles(xmm(0), 0x1p-1022, 0);
    set_doubles(xmm(1), 0.5, 0);
    set_mxcsr(0x1F80 & ~0x800);
    assert_int_equal(RUN("\xF2\x0F\x59\xC1"), XM); /* mulsd xmm0, xmm1 */
    assert_int_equal(mxcsr(), (0x1F80 & ~0x800) | 0x10);
}

static void unmasked_exception_is_undefined_opcode_without_osxmmexcpt(void **unused)
{
    set_doubles(xmm(0), 1.0, 0);
    set_mxcsr(0x1F80 & ~0x200);
    state.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    assert_int_equal(RUN("\xF2\x0F\x5E\xC1"), UD); /* divsd xmm0, xmm1 */
}

static void sticky_flags_survive_stmxcsr_and_ldmxcsr(void **unused)
{
    set_doubles(xmm(0), 1.0, 0);
    set_doubles(xmm(1), 3.0, 0);
    /* divsd xmm0, xmm1; stmxcsr [rbx]; ldmxcsr [rbx + 4]; stmxcsr [rbx + 8] */
    const uint32_t down = 0x3F80;
    memcpy(data() + 4, &down, 4);
    assert_int_equal(RUN("\xF2\x0F\x5E\xC1\x0F\xAE\x1B\x0F\xAE\x53\x04\x0F\xAE\x5B\x08"), -1);
    assert_int_equal(get16(data()), 0x1FA0);
    assert_int_equal(get16(data() + 8), 0x3F80);
}

static void reserved_mxcsr_bit_is_a_general_protection_fault(void **unused)
{
    data()[2] = 1;
    assert_int_equal(RUN("\x0F\xAE\x13"), GP); /* ldmxcsr [rbx] */
}

static void x87_error_is_raised_by_the_next_waiting_instruction(void **unused)
{
    state.cr0 |= CR0_NE;
    memcpy(data(), "\x7B\x03", 2); /* ZM clear */
    /* fldcw [rbx]; fld1; fldz; fdivp; fnstsw [rbx + 2]; fwait */
    assert_int_equal(RUN("\xD9\x2B\xD9\xE8\xD9\xEE\xDE\xF9\xDD\x7B\x02\x9B"), MF);
    assert_int_equal(get16(data() + 2) & 0x8084, 0x8084);
}

/* IRQ 13 is the board's; an interrupt that nobody takes must not stop the guest for ever. */
static void x87_error_without_numeric_error_bit_does_not_fault(void **unused)
{
    for (unsigned interrupts = 0; interrupts < 2; interrupts++) {
        cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
        state.gpr[3] = DATA;
        state.cr0 &= ~(uint64_t)CR0_NE;
        state.rflags |= interrupts << 9;
        memcpy(data(), "\x7B\x03", 2);
        assert_int_equal(RUN("\xD9\x2B\xD9\xE8\xD9\xEE\xDE\xF9\x9B\xD9\xE8"), -1);
        assert_int_equal(get16(state.xsave + 2) & 0x84, 0x84);
    }
}

static void fnclex_takes_a_pending_error_away(void **unused)
{
    state.cr0 |= CR0_NE;
    memcpy(data(), "\x7B\x03", 2);
    assert_int_equal(RUN("\xD9\x2B\xD9\xE8\xD9\xEE\xDE\xF9\xDB\xE2\x9B\xD9\xE8"), -1);
}

static void task_switched_makes_x87_mmx_and_sse_unavailable(void **unused)
{
    static const char *const code[] = { "\xD9\xE8", "\x0F\xEF\xC0", "\x0F\x57\xC0" };
    for (unsigned i = 0; i < G_N_ELEMENTS(code); i++) { /* fld1; pxor mm0, mm0; xorps */
        cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
        state.cr0 |= CR0_TS;
        assert_int_equal(run(code[i], i ? 3 : 2), NM);
    }
}

static void emulation_bit_makes_sse_undefined_and_x87_unavailable(void **unused)
{
    state.cr0 |= CR0_EM;
    assert_int_equal(RUN("\x0F\x57\xC0"), UD);
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    state.cr0 |= CR0_EM;
    assert_int_equal(RUN("\xD9\xE8"), NM);
}

static void sse_without_osfxsr_is_undefined_but_mmx_is_not(void **unused)
{
    state.cr4 &= ~(uint64_t)CR4_OSFXSR;
    assert_int_equal(RUN("\x0F\x57\xC0"), UD);
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    state.cr4 &= ~(uint64_t)CR4_OSFXSR;
    assert_int_equal(RUN("\x0F\xEF\xC0"), -1);
}

static void wait_minds_task_switched_only_with_monitor(void **unused)
{
    state.cr0 = (state.cr0 | CR0_TS) & ~(uint64_t)CR0_MP;
    assert_int_equal(RUN("\x9B"), -1);
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    state.cr0 |= CR0_TS | CR0_MP;
    assert_int_equal(RUN("\x9B"), NM);
}

static void vex_and_3dnow_are_undefined(void **unused)
{
    assert_int_equal(RUN("\xC5\xF8\x57\xC0"), UD); /* vxorps */
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    assert_int_equal(RUN("\x0F\x0F\xC1\x9E"), UD); /* pfadd */
}

/* XSAVE -------------------------------------------------------------------------------------- */

static void xrstor_takes_initial_values_for_components_not_saved(void **unused)
{
    state.cr4 |= CR4_OSXSAVE;
    state.xcr0 = 3;
    state.gpr[0] = 3; /* EDX:EAX */
    state.gpr[2] = 0;
    set_doubles(xmm(3), 1.0, 2.0);
    /* fld1; xsave [rbx]; and byte [rbx + 512], ~2; xrstor [rbx] */
    assert_int_equal(RUN("\xD9\xE8\x0F\xAE\x23\x80\xA3\x00\x02\x00\x00\xFD\x0F\xAE\x2B"), -1);
    assert_int_equal(data()[160 + 48 + 7], 0x3F); /* was saved */
    assert_int_equal(xmm(3)[7], 0);
    assert_int_equal(state.xsave[4], 0x80); /* st(0) is register 7 */
}

static void xrstor_refuses_components_outside_xcr0(void **unused)
{
    state.cr4 |= CR4_OSXSAVE;
    state.xcr0 = 3;
    state.gpr[0] = 3;
    state.gpr[2] = 0;
    data()[512] = 4;
    assert_int_equal(RUN("\x0F\xAE\x2B"), GP);
}

static void xsave_without_osxsave_is_undefined(void **unused)
{
    state.cr4 &= ~(uint64_t)CR4_OSXSAVE;
    assert_int_equal(RUN("\x0F\xAE\x23"), UD);
}

static void xsetbv_needs_the_x87_bit(void **unused)
{
    state.cr4 |= CR4_OSXSAVE;
    state.gpr[0] = 2;
    state.gpr[1] = state.gpr[2] = 0;
    assert_int_equal(RUN("\x0F\x01\xD1"), GP);
    cpu_harness_init_state(harness, &state, CPU_HARNESS_LONG, CODE);
    state.cr4 |= CR4_OSXSAVE;
    state.gpr[0] = 3;
    state.gpr[1] = state.gpr[2] = 0;
    assert_int_equal(RUN("\x0F\x01\xD1\x31\xC0\x0F\x01\xD0"), -1); /* xsetbv; xgetbv */
    assert_int_equal(state.gpr[0], 3);
}

/* Layouts ------------------------------------------------------------------------------------ */

static void environment_in_real_mode_holds_linear_addresses(void **unused)
{
    cpu_harness_init_state(harness, &state, CPU_HARNESS_REAL, 0x3000);
    cpu_harness_put(harness, 0x3000, "\xD9\xE8\xD9\x36\x00\x40" CPU_HARNESS_END,
                    10); /* fld1; fnstenv */
    assert_int_equal(cpu_harness_run(harness, &state), CPU_EXIT_HALTED);
    const uint8_t *area = cpu_harness_ram(harness) + 0x4000;
    assert_int_equal(get16(area), 0x037F);
    assert_int_equal(get16(area + 2), 0x3800); /* TOP 7 */
    assert_int_equal(get16(area + 4), 0x3FFF); /* register 7 valid, the others empty */
    assert_int_equal(get16(area + 6), 0x3000);
}

static void fxsave_in_32_bit_code_leaves_the_upper_registers_alone(void **unused)
{
    cpu_harness_init_state(harness, &state, CPU_HARNESS_PROTECTED, CODE);
    state.gpr[3] = DATA;
    memset(xmm(7), 0x77, 16);
    memset(xmm(8), 0x88, 16);
    memset(data(), 0x5A, 512);
    assert_int_equal(RUN("\x0F\xAE\x03\x0F\xAE\x0B"), -1); /* fxsave; fxrstor */
    assert_int_equal(data()[160 + 16 * 7], 0x77);
    assert_int_equal(data()[160 + 16 * 8], 0x5A);
    assert_int_equal(xmm(8)[0], 0x88);
}

static void masked_store_writes_the_chosen_bytes_only(void **unused)
{
    memset(data(), 0x5A, 16);
    memset(xmm(0), 0x11, 16);
    memset(xmm(1), 0, 16);
    xmm(1)[3] = 0x80;
    state.gpr[7] = DATA;                           /* RDI */
    assert_int_equal(RUN("\x66\x0F\xF7\xC1"), -1); /* maskmovdqu xmm0, xmm1 */
    assert_int_equal(data()[2], 0x5A);
    assert_int_equal(data()[3], 0x11);
    assert_int_equal(data()[4], 0x5A);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(misaligned_operand_is_a_general_protection_fault),
        TEST(misaligned_aligned_store_is_a_general_protection_fault),
        TEST(unaligned_move_crosses_pages),
        TEST(x87_operand_crosses_pages),
        TEST(unmasked_divide_by_zero_raises_and_keeps_the_destination),
        TEST(masked_result_is_stored_while_another_exception_is_unmasked),
        TEST(unmasked_invalid_hides_flags_of_the_computation),
        TEST(unmasked_underflow_is_raised_by_an_exact_tiny_result),
        TEST(unmasked_exception_is_undefined_opcode_without_osxmmexcpt),
        TEST(sticky_flags_survive_stmxcsr_and_ldmxcsr),
        TEST(reserved_mxcsr_bit_is_a_general_protection_fault),
        TEST(x87_error_is_raised_by_the_next_waiting_instruction),
        TEST(x87_error_without_numeric_error_bit_does_not_fault),
        TEST(fnclex_takes_a_pending_error_away),
        TEST(task_switched_makes_x87_mmx_and_sse_unavailable),
        TEST(emulation_bit_makes_sse_undefined_and_x87_unavailable),
        TEST(sse_without_osfxsr_is_undefined_but_mmx_is_not),
        TEST(wait_minds_task_switched_only_with_monitor),
        TEST(vex_and_3dnow_are_undefined),
        TEST(xrstor_takes_initial_values_for_components_not_saved),
        TEST(xrstor_refuses_components_outside_xcr0),
        TEST(xsave_without_osxsave_is_undefined),
        TEST(xsetbv_needs_the_x87_bit),
        TEST(environment_in_real_mode_holds_linear_addresses),
        TEST(fxsave_in_32_bit_code_leaves_the_upper_registers_alone),
        TEST(masked_store_writes_the_chosen_bytes_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
