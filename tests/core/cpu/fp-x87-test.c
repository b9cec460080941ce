/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fp-native.h"
#include <string.h>

/* x87 instructions against the processor: random control words, status, tags and registers, so that
 * stack faults and unmasked exceptions are among the cases. An unmasked exception of the last
 * instruction is pending when FXSAVE, which does not wait, stores it. */

/* Instructions that the processor does not have. */
static bool undefined_register_form(unsigned opcode, unsigned modrm)
{
    unsigned group = modrm >> 3 & 7, low = modrm & 7;
    switch (opcode) {
    case 0xD9:
        return (group == 2 && low != 0) || (group == 4 && (low & 2)) || (group == 5 && low == 7);
    case 0xDA: return group == 4 || group > 5 || (group == 5 && low != 1);
    case 0xDB: return group == 7 || (group == 4 && low > 4);
    case 0xDD: return group > 5;
    case 0xDE: return group == 3 && low != 1;
    case 0xDF: return group == 7 || (group == 4 && low != 0);
    default: return false;
    }
}

static bool undefined_memory_form(unsigned opcode, unsigned group)
{
    return (opcode == 0xD9 && group == 1) || (opcode == 0xDB && (group == 4 || group == 6)) ||
           (opcode == 0xDD && group == 5);
}

static void fill_operand(uint8_t *out)
{
    uint32_t single = fp_random_single();
    uint64_t wide = fp_random_double();
    switch (fp_random_below(4)) {
    case 0: memcpy(out, &single, 4); break;
    case 1: memcpy(out, &wide, 8); break;
    case 2: fp_random_extended(out); break;
    default:
        for (unsigned i = 0; i < 10; i++) /* decimal digits */
            out[i] = fp_random_below(10) | fp_random_below(10) << 4;
        out[9] = fp_random_below(2) ? 0x80 : 0;
    }
}

static void fill(FpCase *fp_case, unsigned displacement)
{
    uint16_t control = 0x037F, status;
    if (fp_random_below(3))
        control = (control & 0xF0FF) | (uint16_t)(fp_random_below(16) << 8);
    if (fp_random_below(3) == 0)
        control &= 0xFFC0 | (uint16_t)fp_random_below(64);
    status = (uint16_t)(fp_random() & 0x7F00);
    if (fp_random_below(2))
        status |= (uint16_t)(fp_random_below(64) & control);
    memcpy(fp_case->in, &control, 2);
    memcpy(fp_case->in + 2, &status, 2);
    fp_case->in[4] = fp_random_below(3) ? 0xFF : (uint8_t)fp_random();
    if (fp_random_below(4) == 0)
        fp_case->in[4] = 0x7F >> fp_random_below(8);
    if (fp_random_below(2)) /* room for a push */
        fp_case->in[4] &= ~(1u << (((status >> 11) - 1) & 7));
    for (unsigned i = 0; i < 8; i++)
        fp_random_extended(fp_case->in + 32 + 16 * i);
    for (unsigned i = 0; i < 12; i++)
        fp_random_vector(fp_case->memory + 16 * i);
    fill_operand(fp_case->memory + displacement - offsetof(FpCase, memory));
    fp_case->flags_in = 2 | (fp_random() & 0x8D5);
}

static void add_memory_case(FpBatch *batch, unsigned opcode, unsigned group)
{
    char name[32];
    uint8_t code[16], *p = code;
    unsigned displacement = FP_OPERAND_OFFSET + fp_random_below(17), form = fp_random_below(3);
    bool is_environment = (opcode == 0xD9 || opcode == 0xDD) && (group == 4 || group == 6);
    bool word = is_environment && fp_random_below(2);
    if (form == 2)
        *p++ = 0x67;
    if (word)
        *p++ = 0x66;
    *p++ = opcode;
    *p++ = 0x80 | group << 3 | (form == 1 ? 4 : 3);
    if (form == 1)
        *p++ = 0x33;
    uint32_t disp = displacement;
    memcpy(p, &disp, 4);
    p += 4;
    g_snprintf(name, sizeof(name), "%02X /%u memory", opcode, group);
    FpCase *fp_case = fp_batch_add(batch, code, p - code, name);
    fill(fp_case, displacement);
    uint8_t *operand = (uint8_t *)fp_case + displacement;
    if (opcode == 0xD9 && group == 4) { /* FLDENV: no pending exception for the next case's sake */
        operand[0] |= 0x3F;
    } else if (is_environment && group == 6) {
        /* FOP, FCS, FDP and FDS */
        fp_case->ignore_from = displacement - offsetof(FpCase, memory) + (word ? 8 : 16);
        fp_case->ignore_length = word ? 6 : 12;
    }
}

