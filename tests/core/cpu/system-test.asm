; SPDX-License-Identifier: GPL-3.0-or-later
; Copyright the Vitrine developers
;
; Guest code of system-test.c. Each piece ends by END or in a fault that the test expects.

%define SNIPPETS 72
%include "snippets.inc"

%define USER_DATA 0x3B
%define TEST_PAGE 0x40000000    ; linear, mapped by the test

; ---- long mode ----

snippet syscall_round_trip, 64      ; ring 3
    mov ebx, 1
    syscall
    mov ebx, 2
    hlt                             ; #GP(0): shows that it is ring 3 again

snippet syscall_entry, 64
    mov r8, rcx
    mov r9, r11
    mov r10, cs
    mov r12, ss
    pushfq
    pop r13
    o64 sysret

snippet sysret_not_canonical, 64
    mov rcx, 0x8000000000000000
    mov r11d, 2
    o64 sysret

snippet interrupt_ist, 64
    int 0x41

snippet interrupt_forbidden, 64     ; ring 3, gate of DPL 0
    int 0x41

snippet user_hlt, 64
    hlt
snippet user_cli, 64
    cli
snippet user_in, 64
    in al, 0x80
snippet user_mov_cr0, 64
    mov rax, cr0
snippet user_rdmsr, 64
    rdmsr
snippet user_lgdt, 64
    lgdt [rsp]

snippet load_test_page, 64
    mov eax, [TEST_PAGE]
    end
snippet store_test_page, 64
    mov dword [TEST_PAGE], 0x12345678
    end
snippet jump_test_page, 64
    mov eax, TEST_PAGE
    jmp rax
snippet stac_load_test_page, 64
    stac
    mov eax, [TEST_PAGE]
    clac
    mov ebx, [TEST_PAGE]
    end

snippet rep_movs_across, 64         ; the second page of the destination is not there
    cld
    mov esi, 0x30000
    mov edi, TEST_PAGE + 0xFF8
    mov ecx, 4
    rep movsq
    end

snippet map_on_fault, 64            ; #PF: notes the registers, makes the page present, goes back
    mov r8, rcx
    mov r9, rdi
    mov r10, rsi
    pop r11                         ; error code
    mov r12, cr2
    or qword [0x22008], 1           ; second entry of the test's page table
    invlpg [TEST_PAGE + 0x1000]
    iretq

snippet invlpg_large, 64            ; the page becomes another one
    mov eax, [TEST_PAGE]
    mov ebx, [TEST_PAGE + 0x5000]
    mov dword [0x21000], 0x400087
    invlpg [TEST_PAGE + 0x1000]
    mov ecx, [TEST_PAGE]
    mov edx, [TEST_PAGE + 0x5000]
    end

snippet single_step, 64
    pushfq
    or dword [rsp], 0x100
    popfq
step_first:
    mov eax, 1
step_second:
    mov ebx, 1
    end

snippet single_step_through, 64     ; counts its own steps
    xor r15d, r15d
    pushfq
    or dword [rsp], 0x100
    popfq
    nop
    mov eax, 5
.loop:
    dec eax
    jnz .loop
    pushfq
    and dword [rsp], ~0x100
    popfq
    nop
    nop
    end
snippet count_step, 64
    inc r15d
    iretq

snippet data_breakpoint, 64
    mov eax, 0x30000
    mov dr0, rax
    mov eax, 0x000D0001             ; 4 bytes, write, L0
    mov dr7, rax
    mov eax, [0x30000]              ; reads do not hit
    mov byte [0x30003], 1
after_data_breakpoint:
    nop
    end

snippet code_breakpoint, 64
    lea rax, [rel .here]
    mov dr1, rax
    mov eax, 0x8                    ; G1, execute
    mov dr7, rax
    xor ebx, ebx
.here:
    inc ebx
    mov ecx, ebx
    end
snippet resume_with_rf, 64
    inc r15d
    mov r14, dr6
    or dword [rsp + 16], 0x10000
    iretq

snippet general_detect, 64
    mov eax, 0x2000
    mov dr7, rax
    mov rax, dr0
    end

