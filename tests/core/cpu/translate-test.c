/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What may go wrong between hot code and the world that it was translated in: its bytes, its page
 * tables, its segments, the flags at a fault. Every loop runs a hundred times, which is hot. */

#include "cpu-harness.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { CODE = 0x10000, FUNCTION = 0x400000, OTHER_FUNCTION = 0x600000, TURNS = 100 };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static int setup(void **state)
{
    *state = cpu_harness_new(&cpu_soft_ops);
    return 0;
}

static int teardown(void **state)
{
    cpu_harness_free(*state);
    return 0;
}

static void start(CpuHarness *harness, CpuState *cpu, CpuHarnessMode mode, const void *code,
                  size_t length)
{
    cpu_harness_put(harness, CODE, code, length);
    cpu_harness_init_state(harness, cpu, mode, CODE);
    cpu->gpr[RCX] = TURNS;
}

static void code_that_patches_the_next_instruction_runs_as_patched(void **state)
{
    static const uint8_t code[] = {
        0xFF, 0xC0,                      /* turn: inc eax */
        0x88, 0x05, 0x01, 0,    0,    0, /* mov [patch + 1], al */
        0xB3, 0x00,                      /* patch: mov bl, 0 */
        0x00, 0xDA,                      /* add dl, bl */
        0xFF, 0xC9, 0x75, 0xF0, 0xF4,    /* dec ecx; jnz turn; hlt */
    };
    CpuState cpu;
    start(*state, &cpu, CPU_HARNESS_LONG, code, sizeof code);
    cpu.gpr[RAX] = cpu.gpr[RDX] = 0;
    assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu.gpr[RBX] & 0xFF, TURNS);
    assert_int_equal(cpu.gpr[RDX] & 0xFF, TURNS * (TURNS + 1) / 2 & 0xFF);
}

/* Entry of the page directory that maps @linear, in guest memory; and its address. */
static uint64_t *directory_entry(CpuHarness *harness, uint64_t linear, uint64_t *out_gpa)
{
    uint8_t *ram = cpu_harness_ram(harness);
    uint64_t table = CPU_HARNESS_PML4;
    for (unsigned shift = 39; shift > 21; shift -= 9)
        table = ((uint64_t *)(ram + table))[linear >> shift & 511] & UINT64_C(0xFFFFFFFFF000);
    *out_gpa = table + (linear >> 21 & 511) * 8;
    return (uint64_t *)(ram + *out_gpa);
}

/* Calls FUNCTION from a loop, changes what is there by @change, and enters the same loop again. The
 * function says 1, the changed one 2. @call: 5 bytes. */
static void check_change(CpuHarness *harness, const uint8_t *call, const uint8_t *change,
                         size_t change_length, unsigned global)
{
    static const uint8_t one[] = { 0xB8, 1, 0, 0, 0, 0xC3 };   /* mov eax, 1; ret */
    static const uint8_t other[] = { 0xB8, 2, 0, 0, 0, 0xC3 }; /* mov eax, 2; ret */
    static const uint8_t count[] = { 0x01, 0xC3, 0xFF, 0xC9,   /* add ebx, eax; dec ecx */
                                     0x75, 0xF5 };             /* jnz turn */
    static const uint8_t again[] = {
        0xB9, TURNS, 0, 0, 0, 0xFF, 0xCD, 0x75
    }; /* mov ecx; dec ebp */
    uint8_t code[64];
    size_t n = 5;
    memcpy(code, call, 5);
    if (call[0] == 0xE8) {
        int32_t distance = FUNCTION - (CODE + 5);
        memcpy(code + 1, &distance, 4);
    }
    memcpy(code + n, count, sizeof count);
    n += sizeof count;
    memcpy(code + n, change, change_length);
    n += change_length;
    memcpy(code + n, again, sizeof again);
    n += sizeof again;
    code[n] = (uint8_t) - (n + 1);
    code[n + 1] = 0xF4;

    CpuState cpu;
    uint64_t gpa, *entry = directory_entry(harness, FUNCTION, &gpa);
    *entry |= global;
    cpu_harness_put(harness, FUNCTION, one, sizeof one);
    cpu_harness_put(harness, OTHER_FUNCTION, other, sizeof other);
    start(harness, &cpu, CPU_HARNESS_LONG, code, n + 2);
    cpu.cr4 |= 1u << 7; /* PGE */
    cpu.gpr[RBX] = 0;
    cpu.gpr[RBP] = 2;
    cpu.gpr[RDX] = FUNCTION;
    cpu.gpr[RDI] = gpa;
    cpu.gpr[8] = *entry - FUNCTION + OTHER_FUNCTION;
    assert_int_equal(cpu_harness_run(harness, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&cpu), -1);
    assert_int_equal(cpu.gpr[RBX], TURNS + 2 * TURNS);
}

