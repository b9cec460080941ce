/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/x87.h"

/* Control and environment of the x87 (SDM vol. 1 §8.1.10). */

/* These leave a live state where it is: nothing can be pending then. */
SoftNext x87_fwait(SoftCpu *cpu, SoftOp *op)
{
    if (!cpu->fpu.live)
        FPU_WAIT(cpu, op);
    SOFT_NEXT(cpu, op);
}

/* Notes its address like any other. */
SoftNext x87_fnop(SoftCpu *cpu, SoftOp *op)
{
    if (!cpu->fpu.live)
        FPU_WAIT(cpu, op);
    x87_note(cpu, op);
    SOFT_NEXT(cpu, op);
}

/* CR0.EM or CR0.TS is set: WAIT minds TS, and only with MP. */
SoftNext x87_fwait_unavailable(SoftCpu *cpu, SoftOp *op)
{
    if ((cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        SOFT_AT(cpu, op);
        soft_fault(cpu, X86_NM);
    }
    FPU_WAIT(cpu, op);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_fldcw(SoftCpu *cpu, SoftOp *op)
{
    if (!cpu->fpu.live)
        FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    uint16_t control = ((uint16_t)soft_read_operand(cpu, op, 2) & 0x1F7F) | 0x40;
    if ((control & FPU_EXCEPTIONS) != FPU_EXCEPTIONS)
        soft_fp_spill(cpu);
    cpu->fpu.control = control;
    if (cpu->fpu.live) {
        asm volatile("fldcw %0" ::"m"(cpu->fpu.control));
        SOFT_NEXT(cpu, op);
    }
    soft_fp_load_control(cpu);
    soft_fp_update_summary(cpu);
    if (G_UNLIKELY(cpu->fpu.status & FPU_ES))
        soft_fp_signal_error(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_fnstcw(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 2, cpu->fpu.control);
    SOFT_NEXT_STORED(cpu, op);
}

static inline uint16_t control_status(const SoftCpu *cpu)
{
    if (cpu->fpu.live) {
        uint16_t status;
        asm volatile("fnstsw %0" : "=a"(status));
        return status;
    }
    return cpu->fpu.status | cpu->fpu.top << 11;
}

SoftNext x87_fnstsw(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 2, control_status(cpu));
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext x87_fnstsw_ax(SoftCpu *cpu, SoftOp *op)
{
    SOFT_R16(cpu, SOFT_REG(0)) = control_status(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_fnclex(SoftCpu *cpu, SoftOp *op)
{
    if (cpu->fpu.live) {
        asm volatile("fnclex");
        SOFT_NEXT(cpu, op);
    }
    cpu->fpu.status &= ~(FPU_EXCEPTIONS | FPU_SF | FPU_ES | FPU_B);
    cpu->fpu.error_signalled = false;
    soft_fp_load_control(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_fninit(SoftCpu *cpu, SoftOp *op)
{
    soft_fp_spill(cpu);
    soft_fp_init(cpu);
    soft_fp_load_control(cpu);
    SOFT_NEXT(cpu, op);
}

/* Environment --------------------------------------------------------------------------------- */

/* Full tag word: 0 valid, 1 zero, 2 special, 3 empty. */
static uint16_t control_tag_word(const SoftCpu *cpu)
{
    uint16_t word = 0;
    for (unsigned i = 0; i < 8; i++) {
        const uint16_t *words = (const uint16_t *)&cpu->fpu.fpr[i];
        uint64_t significand = *(const uint64_t *)words;
        unsigned exponent = words[4] & 0x7FFF, tag = 0;
        if (!x87_in_use(cpu, i))
            tag = 3;
        else if (exponent == 0 && significand == 0)
            tag = 1;
        else if (exponent == 0 || exponent == 0x7FFF || !(significand >> 63))
            tag = 2;
        word |= tag << 2 * i;
    }
    return word;
}

/* Four layouts by operand size and by protected or real mode; fields are 16 or 32 bits wide. */
static unsigned environment_size(const SoftOp *op)
{
    return op->imm & X87_OPERAND_16 ? 14 : 28;
}

static void environment_put(uint8_t *area, const SoftOp *op, unsigned field, uint32_t value)
{
    if (op->imm & X87_OPERAND_16)
        memcpy(area + 2 * field, &value, 2);
    else
        memcpy(area + 4 * field, &value, 4);
}

static uint32_t environment_get(const uint8_t *area, const SoftOp *op, unsigned field)
{
    uint32_t value = 0;
    if (op->imm & X87_OPERAND_16)
        memcpy(&value, area + 2 * field, 2);
    else
        memcpy(&value, area + 4 * field, 4);
    return value;
}

static void environment_save(const SoftCpu *cpu, const SoftOp *op, uint8_t *area)
{
    bool is_16bit = op->imm & X87_OPERAND_16;
    uint32_t ones = is_16bit ? 0 : 0xFFFF0000u;
    environment_put(area, op, 0, cpu->fpu.control | ones);
    environment_put(area, op, 1, control_status(cpu) | ones);
    environment_put(area, op, 2, control_tag_word(cpu) | ones);
    if (soft_in_real_or_v86(cpu)) {
        uint32_t code = (uint32_t)cpu->fpu.instruction + (cpu->fpu.code_selector << 4);
        uint32_t data = (uint32_t)cpu->fpu.data + (cpu->fpu.data_selector << 4);
        environment_put(area, op, 3, code & 0xFFFF);
        environment_put(area, op, 4, (code >> 16 << 12) | cpu->fpu.opcode);
        environment_put(area, op, 5, data & 0xFFFF);
        environment_put(area, op, 6, data >> 16 << 12);
    } else {
        uint32_t opcode = is_16bit ? 0 : (uint32_t)cpu->fpu.opcode << 16;
        environment_put(area, op, 3, (uint32_t)cpu->fpu.instruction);
        environment_put(area, op, 4, cpu->fpu.code_selector | opcode);
        environment_put(area, op, 5, (uint32_t)cpu->fpu.data);
        environment_put(area, op, 6, cpu->fpu.data_selector | ones);
    }
}

static void environment_load(SoftCpu *cpu, const SoftOp *op, const uint8_t *area)
{
    uint16_t status = (uint16_t)environment_get(area, op, 1);
    uint16_t tags = (uint16_t)environment_get(area, op, 2);
    uint32_t code = environment_get(area, op, 3), code_high = environment_get(area, op, 4);
    uint32_t data = environment_get(area, op, 5), data_high = environment_get(area, op, 6);

    cpu->fpu.control = ((uint16_t)environment_get(area, op, 0) & 0x1F7F) | 0x40;
    cpu->fpu.status = status & ~0x3800u;
    cpu->fpu.top = status >> 11 & 7;
    cpu->fpu.tag = 0;
    for (unsigned i = 0; i < 8; i++) {
        if ((tags >> 2 * i & 3) != 3)
            cpu->fpu.tag |= 1u << i;
    }
    if (soft_in_real_or_v86(cpu)) {
        cpu->fpu.instruction = (code & 0xFFFF) | (code_high >> 12 << 16);
        cpu->fpu.data = (data & 0xFFFF) | (data_high >> 12 << 16);
        cpu->fpu.code_selector = cpu->fpu.data_selector = 0;
        cpu->fpu.opcode = code_high & 0x7FF;
    } else {
        cpu->fpu.instruction = code;
        cpu->fpu.data = data;
        cpu->fpu.code_selector = (uint16_t)code_high;
        cpu->fpu.data_selector = (uint16_t)data_high;
        if (!(op->imm & X87_OPERAND_16))
            cpu->fpu.opcode = code_high >> 16 & 0x7FF;
    }
    soft_fp_update_summary(cpu);
    soft_fp_load_control(cpu);
}

static G_GNUC_NO_INLINE void control_store(SoftCpu *cpu, const SoftOp *op, bool registers)
{
    uint8_t area[108];
    unsigned length = environment_size(op);
    soft_fp_spill(cpu);
    environment_save(cpu, op, area);
    for (unsigned i = 0; registers && i < 8; i++, length += 10)
        memcpy(area + length, &cpu->fpu.fpr[X87_ST(i)], 10);
    soft_store_bytes(cpu, op->seg, soft_ea(cpu, op), area, length);
    if (registers) {
        soft_fp_init(cpu);
    } else {
        cpu->fpu.control |= FPU_EXCEPTIONS;
        soft_fp_update_summary(cpu);
    }
    soft_fp_load_control(cpu);
}

static G_GNUC_NO_INLINE void control_load(SoftCpu *cpu, const SoftOp *op, bool registers)
{
    uint8_t area[108];
    unsigned length = environment_size(op);
    soft_load_bytes(cpu, op->seg, soft_ea(cpu, op), area, length + (registers ? 80 : 0));
    environment_load(cpu, op, area);
    for (unsigned i = 0; registers && i < 8; i++, length += 10)
        memcpy(&cpu->fpu.fpr[X87_ST(i)], area + length, 10);
    if (cpu->fpu.status & FPU_ES)
        soft_fp_signal_error(cpu);
}

SoftNext x87_fnstenv(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    control_store(cpu, op, false);
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext x87_fnsave(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    control_store(cpu, op, true);
    SOFT_NEXT_STORED(cpu, op);
}

SoftNext x87_fldenv(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    control_load(cpu, op, false);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_frstor(SoftCpu *cpu, SoftOp *op)
{
    FPU_WAIT(cpu, op);
    SOFT_AT(cpu, op);
    control_load(cpu, op, true);
    SOFT_NEXT(cpu, op);
}
