/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What the integer instructions do at faults, at privilege borders and to their own code: all that
 * native-diff cannot see from user mode. */

#include "cpu-harness.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CODE 0x20000
#define DATA 0x30000
#define HOLE 0x400000 /* where a test takes the page away */
#define PD (CPU_HARNESS_PML4 + 0x2000)
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

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

static void put(CpuHarness *h, const char *bytes, size_t length)
{
    cpu_harness_put(h, CODE, bytes, length);
}
#define PUT(h, bytes) put(h, bytes CPU_HARNESS_END, sizeof(bytes CPU_HARNESS_END) - 1)

static void set_page_present(CpuHarness *h, uint64_t linear, bool present)
{
    uint8_t *entry = cpu_harness_ram(h) + PD + 8 * (linear >> 21);
    *entry = (uint8_t)((*entry & ~1) | present);
}
/* Of the exception frame without or with error code, as ring 0 code leaves it on its own stack. */
static uint64_t frame_rip(CpuHarness *h, const CpuState *s, bool has_error)
{
    uint64_t rip;
    memcpy(&rip, cpu_harness_ram(h) + s->gpr[RSP] + (has_error ? 8 : 0), 8);
    return rip;
}

static void rep_movs_stops_at_the_element_that_faults(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF3\x48\xA5"); /* rep movsq */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    set_page_present(h, HOLE, false);
    s.gpr[RSI] = DATA;
    s.gpr[RDI] = HOLE - 0x100;
    s.gpr[RCX] = 0x100;
    memset(cpu_harness_ram(h) + DATA, 0x5A, 0x800);
    cpu_harness_run(h, &s);
    set_page_present(h, HOLE, true);
    assert_int_equal(cpu_harness_vector(&s), 14);
    assert_int_equal(s.cr2, HOLE);
    assert_int_equal(s.gpr[RDI], HOLE);
    assert_int_equal(s.gpr[RSI], DATA + 0x100);
    assert_int_equal(s.gpr[RCX], 0x100 - 0x20);
    assert_int_equal(frame_rip(h, &s, true), CODE);
    assert_int_equal(cpu_harness_ram(h)[HOLE - 1], 0x5A);
}

static void rep_cmps_faults_before_flags_change(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF3\xA6"); /* repe cmpsb */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    set_page_present(h, HOLE, false);
    s.gpr[RSI] = DATA;
    s.gpr[RDI] = HOLE;
    s.gpr[RCX] = 1;
    s.rflags |= 0x8D5;
    cpu_harness_run(h, &s);
    set_page_present(h, HOLE, true);
    assert_int_equal(cpu_harness_vector(&s), 14);
    assert_int_equal(s.rflags & 0x8D5, 0x8D5);
    assert_int_equal(s.gpr[RCX], 1);
}

static void rep_with_count_zero_touches_nothing(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF3\xA6"); /* repe cmpsb at addresses that are not there */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RSI] = s.gpr[RDI] = UINT64_C(0x123456789000);
    s.gpr[RCX] = 0;
    cpu_harness_run(h, &s);
    assert_int_equal(cpu_harness_vector(&s), -1);
    assert_int_equal(s.gpr[RSI], UINT64_C(0x123456789000));
}

static void a_trap_comes_after_each_element(void **state)
{
    CpuHarness *h = *state;
    if (cpu_harness_known_difference(h, __func__, "the trap comes after the last element"))
        skip();
    CpuState s;
    PUT(h, "\xF3\xAA"); /* rep stosb */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RDI] = DATA;
    s.gpr[RCX] = 10;
    s.rflags |= 0x100;
    cpu_harness_run(h, &s);
    assert_int_equal(cpu_harness_vector(&s), 1);
    assert_int_equal(s.gpr[RCX], 9);
    assert_int_equal(frame_rip(h, &s, false), CODE);
}

static void a_16_bit_string_wraps_its_pointers(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    cpu_harness_put(h, CPU_HARNESS_REAL_CODE, "\xF3\xAA" CPU_HARNESS_END, 6); /* rep stosb */
    cpu_harness_init_state(h, &s, CPU_HARNESS_REAL, CPU_HARNESS_REAL_CODE);
    s.segment[CPU_ES].base = 0x50000;
    s.segment[CPU_ES].selector = 0x5000;
    s.gpr[RAX] = 0x77;
    s.gpr[RDI] = 0xABCDFFFC;
    s.gpr[RCX] = 0xABCD0008;
    cpu_harness_run(h, &s);
    const uint8_t *es = cpu_harness_ram(h) + 0x50000;
    assert_int_equal(s.gpr[RDI], 0xABCD0004);
    assert_int_equal(s.gpr[RCX], 0xABCD0000);
    assert_int_equal(es[0xFFFF], 0x77);
    assert_int_equal(es[3], 0x77);
    assert_int_equal(es[4], 0);
    assert_int_equal(es[0x10000], 0);
}

