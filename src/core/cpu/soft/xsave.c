/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/simd.h"

/* FXSAVE, FXRSTOR, XSAVE, XRSTOR, XGETBV, XSETBV, LDMXCSR, STMXCSR, EMMS, fences. XSAVE knows the
 * x87 and SSE components (XCR0 bits 0 and 1) in the standard format, always in use. */

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_VALID (XCR0_X87 | XCR0_SSE)

/* FXSAVE area, SDM vol. 1 table 10-2. */
enum {
    AREA_CONTROL = 0,
    AREA_STATUS = 2,
    AREA_TAG = 4,
    AREA_OPCODE = 6,
    AREA_INSTRUCTION = 8,
    AREA_DATA = 16,
    AREA_MXCSR = 24,
    AREA_MXCSR_MASK = 28,
    AREA_ST = 32,
    AREA_XMM = 160,
    AREA_SIZE = 512,
    AREA_HEADER = 512,
    AREA_YMM = 576,
};

static void put16(uint8_t *p, uint16_t value)
{
    memcpy(p, &value, 2);
}
static void put32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, 4);
}
static void put64(uint8_t *p, uint64_t value)
{
    memcpy(p, &value, 8);
}
static uint16_t get16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, 2);
    return value;
}
static uint32_t get32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}
static uint64_t get64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
}

/* x87 part ------------------------------------------------------------------------------------ */

void soft_fp_init(SoftCpu *cpu)
{
    cpu->fpu.control = 0x037F;
    cpu->fpu.status = 0;
    cpu->fpu.top = 0;
    cpu->fpu.tag = 0;
    cpu->fpu.opcode = 0;
    cpu->fpu.code_selector = cpu->fpu.data_selector = 0;
    cpu->fpu.instruction = cpu->fpu.data = 0;
    cpu->fpu.error_signalled = false;
}

void soft_fp_save_legacy(const SoftCpu *cpu, uint8_t *area, bool wide)
{
    put16(area + AREA_CONTROL, cpu->fpu.control);
    put16(area + AREA_STATUS, cpu->fpu.status | cpu->fpu.top << 11);
    area[AREA_TAG] = cpu->fpu.tag;
    area[AREA_TAG + 1] = 0;
    put16(area + AREA_OPCODE, cpu->fpu.opcode);
    put64(area + AREA_INSTRUCTION,
          wide ? cpu->fpu.instruction
               : (uint32_t)cpu->fpu.instruction | (uint64_t)cpu->fpu.code_selector << 32);
    put64(area + AREA_DATA,
          wide ? cpu->fpu.data : (uint32_t)cpu->fpu.data | (uint64_t)cpu->fpu.data_selector << 32);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(area + AREA_ST + 16 * i, &cpu->fpu.fpr[(cpu->fpu.top + i) & 7], 10);
        memset(area + AREA_ST + 16 * i + 10, 0, 6);
    }
}

void soft_fp_load_legacy(SoftCpu *cpu, const uint8_t *area, bool wide)
{
    uint16_t status = get16(area + AREA_STATUS);
    cpu->fpu.control = (get16(area + AREA_CONTROL) & 0x1F7F) | 0x40;
    cpu->fpu.status = status & ~0x3800u;
    cpu->fpu.top = status >> 11 & 7;
    cpu->fpu.tag = area[AREA_TAG];
    cpu->fpu.opcode = get16(area + AREA_OPCODE) & 0x7FF;
    cpu->fpu.instruction = get64(area + AREA_INSTRUCTION);
    cpu->fpu.data = get64(area + AREA_DATA);
    if (!wide) {
        cpu->fpu.code_selector = (uint16_t)(cpu->fpu.instruction >> 32);
        cpu->fpu.data_selector = (uint16_t)(cpu->fpu.data >> 32);
        cpu->fpu.instruction = (uint32_t)cpu->fpu.instruction;
        cpu->fpu.data = (uint32_t)cpu->fpu.data;
    }
    for (unsigned i = 0; i < 8; i++)
        memcpy(&cpu->fpu.fpr[(cpu->fpu.top + i) & 7], area + AREA_ST + 16 * i, 10);
    soft_fp_update_summary(cpu);
}

/* Instructions -------------------------------------------------------------------------------- */

static unsigned xsave_n_xmm(const SoftCpu *cpu)
{
    return soft_in_64bit(cpu) ? 16 : 8;
}

static void G_GNUC_NO_INLINE fxsave(SoftCpu *cpu, bool wide)
{
    uint8_t area[AREA_XMM + 256] = { 0 };
    unsigned size = AREA_XMM + 16 * xsave_n_xmm(cpu);
    uint64_t offset = soft_fp_check_operand(cpu, AREA_SIZE, 16, true);
    soft_fp_save_legacy(cpu, area, wide);
    put32(area + AREA_MXCSR, soft_fp_get_mxcsr(cpu));
    put32(area + AREA_MXCSR_MASK, MXCSR_VALID);
    for (unsigned i = 0; i < xsave_n_xmm(cpu); i++)
        memcpy(area + AREA_XMM + 16 * i, cpu->xmm[i].b, 16);
    soft_store_bytes(cpu, cpu->op->seg, offset, area, size);
}

