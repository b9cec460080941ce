; SPDX-License-Identifier: GPL-3.0-or-later
; Copyright the Vitrine developers
;
; One piece for each class of instructions, and for what may happen to an instruction: each runs on
; the software CPU and on KVM, whose emulator lacks many of them (lockstep-classes.c). RBX: DATA.

%define SNIPPETS 72
%include "snippets.inc"
%define DATA 0x30000
%define IDT 0x2000
%define ABSENT 0x40000000       ; linear, nothing there

%macro gate 2                   ; 64-bit: vector, handler
    mov eax, %2
    mov [IDT + 16 * %1], ax
    shr eax, 16
    mov [IDT + 16 * %1 + 6], ax
%endmacro

; ---- 64-bit ring 0 ----

snippet sse_moves, 64
    movups xmm0, [rbx]
    movaps [rbx + 64], xmm0
    movd xmm1, ebx
    movq rax, xmm1
    movhlps xmm2, xmm0
    movlpd xmm3, [rbx + 8]
    movmskpd ecx, xmm3
    movnti [rbx + 80], rax
    movntdq [rbx + 96], xmm0
    movss xmm4, [rbx + 4]
    end
snippet sse_arithmetic, 64
    cvtsi2sd xmm0, ebx
    movapd xmm1, xmm0
    addpd xmm0, xmm1
    mulsd xmm0, [rbx]
    sqrtsd xmm2, xmm0
    divps xmm2, xmm1
    cvttsd2si rax, xmm0
    ucomisd xmm0, xmm1
    shufps xmm3, xmm0, 0x1B
    pmaddwd xmm0, [rbx + 16]
    psadbw xmm1, xmm0
    stmxcsr [rbx + 128]
    ldmxcsr [rbx + 128]
    end
snippet sse4, 64
    movdqu xmm0, [rbx]
    movdqu xmm1, [rbx + 16]
    pcmpistri xmm0, xmm1, 0x0C
    pcmpestrm xmm0, xmm1, 0
    pextrq rax, xmm0, 1
    pinsrd xmm2, ebx, 3
    roundsd xmm3, xmm1, 1
    ptest xmm0, xmm1
    blendvps xmm1, xmm2
    pshufb xmm1, xmm0
    phaddw xmm2, xmm1
    pmulld xmm2, xmm1
    crc32 rcx, byte [rbx]
    popcnt rdx, rcx
    end
snippet mmx, 64
    movq mm0, [rbx]
    paddsw mm0, [rbx + 8]
    pmuludq mm1, mm0
    movq2dq xmm0, mm0
    movntq [rbx + 64], mm0
    maskmovq mm0, mm1
    emms
    end
snippet x87, 64
    fninit
    fldpi
    fld1
    faddp
    fild dword [rbx]
    fmul st0, st1
    fsqrt
    fxch
    fsin
    fist dword [rbx + 64]
    fbstp [rbx + 72]
    fcomi st0, st0
    fxam
    fnstsw ax
    fstp qword [rbx + 96]
    fwait
    end
snippet x87_state, 64
    fninit
    fld1
    fldcw [rbx + 256]
    fnstcw [rbx + 64]
    fninit
    fnsave [rbx + 512]
    frstor [rbx + 512]
    mov dword [rbx + 512 + 16], 0   ; CS of the last instruction: not all keep it
    fnclex
    ffree st3
    xor eax, eax
    lea rdi, [rbx + 1024]       ; what FXSAVE leaves alone, or clears
    mov ecx, 64
    rep stosq
    fxsave64 [rbx + 1024]
    fxrstor64 [rbx + 1024]
    end
snippet extended_state, 64
    mov rax, cr4
    or eax, 1 << 18             ; OSXSAVE
    mov cr4, rax
    xor ecx, ecx
    xgetbv
    mov eax, 3
    xsetbv
    pxor xmm3, xmm3
    xor eax, eax
    lea rdi, [rbx + 1024 + 512] ; the header's reserved bytes are zero
    mov ecx, 8
    rep stosq
    mov eax, 3
    xor edx, edx
    xsave [rbx + 1024]
    movups xmm3, [rbx]
    xrstor [rbx + 1024]
    end
