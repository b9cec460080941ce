/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The guest of tiny-machine.h: the first bytes of its firmware, entered at F000:0000. What it does
 * is in the byte at F000:FF00. */

        .section .rodata
        .code16
        .macro  config_write register, value
        movl    $0xCF8, %edx
        movl    $(0x80000800 + \register), %eax
        outl    %eax, %dx
        movl    $0xCFC, %edx
        movl    \value, %eax
        outl    %eax, %dx
        .endm

        .global tiny_guest, tiny_guest_end
        .balign 16
tiny_guest:
        cli
        lgdtl   %cs:(gdtr - tiny_guest)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $(0xF0000 + flat - tiny_guest)
gdtr:   .word   23
        .long   0xF0000 + gdt - tiny_guest
gdt:    .quad   0
        .quad   0x00CF9B000000FFFF
        .quad   0x00CF93000000FFFF
        .code32
flat:   movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        config_write 0x04, $7
        cmpb    $1, 0xFFF00
        je      look
        cmpb    $2, 0xFFF00
        je      draws
        cmpb    $3, 0xFFF00
        je      starts
        cmpb    $4, 0xFFF00
        je      levels
        cmpb    $5, 0xFFF00
        je      floods
        cmpb    $8, 0xFFF00
        je      wraps
        cmpb    $6, 0xFFF00
        jae     reads_disk

/* Counters into random pages; now and then the whole is moved. */
        movl    $0xFD000000, %ebp
        xorl    %esi, %esi
write:  incl    %esi
        imull   $0x9E3779B1, %esi, %edi
        shrl    $20, %edi
        shll    $12, %edi
        movl    %esi, (%ebp,%edi)
        testl   $0x3FF, %esi
        jnz     write
        xorl    $0x01000000, %ebp
        config_write 0x10, %ebp
        jmp     write

/* Counters into 32 pages at a time, somewhere, with no other instruction between: KVMs that emulate
 * do many before they look whether there is room for more in the log. */
floods: movl    $0xFD000000, %ebp
        config_write 0x10, %ebp
        xorl    %esi, %esi
1:      incl    %esi
        imull   $0x9E3779B1, %esi, %edi
        shrl    $25, %edi
        shll    $17, %edi
        .set    page, 0
        .rept   32
        movl    %esi, page * 0x1000(%ebp,%edi)
        .set    page, page + 1
        .endr
        jmp     1b

/* Over the local APIC, and over what KVM may want for itself. */
look:   config_write 0x10, $0xFE000000
        movl    $0x12345678, 0xFE300000
        movl    $0x9ABCDEF0, 0xFEFFD004
        movl    0xFEE00030, %ecx
        cmpl    $0x12345678, 0xFE300000
        jne     2f
        cmpl    $0x9ABCDEF0, 0xFEFFD004
        je      3f
2:      xorl    %ecx, %ecx
3:      movl    %ecx, %eax
        movl    $0x501, %edx
        outb    %al, %dx
4:      hlt
        jmp     4b

        .macro  vga port, value /* index in the low byte */
        movl    $\port, %edx
        movl    $\value, %eax
        outw    %ax, %dx
        .endm
        .macro  planes /* 64 KiB at A0000h, a byte a plane as it is written */
        movl    $0x3C2, %edx
        movb    $0x67, %al
        outb    %al, %dx
        vga     0x3C4, 0x0604
        vga     0x3CE, 0x0001
        vga     0x3CE, 0x0003
        vga     0x3CE, 0x0005
        vga     0x3CE, 0x0506
        vga     0x3CE, 0xFF08
        .endm

/* Each byte twice, to two planes: a write that comes after the next choice of a plane is lost. */
draws:  planes
        movl    $1, %ecx
1:      vga     0x3C4, 0x0102
        movb    %cl, 0xA0000(%ecx)
        movb    %cl, 0xA0001(%ecx)
        vga     0x3C4, 0x0202
        movb    %ch, 0xA0000(%ecx)
        movb    %cl, 0xA1000(%ecx)
        vga     0x3CE, 0x0004
        cmpb    %cl, 0xA0000(%ecx)
        jne     2f
        vga     0x3CE, 0x0104
        cmpb    %ch, 0xA0000(%ecx)
        jne     2f
        cmpb    %cl, 0xA1000(%ecx)
        jne     2f
        incl    %ecx
        cmpl    $1000, %ecx
        jne     1b
        movb    $1, %al
        jmp     3f
