/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The registers behind paravirt.h, and who fills what they point to. Board lock held throughout.
 * Included by the files of paravirt.h. */

#include "core/cpu/paravirt.h"
#include <string.h>

#define PARAVIRT_MAX_CPUS 64

enum { KVM_CALL_CLOCK_PAIRING = 9 };
enum { KVM_FAULT = -14, KVM_NOT_SUPPORTED = -95, KVM_NOT_IMPLEMENTED = -1000 };

/* A vCPU's time information in guest memory. */
typedef struct {
    uint64_t msr;     /* address | enabled */
    uint64_t zero;    /* TSC at power-on, as written there */
    uint32_t version; /* of what is written there; even */
} PvClockPage;

/* A page that lies over one of the guest's. */
typedef struct {
    uint64_t msr; /* address | enabled */
    uint8_t beneath[RAM_PAGE_SIZE];
} HypervOverlay;

typedef struct {
    uint64_t guest_os_id;
    HypervOverlay call, reference;
    uint64_t zero;          /* TSC at power-on, as the reference page has it … */
    uint32_t reference_cpu; /* … of that vCPU */
    uint32_t sequence;
} HypervState;

struct Paravirt {
    Device dev;
    int64_t base_seconds;
    /* guest state */
    uint64_t lead; /* atomic: ticks by which TSCs were ahead of the clock when last counted anew */
    uint64_t wall_clock;
    PvClockPage clock[PARAVIRT_MAX_CPUS];
    HypervState hyperv;
};

uint64_t paravirt_zero(const Paravirt *pv, ParavirtTsc tsc);

/* pv-clock.c */
bool pv_clock_has_msr(const CpuModel *model, uint32_t msr);
bool pv_clock_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, uint64_t *out_value);
bool pv_clock_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                        uint64_t value);
int64_t pv_clock_pair(const CpuBoard *board, ParavirtTsc tsc, uint64_t gpa, uint64_t type);
void pv_clock_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc);

/* hyperv.c */
bool hyperv_has_msr(const CpuModel *model, uint32_t msr);
bool hyperv_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                     uint64_t *out_value);
bool hyperv_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                      uint64_t value);
void hyperv_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc);
