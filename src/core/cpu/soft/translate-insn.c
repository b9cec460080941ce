/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Which instructions have a translation, and of what kind. Everything that is not named here is a
 * call-out, so this is a list of what is common, not of what is right. Opcodes: SDM vol. 2. */

#include "core/cpu/soft/translate-insn.h"
#include "core/cpu/soft/branch.h"
#include "core/cpu/soft/int.h"

/* AH, CH, DH, BH have no home of their own. */
static bool is_high_byte(const SoftDecode *d, unsigned n, unsigned size)
{
    return size == 1 && !d->rex && n >= 4 && n < 8;
}

static void plain(TranslateInsn *out, const SoftDecode *d, unsigned size, unsigned traits)
{
    out->kind = TRANSLATE_PLAIN;
    out->traits = traits;
    out->size = out->mem_size = (uint8_t)size;
    out->host = (EmitInsn){ .map = d->map,
                            .opcode = d->opcode,
                            .prefix = size == 2 ? 0x66 : 0,
                            .wide = size == 8,
                            .byte = size == 1,
                            .lock = d->lock };
    out->reg = d->reg;
    out->rm = d->rm;
    if (d->lock)
        out->traits |= TRANSLATE_LOCKED;
}

/* Both operands of ModRM. */
static void plain_modrm(TranslateInsn *out, const SoftDecode *d, unsigned size, unsigned reg_use,
                        unsigned rm_use, unsigned traits)
{
    plain(out, d, size, traits);
    out->reg_use = (uint8_t)reg_use;
    out->rm_use = (uint8_t)rm_use;
    if (is_high_byte(d, d->reg, size) || (!d->is_memory && is_high_byte(d, d->rm, size)))
        out->kind = TRANSLATE_CALL_OUT;
}

/* The r/m operand; the reg field is @extension of the opcode. */
static void plain_group(TranslateInsn *out, const SoftDecode *d, unsigned size, unsigned extension,
                        unsigned rm_use, unsigned traits)
{
    plain(out, d, size, traits);
    out->has_extension = true;
    out->reg = (uint8_t)extension;
    out->rm_use = (uint8_t)rm_use;
    if (!d->is_memory && is_high_byte(d, d->rm, size))
        out->kind = TRANSLATE_CALL_OUT;
}

static void plain_immediate(TranslateInsn *out, const SoftDecode *d, unsigned size,
                            unsigned extension, unsigned rm_use, unsigned traits)
{
    plain_group(out, d, size, extension, rm_use, traits);
    out->imm_size = (uint8_t)MIN(size, 4);
}

/* 00-3F and their immediate forms: ADD OR ADC SBB AND SUB XOR CMP. */
static unsigned alu_traits(unsigned operation)
{
    return operation == INT_ADC || operation == INT_SBB ? TRANSLATE_READS | TRANSLATE_KILLS
                                                        : TRANSLATE_KILLS;
}

static void alu(TranslateInsn *out, const SoftDecode *d, unsigned size)
{
    unsigned operation = d->opcode >> 3, traits = alu_traits(operation);
    unsigned use = operation == INT_CMP ? TRANSLATE_IN : TRANSLATE_INOUT;
    switch (d->opcode & 7) {
    case 0:
    case 1: plain_modrm(out, d, size, TRANSLATE_IN, use, traits); break;
    case 2:
    case 3: plain_modrm(out, d, size, use, TRANSLATE_IN, traits); break;
    case 4:
    case 5:
        plain_immediate(out, d, size, operation, use, traits);
        out->rm = 0;
        out->kind = TRANSLATE_PLAIN;
        out->host.opcode = size == 1 ? 0x80 : 0x81;
        break;
    default: break;
    }
}

static void alu_immediate(TranslateInsn *out, const SoftDecode *d, unsigned size)
{
    unsigned operation = d->reg & 7;
    plain_immediate(out, d, size, operation, operation == INT_CMP ? TRANSLATE_IN : TRANSLATE_INOUT,
                    alu_traits(operation));
    if (d->opcode == 0x83)
        out->imm_size = 1;
}

static void shift(TranslateInsn *out, const SoftDecode *d, unsigned size)
{
    unsigned operation = d->reg & 7, traits = TRANSLATE_WRITES;
    bool by_cl = (d->opcode & 0xFE) == 0xD2, by_immediate = d->opcode < 0xD0;
    unsigned count = (unsigned)d->op->imm & (size == 8 ? 63 : 31);
    if (operation == 2 || operation == 3)
        traits |= TRANSLATE_READS;
    else if (operation >= 4 && !by_cl && count != 0)
        traits = TRANSLATE_KILLS;
    plain_group(out, d, size, operation, TRANSLATE_INOUT, traits);
    out->imm_size = by_immediate;
}

