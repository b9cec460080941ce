/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Host x86-64 instructions as bytes (SDM vol. 2A §2.1-2.2). Included by the translator's files
 * only. The caller sees to it that there is room (Emit.end is the translator's business). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    HOST_RAX,
    HOST_RCX,
    HOST_RDX,
    HOST_RBX,
    HOST_RSP,
    HOST_RBP,
    HOST_RSI,
    HOST_RDI,
    HOST_R8,
    HOST_R9,
    HOST_R10,
    HOST_R11,
    HOST_R12,
    HOST_R13,
    HOST_R14,
    HOST_R15
};
#define HOST_NONE 0xFF

typedef struct {
    uint8_t *at; /* next byte, where it is written */
} Emit;

/* What stands before ModRM: prefixes, REX.W, opcode map and opcode. */
typedef struct {
    uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;
    uint8_t prefix; /* 66, F2, F3 or 0 */
    bool wide;      /* REX.W */
    bool byte;      /* operands are bytes: SPL..DIL need a REX */
    bool lock;
} EmitInsn;

/* An operand in memory: [base + index << scale + disp]; index HOST_NONE if absent. */
typedef struct {
    uint8_t base, index, scale;
    int32_t disp;
} EmitMem;
#define EMIT_MEM(BASE, DISP) ((EmitMem){ .base = (BASE), .index = HOST_NONE, .disp = (DISP) })

static inline void emit8(Emit *e, unsigned value)
{
    *e->at++ = (uint8_t)value;
}
static inline void emit16(Emit *e, unsigned value)
{
    uint16_t v = (uint16_t)value;
    memcpy(e->at, &v, 2);
    e->at += 2;
}
static inline void emit32(Emit *e, uint32_t value)
{
    memcpy(e->at, &value, 4);
    e->at += 4;
}
static inline void emit64(Emit *e, uint64_t value)
{
    memcpy(e->at, &value, 8);
    e->at += 8;
}
/* An immediate of an operand of @size bytes: 64-bit ones take 32, sign-extended. */
static inline void emit_imm(Emit *e, unsigned size, uint64_t value)
{
    if (size == 1)
        emit8(e, (unsigned)value);
    else if (size == 2)
        emit16(e, (unsigned)value);
    else
        emit32(e, (uint32_t)value);
}

static inline void emit_head(Emit *e, EmitInsn insn, unsigned reg, unsigned index, unsigned base,
                             bool force_rex)
{
    if (insn.lock)
        emit8(e, 0xF0);
    if (insn.prefix)
        emit8(e, insn.prefix);
    unsigned rex = insn.wide << 3 | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
    if (rex || force_rex)
        emit8(e, 0x40 | rex);
    if (insn.map) {
        emit8(e, 0x0F);
        if (insn.map > 1)
            emit8(e, insn.map == 2 ? 0x38 : 0x3A);
    }
    emit8(e, insn.opcode);
}

/* Register to register; @reg may also be an opcode extension. */
static inline void emit_rr(Emit *e, EmitInsn insn, unsigned reg, unsigned rm)
{
    emit_head(e, insn, reg, 0, rm, insn.byte && (reg >= 4 || rm >= 4));
    emit8(e, 0xC0 | (reg & 7) << 3 | (rm & 7));
}

static inline void emit_rm(Emit *e, EmitInsn insn, unsigned reg, EmitMem mem)
{
    bool has_index = mem.index != HOST_NONE;
    emit_head(e, insn, reg, has_index ? mem.index : 0, mem.base, insn.byte && reg >= 4);
    unsigned base = mem.base & 7;
    bool no_disp = mem.disp == 0 && base != 5, disp8 = mem.disp == (int8_t)mem.disp;
    unsigned mod = no_disp ? 0 : disp8 ? 0x40 : 0x80;
    if (has_index || base == 4) {
        emit8(e, mod | (reg & 7) << 3 | 4);
        emit8(e, (unsigned)mem.scale << 6 | (has_index ? mem.index & 7 : 4) << 3 | base);
    } else {
        emit8(e, mod | (reg & 7) << 3 | base);
    }
    if (!no_disp && disp8)
        emit8(e, (uint8_t)mem.disp);
    else if (!no_disp)
        emit32(e, (uint32_t)mem.disp);
}

static inline void emit_mov_rr(Emit *e, unsigned to, unsigned from)
{
    emit_rr(e, (EmitInsn){ .opcode = 0x8B, .wide = true }, to, from);
}
static inline void emit_mov32_rr(Emit *e, unsigned to, unsigned from)
{
    emit_rr(e, (EmitInsn){ .opcode = 0x8B }, to, from);
}
static inline void emit_load64(Emit *e, unsigned to, EmitMem from)
{
    emit_rm(e, (EmitInsn){ .opcode = 0x8B, .wide = true }, to, from);
}
static inline void emit_load32(Emit *e, unsigned to, EmitMem from)
{
    emit_rm(e, (EmitInsn){ .opcode = 0x8B }, to, from);
}
static inline void emit_store64(Emit *e, EmitMem to, unsigned from)
{
    emit_rm(e, (EmitInsn){ .opcode = 0x89, .wide = true }, from, to);
}
static inline void emit_lea64(Emit *e, unsigned to, EmitMem address)
{
    emit_rm(e, (EmitInsn){ .opcode = 0x8D, .wide = true }, to, address);
}
/* MOV of a constant to a register, in its shortest form; flags stay. */
static inline void emit_constant(Emit *e, unsigned to, uint64_t value)
{
    if (value <= UINT32_MAX) {
        if (to >= 8)
            emit8(e, 0x41);
        emit8(e, 0xB8 | (to & 7));
        emit32(e, (uint32_t)value);
    } else if (value == (uint64_t)(int64_t)(int32_t)value) {
        emit_rr(e, (EmitInsn){ .opcode = 0xC7, .wide = true }, 0, to);
        emit32(e, (uint32_t)value);
    } else {
        emit8(e, 0x48 | (to >> 3));
        emit8(e, 0xB8 | (to & 7));
        emit64(e, value);
    }
}

/* Jumps whose distance is filled in later: give the place of the rel32. */
static inline uint8_t *emit_jump(Emit *e)
{
    emit8(e, 0xE9);
    emit32(e, 0);
    return e->at - 4;
}
static inline uint8_t *emit_jcc(Emit *e, unsigned cc)
{
    emit8(e, 0x0F);
    emit8(e, 0x80 | cc);
    emit32(e, 0);
    return e->at - 4;
}
/* @rel32 and @target through the same mapping. A single store: the bytes may be running. */
static inline void emit_patch(uint8_t *rel32, const uint8_t *target)
{
    int32_t distance = (int32_t)(target - (rel32 + 4));
    memcpy(rel32, &distance, 4);
}
static inline void emit_jump_to(Emit *e, const uint8_t *target)
{
    emit_patch(emit_jump(e), target);
}
static inline void emit_jcc_to(Emit *e, unsigned cc, const uint8_t *target)
{
    emit_patch(emit_jcc(e, cc), target);
}
static inline void emit_call_to(Emit *e, const uint8_t *target)
{
    emit8(e, 0xE8);
    emit32(e, 0);
    emit_patch(e->at - 4, target);
}
