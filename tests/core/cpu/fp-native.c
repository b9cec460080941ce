/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fp-native.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { GP = 13, XM = 19 };

G_STATIC_ASSERT(offsetof(FpCase, memory) + 64 == FP_OPERAND_OFFSET);

struct FpBatch {
    CpuHarness *harness;
    uint8_t *window; /* at FP_CODE */
    uint8_t *code;   /* next byte */
    FpCase *cases;   /* at FP_DATA */
    unsigned n_cases;
    uint8_t *copy; /* data as it was before the runs */
};

/* Random -------------------------------------------------------------------------------------- */

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);

uint64_t fp_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

unsigned fp_random_below(unsigned n)
{
    return (unsigned)(fp_random() >> 33) % n;
}

uint32_t fp_random_single(void)
{
    static const uint32_t special[] = {
        0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00001,
        0xFFC12345, 0x7F800001, 0xFFA00000, 1,          0x80000001, 0x007FFFFF, 0x00800000,
        0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x4B000001, 0x4F000000, 0xCF000000, 0x5F000000,
        0x3F000000, 0x3FC00000, 0x5EFFFFFF, 0x00000123
    };
    uint32_t value = (uint32_t)(fp_random() >> 20);
    switch (fp_random_below(4)) {
    case 0: return special[fp_random_below(G_N_ELEMENTS(special))];
    case 1: return (value & 0x807FFFFF) | (120 + fp_random_below(16)) << 23;
    case 2: return (value & 0x80FFFFFF) | (fp_random_below(2) ? 0x7E000000 : 0);
    default: return value;
    }
}

uint64_t fp_random_double(void)
{
    static const uint64_t special[] = {
        0,
        UINT64_C(0x8000000000000000),
        UINT64_C(0x3FF0000000000000),
        UINT64_C(0xBFF0000000000000),
        UINT64_C(0x7FF0000000000000),
        UINT64_C(0xFFF0000000000000),
        UINT64_C(0x7FF8000000000001),
        UINT64_C(0xFFF8123456789ABC),
        UINT64_C(0x7FF0000000000001),
        UINT64_C(0xFFF4000000000000),
        1,
        UINT64_C(0x800FFFFFFFFFFFFF),
        UINT64_C(0x0010000000000000),
        UINT64_C(0x7FEFFFFFFFFFFFFF),
        UINT64_C(0x41E0000000000000),
        UINT64_C(0x43E0000000000000),
        UINT64_C(0x41DFFFFFFFC00000),
        UINT64_C(0x47EFFFFFF0000000),
        UINT64_C(0x36A0000000000000),
        UINT64_C(0x3810000000000000),
    };
    uint64_t value = fp_random();
    switch (fp_random_below(4)) {
    case 0: return special[fp_random_below(G_N_ELEMENTS(special))];
    case 1:
        return (value & UINT64_C(0x800FFFFFFFFFFFFF)) | (uint64_t)(1010 + fp_random_below(60))
                                                            << 52;
    case 2:
        return (value & UINT64_C(0x801FFFFFFFFFFFFF)) |
               (fp_random_below(2) ? UINT64_C(0x7FC0000000000000) : 0);
    default: return value;
    }
}

void fp_random_extended(uint8_t *out_bytes)
{
    static const uint16_t exponents[] = { 0, 1, 0x3FFF, 0x7FFE, 0x7FFF, 0x3FFE, 0x4000, 0x403E };
    static const uint64_t significands[] = { 0,
                                             UINT64_C(0x8000000000000000),
                                             UINT64_C(0xC000000000000000),
                                             UINT64_C(0xA000000000000001),
                                             UINT64_C(0xFFFFFFFFFFFFFFFF),
                                             1,
                                             UINT64_C(0x4000000000000000) };
    uint64_t significand = fp_random() | UINT64_C(1) << 63;
    uint16_t exponent = (uint16_t)fp_random();
    switch (fp_random_below(8)) {
    case 0:
        exponent = exponents[fp_random_below(G_N_ELEMENTS(exponents))];
        significand = significands[fp_random_below(G_N_ELEMENTS(significands))];
        break;
    case 1: exponent = exponents[fp_random_below(G_N_ELEMENTS(exponents))]; break;
    case 2: /* a small integer */
        significand = UINT64_C(1) << 63 | (uint64_t)fp_random_below(64) << 57;
        exponent = 0x3FFF + fp_random_below(8);
        break;
    case 3: exponent = fp_random_below(2) ? 0x3C00 + fp_random_below(64) : 0x4400; break;
    case 4: break;
    default: exponent = 0x3FF0 + fp_random_below(32); break;
    }
    if (fp_random_below(2))
        exponent ^= 0x8000;
    memcpy(out_bytes, &significand, 8);
    memcpy(out_bytes + 8, &exponent, 2);
}

