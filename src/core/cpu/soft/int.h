/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the integer instruction files (int-*.c, string.c, io.c) share.
 *
 * Handlers are named operation_form_size: add_rm_b_4 is ADD r32, m32 with a base + disp address.
 * Forms: rr, ri, rm, mr, mi; those with memory exist once an EA kind (b, bi, g) and have one slow
 * twin without it (add_rm_slow_4). The macros that make the families stand beside them, one line a
 * family, so that the name of the operation finds its line.
 *
 * Arithmetic flags come from the host: the handler runs the guest's own instruction on the operands
 * and keeps what LAHF and SETO say, undefined flags included. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/decode.h"

#define INT_FAST static SoftNext
#define INT_SLOW static __attribute__((noinline, cold)) SoftNext
#define INT_INLINE static inline __attribute__((always_inline))

/* By operand size in bytes. Guest memory is as aligned as the guest likes. */
typedef uint16_t IntUnaligned2 __attribute__((aligned(1), may_alias));
typedef uint32_t IntUnaligned4 __attribute__((aligned(1), may_alias));
typedef uint64_t IntUnaligned8 __attribute__((aligned(1), may_alias));
#define INT_TYPE_1 uint8_t
#define INT_TYPE_2 IntUnaligned2
#define INT_TYPE_4 IntUnaligned4
#define INT_TYPE_8 IntUnaligned8
#define INT_SIGNED_1 int8_t
#define INT_SIGNED_2 int16_t
#define INT_SIGNED_4 int32_t
#define INT_SIGNED_8 int64_t
#define INT_SUFFIX_1 "b"
#define INT_SUFFIX_2 "w"
#define INT_SUFFIX_4 "l"
#define INT_SUFFIX_8 "q"

#define INT_EA_b SOFT_EA_B
#define INT_EA_bi SOFT_EA_BI
#define INT_EA_g SOFT_EA_G

/* 0..3 for 1, 2, 4, 8 bytes. */
static inline unsigned int_size_index(unsigned size)
{
    return (unsigned)__builtin_ctz(size);
}

/* Register operands. 32-bit writes clear the upper half. */
#define INT_GET_1(cpu, slot) SOFT_R8(cpu, slot)
#define INT_GET_2(cpu, slot) SOFT_R16(cpu, slot)
#define INT_GET_4(cpu, slot) SOFT_R32(cpu, slot)
#define INT_GET_8(cpu, slot) SOFT_R64(cpu, slot)
#define INT_SET_1(cpu, slot, value) (SOFT_R8(cpu, slot) = (uint8_t)(value))
#define INT_SET_2(cpu, slot, value) (SOFT_R16(cpu, slot) = (uint16_t)(value))
#define INT_SET_4(cpu, slot, value) (SOFT_R64(cpu, slot) = (uint32_t)(value))
#define INT_SET_8(cpu, slot, value) (SOFT_R64(cpu, slot) = (uint64_t)(value))
static inline void int_set(SoftCpu *cpu, uint8_t slot, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: INT_SET_1(cpu, slot, value); break;
    case 2: INT_SET_2(cpu, slot, value); break;
    case 4: INT_SET_4(cpu, slot, value); break;
    default: INT_SET_8(cpu, slot, value); break;
    }
}
static inline uint64_t int_get(SoftCpu *cpu, uint8_t slot, unsigned size)
{
    switch (size) {
    case 1: return INT_GET_1(cpu, slot);
    case 2: return INT_GET_2(cpu, slot);
    case 4: return INT_GET_4(cpu, slot);
    default: return INT_GET_8(cpu, slot);
    }
}

/* Pieces of inline assembly around a guest instruction. SAVE leaves the flags in AX as SoftCpu
 * keeps them; LOAD sets all six from there (80h overflows from OF = 1 only) and destroys AL;
 * LOAD_CARRY sets CF only. */
#define INT_SAVE_FLAGS "\n\tlahf\n\tseto %%al"
#define INT_LOAD_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define INT_LOAD_CARRY "btl $8, %%eax\n\t"

