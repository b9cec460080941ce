; SPDX-License-Identifier: GPL-3.0-or-later
; Dependent 32-bit arithmetic in registers.
%include "bench/boot/common.inc"
work:
    mov ecx, 20000000
    mov eax, 1
    mov ebx, 7
.next:
    add eax, ebx
    xor ebx, eax
    lea edx, [eax + ebx * 4]
    sub eax, edx
    dec ecx
    jnz .next
    ret
boot_end
