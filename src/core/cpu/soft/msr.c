/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Model-specific registers (SDM vol. 4), the time-stamp counter and RDRAND. An MSR that the model
 * does not have is #GP, as on the processor: guests probe. */

#include "core/cpu/msr.h"
#include "core/cpu/soft/system.h"
#include <sys/random.h>

#define N_MC_BANKS 10u
#define N_MTRR_VARIABLE 8u

/* What we do not do wrong: nothing here speculates. RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO,
 * PSCHANGE_MC_NO, TAA_NO; SBDR_SSDP_NO, FBSDP_NO, PSDP_NO; BHI_NO; PBRSB_NO; GDS_NO, RFDS_NO; and
 * ITS_NO, which only virtual machines set. Systems that miss one spend dear instructions on it. */
#define ARCH_CAPABILITIES                                                                          \
    (UINT64_C(1) << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 7u << 13 |     \
     1u << 20 | 1u << 24 | 3u << 26 | UINT64_C(1) << 62)
#define SPEC_CTRL_WRITABLE (UINT64_C(1) | 1u << 10) /* IBRS, BHI_DIS_S */

static uint64_t *mtrr_fixed(SoftCpu *cpu, uint32_t msr)
{
    if (msr == MSR_MTRR_FIXED_64K)
        return &cpu->mtrr_fixed[0];
    if (msr == MSR_MTRR_FIXED_16K || msr == MSR_MTRR_FIXED_16K + 1)
        return &cpu->mtrr_fixed[1 + msr - MSR_MTRR_FIXED_16K];
    if (msr >= MSR_MTRR_FIXED_4K && msr < MSR_MTRR_FIXED_4K + 8)
        return &cpu->mtrr_fixed[3 + msr - MSR_MTRR_FIXED_4K];
    return NULL;
}

static bool memory_type_valid(uint8_t type)
{
    return type <= 6 && type != 2 && type != 3;
}

static bool memory_types_valid(uint64_t value, bool is_pat)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(value >> i * 8);
        if (!memory_type_valid(type) && !(is_pat && type == 7))
            return false;
    }
    return true;
}

