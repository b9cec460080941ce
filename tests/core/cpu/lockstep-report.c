/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "lockstep-report.h"
#include "lockstep-insn.h"
#include "lockstep.h"
#include <string.h>

#define MEMORY_SHOWN 8

typedef struct {
    const char *name;
    size_t offset;
    unsigned size;
    uint64_t mask; /* of sizes up to 8 */
} Field;

#define FIELD(name, member, mask)                                                                  \
    {                                                                                              \
        name, offsetof(CpuState, member), sizeof(((CpuState *)0)->member), mask                    \
    }
#define ALL UINT64_MAX
#define SEGMENT(name, member)                                                                      \
    FIELD(name, member.selector, ALL), FIELD(name " base", member.base, ALL),                      \
        FIELD(name " limit", member.limit, ALL), FIELD(name " rights", member.attributes, 0xF0FF)
#define XSAVE(name, at, size)                                                                      \
    {                                                                                              \
        name, offsetof(CpuState, xsave) + (at), size, ALL                                          \
    }
#define ST(n) XSAVE("st" #n, 32 + 16 * n, 10)
#define XMM(n) XSAVE("xmm" #n, 160 + 16 * n, 16)

/* RF is hidden by some; bits of DR6 beyond those that say why are fixed. */
static const Field fields[] = {
    FIELD("rip", rip, ALL),
    FIELD("rax", gpr[0], ALL),
    FIELD("rcx", gpr[1], ALL),
    FIELD("rdx", gpr[2], ALL),
    FIELD("rbx", gpr[3], ALL),
    FIELD("rsp", gpr[4], ALL),
    FIELD("rbp", gpr[5], ALL),
    FIELD("rsi", gpr[6], ALL),
    FIELD("rdi", gpr[7], ALL),
    FIELD("r8", gpr[8], ALL),
    FIELD("r9", gpr[9], ALL),
    FIELD("r10", gpr[10], ALL),
    FIELD("r11", gpr[11], ALL),
    FIELD("r12", gpr[12], ALL),
    FIELD("r13", gpr[13], ALL),
    FIELD("r14", gpr[14], ALL),
    FIELD("r15", gpr[15], ALL),
    FIELD("rflags", rflags, ~(UINT64_C(1) << 16)),
    SEGMENT("es", segment[CPU_ES]),
    SEGMENT("cs", segment[CPU_CS]),
    SEGMENT("ss", segment[CPU_SS]),
    SEGMENT("ds", segment[CPU_DS]),
    SEGMENT("fs", segment[CPU_FS]),
    SEGMENT("gs", segment[CPU_GS]),
    SEGMENT("ldtr", ldt),
    SEGMENT("tr", task),
    FIELD("gdtr base", gdt.base, ALL),
    FIELD("gdtr limit", gdt.limit, ALL),
    FIELD("idtr base", idt.base, ALL),
    FIELD("idtr limit", idt.limit, ALL),
    FIELD("cr0", cr0, ALL),
    FIELD("cr2", cr2, ALL),
    FIELD("cr3", cr3, ALL),
    FIELD("cr4", cr4, ALL),
    FIELD("efer", efer, ALL),
    FIELD("dr0", dr[0], ALL),
    FIELD("dr1", dr[1], ALL),
    FIELD("dr2", dr[2], ALL),
    FIELD("dr3", dr[3], ALL),
    FIELD("dr6", dr[6], 0xE00F),
    FIELD("dr7", dr[7], ALL),
    FIELD("xcr0", xcr0, ALL),
    XSAVE("fcw", 0, 2),
    XSAVE("fsw", 2, 2),
    XSAVE("ftw", 4, 1),
    XSAVE("mxcsr", 24, 4),
    ST(0),
    ST(1),
    ST(2),
    ST(3),
    ST(4),
    ST(5),
    ST(6),
    ST(7),
    XMM(0),
    XMM(1),
    XMM(2),
    XMM(3),
    XMM(4),
    XMM(5),
    XMM(6),
    XMM(7),
    XMM(8),
    XMM(9),
    XMM(10),
    XMM(11),
    XMM(12),
    XMM(13),
    XMM(14),
    XMM(15),
    FIELD("star", msr.star, ALL),
    FIELD("lstar", msr.lstar, ALL),
    FIELD("cstar", msr.cstar, ALL),
    FIELD("sfmask", msr.sfmask, ALL),
    FIELD("kernel gs base", msr.kernel_gs_base, ALL),
    FIELD("tsc aux", msr.tsc_aux, ALL),
    FIELD("pat", msr.pat, ALL),
    FIELD("sysenter cs", msr.sysenter_cs, ALL),
    FIELD("sysenter esp", msr.sysenter_esp, ALL),
    FIELD("sysenter eip", msr.sysenter_eip, ALL),
    FIELD("halted", halted, ALL),
    FIELD("interrupt shadow", interrupt_shadow, ALL),
    FIELD("nmi blocked", nmi_blocked, ALL),
};

