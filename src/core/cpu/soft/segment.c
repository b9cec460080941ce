/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Descriptors and segment registers (SDM vol. 3A chapters 3 and 5). */

#include "core/cpu/soft/system.h"

/* Descriptors
 * ----------------------------------------------------------------------------------- */

void soft_descriptor_decode(SoftDescriptor *d)
{
    uint64_t raw = d->raw;
    d->base = ((raw >> 16) & 0xFFFFFF) | ((raw >> 32) & 0xFF000000);
    d->limit = (uint32_t)((raw & 0xFFFF) | ((raw >> 32) & 0xF0000));
    d->attributes = (uint16_t)((raw >> 40) & 0xF0FF);
    if (d->attributes & SEG_GRANULAR)
        d->limit = d->limit << 12 | 0xFFF;
    d->high = 0;
}

static uint64_t table_linear(SoftCpu *cpu, uint64_t linear)
{
    return soft_in_long_mode(cpu) ? linear : (uint32_t)linear;
}

bool soft_descriptor_fetch(SoftCpu *cpu, uint16_t selector, SoftDescriptor *out)
{
    uint64_t base = cpu->gdt_base;
    uint32_t limit = cpu->gdt_limit;
    if (selector & 4) {
        if (!(cpu->ldt.attributes & SEG_PRESENT))
            return false;
        base = cpu->ldt.base;
        limit = cpu->ldt.limit;
    }
    uint32_t offset = selector & 0xFFF8;
    if (G_UNLIKELY(offset + 7 > limit))
        return false;
    out->selector = selector;
    out->linear = table_linear(cpu, base + offset);
    out->raw = soft_load_system(cpu, out->linear, 8);
    soft_descriptor_decode(out);
    return true;
}

void soft_descriptor_fetch_high(SoftCpu *cpu, SoftDescriptor *d, uint8_t vector, uint32_t ext)
{
    if (!soft_in_long_mode(cpu))
        return;
    uint32_t error = (d->selector & 0xFFFC) | ext;
    uint32_t limit = d->selector & 4 ? cpu->ldt.limit : cpu->gdt_limit;
    if ((d->selector & 0xFFF8u) + 15 > limit)
        soft_fault_error(cpu, vector, error);
    d->high = soft_load_system(cpu, d->linear + 8, 8);
    if (d->high >> 32 & 0x1F00)
        soft_fault_error(cpu, vector, error);
    d->high &= 0xFFFFFFFF;
    d->base |= d->high << 32;
}

/* Changes the type byte in memory, by a host atomic where the TLB has the page. */
static void descriptor_change_type(SoftCpu *cpu, SoftDescriptor *d, uint8_t set, uint8_t clear)
{
    uint64_t at = d->linear + 5;
    uint8_t *p = soft_system_write_pointer(cpu, at, 1);
    if (!p) {
        uint8_t type = (uint8_t)soft_load_system(cpu, at, 1);
        soft_store_system(cpu, at, 1, (type | set) & ~clear);
        return;
    }
    if (set)
        __atomic_fetch_or(p, set, __ATOMIC_SEQ_CST);
    if (clear)
        __atomic_fetch_and(p, (uint8_t)~clear, __ATOMIC_SEQ_CST);
}

void soft_descriptor_set_accessed(SoftCpu *cpu, SoftDescriptor *d)
{
    if (G_LIKELY(d->attributes & SEG_ACCESSED))
        return;
    descriptor_change_type(cpu, d, SEG_ACCESSED, 0);
    d->attributes |= SEG_ACCESSED;
}

void soft_descriptor_set_busy(SoftCpu *cpu, SoftDescriptor *d, bool busy)
{
    descriptor_change_type(cpu, d, busy ? 2 : 0, busy ? 0 : 2);
    d->attributes = (d->attributes & ~2u) | (busy ? 2 : 0);
}

/* Registers
 * ------------------------------------------------------------------------------------- */

/* In 64-bit mode ES, CS, SS and DS have base 0, but what was loaded must come back when the CPU
 * returns to a compatibility-mode task: it waits in held_base. */
