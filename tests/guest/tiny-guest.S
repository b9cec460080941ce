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

/* Each byte twice, to two planes: a write that comes after the next choice of a plane is lost. */
draws:  movl    $0x3C2, %edx
        movb    $0x67, %al
        outb    %al, %dx
        vga     0x3C4, 0x0604
        vga     0x3CE, 0x0001
        vga     0x3CE, 0x0003
        vga     0x3CE, 0x0005
        vga     0x3CE, 0x0506
        vga     0x3CE, 0xFF08
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
tiny_guest_end:

        .section .note.GNU-stack, "", @progbits
