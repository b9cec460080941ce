; SPDX-License-Identifier: GPL-3.0-or-later
; A firmware of 64 KiB that does nothing but leave the guest: COUNT bytes to the diagnostic port, COUNT looks at the serial port's
; scratch register, and the end.
bits 16
org 0
start:
    mov ecx, COUNT
.posts:
    out 0x80, al
    dec ecx
    jnz .posts
    mov ecx, COUNT
    mov dx, 0x3FF
.looks:
    in al, dx
    dec ecx
    jnz .looks
    mov dx, 0x501
    xor al, al
    out dx, al
.halt:
    cli
    hlt
    jmp .halt
    times 0xFFF0 - ($ - $$) db 0xF4
    jmp 0xF000:start
    times 0x10000 - ($ - $$) db 0
