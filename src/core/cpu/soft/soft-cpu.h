/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The software x86-64 CPU's own state and what its files share. Included by the files of this
 * folder only; the rest of the core sees cpu.h. Everything here is the vCPU's own thread unless
 * said otherwise.
 *
 * Shape of the folder: decode.c turns bytes into SoftOps; block.c keeps them; run.c drives; mmu.c
 * and memory.c translate and access; int-*.c, string.c, x87.c, sse-*.c are the instructions of user
 * programs; segment.c, transfer.c, interrupt.c, task.c, control.c, msr.c, cpuid.c are the system.
 */

#include "core/cpu/cpu.h"
#include "core/cpu/soft/op.h"
#include <setjmp.h>

/* Data TLB: direct-mapped. An entry hits a read (write) of the bytes [a, a + size) when .read
 * (.write) equals the page of the last byte and the index that of the first: so an access that
 * crosses a page misses without a test of its own. SOFT_TLB_NEVER matches nothing. */
#define SOFT_TLB_BITS 10
#define SOFT_TLB_SIZE (1u << SOFT_TLB_BITS)
#define SOFT_TLB_NEVER UINT64_C(1)
typedef struct {
    uint64_t read, write; /* linear page address, or SOFT_TLB_NEVER */
    uintptr_t addend;     /* host address = linear address + addend */
    uint64_t info;        /* host page address | SOFT_TLB_GLOBAL … */
} SoftTlbEntry;
#define SOFT_TLB_GLOBAL UINT64_C(1)
#define SOFT_TLB_LOGGED UINT64_C(2) /* page of a dirty-logged Ram */

/* Who accesses; each has a table of its own, so that a change of privilege is a change of pointer.
 */
enum {
    SOFT_CONTEXT_KERNEL,      /* supervisor, user pages forbidden (SMAP, AC clear) */
    SOFT_CONTEXT_KERNEL_USER, /* supervisor that may touch user pages; also: paging off */
    SOFT_CONTEXT_USER,
    SOFT_N_CONTEXTS
};

#define SOFT_ITLB_SIZE 512
typedef struct {
    uint64_t tag;        /* linear page | 1 if valid for CPL 3, | 2 for CPL < 3; 0: empty */
    uint64_t phys;       /* physical page address */
    const uint8_t *host; /* its bytes; NULL when it is not plain memory */
    uint64_t info;       /* SOFT_TLB_GLOBAL */
} SoftItlbEntry;

/* Where an indirect transfer to a linear address went last. */
#define SOFT_JUMP_SIZE 4096
typedef struct {
    uint64_t linear;
    uintptr_t host; /* of the block's first byte */
    SoftOp *first;  /* NULL: empty */
    uint32_t mode;
} SoftJump;

typedef struct {
    uint64_t base;
    uint64_t end[2]; /* reads, writes: offset + size may not exceed it. 0 sends each access to
                      * the slow check (null, expand-down, ...); all ones in 64-bit mode */
    uint32_t limit;
    uint16_t selector;
    uint16_t attributes; /* as CpuSegment.attributes */
} SoftSegment;

/* The part of the mode that decoding depends on: part of a block's key. */
enum {
    SOFT_MODE_CODE64 = 1 << 0,
    SOFT_MODE_CODE32 = 1 << 1,  /* default operand and address size 32 (CS.D, not 64-bit) */
    SOFT_MODE_STACK32 = 1 << 2, /* SS.B; also set in 64-bit mode */
    SOFT_MODE_X87 = 1 << 3,     /* CR0.EM = 0 and CR0.TS = 0 */
    SOFT_MODE_SSE = 1 << 4,     /* CR0.EM = 0, CR4.OSFXSR = 1, CR0.TS = 0 */
    SOFT_MODE_REAL = 1 << 5,    /* CR0.PE = 0 or virtual-8086 */
    SOFT_MODE_XSAVE = 1 << 6,   /* CR4.OSXSAVE */
    SOFT_MODE_ONE = 1 << 7,     /* one instruction a block: single-step, breakpoints */
    SOFT_MODE_LIMIT = 1 << 8,   /* CS limit is neither FFFFh nor FFFFFFFFh: blocks are not kept */
    SOFT_MODE_FLAT = 1 << 9,    /* 32-bit code and stack; CS, DS, ES, SS: all 4 GiB from 0 */
};

