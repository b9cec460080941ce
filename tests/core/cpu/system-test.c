/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What user mode cannot show of a CPU: privilege, segments, gates, tasks, paging rights,
 * debug registers. The guest code is system-test.asm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/cpu/soft/soft-cpu.h"
#include "cpu-harness.h"
#include <string.h>

enum { /* guest memory of the tests */
       TEST_DIRECTORY = 0x21000,
       TEST_TABLE = 0x22000, /* of the linear addresses from TEST_PAGE on */
       TASK_1 = 0x24000,
       TASK_2 = 0x24100,
       IST_STACK = 0x28000,
       KERNEL_STACK = 0x2A000,
       TASK_STACK = 0x2C000,
       DATA = 0x30000,
       OTHER_CODE = 0x31000,
       TEST_FRAMES = 0x34000, /* two pages behind TEST_PAGE */
       USER_STACK = 0x38000,
};
#define TEST_PAGE UINT64_C(0x40000000)

enum { /* selectors of the tests */
       TEST_SEGMENT = 0x60,
       CALL_GATE = 0x68,
       TEST_LDT = 0x70,
       TASK_1_SELECTOR = 0x78,
       TASK_2_SELECTOR = 0x80,
};

#define PTE_P 1u
#define PTE_W 2u
#define PTE_U 4u
#define PTE_NX (UINT64_C(1) << 63)

typedef struct {
    CpuHarness *harness;
    uint8_t *ram;
    CpuState state;
} Fixture;

static int setup(void **test)
{
    Fixture *f = g_new0(Fixture, 1);
    f->harness = cpu_harness_new(cpu_harness_choose());
    f->ram = cpu_harness_ram(f->harness);
    cpu_harness_load(f->harness, SYSTEM_TEST_IMAGE);
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

/* The rest of this test is skipped, aloud, where KVM itself is known to be wrong. */
#define SKIP_IF_KNOWN(f, why)                                                                      \
    do {                                                                                           \
        if (cpu_harness_known_difference((f)->harness, __func__, (why)))                           \
            skip();                                                                                \
    } while (0)

static uint64_t address_of(Fixture *f, const char *snippet)
{
    return cpu_harness_snippet(f->harness, snippet);
}

static void poke(Fixture *f, uint64_t gpa, uint64_t value, unsigned size)
{
    memcpy(f->ram + gpa, &value, size);
}

static uint64_t peek(Fixture *f, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, f->ram + gpa, size);
    return value;
}

static void start(Fixture *f, CpuHarnessMode mode, const char *snippet)
{
    cpu_harness_init_state(f->harness, &f->state, mode, address_of(f, snippet));
    f->state.gdt.limit = 0xFFF;
}

static void run(Fixture *f)
{
    CpuExit end = cpu_harness_run(f->harness, &f->state);
    assert_int_equal(end, CPU_EXIT_HALTED);
}

static void run_in(Fixture *f, CpuHarnessMode mode, const char *snippet)
{
    start(f, mode, snippet);
    run(f);
}

/* The exception that ended the run, and its error code. */
static void assert_fault(Fixture *f, int vector, uint32_t error)
{
    assert_int_equal(cpu_harness_vector(&f->state), vector);
    assert_int_equal(peek(f, f->state.gpr[4], 4), error);
}

static void assert_vector(Fixture *f, int vector)
{
    assert_int_equal(cpu_harness_vector(&f->state), vector);
}

/* Word @n of the frame of an exception in 64-bit mode; 0 is RIP. */
static uint64_t frame64(Fixture *f, unsigned n, bool has_error)
{
    return peek(f, f->state.gpr[4] + (n + has_error) * 8, 8);
}

static void set_descriptor(Fixture *f, unsigned selector, uint32_t base, uint32_t limit,
                           unsigned attributes)
{
    if (attributes & 0x8000)
        limit >>= 12;
    uint64_t raw = (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 |
                   (uint64_t)(limit & 0xF0000) << 32 | (uint64_t)(base & 0xFF000000) << 32 |
                   (uint64_t)attributes << 40;
    poke(f, CPU_HARNESS_GDT + selector, raw, 8);
}

static void set_gate(Fixture *f, uint64_t at, unsigned selector, uint64_t offset,
                     unsigned attributes, unsigned low)
{
    uint64_t raw = (offset & 0xFFFF) | (uint64_t)selector << 16 | (uint64_t)low << 32 |
                   (uint64_t)attributes << 40 | (offset & 0xFFFF0000) << 32;
    poke(f, at, raw, 8);
}

static void set_idt64(Fixture *f, unsigned vector, uint64_t handler, unsigned attributes,
                      unsigned ist)
{
    uint64_t at = CPU_HARNESS_IDT + vector * 16;
    set_gate(f, at, CPU_HARNESS_CODE64, handler, attributes, ist);
    poke(f, at + 8, 0, 8);
}

static void set_idt32(Fixture *f, unsigned vector, uint64_t handler, unsigned attributes)
{
    set_gate(f, CPU_HARNESS_IDT32 + vector * 8, CPU_HARNESS_CODE32, handler, attributes, 0);
}

/* Maps the first two pages of TEST_PAGE to TEST_FRAMES with these rights; 0: not present. */
static void map_test_pages(Fixture *f, uint64_t first, uint64_t second)
{
    uint64_t directories = peek(f, CPU_HARNESS_PML4, 8) & 0xFFFFF000;
    poke(f, directories + 8, TEST_DIRECTORY | 7, 8);
    memset(f->ram + TEST_DIRECTORY, 0, 4096);
    memset(f->ram + TEST_TABLE, 0, 4096);
    poke(f, TEST_DIRECTORY, TEST_TABLE | 7, 8);
    poke(f, TEST_TABLE, first | TEST_FRAMES, 8);
    poke(f, TEST_TABLE + 8, second | (TEST_FRAMES + 0x1000), 8);
}

/* A 32-bit TSS with a stack for ring 0. */
static void set_task32(Fixture *f, unsigned selector, uint32_t at, const char *code)
{
    memset(f->ram + at, 0, 0x80);
    poke(f, at + 4, KERNEL_STACK, 4);
    poke(f, at + 8, CPU_HARNESS_DATA, 4);
    poke(f, at + 0x66, 0x68, 2); /* I/O bitmap behind it */
    poke(f, at + 0x24, 2, 4);
    poke(f, at + 0x38, TASK_STACK, 4);
    if (code)
        poke(f, at + 0x20, address_of(f, code), 4);
    static const uint16_t segment[6] = { CPU_HARNESS_DATA, CPU_HARNESS_CODE32, CPU_HARNESS_DATA,
                                         CPU_HARNESS_DATA, CPU_HARNESS_DATA,   CPU_HARNESS_DATA };
    for (unsigned i = 0; i < 6; i++)
        poke(f, at + 0x48 + 4 * i, segment[i], 2);
    set_descriptor(f, selector, at, 0x67, 0x89);
}

/* System calls and interrupts in long mode
 * ------------------------------------------------------------------- */

static void syscall_and_sysret_go_to_the_kernel_and_back(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f,
                  "what SYSCALL enters reads the host's CS and has ring 3's rights: SYSRET is #GP");
    start(f, CPU_HARNESS_LONG_USER, "syscall_round_trip");
    f->state.efer |= EFER_SCE;
    /* SYSRET takes its base + 16 as CS and + 8 as SS. */
    f->state.msr.star =
        (uint64_t)(CPU_HARNESS_USER_CODE64 - 16) << 48 | (uint64_t)CPU_HARNESS_CODE64 << 32;
    f->state.msr.lstar = address_of(f, "syscall_entry");
    f->state.msr.sfmask = RFLAGS_IF | RFLAGS_DF;
    f->state.rflags |= RFLAGS_DF | RFLAGS_CF;
    f->state.gpr[4] = USER_STACK;
    run(f);
    assert_fault(f, X86_GP, 0);
    assert_int_equal(f->state.gpr[3], 2);
    assert_int_equal(f->state.gpr[8], address_of(f, "syscall_round_trip") + 7);
    assert_int_equal(f->state.gpr[9] & (RFLAGS_DF | RFLAGS_CF), RFLAGS_DF | RFLAGS_CF);
    assert_int_equal(f->state.gpr[10], CPU_HARNESS_CODE64);
    assert_int_equal(f->state.gpr[12], CPU_HARNESS_CODE64 + 8);
    assert_int_equal(f->state.gpr[13] & (RFLAGS_DF | RFLAGS_CF), RFLAGS_CF);
    assert_int_equal(frame64(f, 1, true), CPU_HARNESS_USER_CODE64);
    assert_int_equal(frame64(f, 4, true), CPU_HARNESS_USER_DATA);
    assert_true(frame64(f, 2, true) & RFLAGS_DF);
}

