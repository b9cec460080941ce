/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* From bytes to SoftOps: prefixes, opcode map, ModRM, SIB, displacement. What the opcode means is
 * its owner's (OPCODES below). SDM vol. 2, chapter 2 and appendix A. */

#include "core/cpu/soft/int.h"

#define DECODE_MAX_LENGTH 15

/* An opcode's entry: owner, and what decoding needs to know before asking it. */
typedef enum {
    OWN_UNDEFINED,
    OWN_ALU,
    OWN_EXCHANGE,
    OWN_MOVE,
    OWN_SHIFT,
    OWN_MULDIV,
    OWN_BITS,
    OWN_BRANCH,
    OWN_STACK,
    OWN_STRING,
    OWN_IO,
    OWN_X87,
    OWN_SIMD,
    OWN_SYSTEM,
    OWN_BY_REG, /* F6, F7, FE, FF, 0F C7: ModRM.reg says */
    OWN_MASK = 0x0F,
    MODRM = 0x10,      /* a ModRM byte follows */
    NOT64 = 0x20,      /* undefined in 64-bit mode */
    ALWAYS_REG = 0x40, /* ModRM.mod is taken as 3 */
} OpcodeEntry;

#define UND OWN_UNDEFINED
#define ALU OWN_ALU
#define ALUM (OWN_ALU | MODRM)
#define SHFM (OWN_SHIFT | MODRM)
#define MOV OWN_MOVE
#define MOVM (OWN_MOVE | MODRM)
#define BRA OWN_BRANCH
#define STK OWN_STACK
#define STR OWN_STRING
#define IO OWN_IO
#define SYS OWN_SYSTEM
#define SYSM (OWN_SYSTEM | MODRM)
#define SYSN (OWN_SYSTEM | NOT64)
#define X87M (OWN_X87 | MODRM)
#define SSEM (OWN_SIMD | MODRM)
#define BITM (OWN_BITS | MODRM)
#define MULM (OWN_MULDIV | MODRM)
#define XCHM (OWN_EXCHANGE | MODRM)
#define REGM (OWN_BY_REG | MODRM)

/* clang-format off */
static const uint8_t one_byte[256] = {
    /* 00 */ ALUM, ALUM, ALUM, ALUM, ALU, ALU, SYSN, SYSN, ALUM, ALUM, ALUM, ALUM, ALU, ALU, SYSN, UND,
    /* 10 */ ALUM, ALUM, ALUM, ALUM, ALU, ALU, SYSN, SYSN, ALUM, ALUM, ALUM, ALUM, ALU, ALU, SYSN, SYSN,
    /* 20 */ ALUM, ALUM, ALUM, ALUM, ALU, ALU, UND, ALU | NOT64, ALUM, ALUM, ALUM, ALUM, ALU, ALU, UND, ALU | NOT64,
    /* 30 */ ALUM, ALUM, ALUM, ALUM, ALU, ALU, UND, ALU | NOT64, ALUM, ALUM, ALUM, ALUM, ALU, ALU, UND, ALU | NOT64,
    /* 40 */ ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU,
    /* 50 */ STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK, STK,
    /* 60 */ STK | NOT64, STK | NOT64, BRA | MODRM | NOT64, MOVM, UND, UND, UND, UND, STK, MULM, STK, MULM, IO, IO, IO, IO,
    /* 70 */ BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA,
    /* 80 */ ALUM, ALUM, ALUM | NOT64, ALUM, ALUM, ALUM, XCHM, XCHM, MOVM, MOVM, MOVM, MOVM, SYSM, MOVM, SYSM, STK | MODRM,
    /* 90 */ OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE, OWN_EXCHANGE,
             MOV, MOV, SYSN, OWN_X87, STK, STK, MOV, MOV,
    /* A0 */ MOV, MOV, MOV, MOV, STR, STR, STR, STR, ALU, ALU, STR, STR, STR, STR, STR, STR,
    /* B0 */ MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV,
    /* C0 */ SHFM, SHFM, BRA, BRA, SYSM | NOT64, SYSM | NOT64, MOVM, MOVM, STK, STK, SYS, SYS, SYS, SYS, SYSN, SYS,
    /* D0 */ SHFM, SHFM, SHFM, SHFM, OWN_MULDIV | NOT64, OWN_MULDIV | NOT64, ALU | NOT64, MOV, X87M, X87M, X87M, X87M, X87M, X87M, X87M, X87M,
    /* E0 */ BRA, BRA, BRA, BRA, IO, IO, IO, IO, BRA, BRA, SYSN, BRA, IO, IO, IO, IO,
    /* F0 */ UND, SYS, UND, UND, SYS, ALU, REGM, REGM, ALU, ALU, SYS, SYS, STR, STR, REGM, REGM,
};