/* Arithmetic flags live as LAHF and SETO leave them in AX: AH (bits 8-15) = SF ZF 0 AF 0 PF 1 CF,
 * AL (bits 0-7) = OF as 0 or 1. rflags keeps all other flags; its arithmetic bits are stale. */
#define SOFT_FLAG_OF 0x0001u
#define SOFT_FLAG_CF 0x0100u
#define SOFT_FLAG_PF 0x0400u
#define SOFT_FLAG_AF 0x1000u
#define SOFT_FLAG_ZF 0x4000u
#define SOFT_FLAG_SF 0x8000u

#define RFLAGS_CF (1u << 0)
#define RFLAGS_PF (1u << 2)
#define RFLAGS_AF (1u << 4)
#define RFLAGS_ZF (1u << 6)
#define RFLAGS_SF (1u << 7)
#define RFLAGS_TF (1u << 8)
#define RFLAGS_IF (1u << 9)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_OF (1u << 11)
#define RFLAGS_IOPL (3u << 12)
#define RFLAGS_NT (1u << 14)
#define RFLAGS_RF (1u << 16)
#define RFLAGS_VM (1u << 17)
#define RFLAGS_AC (1u << 18)
#define RFLAGS_VIF (1u << 19)
#define RFLAGS_VIP (1u << 20)
#define RFLAGS_ID (1u << 21)
#define RFLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)
#define CR4_VME (1u << 0)
#define CR4_PVI (1u << 1)
#define CR4_TSD (1u << 2)
#define CR4_DE (1u << 3)
#define CR4_PSE (1u << 4)
#define CR4_PAE (1u << 5)
#define CR4_MCE (1u << 6)
#define CR4_PGE (1u << 7)
#define CR4_PCE (1u << 8)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP (1u << 11)
#define CR4_FSGSBASE (1u << 16)
#define CR4_PCIDE (1u << 17)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)

enum {
    X86_DE,
    X86_DB,
    X86_NMI,
    X86_BP,
    X86_OF,
    X86_BR,
    X86_UD,
    X86_NM,
    X86_DF,
    X86_TS = 10,
    X86_NP,
    X86_SS,
    X86_GP,
    X86_PF,
    X86_MF = 16,
    X86_AC,
    X86_MC,
    X86_XM
};

typedef union {
    uint64_t q[4];
    uint32_t d[8];
    uint16_t w[16];
    uint8_t b[32];
} __attribute__((aligned(32))) SoftVector; /* XMM in the low half; room for YMM */

typedef struct SoftBlock SoftBlock;
typedef struct SoftMachine SoftMachine;
typedef struct SoftCodeCache SoftCodeCache; /* block.c */

struct SoftCpu {
    Vcpu vcpu;

    /* Hot: guest registers, addressed by slot from gpr. */
    uint64_t gpr[16] __attribute__((aligned(64)));
    uint64_t zero; /* SOFT_SLOT_ZERO */
    uint64_t
        rip; /* SOFT_SLOT_RIP: RIP of the current block's first instruction; between blocks: RIP */
    uint32_t flags;       /* arithmetic flags, LAHF/SETO form */
    unsigned attention;   /* atomic: look up from the guest at the next block end */
    int64_t budget;       /* instructions left until the run loop must look */
    SoftTlbEntry *tlb;    /* of the current context */
    uint64_t linear_mask; /* 32-bit outside 64-bit mode */
    uint32_t mode;        /* SOFT_MODE_* */
    uint8_t cpl, context; /* current privilege; SOFT_CONTEXT_* */
    bool break_block;     /* a store changed the running block, or attention is wanted at once */
    bool called_out;      /* translated code: the handler that was called went on … */
    uint32_t called_mode; /* … and the mode before */
    SoftOp *op;           /* SOFT_AT: the instruction being executed, for faults */
    uint64_t jump_key[2]; /* translate.h: any page, global pages */
    struct TranslateJump *jump_table; /* borrowed from the translator */
    uint64_t branch_target;           /* translated code's own */
    uint8_t *block_arena;             /* borrowed from block.c: where records are counted from */
    SoftSegment seg[CPU_N_SEGMENTS];
    uint64_t held_base[CPU_N_SEGMENTS]; /* in 64-bit mode: base of ES, CS, SS, DS as loaded, while
                                           .base is 0; else 0 */