static void sysret_to_a_wild_address_faults_in_the_kernel(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "#GP comes in ring 3, as on AMD");
    start(f, CPU_HARNESS_LONG, "sysret_not_canonical");
    f->state.efer |= EFER_SCE;
    run(f);
    assert_fault(f, X86_GP, 0);
    assert_int_equal(frame64(f, 1, true) & 3, 0);
}

static void syscall_without_sce_is_undefined(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG_USER, "syscall_round_trip");
    f->state.efer &= ~(uint64_t)EFER_SCE;
    run(f);
    assert_vector(f, X86_UD);
}

static void interrupt_uses_its_ist_stack(void **test)
{
    Fixture *f = *test;
    poke(f, CPU_HARNESS_TSS + 0x24 + 8, IST_STACK + 8, 8); /* IST2, to be aligned */
    set_idt64(f, 0x41, CPU_HARNESS_VECTOR(0x41), 0x8E, 2);
    start(f, CPU_HARNESS_LONG, "interrupt_ist");
    f->state.rflags |= RFLAGS_IF;
    uint64_t rsp = f->state.gpr[4];
    run(f);
    assert_vector(f, 0x41);
    assert_int_equal(f->state.gpr[4], IST_STACK - 40);
    assert_int_equal(frame64(f, 0, false), address_of(f, "interrupt_ist") + 2);
    assert_int_equal(frame64(f, 3, false), rsp);
    assert_int_equal(frame64(f, 4, false), CPU_HARNESS_DATA);
    assert_false(f->state.rflags & RFLAGS_IF);
    assert_true(frame64(f, 2, false) & RFLAGS_IF);
}

static void interrupt_from_user_needs_the_gates_dpl(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "INT n in ring 3 is #UD");
    set_idt64(f, 0x41, CPU_HARNESS_VECTOR(0x41), 0x8E, 0);
    run_in(f, CPU_HARNESS_LONG_USER, "interrupt_forbidden");
    assert_fault(f, X86_GP, 0x41 * 8 + 2);
    assert_int_equal(frame64(f, 0, true), address_of(f, "interrupt_forbidden"));
    set_idt64(f, 0x41, CPU_HARNESS_VECTOR(0x41), 0xEE, 0);
    run_in(f, CPU_HARNESS_LONG_USER, "interrupt_forbidden");
    assert_vector(f, 0x41);
    assert_int_equal(f->state.gpr[4], CPU_HARNESS_STACK0 - 40);
    assert_int_equal(f->state.segment[CPU_SS].selector, 0);
}

static void absent_gate_is_np_with_the_idt_bit(void **test)
{
    Fixture *f = *test;
    set_idt64(f, 0x41, CPU_HARNESS_VECTOR(0x41), 0x0E, 0);
    run_in(f, CPU_HARNESS_LONG, "interrupt_ist");
    assert_fault(f, X86_NP, 0x41 * 8 + 2);
}

static void user_may_not_do_what_is_the_kernels(void **test)
{
    static const char *const snippet[] = { "user_hlt",     "user_cli",   "user_in",
                                           "user_mov_cr0", "user_rdmsr", "user_lgdt" };
    Fixture *f = *test;
    for (unsigned i = 0; i < G_N_ELEMENTS(snippet); i++) {
        start(f, CPU_HARNESS_LONG_USER, snippet[i]);
        f->state.task.limit = 0x67; /* no I/O bitmap */
        poke(f, CPU_HARNESS_TSS + 0x66, 0x68, 2);
        run(f);
        assert_fault(f, X86_GP, 0);
        assert_int_equal(frame64(f, 0, true), address_of(f, snippet[i]));
    }
}

static void user_fault_saves_ring_3(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG_USER, "user_fault");
    f->state.gpr[4] = USER_STACK;
    run(f);
    assert_vector(f, X86_UD);
    assert_int_equal(frame64(f, 1, false) & 3, 3);
    assert_int_equal(frame64(f, 3, false), USER_STACK);
    assert_true(frame64(f, 2, false) & RFLAGS_RF);
}

static void halt_is_ended_by_nmi(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG, "halt_then");
    f->state.rip += 2; /* the HLT is behind it */
    f->state.halted = true;
    vcpu_signal(cpu_harness_vcpu(f->harness), VCPU_SIGNAL_NMI);
    run(f);
    assert_vector(f, X86_NMI);
    assert_int_equal(frame64(f, 0, false), address_of(f, "halt_then") + 2);
    assert_true(f->state.nmi_blocked);
}

