/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

/* Where the beam is, for programs that wait for it. From the CRT controller's registers and the
 * dot clock, or a plain 60 Hz where those make no sense (as behind a Bochs mode). */

typedef struct {
    uint64_t line_ns;
    unsigned lines, shown_lines, retrace_first;
    unsigned characters, shown_characters;
} VgaTiming;

static void vga_timing(const VgaRegs *regs, VgaTiming *t)
{
    unsigned hz = (regs->misc & 0x0C) == 0x04 ? 28322000 : 25175000;
    unsigned dots = regs->sr[1] & 1 ? 8 : 9;

    t->characters = regs->cr[0] + 5;
    t->shown_characters = regs->cr[1] + 1;
    t->lines = (regs->cr[6] | (regs->cr[7] & 1) << 8 | (regs->cr[7] & 0x20) << 4) + 2;
    t->shown_lines = (regs->cr[0x12] | (regs->cr[7] & 2) << 7 | (regs->cr[7] & 0x40) << 3) + 1;
    t->retrace_first = regs->cr[0x10] | (regs->cr[7] & 4) << 6 | (regs->cr[7] & 0x80) << 2;
    t->line_ns =
        (uint64_t)t->characters * dots * (regs->sr[1] & 8 ? 2 : 1) * CLOCK_NS_PER_SECOND / hz;
    if (t->line_ns < 10000 || t->line_ns > 100000 || t->lines < 200 || t->shown_lines >= t->lines ||
        t->retrace_first >= t->lines || t->shown_characters >= t->characters ||
        vga_dispi_enabled(regs))
        *t = (VgaTiming){ 31746, 525, 480, 490, 100, 80 };
}

uint8_t vga_retrace(const VgaRegs *regs, uint64_t now_ns)
{
    VgaTiming t;
    uint64_t in_frame;
    unsigned line;
    bool shows, retraces;

    vga_timing(regs, &t);
    in_frame = now_ns % (t.line_ns * t.lines);
    line = in_frame / t.line_ns;
    shows = line < t.shown_lines &&
            in_frame % t.line_ns * t.characters / t.line_ns < t.shown_characters;
    /* Real retrace is two lines; whoever polls slowly must not miss it every time. */
    retraces = line >= t.retrace_first && line < t.retrace_first + 16;
    return (shows ? 0 : 0x01) | (retraces ? 0x08 : 0);
}