static void G_GNUC_NO_INLINE fxrstor(SoftCpu *cpu, bool wide)
{
    uint8_t area[AREA_SIZE];
    uint64_t offset = soft_fp_check_operand(cpu, AREA_SIZE, 16, false);
    soft_load_bytes(cpu, cpu->op->seg, offset, area, AREA_SIZE);
    uint32_t mxcsr = get32(area + AREA_MXCSR);
    if (mxcsr & ~MXCSR_VALID)
        soft_fault_error(cpu, X86_GP, 0);
    soft_fp_load_legacy(cpu, area, wide);
    soft_fp_load_control(cpu);
    soft_fp_set_mxcsr(cpu, mxcsr);
    for (unsigned i = 0; i < xsave_n_xmm(cpu); i++)
        memcpy(cpu->xmm[i].b, area + AREA_XMM + 16 * i, 16);
}

static uint64_t xsave_requested(SoftCpu *cpu)
{
    uint64_t mask = (uint64_t)(uint32_t)cpu->gpr[2] << 32 | (uint32_t)cpu->gpr[0];
    return mask & cpu->xcr0;
}

static void G_GNUC_NO_INLINE xsave(SoftCpu *cpu, bool wide)
{
    uint8_t area[AREA_XMM + 256] = { 0 };
    uint64_t requested = xsave_requested(cpu);
    unsigned seg = cpu->op->seg, n_xmm = xsave_n_xmm(cpu);
    uint64_t offset = soft_fp_check_operand(cpu, AREA_YMM, 64, true);
    uint64_t in_use = soft_load(cpu, seg, offset + AREA_HEADER, 8);
    soft_probe_store(cpu, seg, offset, AREA_HEADER + 8);

    in_use = (in_use & ~requested) | requested;
    if (requested & XCR0_X87) {
        soft_fp_save_legacy(cpu, area, wide);
        soft_store_bytes(cpu, seg, offset, area, AREA_MXCSR);
        soft_store_bytes(cpu, seg, offset + AREA_ST, area + AREA_ST, AREA_XMM - AREA_ST);
    }
    if (requested & XCR0_SSE) {
        for (unsigned i = 0; i < n_xmm; i++)
            memcpy(area + AREA_XMM + 16 * i, cpu->xmm[i].b, 16);
        soft_store_bytes(cpu, seg, offset + AREA_XMM, area + AREA_XMM, 16 * n_xmm);
        put32(area + AREA_MXCSR, soft_fp_get_mxcsr(cpu));
        put32(area + AREA_MXCSR_MASK, MXCSR_VALID);
        soft_store_bytes(cpu, seg, offset + AREA_MXCSR, area + AREA_MXCSR, 8);
    }
    soft_store(cpu, seg, offset + AREA_HEADER, 8, in_use);
}

static void G_GNUC_NO_INLINE xrstor(SoftCpu *cpu, bool wide)
{
    uint8_t area[AREA_YMM];
    uint64_t requested = xsave_requested(cpu);
    uint64_t offset = soft_fp_check_operand(cpu, AREA_YMM, 64, false);
    soft_load_bytes(cpu, cpu->op->seg, offset, area, AREA_YMM);

    uint64_t in_use = get64(area + AREA_HEADER);
    bool valid = !(in_use & ~cpu->xcr0);
    for (unsigned i = 8; i < 24; i++)
        valid &= area[AREA_HEADER + i] == 0; /* XCOMP_BV and reserved, SDM vol. 1 §13.8 */
    uint32_t mxcsr = get32(area + AREA_MXCSR);
    if (requested & XCR0_SSE && mxcsr & ~MXCSR_VALID)
        valid = false;
    if (!valid)
        soft_fault_error(cpu, X86_GP, 0);

    if (requested & XCR0_X87) {
        if (in_use & XCR0_X87) {
            soft_fp_load_legacy(cpu, area, wide);
        } else {
            soft_fp_init(cpu);
            memset(cpu->fpu.fpr, 0, sizeof(cpu->fpu.fpr));
        }
        soft_fp_load_control(cpu);
    }
    if (requested & XCR0_SSE) {
        for (unsigned i = 0; i < xsave_n_xmm(cpu); i++) {
            if (in_use & XCR0_SSE)
                memcpy(cpu->xmm[i].b, area + AREA_XMM + 16 * i, 16);
            else
                memset(cpu->xmm[i].b, 0, 16);
        }
        soft_fp_set_mxcsr(cpu, mxcsr);
    }
}