void soft_segment_cache(SoftCpu *cpu, unsigned n)
{
    SoftSegment *seg = &cpu->seg[n];
    if (cpu->mode & SOFT_MODE_CODE64) {
        if (n < CPU_FS && seg->base) {
            cpu->held_base[n] = seg->base;
            seg->base = 0;
        }
        seg->end[0] = seg->end[1] = UINT64_MAX;
        return;
    }
    if (G_UNLIKELY(cpu->held_base[n])) {
        seg->base = cpu->held_base[n];
        cpu->held_base[n] = 0;
    }
    uint64_t end = (uint64_t)seg->limit + 1;
    unsigned attributes = seg->attributes;
    if (soft_in_real_or_v86(cpu)) {
        seg->end[0] = seg->end[1] = end;
    } else if (!(attributes & SEG_PRESENT)) {
        seg->end[0] = seg->end[1] = 0;
    } else if (attributes & SEG_CODE) {
        seg->end[0] = attributes & SEG_READ_WRITE ? end : 0;
        seg->end[1] = 0;
    } else if (attributes & SEG_EXPAND_DOWN) {
        seg->end[0] = seg->end[1] = 0;
    } else {
        seg->end[0] = end;
        seg->end[1] = attributes & SEG_READ_WRITE ? end : 0;
    }
    soft_update_flat(cpu);
}

void soft_set_segment_real(SoftCpu *cpu, unsigned n, uint16_t selector)
{
    SoftSegment *seg = &cpu->seg[n];
    seg->selector = selector;
    seg->base = (uint64_t)selector << 4;
    cpu->held_base[n] = 0;
    if (soft_in_v86(cpu)) {
        seg->limit = 0xFFFF;
        seg->attributes = 0xF3;
    } else {
        /* Limit and size stay what they were ("unreal mode"); a null left by protected mode becomes
         * usable again. */
        if (!(seg->attributes & SEG_PRESENT))
            seg->limit = 0xFFFF;
        seg->attributes = (seg->attributes & (SEG_BIG | SEG_GRANULAR)) | 0x93;
    }
    soft_segment_cache(cpu, n);
}

void soft_set_segment(SoftCpu *cpu, unsigned n, uint16_t selector, const SoftDescriptor *d)
{
    SoftSegment *seg = &cpu->seg[n];
    seg->selector = selector;
    seg->base = d->base;
    seg->limit = d->limit;
    seg->attributes = d->attributes;
    cpu->held_base[n] = 0;
    soft_segment_cache(cpu, n);
}

void soft_set_segment_null(SoftCpu *cpu, unsigned n, uint16_t selector)
{
    SoftSegment *seg = &cpu->seg[n];
    seg->selector = selector;
    seg->base = 0;
    seg->limit = 0;
    /* SS.DPL is the CPL everywhere, also of a null SS (VMX wants it so). */
    seg->attributes = n == CPU_SS ? (uint16_t)((selector & 3) << 5) : 0;
    cpu->held_base[n] = 0;
    soft_segment_cache(cpu, n);
}

