/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "cpu-harness.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Decoding is seen through what runs: each test puts bytes in front of the CPU. */

static int setup(void **state)
{
    *state = cpu_harness_new(cpu_harness_choose());
    return 0;
}
static int teardown(void **state)
{
    cpu_harness_free(*state);
    return 0;
}

#define CODE 0x20000
#define PAGE_END 0x21000

static CpuExit run_at(CpuHarness *h, CpuState *s, CpuHarnessMode mode, uint64_t at,
                      const char *bytes, size_t length)
{
    cpu_harness_put(h, at, bytes, length);
    cpu_harness_init_state(h, s, mode, at);
    return cpu_harness_run(h, s);
}
#define RUN(h, s, mode, bytes)                                                                     \
    run_at(h, s, mode, CODE, bytes CPU_HARNESS_END, sizeof(bytes CPU_HARNESS_END) - 1)

static void inc_in_32_bit_mode_is_rex_in_64_bit_mode(void **state)
{
    CpuState s;
    RUN(*state, &s, CPU_HARNESS_PROTECTED, "\x31\xC0\x40\x40");
    assert_int_equal(s.gpr[0], 2);
    RUN(*state, &s, CPU_HARNESS_LONG, "\x31\xC0\x48\xFF\xC8"); /* dec rax */
    assert_int_equal(s.gpr[0], UINT64_MAX);
}

static void rex_before_another_prefix_is_ignored(void **state)
{
    CpuState s;
    /* REX.W 66 MOV AX, imm16: not a 64-bit move */
    RUN(*state, &s, CPU_HARNESS_LONG, "\x31\xC0\x48\x66\xB8\x34\x12");
    assert_int_equal(s.gpr[0], 0x1234);
}

static void high_byte_registers_need_no_rex(void **state)
{
    CpuState s;
    RUN(*state, &s, CPU_HARNESS_LONG, "\x31\xC0\x31\xF6\xB4\x7F\x40\xB6\x11"); /* AH, SIL */
    assert_int_equal(s.gpr[0], 0x7F00);
    assert_int_equal(s.gpr[6], 0x11);
}

static void operand_size_follows_mode_and_prefix(void **state)
{
    CpuState s;
    RUN(*state, &s, CPU_HARNESS_PROTECTED, "\xB8\x78\x56\x34\x12\x66\xB8\x00\x00");
    assert_int_equal(s.gpr[0], 0x12340000);
    run_at(*state, &s, CPU_HARNESS_REAL, CPU_HARNESS_REAL_CODE,
           "\x66\xB8\x78\x56\x34\x12\xB8\x00\x00" CPU_HARNESS_END, 13);
    assert_int_equal(s.gpr[0], 0x12340000);
}

static void rip_relative_counts_from_the_end_with_immediate(void **state)
{
    CpuState s;
    uint8_t *ram = cpu_harness_ram(*state);
    ram[0x20100] = 0;
    /* mov dword [rip + 0xF6], imm32 : 10 bytes, so 0x2000A + 0xF6 */
    RUN(*state, &s, CPU_HARNESS_LONG, "\xC7\x05\xF6\x00\x00\x00\x44\x33\x22\x11");
    assert_memory_equal(ram + 0x20100, "\x44\x33\x22\x11", 4);
}

static void addresses_of_16_bits_wrap(void **state)
{
    CpuState s;
    uint8_t *ram = cpu_harness_ram(*state);
    ram[0x0010] = 0x5A;
    /* mov bx, 0xFFF0; mov si, 0x20; mov al, [bx + si] */
    run_at(*state, &s, CPU_HARNESS_REAL, CPU_HARNESS_REAL_CODE,
           "\xBB\xF0\xFF\xBE\x20\x00\x8A\x00" CPU_HARNESS_END, 12);
    assert_int_equal(s.gpr[0] & 0xFF, 0x5A);
}

static void bp_addresses_the_stack_segment(void **state)
{
    CpuState s;
    uint8_t *ram = cpu_harness_ram(*state);
    ram[0x30010] = 0x77;
    ram[0x00010] = 0x11;
    cpu_harness_put(*state, CPU_HARNESS_REAL_CODE, "\x8A\x46\x00\x3E\x8A\x66\x00" CPU_HARNESS_END,
                    11);
    cpu_harness_init_state(*state, &s, CPU_HARNESS_REAL, CPU_HARNESS_REAL_CODE);
    s.segment[CPU_SS].base = 0x30000;
    s.segment[CPU_SS].selector = 0x3000;
    s.gpr[5] = 0x10;
    cpu_harness_run(*state, &s);
    assert_int_equal(s.gpr[0] & 0xFFFF, 0x1177);
}

