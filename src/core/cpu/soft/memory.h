/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Guest memory from a handler: the inlined hit path and the slow doors. Included by instruction
 * files.
 *
 * "Linear" functions take a linear address; "seg" functions an offset in a segment, with its
 * checks. All slow functions may raise a fault and not return: call SOFT_AT(cpu, op) before. Data
 * is little-endian. */

#include "core/cpu/soft/soft-cpu.h"
#include <string.h>

/* Tells the compiler that a hit is not NULL, which saves the handler a test. */
static inline void *soft_host_pointer(uintptr_t address)
{
    if (!address)
        __builtin_unreachable();
    return (void *)address;
}
/* Host address of the bytes [linear, linear + size) if the TLB allows it right now, else NULL. */
static inline void *soft_tlb_read(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    SoftTlbEntry *entry =
        (SoftTlbEntry *)((char *)cpu->tlb + ((linear >> 7) & ((SOFT_TLB_SIZE - 1) << 5)));
    if (G_LIKELY(entry->read == ((linear + size - 1) & ~UINT64_C(0xFFF))))
        return soft_host_pointer(linear + entry->addend);
    return NULL;
}
static inline void *soft_tlb_write(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    SoftTlbEntry *entry =
        (SoftTlbEntry *)((char *)cpu->tlb + ((linear >> 7) & ((SOFT_TLB_SIZE - 1) << 5)));
    if (G_LIKELY(entry->write == ((linear + size - 1) & ~UINT64_C(0xFFF))))
        return soft_host_pointer(linear + entry->addend);
    return NULL;
}
G_STATIC_ASSERT(sizeof(SoftTlbEntry) == 32);

/* Offset of the memory operand inside its segment. */
static inline uint64_t soft_ea(SoftCpu *cpu, const SoftOp *op)
{
    uint64_t offset =
        SOFT_R64(cpu, op->base) + (SOFT_R64(cpu, op->index) << op->scale) + (int64_t)op->disp;
    return offset & (~UINT64_C(0) >> op->ashift);
}

/* Fast forms. EA kinds: B = base + disp and BI = base + index * scale + disp, both for 64-bit mode,
 * 64-bit addresses and a segment with base 0 (ES, CS, SS, DS); G = everything else. Each gives the
 * host address or NULL (then: the slow twin of the handler). Chosen at decode time: SoftDecode.ea.
 */
typedef enum { SOFT_EA_B, SOFT_EA_BI, SOFT_EA_G, SOFT_N_EA } SoftEa;

static inline uint64_t soft_ea_b(SoftCpu *cpu, const SoftOp *op)
{
    return SOFT_R64(cpu, op->base) + (int64_t)op->disp;
}
static inline uint64_t soft_ea_bi(SoftCpu *cpu, const SoftOp *op)
{
    return SOFT_R64(cpu, op->base) + (SOFT_R64(cpu, op->index) << op->scale) + (int64_t)op->disp;
}
static inline void *soft_ptr_g(SoftCpu *cpu, const SoftOp *op, unsigned size, bool write)
{
    uint64_t offset = soft_ea(cpu, op);
    const SoftSegment *seg = &cpu->seg[op->seg];
    if (G_UNLIKELY(offset + size > seg->end[write]))
        return NULL;
    uint64_t linear = (seg->base + offset) & cpu->linear_mask;
    return write ? soft_tlb_write(cpu, linear, size) : soft_tlb_read(cpu, linear, size);
}
/* @kind is a compile-time constant in handlers. */
static inline __attribute__((always_inline)) void *soft_ptr(SoftCpu *cpu, const SoftOp *op,
                                                            SoftEa kind, unsigned size, bool write)
{
    if (kind == SOFT_EA_G)
        return soft_ptr_g(cpu, op, size, write);
    uint64_t linear = kind == SOFT_EA_B ? soft_ea_b(cpu, op) : soft_ea_bi(cpu, op);
    return write ? soft_tlb_write(cpu, linear, size) : soft_tlb_read(cpu, linear, size);
}
/* Read-modify-write needs .read too only when reads can be denied where writes are allowed: never
 * on x86. */

/* Slow doors, always right: segment checks, TLB fill, page crossings, devices, code pages,
 * breakpoints. */
uint64_t soft_load(SoftCpu *cpu, unsigned seg, uint64_t offset,
                   unsigned size); /* 1, 2, 4, 8; zero-extended */