void soft_check_code_segment(SoftCpu *cpu, const SoftDescriptor *code, unsigned cpl, unsigned rpl,
                             uint32_t ext)
{
    unsigned attributes = code->attributes;
    uint32_t error = (code->selector & 0xFFFC) | ext;
    unsigned dpl = SEG_DPL(attributes);
    bool fits = (attributes & (SEG_USER | SEG_CODE)) == (SEG_USER | SEG_CODE);
    if (attributes & SEG_CONFORMING)
        fits = fits && dpl <= cpl;
    else
        fits = fits && dpl == cpl && rpl <= cpl;
    if (soft_in_long_mode(cpu) && attributes & SEG_LONG && attributes & SEG_BIG)
        fits = false;
    if (!fits)
        soft_fault_error(cpu, X86_GP, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
}

void soft_check_stack_segment(SoftCpu *cpu, uint16_t selector, SoftDescriptor *out, unsigned cpl,
                              uint8_t vector, uint32_t ext)
{
    uint32_t error = (selector & 0xFFFC) | ext;
    if (!(selector & 0xFFFC))
        soft_fault_error(cpu, vector, ext);
    if (!soft_descriptor_fetch(cpu, selector, out))
        soft_fault_error(cpu, vector, error);
    unsigned attributes = out->attributes;
    if ((selector & 3u) != cpl || SEG_DPL(attributes) != cpl ||
        (attributes & (SEG_USER | SEG_CODE | SEG_READ_WRITE)) != (SEG_USER | SEG_READ_WRITE))
        soft_fault_error(cpu, vector, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_SS, error);
}

static void load_stack_segment(SoftCpu *cpu, uint16_t selector)
{
    if (!(selector & 0xFFFC)) {
        if (!soft_in_64bit(cpu) || cpu->cpl == 3 || (selector & 3) != cpu->cpl)
            soft_fault_gp0(cpu);
        soft_set_segment_null(cpu, CPU_SS, selector);
        return;
    }
    SoftDescriptor d;
    soft_check_stack_segment(cpu, selector, &d, cpu->cpl, X86_GP, 0);
    soft_descriptor_set_accessed(cpu, &d);
    soft_set_segment(cpu, CPU_SS, selector, &d);
}

void soft_load_segment(SoftCpu *cpu, unsigned n, uint16_t selector)
{
    if (soft_in_real_or_v86(cpu)) {
        soft_set_segment_real(cpu, n, selector);
        return;
    }
    if (n == CPU_SS) {
        load_stack_segment(cpu, selector);
        return;
    }
    if (!(selector & 0xFFFC)) {
        soft_set_segment_null(cpu, n, selector);
        return;
    }
    SoftDescriptor d;
    uint32_t error = selector & 0xFFFC;
    if (!soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, X86_GP, error);
    unsigned attributes = d.attributes;
    unsigned dpl = SEG_DPL(attributes);
    bool is_code = attributes & SEG_CODE;
    if (!(attributes & SEG_USER) || (is_code && !(attributes & SEG_READ_WRITE)))
        soft_fault_error(cpu, X86_GP, error);
    if (!(is_code && attributes & SEG_CONFORMING) && (dpl < cpu->cpl || dpl < (selector & 3u)))
        soft_fault_error(cpu, X86_GP, error);
    if (!(attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    soft_descriptor_set_accessed(cpu, &d);
    soft_set_segment(cpu, n, selector, &d);
}

void soft_drop_inner_segments(SoftCpu *cpu)
{
    static const uint8_t data[] = { CPU_ES, CPU_DS, CPU_FS, CPU_GS };
    for (unsigned i = 0; i < G_N_ELEMENTS(data); i++) {
        const SoftSegment *seg = &cpu->seg[data[i]];
        unsigned attributes = seg->attributes;
        bool conforming = (attributes & (SEG_CODE | SEG_CONFORMING)) == (SEG_CODE | SEG_CONFORMING);
        if (attributes & SEG_PRESENT && SEG_DPL(attributes) < cpu->cpl && !conforming)
            soft_set_segment_null(cpu, data[i], 0);
    }
}

void soft_load_ldt(SoftCpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext)
{
    uint32_t error = (selector & 0xFFFC) | ext;
    if (!(selector & 0xFFFC)) {
        cpu->ldt = (SoftSegment){ .selector = selector };
        return;
    }
    SoftDescriptor d;
    if (selector & 4 || !soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, vector, error);
    if ((d.attributes & (SEG_USER | 15)) != SEG_LDT)
        soft_fault_error(cpu, vector, error);
    soft_descriptor_fetch_high(cpu, &d, vector, ext);
    if (!(d.attributes & SEG_PRESENT))
        soft_fault_error(cpu, vector == X86_TS ? X86_TS : X86_NP, error);
    cpu->ldt = (SoftSegment){
        .base = d.base, .limit = d.limit, .selector = selector, .attributes = d.attributes
    };
}

static void load_task_register(SoftCpu *cpu, uint16_t selector)
{
    uint32_t error = selector & 0xFFFC;
    SoftDescriptor d;
    if (!error)
        soft_fault_gp0(cpu);
    if (selector & 4 || !soft_descriptor_fetch(cpu, selector, &d))
        soft_fault_error(cpu, X86_GP, error);
    unsigned type = d.attributes & (SEG_USER | 15);
    if (type != SEG_TSS32 && (type != SEG_TSS16 || soft_in_long_mode(cpu)))
        soft_fault_error(cpu, X86_GP, error);
    soft_descriptor_fetch_high(cpu, &d, X86_GP, 0);
    if (!(d.attributes & SEG_PRESENT))
        soft_fault_error(cpu, X86_NP, error);
    soft_descriptor_set_busy(cpu, &d, true);
    cpu->task = (SoftSegment){
        .base = d.base, .limit = d.limit, .selector = selector, .attributes = d.attributes
    };
}

/* Instructions. Work that needs locals by address is out of line (see op.h).
 * ------------------------------------------------------------------------------------------- */

SoftNext soft_op_mov_to_seg_reg(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_load_segment(cpu, op->dst, SOFT_R16(cpu, op->src));
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext soft_op_mov_to_seg_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_load_segment(cpu, op->dst, (uint16_t)soft_read_operand(cpu, op, 2));
    SOFT_NEXT_STORED(cpu, op);
}

/* After SS changed by MOV, POP or LSS. In 64-bit mode nothing of the mode depends on it. */
static inline bool stack_segment_changed(SoftCpu *cpu, bool shadow)
{
    if (soft_in_64bit(cpu))
        return false;
    soft_update_mode(cpu);
    if (shadow)
        cpu->shadow = true;
    return true;
}

SoftNext soft_op_mov_to_ss_reg(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_load_segment(cpu, CPU_SS, SOFT_R16(cpu, op->src));
    soft_finish(cpu, op);
    stack_segment_changed(cpu, true);
    SOFT_LEAVE(cpu);
}

SoftNext soft_op_mov_to_ss_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_load_segment(cpu, CPU_SS, (uint16_t)soft_read_operand(cpu, op, 2));
    soft_finish(cpu, op);
    stack_segment_changed(cpu, true);
    SOFT_LEAVE(cpu);
}

SoftNext soft_op_mov_from_seg_reg16(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R16(cpu, op->dst) = cpu->seg[op->src].selector;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_mov_from_seg_reg32(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R64(cpu, op->dst) = cpu->seg[op->src].selector;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_mov_from_seg_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 2, cpu->seg[op->src].selector);
    SOFT_NEXT_STORED(cpu, op);
}

/* dst: size of the operand. Only two bytes are written by a 32-bit push (as processors do since the
 * Pentium); it moves the stack by four. */
SoftNext soft_op_push_seg(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint64_t sp = (cpu->gpr[4] - op->dst) & soft_stack_mask(cpu);
    soft_store(cpu, CPU_SS, sp, op->dst == 4 ? 2 : op->dst, cpu->seg[op->src].selector);
    soft_set_sp(cpu, sp);
    SOFT_NEXT_STORED(cpu, op);
}

static G_GNUC_NO_INLINE void pop_seg(SoftCpu *cpu, const SoftOp *op)
{
    uint64_t sp = cpu->gpr[4] & soft_stack_mask(cpu);
    uint16_t selector = (uint16_t)soft_load(cpu, CPU_SS, sp, op->dst == 4 ? 2 : op->dst);
    /* The stack pointer moves by the old stack's width, but only once the load has worked. */
    uint64_t mask = soft_stack_mask(cpu);
    soft_load_segment(cpu, op->src, selector);
    cpu->gpr[4] =
        mask == 0xFFFF ? (cpu->gpr[4] & ~mask) | ((sp + op->dst) & mask) : (sp + op->dst) & mask;
}

SoftNext soft_op_pop_seg(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    pop_seg(cpu, op);
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext soft_op_pop_ss(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    pop_seg(cpu, op);
    soft_finish(cpu, op);
    stack_segment_changed(cpu, true);
    SOFT_LEAVE(cpu);
}

/* LDS, LES, LSS, LFS, LGS. dst: register, src: segment, imm: operand size. */
static G_GNUC_NO_INLINE void load_far_pointer(SoftCpu *cpu, const SoftOp *op)
{
    unsigned size = (unsigned)op->imm;
    uint64_t ea = soft_ea(cpu, op), mask = ~UINT64_C(0) >> op->ashift;
    uint64_t offset = soft_load(cpu, op->seg, ea, size);
    uint16_t selector = (uint16_t)soft_load(cpu, op->seg, (ea + size) & mask, 2);
    soft_load_segment(cpu, op->src, selector);
    if (size == 2)
        SOFT_R16(cpu, op->dst) = (uint16_t)offset;
    else
        SOFT_R64(cpu, op->dst) = offset;
}

SoftNext soft_op_load_far_pointer(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    load_far_pointer(cpu, op);
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext soft_op_load_far_pointer_ss(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    load_far_pointer(cpu, op);
    soft_finish(cpu, op);
    stack_segment_changed(cpu, false);
    SOFT_LEAVE(cpu);
}

static void set_zf(SoftCpu *cpu, bool set)
{
    cpu->flags = (cpu->flags & ~SOFT_FLAG_ZF) | (set ? SOFT_FLAG_ZF : 0);
}

/* Selector operand of LAR, LSL, VERR, VERW: register src, or memory. */
static uint16_t selector_operand(SoftCpu *cpu, const SoftOp *op, uint8_t slot)
{
    return slot != SOFT_SLOT_ZERO ? SOFT_R16(cpu, slot) : (uint16_t)soft_read_operand(cpu, op, 2);
}

static bool visible_descriptor(SoftCpu *cpu, uint16_t selector, SoftDescriptor *d,
                               uint32_t system_types)
{
    if (!(selector & 0xFFFC) || !soft_descriptor_fetch(cpu, selector, d))
        return false;
    unsigned attributes = d->attributes, dpl = SEG_DPL(attributes);
    if (!(attributes & SEG_USER)) {
        if (!(system_types & 1u << SEG_TYPE(attributes)))
            return false;
    } else if ((attributes & (SEG_CODE | SEG_CONFORMING)) == (SEG_CODE | SEG_CONFORMING)) {
        return true;
    }
    return dpl >= cpu->cpl && dpl >= (selector & 3u);
}

static void write_result(SoftCpu *cpu, const SoftOp *op, uint32_t value)
{
    if (op->imm == 2)
        SOFT_R16(cpu, op->dst) = (uint16_t)value;
    else
        SOFT_R64(cpu, op->dst) = value;
}

static G_GNUC_NO_INLINE void lar(SoftCpu *cpu, const SoftOp *op)
{
    uint32_t types = soft_in_long_mode(cpu)
                         ? 1u << SEG_LDT | 1u << SEG_TSS32 | 1u << SEG_TSS32_BUSY | 1u << SEG_CALL32
                         : 0x1A3E;
    SoftDescriptor d;
    uint16_t selector = selector_operand(cpu, op, op->src);
    bool ok = visible_descriptor(cpu, selector, &d, types);
    if (ok)
        write_result(cpu, op, (uint32_t)(d.raw >> 32) & 0xF0FF00);
    set_zf(cpu, ok);
}

static G_GNUC_NO_INLINE void lsl(SoftCpu *cpu, const SoftOp *op)
{
    uint32_t types =
        soft_in_long_mode(cpu) ? 1u << SEG_LDT | 1u << SEG_TSS32 | 1u << SEG_TSS32_BUSY : 0x0A0E;
    SoftDescriptor d;
    uint16_t selector = selector_operand(cpu, op, op->src);
    bool ok = visible_descriptor(cpu, selector, &d, types);
    if (ok)
        write_result(cpu, op, d.limit);
    set_zf(cpu, ok);
}

static G_GNUC_NO_INLINE void verify(SoftCpu *cpu, const SoftOp *op, bool write)
{
    SoftDescriptor d;
    uint16_t selector = selector_operand(cpu, op, op->src);
    bool ok = visible_descriptor(cpu, selector, &d, 0);
    if (ok && write)
        ok = (d.attributes & (SEG_CODE | SEG_READ_WRITE)) == SEG_READ_WRITE;
    else if (ok)
        ok = !(d.attributes & SEG_CODE) || d.attributes & SEG_READ_WRITE;
    set_zf(cpu, ok);
}

SoftNext soft_op_lar(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    lar(cpu, op);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_lsl(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    lsl(cpu, op);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_verr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    verify(cpu, op, false);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_verw(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    verify(cpu, op, true);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_arpl(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint16_t wanted = SOFT_R16(cpu, op->src) & 3;
    uint16_t selector = selector_operand(cpu, op, op->dst);
    bool adjust = (selector & 3) < wanted;
    /* A memory operand is written in either case, so a read-only page faults. */
    selector = adjust ? (selector & ~3) | wanted : selector;
    if (op->dst == SOFT_SLOT_ZERO)
        soft_write_operand(cpu, op, 2, selector);
    else
        SOFT_R16(cpu, op->dst) = selector;
    set_zf(cpu, adjust);
    SOFT_NEXT_STORED(cpu, op);
}

/* SLDT, STR. src: 0 LDTR, 1 TR; dst: register or none; imm: operand size. */
SoftNext soft_op_store_table_selector(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint16_t selector = op->src ? cpu->task.selector : cpu->ldt.selector;
    if (op->dst == SOFT_SLOT_ZERO)
        soft_write_operand(cpu, op, 2, selector);
    else
        write_result(cpu, op, selector);
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext soft_op_lldt(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    soft_load_ldt(cpu, selector_operand(cpu, op, op->src), X86_GP, 0);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_ltr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    load_task_register(cpu, selector_operand(cpu, op, op->src));
    SOFT_NEXT_STORED(cpu, op);
}

/* SGDT, SIDT. src: 0 GDT, 1 IDT; imm: 8 in 64-bit mode, else 4. */
static G_GNUC_NO_INLINE void store_table(SoftCpu *cpu, const SoftOp *op)
{
    unsigned size = (unsigned)op->imm;
    uint64_t base = op->src ? cpu->idt_base : cpu->gdt_base;
    uint16_t limit = op->src ? cpu->idt_limit : cpu->gdt_limit;
    uint8_t bytes[10];
    memcpy(bytes, &limit, 2);
    memcpy(bytes + 2, &base, 8);
    soft_store_bytes(cpu, op->seg, soft_ea(cpu, op), bytes, 2 + size);
}

SoftNext soft_op_sgdt(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    store_table(cpu, op);
    SOFT_NEXT_STORED(cpu, op);
}

/* LGDT, LIDT. src as above; imm: bytes of base used (3: 16-bit operand, 4, 8). */
static G_GNUC_NO_INLINE void load_table(SoftCpu *cpu, const SoftOp *op)
{
    soft_require_cpl0(cpu);
    uint8_t bytes[10] = { 0 };
    uint64_t base;
    uint16_t limit;
    soft_load_bytes(cpu, op->seg, soft_ea(cpu, op), bytes, op->imm == 8 ? 10 : 6);
    memcpy(&limit, bytes, 2);
    memcpy(&base, bytes + 2, 8);
    if (op->imm == 3)
        base &= 0xFFFFFF;
    if (op->imm == 8 && !soft_is_canonical(base))
        soft_fault_gp0(cpu);
    if (op->src) {
        cpu->idt_base = base;
        cpu->idt_limit = limit;
    } else {
        cpu->gdt_base = base;
        cpu->gdt_limit = limit;
    }
}

SoftNext soft_op_lgdt(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    load_table(cpu, op);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_swapgs(SoftCpu *cpu, SoftOp *op)
{
    if (G_UNLIKELY(cpu->cpl != 0)) {
        SOFT_AT(cpu, op);
        soft_fault_gp0(cpu);
    }
    uint64_t base = cpu->seg[CPU_GS].base;
    cpu->seg[CPU_GS].base = cpu->kernel_gs_base;
    cpu->kernel_gs_base = base;
    SOFT_NEXT(cpu, op);
}

/* RDFSBASE … WRGSBASE. seg: CPU_FS or CPU_GS; dst: register; imm: operand size. */
SoftNext soft_op_rdfsgsbase(SoftCpu *cpu, SoftOp *op)
{
    if (G_UNLIKELY(!(cpu->cr4 & CR4_FSGSBASE))) {
        SOFT_AT(cpu, op);
        soft_fault(cpu, X86_UD);
    }
    uint64_t base = cpu->seg[op->seg].base;
    SOFT_R64(cpu, op->dst) = op->imm == 8 ? base : (uint32_t)base;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_wrfsgsbase(SoftCpu *cpu, SoftOp *op)
{
    uint64_t base = op->imm == 8 ? SOFT_R64(cpu, op->dst) : SOFT_R32(cpu, op->dst);
    if (G_UNLIKELY(!(cpu->cr4 & CR4_FSGSBASE) || !soft_is_canonical(base))) {
        SOFT_AT(cpu, op);
        if (!(cpu->cr4 & CR4_FSGSBASE))
            soft_fault(cpu, X86_UD);
        soft_fault_gp0(cpu);
    }
    cpu->seg[op->seg].base = base;
    SOFT_NEXT(cpu, op);
}
