/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#pragma once

/* What the vCPUs of one machine share, and the two ways in which they meet: exclusive sections (one
 * runs, all others wait outside guest code) and mailboxes (pages whose decoded code must go).
 * Included by the driver files of this folder; any thread where said. */

#include "core/cpu/cpu-gate.h"
#include "core/cpu/soft/soft-cpu.h"

#define SOFT_MAX_CPUS 64
#define SOFT_MAILBOX 64

struct SoftMachine {
    const CpuBoard *board; /* borrowed */
    unsigned n_vcpus;
    SoftCpu *vcpu[SOFT_MAX_CPUS]; /* borrowed; registered by vcpu_init */
    CpuGate gate;
    GMutex mail_lock;
    struct SoftMailbox {
        unsigned n;
        bool overflow;
        struct {
            uint64_t host_page;
            uint64_t lines; /* 64-byte lines written */
        } page[SOFT_MAILBOX];
    } mailbox[SOFT_MAX_CPUS];
};

/* A vCPU goes into and out of guest code. Inside, it may use its TLBs, view and code cache;
 * outside, others may change them. Enter waits while an exclusive section is wanted. */
void soft_guest_enter(SoftCpu *cpu);
void soft_guest_leave(SoftCpu *cpu);

/* Exclusive sections of threads that are no vCPU, or of one outside guest code. */
void soft_machine_exclusive_begin(SoftMachine *machine);
void soft_machine_exclusive_end(SoftMachine *machine);

/* Tells every vCPU but @self that lines of a page were written which some cache holds decoded. */
void soft_machine_post_code_written(SoftMachine *machine, SoftCpu *self, uint64_t host_page,
                                    uint64_t lines);
void soft_read_mailbox(SoftCpu *cpu);

/* block.c. */
SoftCodeCache *soft_code_cache_new(SoftCpu *cpu);
void soft_code_cache_free(SoftCpu *cpu);
void soft_code_cache_flush(SoftCpu *cpu);
/* The same, and the host has the memory back. Bytes of decoded instructions that it is about. */
void soft_code_cache_give_back(SoftCpu *cpu);
uint64_t soft_code_cache_used(const SoftCpu *cpu);
/* This vCPU's share of a store to the page at host address @host_page, @lines of 64 bytes; @bulk:
 * do not weigh, drop. */
void soft_code_cache_written(SoftCpu *cpu, uint64_t host_page, uint64_t lines, bool bulk);
/* mmu.c. */
void soft_mmu_init(SoftCpu *cpu);
void soft_mmu_clear(SoftCpu *cpu);
/* Forgets physical lookups too: the view or A20 changed. */
void soft_mmu_view_changed(SoftCpu *cpu);
/* Write hits of the page at host address @host_page (all contexts) end: it holds code, or is to be
 * logged again. */
void soft_mmu_protect_page(SoftCpu *cpu, uint64_t host_page);
void soft_mmu_protect_logged(SoftCpu *cpu);

/* A physical page as the CPU sees it. host NULL: a device, or nothing. */
typedef struct {
    uint64_t page; /* physical address; UINT64_MAX: empty entry */
    uint8_t *host;
    Ram *ram;          /* NULL with host NULL */
    uint64_t ram_page; /* number of the page in @ram */
    bool writable;
} SoftPhysPage;
const SoftPhysPage *soft_phys_page(SoftCpu *cpu, uint64_t phys);

/* A linear page for an access; raises #PF. */
typedef enum { SOFT_READ, SOFT_WRITE, SOFT_FETCH } SoftAccess;
/* Physical address of @linear, with A and D set as the access demands, and the TLB filled where
 * that is possible. */
uint64_t soft_translate(SoftCpu *cpu, uint64_t linear, SoftAccess access, unsigned context);
/* The ITLB entry for the page of @linear, filled. Raises #PF. */
const SoftItlbEntry *soft_itlb_fill(SoftCpu *cpu, uint64_t linear);
static inline const SoftItlbEntry *soft_itlb_lookup(SoftCpu *cpu, uint64_t linear)
{
    const SoftItlbEntry *entry = &cpu->itlb[(linear >> 12) & (SOFT_ITLB_SIZE - 1)];
    if (G_LIKELY(entry->tag == ((linear & ~UINT64_C(0xFFF)) | (cpu->cpl == 3 ? 1 : 2))))
        return entry;
    return soft_itlb_fill(cpu, linear);
}

/* run.c: moves a deterministic clock on to the instructions retired so far. */
void soft_sync_clock(SoftCpu *cpu);

/* run.c: SOFT_MODE_FLAT follows the segment registers. */
void soft_update_flat(SoftCpu *cpu);
/* segment.c: recomputes SoftSegment.end from the rest and the mode. */
void soft_segment_cache(SoftCpu *cpu, unsigned seg);
/* sse/x87: host floating-point state on the way in and out of the run loop. */
void soft_fp_enter(SoftCpu *cpu);
void soft_fp_leave(SoftCpu *cpu);
