/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Debug registers (SDM vol. 3B chapter 17). While DR7 enables anything the CPU runs one instruction
 * at a time (SOFT_MODE_ONE) and the run loop asks here before each and after each. */

#include "core/cpu/soft/system.h"

#define DR6_FIXED UINT64_C(0xFFFF0FF0)
#define DR6_WRITABLE UINT64_C(0xE00F)
#define DR6_BD UINT64_C(0x2000)
#define DR7_FIXED UINT64_C(0x400)
#define DR7_WRITABLE UINT64_C(0xFFFF2BFF)
#define DR7_GD UINT64_C(0x2000)

enum { BREAK_EXECUTE, BREAK_WRITE, BREAK_IO, BREAK_ACCESS };

static bool break_enabled(const SoftCpu *cpu, unsigned n)
{
    return cpu->dr[7] >> (2 * n) & 3;
}
static unsigned break_kind(const SoftCpu *cpu, unsigned n)
{
    return cpu->dr[7] >> (16 + 4 * n) & 3;
}
static uint64_t break_length(const SoftCpu *cpu, unsigned n)
{
    static const uint8_t length[] = { 1, 2, 8, 4 };
    return length[cpu->dr[7] >> (18 + 4 * n) & 3];
}

static bool break_overlaps(const SoftCpu *cpu, unsigned n, uint64_t address, unsigned size)
{
    uint64_t length = break_length(cpu, n);
    uint64_t first = cpu->dr[n] & ~(length - 1);
    return address < first + length && first < address + size;
}

void soft_debug_update(SoftCpu *cpu)
{
    bool had = cpu->watch_any;
    soft_update_mode(cpu);
    if (had || cpu->watch_any)
        soft_tlb_flush(cpu, false); /* hits of watched pages end, or come back */
}

void soft_check_code_breakpoint(SoftCpu *cpu, uint64_t linear)
{
    uint64_t hits = 0;
    bool any = false;
    for (unsigned n = 0; n < 4; n++) {
        if (break_kind(cpu, n) != BREAK_EXECUTE || cpu->dr[n] != linear)
            continue;
        hits |= UINT64_C(1) << n;
        any |= break_enabled(cpu, n);
    }
    if (any) {
        cpu->fault.dr6 = hits;
        soft_fault(cpu, X86_DB);
    }
}

void soft_debug_access(SoftCpu *cpu, uint64_t linear, unsigned size, bool write)
{
    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = break_kind(cpu, n);
        if (break_enabled(cpu, n) && (kind == BREAK_ACCESS || (kind == BREAK_WRITE && write)) &&
            break_overlaps(cpu, n, linear, size))
            cpu->fault.dr6 |= UINT64_C(1) << n;
    }
}

void soft_debug_io(SoftCpu *cpu, uint16_t port, unsigned size)
{
    if (!(cpu->cr4 & CR4_DE))
        return;
    for (unsigned n = 0; n < 4; n++)
        if (break_enabled(cpu, n) && break_kind(cpu, n) == BREAK_IO &&
            break_overlaps(cpu, n, port, size))
            cpu->fault.dr6 |= UINT64_C(1) << n;
}

/* The register that a MOV names, after the checks common to both directions. */
static unsigned check_debug_register(SoftCpu *cpu, unsigned n)
{
    if (n == 4 || n == 5) {
        if (cpu->cr4 & CR4_DE)
            soft_fault(cpu, X86_UD);
        n += 2;
    }
    soft_require_cpl0(cpu);
    if (cpu->dr[7] & DR7_GD) {
        cpu->fault.dr6 = DR6_BD;
        soft_fault(cpu, X86_DB);
    }
    return n;
}

static G_GNUC_NO_INLINE void write_debug_register(SoftCpu *cpu, unsigned n, uint64_t value)
{
    n = check_debug_register(cpu, n);
    if (n >= 6 && value >> 32)
        soft_fault_gp0(cpu);
    if (n == 6)
        value = (value & DR6_WRITABLE) | DR6_FIXED;
    if (n == 7)
        value = (value & DR7_WRITABLE) | DR7_FIXED;
    cpu->dr[n] = value;
}

/* dst: debug register, src: general register, imm: operand size. */
SoftNext soft_op_mov_to_dr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    write_debug_register(cpu, op->dst,
                         op->imm == 8 ? SOFT_R64(cpu, op->src) : SOFT_R32(cpu, op->src));
    soft_finish(cpu, op);
    if (cpu->watch_any || op->dst == 7)
        soft_debug_update(cpu);
    SOFT_GO(cpu);
}

SoftNext soft_op_mov_from_dr(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    unsigned n = check_debug_register(cpu, op->src);
    SOFT_R64(cpu, op->dst) = op->imm == 8 ? cpu->dr[n] : (uint32_t)cpu->dr[n];
    SOFT_NEXT(cpu, op);
}

/* INT1: a #DB like the debugger's own, after the instruction, past the gate's DPL. */
SoftNext soft_op_int1(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    cpu->fault.dr6 = 0;
    soft_interrupt_from(cpu, op, X86_DB, SOFT_EVENT_TRAP, false, 0);
    SOFT_GO(cpu);
}
