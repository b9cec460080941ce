/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the translator knows of one instruction. Filled by translate-insn.c from the decoded form,
 * used by translate-block.c. */

#include "core/cpu/soft/translate-private.h"

typedef enum {
    TRANSLATE_CALL_OUT, /* the interpreter's handler does it */
    TRANSLATE_TAIL,     /* … and ends the block */
    TRANSLATE_NOP,
    TRANSLATE_PLAIN, /* one host instruction on ModRM operands, or on none */
    TRANSLATE_LEA,
    TRANSLATE_CONSTANT, /* register = imm */
    TRANSLATE_SWAP,     /* BSWAP */
    TRANSLATE_PUSH,
    TRANSLATE_PUSH_IMMEDIATE,
    TRANSLATE_POP,
    TRANSLATE_LEAVE,
    TRANSLATE_CONDITIONAL,
    TRANSLATE_JUMP,
    TRANSLATE_CALL,
    TRANSLATE_RETURN,
    TRANSLATE_JUMP_INDIRECT,
    TRANSLATE_CALL_INDIRECT,
} TranslateKind;

enum {
    TRANSLATE_READS = 1 << 0,   /* needs the arithmetic flags */
    TRANSLATE_WRITES = 1 << 1,  /* changes some; those that it leaves must be there before */
    TRANSLATE_KILLS = 1 << 2,   /* changes all six whatever they were */
    TRANSLATE_RAX_IN = 1 << 3,  /* uses AL…RAX beside its operands */
    TRANSLATE_RAX_OUT = 1 << 4, /* and changes it */
    TRANSLATE_LOCKED = 1 << 5,  /* memory operand must not cross a cache line */
    TRANSLATE_NO_MODRM = 1 << 6,
};

/* How an operand is used. */
enum { TRANSLATE_IN = 1, TRANSLATE_OUT = 2, TRANSLATE_INOUT = 3 };

typedef struct {
    TranslateKind kind;
    unsigned traits; /* TRANSLATE_READS … */
    EmitInsn host;
    bool has_extension; /* the reg field is part of the opcode */
    uint8_t reg, rm;    /* guest registers; reg: or the extension */
    uint8_t reg_use, rm_use;
    uint8_t size;     /* of the destination, in bytes: narrow ones keep the rest of a register */
    uint8_t mem_size; /* of the memory operand */
    uint8_t imm_size; /* 0: none; the value is SoftOp.imm */
} TranslateInsn;

/* @d has been decoded; @out says how to translate it. */
void translate_describe(const SoftDecode *d, TranslateInsn *out);
