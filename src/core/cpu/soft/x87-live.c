/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/soft/x87.h"

/* The fast way of the x87: while the guest has all x87 exceptions masked, which is nearly always,
 * its registers, tags, status and control word simply are the host's ("live"), and an instruction
 * is the host's. Nothing else on this thread uses the x87 between soft_fp_enter and soft_fp_leave:
 * the compiler does so for long double only. Whoever needs the state in memory calls
 * soft_fp_spill, and the next instruction here brings it back.
 *
 * With an exception unmasked, or an error pending, the handlers of the other x87 files work on the
 * state in memory. */

/* An image as of FNSAVE and FRSTOR, 32-bit protected. */
typedef struct {
    uint32_t control, status, tag, pointers[4];
    uint8_t st[8][10];
} LiveImage;
G_STATIC_ASSERT(sizeof(LiveImage) == 108);

void soft_fp_spill_live(SoftCpu *cpu)
{
    LiveImage image;
    asm volatile("fnsave %0" : "=m"(image));
    cpu->fpu.live = false;
    cpu->fpu.status = image.status & ~0x3800u;
    cpu->fpu.top = image.status >> 11 & 7;
    cpu->fpu.tag = 0;
    for (unsigned i = 0; i < 8; i++) {
        if ((image.tag >> 2 * i & 3) != 3)
            cpu->fpu.tag |= 1u << i;
        memcpy(&cpu->fpu.fpr[X87_ST(i)], image.st[i], 10);
    }
    soft_fp_load_control(cpu);
}

static G_GNUC_NO_INLINE void live_load(SoftCpu *cpu)
{
    LiveImage image = {
        .control = cpu->fpu.control,
        .status = cpu->fpu.status | cpu->fpu.top << 11,
        .tag = 0xFFFF,
    };
    for (unsigned i = 0; i < 8; i++) {
        if (x87_in_use(cpu, i))
            image.tag &= ~(3u << 2 * i);
        memcpy(image.st[i], &cpu->fpu.fpr[X87_ST(i)], 10);
    }
    asm volatile("frstor %0" ::"m"(image));
    cpu->fpu.live = true;
}

/* The state is in memory: brings it to the host and begins the instruction again, or where that may
 * not be lets the other handler do it. */
static SoftNext G_GNUC_NO_INLINE live_enter(SoftCpu *cpu, SoftOp *op)
{
    if ((cpu->fpu.control & FPU_EXCEPTIONS) == FPU_EXCEPTIONS && !(cpu->fpu.status & FPU_ES)) {
        live_load(cpu);
        return op->fn(cpu, op);
    }
    return x87_precise_handler(op)(cpu, op);
}

static inline void live_note(SoftCpu *cpu, const SoftOp *op)
{
    cpu->fpu.instruction = cpu->rip + op->offset;
    cpu->fpu.code_selector = cpu->seg[CPU_CS].selector;
}

/* Register forms: the same two bytes on the host -------------------------------------------- */

