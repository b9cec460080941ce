/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* From system opcodes to their handlers. */

#include "core/cpu/soft/system.h"

/* The handler ends the block by itself. */
static bool ends(SoftDecode *d, SoftHandler *fn)
{
    d->op->fn = fn;
    d->ends_block = true;
    return true;
}

static bool goes_on(SoftDecode *d, SoftHandler *fn)
{
    d->op->fn = fn;
    return true;
}

/* Slot of the r/m register, or none for memory: how handlers for both tell. */
static uint8_t rm_slot(const SoftDecode *d)
{
    return d->is_memory ? SOFT_SLOT_ZERO : SOFT_REG(d->rm);
}

static bool in_real(const SoftDecode *d)
{
    return d->mode & SOFT_MODE_REAL;
}

static bool in_64bit(const SoftDecode *d)
{
    return d->mode & SOFT_MODE_CODE64;
}

static bool decode_mov_seg(SoftDecode *d)
{
    unsigned seg = d->modrm >> 3 & 7;
    if (seg > CPU_GS)
        return false;
    if (d->opcode == 0x8C) {
        d->op->dst = SOFT_REG(d->rm);
        d->op->src = (uint8_t)seg;
        if (d->is_memory)
            return goes_on(d, soft_op_mov_from_seg_mem);
        return goes_on(d, d->operand_size == 2 ? soft_op_mov_from_seg_reg16
                                               : soft_op_mov_from_seg_reg32);
    }
    if (seg == CPU_CS)
        return false;
    d->op->dst = (uint8_t)seg;
    d->op->src = SOFT_REG(d->rm);
    if (seg == CPU_SS && !in_64bit(d))
        return ends(d, d->is_memory ? soft_op_mov_to_ss_mem : soft_op_mov_to_ss_reg);
    return goes_on(d, d->is_memory ? soft_op_mov_to_seg_mem : soft_op_mov_to_seg_reg);
}

static bool decode_push_pop_seg(SoftDecode *d, unsigned seg, bool pop)
{
    d->op->dst = in_64bit(d) ? d->has_66 ? 2 : 8 : d->operand_size;
    d->op->src = (uint8_t)seg;
    if (!pop)
        return goes_on(d, soft_op_push_seg);
    return seg == CPU_SS ? ends(d, soft_op_pop_ss) : goes_on(d, soft_op_pop_seg);
}

static bool decode_load_far_pointer(SoftDecode *d, unsigned seg)
{
    if (!d->is_memory)
        return false;
    d->op->dst = SOFT_REG(d->reg);
    d->op->src = (uint8_t)seg;
    d->op->imm = d->operand_size;
    return seg == CPU_SS ? ends(d, soft_op_load_far_pointer_ss)
                         : goes_on(d, soft_op_load_far_pointer);
}

static bool decode_far_direct(SoftDecode *d, SoftHandler *fn)
{
    uint64_t offset = d->operand_size == 2 ? soft_fetch16(d) : soft_fetch32(d);
    uint64_t selector = soft_fetch16(d);
    d->op->imm = selector << 32 | offset;
    d->op->dst = d->operand_size;
    return ends(d, fn);
}

static bool decode_far_memory(SoftDecode *d)
{
    if (!d->is_memory)
        return false;
    d->op->dst = d->operand_size;
    return ends(d, (d->reg & 7) == 3 ? soft_op_call_far_mem : soft_op_jmp_far_mem);
}

static bool decode_ret_far(SoftDecode *d)
{
    d->op->imm = d->opcode == 0xCA ? soft_fetch16(d) : 0;
    d->op->dst = d->operand_size;
    return ends(d, soft_op_ret_far);
}