/* F6, F7, FE, FF that are not branches. */
static void unary(TranslateInsn *out, const SoftDecode *d, unsigned size)
{
    unsigned extension = d->reg & 7;
    if (d->opcode >= 0xFE) { /* INC, DEC keep CF */
        if (extension <= 1)
            plain_group(out, d, size, extension, TRANSLATE_INOUT, TRANSLATE_WRITES);
        else if (extension == 6 && !d->is_memory && d->operand_size != 2) {
            out->kind = TRANSLATE_PUSH;
            out->reg = d->rm;
        }
        return;
    }
    switch (extension) {
    case 0:
    case 1: plain_immediate(out, d, size, 0, TRANSLATE_IN, TRANSLATE_KILLS); break;
    case 2: plain_group(out, d, size, extension, TRANSLATE_INOUT, 0); break;
    case 3: plain_group(out, d, size, extension, TRANSLATE_INOUT, TRANSLATE_KILLS); break;
    case 4:
    case 5:
        plain_group(out, d, size, extension, TRANSLATE_IN,
                    TRANSLATE_WRITES | TRANSLATE_RAX_IN | TRANSLATE_RAX_OUT);
        break;
    default: break; /* division may fault: the interpreter's */
    }
}

static void no_operands(TranslateInsn *out, const SoftDecode *d, unsigned size, unsigned traits)
{
    plain(out, d, size, traits | TRANSLATE_NO_MODRM);
    out->host.byte = false;
}

static void extend(TranslateInsn *out, const SoftDecode *d, unsigned from)
{
    plain_modrm(out, d, d->operand_size, TRANSLATE_OUT, TRANSLATE_IN, 0);
    out->mem_size = (uint8_t)from;
    out->host.byte = from == 1;
    if (!d->is_memory && is_high_byte(d, d->rm, from))
        out->kind = TRANSLATE_CALL_OUT;
}

static void branch(TranslateInsn *out, const SoftDecode *d)
{
    const SoftOp *op = d->op;
    bool narrow = !(d->mode & SOFT_MODE_CODE64) && d->operand_size == 2; /* IP of 16 bits */
    out->kind = TRANSLATE_TAIL;
    switch (d->opcode) {
    case 0xC2:
    case 0xC3:
        if (!narrow)
            out->kind = TRANSLATE_RETURN;
        break;
    case 0xE8:
        if (op->dst == 0 && !narrow) /* nor a wide one */
            out->kind = TRANSLATE_CALL;
        break;
    case 0xE9:
    case 0xEB:
        if (op->fn == soft_op_jump)
            out->kind = TRANSLATE_JUMP;
        break;
    default:
        if ((d->map == 1 ? d->opcode & 0xF0 : d->opcode + 0x10) >> 4 == 8 &&
            soft_branch_is_conditional(op)) {
            out->kind = TRANSLATE_CONDITIONAL;
            out->traits = TRANSLATE_READS;
        }
        break;
    }
}

