/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "native-gen.h"
#include "native-run.h"
#include <glib.h>
#include <string.h>

/* How an opcode is used. */
enum {
    MODRM = 1 << 0,
    BYTE = 1 << 1,     /* operands of one byte */
    IMM8 = 1 << 2,     /* a byte follows */
    IMMZ = 1 << 3,     /* 2 or 4 bytes by operand size */
    IMM_OP = 1 << 4,   /* IMM8 when BYTE, else IMMZ */
    LOCKABLE = 1 << 5, /* with a memory operand */
    MEM_ONLY = 1 << 6,
    REG_ONLY = 1 << 7,
    ONLY32 = 1 << 8,
    ONLY64 = 1 << 9,
    NO_66 = 1 << 10,
    BIT_STRING = 1 << 11, /* the register is a bit number that reaches beyond the operand */
    ALIGNED = 1 << 12,    /* locks its memory operand by itself, or wants it aligned */
    PREFIX_F3 = 1 << 13,
    PREFIX_F2 = 1 << 14,
    RM_BYTE = 1 << 15,  /* the register or memory operand is a byte, the other is not */
    PLUS_REG = 1 << 16, /* the opcode's low three bits name a register */
    LEA = 1 << 17,      /* an address, no access */
};
typedef struct {
    uint8_t map; /* 0, 1: 0F, 2: 0F 38 */
    uint8_t opcode;
    int8_t ext; /* ModRM.reg, or -1: a register */
    uint32_t flags;
} GenOpcode;

/* clang-format off */
#define ALU(n) \
    { 0, (n) * 8 + 0, -1, MODRM | BYTE | ((n) == 7 ? 0 : LOCKABLE) }, \
    { 0, (n) * 8 + 1, -1, MODRM | ((n) == 7 ? 0 : LOCKABLE) }, \
    { 0, (n) * 8 + 2, -1, MODRM | BYTE }, { 0, (n) * 8 + 3, -1, MODRM }, \
    { 0, (n) * 8 + 4, -1, BYTE | IMM_OP }, { 0, (n) * 8 + 5, -1, IMM_OP }, \
    { 0, 0x80, n, MODRM | BYTE | IMM8 | ((n) == 7 ? 0 : LOCKABLE) }, \
    { 0, 0x81, n, MODRM | IMMZ | ((n) == 7 ? 0 : LOCKABLE) }, \
    { 0, 0x83, n, MODRM | IMM8 | ((n) == 7 ? 0 : LOCKABLE) }
#define SHIFT(n) \
    { 0, 0xC0, n, MODRM | BYTE | IMM8 }, { 0, 0xC1, n, MODRM | IMM8 }, { 0, 0xD0, n, MODRM | BYTE }, \
    { 0, 0xD1, n, MODRM }, { 0, 0xD2, n, MODRM | BYTE }, { 0, 0xD3, n, MODRM }
