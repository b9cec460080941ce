/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* SDM vol. 3A table 2-2, vol. 2 §2.4: #UD before #NM. */
SoftNext soft_op_no_sse(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (cpu->cr0 & CR0_EM || !(cpu->cr4 & CR4_OSFXSR))
        soft_fault(cpu, X86_UD);
    soft_fault(cpu, X86_NM);
}

SoftNext soft_op_no_mmx(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault(cpu, cpu->cr0 & CR0_EM ? X86_UD : X86_NM);
}

static uint8_t simd_operand(unsigned kind, unsigned n)
{
    return kind == SIMD_V ? n : kind == SIMD_M ? n & 7 : SOFT_REG(n);
}

/* PSHUFB masks by the immediate of PSHUFD: byte 4n … 4n + 3 for dword n. */
#define MASK_DWORD(n) (0x03020100u + 0x04040404u * ((n)&3))
#define MASK(n) { MASK_DWORD(n), MASK_DWORD((n) >> 2), MASK_DWORD((n) >> 4), MASK_DWORD((n) >> 6) },
#define MASKS_4(n) MASK(n) MASK(n + 1) MASK(n + 2) MASK(n + 3)
#define MASKS_16(n) MASKS_4(n) MASKS_4(n + 4) MASKS_4(n + 8) MASKS_4(n + 12)
#define MASKS_64(n) MASKS_16(n) MASKS_16(n + 16) MASKS_16(n + 32) MASKS_16(n + 48)
static const uint32_t simd_dword_masks[256][4]
    __attribute__((aligned(16))) = { MASKS_64(0) MASKS_64(64) MASKS_64(128) MASKS_64(192) };

/* The mask of four words. */
static uint64_t simd_word_mask(unsigned imm)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 4; i++)
        mask |= (uint64_t)(0x0100 + 0x0202 * (imm >> 2 * i & 3)) << 16 * i;
    return mask;
}

/* The address of MASKMOVQ and MASKMOVDQU is implied. */
static void simd_set_maskmov_address(SoftDecode *d)
{
    d->op->base = SOFT_REG(7);
    d->op->index = SOFT_SLOT_ZERO;
    d->op->scale = 0;
    d->op->disp = 0;
    d->op->seg = d->seg_override >= 0 ? d->seg_override : CPU_DS;
    d->op->ashift = 64 - 8 * d->address_size;
}

bool soft_decode_simd(SoftDecode *d)
{
    unsigned prefix = d->rep == 0xF3   ? SIMD_F3
                      : d->rep == 0xF2 ? SIMD_F2
                      : d->has_66      ? SIMD_66
                                       : SIMD_NONE;
    if (d->lock)
        return false;
    if (d->map == 1 && d->opcode == 0xAE && prefix == SIMD_F3 && !d->is_memory)
        return soft_decode_system(d); /* RDFSBASE … WRGSBASE */
    if (d->map == 1 && (d->opcode == 0xAE || d->opcode == 0x77))
        return xsave_decode(d);

    const SimdRow *row = sse_move_row(d, prefix);
    if (!row)
        row = sse_int_row(d, prefix);
    if (!row)
        row = sse_float_row(d, prefix);
    if (!row)
        row = sse4_row(d, prefix);
    if (!row)
        row = crypto_row(d, prefix);
    SoftHandler *handler = !row ? NULL : d->is_memory ? row->mem[d->ea] : row->reg;
    if (!handler)
        return false;

    uint8_t reg = simd_operand(row->reg_kind, d->reg);
    uint8_t rm = d->is_memory ? 0 : simd_operand(row->rm_kind, d->rm);
    d->op->dst = row->flags & SIMD_STORES ? rm : reg;
    d->op->src = row->flags & SIMD_STORES ? reg : rm;
    if (row->flags & SIMD_IMM8)
        d->op->imm = soft_fetch8(d);
    else if (row->flags & SIMD_SHUFFLE_DWORDS)
        d->op->pointer = (void *)simd_dword_masks[soft_fetch8(d)];
    else if (row->flags & SIMD_SHUFFLE_WORDS)
        d->op->imm = simd_word_mask(soft_fetch8(d));
    else if (row->pointer)
        d->op->pointer = row->pointer;
    if (d->map == 1 && d->opcode == 0xF7)
        simd_set_maskmov_address(d);

    bool uses_mmx = row->reg_kind == SIMD_M || (row->rm_kind == SIMD_M && !d->is_memory);
    bool uses_sse = row->reg_kind == SIMD_V || (row->rm_kind == SIMD_V && !d->is_memory);
    if (uses_sse && !(d->mode & SOFT_MODE_SSE))
        handler = soft_op_no_sse;
    else if (uses_mmx && !(d->mode & SOFT_MODE_X87))
        handler = soft_op_no_mmx;
    d->op->fn = handler;
    return true;
}