static const uint8_t call_direct[5] = { 0xE8 };
static const uint8_t call_register[5] = { 0xFF, 0xD2, 0x90, 0x90, 0x90 };
/* mov [rdi], r8; then invlpg [rdx], or CR3 to RAX and back */
static const uint8_t invlpg[] = { 0x4C, 0x89, 0x07, 0x0F, 0x01, 0x3A };
static const uint8_t load_cr3[] = { 0x4C, 0x89, 0x07, 0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8 };
static const uint8_t patch[] = { 0xC6, 0x42, 0x01, 0x02 }; /* mov byte [rdx + 1], 2 */
enum { GLOBAL = 1 << 8 };

static void calls_follow_a_page_that_invlpg_names(void **state)
{
    check_change(*state, call_direct, invlpg, sizeof invlpg, 0);
}
static void calls_follow_a_global_page_that_invlpg_names(void **state)
{
    check_change(*state, call_direct, invlpg, sizeof invlpg, GLOBAL);
}
static void calls_follow_the_page_tables_that_cr3_names(void **state)
{
    check_change(*state, call_direct, load_cr3, sizeof load_cr3, 0);
}
static void indirect_calls_follow_a_page_that_invlpg_names(void **state)
{
    check_change(*state, call_register, invlpg, sizeof invlpg, 0);
}
static void indirect_calls_follow_a_global_page_that_invlpg_names(void **state)
{
    check_change(*state, call_register, invlpg, sizeof invlpg, GLOBAL);
}
static void indirect_calls_follow_the_page_tables_that_cr3_names(void **state)
{
    check_change(*state, call_register, load_cr3, sizeof load_cr3, 0);
}

static void calls_reach_a_function_that_was_patched(void **state)
{
    check_change(*state, call_direct, patch, sizeof patch, 0);
}
static void indirect_calls_reach_a_function_that_was_patched(void **state)
{
    check_change(*state, call_register, patch, sizeof patch, 0);
}

/* One page of code at two addresses, each with a neighbour of its own that it jumps to. */
static void a_page_mapped_twice_jumps_to_two_neighbours(void **state)
{
    enum { LAST = 0x5FFFF0, SECOND_LAST = 0x9FFFF0, NEIGHBOUR = 0x600000, SECOND = 0x200000 };
    static const uint8_t jump[] = { 0xEB, 0x0E };              /* jmp to the next page */
    static const uint8_t one[] = { 0xB8, 1, 0, 0, 0, 0xC3 };   /* mov eax, 1; ret */
    static const uint8_t other[] = { 0xB8, 2, 0, 0, 0, 0xC3 }; /* mov eax, 2; ret */
    static const uint8_t code[] = {
        0xFF, 0xD2,             /* turn: call rdx */
        0x01, 0xC3,             /* add ebx, eax */
        0x48, 0x87, 0xD6,       /* xchg rdx, rsi */
        0xFF, 0xC9, 0x75, 0xF5, /* dec ecx; jnz turn */
        0xF4,
    };
    CpuState cpu;
    uint64_t gpa;
    *directory_entry(*state, 0x800000, &gpa) = *directory_entry(*state, 0x400000, &gpa);
    *directory_entry(*state, 0xA00000, &gpa) = *directory_entry(*state, SECOND, &gpa);
    cpu_harness_put(*state, LAST, jump, sizeof jump);
    cpu_harness_put(*state, NEIGHBOUR, one, sizeof one);
    cpu_harness_put(*state, SECOND, other, sizeof other);
    start(*state, &cpu, CPU_HARNESS_LONG, code, sizeof code);
    cpu.gpr[RBX] = 0;
    cpu.gpr[RDX] = LAST;
    cpu.gpr[RSI] = SECOND_LAST;
    assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&cpu), -1);
    assert_int_equal(cpu.gpr[RBX], TURNS / 2 + TURNS / 2 * 2);
}

/* Another processor has written the code, and its message is still on the way. Either code may run,
 * but the new bytes have more instructions than the block has records: what lies behind it, the
 * block of OTHER, stays as it is. */
static void code_that_changed_unnoticed_leaves_its_neighbour_alone(void **state)
{
    enum { LENGTH = 20 * 10, OTHER = CODE + 0x800 };
    static const uint8_t one[] = { 0x48, 0xB8, 1, 0, 0, 0, 0, 0, 0, 0 }; /* movabs rax, 1 */
    static const uint8_t tail[] = { 0xFF, 0xE2 };                        /* jmp rdx */
    static const uint8_t other[] = {
        0x48, 0x83, 0xC3, 0x03, /* add rbx, 3 */
        0xFF, 0xC9, 0x74, 0x02, /* dec ecx; jz out */
        0xFF, 0xE6, 0xF4,       /* jmp rsi; out: hlt */
    };
    uint8_t code[LENGTH + sizeof tail];
    for (unsigned i = 0; i < LENGTH; i += sizeof one)
        memcpy(code + i, one, sizeof one);
    memcpy(code + LENGTH, tail, sizeof tail);
    CpuState cpu;
    cpu_harness_put(*state, OTHER, other, sizeof other);
    start(*state, &cpu, CPU_HARNESS_LONG, code, sizeof code);
    for (unsigned round = 0; round < 2; round++) {
        cpu.rip = CODE;
        cpu.halted = false;
        cpu.gpr[RBX] = 0;
        cpu.gpr[RDX] = OTHER;
        cpu.gpr[RSI] = CODE;
        cpu.gpr[RCX] = round ? TURNS : 3; /* decoded, not hot; then hot */
        assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
        assert_int_equal(cpu_harness_vector(&cpu), -1);
        assert_int_equal(cpu.gpr[RBX], (round ? TURNS : 3) * 3);
        for (unsigned i = 0; i < 84; i += 2) { /* many short ones, then over the rest */
            cpu_harness_ram(*state)[CODE + i] = 0xFF;
            cpu_harness_ram(*state)[CODE + i + 1] = 0xC0; /* inc eax */
        }
        cpu_harness_ram(*state)[CODE + 84] = 0xE9; /* jmp */
        memcpy(cpu_harness_ram(*state) + CODE + 85, &(int32_t){ LENGTH - 89 }, 4);
    }
}