static void interrupt_waits_for_the_instruction_after_sti(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "emulated instructions are not interrupted one by one");
    start(f, CPU_HARNESS_LONG, "sti_shadow");
    f->state.gpr[3] = f->state.gpr[1] = 0;
    cpu_harness_raise(f->harness, 0x60);
    run(f);
    assert_vector(f, 0x60);
    assert_int_equal(f->state.gpr[3], 1);
    assert_int_equal(f->state.gpr[1], 0);
    assert_true(frame64(f, 2, false) & RFLAGS_IF);
}

static void interrupt_ends_a_halt_right_after_sti(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG, "halt_then");
    cpu_harness_raise(f->harness, 0x61);
    run(f);
    assert_vector(f, 0x61);
    assert_int_equal(frame64(f, 0, false), address_of(f, "halt_then") + 2);
}

static void interrupt_waits_for_the_instruction_after_mov_ss(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "emulated instructions are not interrupted one by one");
    start(f, CPU_HARNESS_PROTECTED, "mov_ss_shadow");
    f->state.gpr[0] = CPU_HARNESS_DATA;
    f->state.gpr[1] = 0;
    f->state.rflags |= RFLAGS_IF;
    f->state.interrupt_shadow = true; /* the one of a STI before */
    cpu_harness_raise(f->harness, 0x62);
    run(f);
    assert_vector(f, 0x62);
    assert_int_equal(f->state.gpr[4], USER_STACK - 12);
    assert_int_equal(f->state.gpr[1], 0);
}

static void iret_enters_compatibility_mode(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "iret_compatibility");
    assert_vector(f, X86_UD);
    assert_int_equal(frame64(f, 1, false), CPU_HARNESS_USER_CODE32);
    assert_int_equal(f->state.gpr[0], 0);
    assert_int_equal(f->state.gpr[3], USER_STACK);
    assert_true(f->state.segment[CPU_CS].attributes & 0x2000);
}

/* Paging
 * --------------------------------------------------------------------------------------- */

static void page_rights_and_error_codes(void **test)
{
    enum { SMEP = 1, SMAP = 2, NO_WP = 4 };
    static const struct {
        CpuHarnessMode mode;
        const char *snippet;
        uint64_t rights;
        unsigned features;
        int error; /* -1: no fault */
    } row[] = {
        { CPU_HARNESS_LONG, "load_test_page", PTE_P, 0, -1 },
        { CPU_HARNESS_LONG, "load_test_page", 0, 0, 0 },
        { CPU_HARNESS_LONG, "store_test_page", 0, 0, 2 },
        { CPU_HARNESS_LONG, "store_test_page", PTE_P, 0, 3 },
        { CPU_HARNESS_LONG, "store_test_page", PTE_P, NO_WP, -1 },
        { CPU_HARNESS_LONG_USER, "load_test_page", 0, 0, 4 },
        { CPU_HARNESS_LONG_USER, "load_test_page", PTE_P | PTE_W, 0, 5 },
        { CPU_HARNESS_LONG_USER, "store_test_page", PTE_P | PTE_U, 0, 7 },
        { CPU_HARNESS_LONG_USER, "store_test_page", PTE_P | PTE_U, NO_WP, 7 },
        { CPU_HARNESS_LONG_USER, "jump_test_page", PTE_P | PTE_U | PTE_NX, 0, 0x15 },
        { CPU_HARNESS_LONG, "jump_test_page", PTE_P | PTE_NX, 0, 0x11 },
        { CPU_HARNESS_LONG, "jump_test_page", 0, 0, 0x10 },
        { CPU_HARNESS_LONG, "jump_test_page", PTE_P | PTE_U, SMEP, 0x11 },
        { CPU_HARNESS_LONG, "jump_test_page", PTE_P | PTE_U, 0, -1 },
        { CPU_HARNESS_LONG, "jump_test_page", PTE_P, SMEP, -1 },
        { CPU_HARNESS_LONG, "load_test_page", PTE_P | PTE_U, SMAP, 1 },
        { CPU_HARNESS_LONG, "store_test_page", PTE_P | PTE_U | PTE_W, SMAP, 3 },
        { CPU_HARNESS_LONG, "load_test_page", PTE_P, SMAP, -1 },
        { CPU_HARNESS_LONG, "load_test_page", PTE_P | UINT64_C(1) << 45, 0, 9 },
        { CPU_HARNESS_LONG_USER, "store_test_page", PTE_P | UINT64_C(1) << 45, 0, 0xF },
    };
    Fixture *f = *test;
    for (unsigned i = 0; i < G_N_ELEMENTS(row); i++) {
        map_test_pages(f, row[i].rights, 0);
        memcpy(f->ram + TEST_FRAMES, CPU_HARNESS_END, CPU_HARNESS_END_LENGTH);
        start(f, row[i].mode, row[i].snippet);
        f->state.efer |= EFER_NXE;
        f->state.cr4 |=
            (row[i].features & SMEP ? CR4_SMEP : 0) | (row[i].features & SMAP ? CR4_SMAP : 0);
        f->state.cr0 |= CR0_WP;
        if (row[i].features & NO_WP)
            f->state.cr0 &= ~(uint64_t)CR0_WP;
        /* The tests' own code and stacks are user pages: out of SMEP's and SMAP's way. */
        if (row[i].features & (SMEP | SMAP)) {
            uint64_t directories = peek(f, CPU_HARNESS_PML4, 8) & 0xFFFFF000;
            uint64_t directory = peek(f, directories, 8) & 0xFFFFF000;
            poke(f, directory, peek(f, directory, 8) & ~UINT64_C(4), 8);
        }
        f->state.cr2 = 0;
        run(f);
        if (row[i].error < 0) {
            assert_vector(f, -1);
        } else {
            assert_fault(f, X86_PF, (uint32_t)row[i].error);
            assert_int_equal(f->state.cr2, TEST_PAGE);
        }
        if (row[i].features & (SMEP | SMAP)) {
            uint64_t directories = peek(f, CPU_HARNESS_PML4, 8) & 0xFFFFF000;
            uint64_t directory = peek(f, directories, 8) & 0xFFFFF000;
            poke(f, directory, peek(f, directory, 8) | 4, 8);
        }
    }
}