static void overlapping_rep_movs_repeats_the_pattern(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF3\xA4");
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    uint8_t *data = cpu_harness_ram(h) + DATA;
    memcpy(data, "abc", 3);
    s.gpr[RSI] = DATA;
    s.gpr[RDI] = DATA + 3;
    s.gpr[RCX] = 6000;
    cpu_harness_run(h, &s);
    for (unsigned i = 0; i < 6003; i++)
        assert_int_equal(data[i], "abc"[i % 3]);
}

static void a_failed_push_leaves_the_stack_pointer(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    static const char *const codes[] = { "\x50", "\xE8\x00\x00\x00\x00", "\xC8\x10\x00\x02", "\x9C",
                                         "\xFF\xD0" };
    static const unsigned lengths[] = { 1, 5, 4, 1, 2 };
    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        cpu_harness_put(h, CODE, codes[i], lengths[i]);
        cpu_harness_init_state(h, &s, CPU_HARNESS_LONG_USER, CODE);
        set_page_present(h, HOLE, false);
        s.gpr[RSP] = HOLE + 0x100;
        s.gpr[RBP] = 0x1234;
        cpu_harness_run(h, &s);
        set_page_present(h, HOLE, true);
        uint64_t rsp;
        memcpy(&rsp, cpu_harness_ram(h) + CPU_HARNESS_STACK0 - 16, 8);
        assert_int_equal(cpu_harness_vector(&s), 14);
        assert_int_equal(rsp, HOLE + 0x100);
        assert_int_equal(s.gpr[RBP], 0x1234);
    }
}

static void a_failed_read_modify_write_keeps_flags_and_says_write(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\x48\x01\x03"); /* add [rbx], rax */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    set_page_present(h, HOLE, false);
    s.gpr[RBX] = HOLE;
    s.rflags |= 0x8D5;
    cpu_harness_run(h, &s);
    set_page_present(h, HOLE, true);
    assert_int_equal(cpu_harness_vector(&s), 14);
    assert_int_equal(s.rflags & 0x8D5, 0x8D5);
    assert_int_equal(cpu_harness_ram(h)[s.gpr[RSP]], 2); /* error code: write */
}

static void a_locked_operand_may_cross_a_page(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF0\x48\x01\x03"); /* lock add [rbx], rax */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    uint64_t value = 0x1111111111111111;
    memcpy(cpu_harness_ram(h) + DATA + 0xFFD, &value, 8);
    s.gpr[RAX] = 0x0102030405060708;
    s.gpr[RBX] = DATA + 0xFFD;
    cpu_harness_run(h, &s);
    memcpy(&value, cpu_harness_ram(h) + DATA + 0xFFD, 8);
    assert_int_equal(value, 0x1111111111111111 + 0x0102030405060708);
}

static void popf_obeys_the_privilege_level(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    /* push 0x3202; popf (IF and IOPL 3) */
    PUT(h, "\x68\x02\x32\x00\x00\x9D");
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    cpu_harness_run(h, &s);
    assert_int_equal(s.rflags & 0x3200, 0x3200);
    put(h, "\x68\x02\x32\x00\x00\x9D\xF4", 7); /* HLT, which ring 3 may not */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG_USER, CODE);
    cpu_harness_run(h, &s);
    uint64_t rflags;
    memcpy(&rflags, cpu_harness_ram(h) + CPU_HARNESS_STACK0 - 24, 8);
    assert_int_equal(rflags & 0x3200, 0);
}

static void a_store_to_the_next_instruction_takes_effect(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    /* mov byte [rip + 1], 0x22: the immediate of mov al, 0x11 that follows; twice round */
    for (unsigned i = 0; i < 2; i++) {
        PUT(h, "\xC6\x05\x01\x00\x00\x00\x22\xB0\x11");
        cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
        cpu_harness_run(h, &s);
        assert_int_equal(s.gpr[RAX] & 0xFF, 0x22);
    }
}