static const uint8_t two_byte[256] = {
    /* 00 */ SYSM, SYSM, SYSM, SYSM, UND, SYS, SYS, SYS, SYS, SYS, UND, UND, UND, MOVM, UND, UND,
    /* 10 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM,
    /* 20 */ SYSM | ALWAYS_REG, SYSM | ALWAYS_REG, SYSM | ALWAYS_REG, SYSM | ALWAYS_REG, UND, UND, UND, UND,
             SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM,
    /* 30 */ SYS, SYS, SYS, SYS, SYS, SYS, UND, UND, UND, UND, UND, UND, UND, UND, UND, UND,
    /* 40 */ MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM,
    /* 50 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM,
    /* 60 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM,
    /* 70 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, OWN_SIMD, UND, UND, UND, UND, SSEM, SSEM, SSEM, SSEM,
    /* 80 */ BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA, BRA,
    /* 90 */ MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM, MOVM,
    /* A0 */ SYS, SYS, SYS, BITM, SHFM, SHFM, UND, UND, SYS, SYS, SYS, BITM, SHFM, SHFM, SSEM, MULM,
    /* B0 */ XCHM, XCHM, SYSM, BITM, SYSM, SYSM, MOVM, MOVM, BITM, UND, BITM, BITM, BITM, BITM, MOVM, MOVM,
    /* C0 */ XCHM, XCHM, SSEM, SSEM, SSEM, SSEM, SSEM, REGM, MOV, MOV, MOV, MOV, MOV, MOV, MOV, MOV,
    /* D0 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM,
    /* E0 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM,
    /* F0 */ SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, SSEM, UND,
};
/* clang-format on */

static bool decode_undefined(SoftDecode *d)
{
    return false;
}

static bool (*const owners[])(SoftDecode *) = {
    [OWN_UNDEFINED] = decode_undefined,
    [OWN_ALU] = soft_decode_alu,
    [OWN_EXCHANGE] = soft_decode_exchange,
    [OWN_MOVE] = soft_decode_move,
    [OWN_SHIFT] = soft_decode_shift,
    [OWN_MULDIV] = soft_decode_muldiv,
    [OWN_BITS] = soft_decode_bits,
    [OWN_BRANCH] = soft_decode_branch,
    [OWN_STACK] = soft_decode_stack,
    [OWN_STRING] = soft_decode_string,
    [OWN_IO] = soft_decode_io,
    [OWN_X87] = soft_decode_x87,
    [OWN_SIMD] = soft_decode_simd,
    [OWN_SYSTEM] = soft_decode_system,
};

/* Past the end these give zeros and note it: soft_decode_one throws the record away. */
uint8_t soft_fetch8(SoftDecode *d)
{
    if (G_UNLIKELY(d->position >= d->available || d->position >= DECODE_MAX_LENGTH)) {
        d->overrun = true;
        return 0;
    }
    return d->bytes[d->position++];
}

static bool decode_has(SoftDecode *d, unsigned size)
{
    if (G_LIKELY(d->position + size <= MIN(d->available, DECODE_MAX_LENGTH)))
        return true;
    d->overrun = true;
    return false;
}

