/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Decoding: decode.c reads prefixes, opcode, ModRM, SIB and displacement, fills SoftDecode and the
 * common fields of the record, and asks the file that owns the opcode for its handler. Included by
 * the instruction files, each of which offers one X_decode function.
 *
 * An X_decode function sets d->op->fn and the operands (dst, src, imm, seg …), fetches immediates,
 * and returns false for #UD. It may use d->op[1..3] as extra records (then adds to d->n_records)
 * and sets d->ends_block when the handler ends by SOFT_END_BLOCK, SOFT_GO or a branch. The memory
 * operand's base, index, scale, disp, seg and ashift are already in d->op when d->is_memory. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/memory.h"

typedef struct {
    SoftCpu *cpu;
    uint32_t mode;
    const uint8_t *bytes; /* of the instruction */
    unsigned position;    /* consumed so far */
    unsigned available;   /* bytes that may be read; past it the fetch faults or is too long (15) */
    unsigned offset;      /* of the instruction in the block */

    uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;
    bool has_66, has_67, lock;
    uint8_t rep;          /* 0, 0xF2 or 0xF3: the last one counts */
    uint8_t rex;          /* 0 or 0x40..0x4F */
    int8_t seg_override;  /* CPU_ES … or -1 */
    uint8_t operand_size; /* 2, 4, 8 by mode, 66 and REX.W */
    uint8_t address_size; /* 2, 4, 8 */

    bool has_modrm, is_memory;
    uint8_t modrm;
    uint8_t reg, rm; /* with REX.R and REX.B; rm only when !is_memory */
    SoftEa ea;       /* is_memory: which fast form fits */

    SoftOp *op;         /* SOFT_BLOCK_… records from here; op[0] is cleared */
    unsigned n_records; /* starts at 1; 0: an instruction that does nothing */
    bool ends_block;
    bool overrun; /* a fetch went past the end; decode.c's own */
} SoftDecode;

/* Next bytes of the instruction. Past its end (fault or too long) they give zeros: whatever the
 * caller makes of them is thrown away. */
uint8_t soft_fetch8(SoftDecode *d);
uint16_t soft_fetch16(SoftDecode *d);
uint32_t soft_fetch32(SoftDecode *d);
uint64_t soft_fetch64(SoftDecode *d);
/* Sign-extended immediate of @size 1, 2, 4 (8 for MOV r64, imm64). */
uint64_t soft_fetch_immediate(SoftDecode *d, unsigned size);

/* Slot of general register @n at @size: handles AH..BH without REX. */
static inline uint8_t soft_decode_reg(const SoftDecode *d, unsigned n, unsigned size)
{
    return size == 1 && !d->rex && n >= 4 && n < 8 ? SOFT_REG_HIGH(n) : SOFT_REG(n);
}

/* A memory operand without ModRM: op's base, index, seg, disp and d->is_memory have been set;
 * applies the override and fills ashift and ea. */
void soft_decode_finish_address(SoftDecode *d);

/* Decodes the instruction at d->bytes into d->op; the caller has set cpu, mode, bytes, available,
 * offset and op. Never fails: what is not valid becomes
 * soft_op_undefined. Returns false when it needs more bytes than available (the caller gets the
 * next page or faults). */
bool soft_decode_one(SoftDecode *d);
/* An instruction of more than 15 bytes: #GP. */
SoftHandler soft_op_too_long;

/* The owners. Each is asked with prefixes, opcode and ModRM parsed. */
/* (Integer opcodes: int.h.) */
bool soft_decode_x87(SoftDecode *d);  /* D8-DF and FWAIT */
bool soft_decode_simd(SoftDecode *d); /* MMX, SSE…SSE4.2, AES, PCLMULQDQ, EMMS, LDMXCSR, FXSAVE,
                                         XSAVE …, CRC32 is integer's */
bool soft_decode_system(
    SoftDecode *d); /* segments, far transfers, INT, IRET, control and debug registers, MSRs … */
