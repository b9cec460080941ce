; SPDX-License-Identifier: GPL-3.0-or-later
; Ten million bytes to port 80h.
%include "bench/boot/common.inc"
work:
    mov ecx, 10000000
.next:
    out 0x80, al
    dec ecx
    jnz .next
    ret
boot_end