static bool decode_one_byte(SoftDecode *d)
{
    switch (d->opcode) {
    case 0x06:
    case 0x0E:
    case 0x16:
    case 0x1E: return decode_push_pop_seg(d, d->opcode >> 3, false);
    case 0x07:
    case 0x17:
    case 0x1F: return decode_push_pop_seg(d, d->opcode >> 3, true);
    case 0x63:
        if (in_real(d))
            return false;
        d->op->dst = rm_slot(d);
        d->op->src = SOFT_REG(d->reg);
        return goes_on(d, soft_op_arpl);
    case 0x8C:
    case 0x8E: return decode_mov_seg(d);
    case 0x9A: return decode_far_direct(d, soft_op_call_far);
    case 0xC4: return decode_load_far_pointer(d, CPU_ES);
    case 0xC5: return decode_load_far_pointer(d, CPU_DS);
    case 0xCA:
    case 0xCB: return decode_ret_far(d);
    case 0xCC: return ends(d, soft_op_int3);
    case 0xCD: d->op->imm = soft_fetch8(d); return ends(d, soft_op_int);
    case 0xCE: return ends(d, soft_op_into);
    case 0xCF: d->op->dst = d->operand_size; return ends(d, soft_op_iret);
    case 0xEA: return decode_far_direct(d, soft_op_jmp_far);
    case 0xF1: return ends(d, soft_op_int1);
    case 0xF4: return ends(d, soft_op_hlt);
    case 0xFA: return goes_on(d, soft_op_cli);
    case 0xFB: return goes_on(d, soft_op_sti);
    case 0xFF: return decode_far_memory(d);
    default: return false;
    }
}

/* 0F 00 */
static bool decode_group_6(SoftDecode *d)
{
    unsigned reg = d->reg & 7;
    if (in_real(d))
        return false;
    d->op->src = d->op->dst = rm_slot(d);
    d->op->imm = d->operand_size;
    switch (reg) {
    case 0:
    case 1: d->op->src = (uint8_t)reg; return goes_on(d, soft_op_store_table_selector);
    case 2: return goes_on(d, soft_op_lldt);
    case 3: return goes_on(d, soft_op_ltr);
    case 4: return goes_on(d, soft_op_verr);
    case 5: return goes_on(d, soft_op_verw);
    default: return false;
    }
}

/* 0F 01, register forms that are instructions of their own. */
static bool decode_group_7_special(SoftDecode *d)
{
    switch (d->modrm) {
    case 0xC1:
    case 0xD9: return ends(d, soft_op_hypercall); /* VMCALL, VMMCALL */
    case 0xCA: return goes_on(d, soft_op_clac);
    case 0xCB: return goes_on(d, soft_op_stac);
    case 0xD0: return goes_on(d, soft_op_xgetbv);
    case 0xD1: return ends(d, soft_op_xsetbv);
    case 0xF8: return in_64bit(d) && goes_on(d, soft_op_swapgs);
    case 0xF9: return goes_on(d, soft_op_rdtscp);
    default: return false; /* MONITOR and MWAIT among them */
    }
}

static bool decode_group_7(SoftDecode *d)
{
    unsigned reg = d->reg & 7;
    d->op->src = d->op->dst = rm_slot(d);
    d->op->imm = d->operand_size;
    if (reg == 4)
        return goes_on(d, d->is_memory ? soft_op_smsw_mem : soft_op_smsw_reg);
    if (reg == 6)
        return ends(d, soft_op_lmsw);
    if (!d->is_memory)
        return decode_group_7_special(d);
    d->op->src = reg & 1; /* GDT or IDT */
    switch (reg) {
    case 0:
    case 1: d->op->imm = in_64bit(d) ? 8 : 4; return goes_on(d, soft_op_sgdt);
    case 2:
    case 3:
        d->op->imm = in_64bit(d) ? 8 : d->operand_size == 2 ? 3 : 4;
        return goes_on(d, soft_op_lgdt);
    case 7: return ends(d, soft_op_invlpg);
    default: return false;
    }
}