#define DECODE_FETCH(d, type)                                                                      \
    type value = 0;                                                                                \
    if (decode_has(d, sizeof value)) {                                                             \
        memcpy(&value, (d)->bytes + (d)->position, sizeof value);                                  \
        (d)->position += sizeof value;                                                             \
    }                                                                                              \
    return value
uint16_t soft_fetch16(SoftDecode *d)
{
    DECODE_FETCH(d, uint16_t);
}
uint32_t soft_fetch32(SoftDecode *d)
{
    DECODE_FETCH(d, uint32_t);
}
uint64_t soft_fetch64(SoftDecode *d)
{
    DECODE_FETCH(d, uint64_t);
}

uint64_t soft_fetch_immediate(SoftDecode *d, unsigned size)
{
    switch (size) {
    case 1: return (uint64_t)(int8_t)soft_fetch8(d);
    case 2: return (uint64_t)(int16_t)soft_fetch16(d);
    case 4: return (uint64_t)(int32_t)soft_fetch32(d);
    default: return soft_fetch64(d);
    }
}

/* Reads prefixes and the first opcode byte. A REX counts only right before the opcode. */
static uint8_t decode_prefixes(SoftDecode *d)
{
    bool is64 = d->mode & SOFT_MODE_CODE64;
    uint8_t rex = 0;
    while (!d->overrun) {
        uint8_t byte = soft_fetch8(d);
        switch (byte) {
        case 0x26:
        case 0x2E:
        case 0x36:
        case 0x3E:
            if (!is64)
                d->seg_override = (int8_t)((byte >> 3) & 3);
            break;
        case 0x64: d->seg_override = CPU_FS; break;
        case 0x65: d->seg_override = CPU_GS; break;
        case 0x66: d->has_66 = true; break;
        case 0x67: d->has_67 = true; break;
        case 0xF0: d->lock = true; break;
        case 0xF2:
        case 0xF3: d->rep = byte; break;
        default:
            if (!is64 || (byte & 0xF0) != 0x40) {
                d->rex = rex;
                return byte;
            }
            rex = byte;
            continue;
        }
        rex = 0;
    }
    return 0;
}

static void decode_sizes(SoftDecode *d)
{
    if (d->mode & SOFT_MODE_CODE64) {
        d->operand_size = d->rex & 8 ? 8 : d->has_66 ? 2 : 4;
        d->address_size = d->has_67 ? 4 : 8;
    } else {
        bool is32 = d->mode & SOFT_MODE_CODE32;
        d->operand_size = is32 != d->has_66 ? 4 : 2;
        d->address_size = is32 != d->has_67 ? 4 : 2;
    }
}

static void decode_address_16(SoftDecode *d, unsigned mod, unsigned rm)
{
    enum { BX = SOFT_REG(3), BP = SOFT_REG(5), SI = SOFT_REG(6), DI = SOFT_REG(7) };
    static const uint8_t base[8] = { BX, BX, BP, BP, SI, DI, BP, BX };
    static const uint8_t index[8] = {
        SI, DI, SI, DI, SOFT_SLOT_ZERO, SOFT_SLOT_ZERO, SOFT_SLOT_ZERO, SOFT_SLOT_ZERO
    };
    SoftOp *op = d->op;
    op->base = base[rm];
    op->index = index[rm];
    op->seg = base[rm] == BP ? CPU_SS : CPU_DS;
    if (mod == 1) {
        op->disp = (int8_t)soft_fetch8(d);
    } else if (mod == 2) {
        op->disp = (int16_t)soft_fetch16(d);
    } else if (rm == 6) {
        op->base = SOFT_SLOT_ZERO;
        op->seg = CPU_DS;
        op->disp = soft_fetch16(d);
    }
}