snippet patch_next, 64              ; changes the immediate of the instruction right behind
    mov byte [rel .target + 1], 0x77
.target:
    mov eax, 0x11
    end

snippet patch_other_page, 64
    call 0x31000
    mov ebx, eax
    mov byte [0x31001], 0x22
    call 0x31000
    end
snippet patch_victim, 64            ; copied to 31000h
    mov eax, 0x11
    ret
patch_victim_end:

snippet not_canonical, 64
    mov rax, 0x0000800000000000
    mov al, [rax]
snippet not_canonical_stack, 64
    mov rsp, 0x0000800000001000
    push rax

snippet unknown_msr, 64
    mov ecx, 0xC0001234
    rdmsr
snippet write_bad_efer, 64
    mov ecx, 0xC0000080
    rdmsr
    or edx, 1
    wrmsr
snippet msr_round_trip, 64
    mov ecx, 0xC0000102             ; KERNEL_GS_BASE
    mov eax, 0x9ABCDEF0
    mov edx, 0x00001234
    wrmsr
    xor eax, eax
    xor edx, edx
    rdmsr
    mov ebx, eax
    swapgs
    mov ecx, 0xC0000101
    rdmsr
    end

snippet leave_long_mode, 64         ; PG may not go in 64-bit mode
    mov rax, cr0
    btr rax, 31
    mov cr0, rax

snippet user_fault, 64              ; ring 3: a plain fault, so that the frame can be looked at
    ud2

snippet double_fault, 64
    ud2

snippet halt_then, 64
    sti
    hlt
    mov ebx, 0x55
    end

snippet sti_shadow, 64
    sti
    mov ebx, 1
    mov ecx, 1
    end

snippet mov_ss_shadow, 32
    mov ss, ax
    mov esp, 0x38000
    mov ecx, 1
    end

snippet fsgsbase, 64
    mov rax, 0x123456789000
    wrgsbase rax
    rdgsbase rbx
    mov ecx, 0xC0000101
    rdmsr
    mov rcx, 0x8000000000000000
    wrfsbase rcx                    ; #GP

snippet iret_compatibility, 64      ; to ring 3, 32-bit, and a fault there
    push qword USER_DATA
    push qword 0x38000
    push qword 2
    push qword 0x33
    push qword .there
    iretq
    bits 32
.there:
    mov eax, 0xFFFFFFFF
    inc eax
    mov ebx, esp
    ud2

; ---- protected mode ----

snippet load_ds, 32                 ; AX: selector
    mov ds, ax
    end
snippet load_ss, 32
    mov ss, ax
    end
snippet store_fs, 32                ; AX: selector of FS, EBX: offset
    mov fs, ax
    mov [fs:ebx], cl
    end
snippet load_fs, 32
    mov fs, ax
    mov cl, [fs:ebx]
    end
snippet stack_overrun, 32
    mov ss, ax
    mov esp, ebx
    push eax
    end
snippet jump_ax, 32                 ; far jump to AX:EBX
    mov [0x30000], ebx
    mov [0x30004], ax
    jmp far [0x30000]
snippet just_end, 32
    end
snippet count_to_twelve, 32
    xor ecx, ecx
    times 12 inc ecx
    end
snippet load_ldt, 32
    lldt ax
    end
snippet load_tr, 32
    ltr ax
    end

snippet lar_lsl, 32                 ; AX: selector
    lar ebx, ax
    setz dl
    lsl ecx, ax
    setz dh
    verr ax
    setz bl
    verw ax
    setz bh
    end

snippet call_gate, 32               ; to ring 3, CALL 6Bh with two parameters, and what comes back
    mov ax, 0x78                    ; TSS
    ltr ax
    push dword USER_DATA
    push dword 0x38000
    push dword 0x33
    push dword .ring3
    retf
.ring3:
    push dword 0x1111
    push dword 0x2222
    call 0x6B:0
    mov edi, esp
    mov ebp, cs
    hlt                             ; #GP(0)
