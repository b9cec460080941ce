/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Boots hostile.c: the first sector of its disk. Reads the rest to 7E00h with INT 13h and enters it in
 * flat 32-bit protected mode; other vCPUs come in at 8000h's page through the same door. */

    .code16
    .section .boot, "ax"
    .globl start
start:
    jmp     begin
    .balign 4
    .globl  scenario, seed
scenario:
    .long   0
seed:
    .long   1
packet:
    .byte   16, 0
    .word   64
    .word   0x7e00, 0
    .quad   1
gdt:
    .quad   0
    .quad   0x00cf9a000000ffff
    .quad   0x00cf92000000ffff
    .quad   0x00009a000000ffff
    .quad   0x000092000000ffff
gdt_end:
gdtr:
    .word   gdt_end - gdt - 1
    .long   gdt
begin:
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $0x7c00, %sp
    movw    $packet, %si
    movb    $0x42, %ah
    int     $0x13
    jc      failed
    movw    $0x2401, %ax
    int     $0x15
    call    to_protected
    .code32
    movl    $0x7c00, %esp
    movl    $0x7bf0, %ebp
    call    hostile_main
    .code16
failed:
    cli
    hlt
    jmp     failed

/* Returns to the caller in 32-bit code. */
to_protected:
    popw    %dx
    movzwl  %dx, %edx
    lgdt    gdtr
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $8, $1f
    .code32
1:
    movw    $16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    %ax, %fs
    movw    %ax, %gs
    jmp     *%edx

    .org    510
    .word   0xaa55

/* What every vector leads to: forget what was, go on with the next piece. */
    .section .text
    .globl  on_any_trap
on_any_trap:
    cli
    movl    $0x7c00, %esp
    movw    $16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    cld
    jmp     hostile_next

/* Where a SIPI takes other vCPUs: copied to 1000h. */
    .globl  ap_start, ap_end
    .code16
ap_start:
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    lgdtl   %cs:(ap_gdtr - ap_start)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $8, $ap_flat
ap_gdtr:
    .word   gdt_end - gdt - 1
    .long   gdt
ap_end:
    .code32
ap_flat:
    movw    $16, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    rdtsc
    andl    $0xf000, %eax
    leal    0x60000(%eax), %esp
    jmp     hostile_other
