/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "native-run.h"
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* At NATIVE_CONTROL: reached by absolute 32-bit addresses, for no register is free. */
typedef struct {
    uint64_t gpr[16];
    uint64_t rflags;     /* 128 */
    uint64_t host_rsp;   /* 136 */
    uint64_t entry;      /* 144 */
    uint32_t far_offset; /* 152 */
    uint16_t far_selector;
    uint8_t exit_stub[32]; /* jumps to native_leave: within reach of 32-bit code */
} NativeControl;
#define CONTROL ((NativeControl *)(uintptr_t)NATIVE_CONTROL)
_Static_assert(offsetof(NativeControl, far_offset) == 152, "used by the assembly");

void native_enter_64(void);
void native_enter_32(void);
void native_leave(void);

/* clang-format off */
__asm__(
    ".pushsection .text\n"
    ".macro native_load\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, 0x180088\n"
    "    pushq 0x180080\n popfq\n"
    "    mov 0x180000, %rax\n mov 0x180008, %rcx\n mov 0x180010, %rdx\n mov 0x180018, %rbx\n"
    "    mov 0x180020, %rsp\n mov 0x180028, %rbp\n mov 0x180030, %rsi\n mov 0x180038, %rdi\n"
    "    mov 0x180040, %r8\n mov 0x180048, %r9\n mov 0x180050, %r10\n mov 0x180058, %r11\n"
    "    mov 0x180060, %r12\n mov 0x180068, %r13\n mov 0x180070, %r14\n mov 0x180078, %r15\n"
    ".endm\n"
    ".globl native_enter_64, native_enter_32, native_leave\n"
    "native_enter_64:\n"
    "    native_load\n"
    "    jmp *0x180090\n"
    "native_enter_32:\n"
    "    mov $0x2b, %eax\n mov %eax, %ds\n mov %eax, %es\n"
    "    native_load\n"
    "    ljmpl *0x180098\n"
    "native_leave:\n"
    "    mov %rax, 0x180000\n mov %rcx, 0x180008\n mov %rdx, 0x180010\n mov %rbx, 0x180018\n"
    "    mov %rsp, 0x180020\n mov %rbp, 0x180028\n mov %rsi, 0x180030\n mov %rdi, 0x180038\n"
    "    mov %r8, 0x180040\n mov %r9, 0x180048\n mov %r10, 0x180050\n mov %r11, 0x180058\n"
    "    mov %r12, 0x180060\n mov %r13, 0x180068\n mov %r14, 0x180070\n mov %r15, 0x180078\n"
    "    mov 0x180088, %rsp\n"
    "    pushfq\n popq 0x180080\n cld\n"
    "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "    ret\n"
    ".popsection\n");
/* clang-format on */

static sigjmp_buf fault_jump;
static int fault_vector;
static uint64_t fault_rip;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                       REG_R12, REG_R13, REG_R14, REG_R15 };
    const greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)gregs[REG_RIP];
    if (rip < NATIVE_CODE || rip >= NATIVE_CODE + NATIVE_CODE_SIZE)
        abort(); /* not the code under test */
    for (unsigned i = 0; i < 16; i++)
        CONTROL->gpr[i] = (uint64_t)gregs[order[i]];
    CONTROL->rflags = (uint64_t)gregs[REG_EFL];
    fault_rip = rip;
    fault_vector = (int)gregs[REG_TRAPNO];
    siglongjmp(fault_jump, 1);
}

static bool map_low(uintptr_t address, size_t length, int protection)
{
    void *wanted = (void *)address;
    void *got =
        mmap(wanted, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return got == wanted;
}

bool native_init(void)
{
    if (!map_low(NATIVE_CODE, NATIVE_CONTROL - NATIVE_CODE + 0x1000,
                 PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !map_low(NATIVE_SCRATCH, NATIVE_SCRATCH_SIZE, PROT_READ | PROT_WRITE))
        return false;
    uint8_t *stub = CONTROL->exit_stub;
    uint64_t leave = (uint64_t)(uintptr_t)native_leave;
    memcpy(stub, "\xFF\x25\x00\x00\x00\x00", 6); /* JMP [RIP + 0] */
    memcpy(stub + 6, &leave, 8);
    static uint8_t stack[65536];
    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    static const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS };
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    return true;
}

void native_put_end(uint8_t *at, bool is32)
{
    uint32_t stub = (uint32_t)(uintptr_t)CONTROL->exit_stub;
    if (is32) { /* JMP 33h:stub */
        at[0] = 0xEA;
        memcpy(at + 1, &stub, 4);
        memcpy(at + 5, "\x33\x00", 2);
    } else {
        uint32_t relative = stub - ((uint32_t)(uintptr_t)at + 5);
        at[0] = 0xE9;
        memcpy(at + 1, &relative, 4);
        memcpy(at + 5, "\x90\x90", 2);
    }
}

int native_run(NativeState *state, bool is32)
{
    memcpy(CONTROL->gpr, state->gpr, sizeof state->gpr);
    CONTROL->rflags = state->rflags;
    CONTROL->entry = state->rip;
    CONTROL->far_offset = (uint32_t)state->rip;
    CONTROL->far_selector = 0x23;
    fault_vector = -1;
    if (!sigsetjmp(fault_jump, 1)) {
        if (is32)
            native_enter_32();
        else
            native_enter_64();
    } else {
        __asm__ volatile("cld");
    }
    memcpy(state->gpr, CONTROL->gpr, sizeof state->gpr);
    state->rflags = CONTROL->rflags;
    state->rip = fault_rip;
    return fault_vector;
}
