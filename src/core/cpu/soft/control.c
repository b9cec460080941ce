/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Control registers, the interrupt flag, HLT, and the permission to use ports (SDM vol. 3A §2.5,
 * vol. 1 §18.5). */

#include "core/cpu/soft/system.h"

#define CR0_WRITABLE                                                                               \
    ((uint64_t)CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |    \
     CR0_PG)
#define CR4_WRITABLE                                                                               \
    ((uint64_t)CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |   \
     CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)
#define PHYSICAL_BITS 40 /* as mmu.c and CPUID 80000008h say */

void soft_write_cr0(SoftCpu *cpu, uint64_t value)
{
    if (value >> 32)
        soft_fault_gp0(cpu);
    value = (value & CR0_WRITABLE) | CR0_ET;
    uint64_t changed = cpu->cr0 ^ value;
    bool paging = value & CR0_PG;
    if ((paging && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
        soft_fault_gp0(cpu);
    if (changed & CR0_PG && paging) {
        if (cpu->efer & EFER_LME) {
            if (!(cpu->cr4 & CR4_PAE) || cpu->seg[CPU_CS].attributes & SEG_LONG)
                soft_fault_gp0(cpu);
        } else if (cpu->cr4 & CR4_PAE) {
            soft_load_pdptes(cpu, cpu->cr3);
        }
    } else if (changed & CR0_PG) {
        if (soft_in_64bit(cpu))
            soft_fault_gp0(cpu);
    } else if (paging && changed & (CR0_CD | CR0_NW) && cpu->cr4 & CR4_PAE &&
               !soft_in_long_mode(cpu)) {
        soft_load_pdptes(cpu, cpu->cr3);
    }
    cpu->cr0 = value;
    if (paging && cpu->efer & EFER_LME)
        cpu->efer |= EFER_LMA;
    else
        cpu->efer &= ~(uint64_t)EFER_LMA;
    if (changed & (CR0_PG | CR0_WP | CR0_PE))
        soft_tlb_flush(cpu, false);
}

static void write_cr3(SoftCpu *cpu, uint64_t value)
{
    if (value >> PHYSICAL_BITS)
        soft_fault_gp0(cpu);
    if (cpu->cr4 & CR4_PAE && cpu->cr0 & CR0_PG && !soft_in_long_mode(cpu))
        soft_load_pdptes(cpu, value);
    cpu->cr3 = value;
    soft_tlb_flush(cpu, true);
}

static void write_cr4(SoftCpu *cpu, uint64_t value)
{
    if (value & ~CR4_WRITABLE)
        soft_fault_gp0(cpu);
    uint64_t changed = cpu->cr4 ^ value;
    if (changed & CR4_PAE && soft_in_long_mode(cpu))
        soft_fault_gp0(cpu);
    if (value & CR4_PAE && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) &&
        cpu->cr0 & CR0_PG && !soft_in_long_mode(cpu))
        soft_load_pdptes(cpu, cpu->cr3);
    cpu->cr4 = value;
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP))
        soft_tlb_flush(cpu, false);
}

/* The board may take its lock: outside guest code. */
static uint64_t read_cr8(SoftCpu *cpu)
{
    const CpuBoard *board = cpu->vcpu.board;
    if (!board->get_cr8)
        return 0;
    soft_guest_leave(cpu);
    uint64_t value = board->get_cr8(board->opaque, cpu->vcpu.id);
    soft_guest_enter(cpu);
    return value;
}

static void write_cr8(SoftCpu *cpu, uint64_t value)
{
    const CpuBoard *board = cpu->vcpu.board;
    if (value > 15)
        soft_fault_gp0(cpu);
    if (!board->set_cr8)
        return;
    soft_guest_leave(cpu);
    board->set_cr8(board->opaque, cpu->vcpu.id, (uint8_t)value);
    soft_guest_enter(cpu);
}

static G_GNUC_NO_INLINE void write_control(SoftCpu *cpu, unsigned n, uint64_t value)
{
    soft_require_cpl0(cpu);
    switch (n) {
    case 0: soft_write_cr0(cpu, value); break;
    case 2: cpu->cr2 = value; break;
    case 3: write_cr3(cpu, value); break;
    case 4: write_cr4(cpu, value); break;
    default: write_cr8(cpu, value); break;
    }
}

/* dst: control register, src: general register, imm: operand size. */
SoftNext soft_op_mov_to_cr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    write_control(cpu, op->dst, op->imm == 8 ? SOFT_R64(cpu, op->src) : SOFT_R32(cpu, op->src));
    soft_finish(cpu, op);
    if (op->dst == 0 || op->dst == 4)
        soft_update_mode(cpu);
    SOFT_GO(cpu);
}