/* The sixteen conditions on flags in LAHF/SETO form, in opcode order. */
#define INT_CC_o(f) ((f)&SOFT_FLAG_OF)
#define INT_CC_no(f) (!((f)&SOFT_FLAG_OF))
#define INT_CC_b(f) ((f)&SOFT_FLAG_CF)
#define INT_CC_ae(f) (!((f)&SOFT_FLAG_CF))
#define INT_CC_e(f) ((f)&SOFT_FLAG_ZF)
#define INT_CC_ne(f) (!((f)&SOFT_FLAG_ZF))
#define INT_CC_be(f) ((f) & (SOFT_FLAG_CF | SOFT_FLAG_ZF))
#define INT_CC_a(f) (!((f) & (SOFT_FLAG_CF | SOFT_FLAG_ZF)))
#define INT_CC_s(f) ((f)&SOFT_FLAG_SF)
#define INT_CC_ns(f) (!((f)&SOFT_FLAG_SF))
#define INT_CC_p(f) ((f)&SOFT_FLAG_PF)
#define INT_CC_np(f) (!((f)&SOFT_FLAG_PF))
#define INT_CC_l(f) ((((f) >> 15) ^ (f)) & 1)
#define INT_CC_ge(f) (!((((f) >> 15) ^ (f)) & 1))
#define INT_CC_le(f) (((f)&SOFT_FLAG_ZF) || ((((f) >> 15) ^ (f)) & 1))
#define INT_CC_g(f) (!((f)&SOFT_FLAG_ZF) && !((((f) >> 15) ^ (f)) & 1))
#define INT_FOR_CC(M, ...)                                                                         \
    M(o, ##__VA_ARGS__)                                                                            \
    M(no, ##__VA_ARGS__)                                                                           \
    M(b, ##__VA_ARGS__)                                                                            \
    M(ae, ##__VA_ARGS__)                                                                           \
    M(e, ##__VA_ARGS__)                                                                            \
    M(ne, ##__VA_ARGS__)                                                                           \
    M(be, ##__VA_ARGS__)                                                                           \
    M(a, ##__VA_ARGS__)                                                                            \
    M(s, ##__VA_ARGS__)                                                                            \
    M(ns, ##__VA_ARGS__)                                                                           \
    M(p, ##__VA_ARGS__)                                                                            \
    M(np, ##__VA_ARGS__)                                                                           \
    M(l, ##__VA_ARGS__)                                                                            \
    M(ge, ##__VA_ARGS__)                                                                           \
    M(le, ##__VA_ARGS__)                                                                           \
    M(g, ##__VA_ARGS__)

static inline bool int_condition(uint32_t f, unsigned cc)
{
    bool yes;
    switch (cc >> 1) {
    case 0: yes = INT_CC_o(f); break;
    case 1: yes = INT_CC_b(f); break;
    case 2: yes = INT_CC_e(f); break;
    case 3: yes = INT_CC_be(f); break;
    case 4: yes = INT_CC_s(f); break;
    case 5: yes = INT_CC_p(f); break;
    case 6: yes = INT_CC_l(f); break;
    default: yes = INT_CC_le(f); break;
    }
    return yes != (cc & 1);
}

/* The three EA kinds of a family: M(b, …) M(bi, …) M(g, …). */
#define INT_FOR_EA(M, ...) M(b, __VA_ARGS__) M(bi, __VA_ARGS__) M(g, __VA_ARGS__)

/* Host LOCK stays inside a cache line: across two it stops every processor of the host, and kernels
 * punish it. Locked fast paths want natural alignment and leave the rest to their slow twins, which
 * do operands that int_lock_pointer refuses alone in the machine. */
#define INT_MISALIGNED(p, size) (((uintptr_t)(p) & ((size)-1)) != 0)
static inline void *int_lock_pointer(SoftCpu *cpu, const SoftOp *op, uint64_t offset, unsigned size)
{
    void *p = soft_lock_pointer(cpu, op->seg, offset, size);
    return p && ((uintptr_t)p & 63) + size <= 64 ? p : NULL;
}

/* Decoders of the integer opcodes, a file each; called by decode.c through its table. */
bool soft_decode_alu(SoftDecode *d);      /* int-alu.c */
bool soft_decode_exchange(SoftDecode *d); /* int-exchange.c */
bool soft_decode_move(SoftDecode *d);     /* int-move.c */
bool soft_decode_shift(SoftDecode *d);    /* int-shift.c */
bool soft_decode_muldiv(SoftDecode *d);   /* int-muldiv.c */
bool soft_decode_bits(SoftDecode *d);     /* int-bits.c */
bool soft_decode_branch(SoftDecode *d);   /* int-branch.c */
bool soft_decode_stack(SoftDecode *d);    /* int-stack.c */
bool soft_decode_string(SoftDecode *d);   /* string.c */
bool soft_decode_io(SoftDecode *d);       /* io.c */

/* NOP, PAUSE, hints. */
bool soft_decode_nop(SoftDecode *d);
/* PAUSE of a machine with several vCPUs: pause.c. */
SoftHandler soft_op_pause;

/* system.h's: IN, OUT, INS, OUTS ask it. */
void soft_check_io(SoftCpu *cpu, uint16_t port, unsigned size);

/* Handlers of int-alu.c by operation, size index and form: int-fuse.c builds on them. A memory form
 * is the first of three, by EA kind; with LOCK (MR and MI only) INT_FORM_LOCK is added. */
enum {
    INT_FORM_RR = 0,
    INT_FORM_RI = 1,
    INT_FORM_RM = 2,
    INT_FORM_MR = 5,
    INT_FORM_MI = 8,
    INT_FORM_LOCK = 6,
    INT_N_FORMS = 17
};
enum { INT_ADD, INT_OR, INT_ADC, INT_SBB, INT_AND, INT_SUB, INT_XOR, INT_CMP, INT_TEST, INT_N_ALU };
extern SoftHandler *const soft_alu_handlers[INT_N_ALU][4][INT_N_FORMS];
/* One operand: register, memory by EA kind, locked memory by EA kind. */
enum { INT_INC, INT_DEC, INT_NOT, INT_NEG, INT_N_UNARY, INT_N_UNARY_FORMS = 7 };
extern SoftHandler *const soft_unary_handlers[INT_N_UNARY][4][INT_N_UNARY_FORMS];
