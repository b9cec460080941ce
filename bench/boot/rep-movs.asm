; SPDX-License-Identifier: GPL-3.0-or-later
; REP MOVSD, 60 KiB at a time.
%include "bench/boot/common.inc"
work:
    mov ax, 0x2000
    mov ds, ax
    mov ax, 0x4000
    mov es, ax
    mov ebx, 20000
    cld
.next:
    xor si, si
    xor di, di
    mov cx, 15360
    rep movsd
    dec ebx
    jnz .next
    xor ax, ax
    mov ds, ax
    mov es, ax
    ret
boot_end