static void stac_opens_user_pages_until_clac(void **test)
{
    Fixture *f = *test;
    map_test_pages(f, PTE_P | PTE_U, 0);
    poke(f, TEST_FRAMES, 0xABCD, 4);
    start(f, CPU_HARNESS_LONG, "stac_load_test_page");
    f->state.cr4 |= CR4_SMAP;
    uint64_t directories = peek(f, CPU_HARNESS_PML4, 8) & 0xFFFFF000;
    uint64_t directory = peek(f, directories, 8) & 0xFFFFF000;
    poke(f, directory, peek(f, directory, 8) & ~UINT64_C(4), 8);
    run(f);
    assert_fault(f, X86_PF, 1);
    assert_int_equal(f->state.gpr[0], 0xABCD);
}

static void accessed_and_dirty_bits_are_set(void **test)
{
    Fixture *f = *test;
    map_test_pages(f, PTE_P | PTE_W, 0);
    run_in(f, CPU_HARNESS_LONG, "load_test_page");
    assert_int_equal(peek(f, TEST_TABLE, 8) & 0x60, 0x20);
    run_in(f, CPU_HARNESS_LONG, "store_test_page");
    assert_int_equal(peek(f, TEST_TABLE, 8) & 0x60, 0x60);
    assert_int_equal(peek(f, TEST_FRAMES, 4), 0x12345678);
}

static void invlpg_drops_all_of_a_large_page(void **test)
{
    Fixture *f = *test;
    map_test_pages(f, 0, 0);
    poke(f, TEST_DIRECTORY, 0x200087, 8);
    poke(f, 0x200000, 1, 4);
    poke(f, 0x205000, 2, 4);
    poke(f, 0x400000, 3, 4);
    poke(f, 0x405000, 4, 4);
    run_in(f, CPU_HARNESS_LONG, "invlpg_large");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[0], 1);
    assert_int_equal(f->state.gpr[3], 2);
    assert_int_equal(f->state.gpr[1], 3);
    assert_int_equal(f->state.gpr[2], 4);
}

static void rep_movs_stops_at_a_missing_page_and_goes_on(void **test)
{
    Fixture *f = *test;
    map_test_pages(f, PTE_P | PTE_W, PTE_W);
    set_idt64(f, X86_PF, address_of(f, "map_on_fault"), 0x8E, 0);
    for (unsigned i = 0; i < 4; i++)
        poke(f, DATA + i * 8, 0x1111111111111111u * (i + 1), 8);
    run_in(f, CPU_HARNESS_LONG, "rep_movs_across");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[8], 3);
    assert_int_equal(f->state.gpr[9], TEST_PAGE + 0x1000);
    assert_int_equal(f->state.gpr[10], DATA + 8);
    assert_int_equal(f->state.gpr[11], 2);
    assert_int_equal(f->state.gpr[12], TEST_PAGE + 0x1000);
    assert_int_equal(f->state.gpr[1], 0);
    assert_memory_equal(f->ram + TEST_FRAMES + 0xFF8, f->ram + DATA, 32);
}

/* Debugging
 * ------------------------------------------------------------------------------------ */

static void single_step_traps_after_the_next_instruction(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG, "single_step");
    f->state.gpr[3] = 0;
    run(f);
    assert_vector(f, X86_DB);
    assert_int_equal(f->state.gpr[0], 1);
    assert_int_equal(f->state.gpr[3], 0);
    assert_true(f->state.dr[6] & 0x4000);
    assert_true(frame64(f, 2, false) & RFLAGS_TF);
    assert_false(f->state.rflags & RFLAGS_TF);
}

static void single_step_counts_every_instruction(void **test)
{
    Fixture *f = *test;
    set_idt64(f, X86_DB, address_of(f, "count_step"), 0x8E, 0);
    run_in(f, CPU_HARNESS_LONG, "single_step_through");
    assert_vector(f, -1);
    /* nop, mov, 5 * (dec, jnz), pushf, and, popf */
    assert_int_equal(f->state.gpr[15], 15);
}

static void data_breakpoint_traps_after_the_write(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "emulated instructions do not hit data breakpoints");
    run_in(f, CPU_HARNESS_LONG, "data_breakpoint");
    assert_vector(f, X86_DB);
    assert_int_equal(f->state.dr[6] & 0xF, 1);
    assert_int_equal(f->ram[DATA + 3], 1);
    assert_int_equal(f->ram[frame64(f, 0, false)], 0x90);
}

static void code_breakpoint_faults_once_when_resumed_with_rf(void **test)
{
    Fixture *f = *test;
    set_idt64(f, X86_DB, address_of(f, "resume_with_rf"), 0x8E, 0);
    run_in(f, CPU_HARNESS_LONG, "code_breakpoint");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[15], 1);
    assert_int_equal(f->state.gpr[14] & 0xF, 2);
    assert_int_equal(f->state.gpr[1], 1);
}

static void general_detect_guards_the_debug_registers(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "general_detect");
    assert_vector(f, X86_DB);
    assert_true(f->state.dr[6] & 0x2000);
    assert_false(f->state.dr[7] & 0x2000);
}

/* Double and triple faults, code that changes, addresses, MSRs
 * ------------------------------------------------- */

static void fault_on_the_way_to_a_fault_is_a_double_fault(void **test)
{
    Fixture *f = *test;
    set_idt64(f, X86_GP, CPU_HARNESS_VECTOR(X86_GP), 0x0E, 0); /* #NP instead: both serious */
    run_in(f, CPU_HARNESS_LONG, "not_canonical");
    assert_fault(f, X86_DF, 0);
}

static void benign_fault_first_is_no_double_fault(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "any fault while one is delivered is #DF");
    set_idt64(f, X86_UD, CPU_HARNESS_VECTOR(X86_UD), 0x0E, 0);
    run_in(f, CPU_HARNESS_LONG, "double_fault");
    assert_fault(f, X86_NP, X86_UD * 8 + 3);
}

static void triple_fault_shuts_down(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG, "not_canonical");
    f->state.idt.limit = 0;
    assert_int_equal(cpu_harness_run(f->harness, &f->state), CPU_EXIT_SHUTDOWN);
}

static void store_into_the_next_instruction_is_seen(void **test)
{
    Fixture *f = *test;
    for (unsigned i = 0; i < 2; i++) {
        run_in(f, CPU_HARNESS_LONG, "patch_next");
        assert_int_equal(f->state.gpr[0], 0x77);
        poke(f, address_of(f, "patch_next") + 8, 0x11, 1);
        cpu_harness_put(f->harness, address_of(f, "patch_next"),
                        f->ram + address_of(f, "patch_next"), 16);
    }
}