static void decode_address(SoftDecode *d, unsigned mod, unsigned rm)
{
    SoftOp *op = d->op;
    unsigned base = rm;
    bool has_base = true;
    op->index = SOFT_SLOT_ZERO;
    if (rm == 4) {
        uint8_t sib = soft_fetch8(d);
        base = sib & 7;
        unsigned index = ((sib >> 3) & 7) | (d->rex & 2) << 2;
        if (index != 4) {
            op->index = SOFT_REG(index);
            op->scale = sib >> 6;
        }
        has_base = base != 5 || mod != 0;
    } else if (rm == 5 && mod == 0) {
        has_base = false;
        if (d->mode & SOFT_MODE_CODE64)
            op->base = SOFT_SLOT_RIP;
    }
    if (has_base) {
        op->seg = base == 4 || base == 5 ? CPU_SS : CPU_DS;
        op->base = SOFT_REG(base | (d->rex & 1) << 3);
        if (d->rex & 1)
            op->seg = CPU_DS;
        if (mod == 1)
            op->disp = (int8_t)soft_fetch8(d);
        else if (mod == 2)
            op->disp = (int32_t)soft_fetch32(d);
    } else {
        op->seg = CPU_DS;
        if (op->base != SOFT_SLOT_RIP)
            op->base = SOFT_SLOT_ZERO;
        op->disp = (int32_t)soft_fetch32(d);
    }
}

/* Everything of a memory operand but its ModRM-independent parts. Also for MOV moffs (int-move.c),
 * which has no ModRM: base and disp are set before. */
void soft_decode_finish_address(SoftDecode *d)
{
    SoftOp *op = d->op;
    if (d->seg_override >= 0)
        op->seg = (uint8_t)d->seg_override;
    op->ashift = (uint8_t)(64 - 8 * d->address_size);
    bool flat = d->address_size == 8 && op->seg != CPU_FS && op->seg != CPU_GS;
    d->ea = !flat ? SOFT_EA_G : op->index == SOFT_SLOT_ZERO ? SOFT_EA_B : SOFT_EA_BI;
}

static void decode_modrm(SoftDecode *d, bool always_reg)
{
    d->has_modrm = true;
    d->modrm = soft_fetch8(d);
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;
    d->reg = ((d->modrm >> 3) & 7) | (d->rex & 4) << 1;
    if (mod == 3 || always_reg) {
        d->rm = rm | (d->rex & 1) << 3;
        return;
    }
    d->is_memory = true;
    d->op->base = 0;
    if (d->address_size == 2)
        decode_address_16(d, mod, rm);
    else
        decode_address(d, mod, rm);
    soft_decode_finish_address(d);
}

/* LOCK is for read-modify-write instructions on memory. */
static bool decode_lock_allowed(const SoftDecode *d)
{
    if (!d->is_memory)
        return false;
    unsigned reg = d->reg & 7;
    if (d->map == 0) {
        if (d->opcode < 0x38)
            return (d->opcode & 7) <= 1;
        switch (d->opcode) {
        case 0x80:
        case 0x81:
        case 0x82:
        case 0x83: return reg != 7;
        case 0x86:
        case 0x87: return true;
        case 0xF6:
        case 0xF7: return reg == 2 || reg == 3;
        case 0xFE:
        case 0xFF: return reg <= 1;
        default: return false;
        }
    }
    if (d->map != 1)
        return false;
    switch (d->opcode) {
    case 0xAB:
    case 0xB3:
    case 0xBB:
    case 0xB0:
    case 0xB1:
    case 0xC0:
    case 0xC1: return true;
    case 0xBA: return reg >= 5;
    case 0xC7: return reg == 1;
    default: return false;
    }
}

static unsigned decode_owner_by_reg(const SoftDecode *d)
{
    static const uint8_t group_3[8] = { OWN_ALU,    OWN_ALU,    OWN_ALU,    OWN_ALU,
                                        OWN_MULDIV, OWN_MULDIV, OWN_MULDIV, OWN_MULDIV };
    static const uint8_t group_5[8] = { OWN_ALU,    OWN_ALU,    OWN_BRANCH, OWN_SYSTEM,
                                        OWN_BRANCH, OWN_SYSTEM, OWN_STACK,  OWN_UNDEFINED };
    unsigned reg = d->reg & 7;
    if (d->map == 1)
        return d->is_memory && reg == 1 ? OWN_EXCHANGE : OWN_SYSTEM;
    switch (d->opcode) {
    case 0xF6:
    case 0xF7: return group_3[reg];
    case 0xFE: return reg <= 1 ? OWN_ALU : OWN_UNDEFINED;
    default: return group_5[reg];
    }
}

