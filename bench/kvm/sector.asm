; SPDX-License-Identifier: GPL-3.0-or-later
; A boot sector that ends the machine, or with HALT rests for ever.
bits 16
org 0x7C00
%ifndef HALT
    mov dx, 0x501
    xor al, al
    out dx, al
%endif
halt:
    cli
    hlt
    jmp halt
    times 510 - ($ - $$) db 0
    dw 0xAA55
