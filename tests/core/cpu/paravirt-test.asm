; SPDX-License-Identifier: GPL-3.0-or-later
; Copyright the Vitrine developers
;
; Guest code of paravirt-test.c. The test sets the registers.

%define SNIPPETS 72
%include "snippets.inc"

snippet write_msr, 64
    wrmsr
    end
snippet read_msr, 64
    rdmsr
    end

snippet cpuid_32, 32
    cpuid
    end

snippet call_hypervisor, 64
    mov rbx, rsi
    vmcall
    end
snippet call_hypervisor_amd, 64
    vmmcall
    end
snippet call_hypervisor_32, 32
    vmcall
    end

; The time by the structure at RSI, as guests read it: RAX in ns; RBX: the TSC.
snippet tell_time, 64
.again:
    mov edi, [rsi]
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov rbx, rax
    sub rax, [rsi + 8]              ; tsc_timestamp
    mov cl, [rsi + 28]              ; tsc_shift
    test cl, cl
    js .right
    shl rax, cl
    jmp .scale
.right:
    neg cl
    shr rax, cl
.scale:
    mov edx, [rsi + 24]             ; tsc_to_system_mul
    mul rdx
    shrd rax, rdx, 32
    add rax, [rsi + 16]             ; system_time
    lfence
    cmp edi, [rsi]
    jne .again
    test edi, 1
    jnz .again
    end

; Calls the hypercall page at RSI; the input is in RCX, or in EDX:EAX.
snippet call_page, 64
    call rsi
    end
snippet call_page_32, 32
    call esi
    end

; Time in 100 ns by the reference TSC page at RSI: RAX.
snippet reference_time, 64
    rdtsc
    shl rdx, 32
    or rax, rdx
    mul qword [rsi + 8]
    mov rax, rdx
    add rax, [rsi + 16]
    end

snippets_end