snippet compare_exchange, 64
    mov eax, [rbx]
    cmpxchg [rbx], ecx
    lock cmpxchg [rbx + 8], rcx
    mov eax, [rbx + 16]
    mov edx, [rbx + 20]
    lock cmpxchg8b [rbx + 16]
    cmpxchg8b [rbx + 16]
    lock cmpxchg16b [rbx + 32]
    lock cmpxchg16b [rbx + 32]
    cmpxchg16b [rbx + 32]
    end
snippet locked, 64
    mov ecx, 7
    lock xadd [rbx], rcx
    xchg [rbx + 8], ecx
    lock bts dword [rbx], 5
    lock btr [rbx], rcx
    lock not word [rbx + 2]
    lock inc qword [rbx + 16]
    lock neg byte [rbx + 3]
    lock or dword [rbx + 0xFFE], 0x77   ; crosses a page
    end
snippet strings, 64
    mov rsi, rbx
    lea rdi, [rbx + 512]
    mov ecx, 33
    rep movsb
    mov ecx, 5
    rep stosq
    lodsd
    std
    lodsw
    scasb
    cld
    mov ecx, 9
    repe cmpsb
    mov ecx, 9
    repne scasb
    mov dx, 0x80
    mov esi, DATA
    mov ecx, 3
    rep outsb
    mov ecx, 3
    rep insw
    end
snippet bit_fields, 64
    mov rax, 0x123456789ABCDEF0
    bsf rcx, rax
    bsr rdx, rax
    bt [rbx], rcx
    btc qword [rbx], 9
    shld rax, rcx, 13
    shrd [rbx], rax, cl
    rcl byte [rbx + 1], 3
    bswap rax
    mul qword [rbx]
    imul rcx, [rbx], 77
    xlatb
    setc [rbx + 64]
    cmovs rdx, [rbx + 8]
    end
snippet far_transfers, 64
    mov dword [rbx], .one
    mov word [rbx + 4], 0x08
    mov word [rbx + 6], 0
    jmp dword far [rbx]
.one:
    mov dword [rbx], .two
    call dword far [rbx]
    jmp .three
.two:
    retf
.three:
    push 0x10
    push 0xEE00
    pushfq
    push 0x08
    push .four
    iretq
.four:
    end
snippet segment_loads, 64
    mov eax, 0x10
    mov ds, ax
    mov es, ax
    mov fs, ax
    push 0x3B
    pop gs
    push fs
    pop rcx
    mov word [rbx + 4], 0x10
    lfs ecx, [rbx]
    lgs ecx, [rbx]
    lss ecx, [rbx]
    xor eax, eax
    mov ds, ax
    mov ss, ax
    mov dx, ss
    end
snippet tables, 64
    sgdt [rbx]
    sidt [rbx + 16]
    lgdt [rbx]
    lidt [rbx + 16]
    mov ax, 0x48
    ltr ax
    str ecx
    mov ax, 0x70
    lldt ax
    sldt edx
    mov eax, 0x38
    lar esi, ax
    lsl edi, ax
    verr ax
    verw ax
    end
snippet control_registers, 64
    smsw eax
    mov rcx, cr0
    or ecx, 8                   ; TS
    mov cr0, rcx
    clts
    lmsw ax
    mov rdx, cr2
    mov cr2, rbx
    mov rsi, cr3
    mov cr3, rsi
    mov rdi, cr4
    or edi, 0x80                ; PGE
    mov cr4, rdi
    mov rdi, cr4
    end
snippet task_priority, 64
    mov eax, 5
    mov cr8, rax
    mov rcx, cr8
    xor eax, eax
    mov cr8, rax
    mov rdx, cr8
    end
snippet debug_registers, 64
    mov dr0, rbx
    mov dr3, rbx
    mov rax, dr0
    mov rcx, dr6
    mov rdx, dr7
    mov eax, 0x400
    mov dr7, rax
    end
snippet model_specific, 64
    mov ecx, 0xC0000082         ; LSTAR
    mov eax, 0x12345678
    xor edx, edx
    wrmsr
    rdmsr
    mov ecx, 0xC0000102         ; KERNEL_GS_BASE
    wrmsr
    swapgs
    rdmsr
    mov ecx, 0xC0000100         ; FS_BASE
    rdmsr
    mov ecx, 0x277              ; PAT
    rdmsr
    wrmsr
    mov ecx, 0xC0000080         ; EFER
    rdmsr
    wrmsr
    mov ecx, 0x174              ; SYSENTER_CS
    mov eax, 8
    xor edx, edx
    wrmsr
    rdmsr
    end
