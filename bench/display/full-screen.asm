; SPDX-License-Identifier: GPL-3.0-or-later
; Fills a 1920×1080 screen of 32-bit pixels anew at each vertical retrace, or as often as it can.
bits 16
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:protected

bits 32
%macro dispi 2
    mov dx, 0x1ce
    mov ax, %1
    out dx, ax
    inc dx
    mov ax, %2
    out dx, ax
%endmacro

protected:
    mov ax, 16
    mov ds, ax
    mov es, ax
    dispi 4, 0
    dispi 1, 1920
    dispi 2, 1080
    dispi 3, 32
    dispi 4, 0x41
    mov eax, 0x80000810     ; BAR 0 of 00:01.0
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    and eax, ~15
    mov ebp, eax
    xor ebx, ebx
    cld
frame:
    mov dx, 0x3da
.shown:
    in al, dx
    test al, 8
    jnz .shown
.retrace:
    in al, dx
    test al, 8
    jz .retrace
    add ebx, 0x010203
    mov eax, ebx
    mov edi, ebp
    mov ecx, 1920 * 1080
    rep stosd
    jmp frame

align 8
gdt:
    dq 0
    dq 0x00cf9a000000ffff
    dq 0x00cf92000000ffff
gdt_pointer:
    dw 23
    dd gdt
times 510 - ($ - $$) db 0
    dw 0xaa55
