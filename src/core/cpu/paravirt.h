/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a guest that knows of its virtual machine gets from it beside a processor: kvmclock, by the
 * MSRs of Documentation/virt/kvm/x86/msr.rst of Linux, and Hyper-V's synthetic MSRs. The registers
 * are a device of the board's, so they stay where they are when the guest changes its CPU, and are
 * the same on each: a CPU hands the accesses over. Included by the board and the CPU backends.
 *
 * The guest's TSC is invariant, so what is written into its memory for it to tell the time by
 * holds until the TSC itself is set: nobody writes there while it runs. */

#include "core/cpu/cpu.h"

/* Of the vCPU that asks: its time-stamp counter, and CpuState.tsc_offset. */
typedef struct {
    uint64_t now, offset;
} ParavirtTsc;

/* @base_seconds: time of day (since 1970, UTC) when the machine's clock is 0; -1: the host's. */
Device *paravirt_new(int64_t base_seconds);

/* Whether an MSR is one of these at all, for a guest that was told @model. */
bool paravirt_has_msr(const CpuModel *model, uint32_t msr);
/* The vCPU's thread, in no guest code; they take the board lock. False: #GP. */
bool paravirt_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                       uint64_t *out_value);
bool paravirt_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                        uint64_t value);
/* A hypercall as KVM's guests make it (Documentation/virt/kvm/x86/hypercalls.rst), from ring 0, for
 * CPUs that have no kernel to answer it: the number, up to two arguments, and what to put in RAX.
 * Thread and lock as above. */
int64_t paravirt_call(const CpuBoard *board, ParavirtTsc tsc, uint64_t number, uint64_t a0,
                      uint64_t a1);
/* The vCPU's TSC counts from elsewhere: what was derived from it is written anew. Any thread while
 * the vCPU is in no guest code; takes the board lock. */
void paravirt_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc);
/* TSCs that run by themselves were found @ticks ahead of the machine's clock: their offsets are
 * counted anew from there on, and the guest's time must not be set back by that. Any thread. */
void paravirt_add_lead(const CpuBoard *board, uint64_t ticks);