snippet caches, 64
    invlpg [rbx]
    wbinvd
    invd
    clflush [rbx]
    prefetcht0 [rbx]
    mfence
    lfence
    sfence
    pause
    end
snippet flags, 64
    pushfq
    pop rax
    or eax, 0x8D5
    push rax
    popfq
    lahf
    sahf
    sti
    nop
    cli
    cmc
    std
    cld
    end
snippet fault_undefined, 64
    gate 6, skip_two
    ud2
    end
snippet fault_misaligned, 64
    gate 13, skip_four
    movaps xmm0, [rbx + 8]
    end
snippet fault_absent, 64        ; the page comes with the fault, and the instruction again
    gate 14, bring_page
    mov edi, ABSENT
    movups xmm0, [rdi + 8]
    lock cmpxchg16b [rdi + 16]
    movups [rdi + 32], xmm0
    fst qword [rdi + 64]
    end
snippet fault_read_only, 64     ; likewise, half of the operand
    gate 14, bring_page
    mov edi, ABSENT
    movups [rdi - 7], xmm1
    end
snippet fault_not_available, 64
    gate 7, clear_ts
    mov rax, cr0
    or eax, 8
    mov cr0, rax
    addps xmm0, xmm1
    end
snippet fault_simd, 64
    gate 19, skip_four
    mov dword [rbx], 0x1D80     ; divide by zero unmasked
    ldmxcsr [rbx]
    pxor xmm1, xmm1
    movups xmm0, [rbx + 32]
    divpd xmm0, xmm1
    end
snippet fault_x87, 64
    gate 16, clear_x87
    mov word [rbx], 0x37B       ; likewise
    fninit
    fldcw [rbx]
    fld1
    fldz
    fdivp
    fwait
    end
snippet fault_division, 64
    gate 0, skip_two
    xor ecx, ecx
    div ecx
    end
snippet software_interrupt, 64
    gate 0x41, just_return
    gate 3, just_return
    int 0x41
    int3
    end
snippet trap_flag, 64           ; a #DB after each, also after what is executed for KVM
    gate 1, just_return
    pushfq
    or dword [rsp], 0x100
    popfq
    addps xmm0, xmm1
    lock cmpxchg16b [rbx]
    fld1
    movups [rbx], xmm0
    pushfq
    and dword [rsp], ~0x100
    popfq
    nop
    end
snippet shadow, 64              ; after STI, MOV SS
    mov eax, 0x10
    sti
    addps xmm0, xmm1
    cli
    mov ss, ax
    movups [rbx], xmm0
    mov ss, ax
    lock cmpxchg16b [rbx]
    end
snippet nmi_in_nmi, 64          ; one is pending and waits for the IRET
    gate 2, just_return
    addps xmm0, xmm1
    mov ecx, r15d
    push 0x10
    push 0xEE00
    push 2
    push 0x08
    push .after
    iretq
.after:
    jmp wait_for_it
snippet interrupt, 64           ; one is pending while they are off; what is executed for KVM meanwhile
    gate 0x60, just_return
    addps xmm0, xmm1
    lock cmpxchg16b [rbx]
    mov ecx, r15d               ; not yet
    sti
    movups [rbx], xmm0
wait_for_it:
    mov ebp, 1000               ; some KVMs look for it rarely
.wait:
    dec ebp
    jnz .wait
    cli
    xor eax, eax
    mov [rsp - 40], rax         ; where it came is not compared
    mov [rsp - 24], rax
    end
snippet to_ring_3, 64
    gate 6, user_ends
    mov eax, 0x3B
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    jmp enter_ring_3
snippet closes_segments, 64     ; those of ring 0, on the way to ring 3
    gate 6, user_ends
enter_ring_3:
    push 0x3B
    push 0x38000
    push 0x202
    push 0x43
    push .user
    iretq
.user:
    movups xmm0, [rbx]
    addpd xmm0, xmm0
    lock cmpxchg16b [rbx]
    fldpi
    ud2

