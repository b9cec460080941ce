/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* IN and OUT; the decoder sends INS and OUTS on to string.c. */

#include "core/cpu/soft/int.h"

#define IO_RAX SOFT_REG(0)
#define IO_RDX SOFT_REG(2)

/* src is the size, imm the port; the _dx forms take it from DX. */
static void io_in(SoftCpu *cpu, const SoftOp *op, uint16_t port)
{
    soft_check_io(cpu, port, op->src);
    int_set(cpu, IO_RAX, op->src, soft_port_read(cpu, port, op->src));
}
static void io_out(SoftCpu *cpu, const SoftOp *op, uint16_t port)
{
    soft_check_io(cpu, port, op->src);
    soft_port_write(cpu, port, op->src, (uint32_t)int_get(cpu, IO_RAX, op->src));
}

static SoftNext in_imm(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    io_in(cpu, op, (uint16_t)op->imm);
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext in_dx(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    io_in(cpu, op, SOFT_R16(cpu, IO_RDX));
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext out_imm(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    io_out(cpu, op, (uint16_t)op->imm);
    SOFT_NEXT_STORED(cpu, op);
}
static SoftNext out_dx(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    io_out(cpu, op, SOFT_R16(cpu, IO_RDX));
    SOFT_NEXT_STORED(cpu, op);
}

bool soft_decode_io(SoftDecode *d)
{
    SoftOp *op = d->op;
    if (d->opcode < 0x70)
        return soft_decode_string(d); /* 6C-6F */
    bool is_out = d->opcode & 2;
    op->src = d->opcode & 1 ? MIN(d->operand_size, 4) : 1;
    if (d->opcode & 8) {
        op->fn = is_out ? out_dx : in_dx;
    } else {
        op->imm = soft_fetch8(d);
        op->fn = is_out ? out_imm : in_imm;
    }
    return true;
}