    /* Architectural state off the hot path. */
    uint64_t rflags; /* all but the arithmetic flags; bit 1 set */
    SoftSegment ldt, task;
    uint64_t gdt_base, idt_base;
    uint16_t gdt_limit, idt_limit;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t dr[8];
    uint64_t xcr0;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux, pat;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t misc_enable, debugctl, mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8],
        spec_ctrl;
    uint64_t tsc_offset, tsc_adjust;
    CpuEvent event;  /* to be delivered first */
    uint64_t random; /* RDRAND of a deterministic machine */
    bool shadow;     /* no interrupt (and no debug trap) before the next instruction has run */
    bool nmi_blocked, halted, wait_sipi;
    uint64_t pdpte[4]; /* PAE: loaded by MOV CR3 */

    /* x87, MMX, SSE. The x87 stack is kept by physical register, st(i) is fpr[(top + i) & 7]. */
    struct {
        long double fpr[8] __attribute__((aligned(16)));
        uint16_t control, status; /* status without TOP */
        uint8_t top, tag; /* tag: bit i set = physical register i is in use (abridged form) */
        uint16_t opcode, code_selector, data_selector;
        uint64_t instruction, data; /* last x87 instruction and operand addresses */
        bool live;            /* registers, tags and status are in the host's x87: x87-live.c */
        bool error_signalled; /* the board has been told of the pending error (CR0.NE = 0) */
    } fpu;
    SoftVector xmm[16];
    SoftVector fp_operand; /* SIMD or x87 operand that was fetched out of line */
    uint32_t mxcsr;   /* as the guest reads it; while the CPU runs the host's MXCSR holds the sticky
                         flags */
    bool sse_precise; /* the guest has unmasked an SSE exception: fp.c looks at each result */
    uint32_t host_mxcsr;   /* what soft_fp_leave puts back */
    uint16_t host_control; /* the same of the x87 */

    /* Exceptions. */
    sigjmp_buf fault_jump; /* saved without the signal mask */
    struct {
        uint8_t vector;
        bool has_error;
        uint32_t error;
        uint64_t dr6; /* #DB: bits to set in DR6 */
    } fault;
    bool trap_dropped; /* set by a delivery: the single-step trap due is not taken */
    int delivering;    /* vector being delivered, -1: none; decides double faults */

    /* Translation. */
    SoftTlbEntry *tlb_table[SOFT_N_CONTEXTS]; /* owned */
    SoftTlbEntry *tlb_unaligned; /* owned: never filled; stands in while alignment is checked */
    SoftItlbEntry *itlb;         /* owned */
    struct SoftMmu *mmu;         /* owned: caches of the walker, mmu.c */
    FlatView *view,
        *port_view;      /* owned references; exchanged by the machine in exclusive sections */
    uint64_t phys_mask;  /* without bit 20 while A20 is closed */
    SoftOp called[2];    /* a record that translated code calls, and where its handler goes on to */
    SoftCodeCache *code; /* owned: block.c */
    struct SoftTranslator *translator; /* owned, or NULL: translate.h */
    SoftJump jump[SOFT_JUMP_SIZE];     /* block.h */
    uint8_t watch_any;                 /* DR7 has data breakpoints enabled */

    uint64_t retired_base; /* retired = retired_base + (budget_start - budget) */
    int64_t budget_start;
    struct {
        int64_t left; /* budget at the last PAUSE */
        unsigned n;   /* PAUSEs near one another up to that */
        int64_t since_us;
    } spin;                 /* pause.c */
    int64_t idle_since;     /* host time, µs, of the last look at how busy the guest is … */
    uint64_t idle_retired;  /* … and how far it was then */
    uint64_t clock_retired; /* deterministic clock: instructions it has been moved on for */
    SoftMachine *machine;   /* borrowed */
    bool alone;             /* inside soft_exclusive_begin/end */
};