static const GenOpcode opcodes[] = {
    ALU(0), ALU(1), ALU(2), ALU(3), ALU(4), ALU(5), ALU(6), ALU(7),
    SHIFT(0), SHIFT(1), SHIFT(2), SHIFT(3), SHIFT(4), SHIFT(5), SHIFT(6), SHIFT(7),
    { 0, 0x84, -1, MODRM | BYTE }, { 0, 0x85, -1, MODRM },
    { 0, 0xA8, -1, BYTE | IMM_OP }, { 0, 0xA9, -1, IMM_OP },
    { 0, 0x86, -1, MODRM | BYTE | ALIGNED | LOCKABLE }, { 0, 0x87, -1, MODRM | ALIGNED | LOCKABLE },
    { 0, 0x88, -1, MODRM | BYTE }, { 0, 0x89, -1, MODRM }, { 0, 0x8A, -1, MODRM | BYTE }, { 0, 0x8B, -1, MODRM },
    { 0, 0x8D, -1, MODRM | MEM_ONLY | LEA },
    { 0, 0x90, -1, PLUS_REG }, { 0, 0x90, -1, PREFIX_F3 },
    { 0, 0x98, -1, 0 }, { 0, 0x99, -1, 0 }, { 0, 0x9E, -1, 0 }, { 0, 0x9F, -1, 0 },
    { 0, 0xB0, -1, BYTE | PLUS_REG | IMM8 }, { 0, 0xB8, -1, PLUS_REG | IMMZ },
    { 0, 0xC6, 0, MODRM | BYTE | IMM8 }, { 0, 0xC7, 0, MODRM | IMMZ },
    { 0, 0xF5, -1, 0 }, { 0, 0xF8, -1, 0 }, { 0, 0xF9, -1, 0 }, { 0, 0xFC, -1, 0 }, { 0, 0xFD, -1, 0 },
    { 0, 0xF6, 0, MODRM | BYTE | IMM8 }, { 0, 0xF7, 0, MODRM | IMMZ },
    { 0, 0xF6, 2, MODRM | BYTE | LOCKABLE }, { 0, 0xF7, 2, MODRM | LOCKABLE },
    { 0, 0xF6, 3, MODRM | BYTE | LOCKABLE }, { 0, 0xF7, 3, MODRM | LOCKABLE },
    { 0, 0xF6, 4, MODRM | BYTE }, { 0, 0xF7, 4, MODRM }, { 0, 0xF6, 5, MODRM | BYTE }, { 0, 0xF7, 5, MODRM },
    { 0, 0xF6, 6, MODRM | BYTE }, { 0, 0xF7, 6, MODRM }, { 0, 0xF6, 7, MODRM | BYTE }, { 0, 0xF7, 7, MODRM },
    { 0, 0xFE, 0, MODRM | BYTE | LOCKABLE }, { 0, 0xFF, 0, MODRM | LOCKABLE },
    { 0, 0xFE, 1, MODRM | BYTE | LOCKABLE }, { 0, 0xFF, 1, MODRM | LOCKABLE },
    { 0, 0x63, -1, MODRM | ONLY64 },
    { 0, 0x69, -1, MODRM | IMMZ }, { 0, 0x6B, -1, MODRM | IMM8 },
    { 0, 0x68, -1, IMMZ }, { 0, 0x6A, -1, IMM8 }, { 0, 0xFF, 6, MODRM },
    { 0, 0x50, -1, PLUS_REG }, { 0, 0x58, -1, PLUS_REG }, { 0, 0x8F, 0, MODRM },
    { 0, 0x9C, -1, NO_66 },
    { 0, 0x40, -1, PLUS_REG | ONLY32 }, { 0, 0x48, -1, PLUS_REG | ONLY32 },
    { 0, 0x27, -1, ONLY32 }, { 0, 0x2F, -1, ONLY32 }, { 0, 0x37, -1, ONLY32 }, { 0, 0x3F, -1, ONLY32 },
    { 0, 0xD4, -1, ONLY32 | IMM8 }, { 0, 0xD5, -1, ONLY32 | IMM8 }, { 0, 0xD6, -1, ONLY32 },
    { 0, 0x60, -1, ONLY32 }, { 0, 0x61, -1, ONLY32 }, { 0, 0x82, 0, ONLY32 | MODRM | BYTE | IMM8 },
    { 1, 0x0D, 1, MODRM | MEM_ONLY }, { 1, 0x18, 1, MODRM | MEM_ONLY }, { 1, 0x1F, 0, MODRM },
    { 1, 0xA3, -1, MODRM | BIT_STRING }, { 1, 0xAB, -1, MODRM | BIT_STRING | LOCKABLE },
    { 1, 0xB3, -1, MODRM | BIT_STRING | LOCKABLE }, { 1, 0xBB, -1, MODRM | BIT_STRING | LOCKABLE },
    { 1, 0xBA, 4, MODRM | IMM8 }, { 1, 0xBA, 5, MODRM | IMM8 | LOCKABLE },
    { 1, 0xBA, 6, MODRM | IMM8 | LOCKABLE }, { 1, 0xBA, 7, MODRM | IMM8 | LOCKABLE },
    { 1, 0xBC, -1, MODRM }, { 1, 0xBD, -1, MODRM }, { 1, 0xB8, -1, MODRM | PREFIX_F3 },
    { 1, 0xA4, -1, MODRM | IMM8 }, { 1, 0xA5, -1, MODRM }, { 1, 0xAC, -1, MODRM | IMM8 }, { 1, 0xAD, -1, MODRM },
    { 1, 0xAF, -1, MODRM }, { 1, 0xAF, -1, MODRM },
    { 1, 0xB0, -1, MODRM | BYTE | LOCKABLE }, { 1, 0xB1, -1, MODRM | LOCKABLE },
    { 1, 0xC0, -1, MODRM | BYTE | LOCKABLE }, { 1, 0xC1, -1, MODRM | LOCKABLE },
    { 1, 0xC7, 1, MODRM | MEM_ONLY | LOCKABLE | ALIGNED },
    { 1, 0xB6, -1, MODRM | RM_BYTE }, { 1, 0xB7, -1, MODRM }, { 1, 0xBE, -1, MODRM | RM_BYTE }, { 1, 0xBF, -1, MODRM },
    { 1, 0xC8, -1, PLUS_REG | NO_66 },
    { 2, 0xF0, -1, MODRM | RM_BYTE | PREFIX_F2 }, { 2, 0xF1, -1, MODRM | PREFIX_F2 },
};
/* clang-format on */