static void rep_movs_over_what_follows_takes_effect(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\xF3\xA4\xB0\x11\x90"); /* rep movsb; mov al, 0x11; nop */
    memcpy(cpu_harness_ram(h) + DATA, "\xB0\x33\x90", 3);
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RSI] = DATA;
    s.gpr[RDI] = CODE + 2;
    s.gpr[RCX] = 3;
    cpu_harness_run(h, &s);
    assert_int_equal(s.gpr[RAX] & 0xFF, 0x33);
}

static void branches_follow_code_that_changes_behind_their_links(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    /* mov ecx, 3; a: call f; dec ecx; jnz a; end; f: inc byte [rip - 0x…: its own immediate]; add
     * eax, 1; ret */
    static const char code[] = "\xB9\x03\x00\x00\x00"          /* 00 mov ecx, 3 */
                               "\xE8\x08\x00\x00\x00"          /* 05 call 12 */
                               "\xFF\xC9"                      /* 0A dec ecx */
                               "\x75\xF7"                      /* 0C jnz 05 */
        CPU_HARNESS_END                                        /* 0E end */
                               "\x83\xC0\x01"                  /* 12 add eax, 1 */
                               "\xFE\x05\xF9\xFF\xFF\xFF\xC3"; /* 15 inc byte [14]; ret */
    put(h, code, sizeof code - 1);
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RAX] = 0;
    cpu_harness_run(h, &s);
    assert_int_equal(s.gpr[RAX], 1 + 2 + 3);
}

static void division_errors_leave_the_registers(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\x48\xF7\xFB"); /* idiv rbx */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RAX] = UINT64_C(1) << 63;
    s.gpr[RDX] = UINT64_MAX;
    s.gpr[RBX] = UINT64_MAX; /* the smallest integer by -1 */
    cpu_harness_run(h, &s);
    assert_int_equal(cpu_harness_vector(&s), 0);
    assert_int_equal(s.gpr[RAX], UINT64_C(1) << 63);
    assert_int_equal(frame_rip(h, &s, false), CODE);
}

static void bound_raises_br_outside_only(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    const int32_t bounds[2] = { -5, 5 };
    PUT(h, "\x62\x03"); /* bound eax, [ebx] */
    for (int value = -6; value <= 6; value++) {
        cpu_harness_init_state(h, &s, CPU_HARNESS_PROTECTED, CODE);
        memcpy(cpu_harness_ram(h) + DATA, bounds, sizeof bounds);
        s.gpr[RAX] = (uint32_t)value;
        s.gpr[RBX] = DATA;
        cpu_harness_run(h, &s);
        assert_int_equal(cpu_harness_vector(&s), value < -5 || value > 5 ? 5 : -1);
    }
}

static void cmpxchg16b_wants_alignment(void **state)
{
    CpuHarness *h = *state;
    CpuState s;
    PUT(h, "\x48\x0F\xC7\x0B"); /* cmpxchg16b [rbx] */
    cpu_harness_init_state(h, &s, CPU_HARNESS_LONG, CODE);
    s.gpr[RBX] = DATA + 8;
    cpu_harness_run(h, &s);
    assert_int_equal(cpu_harness_vector(&s), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rep_movs_stops_at_the_element_that_faults),
        cmocka_unit_test(rep_cmps_faults_before_flags_change),
        cmocka_unit_test(rep_with_count_zero_touches_nothing),
        cmocka_unit_test(a_trap_comes_after_each_element),
        cmocka_unit_test(a_16_bit_string_wraps_its_pointers),
        cmocka_unit_test(overlapping_rep_movs_repeats_the_pattern),
        cmocka_unit_test(a_failed_push_leaves_the_stack_pointer),
        cmocka_unit_test(a_failed_read_modify_write_keeps_flags_and_says_write),
        cmocka_unit_test(a_locked_operand_may_cross_a_page),
        cmocka_unit_test(popf_obeys_the_privilege_level),
        cmocka_unit_test(a_store_to_the_next_instruction_takes_effect),
        cmocka_unit_test(rep_movs_over_what_follows_takes_effect),
        cmocka_unit_test(branches_follow_code_that_changes_behind_their_links),
        cmocka_unit_test(division_errors_leave_the_registers),
        cmocka_unit_test(bound_raises_br_outside_only),
        cmocka_unit_test(cmpxchg16b_wants_alignment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