static void store_into_code_of_another_page_is_seen(void **test)
{
    Fixture *f = *test;
    uint64_t from = address_of(f, "patch_victim");
    cpu_harness_put(f->harness, OTHER_CODE, f->ram + from, 6);
    run_in(f, CPU_HARNESS_LONG, "patch_other_page");
    assert_int_equal(f->state.gpr[3], 0x11);
    assert_int_equal(f->state.gpr[0], 0x22);
}

static void address_that_is_not_canonical_faults(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "not_canonical");
    assert_fault(f, X86_GP, 0);
    start(f, CPU_HARNESS_LONG, "not_canonical_stack");
    poke(f, CPU_HARNESS_TSS + 0x24, IST_STACK, 8);
    set_idt64(f, X86_SS, CPU_HARNESS_VECTOR(X86_SS), 0x8E, 1);
    run(f);
    assert_fault(f, X86_SS, 0);
}

static void msr_that_does_not_exist_faults(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "unknown_msr");
    assert_fault(f, X86_GP, 0);
    run_in(f, CPU_HARNESS_LONG, "write_bad_efer");
    assert_fault(f, X86_GP, 0);
}

static void swapgs_exchanges_the_kernels_base(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "msr_round_trip");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[3], 0x9ABCDEF0);
    assert_int_equal(f->state.gpr[0], 0x9ABCDEF0);
    assert_int_equal(f->state.gpr[2], 0x1234);
    assert_int_equal(f->state.segment[CPU_GS].base, UINT64_C(0x12349ABCDEF0));
}

static void fsgsbase_needs_canonical_bases(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_LONG, "fsgsbase");
    f->state.cr4 |= CR4_FSGSBASE;
    run(f);
    assert_fault(f, X86_GP, 0);
    assert_int_equal(f->state.gpr[3], UINT64_C(0x123456789000));
    assert_int_equal(f->state.gpr[0], 0x56789000);
    assert_int_equal(f->state.gpr[2], 0x1234);
    SKIP_IF_KNOWN(f, "WRGSBASE works with CR4.FSGSBASE clear");
    start(f, CPU_HARNESS_LONG, "fsgsbase");
    f->state.cr4 &= ~(uint64_t)CR4_FSGSBASE;
    run(f);
    assert_vector(f, X86_UD);
}

static void paging_cannot_be_left_from_64_bit_code(void **test)
{
    Fixture *f = *test;
    run_in(f, CPU_HARNESS_LONG, "leave_long_mode");
    assert_fault(f, X86_GP, 0);
}

/* Segments in protected mode
 * ----------------------------------------------------------------------------------- */

static void segment_loads_are_checked(void **test)
{
    static const struct {
        const char *snippet;
        unsigned selector, attributes; /* attributes 0: the descriptor stays */
        int vector;
        uint32_t error;
    } row[] = {
        { "load_ds", 0, 0, -1, 0 },
        { "load_ds", 3, 0, -1, 0 },
        { "load_ds", CPU_HARNESS_DATA, 0, -1, 0 },
        { "load_ds", CPU_HARNESS_CODE32, 0, -1, 0 },               /* readable code */
        { "load_ds", TEST_SEGMENT, 0x4098, X86_GP, TEST_SEGMENT }, /* execute-only */
        { "load_ds", TEST_SEGMENT, 0x4012, X86_NP, TEST_SEGMENT },
        { "load_ds", TEST_SEGMENT | 3, 0x4092, X86_GP, TEST_SEGMENT }, /* RPL 3, DPL 0 */
        { "load_ds", TEST_SEGMENT | 3, 0x409E, -1, 0 },                /* conforming, readable */
        { "load_ds", TEST_SEGMENT, 0x0089, X86_GP, TEST_SEGMENT },     /* a TSS */
        { "load_ds", 0x1008, 0, X86_GP, 0x1008 },                      /* past the table */
        { "load_ds", 0x14, 0, X86_GP, 0x14 },                          /* no LDT */
        { "load_ss", 0, 0, X86_GP, 0 },
        { "load_ss", CPU_HARNESS_CODE32, 0, X86_GP, CPU_HARNESS_CODE32 },
        { "load_ss", CPU_HARNESS_USER_DATA, 0, X86_GP, CPU_HARNESS_USER_DATA & ~3 },
        { "load_ss", CPU_HARNESS_DATA | 1, 0, X86_GP, CPU_HARNESS_DATA },
        { "load_ss", TEST_SEGMENT, 0x4090, X86_GP, TEST_SEGMENT }, /* not writable */
        { "load_ss", TEST_SEGMENT, 0x4012, X86_SS, TEST_SEGMENT },
        { "load_ldt", CPU_HARNESS_DATA, 0, X86_GP, CPU_HARNESS_DATA },
        { "load_ldt", 0, 0, -1, 0 },
        { "load_ldt", TEST_SEGMENT, 0x0002, X86_NP, TEST_SEGMENT },
        { "load_ldt", TEST_SEGMENT, 0x0082, -1, 0 },
        { "load_tr", 0, 0, X86_GP, 0 },
        { "load_tr", TEST_SEGMENT, 0x008B, X86_GP, TEST_SEGMENT }, /* busy */
        { "load_tr", TEST_SEGMENT, 0x0009, X86_NP, TEST_SEGMENT },
        { "load_tr", TEST_SEGMENT, 0x0089, -1, 0 },
    };
    Fixture *f = *test;
    for (unsigned i = 0; i < G_N_ELEMENTS(row); i++) {
        start(f, CPU_HARNESS_PROTECTED, row[i].snippet);
        f->state.gpr[0] = row[i].selector;
        if (row[i].attributes)
            set_descriptor(f, TEST_SEGMENT, 0, 0xFFFF, row[i].attributes);
        run(f);
        if (row[i].vector < 0)
            assert_vector(f, -1);
        else
            assert_fault(f, row[i].vector, row[i].error);
    }
}

static void loading_sets_the_accessed_and_busy_bits(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_PROTECTED, "load_ds");
    set_descriptor(f, TEST_SEGMENT, 0, 0xFFFF, 0x4092);
    f->state.gpr[0] = TEST_SEGMENT;
    run(f);
    assert_int_equal(f->ram[CPU_HARNESS_GDT + TEST_SEGMENT + 5], 0x93);
    start(f, CPU_HARNESS_PROTECTED, "load_tr");
    set_descriptor(f, TEST_SEGMENT, TASK_1, 0x67, 0x89);
    f->state.gpr[0] = TEST_SEGMENT;
    run(f);
    assert_int_equal(f->ram[CPU_HARNESS_GDT + TEST_SEGMENT + 5], 0x8B);
}