uint64_t native_random(NativeRandom *random)
{
    uint64_t x = random->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    random->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t native_random_below(NativeRandom *random, uint32_t n)
{
    return (uint32_t)((native_random(random) >> 32) * n >> 32);
}

uint64_t native_random_value(NativeRandom *random)
{
    uint64_t value = native_random(random);
    switch (native_random_below(random, 8)) {
    case 0: return value & 0xFF;
    case 1: return (uint64_t) - (int64_t)(value & 0xFF);
    case 2: return UINT64_C(1) << (value & 63);
    case 3: return (UINT64_C(1) << (value & 63)) - 1;
    case 4: return (uint32_t)value;
    case 5: return value & 0xFFFF;
    default: return value;
    }
}

static bool chance(NativeGen *g, unsigned one_in)
{
    return native_random_below(g->random, one_in) == 0;
}
static unsigned below(NativeGen *g, unsigned n)
{
    return native_random_below(g->random, n);
}
static void put(NativeGen *g, unsigned byte)
{
    g_assert(g->length < NATIVE_GEN_MAX);
    g->bytes[g->length++] = (uint8_t)byte;
}
static void put_value(NativeGen *g, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        put(g, (unsigned)(value >> 8 * i) & 0xFF);
}

/* Any general register but RSP. */
static unsigned any_register(NativeGen *g)
{
    unsigned n;
    do
        n = below(g, g->is32 ? 8 : 16);
    while (n == 4);
    return n;
}
/* MOV r32, imm32, or sign-extended to 64 bits. */
static void put_load(NativeGen *g, unsigned reg, int32_t value, bool wide)
{
    if (wide && !g->is32) {
        put(g, 0x48 | reg >> 3);
        put(g, 0xC7);
        put(g, 0xC0 | (reg & 7));
    } else {
        if (reg >= 8)
            put(g, 0x41);
        put(g, 0xB8 | (reg & 7));
    }
    put_value(g, (uint32_t)value, 4);
}

/* Addresses for data: in the lower part of the scratch area, often across the page border. */
static uint32_t data_address(NativeGen *g, bool aligned)
{
    uint32_t offset = chance(g, 4) ? 0x2000 - below(g, 12) : 0x1000 + below(g, 0x1800);
    if (aligned)
        offset &= ~15u;
    return NATIVE_SCRATCH + offset;
}

typedef struct {
    bool is_memory, rip_relative;
    unsigned base, index, scale, rm; /* index 4: none */
    unsigned disp_size;
    int32_t disp;
    uint32_t target; /* of a RIP-relative operand */
} GenOperand;

/* Picks the memory operand and emits what makes its registers fit. */
static void choose_memory(NativeGen *g, GenOperand *m, bool aligned, bool lea)
{
    *m = (GenOperand){ .is_memory = true, .index = 4 };
    uint32_t address = data_address(g, aligned);
    if (!g->is32 && !lea && chance(g, 8)) {
        m->rip_relative = true;
        m->target = address;
        return;
    }
    m->base = any_register(g);
    if (!aligned) {
        m->disp_size = below(g, 3) == 2 ? 4 : below(g, 2);
        m->disp = m->disp_size == 4 ? (int32_t)below(g, 1024) - 512 : (int32_t)below(g, 256) - 128;
        if (chance(g, 3)) {
            do
                m->index = any_register(g);
            while (m->index == m->base);
            m->scale = below(g, 4);
        }
    }
    if ((m->base & 7) == 5 && m->disp_size == 0)
        m->disp_size = 1;
    if (m->disp_size == 0)
        m->disp = 0;
    if (lea)
        return;
    put_load(g, m->base, (int32_t)address, false);
    if (m->index != 4)
        put_load(g, m->index, (int32_t)below(g, 128) - 64, true);
}

static void put_modrm(NativeGen *g, const GenOperand *m, unsigned reg, unsigned after)
{
    unsigned mod = m->disp_size == 4 ? 2 : m->disp_size;
    reg = (reg & 7) << 3;
    if (!m->is_memory) {
        put(g, 0xC0 | reg | (m->rm & 7));
        return;
    }
    if (m->rip_relative) {
        put(g, reg | 5);
        put_value(g, m->target - (g->address + g->length + 4 + after), 4);
        return;
    }
    if (m->index != 4 || (m->base & 7) == 4) {
        put(g, mod << 6 | reg | 4);
        put(g, m->scale << 6 | (m->index & 7) << 3 | (m->base & 7));
    } else {
        put(g, mod << 6 | reg | (m->base & 7));
    }
    put_value(g, (uint32_t)m->disp, m->disp_size);
}

static unsigned byte_register(NativeGen *g, bool rex)
{
    unsigned n;
    do
        n = below(g, g->is32 ? 8 : rex ? 16 : 8);
    while (rex && n == 4); /* SPL */
    return n;
}

static void gen_from_table(NativeGen *g, const GenOpcode *o)
{
    unsigned operand_size = o->flags & NO_66 || !chance(g, 5) ? 4 : 2;
    bool rex_w = !g->is32 && chance(g, 3) && operand_size == 4;
    bool rex = rex_w || (!g->is32 && chance(g, 3));
    bool is_byte = o->flags & BYTE, rm_byte = o->flags & (BYTE | RM_BYTE), lock = false;
    bool address_32 = !g->is32 && chance(g, 10);
    GenOperand m = { .index = 4 };
    unsigned reg = 0, plus = 0;
    if (o->flags & MODRM) {
        bool memory = o->flags & MEM_ONLY || (!(o->flags & REG_ONLY) && chance(g, 2));
        lock = memory && o->flags & LOCKABLE && chance(g, 3);
        if (memory)
            choose_memory(g, &m, lock || o->flags & ALIGNED, o->flags & LEA);
        else
            m.rm = rm_byte ? byte_register(g, rex) : any_register(g);
        reg = o->ext >= 0 ? (unsigned)o->ext : is_byte ? byte_register(g, rex) : any_register(g);
        if (memory && o->flags & BIT_STRING) {
            while (reg == m.base || reg == m.index)
                reg = any_register(g);
            put_load(g, reg, lock ? (int32_t)below(g, 16) : (int32_t)below(g, 2000) - 1000, true);
        }
        /* Bytes 4-7 mean AH..BH without REX and SPL..DIL with it: an extended register forces it.
         */
        bool extended = reg >= 8 || m.rm >= 8 ||
                        (m.is_memory && !m.rip_relative && (m.base >= 8 || m.index >= 8));
        if (extended && !rex) {
            rex = true;
            if (is_byte && o->ext < 0 && reg == 4)
                reg = 0;
            if (rm_byte && !m.is_memory && m.rm == 4)
                m.rm = 0;
        }
    } else if (o->flags & PLUS_REG) {
        plus = is_byte ? byte_register(g, rex) : any_register(g);
        rex |= plus >= 8;
    }
    bool negative_index =
        m.is_memory && m.index != 4; /* needs 64 bits, or wraps at 32: both fine */
    (void)negative_index;

    if (lock)
        put(g, 0xF0);
    if (operand_size == 2)
        put(g, 0x66);
    if (address_32 && m.is_memory && !(o->flags & BIT_STRING))
        put(g, 0x67);
    if (o->flags & PREFIX_F3)
        put(g, 0xF3);
    if (o->flags & PREFIX_F2)
        put(g, 0xF2);
    if (rex)
        put(g, 0x40 | rex_w << 3 | (reg >= 8) << 2 | (m.is_memory && m.index >= 8) << 1 |
                   ((m.is_memory ? m.base : m.rm) >= 8 || plus >= 8));
    if (o->map)
        put(g, 0x0F);
    if (o->map == 2)
        put(g, 0x38);
    put(g, o->opcode | (plus & 7));
    unsigned z = operand_size == 2 ? 2 : 4;
    unsigned immediate = o->flags & IMM8     ? 1
                         : o->flags & IMMZ   ? z
                         : o->flags & IMM_OP ? (is_byte ? 1 : z)
                                             : 0;
    if (o->opcode == 0xB8 && o->map == 0 && rex_w)
        immediate = 8;
    if (o->flags & MODRM)
        put_modrm(g, &m, reg, immediate);
    put_value(g, native_random_value(g->random), immediate);
}

/* A register instruction that touches neither RCX nor memory: body of loops and functions. */
static void gen_simple(NativeGen *g)
{
    unsigned a, b;
    do {
        a = below(g, 8);
        b = below(g, 8);
    } while (a == 4 || a == 1);
    if (!g->is32 && chance(g, 2))
        put(g, 0x48);
    put(g, below(g, 8) * 8 + 1);
    put(g, 0xC0 | b << 3 | a);
}

static void gen_string(NativeGen *g)
{
    static const uint8_t list[] = { 0xA4, 0xA6, 0xAA, 0xAC, 0xAE };
    put_load(g, 6, (int32_t)data_address(g, false), false);
    put_load(g, 7, (int32_t)data_address(g, false), false);
    put_load(g, 1, (int32_t)(chance(g, 4) ? below(g, 200) : below(g, 8)), false);
    if (!g->is32 && chance(g, 8))
        put(g, 0x67);
    if (chance(g, 4))
        put(g, 0x66);
    if (!chance(g, 3))
        put(g, chance(g, 2) ? 0xF2 : 0xF3);
    if (!g->is32 && chance(g, 3))
        put(g, 0x48);
    put(g, list[below(g, G_N_ELEMENTS(list))] | below(g, 2));
}

/* Jcc, SETcc, CMOVcc after something that sets flags (so that pairs fuse). */
static void gen_conditional(NativeGen *g)
{
    unsigned cc = below(g, 16);
    switch (below(g, 4)) {
    case 0: { /* SETcc, CMOVcc */
        GenOpcode set = { 1, (uint8_t)(0x90 | cc), 0, MODRM | BYTE };
        GenOpcode cmov = { 1, (uint8_t)(0x40 | cc), -1, MODRM };
        gen_from_table(g, chance(g, 2) ? &set : &cmov);
        break;
    }
    case 1: { /* LOOP and JCXZ over the next instruction */
        put(g, 0xE0 | below(g, 4));
        unsigned at = g->length;
        put(g, 0);
        gen_simple(g);
        g->bytes[at] = (uint8_t)(g->length - at - 1);
        break;
    }
    case 2: { /* near form */
        put(g, 0x0F);
        put(g, 0x80 | cc);
        unsigned at = g->length;
        put_value(g, 0, 4);
        gen_simple(g);
        g->bytes[at] = (uint8_t)(g->length - at - 4);
        break;
    }
    default: {
        if (chance(g, 2))
            gen_from_table(g, &opcodes[below(g, 72)]); /* ALU */
        put(g, 0x70 | cc);
        unsigned at = g->length;
        put(g, 0);
        gen_simple(g);
        g->bytes[at] = (uint8_t)(g->length - at - 1);
        break;
    }
    }
}

static void gen_loop(NativeGen *g)
{
    put_load(g, 1, 1 + (int32_t)below(g, 6), false);
    unsigned top = g->length;
    gen_simple(g);
    if (chance(g, 2))
        gen_simple(g);
    switch (below(g, 3)) {
    case 0: put(g, 0xE2); break; /* LOOP */
    case 1:
        put(g, 0xFF); /* DEC ECX; JNZ */
        put(g, 0xC9);
        put(g, 0x75);
        break;
    default:
        put(g, 0x83); /* SUB ECX, 1; JNE */
        put(g, 0xE9);
        put(g, 1);
        put(g, 0x75);
        break;
    }
    put(g, (unsigned)(top - g->length - 1) & 0xFF);
}

/* A call of the function right behind, and round it. */
static void gen_call(NativeGen *g)
{
    unsigned reg = below(g, 4), at = 0;
    bool indirect = chance(g, 2);
    if (indirect) {
        put_load(g, reg, 0, false);
        at = g->length - 4;
        put(g, 0xFF);
        put(g, 0xD0 | reg);
    } else {
        put(g, 0xE8);
        put_value(g, 2, 4);
    }
    put(g, 0xEB);
    unsigned jump = g->length;
    put(g, 0);
    if (indirect) {
        uint32_t target = g->address + g->length;
        memcpy(g->bytes + at, &target, 4);
    }
    gen_simple(g);
    if (chance(g, 3)) {
        put(g, 0xC2);
        put_value(g, 8, 2);
    } else {
        put(g, 0xC3);
    }
    g->bytes[jump] = (uint8_t)(g->length - jump - 1);
}

static void gen_stack_frame(NativeGen *g)
{
    switch (below(g, 4)) {
    case 0: /* ENTER */
        put_load(g, 5, NATIVE_SCRATCH + 0x3400, false);
        put(g, 0xC8);
        put_value(g, below(g, 64), 2);
        put(g, below(g, 5));
        break;
    case 1: /* LEAVE */
        put_load(g, 5, NATIVE_SCRATCH + 0x3400 + (int32_t)below(g, 256), false);
        put(g, 0xC9);
        break;
    case 2: /* POPF of harmless flags */
        put(g, 0x68);
        put_value(g, (native_random(g->random) & 0xCD5) | 0x202, 4);
        put(g, 0x9D);
        break;
    default: /* MOV moffs */
        if (!g->is32 && chance(g, 2))
            put(g, 0x48);
        put(g, 0xA0 | below(g, 4));
        put_value(g, data_address(g, false), g->is32 ? 4 : 8);
        break;
    }
}

static void gen_xlat(NativeGen *g)
{
    put_load(g, 3, (int32_t)data_address(g, false), false);
    put(g, 0xD7);
}

/* Divisions that do not fault: a dividend just extended. */
static void gen_division(NativeGen *g)
{
    bool wide = !g->is32 && chance(g, 2), sign = chance(g, 2);
    unsigned divisor = chance(g, 2) ? 3 : 6;
    if (sign) {
        if (wide)
            put(g, 0x48);
        put(g, 0x99);
    } else {
        put(g, 0x31); /* XOR EDX, EDX */
        put(g, 0xD2);
    }
    if (wide)
        put(g, 0x48);
    put(g, 0xF7);
    put(g, (sign ? 0xF8 : 0xF0) | divisor);
}

void native_gen_instruction(NativeGen *g)
{
    g->n_instructions++;
    switch (below(g, 24)) {
    case 0:
    case 1: gen_string(g); return;
    case 2:
    case 3:
    case 4:
    case 5: gen_conditional(g); return;
    case 6: gen_loop(g); return;
    case 7: gen_call(g); return;
    case 8: gen_stack_frame(g); return;
    case 9: gen_division(g); return;
    case 10: gen_xlat(g); return;
    default: break;
    }
    for (;;) {
        const GenOpcode *o = &opcodes[below(g, G_N_ELEMENTS(opcodes))];
        if (o->flags & (g->is32 ? ONLY64 : ONLY32))
            continue;
        gen_from_table(g, o);
        return;
    }
}

void native_random_registers(NativeRandom *random, bool is32, uint64_t gpr[16],
                             uint64_t *out_rflags)
{
    for (unsigned i = 0; i < 16; i++) {
        gpr[i] = native_random_value(random);
        if (is32)
            gpr[i] = i < 8 ? (uint32_t)gpr[i] : 0;
    }
    gpr[4] = NATIVE_SCRATCH + 0x3800 - 8 * native_random_below(random, 32);
    *out_rflags = (native_random(random) & 0x8D5) | 0x202;
    if (native_random_below(random, 4) == 0)
        *out_rflags |= 0x400;
}
