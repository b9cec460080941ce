; SPDX-License-Identifier: GPL-3.0-or-later
; Copyright the Vitrine developers
;
; A deterministic guest for the lock-step: from real mode by protected mode to 64-bit mode, to ring 3
; and back, with an exception or two on the way. The harness's tables are at their places; entry is
; 1000h:0, the other segments and the interrupt table at 0. It ends by its own exception handler.

org 0x10000
%define GDT 0x1000
%define IDT 0x2000
%define PML4 0x8000
%define STACK 0xEE00
%define DATA 0x30000
%define R(label) ((label) - 0x10000)

%macro end 0                    ; CPU_HARNESS_END
    out 0xF4, al
    jmp short $
%endmacro

bits 16
start:
    cli
    cld
    mov word [0x50 * 4], R(handler16)
    mov word [0x50 * 4 + 2], 0x1000
    mov sp, 0x7000
    mov ax, 0x1234
    mov cx, 7
    mul cx
    mov bx, 13
    div bx
    imul dx, ax, -3
    pusha
    popa
    int 0x50
    sti
    cli
    mov ax, 0x3000
    mov es, ax
    xor di, di
    mov cx, 9
    mov ax, 0xA55A
    rep stosw
    mov ds, ax                  ; any value is a segment
    xor ax, ax
    mov ds, ax
    les bx, [0x50 * 4]
    aam
    aad
    daa
    call near .near
    call 0x1000:R(far16)
    o32 lgdt [cs:R(gdtr)]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 0x18:in32
.near:
    lahf
    sahf
    ret
far16:
    cmc
    retf
handler16:
    pushf
    pop dx
    iret
    align 4
gdtr: dw 0xFFF
    dd GDT
idtr: dw 0xFFF
    dq IDT

bits 32
in32:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, STACK
    mov fs, ax
    pushad
    popad
    pushfd
    pop eax
    str ax
    sldt bx
    smsw cx
    mov edx, 0x12345678
    mov ecx, 5
    shld eax, edx, cl
    bsf ebx, edx
    bswap edx
    mov [DATA], edx
    bts dword [DATA], 7
    lock xadd [DATA], ecx
    cmpxchg [DATA], ebx
    lock cmpxchg8b [DATA]
    enter 16, 2
    leave
    mov esi, DATA
    mov edi, DATA + 64
    mov ecx, 5
    rep movsd
    mov ecx, 3
    repne scasb
    lar eax, dx
    verw dx
    push dword 0x18
    push dword .back
    retf
.back:
    mov eax, cr4
    or eax, 0x620               ; PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x901               ; SCE, LME, NXE
    wrmsr
    mov eax, cr0
    or eax, 0x80010000          ; PG, WP
    mov cr0, eax
    jmp 0x08:in64

%macro gate 2                   ; vector, handler
    mov eax, %2
    mov [IDT + 16 * %1], ax
    shr eax, 16
    mov [IDT + 16 * %1 + 6], ax
%endmacro

bits 64
in64:
    lidt [abs idtr]
    mov ax, 0x48
    ltr ax
    gate 0, skip_div
    gate 6, skip_ud2
    gate 14, map_page
    gate 0x41, count
    fninit
    fldpi
    fld1
    faddp
    fsqrt
    fstp qword [abs DATA]
    movsd xmm0, [abs DATA]
    movapd xmm1, xmm0
    mulsd xmm0, xmm1
    cvttsd2si rax, xmm0
    movq xmm2, rax
    pshufd xmm3, xmm2, 0x1B
    pxor xmm4, xmm4
    ldmxcsr [abs mxcsr]
    stmxcsr [abs DATA + 8]
    mov ebx, DATA + 0x100
    fninit                      ; no last instruction: processors keep it in different ways
    fxsave [rbx]
    fxrstor [rbx]
    mov rcx, 0x1122334455667788
    mov rdx, rax
    lock cmpxchg16b [rbx]
    popcnt rsi, rcx
    crc32 rsi, rcx
    bswap rdi
    xchg [rbx], rdi
    mov edi, DATA + 0x400
    mov ecx, 17
    rep stosq
    mov esi, DATA + 0x200
    std
    mov ecx, 4
    rep movsb
    cld
    clts
    mov r8, cr0
    mov r9, cr4
    mov rax, 0x30000
    mov dr0, rax
    mov r10, dr0
    mov r11, dr6
    mov ecx, 0xC0000102         ; KERNEL_GS_BASE
    mov eax, 0x9ABCDEF0
    mov edx, 0x1234
    wrmsr
    swapgs
    rdmsr
    mov ecx, 0xC0000082         ; LSTAR
    mov eax, count
    xor edx, edx
    wrmsr
    rdmsr
    invlpg [rbx]
    wbinvd
    sti
    nop
    cli
    int 0x41
    ud2
    xor ecx, ecx
    div ecx
    mov eax, [0x40000000]       ; not there: #PF, which maps it
    mov word [rsp - 8], 0x1234
    push qword 0x3B             ; to ring 3
    push qword 0x38000
    push qword 0x202
    push qword 0x43
    push qword ring3
    iretq
ring3:
    mov ecx, 6
.loop:
    lea rax, [rax + rcx * 2 + 1]
    rol rax, 7
    push rax
    pop r14
    dec ecx
    jnz .loop
    cvtsi2sd xmm5, eax
    addsd xmm5, xmm0
    fild qword [rsp - 16]
    fistp qword [rsp - 24]
    ud2
    div ecx
    hlt                         ; #GP: the harness's end

skip_ud2:
    add qword [rsp], 2
    iretq
skip_div:
    add qword [rsp], 2
    inc r15
    iretq
count:
    inc r15
    iretq
map_page:                       ; the second gigabyte's first page is that at DATA
    pop r13
    mov r12, cr2
    mov qword [PML4 + 0x1008], 0x31007
    mov qword [0x31000], 0x32007
    mov qword [0x32000], DATA | 7
    iretq
    align 8
mxcsr: dd 0x3F80