snippet system_calls, 64        ; into ring 3, and by SYSCALL and SYSRET there and back twice
    gate 6, user_ends
    mov ecx, 0xC0000081         ; STAR
    xor eax, eax
    mov edx, 0x00330008
    wrmsr
    mov ecx, 0xC0000082         ; LSTAR
    mov eax, .entry
    xor edx, edx
    wrmsr
    mov ecx, 0xC0000084         ; SFMASK
    mov eax, 0x700
    wrmsr
    mov eax, 0x3B
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    push 0x3B
    push 0x38000
    push 0x602
    push 0x43
    push .user
    iretq
.user:
    syscall
    inc r13d
    syscall
    ud2
.entry:
    swapgs
    mov r8, rcx
    mov r9, r11
    mov r10, cs
    mov r12, ss
    inc r14d
    swapgs
    o64 sysret

snippet ports_of_ring_3, 64     ; IOPL 3
    gate 6, user_ends
    mov eax, 0x3B
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    push 0x3B
    push 0x38000
    push 0x3202
    push 0x43
    push .user
    iretq
.user:
    in al, 0x80
    mov dx, 0x81
    out dx, ax
    mov esi, ebx
    outsb
    cli
    sti
    ud2

snippet skip_two, 64
    inc r15
    add qword [rsp], 2
    iretq
snippet skip_four, 64           ; with or without an error code, by the stack's low bits
    inc r15
    test esp, 8
    jnz .no_error
    add rsp, 8
.no_error:
    add qword [rsp], 4
    iretq
snippet bring_page, 64
    pop r13
    inc r15
    mov r12, cr2
    mov qword [0x9008], 0x31007
    mov qword [0x31000], 0x32007
    mov qword [0x32000], 0x33007
    mov qword [0x9000 + 512 * 8 - 8], 0
    invlpg [r12]
    iretq
snippet clear_ts, 64
    inc r15
    clts
    iretq
snippet clear_x87, 64
    inc r15
    fnclex
    iretq
snippet just_return, 64
    inc r15
    iretq
snippet user_ends, 64
    end

; ---- 32-bit ring 0 ----

snippet decimal, 32
    mov ax, 0x1299
    daa
    das
    aaa
    aas
    aam
    aad
    into
    salc
    end
snippet pushes, 32
    pushad
    popad
    pushfd
    popfd
    push es
    pop es
    push ss
    pop ss
    enter 8, 3
    leave
    pusha
    popa
    end
snippet pointers, 32
    mov dword [ebx], 0x1234
    mov word [ebx + 4], 0x10
    lds ecx, [ebx]
    les edx, [ebx]
    lss esi, [ebx]
    mov esp, 0xEE00
    mov dword [ebx + 8], -5
    mov dword [ebx + 12], 5
    xor edx, edx
    bound edx, [ebx + 8]
    arpl [ebx], cx
    xlatb
    end
snippet far_32, 32
    call 0x18:.target
    push dword 2
    push dword 0x18
    push dword .back
    iretd
.target:
    retf
.back:
    jmp 0x18:.end
.end:
    end
snippet tasks, 32               ; there and back, both ways
    mov ax, 0x60
    ltr ax
    jmp 0x68:0
    mov ecx, 0x5678
    call 0x68:0
    pushfd
    pop edi
    str dx
    end
snippet task_1, 32
    times 104 db 0
snippet task_2, 32              ; starts at task_2_code; set up by lockstep-classes.c
    times 104 db 0
snippet task_2_code, 32
    inc eax
    jmp 0x60:0
    inc eax
    mov esi, cr0
    iretd
snippet sse_32, 32
    movups xmm0, [ebx]
    addps xmm0, xmm0
    cvtss2si eax, xmm0
    fld dword [ebx]
    fstp tword [ebx + 64]
    lock cmpxchg8b [ebx]
    movd mm0, eax
    emms
    end

; ---- real mode ----

snippet real, 16                ; CS 1000h
    mov ax, 0x3000
    mov ds, ax
    mov es, ax
    pusha
    popa
    lahf
    sahf
    aam
    daa
    movups xmm0, [0]
    addps xmm0, xmm0
    fld1
    fstp qword [64]
    lock cmpxchg8b [8]
    mov si, 0
    mov di, 128
    mov cx, 9
    rep movsw
    lds si, [0]
    mov eax, cr0
    sgdt [128]
    lgdt [cs:.table - 0x10000]
    smsw ax
    enter 4, 1
    leave
    call 0x1000:.far - 0x10000
    end
.far:
    retf
.table:
    dw 0xFFF
    dd 0x1000

snippets_end