static void one_byte(TranslateInsn *out, const SoftDecode *d)
{
    unsigned size = d->opcode & 1 ? d->operand_size : 1, low = d->opcode & 7;
    unsigned in_opcode = low | (unsigned)(d->rex & 1) << 3;
    bool is64 = d->mode & SOFT_MODE_CODE64;
    if (d->opcode < 0x40) {
        alu(out, d, size);
        return;
    }
    switch (d->opcode) {
    case 0x40 ... 0x4F: /* INC, DEC: the host has REX there */
        plain(out, d, d->operand_size, TRANSLATE_WRITES);
        out->host.opcode = 0xFF;
        out->has_extension = true;
        out->reg = d->opcode >> 3 & 1;
        out->rm = (uint8_t)low;
        out->rm_use = TRANSLATE_INOUT;
        return;
    case 0x50 ... 0x57:
    case 0x58 ... 0x5F:
        if (d->operand_size == 2)
            return;
        out->kind = d->opcode < 0x58 ? TRANSLATE_PUSH : TRANSLATE_POP;
        out->reg = (uint8_t)in_opcode;
        return;
    case 0x63:
        if (d->operand_size != 2 && is64)
            extend(out, d, 4);
        return;
    case 0x68:
    case 0x6A:
        if (d->operand_size != 2)
            out->kind = TRANSLATE_PUSH_IMMEDIATE;
        return;
    case 0x69:
    case 0x6B:
        plain_modrm(out, d, d->operand_size, TRANSLATE_OUT, TRANSLATE_IN, TRANSLATE_WRITES);
        out->imm_size = d->opcode == 0x6B ? 1 : (uint8_t)MIN(d->operand_size, 4);
        return;
    case 0x70 ... 0x7F: branch(out, d); return;
    case 0x80:
    case 0x81:
    case 0x83: alu_immediate(out, d, size); return;
    case 0x84:
    case 0x85: plain_modrm(out, d, size, TRANSLATE_IN, TRANSLATE_IN, TRANSLATE_KILLS); return;
    case 0x86:
    case 0x87:
        plain_modrm(out, d, size, TRANSLATE_INOUT, TRANSLATE_INOUT, TRANSLATE_LOCKED);
        return;
    case 0x88:
    case 0x89: plain_modrm(out, d, size, TRANSLATE_IN, TRANSLATE_OUT, 0); return;
    case 0x8A:
    case 0x8B: plain_modrm(out, d, size, TRANSLATE_OUT, TRANSLATE_IN, 0); return;
    case 0x8D:
        if (d->operand_size != 2)
            out->kind = TRANSLATE_LEA;
        out->reg = d->reg;
        out->size = d->operand_size;
        return;
    case 0x90 ... 0x97:
        if (d->op->fn == soft_op_pause)
            return;
        plain(out, d, d->operand_size, 0);
        out->host.opcode = 0x87;
        out->reg = 0;
        out->rm = (uint8_t)in_opcode;
        out->reg_use = out->rm_use = TRANSLATE_INOUT;
        return;
    case 0x98: no_operands(out, d, d->operand_size, TRANSLATE_RAX_IN | TRANSLATE_RAX_OUT); return;
    case 0x99: no_operands(out, d, d->operand_size, TRANSLATE_RAX_IN); return;
    case 0xA0 ... 0xA3:
        if (!d->is_memory) /* an address of 64 bits */
            return;
        plain_modrm(out, d, size, d->opcode & 2 ? TRANSLATE_IN : TRANSLATE_OUT,
                    d->opcode & 2 ? TRANSLATE_OUT : TRANSLATE_IN, 0);
        out->reg = 0;
        out->host.opcode = (d->opcode & 2 ? 0x88 : 0x8A) | (d->opcode & 1);
        return;
    case 0xA8:
    case 0xA9:
        plain_immediate(out, d, size, 0, TRANSLATE_IN, TRANSLATE_KILLS);
        out->kind = TRANSLATE_PLAIN;
        out->rm = 0;
        out->host.opcode = size == 1 ? 0xF6 : 0xF7;
        return;
    case 0xB0 ... 0xB7:
        plain_immediate(out, d, 1, 0, TRANSLATE_OUT, 0);
        out->rm = (uint8_t)in_opcode;
        out->host.opcode = 0xC6;
        out->kind = is_high_byte(d, in_opcode, 1) ? TRANSLATE_CALL_OUT : TRANSLATE_PLAIN;
        return;
    case 0xB8 ... 0xBF:
        if (d->operand_size == 2)
            return;
        out->kind = TRANSLATE_CONSTANT;
        out->reg = (uint8_t)in_opcode;
        out->size = d->operand_size;
        return;
    case 0xC0:
    case 0xC1:
    case 0xD0 ... 0xD3: shift(out, d, size); return;
    case 0xC2:
    case 0xC3:
    case 0xE8:
    case 0xE9:
    case 0xEB: branch(out, d); return;
    case 0xC6:
    case 0xC7: plain_immediate(out, d, size, 0, TRANSLATE_OUT, 0); return;
    case 0xC9:
        if (d->operand_size != 2)
            out->kind = TRANSLATE_LEAVE;
        return;
    case 0xF5:
    case 0xF8:
    case 0xF9: no_operands(out, d, 4, TRANSLATE_WRITES); return;
    case 0xF6:
    case 0xF7:
    case 0xFE: unary(out, d, size); return;
    case 0xFF:
        out->rm = d->rm;
        out->mem_size = is64 ? 8 : 4;
        if ((d->reg & 7) != 2 && (d->reg & 7) != 4)
            unary(out, d, size);
        else if (is64 || d->operand_size != 2)
            out->kind = (d->reg & 7) == 2 ? TRANSLATE_CALL_INDIRECT : TRANSLATE_JUMP_INDIRECT;
        return;
    default: return;
    }
}