#define XSAVE_HANDLER(name, fn, wide, leave)                                                       \
    static SoftNext name(SoftCpu *cpu, SoftOp *op)                                                 \
    {                                                                                              \
        SOFT_AT(cpu, op);                                                                          \
        soft_fp_spill(cpu);                                                                        \
        fn(cpu, wide);                                                                             \
        leave(cpu, op);                                                                            \
    }
XSAVE_HANDLER(op_fxsave, fxsave, false, SOFT_NEXT_STORED)
XSAVE_HANDLER(op_fxsave64, fxsave, true, SOFT_NEXT_STORED)
XSAVE_HANDLER(op_fxrstor, fxrstor, false, SOFT_NEXT)
XSAVE_HANDLER(op_fxrstor64, fxrstor, true, SOFT_NEXT)
XSAVE_HANDLER(op_xsave, xsave, false, SOFT_NEXT_STORED)
XSAVE_HANDLER(op_xsave64, xsave, true, SOFT_NEXT_STORED)
XSAVE_HANDLER(op_xrstor, xrstor, false, SOFT_NEXT)
XSAVE_HANDLER(op_xrstor64, xrstor, true, SOFT_NEXT)

static SoftNext op_ldmxcsr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint32_t value = (uint32_t)soft_read_operand(cpu, op, 4);
    if (value & ~MXCSR_VALID)
        soft_fault_error(cpu, X86_GP, 0);
    soft_fp_set_mxcsr(cpu, value);
    SOFT_NEXT(cpu, op);
}

static SoftNext op_stmxcsr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 4, soft_fp_get_mxcsr(cpu));
    SOFT_NEXT_STORED(cpu, op);
}

static SoftNext op_emms(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    cpu->fpu.top = 0;
    cpu->fpu.tag = 0;
    SOFT_NEXT(cpu, op);
}

static SoftNext op_fence(SoftCpu *cpu, SoftOp *op)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    SOFT_NEXT(cpu, op);
}

/* CLFLUSH: caches are not modelled, but the address is checked as that of a load. */
static SoftNext op_clflush(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_linear(cpu, op->seg, soft_ea(cpu, op), 1, false);
    SOFT_NEXT(cpu, op);
}

/* FXSAVE and XSAVE are #NM with CR0.EM or CR0.TS; LDMXCSR follows the SSE rules. */
static SoftNext op_no_state(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault(cpu, X86_NM);
}
static SoftNext op_no_xsave(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault(cpu, cpu->cr4 & CR4_OSXSAVE ? X86_NM : X86_UD);
}

SoftNext soft_op_xgetbv(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_fault(cpu, X86_UD);
    if ((uint32_t)cpu->gpr[1] != 0)
        soft_fault_error(cpu, X86_GP, 0);
    cpu->gpr[0] = (uint32_t)cpu->xcr0;
    cpu->gpr[2] = (uint32_t)(cpu->xcr0 >> 32);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_xsetbv(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_fault(cpu, X86_UD);
    uint64_t value = (uint64_t)(uint32_t)cpu->gpr[2] << 32 | (uint32_t)cpu->gpr[0];
    if (cpu->cpl || (uint32_t)cpu->gpr[1] != 0 || !(value & XCR0_X87) ||
        value & ~(uint64_t)XCR0_VALID)
        soft_fault_error(cpu, X86_GP, 0);
    cpu->xcr0 = value;
    SOFT_END_BLOCK(cpu, op);
}

/* Decoding ------------------------------------------------------------------------------------ */

static SoftHandler *xsave_memory_handler(const SoftDecode *d)
{
    bool wide = d->rex & 8;
    bool x87 = d->mode & SOFT_MODE_X87, sse = d->mode & SOFT_MODE_SSE;
    bool xsave = d->mode & SOFT_MODE_XSAVE && x87;
    switch (d->modrm >> 3 & 7) {
    case 0: return !x87 ? op_no_state : wide ? op_fxsave64 : op_fxsave;
    case 1: return !x87 ? op_no_state : wide ? op_fxrstor64 : op_fxrstor;
    case 2: return sse ? op_ldmxcsr : soft_op_no_sse;
    case 3: return sse ? op_stmxcsr : soft_op_no_sse;
    case 4: return !xsave ? op_no_xsave : wide ? op_xsave64 : op_xsave;
    case 5: return !xsave ? op_no_xsave : wide ? op_xrstor64 : op_xrstor;
    case 7: return op_clflush;
    default: return NULL; /* XSAVEOPT: not announced */
    }
}

bool xsave_decode(SoftDecode *d)
{
    if (d->opcode == 0x77) {
        if (d->rep || d->has_66)
            return false;
        d->op->fn = d->mode & SOFT_MODE_X87 ? op_emms : soft_op_no_mmx;
        return true;
    }
    if (d->rep || d->has_66)
        return false;
    if (d->is_memory)
        d->op->fn = xsave_memory_handler(d);
    else
        d->op->fn = (d->modrm >> 3 & 7) >= 5 ? op_fence : NULL;
    return d->op->fn != NULL;
}
