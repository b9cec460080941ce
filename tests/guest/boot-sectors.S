/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Guests of one sector, loaded at 0000:7C00 by the BIOS. They are data to the test that has them;
 * each ends by writing to the debug exit port. Code does not know where it is assembled, so it
 * reaches its strings by calls. */

        .section .rodata
        .code16

        .macro  guest name
        .global \name
        .balign 512
\name:
        .endm

        .macro  end_guest name
        .org    \name + 510
        .byte   0x55, 0xAA
        .endm

        .macro  exit_with value
        mov     $\value, %al
        mov     $0x501, %dx
        out     %al, %dx
1:      cli
        hlt
        jmp     1b
        .endm

/* Says who it is on the serial port and on the screen, then ends with 10h. */
guest guest_hello
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $0x7C00, %sp
        cld
        call    2f
        .asciz  "hello from the boot sector"
2:      pop     %si
3:      lodsb
        test    %al, %al
        jz      4f
        mov     %al, %cl
        mov     $0x3F8, %dx
        out     %al, %dx
        mov     $0x0E, %ah
        mov     $7, %bx
        int     $0x10
        jmp     3b
4:      exit_with 0x10
end_guest guest_hello

/* Sends to the serial port what is typed, and ends with 11h at "q". */
guest guest_echo
        xor     %ax, %ax
        mov     %ax, %ss
        mov     $0x7C00, %sp
        sti
        mov     $0x3F8, %dx
        mov     $'>', %al
        out     %al, %dx
2:      xor     %ah, %ah
        int     $0x16
        mov     $0x3F8, %dx
        out     %al, %dx
        cmp     $'q', %al
        jne     2b
        exit_with 0x11
end_guest guest_echo

/* Waits for five ticks of the BIOS clock (IRQ 0) in HLT, and ends with 12h. */
guest guest_ticks
        mov     $0x40, %ax
        mov     %ax, %ds
        sti
        mov     0x6C, %bx
        add     $5, %bx
2:      hlt
        cmp     %bx, 0x6C
        jne     2b
        exit_with 0x12
end_guest guest_ticks

/* Resets the machine through port CF9h for the first two times, counting in a CMOS byte that
 * nobody else uses; then ends with 13h. */
guest guest_resets
        mov     $0x7E, %al
        out     %al, $0x70
        in      $0x71, %al
        cmp     $2, %al
        jae     3f
        inc     %al
        mov     %al, %ah
        mov     $0x7E, %al
        out     %al, $0x70
        mov     %ah, %al
        out     %al, $0x71
        mov     $0xCF9, %dx
        mov     $0x06, %al
        out     %al, %dx
2:      hlt
        jmp     2b
3:      exit_with 0x13
end_guest guest_resets

/* Turns the machine off by ACPI: SLP_TYP 0 and SLP_EN in PM1_CNT, where SeaBIOS has put it. */
guest guest_sleeps
        mov     $0x604, %dx
        mov     $0x2000, %ax
        out     %ax, %dx
2:      hlt
        jmp     2b
end_guest guest_sleeps

/* Reads the disc's volume descriptor through INT 13h, sends its identifier to the serial port and
 * ends with 14h. Booted from a CD, DL is the drive and sectors have 2048 bytes. */
guest guest_reads_disc
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7C00, %sp
        cld
        pushl   $0
        pushl   $16
        pushw   $0
        pushw   $0x8000
        pushw   $1
        pushw   $0x10
        mov     %sp, %si
        mov     $0x42, %ah
        int     $0x13
        jc      3f
        mov     $0x8001, %si
        mov     $5, %cx
2:      lodsb
        mov     $0x3F8, %dx
        out     %al, %dx
        loop    2b
        exit_with 0x14
3:      exit_with 0x7F
end_guest guest_reads_disc

        .section .note.GNU-stack, "", @progbits