static inline void *soft_slot(SoftCpu *cpu, uint8_t slot)
{
    return (char *)cpu->gpr + slot;
}
#define SOFT_R64(cpu, slot) (*(uint64_t *)soft_slot(cpu, slot))
#define SOFT_R32(cpu, slot) (*(uint32_t *)soft_slot(cpu, slot))
#define SOFT_R16(cpu, slot) (*(uint16_t *)soft_slot(cpu, slot))
#define SOFT_R8(cpu, slot) (*(uint8_t *)soft_slot(cpu, slot))

static inline bool soft_in_long_mode(const SoftCpu *cpu)
{
    return cpu->efer & EFER_LMA;
}
static inline bool soft_in_64bit(const SoftCpu *cpu)
{
    return cpu->mode & SOFT_MODE_CODE64;
}
static inline bool soft_in_real_or_v86(const SoftCpu *cpu)
{
    return cpu->mode & SOFT_MODE_REAL;
}

/* Whole RFLAGS from and to its two homes. set_rflags writes every bit it is given (the caller has
 * applied privilege rules) and asks for attention when IF or TF became set. */
static inline uint64_t soft_get_rflags(const SoftCpu *cpu)
{
    return (cpu->rflags & ~(uint64_t)RFLAGS_ARITHMETIC) | 2 | ((cpu->flags >> 8) & 0xD5) |
           (uint64_t)(cpu->flags & 1) << 11;
}
static inline void soft_set_arithmetic(SoftCpu *cpu, uint64_t rflags)
{
    cpu->flags = (uint32_t)((rflags & 0xD5) | 2) << 8 | ((rflags >> 11) & 1);
}
void soft_set_rflags(SoftCpu *cpu, uint64_t rflags);

/* run.c --- */

/* Raises exception @vector of the instruction cpu->op (its RIP, nothing retired). Does not return.
 */
G_NORETURN void soft_fault(SoftCpu *cpu, uint8_t vector);
G_NORETURN void soft_fault_error(SoftCpu *cpu, uint8_t vector, uint32_t error);
G_NORETURN void soft_fault_page(SoftCpu *cpu, uint64_t linear, uint32_t error); /* sets CR2 */
/* Handler of an instruction that decodes to #UD, and one that logs bytes and address first
 * ("not implemented", once an address). */
SoftHandler soft_op_undefined, soft_op_not_implemented;

/* Retires the instructions of the block up to and including @op and moves RIP past @op. Before
 * leaving a block at @op. */
void soft_finish(SoftCpu *cpu, const SoftOp *op);
/* The same for a transfer: retires, then RIP = @rip. */
void soft_finish_at(SoftCpu *cpu, const SoftOp *op, uint64_t rip);
/* RIP of the instruction @op / of the one after it. */
static inline uint64_t soft_rip_of(const SoftCpu *cpu, const SoftOp *op)
{
    uint64_t rip = cpu->rip + op->offset;
    return cpu->mode & SOFT_MODE_CODE64 ? rip : (uint32_t)rip;
}
uint64_t soft_rip_after(const SoftCpu *cpu, const SoftOp *op);

/* Recomputes mode, linear_mask, context, TLB pointer, segment ends from the architectural
 * registers. After any change of CS, SS, CPL, CR0, CR4, EFER, RFLAGS.VM/AC. */