static bool decode_mov_control(SoftDecode *d)
{
    bool to = d->opcode & 2, is_debug = d->opcode & 1;
    if (is_debug ? d->reg > 7 : d->reg > 8 || d->reg == 1 || (d->reg >= 5 && d->reg <= 7))
        return false;
    d->op->imm = in_64bit(d) ? 8 : 4;
    d->op->dst = to ? d->reg : SOFT_REG(d->rm);
    d->op->src = to ? SOFT_REG(d->rm) : d->reg;
    if (is_debug)
        return to ? ends(d, soft_op_mov_to_dr) : goes_on(d, soft_op_mov_from_dr);
    return to ? ends(d, soft_op_mov_to_cr) : goes_on(d, soft_op_mov_from_cr);
}

static bool decode_lar_lsl(SoftDecode *d)
{
    if (in_real(d))
        return false;
    d->op->dst = SOFT_REG(d->reg);
    d->op->src = rm_slot(d);
    d->op->imm = d->operand_size;
    return goes_on(d, d->opcode == 0x02 ? soft_op_lar : soft_op_lsl);
}

/* F3 0F AE /0 - /3 with a register. */
static bool decode_fsgsbase(SoftDecode *d)
{
    unsigned reg = d->reg & 7;
    if (!in_64bit(d) || d->is_memory || d->rep != 0xF3 || reg > 3)
        return false;
    d->op->seg = reg & 1 ? CPU_GS : CPU_FS;
    d->op->dst = SOFT_REG(d->rm);
    d->op->imm = d->operand_size == 8 ? 8 : 4;
    return goes_on(d, reg & 2 ? soft_op_wrfsgsbase : soft_op_rdfsgsbase);
}

static bool decode_rdrand(SoftDecode *d)
{
    if (d->is_memory || (d->reg & 7) != 6 || d->rep)
        return false;
    d->op->dst = SOFT_REG(d->rm);
    d->op->imm = d->operand_size;
    return goes_on(d, soft_op_rdrand);
}

static bool decode_two_byte(SoftDecode *d)
{
    switch (d->opcode) {
    case 0x00: return decode_group_6(d);
    case 0x01: return decode_group_7(d);
    case 0x02:
    case 0x03: return decode_lar_lsl(d);
    case 0x05: return ends(d, soft_op_syscall);
    case 0x06: return ends(d, soft_op_clts);
    case 0x07: d->op->dst = d->operand_size == 8 ? 8 : 4; return ends(d, soft_op_sysret);
    case 0x08:
    case 0x09: return goes_on(d, soft_op_wbinvd);
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23: return decode_mov_control(d);
    case 0x30: return ends(d, soft_op_wrmsr);
    case 0x31: return goes_on(d, soft_op_rdtsc);
    case 0x32: return goes_on(d, soft_op_rdmsr);
    case 0x33: return goes_on(d, soft_op_rdpmc);
    case 0x34: return ends(d, soft_op_sysenter);
    case 0x35: d->op->dst = d->operand_size == 8 ? 8 : 4; return ends(d, soft_op_sysexit);
    case 0xA0: return decode_push_pop_seg(d, CPU_FS, false);
    case 0xA1: return decode_push_pop_seg(d, CPU_FS, true);
    case 0xA2: return goes_on(d, soft_op_cpuid);
    case 0xA8: return decode_push_pop_seg(d, CPU_GS, false);
    case 0xA9: return decode_push_pop_seg(d, CPU_GS, true);
    case 0xAE: return decode_fsgsbase(d);
    case 0xB2: return decode_load_far_pointer(d, CPU_SS);
    case 0xB4: return decode_load_far_pointer(d, CPU_FS);
    case 0xB5: return decode_load_far_pointer(d, CPU_GS);
    case 0xC7: return decode_rdrand(d);
    default: return false;
    }
}

bool soft_decode_system(SoftDecode *d)
{
    switch (d->map) {
    case 0: return decode_one_byte(d);
    case 1: return decode_two_byte(d);
    default: return false;
    }
}