static void segment_limits_and_rights_hold(void **test)
{
    static const struct {
        const char *snippet;
        unsigned attributes;
        uint32_t offset;
        int vector;
    } row[] = {
        { "store_fs", 0x4092, 0xFFF, -1 },       { "store_fs", 0x4092, 0x1000, X86_GP },
        { "store_fs", 0x4090, 0, X86_GP },       { "load_fs", 0x4090, 0xFFF, -1 },
        { "store_fs", 0x409A, 0, X86_GP },       { "load_fs", 0x409A, 0, -1 },
        { "store_fs", 0x4096, 0xFFF, X86_GP }, /* expand-down */
        { "store_fs", 0x4096, 0x1000, -1 },      { "load_fs", 0x0096, 0x10000, X86_GP },
        { "load_fs", 0x4096, 0x10000, -1 },      { "stack_overrun", 0x4092, 0x1004, X86_SS },
        { "stack_overrun", 0x4092, 0x1000, -1 },
    };
    Fixture *f = *test;
    for (unsigned i = 0; i < G_N_ELEMENTS(row); i++) {
        if (row[i].vector == X86_SS &&
            cpu_harness_known_difference(f->harness, __func__, "a task gate for a fault is #GP"))
            continue;
        start(f, CPU_HARNESS_PROTECTED, row[i].snippet);
        set_descriptor(f, TEST_SEGMENT, DATA, 0xFFF, row[i].attributes);
        f->state.gpr[0] = TEST_SEGMENT;
        f->state.gpr[3] = row[i].offset;
        if (row[i].vector == X86_SS) { /* nothing can be pushed there: a task with a stack */
            set_task32(f, TASK_2_SELECTOR, TASK_2, "just_end");
            set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
            set_gate(f, CPU_HARNESS_IDT32 + X86_SS * 8, TASK_2_SELECTOR, 0, 0x85, 0);
            f->state.task = (CpuSegment){ TASK_1, 0x67, TASK_1_SELECTOR, 0x8B };
            run(f);
            assert_int_equal(f->state.rip, address_of(f, "just_end") + CPU_HARNESS_END_RIP);
            assert_int_equal(f->state.task.selector, TASK_2_SELECTOR);
            assert_int_equal(f->state.gpr[4], TASK_STACK - 4);
            assert_int_equal(peek(f, TASK_STACK - 4, 4), 0); /* the error code */
            continue;
        }
        run(f);
        if (row[i].vector < 0)
            assert_vector(f, -1);
        else
            assert_fault(f, row[i].vector, 0);
    }
}

static void far_jumps_are_checked(void **test)
{
    static const struct {
        unsigned selector, attributes;
        int vector;
        uint32_t error;
    } row[] = {
        { CPU_HARNESS_CODE32, 0, -1, 0 },
        { 0, 0, X86_GP, 0 },
        { CPU_HARNESS_DATA, 0, X86_GP, CPU_HARNESS_DATA },
        { CPU_HARNESS_USER_CODE32, 0, X86_GP, CPU_HARNESS_USER_CODE32 & ~3 },
        { TEST_SEGMENT, 0xC01A, X86_NP, TEST_SEGMENT },
        { TEST_SEGMENT, 0x409A, X86_GP, 0 }, /* offset past the limit */
        { TEST_SEGMENT | 3, 0xC09A, X86_GP, TEST_SEGMENT },
        { TEST_SEGMENT | 3, 0xC09E, -1, 0 }, /* conforming: RPL does not count */
        { TEST_SEGMENT, 0x0082, X86_GP, TEST_SEGMENT },
    };
    Fixture *f = *test;
    for (unsigned i = 0; i < G_N_ELEMENTS(row); i++) {
        start(f, CPU_HARNESS_PROTECTED, "jump_ax");
        if (row[i].attributes)
            set_descriptor(f, TEST_SEGMENT, 0, row[i].attributes & 0x8000 ? 0xFFFFFFFF : 0xFFF,
                           row[i].attributes);
        f->state.gpr[0] = row[i].selector;
        f->state.gpr[3] = address_of(f, "just_end");
        run(f);
        if (row[i].vector < 0)
            assert_int_equal(f->state.rip, address_of(f, "just_end") + CPU_HARNESS_END_RIP);
        else
            assert_fault(f, row[i].vector, row[i].error);
    }
}

static void code_up_to_an_odd_limit_runs(void **test)
{
    Fixture *f = *test;
    uint64_t target = address_of(f, "count_to_twelve");
    start(f, CPU_HARNESS_PROTECTED, "jump_ax");
    set_descriptor(f, TEST_SEGMENT, 0, (uint32_t)target + 9, 0x409A);
    f->state.gpr[0] = TEST_SEGMENT;
    f->state.gpr[3] = target;
    run(f);
    assert_fault(f, X86_GP, 0);
    assert_int_equal(f->state.gpr[1], 8);
    start(f, CPU_HARNESS_PROTECTED, "jump_ax");
    set_descriptor(f, TEST_SEGMENT, 0, (uint32_t)target + 0x20, 0x409A);
    f->state.gpr[0] = TEST_SEGMENT;
    f->state.gpr[3] = target;
    run(f);
    assert_int_equal(f->state.gpr[1], 12);
}

static void lar_lsl_and_ver_look_without_faulting(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_PROTECTED, "lar_lsl");
    set_descriptor(f, TEST_SEGMENT, DATA, 0x12345FFF, 0xC090);
    f->state.gpr[0] = TEST_SEGMENT;
    run(f);
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[2] & 0xFFFF, 0x0101);
    assert_int_equal(f->state.gpr[1], 0x12345FFF);
    assert_int_equal(f->state.gpr[3] & 0xFFFF, 0x0001); /* readable, not writable */
    start(f, CPU_HARNESS_PROTECTED, "lar_lsl");
    f->state.gpr[0] = 0x1008;
    run(f);
    assert_int_equal(f->state.gpr[2] & 0xFFFF, 0);
}

/* Gates, tasks, virtual-8086
 * ----------------------------------------------------------------------------------- */

static void call_gate_changes_stack_and_takes_parameters(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "far CALL in ring 3 is #UD");
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    start(f, CPU_HARNESS_PROTECTED, "call_gate");
    set_gate(f, CPU_HARNESS_GDT + CALL_GATE, CPU_HARNESS_CODE32, address_of(f, "call_gate_target"),
             0xEC, 2);
    run(f);
    assert_fault(f, X86_GP, 0); /* HLT in ring 3, after coming back */
    assert_int_equal(f->state.gpr[0], 0x2222);
    assert_int_equal(f->state.gpr[3], 0x1111);
    assert_int_equal(f->state.gpr[1], CPU_HARNESS_USER_DATA);
    assert_int_equal(f->state.gpr[2], KERNEL_STACK - 24);
    assert_int_equal(f->state.gpr[6], CPU_HARNESS_CODE32);
    assert_int_equal(f->state.gpr[5], CPU_HARNESS_USER_CODE32);
    assert_int_equal(f->state.gpr[7], USER_STACK); /* RETF released the parameters */
}

