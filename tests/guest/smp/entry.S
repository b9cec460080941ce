/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Where CPUs come in: the Linux boot protocol's header (so that any monitor's -kernel takes the image), its
 * 16-bit and 32-bit doors, the page a SIPI leads to, and the stubs of all vectors. Both ways end in 64-bit
 * mode with the first 4 GiB mapped one to one, for all privileges; then in C. */

#define TRAMPOLINE 0x9000
#define CODE64 0x08
#define CODE32 0x18
#define DATA 0x10
#define CPU_SHIFT 15 /* smp.h: sizeof(Cpu) */
#define CPU_KERNEL_STACK_END (24 << 10)

    .section .setup, "ax"
    .code16
    .org    0x1f1
    .byte   1               /* sectors behind this one */
    .word   0
    .long   0xffff          /* 16-byte units of the rest: enough */
    .word   0, 0, 0
    .word   0xaa55
    .byte   0xeb, 0x3a      /* over the header */
    .ascii  "HdrS"
    .word   0x206
    .long   0
    .word   0, 0
    .byte   0, 1            /* loaded high */
    .word   0
    .long   0x100000, 0, 0, 0
    .word   0, 0
    .long   0, 0x7fffffff, 0
    .byte   0, 0
    .word   0
    .long   2047            /* of command line */
    /* 23Ch */
    cli
    xorl    %esi, %esi
    movw    %ds, %si
    shll    $4, %esi        /* the zero page begins this segment */
    leal    setup_gdt(%esi), %eax
    movl    %eax, setup_gdtr + 2
    lgdtl   setup_gdtr
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    ljmpl   $CODE32, $entry32
    .balign 8
setup_gdt:
    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cf9a000000ffff
setup_gdtr:
    .word   31
    .long   0

    .section .entry, "ax"
    .code32
entry32:
    cli
    cld
    movl    $bss_start, %edi
    movl    $bss_end, %ecx
    subl    %edi, %ecx
    xorl    %eax, %eax
    rep     stosb
    movl    %esi, zero_page
    /* 4 GiB in pages of 2 MiB. */
    movl    $page_directories, %edi
    movl    $0x87, %eax
1:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $0x200000, %eax
    jnc     1b
    movl    $page_directories + 7, %eax
    movl    $page_pointers, %edi
    movl    $4, %ecx
1:  movl    %eax, (%edi)
    addl    $4096, %eax
    addl    $8, %edi
    loop    1b
    movl    $page_pointers + 7, page_root
    /* The page that a SIPI leads to. */
    movl    $trampoline, %esi
    movl    $TRAMPOLINE, %edi
    movl    $trampoline_end - trampoline, %ecx
    rep     movsb
to_long_mode:
    lgdt    gdtr
    movl    $page_root, %eax
    movl    %eax, %cr3
    movl    $0x620, %eax    /* PAE, OSFXSR, OSXMMEXCPT */
    movl    %eax, %cr4
    movl    $0xc0000080, %ecx
    rdmsr
    orl     $0x100, %eax    /* LME */
    wrmsr
    movl    $0x80010033, %eax
    movl    %eax, %cr0
    ljmpl   $CODE64, $in_long_mode
    .code64
in_long_mode:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    xorl    %eax, %eax
    movw    %ax, %fs
    movw    %ax, %gs
    movl    $1, %eax
    cpuid
    shrl    $24, %ebx       /* APIC id */
    movl    %ebx, %edi
    shll    $CPU_SHIFT, %edi
    addq    $cpus, %rdi
    leaq    CPU_KERNEL_STACK_END(%rdi), %rsp
    xorl    %ebp, %ebp
    call    enter_c
1:  cli
    hlt
    jmp     1b

    .code16
trampoline:
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    lgdtl   TRAMPOLINE + trampoline_gdtr - trampoline
    movl    %cr0, %eax
    andl    $0x9fffffff, %eax /* caches on */
    orb     $1, %al
    movl    %eax, %cr0
    movw    $DATA, %ax
    movw    %ax, %ds
    ljmpl   $CODE32, $to_long_mode
trampoline_gdtr:
    .word   31
    .long   TRAMPOLINE + trampoline_gdt - trampoline
    .balign 8
trampoline_gdt:
    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cf9a000000ffff
trampoline_end:

    .code64
    .text
/* void enter_user(void *rip, void *rsp, void *argument): ring 3, interrupts on */
    .globl  enter_user
enter_user:
    pushq   $0x2b
    pushq   %rsi
    pushq   $0x202          /* IF */
    pushq   $0x33
    pushq   %rdi
    movq    %rdx, %rdi
    xorl    %ebp, %ebp
    iretq

/* uint64_t syscall2(uint64_t number, uint64_t a, uint64_t b): by the one way into ring 0 that every virtual
 * machine has, an exception; some have neither INT n nor SYSCALL. */
    .globl  syscall2, syscall_at
syscall2:
    movq    %rdi, %rax
syscall_at:
    ud2
    ret

/* All vectors: Trap on the stack, as smp.h has it. */
    .globl  vector_stubs
    .balign 16
vector_stubs:
    vector = 0
    .rept   256
    .balign 16
    .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq   $0
    .endif
    pushq   $vector
    jmp     all_vectors
    vector = vector + 1
    .endr

all_vectors:
    pushq   %rax
    pushq   %rcx
    pushq   %rdx
    pushq   %rbx
    pushq   %rbp
    pushq   %rsi
    pushq   %rdi
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %rsp, %rsi
    movq    %rsp, %rdi
    andq    $-(1 << CPU_SHIFT), %rdi
    cld
    call    on_trap
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rdi
    popq    %rsi
    popq    %rbp
    popq    %rbx
    popq    %rdx
    popq    %rcx
    popq    %rax
    addq    $16, %rsp
    iretq

    .data
    .balign 16
    .globl  gdt
gdt:
    .quad   0
    .quad   0x00af9a000000ffff
    .quad   0x00cf92000000ffff
    .quad   0x00cf9a000000ffff
    .quad   0
    .quad   0x00cff2000000ffff /* 28h: ring 3 data */
    .quad   0x00affa000000ffff /* 30h: ring 3 code */
    .quad   0
    .fill   2 * 16, 8, 0       /* 40h: a TSS for each CPU */
gdt_end:
gdtr:
    .word   gdt_end - gdt - 1
    .long   gdt, 0
    .globl  zero_page
zero_page:
    .long   0