static void register_forms_are_the_processors(void **unused)
{
    FpBatch *batch = fp_batch_new();
    for (unsigned opcode = 0xD8; opcode <= 0xDF; opcode++) {
        for (unsigned modrm = 0xC0; modrm <= 0xFF; modrm++) {
            if (undefined_register_form(opcode, modrm))
                continue;
            unsigned n = opcode == 0xD9 && modrm >= 0xF0 ? 800 : 80;
            for (unsigned i = 0; i < n; i++) {
                char name[32];
                uint8_t code[2] = { opcode, modrm };
                g_snprintf(name, sizeof(name), "%02X %02X", opcode, modrm);
                fill(fp_batch_add(batch, code, 2, name), FP_OPERAND_OFFSET);
            }
        }
    }
    fp_batch_run(batch);
    fp_batch_free(batch);
}

static void memory_forms_are_the_processors(void **unused)
{
    FpBatch *batch = fp_batch_new();
    for (unsigned opcode = 0xD8; opcode <= 0xDF; opcode++) {
        for (unsigned group = 0; group < 8; group++) {
            for (unsigned i = 0; i < 500 && !undefined_memory_form(opcode, group); i++)
                add_memory_case(batch, opcode, group);
        }
    }
    fp_batch_run(batch);
    fp_batch_free(batch);
}

/* Several instructions on end, with everything masked: state that stays in the processor from one
 * to the next, and MMX in between. */
static unsigned random_instruction(uint8_t *out)
{
    static const uint8_t mmx[][3] = { { 0x0F, 0x77 },       { 0x0F, 0xFC, 0xC1 },
                                      { 0x0F, 0xEF, 0xDA }, { 0x0F, 0x6E, 0xD0 },
                                      { 0x0F, 0x7E, 0xD1 }, { 0x0F, 0xF6, 0xCB } };
    unsigned opcode = 0xD8 + fp_random_below(8), modrm = fp_random_below(64);
    unsigned kind = fp_random_below(16), displacement = FP_OPERAND_OFFSET + fp_random_below(17);
    if (kind == 0) {
        unsigned i = fp_random_below(G_N_ELEMENTS(mmx));
        memcpy(out, mmx[i], 3);
        return i ? 3 : 2;
    }
    if (kind < 10) {
        if (undefined_register_form(opcode, 0xC0 | modrm))
            return random_instruction(out);
        out[0] = opcode;
        out[1] = 0xC0 | modrm;
        return 2;
    }
    unsigned group = modrm >> 3;
    /* not FLDENV, FLDCW, FRSTOR: they could unmask; not FNSTENV and FNSAVE: they store pointers */
    if (undefined_memory_form(opcode, group) || (opcode == 0xD9 && group >= 4 && group <= 6) ||
        (opcode == 0xDD && (group == 4 || group == 6)))
        return random_instruction(out);
    out[0] = opcode;
    out[1] = 0x83 | group << 3;
    memcpy(out + 2, &displacement, 4);
    return 6;
}

static void sequences_are_the_processors(void **unused)
{
    FpBatch *batch = fp_batch_new();
    for (unsigned i = 0; i < 8000; i++) {
        uint8_t code[64];
        char name[64];
        unsigned length = 0, n = 2 + fp_random_below(8);
        for (unsigned k = 0; k < n; k++)
            length += random_instruction(code + length);
        for (unsigned k = 0; k < length && k < 28; k++)
            g_snprintf(name + 2 * k, 3, "%02x", code[k]);
        FpCase *fp_case = fp_batch_add(batch, code, length, name);
        fill(fp_case, FP_OPERAND_OFFSET);
        fp_case->in[0] |= 0x3F;
    }
    fp_batch_run(batch);
    fp_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_forms_are_the_processors),
        cmocka_unit_test(memory_forms_are_the_processors),
        cmocka_unit_test(sequences_are_the_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