2:      movb    $2, %al
3:      movl    $0x501, %edx
        outb    %al, %dx
4:      hlt
        jmp     4b

/* INIT and SIPI to all others, which begin here, too. */
starts: movl    $0xC4500, 0xFEE00300
        movl    $0xC46F0, 0xFEE00300
        jmp     starts

/* The serial port's interrupt as a level, vector 40h. Each round the wire rises (BP 2); the handler
 * only ends the interrupt, so that it must come at once again (BP 1); then it lets the wire fall
 * (BP 0). SI counts those that come for nothing. */
        .equ    ROUNDS, 3000
levels: movl    $0x8000, %esp
        movb    $0xFF, %al
        outb    %al, $0x21
        outb    %al, $0xA1
        movl    $(0xF0000 + handler - tiny_guest), %eax
        movzwl  %ax, %ecx
        orl     $0x80000, %ecx
        movl    %ecx, 0x2000 + 8 * 0x40
        movw    $0x8E00, %ax
        movl    %eax, 0x2000 + 8 * 0x40 + 4
        lidtl   0xF0000 + idtr - tiny_guest
        movl    $0x10000, 0xFEE00350 /* no PIC */
        movl    $0x1FF, 0xFEE000F0
        movl    $0x19, 0xFEC00000
        movl    $0, 0xFEC00010
        movl    $0x18, 0xFEC00000
        movl    $0x8040, 0xFEC00010
        movl    $0x3FC, %edx
        movb    $8, %al /* OUT2 lets it out */
        outb    %al, %dx
        xorl    %ebp, %ebp
        xorl    %esi, %esi
        movl    $ROUNDS, %ebx
        sti
1:      movl    $0x3F9, %edx
        xorl    %eax, %eax
        outb    %al, %dx
        movl    $2, %ebp
        movb    $2, %al
        outb    %al, %dx
2:      testl   %ebp, %ebp
        jnz     2b
        decl    %ebx
        jnz     1b
        movb    $1, %al
        testl   %esi, %esi
        jz      3f
        movb    $2, %al
3:      movl    $0x501, %edx
        outb    %al, %dx
4:      hlt
        jmp     4b
handler:
        pushl   %eax
        pushl   %edx
        cmpl    $2, %ebp
        je      5f
        movl    $0x3FA, %edx
        inb     %dx, %al
        testb   $1, %al /* none pending */
        jz      5f
        incl    %esi
        jmp     6f
5:      decl    %ebp
6:      movl    $0, 0xFEE000B0
        popl    %edx
        popl    %eax
        pushl   8(%esp) /* an IRET in pieces: KVM's emulator lacks it */
        andl    $~0x200, (%esp)
        popfl
        sti
        ret     $8
idtr:   .word   0x7FF
        .long   0x2000

#include "tiny-guest-disk.inc"
/* The A20 gate, closed and opened: whether what is at 1 MiB is what is at 0, for data, code, the
 * firmware and the VGA window (its first plane). */
        .macro  gate bits
        movb    $\bits, %al
        outb    %al, $0x92
        .endm
        .macro  expect value, address
        cmpl    $\value, \address
        jne     8f
        .endm
wraps:  planes
        vga     0x3C4, 0x0102
        vga     0x3CE, 0x0004
        movl    $0xE3FF07B0, 0x600 /* movb $7, %al; jmp *%ebx */
        movl    $200, %ecx
1:      gate    0
        movl    $1, 0x500
        movl    $2, 0x100500
        expect  2, 0x500
        movb    %cl, 0x1A0010
        cmpb    %cl, 0xA0010
        jne     8f
        movl    0xFFFF0, %eax
        cmpl    %eax, 0x1FFFF0
        jne     8f
        movl    $0xF0000 + 2f - tiny_guest, %ebx
        movl    $0x100600, %eax
        jmp     *%eax
2:      cmpb    $7, %al
        jne     8f
        gate    2
        movl    $3, 0x100500
        expect  2, 0x500
        expect  3, 0x100500
        decl    %ecx
        jnz     1b
        movb    $1, %al
        jmp     9f
8:      movb    $2, %al
9:      movl    $0x501, %edx
        outb    %al, %dx
4:      hlt
        jmp     4b
tiny_guest_end:

        .section .note.GNU-stack, "", @progbits