void soft_store(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size, uint64_t value);
void soft_load_bytes(SoftCpu *cpu, unsigned seg, uint64_t offset, void *out,
                     unsigned length); /* ≤ 4096; no partial fault effects */
void soft_store_bytes(SoftCpu *cpu, unsigned seg, uint64_t offset, const void *bytes,
                      unsigned length);
/* Faults now if the bytes cannot be written; so that what follows cannot fault. */
void soft_probe_store(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned length);
void soft_probe_store_linear(SoftCpu *cpu, uint64_t linear, unsigned length);
/* Checks the segment and gives the linear address (#GP, #SS, non-canonical). */
uint64_t soft_linear(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size, bool write);

uint64_t soft_load_linear(SoftCpu *cpu, uint64_t linear, unsigned size);
void soft_store_linear(SoftCpu *cpu, uint64_t linear, unsigned size, uint64_t value);
/* Implicit supervisor accesses (descriptor tables, TSS, interrupt stacks), whatever the CPL is. */
uint64_t soft_load_system(SoftCpu *cpu, uint64_t linear, unsigned size);
void soft_store_system(SoftCpu *cpu, uint64_t linear, unsigned size, uint64_t value);

/* Writable host address of an operand of a LOCKed instruction, @size bytes, after all checks; NULL
 * when it is not plain memory, or crosses a page, or is code: then the caller does load and store
 * between soft_exclusive_begin/end (split locks, devices). Natural misalignment inside a page is
 * fine: host LOCK does it. */
void *soft_lock_pointer(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size);

/* Bulk access for string instructions: host address of plain memory at @linear and in *@out_length
 * how many bytes follow in that page (and segment limits are the caller's). NULL: not plain memory,
 * go one by one. May fault. The write form has dropped decoded code of the whole rest of the page.
 */
const uint8_t *soft_span_read(SoftCpu *cpu, uint64_t linear, unsigned *out_length);
uint8_t *soft_span_write(SoftCpu *cpu, uint64_t linear, unsigned *out_length);

/* Convenience for handlers off the hottest path: fast when the TLB hits, else the slow door.
 * SOFT_AT before. */
static inline uint64_t soft_read_operand(SoftCpu *cpu, const SoftOp *op, unsigned size)
{
    void *p = soft_ptr_g(cpu, op, size, false);
    uint64_t value = 0;
    if (G_LIKELY(p)) {
        switch (size) {
        case 1: return *(uint8_t *)p;
        case 2: return *(uint16_t *)p;
        case 4: return *(uint32_t *)p;
        default: return *(uint64_t *)p;
        }
    }
    value = soft_load(cpu, op->seg, soft_ea(cpu, op), size);
    return value;
}
static inline void soft_write_operand(SoftCpu *cpu, const SoftOp *op, unsigned size, uint64_t value)
{
    void *p = soft_ptr_g(cpu, op, size, true);
    if (G_LIKELY(p)) {
        switch (size) {
        case 1: *(uint8_t *)p = (uint8_t)value; return;
        case 2: *(uint16_t *)p = (uint16_t)value; return;
        case 4: *(uint32_t *)p = (uint32_t)value; return;
        default: *(uint64_t *)p = value; return;
        }
    }
    soft_store(cpu, op->seg, soft_ea(cpu, op), size, value);
}

/* Ports. Size 1, 2, 4. The caller has checked permission (IOPL, I/O bitmap). */
uint32_t soft_port_read(SoftCpu *cpu, uint16_t port, unsigned size);
void soft_port_write(SoftCpu *cpu, uint16_t port, unsigned size, uint32_t value);

/* mmu.c: translation caches. */
void soft_tlb_flush(SoftCpu *cpu, bool keep_global);
void soft_tlb_flush_page(SoftCpu *cpu, uint64_t linear);
/* PAE: reads the four PDPTEs at CR3 (#GP on reserved bits when @cr3 is being loaded). */
void soft_load_pdptes(SoftCpu *cpu, uint64_t cr3);

/* exclusive.c: alone in the machine. Between begin and end no other vCPU executes guest code (those
 * in device code do not count). Do not take the board lock inside. */
void soft_exclusive_begin(SoftCpu *cpu);
void soft_exclusive_end(SoftCpu *cpu);