snippet call_gate_target, 32
    mov eax, [esp + 8]              ; last parameter
    mov ebx, [esp + 12]
    mov ecx, [esp + 20]             ; caller's SS
    mov edx, esp
    mov esi, cs
    retf 8

snippet interrupt_32, 32            ; to ring 3, INT 80h
    mov ax, 0x78
    ltr ax
    push dword USER_DATA
    push dword 0x38000
    push dword 0x202
    push dword 0x33
    push dword .ring3
    iretd
.ring3:
    mov ax, USER_DATA
    mov ds, ax
    int 0x80
after_int80:
    mov ebp, 0x66
    int 0x81                        ; #GP(81h * 8 + 2)
snippet interrupt_32_entry, 32
    mov eax, [esp]
    mov ebx, [esp + 4]
    mov ecx, [esp + 8]
    mov edx, [esp + 12]
    mov esi, [esp + 16]
    pushfd
    pop edi
    iretd

snippet task_jump, 32               ; JMP to another task, which jumps back
    mov ax, 0x78
    ltr ax
    mov ebx, 0x1234
    jmp 0x80:0
    mov ecx, 0x5678
    str dx
    end
snippet task_other, 32
    inc eax
    str si
    mov esi, esi
    mov [0x30010], esi
    mov [0x30014], eax
    jmp 0x78:0

snippet task_call, 32               ; CALL a task, which returns by IRET
    mov ax, 0x78
    ltr ax
    call 0x80:0
    mov ecx, 0x5678
    pushfd
    pop edi
    str dx
    end
snippet task_callee, 32
    pushfd
    pop eax
    mov [0x30010], eax
    mov eax, cr0
    mov [0x30014], eax
    iretd

snippet task_busy, 32
    mov ax, 0x78
    ltr ax
    jmp 0x78:0

snippet to_v86, 32                  ; IRET to virtual-8086 mode; AX = flags there
    push dword 0x1000               ; GS
    push dword 0x1001               ; FS
    push dword 0x3000               ; DS
    push dword 0x1003               ; ES
    push dword 0x2000               ; SS
    push dword 0x0100               ; ESP
    push eax
    push dword 0x1000               ; CS: 10000h
    push dword v86_code - 0x10000
    mov bx, 0x78
    ltr bx
    iretd
    bits 16
v86_code:
    mov bx, cs
    mov dx, ds
    mov word [0x20], 0x4321         ; 30020h
    push word 0x5A5A                ; 200FEh
    cli                             ; #GP(0) when IOPL < 3
    int 0x20                        ; #GP(0) likewise
snippet v86_gp_entry, 32
    end

snippet io_bitmap, 32               ; ring 3: port 60h allowed, 61h not
    mov ax, 0x78
    ltr ax
    push dword USER_DATA
    push dword 0x38000
    push dword 0x33
    push dword .ring3
    retf
.ring3:
    in al, 0x60
    mov ebx, 1
    in ax, 0x60

; ---- real mode ----

snippet real_interrupt, 16
    xor ax, ax
    mov ss, ax
    mov sp, 0x7000
    push ax
    popf
    stc
    sti
    int 0x50
    mov bx, 0x99
    end
snippet real_handler, 16
    pushf
    pop dx
    mov cx, sp
    clc
    iret

snippet real_to_protected, 16       ; and back, the way of a boot loader
    cli
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 0x18:.in32
    bits 32
.in32:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov dword [0x200000], 0x600DF00D
    mov ebx, [0x200000]
    jmp 0x20:.in16
    bits 16
.in16:
    mov ax, 0x28
    mov ds, ax
    mov eax, cr0
    and al, 0xFE
    mov cr0, eax
    jmp 0x1000:.real - 0x10000
.real:
    mov ax, 0x3000
    mov ds, ax
    mov word [0], 0xBEEF
    end

snippet unreal, 16                  ; limits outlive protected mode
    cli
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 0x10
    mov fs, bx
    and al, 0xFE
    mov cr0, eax
    xor bx, bx
    mov fs, bx
    mov ebx, 0x200000
    mov dword [fs:ebx], 0xCAFE
    end

snippets_end