SoftNext soft_op_mov_from_cr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    uint64_t value;
    switch (op->src) {
    case 0: value = cpu->cr0; break;
    case 2: value = cpu->cr2; break;
    case 3: value = cpu->cr3; break;
    case 4: value = cpu->cr4; break;
    default: value = read_cr8(cpu); break;
    }
    SOFT_R64(cpu, op->dst) = op->imm == 8 ? value : (uint32_t)value;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_clts(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    soft_finish(cpu, op);
    if (cpu->cr0 & CR0_TS) {
        cpu->cr0 &= ~(uint64_t)CR0_TS;
        soft_update_mode(cpu);
    }
    SOFT_GO(cpu);
}

/* dst: register, imm: operand size. */
SoftNext soft_op_smsw_reg(SoftCpu *cpu, SoftOp *op)
{
    if (op->imm == 2)
        SOFT_R16(cpu, op->dst) = (uint16_t)cpu->cr0;
    else
        SOFT_R64(cpu, op->dst) = cpu->cr0;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_smsw_mem(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_write_operand(cpu, op, 2, (uint16_t)cpu->cr0);
    SOFT_NEXT_STORED(cpu, op);
}

/* src: register, or memory. Sets PE but never clears it. */
SoftNext soft_op_lmsw(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    uint64_t value =
        op->src == SOFT_SLOT_ZERO ? soft_read_operand(cpu, op, 2) : SOFT_R16(cpu, op->src);
    soft_write_cr0(cpu, (cpu->cr0 & ~UINT64_C(0xE)) | (value & 0xF));
    soft_finish(cpu, op);
    soft_update_mode(cpu);
    SOFT_GO(cpu);
}

SoftNext soft_op_invlpg(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    uint64_t linear = (cpu->seg[op->seg].base + soft_ea(cpu, op)) & cpu->linear_mask;
    if (soft_is_canonical(linear))
        soft_tlb_flush_page(cpu, linear);
    soft_finish(cpu, op);
    SOFT_GO(cpu);
}

/* Also INVD: there is no cache to write back. */
SoftNext soft_op_wbinvd(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_hlt(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    cpu->halted = true;
    soft_request_attention(cpu);
    SOFT_END_BLOCK(cpu, op);
}

static inline void require_iopl(SoftCpu *cpu, SoftOp *op)
{
    if (G_UNLIKELY(cpu->cpl > soft_iopl(cpu)) && !soft_is_real(cpu)) {
        SOFT_AT(cpu, op);
        soft_fault_gp0(cpu);
    }
}

SoftNext soft_op_cli(SoftCpu *cpu, SoftOp *op)
{
    require_iopl(cpu, op);
    cpu->rflags &= ~(uint64_t)RFLAGS_IF;
    SOFT_NEXT(cpu, op);
}

/* Interrupts are taken at block ends only; so the shadow of one instruction needs care only when
 * one is waiting already, or may come before an instruction that is not in this block. */
SoftNext soft_op_sti(SoftCpu *cpu, SoftOp *op)
{
    require_iopl(cpu, op);
    if (!(cpu->rflags & RFLAGS_IF)) {
        cpu->rflags |= RFLAGS_IF;
        bool waits = __atomic_load_n(&cpu->vcpu.signals, __ATOMIC_SEQ_CST);
        if (G_UNLIKELY(waits || op[1].fn == soft_op_fallthrough)) {
            cpu->shadow = true;
            soft_request_attention(cpu);
            SOFT_END_BLOCK(cpu, op);
        }
    }
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_clac(SoftCpu *cpu, SoftOp *op)
{
    if (G_UNLIKELY(cpu->cpl != 0)) {
        SOFT_AT(cpu, op);
        soft_fault(cpu, X86_UD);
    }
    cpu->rflags &= ~(uint64_t)RFLAGS_AC;
    soft_update_context(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_stac(SoftCpu *cpu, SoftOp *op)
{
    if (G_UNLIKELY(cpu->cpl != 0)) {
        SOFT_AT(cpu, op);
        soft_fault(cpu, X86_UD);
    }
    cpu->rflags |= RFLAGS_AC;
    soft_update_context(cpu);
    SOFT_NEXT(cpu, op);
}

/* The I/O permission bitmap of the TSS. */
static void check_io_bitmap(SoftCpu *cpu, uint16_t port, unsigned size)
{
    const SoftSegment *task = &cpu->task;
    unsigned type = SEG_TYPE(task->attributes);
    if (!(task->attributes & SEG_PRESENT) || (type | 2) != SEG_TSS32_BUSY || task->limit < 103)
        soft_fault_gp0(cpu);
    unsigned at = (unsigned)soft_load_system(cpu, task->base + 102, 2) + port / 8;
    if (at + 1 > task->limit)
        soft_fault_gp0(cpu);
    unsigned bits = (unsigned)soft_load_system(cpu, task->base + at, 2);
    if (bits >> (port & 7) & ((1u << size) - 1))
        soft_fault_gp0(cpu);
}

void soft_check_io(SoftCpu *cpu, uint16_t port, unsigned size)
{
    if (!soft_is_real(cpu) && (cpu->cpl > soft_iopl(cpu) || soft_in_v86(cpu)))
        check_io_bitmap(cpu, port, size);
    if (G_UNLIKELY(cpu->watch_any))
        soft_debug_io(cpu, port, size);
}
