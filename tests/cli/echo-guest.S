/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* A guest of one sector, started by the BIOS at 7C00h: echoes keys and serial input on screen and
 * serial port. #: off by ACPI; %: reset by port CF9h; =: 320×200 graphics; *: writes 5Ah to the
 * disk's first sector. The power button turns it off too. */
    .code16
    .globl _start
_start:
    ljmp $0, $begin
begin:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7000, %sp
    sti
    movw $3, %ax                /* text mode, cleared */
    int $0x10
    movw $ready, %si
    call say
loop:
    hlt                         /* the BIOS's timer wakes it */
    movw $0x600, %dx            /* PM1 status: was the power button pressed? */
    inw %dx, %ax
    testb $1, %ah
    jnz button
    movw $0x3fd, %dx            /* serial input */
    inb %dx, %al
    testb $1, %al
    jz 1f
    movw $0x3f8, %dx
    inb %dx, %al
    call put
1:  movb $1, %ah
    int $0x16
    jz loop
    xorw %ax, %ax
    int $0x16
    call put
    cmpb $'#', %al
    je off
    cmpb $'%', %al
    je reset
    cmpb $'=', %al
    je graphics
    cmpb $'*', %al
    je store
    cmpb $13, %al
    jne loop
    movb $10, %al
    call put
    jmp loop
button:
    movw $pressed, %si
    call say
off:
    movw $0x604, %dx            /* PM1a control: sleep type 0 (S5), sleep enable */
    movw $0x2000, %ax
    outw %ax, %dx
    jmp .
reset:
    movw $0xcf9, %dx
    movb $6, %al
    outb %al, %dx
    jmp .
graphics:
    movw $0x13, %ax
    int $0x10
    jmp loop
store:
    movw $0x500, %di
    movw $0x5a5a, %ax
    movw $256, %cx
    cld
    rep stosw
    movw $packet, %si
    movw $0x4300, %ax           /* extended write */
    movb $0x80, %dl
    int $0x13
    movw $failed, %si
    jc 1f
    movw $written, %si
1:  call say
    jmp loop
say:
    lodsb
    testb %al, %al
    jz 1f
    call put
    jmp say
1:  ret
put:                            /* AL, kept, on screen and serial port */
    pushw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    popw %ax
    ret
ready:   .asciz "ECHO GUEST READY\r\n"
pressed: .asciz "BUTTON\r\n"
written: .asciz "\r\nWRITTEN\r\n"
failed:  .asciz "\r\nWRITE FAILED\r\n"
    .balign 4
packet:  .byte 16, 0, 1, 0
         .word 0x500, 0
         .quad 0
