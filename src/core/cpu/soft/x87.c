/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/x87.h"

/* x87: decoding, loads, stores and moves; what all x87 files share. */

/* Exceptions ---------------------------------------------------------------------------------- */

void x87_unmasked(SoftCpu *cpu)
{
    cpu->fpu.status |= FPU_ES | FPU_B;
    soft_fp_signal_error(cpu);
}

bool x87_stack_fault(SoftCpu *cpu, unsigned c1)
{
    cpu->fpu.status = (cpu->fpu.status & ~FPU_C1) | FPU_IE | FPU_SF | c1;
    if (cpu->fpu.control & FPU_IE)
        return true;
    x87_unmasked(cpu);
    return false;
}

void x87_set_indefinite(long double *value)
{
    static const uint16_t words[5] = { 0, 0, 0, 0xC000, 0xFFFF };
    memcpy(value, words, 10);
}

static bool x87_fill_underflow(SoftCpu *cpu, const SoftOp *op)
{
    if (!x87_stack_fault(cpu, 0))
        return false;
    unsigned n = X87_ST(op->dst);
    x87_set_indefinite(&cpu->fpu.fpr[n]);
    cpu->fpu.tag |= 1u << n;
    return true;
}

SoftNext x87_underflow(SoftCpu *cpu, SoftOp *op)
{
    x87_fill_underflow(cpu, op);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_underflow_pop(SoftCpu *cpu, SoftOp *op)
{
    if (x87_fill_underflow(cpu, op))
        x87_pop(cpu);
    SOFT_NEXT(cpu, op);
}

SoftNext x87_overflow(SoftCpu *cpu, SoftOp *op)
{
    if (x87_stack_fault(cpu, FPU_C1)) {
        x87_set_indefinite(&cpu->fpu.fpr[X87_ST(7)]);
        x87_push(cpu);
    }
    SOFT_NEXT(cpu, op);
}

/* Loads --------------------------------------------------------------------------------------- */

typedef struct {
    char bytes[2];
} Bytes2;
typedef struct {
    char bytes[4];
} Bytes4;
typedef struct {
    char bytes[8];
} Bytes8;
typedef struct {
    char bytes[10];
} Bytes10;

/* An unmasked exception may have kept the host from pushing; FXAM tells. */
#define LOAD_FN(name, insn, size)                                                                  \
    static inline uint16_t name##_fn(long double *d, const void *p)                                \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile(insn " %[s]\n\t"                                                              \
                          "fnstsw %%ax\n\t"                                                        \
                          "testb $0x80, %%al\n\t"                                                  \
                          "jz 1f\n\t"                                                              \
                          "fnclex\n\t"                                                             \
                          "movl %%eax, %%edx\n\t"                                                  \
                          "fxam\n\t"                                                               \
                          "fnstsw %%ax\n\t"                                                        \
                          "andb $0x45, %%ah\n\t"                                                   \
                          "cmpb $0x41, %%ah\n\t"                                                   \
                          "movl %%edx, %%eax\n\t"                                                  \
                          "je 2f\n"                                                                \
                          "1:\n\tfstpt %[d]\n"                                                     \
                          "2:"                                                                     \
                     : "=&a"(status), [d] "=m"(*d)                                                 \
                     : [s] "m"(*(const Bytes##size *)p)                                            \
                     : "edx", "cc");                                                               \
        return status;                                                                             \
    }                                                                                              \
    X87_MEM(name, size, {                                                                          \
        unsigned n = X87_ST(7);                                                                    \
        if (G_UNLIKELY(x87_in_use(cpu, n)))                                                        \
            return x87_overflow(cpu, op);                                                          \
        if (G_LIKELY(load_merge(cpu, name##_fn(&cpu->fpu.fpr[n], p))))                             \
            x87_push(cpu);                                                                         \
    })
/* Loads of integers and of 80 bits raise nothing but stack faults. */
#define LOAD_EXACT(name, insn, size)                                                               \
    X87_MEM(name, size, {                                                                          \
        unsigned n = X87_ST(7);                                                                    \
        if (G_UNLIKELY(x87_in_use(cpu, n)))                                                        \
            return x87_overflow(cpu, op);                                                          \
        asm volatile(insn " %[s]\n\tfstpt %[d]"                                                    \
                     : [d] "=m"(cpu->fpu.fpr[n])                                                   \
                     : [s] "m"(*(const Bytes##size *)p));                                          \
        cpu->fpu.status &= ~FPU_C1;                                                                \
        x87_push(cpu);                                                                             \
    })

/* A denormal is loaded even when that exception is unmasked. */
static inline bool load_merge(SoftCpu *cpu, uint16_t status)
{
    bool done = x87_merge(cpu, status);
    return done || !(status & ~cpu->fpu.control & FPU_IE);
}

LOAD_FN(fld_single, "flds", 4)
LOAD_FN(fld_double, "fldl", 8)
LOAD_EXACT(fild_short, "filds", 2)
LOAD_EXACT(fild_long, "fildl", 4)
LOAD_EXACT(fild_quad, "fildq", 8)
LOAD_EXACT(fld_extended, "fldt", 10)
LOAD_EXACT(fbld, "fbld", 10)

#define CONSTANT(name, insn)                                                                       \
    X87_REG(name, {                                                                                \
        unsigned n = X87_ST(7);                                                                    \
        if (G_UNLIKELY(x87_in_use(cpu, n)))                                                        \
            return x87_overflow(cpu, op);                                                          \
        asm volatile(insn "\n\tfstpt %[d]" : [d] "=m"(cpu->fpu.fpr[n]));                           \
        cpu->fpu.status &= ~FPU_C1;                                                                \
        x87_push(cpu);                                                                             \
    })
CONSTANT(fld1, "fld1")
CONSTANT(fldl2t, "fldl2t")
CONSTANT(fldl2e, "fldl2e")
CONSTANT(fldpi, "fldpi")
CONSTANT(fldlg2, "fldlg2")
CONSTANT(fldln2, "fldln2")
CONSTANT(fldz, "fldz")

/* Stores -------------------------------------------------------------------------------------- */

/* Whether memory was written: an unmasked overflow or underflow keeps the host from it too. */
static inline bool store_merge(SoftCpu *cpu, uint16_t status)
{
    return x87_merge(cpu, status) &&
           (G_LIKELY(!(status & FPU_ES)) || !(status & ~cpu->fpu.control & (FPU_OE | FPU_UE)));
}

/* The operand could not be written straight away: probe, so that the store cannot fault later. */
static G_GNUC_NO_INLINE void *store_prepare(SoftCpu *cpu, SoftOp *op, unsigned size)
{
    soft_probe_store(cpu, op->seg, soft_ea(cpu, op), size);
    return &cpu->fp_operand;
}
static G_GNUC_NO_INLINE void store_finish(SoftCpu *cpu, SoftOp *op, unsigned size)
{
    soft_store_bytes(cpu, op->seg, soft_ea(cpu, op), &cpu->fp_operand, size);
}

#define STORE_FORM(name, suffix, kind, size, n_pops, indefinite)                                   \
    static SoftNext name##_##suffix(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        void *p = soft_ptr(cpu, op, kind, size, true);                                             \
        unsigned n = X87_ST(0);                                                                    \
        if (G_UNLIKELY(!p || cpu->fpu.status & FPU_ES || !x87_in_use(cpu, n)))                     \
            return name##_slow(cpu, op);                                                           \
        x87_note_data(cpu, op);                                                                    \
        if (G_LIKELY(store_merge(cpu, name##_fn(&cpu->fpu.fpr[n], p))) && n_pops)                  \
            x87_pop(cpu);                                                                          \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define STORE(name, size, n_pops, indefinite, assembly)                                            \
    static inline uint16_t name##_fn(const long double *s, void *p)                                \
    {                                                                                              \
        uint16_t status;                                                                           \
        asm volatile(assembly : "=&a"(status), [d] "+m"(*(Bytes##size *)p) : [s] "m"(*s));         \
        return status;                                                                             \
    }                                                                                              \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        bool stored;                                                                               \
        FPU_WAIT(cpu, op);                                                                         \
        SOFT_AT(cpu, op);                                                                          \
        void *p = store_prepare(cpu, op, size);                                                    \
        x87_note_data(cpu, op);                                                                    \
        if (!x87_in_use(cpu, X87_ST(0))) {                                                         \
            stored = x87_stack_fault(cpu, 0);                                                      \
            memcpy(p, indefinite, size);                                                           \
        } else {                                                                                   \
            stored = store_merge(cpu, name##_fn(&cpu->fpu.fpr[X87_ST(0)], p));                     \
        }                                                                                          \
        if (stored) {                                                                              \
            store_finish(cpu, op, size);                                                           \
            if (n_pops)                                                                            \
                x87_pop(cpu);                                                                      \
        }                                                                                          \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    STORE_FORM(name, mb, SOFT_EA_B, size, n_pops, indefinite)                                      \
    STORE_FORM(name, mbi, SOFT_EA_BI, size, n_pops, indefinite)                                    \
    STORE_FORM(name, mg, SOFT_EA_G, size, n_pops, indefinite)
#define KEEPING(insn) "fldt %[s]\n\t" insn " %[d]\n\t" X87_STATUS "fstp %%st(0)"
#define POPPING(insn) "fldt %[s]\n\t" insn " %[d]\n\t" X87_STATUS_POPPED

#define INDEFINITE_SINGLE "\x00\x00\xC0\xFF"
#define INDEFINITE_DOUBLE "\x00\x00\x00\x00\x00\x00\xF8\xFF"
#define INDEFINITE_EXTENDED "\x00\x00\x00\x00\x00\x00\x00\xC0\xFF\xFF"
#define INDEFINITE_SHORT "\x00\x80"
#define INDEFINITE_LONG "\x00\x00\x00\x80"
#define INDEFINITE_QUAD "\x00\x00\x00\x00\x00\x00\x00\x80"

STORE(fst_single, 4, 0, INDEFINITE_SINGLE, KEEPING("fsts"))
STORE(fstp_single, 4, 1, INDEFINITE_SINGLE, KEEPING("fsts"))
STORE(fst_double, 8, 0, INDEFINITE_DOUBLE, KEEPING("fstl"))
STORE(fstp_double, 8, 1, INDEFINITE_DOUBLE, KEEPING("fstl"))
STORE(fstp_extended, 10, 1, INDEFINITE_EXTENDED, POPPING("fstpt"))
STORE(fist_short, 2, 0, INDEFINITE_SHORT, KEEPING("fists"))
STORE(fistp_short, 2, 1, INDEFINITE_SHORT, KEEPING("fists"))
STORE(fist_long, 4, 0, INDEFINITE_LONG, KEEPING("fistl"))
STORE(fistp_long, 4, 1, INDEFINITE_LONG, KEEPING("fistl"))
STORE(fistp_quad, 8, 1, INDEFINITE_QUAD, POPPING("fistpq"))
STORE(fisttp_short, 2, 1, INDEFINITE_SHORT, POPPING("fisttps"))
STORE(fisttp_long, 4, 1, INDEFINITE_LONG, POPPING("fisttpl"))
STORE(fisttp_quad, 8, 1, INDEFINITE_QUAD, POPPING("fisttpq"))
STORE(fbstp, 10, 1, INDEFINITE_EXTENDED, POPPING("fbstp"))

/* Moves between registers --------------------------------------------------------------------- */

static inline void x87_copy(SoftCpu *cpu, unsigned to, unsigned from)
{
    *(__uint128_t *)&cpu->fpu.fpr[to] = *(const __uint128_t *)&cpu->fpu.fpr[from];
}

X87_REG(fld_sti, {
    unsigned n = X87_ST(7), s = X87_ST(op->src);
    if (G_UNLIKELY(!x87_in_use(cpu, s))) {
        if (x87_stack_fault(cpu, 0)) {
            x87_set_indefinite(&cpu->fpu.fpr[n]);
            x87_push(cpu);
        }
        SOFT_NEXT(cpu, op);
    }
    if (G_UNLIKELY(x87_in_use(cpu, n)))
        return x87_overflow(cpu, op);
    x87_copy(cpu, n, s);
    cpu->fpu.status &= ~FPU_C1;
    x87_push(cpu);
})

X87_REG(fst_sti, {
    if (G_UNLIKELY(!x87_in_use(cpu, X87_ST(0))))
        return x87_underflow(cpu, op);
    unsigned d = X87_ST(op->dst);
    x87_copy(cpu, d, X87_ST(0));
    cpu->fpu.tag |= 1u << d;
    cpu->fpu.status &= ~FPU_C1;
})

X87_REG(fstp_sti, {
    if (G_UNLIKELY(!x87_in_use(cpu, X87_ST(0))))
        return x87_underflow_pop(cpu, op);
    unsigned d = X87_ST(op->dst);
    x87_copy(cpu, d, X87_ST(0));
    cpu->fpu.tag |= 1u << d;
    cpu->fpu.status &= ~FPU_C1;
    x87_pop(cpu);
})

/* D9 D8+i: like FSTP, but an empty register is only popped, without complaint. */
X87_REG(fstpnce, {
    if (x87_in_use(cpu, X87_ST(0))) {
        unsigned d = X87_ST(op->dst);
        x87_copy(cpu, d, X87_ST(0));
        cpu->fpu.tag |= 1u << d;
    }
    cpu->fpu.status &= ~FPU_C1;
    x87_pop(cpu);
})

X87_REG(fxch, {
    unsigned a = X87_ST(0), b = X87_ST(op->src);
    cpu->fpu.status &= ~FPU_C1;
    if (G_UNLIKELY(!x87_in_use(cpu, a) || !x87_in_use(cpu, b))) {
        if (!x87_stack_fault(cpu, 0))
            SOFT_NEXT(cpu, op);
        if (!x87_in_use(cpu, a))
            x87_set_indefinite(&cpu->fpu.fpr[a]);
        if (!x87_in_use(cpu, b))
            x87_set_indefinite(&cpu->fpu.fpr[b]);
        cpu->fpu.tag |= 1u << a | 1u << b;
    }
    __uint128_t value = *(__uint128_t *)&cpu->fpu.fpr[a];
    x87_copy(cpu, a, b);
    *(__uint128_t *)&cpu->fpu.fpr[b] = value;
})

X87_REG(fchs, {
    if (G_UNLIKELY(!x87_in_use(cpu, X87_ST(0))))
        return x87_underflow(cpu, op);
    ((uint16_t *)&cpu->fpu.fpr[X87_ST(0)])[4] ^= 0x8000;
    cpu->fpu.status &= ~FPU_C1;
})

X87_REG(fabs_st0, {
    if (G_UNLIKELY(!x87_in_use(cpu, X87_ST(0))))
        return x87_underflow(cpu, op);
    ((uint16_t *)&cpu->fpu.fpr[X87_ST(0)])[4] &= 0x7FFF;
    cpu->fpu.status &= ~FPU_C1;
})

X87_REG(ffree, {
    cpu->fpu.tag &= ~(1u << X87_ST(op->dst));
    cpu->fpu.status &= ~FPU_C1;
})
X87_REG(ffreep, {
    cpu->fpu.tag &= ~(1u << X87_ST(op->dst));
    cpu->fpu.status &= ~FPU_C1;
    x87_pop(cpu);
})

/* FCMOVcc: an empty register is a stack fault whether the condition holds or not. */
#define FCMOV(name, condition)                                                                     \
    X87_REG(name, {                                                                                \
        unsigned d = X87_ST(0), s = X87_ST(op->src);                                               \
        if (G_UNLIKELY(!x87_in_use(cpu, d) || !x87_in_use(cpu, s)))                                \
            return x87_underflow(cpu, op);                                                         \
        if (condition) {                                                                           \
            x87_copy(cpu, d, s);                                                                   \
        }                                                                                          \
    })
FCMOV(fcmovb, cpu->flags &SOFT_FLAG_CF)
FCMOV(fcmove, cpu->flags &SOFT_FLAG_ZF)
FCMOV(fcmovbe, cpu->flags &(SOFT_FLAG_CF | SOFT_FLAG_ZF))
FCMOV(fcmovu, cpu->flags &SOFT_FLAG_PF)
FCMOV(fcmovnb, !(cpu->flags & SOFT_FLAG_CF))
FCMOV(fcmovne, !(cpu->flags & SOFT_FLAG_ZF))
FCMOV(fcmovnbe, !(cpu->flags & (SOFT_FLAG_CF | SOFT_FLAG_ZF)))
FCMOV(fcmovnu, !(cpu->flags & SOFT_FLAG_PF))

static SoftNext x87_unavailable(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    soft_fault(cpu, X86_NM);
}

/* Decoding ------------------------------------------------------------------------------------ */

/* [opcode - D8][ModRM.reg]; the arithmetic ones are in x87-arith.c. */
static const X87Memory memory_d9[8] = { X87_MEMS(fld_single), { { NULL } },
                                        X87_MEMS(fst_single), X87_MEMS(fstp_single),
                                        X87_ONE(x87_fldenv),  X87_ONE(x87_fldcw),
                                        X87_ONE(x87_fnstenv), X87_ONE(x87_fnstcw) };
static const X87Memory memory_db[8] = { X87_MEMS(fild_long), X87_MEMS(fisttp_long),
                                        X87_MEMS(fist_long), X87_MEMS(fistp_long),
                                        { { NULL } },        X87_MEMS(fld_extended),
                                        { { NULL } },        X87_MEMS(fstp_extended) };
static const X87Memory memory_dd[8] = { X87_MEMS(fld_double), X87_MEMS(fisttp_quad),
                                        X87_MEMS(fst_double), X87_MEMS(fstp_double),
                                        X87_ONE(x87_frstor),  { { NULL } },
                                        X87_ONE(x87_fnsave),  X87_ONE(x87_fnstsw) };
static const X87Memory memory_df[8] = { X87_MEMS(fild_short), X87_MEMS(fisttp_short),
                                        X87_MEMS(fist_short), X87_MEMS(fistp_short),
                                        X87_MEMS(fbld),       X87_MEMS(fild_quad),
                                        X87_MEMS(fbstp),      X87_MEMS(fistp_quad) };
static const X87Memory *const memory_tables[8] = { x87_arith_single, memory_d9,
                                                   x87_arith_long,   memory_db,
                                                   x87_arith_double, memory_dd,
                                                   x87_arith_short,  memory_df };

static SoftHandler *decode_d9(unsigned group, unsigned low)
{
    static SoftHandler *const e0[8] = {
        fchs, fabs_st0, NULL, NULL, x87_ftst, x87_fxam, NULL, NULL
    };
    static SoftHandler *const e8[8] = { fld1, fldl2t, fldl2e, fldpi, fldlg2, fldln2, fldz, NULL };
    switch (group) {
    case 0: return fld_sti;
    case 1: return fxch;
    case 2: return low == 0 ? x87_fnop : NULL;
    case 3: return fstpnce;
    case 4: return e0[low];
    case 5: return e8[low];
    default: return x87_functions[(group & 1) * 8 + low];
    }
}

static SoftHandler *decode_db(unsigned group, unsigned low)
{
    switch (group) {
    case 0: return fcmovnb;
    case 1: return fcmovne;
    case 2: return fcmovnbe;
    case 3: return fcmovnu;
    case 4:
        /* FENI, FDISI and FSETPM of the 8087 and 80287 do nothing. */
        return low == 2 ? x87_fnclex : low == 3 ? x87_fninit : low <= 4 ? x87_fwait : NULL;
    case 5: return x87_fucomi;
    case 6: return x87_fcomi;
    default: return NULL;
    }
}

static SoftHandler *decode_registers(unsigned opcode, unsigned modrm)
{
    static SoftHandler *const da[4] = { fcmovb, fcmove, fcmovbe, fcmovu };
    static SoftHandler *const dd[8] = { ffree,     fxch,       fst_sti, fstp_sti,
                                        x87_fucom, x87_fucomp, NULL,    NULL };
    unsigned group = modrm >> 3 & 7, low = modrm & 7;
    switch (opcode & 7) {
    case 0: return x87_arith_st0[group];
    case 1: return decode_d9(group, low);
    case 2: return group < 4 ? da[group] : group == 5 && low == 1 ? x87_fucompp : NULL;
    case 3: return decode_db(group, low);
    case 4: return x87_arith_sti[group];
    case 5: return dd[group];
    case 6: return group == 3 ? (low == 1 ? x87_fcompp : NULL) : x87_arith_sti_pop[group];
    default:
        switch (group) {
        case 0: return ffreep;
        case 1: return fxch;
        case 2:
        case 3: return fstp_sti;
        case 4: return low == 0 ? x87_fnstsw_ax : NULL;
        case 5: return x87_fucomip;
        case 6: return x87_fcomip;
        default: return NULL;
        }
    }
}

static SoftHandler *decode_handler(unsigned opcode, unsigned modrm, bool is_memory, SoftEa ea)
{
    return is_memory ? memory_tables[opcode & 7][modrm >> 3 & 7].mem[ea]
                     : decode_registers(opcode, modrm);
}

SoftHandler *x87_precise_handler(const SoftOp *op)
{
    unsigned imm = (unsigned)op->imm;
    return decode_handler(imm >> 8 & 7, imm & 0xFF, imm & X87_IS_MEMORY, imm >> X87_EA_SHIFT & 3);
}

/* Operands as the handlers on memory want them: st(dst) is written; compares read st(src). */
static void decode_operands(SoftDecode *d)
{
    unsigned group = d->modrm >> 3 & 7, low = d->modrm & 7;
    bool is_compare = group == 2 || group == 3, to_sti = false;
    switch (d->opcode) {
    case 0xD9: to_sti = group == 3; break;
    case 0xDC:
    case 0xDE: to_sti = !is_compare; break;
    case 0xDD: to_sti = group == 0 || is_compare; break;
    case 0xDF: to_sti = group == 0 || is_compare; break;
    }
    d->op->dst = to_sti ? low : 0;
    d->op->src = to_sti ? 0 : low;
}

bool soft_decode_x87(SoftDecode *d)
{
    if (d->lock)
        return false;
    if (d->opcode == 0x9B) {
        d->op->fn = d->mode & SOFT_MODE_X87 ? x87_fwait : x87_fwait_unavailable;
        return true;
    }
    SoftHandler *handler = decode_handler(d->opcode, d->modrm, d->is_memory, d->ea);
    if (!handler)
        return false;
    SoftHandler *live = x87_live_handler(d->opcode, d->modrm, d->is_memory, d->ea);
    d->op->imm = (d->opcode & 7u) << 8 | d->modrm;
    if (d->is_memory)
        d->op->imm |= X87_IS_MEMORY | (unsigned)d->ea << X87_EA_SHIFT;
    if (d->operand_size == 2)
        d->op->imm |= X87_OPERAND_16;
    if (!d->is_memory)
        decode_operands(d);
    d->op->fn = !(d->mode & SOFT_MODE_X87) ? x87_unavailable : live ? live : handler;
    return true;
}