static void call_gate_needs_its_dpl(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "far CALL in ring 3 is #UD");
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    start(f, CPU_HARNESS_PROTECTED, "call_gate");
    set_gate(f, CPU_HARNESS_GDT + CALL_GATE, CPU_HARNESS_CODE32, address_of(f, "call_gate_target"),
             0x8C, 2);
    run(f);
    assert_fault(f, X86_GP, CALL_GATE);
}

static void interrupt_gate_brings_ring_3_to_ring_0(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "INT n in ring 3 is #UD");
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_idt32(f, 0x80, address_of(f, "interrupt_32_entry"), 0xEE);
    set_idt32(f, 0x81, address_of(f, "interrupt_32_entry"), 0x8E);
    run_in(f, CPU_HARNESS_PROTECTED, "interrupt_32");
    assert_fault(f, X86_GP, 0x81 * 8 + 2);
    assert_int_equal(f->state.gpr[5], 0x66);
    assert_int_equal(f->state.gpr[3], CPU_HARNESS_USER_CODE32);
    assert_true(f->state.gpr[1] & RFLAGS_IF);
    assert_int_equal(f->state.gpr[2], USER_STACK);
    assert_int_equal(f->state.gpr[6], CPU_HARNESS_USER_DATA);
    assert_false(f->state.gpr[7] & RFLAGS_IF);
}

static void jump_switches_tasks_and_back(void **test)
{
    Fixture *f = *test;
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_task32(f, TASK_2_SELECTOR, TASK_2, "task_other");
    poke(f, TASK_2 + 0x28, 41, 4); /* its EAX */
    run_in(f, CPU_HARNESS_PROTECTED, "task_jump");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[3], 0x1234);
    assert_int_equal(f->state.gpr[1], 0x5678);
    assert_int_equal(f->state.gpr[2] & 0xFFFF, TASK_1_SELECTOR);
    assert_int_equal(peek(f, DATA + 0x10, 4), TASK_2_SELECTOR);
    assert_int_equal(peek(f, DATA + 0x14, 4), 42);
    assert_int_equal(peek(f, TASK_2 + 0x28, 4), 42); /* saved on the way out */
    assert_int_equal(f->ram[CPU_HARNESS_GDT + TASK_1_SELECTOR + 5], 0x8B);
    assert_int_equal(f->ram[CPU_HARNESS_GDT + TASK_2_SELECTOR + 5], 0x89);
}

static void called_task_returns_by_iret(void **test)
{
    Fixture *f = *test;
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_task32(f, TASK_2_SELECTOR, TASK_2, "task_callee");
    run_in(f, CPU_HARNESS_PROTECTED, "task_call");
    assert_vector(f, -1);
    assert_int_equal(f->state.gpr[1], 0x5678);
    assert_true(peek(f, DATA + 0x10, 4) & RFLAGS_NT);
    assert_true(peek(f, DATA + 0x14, 4) & CR0_TS);
    assert_false(f->state.gpr[7] & RFLAGS_NT);
    assert_int_equal(peek(f, TASK_2, 2), TASK_1_SELECTOR);
    assert_int_equal(f->state.task.selector, TASK_1_SELECTOR);
    assert_int_equal(f->ram[CPU_HARNESS_GDT + TASK_2_SELECTOR + 5], 0x89);
}

static void busy_or_short_tasks_are_refused(void **test)
{
    Fixture *f = *test;
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    run_in(f, CPU_HARNESS_PROTECTED, "task_busy");
    assert_fault(f, X86_GP, TASK_1_SELECTOR);
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_task32(f, TASK_2_SELECTOR, TASK_2, "task_other");
    set_descriptor(f, TASK_2_SELECTOR, TASK_2, 0x66, 0x89);
    run_in(f, CPU_HARNESS_PROTECTED, "task_jump");
    assert_fault(f, X86_TS, TASK_2_SELECTOR);
    assert_int_equal(f->state.task.selector, TASK_1_SELECTOR);
}

static void fault_in_the_new_task_belongs_to_it(void **test)
{
    Fixture *f = *test;
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_task32(f, TASK_2_SELECTOR, TASK_2, "task_other");
    poke(f, TASK_2 + 0x54, CPU_HARNESS_CODE32 | 3, 2); /* DS: RPL 3 of a DPL 0 segment */
    run_in(f, CPU_HARNESS_PROTECTED, "task_jump");
    assert_fault(f, X86_TS, CPU_HARNESS_CODE32);
    assert_int_equal(f->state.task.selector, TASK_2_SELECTOR);
    assert_int_equal(peek(f, f->state.gpr[4] + 4, 4), address_of(f, "task_other"));
}

static void virtual_8086_faults_go_to_ring_0(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "the frame of a fault in virtual-8086 mode lacks the segment registers");
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    start(f, CPU_HARNESS_PROTECTED, "to_v86");
    f->state.gpr[0] = RFLAGS_VM | RFLAGS_IF | 2;
    run(f);
    assert_fault(f, X86_GP, 0);
    assert_int_equal(f->state.gpr[3] & 0xFFFF, 0x1000);
    assert_int_equal(f->state.gpr[2] & 0xFFFF, 0x3000);
    assert_int_equal(peek(f, 0x30020, 2), 0x4321);
    assert_int_equal(peek(f, 0x200FE, 2), 0x5A5A);
    assert_int_equal(f->state.gpr[4], KERNEL_STACK - 40);
    assert_int_equal(peek(f, f->state.gpr[4] + 8, 2), 0x1000); /* CS */
    assert_true(peek(f, f->state.gpr[4] + 12, 4) & RFLAGS_VM);
    assert_int_equal(peek(f, f->state.gpr[4] + 20, 2), 0x2000); /* SS */
    assert_int_equal(peek(f, f->state.gpr[4] + 24, 2), 0x1003); /* ES */
    assert_int_equal(peek(f, f->state.gpr[4] + 36, 2), 0x1000); /* GS */
    assert_int_equal(f->state.segment[CPU_DS].selector, 0);
    assert_false(f->state.rflags & RFLAGS_VM);
}