static bool decode_by_owner(SoftDecode *d)
{
    uint8_t entry;
    switch (d->map) {
    case 0: entry = one_byte[d->opcode]; break;
    case 1: entry = two_byte[d->opcode]; break;
    default: entry = SSEM; break;
    }
    unsigned owner = entry & OWN_MASK;
    bool is64 = d->mode & SOFT_MODE_CODE64;
    if (is64 && (entry & NOT64))
        return false;
    if (entry & MODRM)
        decode_modrm(d, entry & ALWAYS_REG);
    if (d->overrun)
        return false;
    if (owner == OWN_BY_REG)
        owner = decode_owner_by_reg(d);
    else if (d->map == 1 && d->opcode == 0xAE && d->rep == 0xF3 && !d->is_memory)
        owner = OWN_SYSTEM; /* RDFSBASE … WRGSBASE */
    else if (d->map == 0 && d->opcode == 0x63 && !is64)
        owner = OWN_SYSTEM; /* ARPL */
    else if (d->map == 2 && (d->opcode & 0xFE) == 0xF0)
        owner = d->rep == 0xF2 ? OWN_BITS : OWN_UNDEFINED; /* CRC32; MOVBE is not announced */
    else if (d->map == 0 && (d->opcode == 0xC4 || d->opcode == 0xC5 || d->opcode == 0x62) &&
             !d->is_memory)
        owner = OWN_UNDEFINED; /* VEX and EVEX */
    if (d->lock && !decode_lock_allowed(d))
        return false;
    return owners[owner](d);
}

SoftNext soft_op_too_long(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault_error(cpu, X86_GP, 0);
}

static void decode_replace(SoftDecode *d, SoftHandler *fn)
{
    memset(d->op, 0, sizeof *d->op);
    d->op->fn = fn;
    d->op->base = d->op->index = SOFT_SLOT_ZERO;
    d->n_records = 1;
    d->ends_block = true;
}

/* The address of a RIP-relative operand counts from the end of the instruction. Where the sum does
 * not fit 32 bits (an image of 2 GiB) the instruction is reported as not implemented. */
static void decode_fix_rip_relative(SoftDecode *d)
{
    int64_t disp = (int64_t)d->op->disp + d->offset + d->position;
    if (d->address_size == 8 && disp != (int32_t)disp)
        decode_replace(d, soft_op_not_implemented);
    else
        d->op->disp = (int32_t)disp;
}

bool soft_decode_one(SoftDecode *d)
{
    d->position = 0;
    d->map = 0;
    d->has_66 = d->has_67 = d->lock = d->has_modrm = d->is_memory = d->overrun = false;
    d->rep = d->rex = d->modrm = d->reg = d->rm = 0;
    d->seg_override = -1;
    d->ea = SOFT_EA_G;
    d->n_records = 1;
    d->ends_block = false;

    d->opcode = decode_prefixes(d);
    decode_sizes(d);
    if (d->opcode == 0x0F) {
        d->map = 1;
        d->opcode = soft_fetch8(d);
        if (d->opcode == 0x38 || d->opcode == 0x3A) {
            d->map = d->opcode == 0x38 ? 2 : 3;
            d->opcode = soft_fetch8(d);
        }
    }
    bool valid = !d->overrun && decode_by_owner(d);
    if (d->overrun) {
        if (d->available < DECODE_MAX_LENGTH)
            return false;
        decode_replace(d, soft_op_too_long);
    } else if (!valid) {
        decode_replace(d, soft_op_undefined);
    } else if (d->is_memory && d->op->base == SOFT_SLOT_RIP) {
        decode_fix_rip_relative(d);
    }
    d->op->len = (uint8_t)d->position;
    d->op->offset = (uint16_t)d->offset;
    return true;
}