#define LIVE_REG(name, ...)                                                                        \
    static SoftNext name(SoftCpu *cpu, SoftOp *op)                                                 \
    {                                                                                              \
        if (G_UNLIKELY(!cpu->fpu.live))                                                            \
            return live_enter(cpu, op);                                                            \
        live_note(cpu, op);                                                                        \
        __VA_ARGS__;                                                                               \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define PLAIN(op, m) LIVE_REG(live_##op##_##m, asm volatile(".byte 0x" #op ", 0x" #m))
/* FCMOVcc read the arithmetic flags … */
#define READS(op, m)                                                                               \
    LIVE_REG(live_##op##_##m, asm volatile("sahf\n\t.byte 0x" #op ", 0x" #m ::"a"(cpu->flags)      \
                                           : "cc"))
/* … and FCOMI and its like write them. */
#define WRITES(op, m)                                                                              \
    LIVE_REG(live_##op##_##m, {                                                                    \
        uint32_t flags;                                                                            \
        asm volatile(".byte 0x" #op ", 0x" #m "\n\tlahf" : "=a"(flags)::"cc");                     \
        cpu->flags = flags & 0xFF00;                                                               \
    })
#define LOW_8(make, op, digit) /* modrm x0-x7 */                                                   \
    make(op, digit##0) make(op, digit##1) make(op, digit##2) make(op, digit##3) make(op, digit##4) \
        make(op, digit##5) make(op, digit##6) make(op, digit##7)
#define HIGH_8(make, op, digit)                                                                    \
    make(op, digit##8) make(op, digit##9) make(op, digit##A) make(op, digit##B) make(op, digit##C) \
        make(op, digit##D) make(op, digit##E) make(op, digit##F)
#define ALL_16(make, op, digit) LOW_8(make, op, digit) HIGH_8(make, op, digit)
#define ARITHMETIC(make, op)                                                                       \
    ALL_16(make, op, C) ALL_16(make, op, D) ALL_16(make, op, E) ALL_16(make, op, F)

/* clang-format off */
ARITHMETIC(PLAIN, D8)
ALL_16(PLAIN, D9, C) HIGH_8(PLAIN, D9, D)
PLAIN(D9, E0) PLAIN(D9, E1) PLAIN(D9, E4) PLAIN(D9, E5)
PLAIN(D9, E8) PLAIN(D9, E9) PLAIN(D9, EA) PLAIN(D9, EB) PLAIN(D9, EC) PLAIN(D9, ED) PLAIN(D9, EE)
ALL_16(PLAIN, D9, F)
ALL_16(READS, DA, C) ALL_16(READS, DA, D) PLAIN(DA, E9)
ALL_16(READS, DB, C) ALL_16(READS, DB, D) HIGH_8(WRITES, DB, E) LOW_8(WRITES, DB, F)
ARITHMETIC(PLAIN, DC)
ALL_16(PLAIN, DD, C) ALL_16(PLAIN, DD, D) ALL_16(PLAIN, DD, E)
ALL_16(PLAIN, DE, C) LOW_8(PLAIN, DE, D) PLAIN(DE, D9) ALL_16(PLAIN, DE, E) ALL_16(PLAIN, DE, F)
ALL_16(PLAIN, DF, C) ALL_16(PLAIN, DF, D) HIGH_8(WRITES, DF, E) LOW_8(WRITES, DF, F)

#define ENTRY(op, m) [0x##m - 0xC0] = live_##op##_##m,
static SoftHandler *const live_registers[8][64] = {
    { ARITHMETIC(ENTRY, D8) },
    { ALL_16(ENTRY, D9, C) HIGH_8(ENTRY, D9, D)
      ENTRY(D9, E0) ENTRY(D9, E1) ENTRY(D9, E4) ENTRY(D9, E5)
      ENTRY(D9, E8) ENTRY(D9, E9) ENTRY(D9, EA) ENTRY(D9, EB) ENTRY(D9, EC) ENTRY(D9, ED)
      ENTRY(D9, EE) ALL_16(ENTRY, D9, F) },
    { ALL_16(ENTRY, DA, C) ALL_16(ENTRY, DA, D) ENTRY(DA, E9) },
    { ALL_16(ENTRY, DB, C) ALL_16(ENTRY, DB, D) HIGH_8(ENTRY, DB, E) LOW_8(ENTRY, DB, F) },
    { ARITHMETIC(ENTRY, DC) },
    { ALL_16(ENTRY, DD, C) ALL_16(ENTRY, DD, D) ALL_16(ENTRY, DD, E) },
    { ALL_16(ENTRY, DE, C) LOW_8(ENTRY, DE, D) ENTRY(DE, D9) ALL_16(ENTRY, DE, E)
      ALL_16(ENTRY, DE, F) },
    { ALL_16(ENTRY, DF, C) ALL_16(ENTRY, DF, D) HIGH_8(ENTRY, DF, E) LOW_8(ENTRY, DF, F) },
};
/* clang-format on */

/* Memory forms -------------------------------------------------------------------------------- */

#define LIVE_MEM_FORM(name, suffix, kind, size, is_store, statement)                               \
    static SoftNext name##_##suffix(SoftCpu *cpu, SoftOp *op)                                      \
    {                                                                                              \
        void *p = soft_ptr(cpu, op, kind, size, is_store);                                         \
        if (G_UNLIKELY(!p || !cpu->fpu.live))                                                      \
            return name##_slow(cpu, op);                                                           \
        live_note(cpu, op);                                                                        \
        statement;                                                                                 \
        SOFT_NEXT(cpu, op);                                                                        \
    }
#define LIVE_MEM_FORMS(name, size, is_store, statement)                                            \
    LIVE_MEM_FORM(name, mb, SOFT_EA_B, size, is_store, statement)                                  \
    LIVE_MEM_FORM(name, mbi, SOFT_EA_BI, size, is_store, statement)                                \
    LIVE_MEM_FORM(name, mg, SOFT_EA_G, size, is_store, statement)
#define LIVE_LOAD(name, insn, size)                                                                \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        if (!cpu->fpu.live)                                                                        \
            return live_enter(cpu, op);                                                            \
        SOFT_AT(cpu, op);                                                                          \
        const void *p = soft_fp_fetch(cpu, size, 1);                                               \
        live_note(cpu, op);                                                                        \
        asm volatile(insn " %0" ::"m"(*(const Bytes##size *)p));                                   \
        SOFT_NEXT(cpu, op);                                                                        \
    }                                                                                              \
    LIVE_MEM_FORMS(name, size, false, asm volatile(insn " %0" ::"m"(*(const Bytes##size *)p)))
/* The operand is probed, so that the store cannot fault once the instruction has run. */
#define LIVE_STORE(name, insn, size)                                                               \
    static SoftNext G_GNUC_NO_INLINE name##_slow(SoftCpu *cpu, SoftOp *op)                         \
    {                                                                                              \
        if (!cpu->fpu.live)                                                                        \
            return live_enter(cpu, op);                                                            \
        SOFT_AT(cpu, op);                                                                          \
        soft_probe_store(cpu, op->seg, soft_ea(cpu, op), size);                                    \
        live_note(cpu, op);                                                                        \
        asm volatile(insn " %0" : "=m"(*(Bytes##size *)&cpu->fp_operand));                         \
        soft_store_bytes(cpu, op->seg, soft_ea(cpu, op), &cpu->fp_operand, size);                  \
        SOFT_NEXT_STORED(cpu, op);                                                                 \
    }                                                                                              \
    LIVE_MEM_FORMS(name, size, true, asm volatile(insn " %0" : "=m"(*(Bytes##size *)p)))

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

#define LIVE_EIGHT(type, prefix, suffix, size)                                                     \
    LIVE_LOAD(add_##type, prefix "add" suffix, size)                                               \
    LIVE_LOAD(mul_##type, prefix "mul" suffix, size)                                               \
    LIVE_LOAD(com_##type, prefix "com" suffix, size)                                               \
    LIVE_LOAD(comp_##type, prefix "comp" suffix, size)                                             \
    LIVE_LOAD(sub_##type, prefix "sub" suffix, size)                                               \
    LIVE_LOAD(subr_##type, prefix "subr" suffix, size)                                             \
    LIVE_LOAD(div_##type, prefix "div" suffix, size)                                               \
    LIVE_LOAD(divr_##type, prefix "divr" suffix, size)
LIVE_EIGHT(single, "f", "s", 4)
LIVE_EIGHT(double, "f", "l", 8)
LIVE_EIGHT(short, "fi", "s", 2)
LIVE_EIGHT(long, "fi", "l", 4)
LIVE_LOAD(fld_single, "flds", 4)
LIVE_LOAD(fld_double, "fldl", 8)
LIVE_LOAD(fld_extended, "fldt", 10)
LIVE_LOAD(fild_short, "filds", 2)
LIVE_LOAD(fild_long, "fildl", 4)
LIVE_LOAD(fild_quad, "fildq", 8)
LIVE_LOAD(fbld, "fbld", 10)
LIVE_STORE(fst_single, "fsts", 4)
LIVE_STORE(fstp_single, "fstps", 4)
LIVE_STORE(fst_double, "fstl", 8)
LIVE_STORE(fstp_double, "fstpl", 8)
LIVE_STORE(fstp_extended, "fstpt", 10)
LIVE_STORE(fist_short, "fists", 2)
LIVE_STORE(fistp_short, "fistps", 2)
LIVE_STORE(fist_long, "fistl", 4)
LIVE_STORE(fistp_long, "fistpl", 4)
LIVE_STORE(fistp_quad, "fistpq", 8)
LIVE_STORE(fisttp_short, "fisttps", 2)
LIVE_STORE(fisttp_long, "fisttpl", 4)
LIVE_STORE(fisttp_quad, "fisttpq", 8)
LIVE_STORE(fbstp, "fbstp", 10)

#define NO_FORM                                                                                    \
    {                                                                                              \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }
#define EIGHT(type)                                                                                \
    {                                                                                              \
        X87_MEMS(add_##type), X87_MEMS(mul_##type), X87_MEMS(com_##type), X87_MEMS(comp_##type),   \
            X87_MEMS(sub_##type), X87_MEMS(subr_##type), X87_MEMS(div_##type),                     \
            X87_MEMS(divr_##type)                                                                  \
    }
static const X87Memory live_memory[8][8] = {
    EIGHT(single),
    { X87_MEMS(fld_single), NO_FORM, X87_MEMS(fst_single), X87_MEMS(fstp_single) },
    EIGHT(long),
    { X87_MEMS(fild_long), X87_MEMS(fisttp_long), X87_MEMS(fist_long), X87_MEMS(fistp_long),
      NO_FORM, X87_MEMS(fld_extended), NO_FORM, X87_MEMS(fstp_extended) },
    EIGHT(double),
    { X87_MEMS(fld_double), X87_MEMS(fisttp_quad), X87_MEMS(fst_double), X87_MEMS(fstp_double) },
    EIGHT(short),
    { X87_MEMS(fild_short), X87_MEMS(fisttp_short), X87_MEMS(fist_short), X87_MEMS(fistp_short),
      X87_MEMS(fbld), X87_MEMS(fild_quad), X87_MEMS(fbstp), X87_MEMS(fistp_quad) },
};

SoftHandler *x87_live_handler(unsigned opcode, unsigned modrm, bool is_memory, SoftEa ea)
{
    if (is_memory)
        return live_memory[opcode & 7][modrm >> 3 & 7].mem[ea];
    return live_registers[opcode & 7][modrm & 63];
}
