/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The translator: blocks of 64-bit code, and of 32-bit code in flat segments, that run often become
 * host code. Same instruction set on
 * both sides: most instructions are emitted almost as they stand, with their registers renamed and
 * an inlined TLB look-up in front of memory operands. What is not worth it, or needs the slow door
 * of memory.c, is done by the interpreter's handler on the same state: a call-out. The interpreter
 * stays for cold code, for other modes and for debugging.
 *
 * While translated code runs, guest registers live in host registers (translate_home) and
 * arithmetic flags in EFLAGS where that is possible; C code runs only with the whole state back in
 * SoftCpu. RIP, budget and attention are kept exactly as between the interpreter's blocks.
 *
 * Code lies in an area of the vCPU's own, mapped twice: once to write, once to run. All of it goes
 * when the block cache is flushed; one block goes by a jump at its entry. Included by block.c,
 * mmu.c, run.c and the translator's own files; the vCPU's own thread. */

#include "core/cpu/soft/soft-machine.h"

typedef struct SoftTranslator SoftTranslator;

/* NULL when the host cannot (no memory that may be executed, not x86-64) or must not
 * (VITRINE_TRANSLATOR=never): then everything is interpreted. */
SoftTranslator *soft_translator_new(SoftCpu *cpu);
void soft_translator_free(SoftCpu *cpu);

/* First record of blocks that may be translated: counts, then translates. imm: runs left. */
SoftHandler soft_op_count;
/* Runs before a new block is translated. */
unsigned soft_translate_patience(const SoftTranslator *translator);

/* The block cache has been flushed: all translations are gone. */
void soft_translator_flush(SoftCpu *cpu);
/* After a flush: the memory that translations took goes back to the host. */
void soft_translator_give_back(SoftCpu *cpu);
/* The block that begins with @first is dead: its translation is left at its next entry. */
void soft_translation_kill(SoftCpu *cpu, SoftOp *first);

/* What a link between translated blocks in different pages relies on: the mode, the privilege and
 * that no translation of addresses has been forgotten since. The second key is for pages that the
 * guest calls global. To be called after any change of mode or CPL. */
void soft_jump_keys_update(SoftCpu *cpu);
/* Address translations were forgotten: all but global ones, or all. */
void soft_jump_keys_forget(SoftCpu *cpu, bool keep_global);
/* Those of the 2^@shift bytes around @linear. */
void soft_jump_keys_forget_range(SoftCpu *cpu, uint64_t linear, unsigned shift);
