; SPDX-License-Identifier: GPL-3.0-or-later
; Code that changes each time before it is called.
%include "bench/boot/common.inc"
work:
    mov ecx, 100000
.next:
    mov [patch + 1], cl
    call patch
    dec ecx
    jnz .next
    ret
align 16
patch:
    mov al, 0
    add bl, al
    ret
boot_end
