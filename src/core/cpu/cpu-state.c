/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/cpu/cpu.h"
#include <string.h>

void cpu_state_reset(CpuState *state, bool is_boot_cpu)
{
    memset(state, 0, sizeof *state);
    state->gpr[2] = 0x000206C2; /* EDX: family, model, stepping */
    state->rip = 0xFFF0;
    state->rflags = 2;
    state->cr0 = 0x60000010;
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        state->segment[i] = (CpuSegment){ .limit = 0xFFFF, .attributes = 0x93 };
    state->segment[CPU_CS] =
        (CpuSegment){ .base = 0xFFFF0000, .limit = 0xFFFF, .selector = 0xF000, .attributes = 0x9B };
    state->ldt = (CpuSegment){ .limit = 0xFFFF, .attributes = 0x82 };
    state->task = (CpuSegment){ .limit = 0xFFFF, .attributes = 0x8B };
    state->gdt.limit = state->idt.limit = 0xFFFF;
    state->dr[6] = 0xFFFF0FF0;
    state->dr[7] = 0x400;
    state->xcr0 = 1;
    state->xsave[0] = 0x40; /* FCW 0040h: power-on, not FNINIT */
    state->xsave[4] = 0xFF; /* abridged tag: all registers valid zeros */
    state->xsave[24] = 0x80;
    state->xsave[25] = 0x1F; /* MXCSR 1F80h */
    state->msr.pat = UINT64_C(0x0007040600070406);
    state->msr.misc_enable = 0x1801; /* fast strings; no branch trace, no PEBS */
    state->wait_sipi = !is_boot_cpu;
}

uint64_t cpu_deadline_to_ns(uint64_t deadline, uint64_t tsc_offset, uint64_t tsc_hz)
{
    int64_t ticks = (int64_t)(deadline - tsc_offset);

    if (deadline == 0)
        return 0;
    return ticks <= 0 ? 1 : clock_ticks_to_ns((uint64_t)ticks, tsc_hz);
}

uint64_t cpu_deadline_from_ns(uint64_t deadline_ns, uint64_t tsc_offset, uint64_t tsc_hz)
{
    if (deadline_ns == 0)
        return 0;
    uint64_t deadline = clock_ns_to_ticks(deadline_ns, tsc_hz) + tsc_offset;
    return deadline ? deadline : 1;
}
