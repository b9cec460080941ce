/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The guest of the CPU probe (probe-guest.h): begins in real mode at PROBE_ENTRY with all segments
 * at 0, climbs to 64-bit ring 0, says at each step what it computed, then runs rounds of
 * kernel-mode work as long as it is told to. It uses what firmware and kernels use on their way up:
 * string moves, far jumps, an interrupt and a fault with their returns, paging, MSRs. */

#define ENTRY 0x1000
#define STACK 0x8000
#define PML4 0x9000 /* three pages, filled in by the host: 0-2 MiB to itself */
#define IDT 0xC000
#define SCRATCH 0xD000
#define AT(label) ENTRY + label - probe_guest_image

#define PORT_REAL 0xE0
#define PORT_PROTECTED 0xE4
#define PORT_LONG 0xE8
#define PORT_ROUNDS 0xEC

#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18
#define EFER 0xC0000080
#define EFER_LME_LMA 0x500

    .section .rodata
    .balign 16
    .globl probe_guest_image, probe_guest_image_end
    .hidden probe_guest_image, probe_guest_image_end
probe_guest_image:

    .code16
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $STACK, %sp
    cld
    movw $AT(words), %si /* what REP MOVS copies is what is summed */
    movw $SCRATCH, %di
    movw $8, %cx
    rep movsw
    movl SCRATCH, %eax
    addl SCRATCH + 12, %eax
    movw $AT(on_interrupt16), 4 * 0x20 /* the vector table is at 0 */
    movw $0, 4 * 0x20 + 2
    int $0x20
    movl $10007, %ecx
    mull %ecx
    outl %eax, $PORT_REAL

    lgdtl AT(gdt_pointer)
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE32, $AT(protected)
on_interrupt16:
    roll $5, %eax
    iretw

    .code32
protected:
    movw $SELECTOR_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $STACK, %esp
    movl $0x12345678, %eax
    pushl %eax
    call swap32 /* returns 78563412 */
    popl %edx
    shldl $8, %edx, %eax /* 56341212 */
    xorl %edx, %edx
    movl $1009, %ecx
    divl %ecx
    imull $65599, %edx, %edx
    addl %edx, %eax
    outl %eax, $PORT_PROTECTED

    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $PML4, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $0x100, %eax /* LME */
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax /* PG */
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE64, $AT(long_mode)
swap32:
    movl 4(%esp), %eax
    bswapl %eax
    ret

    .code64
long_mode:
    movl $STACK, %esp
    movl $AT(on_undefined), %eax /* a gate for #UD, the only fault there is to be */
    movw %ax, IDT + 6 * 16
    movl $SELECTOR_CODE64, IDT + 6 * 16 + 2
    movw $0x8E00, IDT + 6 * 16 + 4
    lidt AT(idt_pointer)
    movabsq $0x0123456789ABCDEF, %r8
    movq %r8, %rax
    movq $0x10001, %rcx
    mulq %rcx
    xorq %rdx, %rax
    ud2
    rorq $13, %rax /* reached by the handler's return */
    movl $SCRATCH, %edi
    movl $4, %ecx
    rep stosq
    addq SCRATCH + 24, %rax
    movq %rax, %rbx
    shrq $32, %rbx
    xorl %eax, %ebx
    movl $EFER, %ecx
    rdmsr
    andl $EFER_LME_LMA, %eax
    addl %ebx, %eax
    outl %eax, $PORT_LONG

    movl $4, SCRATCH + 4
next:
    inl $PORT_ROUNDS, %eax
    testl %eax, %eax
    jz finished
    movl %eax, %ecx
    xorl %ebx, %ebx
1:  call round
    subl $1, %ecx
    jnz 1b
    movl %ebx, %eax
    outl %eax, $PORT_ROUNDS
    jmp next
finished:
    hlt
    jmp finished

/* Adds 7 to EBX; with its call and the two of the loop PROBE_ROUND_INSTRUCTIONS. */
round:
    pushq %rcx
    leal 3(%rbx), %ebx
    movl %ebx, SCRATCH
    addl SCRATCH + 4, %ebx
    cmpl SCRATCH, %ebx
    je 2f
    popq %rcx
2:  ret

on_undefined:
    addq $2, (%rsp) /* past UD2 */
    notq %rax
    iretq

    .balign 8
words:
    .word 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888
    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF /* 32-bit code, base 0, 4 GiB */
    .quad 0x00CF93000000FFFF /* data */
    .quad 0x00AF9B000000FFFF /* 64-bit code */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long AT(gdt)
idt_pointer:
    .word 7 * 16 - 1
    .quad IDT
probe_guest_image_end:
    .section .note.GNU-stack, "", @progbits