void fp_random_vector(uint8_t *out_bytes)
{
    unsigned kind = fp_random_below(4);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t d = kind == 0 ? (uint32_t)(fp_random() >> 13) : fp_random_single();
        memcpy(out_bytes + 4 * i, &d, 4);
    }
    for (unsigned i = 0; kind == 1 && i < 2; i++) {
        uint64_t q = fp_random_double();
        memcpy(out_bytes + 8 * i, &q, 8);
    }
    if (kind == 2 && fp_random_below(2)) { /* bytes out of few: strings, saturation */
        for (unsigned i = 0; i < 16; i++)
            out_bytes[i] = "\0abc\x7F\x80\xFF\1"[fp_random_below(8)];
    }
}

/* Batches ------------------------------------------------------------------------------------- */

FpBatch *fp_batch_new(void)
{
    FpBatch *batch = g_new0(FpBatch, 1);
    batch->harness = cpu_harness_new(cpu_harness_choose());
    batch->window = mmap((void *)FP_CODE, FP_WINDOW_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(batch->window, (void *)FP_CODE);
    batch->cases = (FpCase *)FP_DATA;
    batch->copy = g_malloc(FP_MAX_CASES * sizeof(FpCase));
    fp_batch_clear(batch);
    return batch;
}

void fp_batch_free(FpBatch *batch)
{
    munmap(batch->window, FP_WINDOW_SIZE);
    cpu_harness_free(batch->harness);
    g_free(batch->copy);
    g_free(batch);
}

void fp_batch_clear(FpBatch *batch)
{
    batch->code = batch->window;
    batch->n_cases = 0;
}

static void put(FpBatch *batch, const void *bytes, unsigned length)
{
    memcpy(batch->code, bytes, length);
    batch->code += length;
}

/* An instruction with a 32-bit displacement from RBX to @field. */
static void put_rbx(FpBatch *batch, const char *bytes, unsigned length, size_t field)
{
    uint32_t displacement = (uint32_t)field;
    put(batch, bytes, length);
    put(batch, &displacement, 4);
}
#define PUT_RBX(batch, bytes, field) put_rbx(batch, bytes, sizeof(bytes) - 1, field)

FpCase *fp_batch_add(FpBatch *batch, const uint8_t *code, unsigned length, const char *name)
{
    if (batch->n_cases == FP_MAX_CASES) {
        fp_batch_run(batch);
        fp_batch_clear(batch);
    }
    FpCase *fp_case = &batch->cases[batch->n_cases++];
    uint32_t address = (uint32_t)(uintptr_t)fp_case;
    memset(fp_case, 0, sizeof(*fp_case));
    fp_case->in[0] = 0x7F;
    fp_case->in[1] = 0x03;
    fp_case->in[24] = 0x80;
    fp_case->in[25] = 0x1F;
    fp_case->flags_in = 2;
    g_strlcpy(fp_case->name, name, sizeof(fp_case->name));

    put(batch, "\x31\xF6", 2); /* xor esi, esi: an index for operands */
    put(batch, "\xBB", 1);     /* mov ebx, case */
    put(batch, &address, 4);
    PUT_RBX(batch, "\x48\x0F\xAE\x8B", offsetof(FpCase, in));    /* fxrstor64 [rbx + in] */
    PUT_RBX(batch, "\xFF\xB3", offsetof(FpCase, flags_in));      /* push [rbx + flags_in] */
    put(batch, "\x9D", 1);                                       /* popfq */
    PUT_RBX(batch, "\x48\x8B\x83", offsetof(FpCase, gpr_in[0])); /* mov rax, … */
    PUT_RBX(batch, "\x48\x8B\x8B", offsetof(FpCase, gpr_in[1])); /* mov rcx, … */
    PUT_RBX(batch, "\x48\x8B\x93", offsetof(FpCase, gpr_in[2])); /* mov rdx, … */
    put(batch, code, length);
    put(batch, "\x9C", 1);                                        /* pushfq */
    PUT_RBX(batch, "\x8F\x83", offsetof(FpCase, flags_out));      /* pop [rbx + flags_out] */
    PUT_RBX(batch, "\x48\x89\x83", offsetof(FpCase, gpr_out[0])); /* mov …, rax */
    PUT_RBX(batch, "\x48\x89\x8B", offsetof(FpCase, gpr_out[1]));
    PUT_RBX(batch, "\x48\x89\x93", offsetof(FpCase, gpr_out[2]));
    PUT_RBX(batch, "\x48\x0F\xAE\x83", offsetof(FpCase, out)); /* fxsave64 [rbx + out] */
    return fp_case;
}

/* All registers are the code's; the x87 is left as the ABI wants it. */
static void run_native(void *code)
{
    uint32_t mxcsr;
    uint16_t control;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    asm volatile("push %%rbx\n\t"
                 "push %%rbp\n\t"
                 "sub $136, %%rsp\n\t"
                 "call *%%rax\n\t"
                 "add $136, %%rsp\n\t"
                 "pop %%rbp\n\t"
                 "pop %%rbx\n\t"
                 "fninit\n\t"
                 "cld"
                 : "+a"(code)
                 :
                 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
    asm volatile("fnclex\n\tldmxcsr %0\n\tfldcw %1" ::"m"(mxcsr), "m"(control));
}

static void print_bytes(const char *what, const uint8_t *bytes, unsigned length)
{
    print_message("  %-10s", what);
    for (unsigned i = length; i-- > 0;)
        print_message("%02x%s", bytes[i], i % 8 ? "" : " ");
    print_message("\n");
}

static void explain(const FpCase *fp_case, const FpCase *native, const FpCase *soft)
{
    print_message("%s\n", fp_case->name);
    print_message("  in: fcw %04x fsw %04x ftw %02x mxcsr %04x rax %lx rcx %lx rdx %lx flags %lx\n",
                  *(uint16_t *)fp_case->in, *(uint16_t *)(fp_case->in + 2), fp_case->in[4],
                  *(uint32_t *)(fp_case->in + 24), fp_case->gpr_in[0], fp_case->gpr_in[1],
                  fp_case->gpr_in[2], fp_case->flags_in);
    print_bytes("memory", fp_case->memory + 64, 16);
    const FpCase *both[] = { native, soft };
    for (unsigned i = 0; i < 2; i++) {
        const FpCase *c = both[i];
        print_message(
            "  %s: fip %lx fcw %04x fsw %04x ftw %02x mxcsr %04x rax %lx rcx %lx rdx %lx flags "
            "%lx\n",
            i ? "guest " : "native", *(uint64_t *)(c->out + 8), *(uint16_t *)c->out,
            *(uint16_t *)(c->out + 2), c->out[4], *(uint32_t *)(c->out + 24), c->gpr_out[0],
            c->gpr_out[1], c->gpr_out[2], c->flags_out);
    }
    for (unsigned i = 0; i < 24; i++) {
        const uint8_t *n = native->out + 32 + 16 * i, *s = soft->out + 32 + 16 * i;
        unsigned length = i < 8 ? 10 : 16;
        if (i >= 2 && memcmp(n, s, length) == 0)
            continue;
        print_message(" %s%u\n", i < 8 ? "st" : "xmm", i < 8 ? i : i - 8);
        print_bytes("in", fp_case->in + 32 + 16 * i, length);
        print_bytes("native", n, length);
        print_bytes("guest", s, length);
    }
    if (memcmp(native->memory, soft->memory, sizeof(native->memory))) {
        print_bytes("native mem", native->memory + 64, 32);
        print_bytes("guest mem", soft->memory + 64, 32);
    }
}

/* FOP and FDP are kept by processors in different ways. */
static bool same_image(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, 5) == 0 && memcmp(a + 8, b + 8, 8) == 0 &&
           memcmp(a + 24, b + 24, 512 - 24 - 96) == 0;
}

static void compare_case(unsigned i, const FpCase *before, const FpCase *native, FpCase *soft)
{
    memcpy(soft->memory + native->ignore_from, native->memory + native->ignore_from,
           native->ignore_length);
    if (same_image(native->out, soft->out) &&
        memcmp(native->gpr_out, soft->gpr_out, sizeof(native->gpr_out)) == 0 &&
        ((native->flags_out ^ soft->flags_out) & 0x8D5) == 0 &&
        memcmp(native->memory, soft->memory, sizeof(native->memory)) == 0)
        return;
    explain(before, native, soft);
    fail_msg("case %u differs from the processor", i);
}

void fp_batch_run(FpBatch *batch)
{
    size_t data_size = batch->n_cases * sizeof(FpCase), code_size;
    uint8_t *ram = cpu_harness_ram(batch->harness);
    CpuState state;

    *batch->code++ = 0xF4; /* HLT, which ring 3 may not: #GP; for the processor RET */
    code_size = batch->code - batch->window;
    memcpy(batch->copy, batch->cases, data_size);
    cpu_harness_put(batch->harness, FP_CODE, batch->window, code_size);
    cpu_harness_put(batch->harness, FP_DATA, batch->cases, data_size);
    cpu_harness_init_state(batch->harness, &state, CPU_HARNESS_LONG_USER, FP_CODE);
    assert_int_equal(cpu_harness_run(batch->harness, &state), CPU_EXIT_HALTED);
    assert_int_equal(cpu_harness_vector(&state), GP);

    batch->code[-1] = 0xC3;
    run_native(batch->window);

    for (unsigned i = 0; i < batch->n_cases; i++) {
        compare_case(i, (const FpCase *)batch->copy + i, &batch->cases[i],
                     (FpCase *)(ram + FP_DATA) + i);
    }
}

/* One case with exceptions -------------------------------------------------------------------- */

static struct {
    bool raised;
    uint8_t image[512];
    uintptr_t end; /* where the code returns */
} trap;

static void on_sigfpe(int number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    trap.raised = true;
    memcpy(trap.image, user->uc_mcontext.fpregs, 512);
    user->uc_mcontext.gregs[REG_RIP] = (greg_t)trap.end;
}

bool fp_batch_run_unmasked(FpBatch *batch)
{
    uint8_t *ram = cpu_harness_ram(batch->harness);
    struct sigaction action = { .sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO }, old;
    CpuState state;

    *batch->code++ = 0xF4;
    memcpy(batch->copy, batch->cases, sizeof(FpCase));
    cpu_harness_put(batch->harness, FP_CODE, batch->window, batch->code - batch->window);
    cpu_harness_put(batch->harness, FP_DATA, batch->cases, sizeof(FpCase));
    cpu_harness_init_state(batch->harness, &state, CPU_HARNESS_LONG_USER, FP_CODE);
    assert_int_equal(cpu_harness_run(batch->harness, &state), CPU_EXIT_HALTED);

    batch->code[-1] = 0xC3;
    trap.raised = false;
    trap.end = (uintptr_t)(batch->code - 1);
    sigaction(SIGFPE, &action, &old);
    run_native(batch->window);
    sigaction(SIGFPE, &old, NULL);

    const FpCase *before = (const FpCase *)batch->copy;
    FpCase *soft = (FpCase *)(ram + FP_DATA);
    if (!trap.raised) {
        assert_int_equal(cpu_harness_vector(&state), GP);
        compare_case(0, before, batch->cases, soft);
        fp_batch_clear(batch);
        return false;
    }
    /* Whether a result is inexact beside an unmasked overflow or underflow is a matter of its
     * unbounded exponent, which the software CPU does not see: PE may be set in excess. */
    uint32_t mxcsr, native_mxcsr;
    memcpy(&mxcsr, state.xsave + 24, 4);
    memcpy(&native_mxcsr, trap.image + 24, 4);
    if (native_mxcsr & ~(native_mxcsr >> 7) & 0x18)
        mxcsr = (mxcsr & ~0x20u) | (native_mxcsr & 0x20);
    if (cpu_harness_vector(&state) != XM || mxcsr != native_mxcsr ||
        memcmp(state.xsave + 160, trap.image + 160, 256) != 0) {
        memcpy(batch->cases->out, trap.image, 512);
        memcpy(soft->out, state.xsave, 512);
        explain(before, batch->cases, soft);
        fail_msg("exception %d differs from the processor's", cpu_harness_vector(&state));
    }
    fp_batch_clear(batch);
    return true;
}