static void virtual_8086_with_iopl_3_may_interrupt(void **test)
{
    Fixture *f = *test;
    SKIP_IF_KNOWN(f, "INT n in virtual-8086 mode is #UD");
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_idt32(f, 0x20, CPU_HARNESS_VECTOR(0x20), 0xEE);
    start(f, CPU_HARNESS_PROTECTED, "to_v86");
    f->state.gpr[0] = RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL | 2;
    run(f);
    assert_vector(f, 0x20);
    assert_int_equal(f->state.gpr[4], KERNEL_STACK - 36);
    assert_false(peek(f, f->state.gpr[4] + 8, 4) & RFLAGS_IF); /* CLI worked */
}

static void io_bitmap_opens_single_ports(void **test)
{
    Fixture *f = *test;
    set_task32(f, TASK_1_SELECTOR, TASK_1, NULL);
    set_descriptor(f, TASK_1_SELECTOR, TASK_1, 0x67 + 0x20, 0x89);
    memset(f->ram + TASK_1 + 0x68, 0xFF, 0x20);
    f->ram[TASK_1 + 0x68 + 0x60 / 8] = 0xFE;
    run_in(f, CPU_HARNESS_PROTECTED, "io_bitmap");
    assert_fault(f, X86_GP, 0);
    assert_int_equal(f->state.gpr[3], 1);
}

/* Real mode
 * ------------------------------------------------------------------------------------ */

static void real_mode_interrupt_returns(void **test)
{
    Fixture *f = *test;
    uint64_t handler = address_of(f, "real_handler");
    poke(f, 0x50 * 4, (handler - 0x10000) | 0x10000000, 4);
    start(f, CPU_HARNESS_REAL, "real_interrupt");
    f->state.segment[CPU_CS].selector = 0x1000;
    f->state.segment[CPU_CS].base = 0x10000;
    f->state.rip -= 0x10000;
    run(f);
    assert_int_equal(f->state.gpr[3] & 0xFFFF, 0x99);
    assert_int_equal(f->state.gpr[1] & 0xFFFF, 0x7000 - 6);
    assert_int_equal(f->state.gpr[4] & 0xFFFF, 0x7000);
    assert_false(f->state.gpr[2] & RFLAGS_IF);
    assert_true(f->state.rflags & RFLAGS_IF);
    assert_true(f->state.rflags & RFLAGS_CF);
}

static void protected_mode_is_entered_and_left(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_REAL, "real_to_protected");
    f->state.segment[CPU_CS].selector = 0x1000;
    f->state.segment[CPU_CS].base = 0x10000;
    f->state.rip -= 0x10000;
    f->state.gdt.base = CPU_HARNESS_GDT;
    set_descriptor(f, CPU_HARNESS_CODE16, 0, 0xFFFFF, 0x809A);
    run(f);
    assert_int_equal(f->state.cr0 & CR0_PE, 0);
    assert_int_equal(f->state.gpr[3], 0x600DF00D);
    assert_int_equal(peek(f, DATA, 2), 0xBEEF);
    assert_int_equal(f->state.segment[CPU_CS].selector, 0x1000);
}

static void limits_outlive_protected_mode(void **test)
{
    Fixture *f = *test;
    start(f, CPU_HARNESS_REAL, "unreal");
    f->state.segment[CPU_CS].selector = 0x1000;
    f->state.segment[CPU_CS].base = 0x10000;
    f->state.rip -= 0x10000;
    f->state.gdt.base = CPU_HARNESS_GDT;
    run(f);
    assert_int_equal(peek(f, 0x200000, 4), 0xCAFE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(syscall_and_sysret_go_to_the_kernel_and_back),
        TEST(sysret_to_a_wild_address_faults_in_the_kernel),
        TEST(syscall_without_sce_is_undefined),
        TEST(interrupt_uses_its_ist_stack),
        TEST(interrupt_from_user_needs_the_gates_dpl),
        TEST(absent_gate_is_np_with_the_idt_bit),
        TEST(user_may_not_do_what_is_the_kernels),
        TEST(user_fault_saves_ring_3),
        TEST(halt_is_ended_by_nmi),
        TEST(interrupt_waits_for_the_instruction_after_sti),
        TEST(interrupt_ends_a_halt_right_after_sti),
        TEST(interrupt_waits_for_the_instruction_after_mov_ss),
        TEST(iret_enters_compatibility_mode),
        TEST(page_rights_and_error_codes),
        TEST(stac_opens_user_pages_until_clac),
        TEST(accessed_and_dirty_bits_are_set),
        TEST(invlpg_drops_all_of_a_large_page),
        TEST(rep_movs_stops_at_a_missing_page_and_goes_on),
        TEST(single_step_traps_after_the_next_instruction),
        TEST(single_step_counts_every_instruction),
        TEST(data_breakpoint_traps_after_the_write),
        TEST(code_breakpoint_faults_once_when_resumed_with_rf),
        TEST(general_detect_guards_the_debug_registers),
        TEST(fault_on_the_way_to_a_fault_is_a_double_fault),
        TEST(benign_fault_first_is_no_double_fault),
        TEST(triple_fault_shuts_down),
        TEST(store_into_the_next_instruction_is_seen),
        TEST(store_into_code_of_another_page_is_seen),
        TEST(address_that_is_not_canonical_faults),
        TEST(msr_that_does_not_exist_faults),
        TEST(swapgs_exchanges_the_kernels_base),
        TEST(fsgsbase_needs_canonical_bases),
        TEST(paging_cannot_be_left_from_64_bit_code),
        TEST(segment_loads_are_checked),
        TEST(loading_sets_the_accessed_and_busy_bits),
        TEST(segment_limits_and_rights_hold),
        TEST(far_jumps_are_checked),
        TEST(code_up_to_an_odd_limit_runs),
        TEST(lar_lsl_and_ver_look_without_faulting),
        TEST(call_gate_changes_stack_and_takes_parameters),
        TEST(call_gate_needs_its_dpl),
        TEST(interrupt_gate_brings_ring_3_to_ring_0),
        TEST(jump_switches_tasks_and_back),
        TEST(called_task_returns_by_iret),
        TEST(busy_or_short_tasks_are_refused),
        TEST(fault_in_the_new_task_belongs_to_it),
        TEST(virtual_8086_faults_go_to_ring_0),
        TEST(virtual_8086_with_iopl_3_may_interrupt),
        TEST(io_bitmap_opens_single_ports),
        TEST(real_mode_interrupt_returns),
        TEST(protected_mode_is_entered_and_left),
        TEST(limits_outlive_protected_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