static void lock_on_a_register_is_undefined(void **state)
{
    CpuState s;
    RUN(*state, &s, CPU_HARNESS_LONG, "\xF0\x01\xC0");
    assert_int_equal(cpu_harness_vector(&s), 6);
    RUN(*state, &s, CPU_HARNESS_LONG, "\xF0\x8B\x04\x24"); /* lock mov */
    assert_int_equal(cpu_harness_vector(&s), 6);
    RUN(*state, &s, CPU_HARNESS_LONG, "\xF0\x01\x04\x24"); /* lock add [rsp], eax */
    assert_int_equal(cpu_harness_vector(&s), -1);
}

static void opcodes_removed_from_64_bit_mode_are_undefined(void **state)
{
    static const uint8_t opcodes[] = { 0x06, 0x27, 0x37, 0x60, 0x62, 0x82, 0x9A,
                                       0xC4, 0xC5, 0xCE, 0xD4, 0xD6, 0xEA };
    for (size_t i = 0; i < G_N_ELEMENTS(opcodes); i++) {
        CpuState s;
        char code[8] = { (char)opcodes[i], 0x00 };
        run_at(*state, &s, CPU_HARNESS_LONG, CODE, code, sizeof code);
        assert_int_equal(cpu_harness_vector(&s), 6);
    }
}

static void sixteen_bytes_are_too_long(void **state)
{
    CpuState s;
    RUN(*state, &s, CPU_HARNESS_LONG,
        "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"); /* 15 */
    assert_int_equal(cpu_harness_vector(&s), -1);
    RUN(*state, &s, CPU_HARNESS_LONG,
        "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90");
    assert_int_equal(cpu_harness_vector(&s), 13);
}

static void an_instruction_may_cross_a_page(void **state)
{
    for (unsigned before = 1; before < 10; before++) {
        CpuState s;
        run_at(*state, &s, CPU_HARNESS_LONG, PAGE_END - before,
               "\x48\xB8\x88\x77\x66\x55\x44\x33\x22\x11" CPU_HARNESS_END, 14);
        assert_int_equal(s.gpr[0], 0x1122334455667788);
    }
}

static void a_limit_inside_an_instruction_faults(void **state)
{
    CpuState s;
    cpu_harness_put(*state, CODE, "\x90\xB8\x01\x00\x00\x00" CPU_HARNESS_END, 10);
    cpu_harness_init_state(*state, &s, CPU_HARNESS_PROTECTED, CODE);
    s.segment[CPU_CS].limit = CODE + 3;
    s.segment[CPU_CS].attributes &= (uint16_t)~0x8000; /* in bytes */
    cpu_harness_run(*state, &s);
    assert_int_equal(cpu_harness_vector(&s), 13);
}

static void branches_of_16_bits_wrap(void **state)
{
    CpuState s;
    cpu_harness_put(*state, 0xFFF0, "\xE9\x1D\x78", 3); /* to 0x7810 */
    cpu_harness_put(*state, 0x7810, "\xB0\x21" CPU_HARNESS_END, 6);
    cpu_harness_init_state(*state, &s, CPU_HARNESS_REAL, 0xFFF0);
    cpu_harness_run(*state, &s);
    assert_int_equal(s.gpr[0] & 0xFF, 0x21);
    assert_int_equal(s.rip, 0x7812 + CPU_HARNESS_END_RIP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inc_in_32_bit_mode_is_rex_in_64_bit_mode),
        cmocka_unit_test(rex_before_another_prefix_is_ignored),
        cmocka_unit_test(high_byte_registers_need_no_rex),
        cmocka_unit_test(operand_size_follows_mode_and_prefix),
        cmocka_unit_test(rip_relative_counts_from_the_end_with_immediate),
        cmocka_unit_test(addresses_of_16_bits_wrap),
        cmocka_unit_test(bp_addresses_the_stack_segment),
        cmocka_unit_test(lock_on_a_register_is_undefined),
        cmocka_unit_test(opcodes_removed_from_64_bit_mode_are_undefined),
        cmocka_unit_test(sixteen_bytes_are_too_long),
        cmocka_unit_test(an_instruction_may_cross_a_page),
        cmocka_unit_test(a_limit_inside_an_instruction_faults),
        cmocka_unit_test(branches_of_16_bits_wrap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