static uint64_t value_of(const Field *field, const CpuState *state)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)state + field->offset, MIN(field->size, 8));
    return value & field->mask;
}

/* A segment register that holds nothing usable has no base, limit or rights worth a word (of FS and
 * GS the base counts in 64-bit mode); real mode has no rights. */
static bool counts(const Field *field, const CpuState *state)
{
    for (unsigned i = 0; i < CPU_N_SEGMENTS + 1; i++) {
        const CpuSegment *segment = i < CPU_N_SEGMENTS ? &state->segment[i] : &state->ldt;
        size_t start = (size_t)((const char *)segment - (const char *)state);
        if (field->offset >= start && field->offset < start + sizeof *segment &&
            field->offset != start + offsetof(CpuSegment, selector)) {
            if (!(state->cr0 & 1) && field->offset == start + offsetof(CpuSegment, attributes))
                return false;
            bool null = state->efer & 1 << 10 && (segment->selector & ~3) == 0 && i != CPU_FS &&
                        i != CPU_GS;
            return segment->attributes & 0x80 && !null;
        }
    }
    return true;
}

static bool same(const Field *field, const CpuState *one, const CpuState *other)
{
    if (!counts(field, one) && !counts(field, other))
        return true;
    if (field->size <= 8)
        return value_of(field, one) == value_of(field, other);
    return memcmp((const char *)one + field->offset, (const char *)other + field->offset,
                  field->size) == 0;
}

const char *lockstep_compare(const CpuState *one, const CpuState *other)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
        if (!same(&fields[i], one, other))
            return fields[i].name;
    return NULL;
}

static void add_instruction(GString *text, const LockstepReport *r)
{
    uint64_t at = lockstep_code_address(r->before);
    if (at + LOCKSTEP_INSTRUCTION_MAX > CPU_HARNESS_RAM_SIZE)
        return;
    const uint8_t *bytes = cpu_harness_ram(r->harness[0]) + at;
    g_autofree char *words = lockstep_disassemble(bytes, r->before);
    g_string_append_printf(text, "  %04x:%08" G_GINT64_MODIFIER "x ",
                           r->before->segment[CPU_CS].selector, r->before->rip);
    for (unsigned i = 0; i < LOCKSTEP_INSTRUCTION_MAX; i++)
        g_string_append_printf(text, " %02x", bytes[i]);
    g_string_append_printf(text, "\n  %s\n", words ? words : "(no objdump here)");
}

/* Side by side ----------------------------------------------------------------------------- */

static void add_value(GString *text, const Field *field, const CpuState *state)
{
    if (field->size <= 8) {
        g_string_append_printf(text, " %20" G_GINT64_MODIFIER "x", value_of(field, state));
        return;
    }
    g_string_append_c(text, ' ');
    for (unsigned i = field->size; i-- > 0;)
        g_string_append_printf(text, "%02x", ((const uint8_t *)state)[field->offset + i]);
}

static void add_fields(GString *text, const LockstepReport *r)
{
    g_string_append_printf(text, "  %-16s %20s %20s %20s\n", "", "before", r->name[0], r->name[1]);
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        const Field *field = &fields[i];
        bool differs = !same(field, &r->after[0], &r->after[1]);
        if (!differs && i > 17)
            continue;
        g_string_append_printf(text, "  %-16s", field->name);
        add_value(text, field, r->before);
        add_value(text, field, &r->after[0]);
        add_value(text, field, &r->after[1]);
        g_string_append(text, differs ? "  <\n" : "\n");
    }
}

static void add_memory(GString *text, const LockstepReport *r, uint64_t gpa, size_t length)
{
    const uint8_t *one = cpu_harness_ram(r->harness[0]), *other = cpu_harness_ram(r->harness[1]);
    unsigned shown = 0;
    for (uint64_t at = gpa; at < gpa + length && shown < MEMORY_SHOWN; at++) {
        if (one[at] == other[at])
            continue;
        g_string_append_printf(text, "  memory %" G_GINT64_MODIFIER "x: %s %02x, %s %02x\n", at,
                               r->name[0], one[at], r->name[1], other[at]);
        shown++;
    }
}

char *lockstep_report(const LockstepReport *r, uint64_t gpa, size_t length)
{
    GString *text = g_string_new(NULL);
    if (r->n)
        g_string_append_printf(text, "instruction %" G_GUINT64_FORMAT ": %s differs\n", r->n,
                               r->field);
    else
        g_string_append_printf(text, "%s differs\n", r->field);
    add_instruction(text, r);
    add_fields(text, r);
    add_memory(text, r, gpa, length);
    return g_string_free(text, FALSE);
}