void soft_update_mode(SoftCpu *cpu);
/* Only the context (CPL, AC, SMAP): STAC, CLAC. */
void soft_update_context(SoftCpu *cpu);
void soft_request_attention(SoftCpu *cpu);
/* Guest time-stamp counter. */
uint64_t soft_tsc(const SoftCpu *cpu);

/* Writes the vCPU's whole state, from and to the common form. */
void soft_get_state(Vcpu *vcpu, CpuState *out_state);
void soft_set_state(Vcpu *vcpu, const CpuState *state);
/* CpuOps.run, .step, .retired, .code_written. */
CpuExit soft_run(Vcpu *vcpu);
CpuExit soft_step(Vcpu *vcpu);
uint64_t soft_retired(const Vcpu *vcpu);
void soft_ram_code_written(void *backend, Ram *ram, uint64_t offset, uint64_t length);

/* interrupt.c --- */

typedef enum {
    SOFT_EVENT_FAULT, /* exception, RIP of the instruction itself; error code if fault.has_error */
    SOFT_EVENT_TRAP,  /* #DB after the instruction */
    SOFT_EVENT_SOFTWARE, /* INT n, INT3, INTO: gate DPL is checked */
    SOFT_EVENT_EXTERNAL, /* hardware interrupt, NMI */
} SoftEvent;

/* Delivers through the IVT or IDT with cpu->rip as the return address (already that of the faulting
 * or of the next instruction). May itself fault. Ends with soft_update_mode. */
void soft_interrupt(SoftCpu *cpu, uint8_t vector, SoftEvent event, bool has_error, uint32_t error);
/* Called by the run loop when soft_fault… was raised: cpu->fault holds it, cpu->rip is the
 * instruction's. Applies the double fault rules (cpu->delivering) and delivers; false: triple
 * fault. */
bool soft_deliver_fault(SoftCpu *cpu);
/* Debug: whether code breakpoints match linear address @linear (raises #DB); called in
 * one-instruction mode before each instruction. And after each: TF and data breakpoint hits
 * collected in fault.dr6. */
void soft_check_code_breakpoint(SoftCpu *cpu, uint64_t linear);
void soft_debug_access(SoftCpu *cpu, uint64_t linear, unsigned size,
                       bool write); /* records a data hit */

/* block.c --- */

#define SOFT_BLOCK_MAX 48 /* instructions */
struct SoftBlock {
    uintptr_t host;  /* host address of the first byte: the key, with the mode */
    uintptr_t host2; /* host page of the rest of an instruction that crosses pages, else 0 */
    uint32_t mode;
    uint16_t length; /* bytes */
    uint16_t n_records;
    SoftBlock *hash_next, *page_next, *page_next2;
    bool dead;
    SoftOp ops[];
};

/* The block at cpu->rip; decodes it when it is new. May fault (#PF of the fetch, #GP at the limit).
 */
SoftOp *soft_block_lookup(SoftCpu *cpu);
/* For transfers from handlers: RIP has been set; continues with the next block without going back
 * to the run loop when nothing wants attention. soft_block_next (block.h) is NULL to leave. */
SoftOp *soft_block_next_slow(SoftCpu *cpu);
#define SOFT_GO(cpu)                                                                               \
    do {                                                                                           \
        SoftOp *soft_go_op = soft_block_next(cpu);                                                 \
        if (!soft_go_op)                                                                           \
            SOFT_LEAVE(cpu);                                                                       \
        SOFT_NEXT_AT(cpu, soft_go_op);                                                             \
    } while (0)
/* Direct branches: @branch->link caches the target. RIP has NOT been moved: the target is
 * cpu->rip + branch->disp. @last is the record that ends the block (its ordinal counts). Handlers
 * use SOFT_BRANCH(cpu, branch, last). */
SoftOp *soft_branch_slow(SoftCpu *cpu, SoftOp *branch);