static bool is_apic_msr(uint32_t msr)
{
    return msr == MSR_APIC_BASE || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

void soft_leave_for_board(SoftCpu *cpu)
{
    if (clock_kind(cpu->vcpu.board->clock) == CLOCK_DETERMINISTIC)
        soft_sync_clock(cpu);
    soft_guest_leave(cpu);
}

static bool read_apic_msr(SoftCpu *cpu, uint32_t msr, uint64_t *out_value)
{
    const CpuBoard *board = cpu->vcpu.board;
    if (!board->apic_read_msr)
        return false;
    soft_leave_for_board(cpu);
    bool ok = board->apic_read_msr(board->opaque, cpu->vcpu.id, msr, out_value);
    soft_guest_enter(cpu);
    return ok;
}

static bool write_apic_msr(SoftCpu *cpu, uint32_t msr, uint64_t value)
{
    const CpuBoard *board = cpu->vcpu.board;
    if (!board->apic_write_msr)
        return false;
    soft_leave_for_board(cpu);
    bool ok = board->apic_write_msr(board->opaque, cpu->vcpu.id, msr, value);
    soft_guest_enter(cpu);
    if (ok && msr == MSR_APIC_BASE)
        soft_mmu_view_changed(cpu); /* its page may have moved */
    return ok;
}

/* The board's timer runs on the machine's clock. */
static bool has_deadline(const SoftCpu *cpu)
{
    return cpu->vcpu.board->model.features[CPU_FEATURES_1C] & CPU_FEATURE_1C_TSC_DEADLINE;
}

static bool read_deadline(SoftCpu *cpu, uint64_t *out_value)
{
    uint64_t ns;

    if (!has_deadline(cpu) || !read_apic_msr(cpu, MSR_TSC_DEADLINE, &ns))
        return false;
    *out_value = cpu_deadline_from_ns(ns, cpu->tsc_offset, cpu->vcpu.board->model.tsc_hz);
    return true;
}

static bool write_deadline(SoftCpu *cpu, uint64_t value)
{
    uint64_t hz = cpu->vcpu.board->model.tsc_hz;

    return has_deadline(cpu) &&
           write_apic_msr(cpu, MSR_TSC_DEADLINE, cpu_deadline_to_ns(value, cpu->tsc_offset, hz));
}

ParavirtTsc soft_paravirt_tsc(const SoftCpu *cpu)
{
    return (ParavirtTsc){ .now = soft_tsc(cpu), .offset = cpu->tsc_offset };
}

static bool read_paravirt_msr(SoftCpu *cpu, uint32_t msr, uint64_t *out_value)
{
    if (!paravirt_has_msr(&cpu->vcpu.board->model, msr))
        return false;
    soft_leave_for_board(cpu);
    bool ok =
        paravirt_read_msr(cpu->vcpu.board, cpu->vcpu.id, msr, soft_paravirt_tsc(cpu), out_value);
    soft_guest_enter(cpu);
    return ok;
}

static bool write_paravirt_msr(SoftCpu *cpu, uint32_t msr, uint64_t value)
{
    if (!paravirt_has_msr(&cpu->vcpu.board->model, msr))
        return false;
    soft_leave_for_board(cpu);
    bool ok = paravirt_write_msr(cpu->vcpu.board, cpu->vcpu.id, msr, soft_paravirt_tsc(cpu), value);
    soft_guest_enter(cpu);
    return ok;
}

bool soft_read_msr(SoftCpu *cpu, uint32_t msr, uint64_t *out)
{
    const uint64_t *fixed = mtrr_fixed(cpu, msr);
    if (is_apic_msr(msr))
        return read_apic_msr(cpu, msr, out);
    if (msr >= MSR_MTRR_BASE_0 && msr <= MSR_MTRR_VARIABLE_LAST) {
        unsigned n = (msr - MSR_MTRR_BASE_0) / 2;
        *out = msr & 1 ? cpu->mtrr_mask[n] : cpu->mtrr_base[n];
        return true;
    }
    if (fixed) {
        *out = *fixed;
        return true;
    }
    if (msr >= MSR_MC_0 && msr < MSR_MC_0 + 4 * N_MC_BANKS) {
        *out = 0; /* a bank whose CTL reads 0 is not there */
        return true;
    }
    if (msr >= MSR_LAST_BRANCH_FIRST && msr <= MSR_LAST_BRANCH_LAST) {
        *out = 0;
        return true;
    }
    switch (msr) {
    case MSR_TSC: *out = soft_tsc(cpu); return true;
    case MSR_TSC_ADJUST: *out = cpu->tsc_adjust; return true;
    case MSR_PLATFORM_ID:
    case MSR_EBL_CR_POWERON:
    case MSR_PLATFORM_INFO:
    case MSR_MCG_STATUS:
    case MSR_MCG_CTL: *out = 0; return true;
    case MSR_FEATURE_CONTROL: *out = 1; return true; /* locked: no VMX */
    case MSR_SPEC_CTRL: *out = cpu->spec_ctrl; return true;
    case MSR_BIOS_SIGN_ID: *out = UINT64_C(1) << 32; return true;
    case MSR_MTRR_CAP: *out = N_MTRR_VARIABLE | 1u << 8 | 1u << 10; return true;
    case MSR_ARCH_CAPABILITIES: *out = ARCH_CAPABILITIES; return true;
    case MSR_SYSENTER_CS: *out = cpu->sysenter_cs; return true;
    case MSR_SYSENTER_ESP: *out = cpu->sysenter_esp; return true;
    case MSR_SYSENTER_EIP: *out = cpu->sysenter_eip; return true;
    case MSR_MCG_CAP: *out = N_MC_BANKS | 1u << 8; return true;
    case MSR_MISC_ENABLE: *out = cpu->misc_enable; return true;
    case MSR_DEBUGCTL: *out = cpu->debugctl; return true;
    case MSR_PAT: *out = cpu->pat; return true;
    case MSR_MTRR_DEF_TYPE: *out = cpu->mtrr_def_type; return true;
    case MSR_EFER: *out = cpu->efer; return true;
    case MSR_STAR: *out = cpu->star; return true;
    case MSR_LSTAR: *out = cpu->lstar; return true;
    case MSR_CSTAR: *out = cpu->cstar; return true;
    case MSR_SFMASK: *out = cpu->sfmask; return true;
    case MSR_FS_BASE: *out = cpu->seg[CPU_FS].base; return true;
    case MSR_GS_BASE: *out = cpu->seg[CPU_GS].base; return true;
    case MSR_KERNEL_GS_BASE: *out = cpu->kernel_gs_base; return true;
    case MSR_TSC_AUX: *out = cpu->tsc_aux; return true;
    case MSR_TSC_DEADLINE: return read_deadline(cpu, out);
    default: return read_paravirt_msr(cpu, msr, out);
    }
}

static bool write_efer(SoftCpu *cpu, uint64_t value)
{
    const uint64_t writable = EFER_SCE | EFER_LME | EFER_NXE;
    if (value & ~(writable | EFER_LMA))
        return false;
    uint64_t changed = (cpu->efer ^ value) & writable;
    if (changed & EFER_LME && cpu->cr0 & CR0_PG)
        return false;
    cpu->efer ^= changed;
    if (changed & EFER_NXE)
        soft_tlb_flush(cpu, false);
    return true;
}

static bool write_mtrr_variable(SoftCpu *cpu, uint32_t msr, uint64_t value)
{
    unsigned n = (msr - MSR_MTRR_BASE_0) / 2;
    if (msr & 1) {
        if (value & ~(CPU_PHYSICAL_MASK & ~UINT64_C(0x7FF)))
            return false;
        cpu->mtrr_mask[n] = value;
    } else {
        if (value & ~(CPU_PHYSICAL_PAGES | 0xFF) || !memory_type_valid((uint8_t)value))
            return false;
        cpu->mtrr_base[n] = value;
    }
    return true;
}

static bool write_canonical(uint64_t *field, uint64_t value)
{
    if (!soft_is_canonical(value))
        return false;
    *field = value;
    return true;
}

/* Both ways of setting the counter show in IA32_TSC_ADJUST (SDM vol. 3B §17.17.3). */
static void adjust_tsc(SoftCpu *cpu, uint64_t difference)
{
    cpu->tsc_offset += difference;
    cpu->tsc_adjust += difference;
    if (difference == 0)
        return;
    soft_leave_for_board(cpu);
    paravirt_set_tsc(cpu->vcpu.board, cpu->vcpu.id, soft_paravirt_tsc(cpu));
    soft_guest_enter(cpu);
}

bool soft_write_msr(SoftCpu *cpu, uint32_t msr, uint64_t value)
{
    uint64_t *fixed = mtrr_fixed(cpu, msr);
    if (is_apic_msr(msr))
        return write_apic_msr(cpu, msr, value);
    if (msr >= MSR_MTRR_BASE_0 && msr <= MSR_MTRR_VARIABLE_LAST)
        return write_mtrr_variable(cpu, msr, value);
    if (fixed) {
        if (!memory_types_valid(value, false))
            return false;
        *fixed = value;
        return true;
    }
    if (msr >= MSR_MC_0 && msr < MSR_MC_0 + 4 * N_MC_BANKS)
        return (msr & 3) == 0 || value == 0; /* CTL takes anything, the others only 0 */
    switch (msr) {
    case MSR_TSC: adjust_tsc(cpu, value - soft_tsc(cpu)); return true;
    case MSR_TSC_ADJUST: adjust_tsc(cpu, value - cpu->tsc_adjust); return true;
    case MSR_SPEC_CTRL:
        if (value & ~SPEC_CTRL_WRITABLE)
            return false;
        cpu->spec_ctrl = value;
        return true;
    case MSR_PRED_CMD: return !(value & ~UINT64_C(1));
    case MSR_EBL_CR_POWERON:
    case MSR_BIOS_UPDATE_TRIGGER:
    case MSR_BIOS_SIGN_ID:
    case MSR_MCG_STATUS:
    case MSR_MCG_CTL: return true;
    case MSR_SYSENTER_CS: cpu->sysenter_cs = (uint32_t)value; return true;
    case MSR_SYSENTER_ESP: return write_canonical(&cpu->sysenter_esp, value);
    case MSR_SYSENTER_EIP: return write_canonical(&cpu->sysenter_eip, value);
    case MSR_MISC_ENABLE: cpu->misc_enable = value; return true;
    case MSR_DEBUGCTL: cpu->debugctl = value & 3; return true;
    case MSR_PAT:
        if (!memory_types_valid(value, true))
            return false;
        cpu->pat = value;
        return true;
    case MSR_MTRR_DEF_TYPE:
        if (value & ~UINT64_C(0xCFF) || !memory_type_valid((uint8_t)value))
            return false;
        cpu->mtrr_def_type = value;
        return true;
    case MSR_EFER: return write_efer(cpu, value);
    case MSR_STAR: cpu->star = value; return true;
    case MSR_LSTAR: return write_canonical(&cpu->lstar, value);
    case MSR_CSTAR: return write_canonical(&cpu->cstar, value);
    case MSR_SFMASK: cpu->sfmask = (uint32_t)value; return true;
    case MSR_FS_BASE: return write_canonical(&cpu->seg[CPU_FS].base, value);
    case MSR_GS_BASE: return write_canonical(&cpu->seg[CPU_GS].base, value);
    case MSR_KERNEL_GS_BASE: return write_canonical(&cpu->kernel_gs_base, value);
    case MSR_TSC_AUX:
        if (value >> 32)
            return false;
        cpu->tsc_aux = value;
        return true;
    case MSR_TSC_DEADLINE: return write_deadline(cpu, value);
    default: return write_paravirt_msr(cpu, msr, value);
    }
}

static void set_edx_eax(SoftCpu *cpu, uint64_t value)
{
    cpu->gpr[0] = (uint32_t)value;
    cpu->gpr[2] = value >> 32;
}

static G_GNUC_NO_INLINE void rdmsr(SoftCpu *cpu)
{
    uint64_t value = 0;
    soft_require_cpl0(cpu);
    if (!soft_read_msr(cpu, (uint32_t)cpu->gpr[1], &value))
        soft_fault_gp0(cpu);
    set_edx_eax(cpu, value);
}

SoftNext soft_op_rdmsr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    rdmsr(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_wrmsr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_require_cpl0(cpu);
    uint64_t value = (uint32_t)cpu->gpr[0] | cpu->gpr[2] << 32;
    if (!soft_write_msr(cpu, (uint32_t)cpu->gpr[1], value))
        soft_fault_gp0(cpu);
    soft_finish(cpu, op);
    SOFT_GO(cpu);
}

static inline void require_tsc(SoftCpu *cpu)
{
    if (G_UNLIKELY(cpu->cr4 & CR4_TSD) && cpu->cpl != 0)
        soft_fault_gp0(cpu);
}

SoftNext soft_op_rdtsc(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    require_tsc(cpu);
    set_edx_eax(cpu, soft_tsc(cpu));
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_rdtscp(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    require_tsc(cpu);
    set_edx_eax(cpu, soft_tsc(cpu));
    cpu->gpr[1] = (uint32_t)cpu->tsc_aux;
    SOFT_NEXT(cpu, op);
}

SoftNext soft_op_rdpmc(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault_gp0(cpu); /* there is no counter */
}

/* A machine with a deterministic clock gets the same numbers each time. */
static G_GNUC_NO_INLINE uint64_t random_number(SoftCpu *cpu)
{
    uint64_t value;
    if (clock_kind(cpu->vcpu.board->clock) != CLOCK_DETERMINISTIC &&
        getrandom(&value, sizeof value, GRND_NONBLOCK) == sizeof value)
        return value;
    value = cpu->random += UINT64_C(0x9E3779B97F4A7C15) * (cpu->vcpu.id + 1);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* dst: register, imm: operand size. */
SoftNext soft_op_rdrand(SoftCpu *cpu, SoftOp *op)
{
    uint64_t value = random_number(cpu);
    if (op->imm == 2)
        SOFT_R16(cpu, op->dst) = (uint16_t)value;
    else
        SOFT_R64(cpu, op->dst) = op->imm == 8 ? value : (uint32_t)value;
    cpu->flags = SOFT_FLAG_CF | 0x200;
    SOFT_NEXT(cpu, op);
}