static void bit_test(TranslateInsn *out, const SoftDecode *d, unsigned operation, bool immediate)
{
    unsigned use = operation == 0 ? TRANSLATE_IN : TRANSLATE_INOUT;
    if (immediate) {
        plain_group(out, d, d->operand_size, d->reg & 7, use, TRANSLATE_WRITES);
        out->imm_size = 1;
    } else if (!d->is_memory) { /* the bit offset moves a memory operand */
        plain_modrm(out, d, d->operand_size, TRANSLATE_IN, use, TRANSLATE_WRITES);
    }
}

static void two_byte(TranslateInsn *out, const SoftDecode *d)
{
    unsigned size = d->opcode & 1 ? d->operand_size : 1;
    switch (d->opcode) {
    case 0x40 ... 0x4F:
        plain_modrm(out, d, d->operand_size, TRANSLATE_INOUT, TRANSLATE_IN, TRANSLATE_READS);
        return;
    case 0x80 ... 0x8F: branch(out, d); return;
    case 0x90 ... 0x9F: plain_group(out, d, 1, 0, TRANSLATE_OUT, TRANSLATE_READS); return;
    case 0xA3:
    case 0xAB:
    case 0xB3:
    case 0xBB: bit_test(out, d, (d->opcode >> 3) & 3, false); return;
    case 0xBA: bit_test(out, d, d->reg & 3, true); return;
    case 0xA4:
    case 0xA5:
    case 0xAC:
    case 0xAD:
        plain_modrm(out, d, d->operand_size, TRANSLATE_IN, TRANSLATE_INOUT, TRANSLATE_WRITES);
        out->imm_size = !(d->opcode & 1);
        return;
    case 0xAF:
        plain_modrm(out, d, d->operand_size, TRANSLATE_INOUT, TRANSLATE_IN, TRANSLATE_WRITES);
        return;
    case 0xB0:
    case 0xB1:
        plain_modrm(out, d, size, TRANSLATE_IN, TRANSLATE_INOUT,
                    TRANSLATE_KILLS | TRANSLATE_RAX_IN | TRANSLATE_RAX_OUT);
        if (!d->is_memory && d->rm == 0) /* the accumulator in both roles */
            out->kind = TRANSLATE_CALL_OUT;
        return;
    case 0xB6:
    case 0xBE: extend(out, d, 1); return;
    case 0xB7:
    case 0xBF: extend(out, d, 2); return;
    case 0xB8:
        plain_modrm(out, d, d->operand_size, TRANSLATE_OUT, TRANSLATE_IN, TRANSLATE_KILLS);
        if (d->operand_size == 2) /* two prefixes */
            out->kind = TRANSLATE_CALL_OUT;
        out->host.prefix = 0xF3;
        return;
    case 0xBC:
    case 0xBD:
        plain_modrm(out, d, d->operand_size, TRANSLATE_INOUT, TRANSLATE_IN, TRANSLATE_WRITES);
        return;
    case 0xC0:
    case 0xC1: plain_modrm(out, d, size, TRANSLATE_INOUT, TRANSLATE_INOUT, TRANSLATE_KILLS); return;
    case 0xC8 ... 0xCF:
        if (d->operand_size == 2)
            return;
        out->kind = TRANSLATE_SWAP;
        out->reg = (uint8_t)((d->opcode & 7) | (d->rex & 1) << 3);
        out->size = d->operand_size;
        return;
    default: return;
    }
}

void translate_describe(const SoftDecode *d, TranslateInsn *out)
{
    memset(out, 0, sizeof *out);
    SoftHandler *fn = d->op->fn;
    if (fn == soft_op_undefined || fn == soft_op_not_implemented || fn == soft_op_too_long) {
        out->kind = TRANSLATE_TAIL;
        return;
    }
    if (d->n_records == 0) {
        out->kind = TRANSLATE_NOP;
        return;
    }
    bool is64 = d->mode & SOFT_MODE_CODE64;
    bool other_width = d->is_memory && d->op->ashift != (is64 ? 0 : 32);
    if (d->is_memory && !is64 && d->op->seg == CPU_CS) /* may not be written, or not be read */
        other_width = true;
    if (!other_width && d->map == 0)
        one_byte(out, d);
    else if (!other_width && d->map == 1)
        two_byte(out, d);
    if (out->kind == TRANSLATE_CALL_OUT && d->ends_block)
        out->kind = TRANSLATE_TAIL;
}
