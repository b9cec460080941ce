/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A boot sector that asks the VGA BIOS for one mode after the other, writes a line and draws a
 * diagonal of 60 dots from (0,40) in each, two to the right for one down, and waits for a key, which
 * it echoes. Data to its test. */

        .section .rodata
        .code16
        .global vga_modes
        .balign 512
vga_modes:
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7C00, %sp
        cld
        sti
        mov     $(0x7C00 + modes - vga_modes), %si
next:   lodsw
        cmp     $0xFFFF, %ax
        je      next_forever
        test    $0x41, %ah              /* VBE modes have bit 8, or 14 for the linear window */
        jz      1f
        mov     %ax, %bx
        mov     $0x4F02, %ax
1:      int     $0x10
        push    %si
        mov     $(0x7C00 + message - vga_modes), %si
2:      lodsb
        test    %al, %al
        jz      3f
        mov     $0x0E, %ah
        mov     $0x000F, %bx
        int     $0x10
        jmp     2b
3:      xor     %cx, %cx
4:      push    %cx
        mov     %cx, %dx
        add     $40, %dx
        shl     $1, %cx
        mov     $0x0C0F, %ax
        xor     %bx, %bx
        int     $0x10
        pop     %cx
        inc     %cx
        cmp     $60, %cx
        jb      4b
        xor     %ah, %ah
        int     $0x16
        mov     $0x0E, %ah
        mov     $0x000F, %bx
        int     $0x10
        xor     %ah, %ah
        int     $0x16
        pop     %si
        jmp     next
next_forever:
        hlt
        jmp     next_forever

message:
        .byte   'M', 'o', 'd', 'e', ' ', 0xC9, 0xCD, 0xBB, ' ', 0
modes:
        .word   0x03, 0x01, 0x04, 0x12, 0x0D, 0x10, 0x13
        .word   0x101, 0x4118, 0x4111, 0x102, 0x112, 0xFFFF
        .org    vga_modes + 510
        .byte   0x55, 0xAA

        .section .note.GNU-stack,"",@progbits