static void a_segment_loaded_in_hot_code_has_its_limit(void **state)
{
    static const uint8_t code[] = {
        0x49,             /* turn: dec ecx */
        0x0F, 0x44, 0xC3, /* cmovz eax, ebx */
        0x8E, 0xD8,       /* mov ds, ax */
        0x8B, 0x16,       /* mov edx, [esi] */
        0xEB, 0xF6,       /* jmp turn */
    };
    CpuState cpu;
    start(*state, &cpu, CPU_HARNESS_PROTECTED, code, sizeof code);
    cpu.gpr[RAX] = CPU_HARNESS_DATA;
    cpu.gpr[RBX] = CPU_HARNESS_DATA16; /* 64 KiB */
    cpu.gpr[RSI] = 0x20000;
    assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&cpu), 13);
    assert_int_equal((uint32_t)cpu.gpr[RCX], 0);
}

static void a_fault_in_hot_code_shows_the_flags_before_it(void **state)
{
    static const uint8_t code[] = {
        0xFF, 0xC9,             /* turn: dec ecx */
        0x48, 0x0F, 0x44, 0xF7, /* cmovz rsi, rdi */
        0x00, 0xD8,             /* add al, bl */
        0x8B, 0x16,             /* mov edx, [rsi] */
        0x31, 0xD2,             /* xor edx, edx */
        0xEB, 0xF2,             /* jmp turn */
    };
    CpuState cpu;
    start(*state, &cpu, CPU_HARNESS_LONG, code, sizeof code);
    cpu.gpr[RAX] = 0x7F - 3 * (TURNS - 1); /* the last addition overflows: 7Fh + 3 */
    cpu.gpr[RBX] = 3;
    cpu.gpr[RSI] = 0x20000;
    cpu.gpr[RDI] = UINT64_C(1) << 40; /* nothing there */
    assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&cpu), 14);
    const uint64_t *frame = (const uint64_t *)(cpu_harness_ram(*state) + cpu.gpr[RSP]);
    assert_int_equal(frame[1], CODE + 8);
    assert_int_equal(frame[3] & 0x8D5, 0x894); /* OF SF AF PF */
}

static void counts_of_retired_instructions_are_exact(void **state)
{
    static const uint8_t code[] = {
        0xFF, 0xC0,             /* turn: inc eax */
        0xA8, 0x01,             /* test al, 1 */
        0x74, 0x02,             /* jz even */
        0xFF, 0xC3,             /* inc ebx */
        0xFF, 0xC9, 0x75, 0xF4, /* even: dec ecx; jnz turn */
        0xF4,                   /* hlt */
    };
    CpuState cpu;
    Vcpu *vcpu = cpu_harness_vcpu(*state);
    start(*state, &cpu, CPU_HARNESS_LONG, code, sizeof code);
    cpu.gpr[RAX] = 0;
    uint64_t before = cpu_soft_ops.retired(vcpu);
    assert_int_equal(cpu_harness_run(*state, &cpu), CPU_EXIT_HALTED);
    assert_int_equal(cpu_soft_ops.retired(vcpu) - before, 5 * TURNS + TURNS / 2 + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(code_that_patches_the_next_instruction_runs_as_patched),
        TEST(calls_follow_a_page_that_invlpg_names),
        TEST(calls_follow_a_global_page_that_invlpg_names),
        TEST(calls_follow_the_page_tables_that_cr3_names),
        TEST(indirect_calls_follow_a_page_that_invlpg_names),
        TEST(indirect_calls_follow_a_global_page_that_invlpg_names),
        TEST(indirect_calls_follow_the_page_tables_that_cr3_names),
        TEST(calls_reach_a_function_that_was_patched),
        TEST(indirect_calls_reach_a_function_that_was_patched),
        TEST(a_page_mapped_twice_jumps_to_two_neighbours),
        TEST(code_that_changed_unnoticed_leaves_its_neighbour_alone),
        TEST(a_segment_loaded_in_hot_code_has_its_limit),
        TEST(a_fault_in_hot_code_shows_the_flags_before_it),
        TEST(counts_of_retired_instructions_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
