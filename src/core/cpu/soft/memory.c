/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The slow doors to memory and ports: segment checks, translation, page crossings, devices, pages
 * that hold code, watched pages. */

#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/soft-machine.h"

#define PAGE_LEFT(linear) (RAM_PAGE_SIZE - (unsigned)((linear) & (RAM_PAGE_SIZE - 1)))

static G_NORETURN void segment_fault(SoftCpu *cpu, unsigned seg)
{
    soft_fault_error(cpu, seg == CPU_SS ? X86_SS : X86_GP, 0);
}

static bool is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

static bool segment_allows(SoftCpu *cpu, const SoftSegment *seg, uint64_t offset, unsigned size,
                           bool write)
{
    unsigned type = seg->attributes & 0xF;
    if (!soft_in_real_or_v86(cpu)) {
        bool is_code = type & 8;
        if (!(seg->attributes & 0x80))
            return false; /* null selector */
        if (write ? is_code || !(type & 2) : is_code && !(type & 2))
            return false;
    }
    uint64_t last = offset + size - 1;
    if ((type & 0xC) == 4 && !soft_in_real_or_v86(cpu)) { /* expand-down */
        uint64_t top = seg->attributes & 0x4000 ? 0xFFFFFFFF : 0xFFFF;
        return offset > seg->limit && last <= top && last >= offset;
    }
    return last <= seg->limit && last >= offset;
}

uint64_t soft_linear(SoftCpu *cpu, unsigned seg_number, uint64_t offset, unsigned size, bool write)
{
    const SoftSegment *seg = &cpu->seg[seg_number];
    if (soft_in_64bit(cpu)) {
        uint64_t linear = offset + (seg_number >= CPU_FS ? seg->base : 0);
        if (!is_canonical(linear) || !is_canonical(linear + size - 1))
            segment_fault(cpu, seg_number);
        return linear;
    }
    if (offset + size > seg->end[write] && !segment_allows(cpu, seg, offset, size, write))
        segment_fault(cpu, seg_number);
    return (seg->base + offset) & 0xFFFFFFFF;
}

/* Marks and drops what a store to plain memory at @host changes. */
static void memory_written(SoftCpu *cpu, const SoftPhysPage *page, unsigned offset, unsigned length,
                           bool bulk)
{
    Ram *ram = page->ram;
    if (ram->dirty)
        ram->dirty[page->ram_page] = 1;
    if (G_LIKELY(!__atomic_load_n(&ram->code[page->ram_page], __ATOMIC_SEQ_CST)))
        return;
    unsigned first = offset / 64, last = (offset + length - 1) / 64;
    uint64_t lines = (~UINT64_C(0) >> (63 - last)) & (~UINT64_C(0) << first);
    soft_code_cache_written(cpu, (uintptr_t)page->host, lines, bulk);
    if (cpu->machine->n_vcpus > 1 && __atomic_load_n(&ram->code[page->ram_page], __ATOMIC_SEQ_CST))
        soft_machine_post_code_written(cpu->machine, cpu, (uintptr_t)page->host, lines);
}

/* Devices are entered outside guest code, so that nobody who wants to be alone waits for a device.
 */
static void clock_catch_up(SoftCpu *cpu)
{
    if (clock_kind(cpu->vcpu.board->clock) == CLOCK_DETERMINISTIC)
        soft_sync_clock(cpu);
}

static uint64_t device_read(SoftCpu *cpu, uint64_t phys, unsigned size)
{
    const CpuBoard *board = cpu->vcpu.board;
    uint64_t value;
    clock_catch_up(cpu);
    if (board->apic_page &&
        (phys & ~UINT64_C(0xFFF)) == board->apic_page(board->opaque, cpu->vcpu.id)) {
        soft_guest_leave(cpu);
        value = board->apic_read(board->opaque, cpu->vcpu.id, phys & 0xFFF, size);
        soft_guest_enter(cpu);
        return value;
    }
    Span gap;
    const Span *found = flat_view_find(cpu->view, phys, &gap);
    Span span = found ? *found : gap;
    if (span_read_lockless(&span, phys, size, &value))
        return value;
    soft_guest_leave(cpu);
    value = span_read(&span, phys, size, true);
    soft_guest_enter(cpu);
    return value;
}

static void device_write(SoftCpu *cpu, uint64_t phys, unsigned size, uint64_t value)
{
    const CpuBoard *board = cpu->vcpu.board;
    clock_catch_up(cpu);
    if (board->apic_page &&
        (phys & ~UINT64_C(0xFFF)) == board->apic_page(board->opaque, cpu->vcpu.id)) {
        soft_guest_leave(cpu);
        board->apic_write(board->opaque, cpu->vcpu.id, phys & 0xFFF, size, value);
        soft_guest_enter(cpu);
        return;
    }
    Span gap;
    const Span *found = flat_view_find(cpu->view, phys, &gap);
    Span span = found ? *found : gap;
    if (span_write_lockless(&span, phys, size, value))
        return;
    soft_guest_leave(cpu);
    span_write(&span, phys, size, value, true);
    soft_guest_enter(cpu);
}

static uint64_t host_load(const uint8_t *p, unsigned size)
{
    switch (size) {
    case 1: return *p;
    case 2: return *(const uint16_t *)p;
    case 4: return *(const uint32_t *)p;
    default: return *(const uint64_t *)p;
    }
}

static void host_store(uint8_t *p, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: *p = (uint8_t)value; break;
    case 2: *(uint16_t *)p = (uint16_t)value; break;
    case 4: *(uint32_t *)p = (uint32_t)value; break;
    default: *(uint64_t *)p = value; break;
    }
}

/* Accesses inside one page, translated already. */
static uint64_t phys_load(SoftCpu *cpu, uint64_t phys, unsigned size)
{
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (G_LIKELY(page->host))
        return host_load(page->host + (phys & 0xFFF), size);
    return device_read(cpu, phys, size);
}

static void phys_store(SoftCpu *cpu, uint64_t phys, unsigned size, uint64_t value)
{
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (G_LIKELY(page->host && page->writable)) {
        host_store(page->host + (phys & 0xFFF), size, value);
        memory_written(cpu, page, phys & 0xFFF, size, false);
        return;
    }
    device_write(cpu, phys, size, value);
}

static uint64_t load_in_context(SoftCpu *cpu, uint64_t linear, unsigned size, unsigned context)
{
    if (cpu->watch_any)
        soft_debug_access(cpu, linear, size, false);
    if (G_LIKELY(PAGE_LEFT(linear) >= size))
        return phys_load(cpu, soft_translate(cpu, linear, SOFT_READ, context), size);
    unsigned head = PAGE_LEFT(linear);
    uint64_t next = (linear + head) & cpu->linear_mask;
    uint64_t phys1 = soft_translate(cpu, linear, SOFT_READ, context);
    uint64_t phys2 = soft_translate(cpu, next, SOFT_READ, context);
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= phys_load(cpu, i < head ? phys1 + i : phys2 + (i - head), 1) << i * 8;
    return value;
}

static void store_in_context(SoftCpu *cpu, uint64_t linear, unsigned size, uint64_t value,
                             unsigned context)
{
    if (cpu->watch_any)
        soft_debug_access(cpu, linear, size, true);
    if (G_LIKELY(PAGE_LEFT(linear) >= size)) {
        phys_store(cpu, soft_translate(cpu, linear, SOFT_WRITE, context), size, value);
        return;
    }
    unsigned head = PAGE_LEFT(linear);
    uint64_t next = (linear + head) & cpu->linear_mask;
    uint64_t phys1 = soft_translate(cpu, linear, SOFT_WRITE, context);
    uint64_t phys2 = soft_translate(cpu, next, SOFT_WRITE, context);
    for (unsigned i = 0; i < size; i++)
        phys_store(cpu, i < head ? phys1 + i : phys2 + (i - head), 1, (uint8_t)(value >> i * 8));
}

static void check_linear(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    if (soft_in_long_mode(cpu) && (!is_canonical(linear) || !is_canonical(linear + size - 1)))
        soft_fault_error(cpu, X86_GP, 0);
}

/* Alignment checking is a matter of user code only, and of the slow doors: while it is on, the TLB
 * holds nothing for user code (soft_update_context). */
static void check_alignment(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    if (G_UNLIKELY(cpu->cpl == 3 && cpu->cr0 & CR0_AM && cpu->rflags & RFLAGS_AC) &&
        linear & (size - 1))
        soft_fault_error(cpu, X86_AC, 0);
}

uint64_t soft_load_linear(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    check_linear(cpu, linear, size);
    void *p = soft_tlb_read(cpu, linear, size);
    return p ? host_load(p, size) : load_in_context(cpu, linear, size, cpu->context);
}

void soft_store_linear(SoftCpu *cpu, uint64_t linear, unsigned size, uint64_t value)
{
    check_linear(cpu, linear, size);
    void *p = soft_tlb_write(cpu, linear, size);
    if (p)
        host_store(p, size, value);
    else
        store_in_context(cpu, linear, size, value, cpu->context);
}

uint64_t soft_load_system(SoftCpu *cpu, uint64_t linear, unsigned size)
{
    linear &= cpu->efer & EFER_LMA ? UINT64_MAX : UINT32_MAX;
    check_linear(cpu, linear, size);
    unsigned context = cpu->cr4 & CR4_SMAP ? SOFT_CONTEXT_KERNEL : SOFT_CONTEXT_KERNEL_USER;
    SoftTlbEntry *table = cpu->tlb;
    cpu->tlb = cpu->tlb_table[context];
    void *p = soft_tlb_read(cpu, linear, size);
    cpu->tlb = table;
    return p ? host_load(p, size) : load_in_context(cpu, linear, size, context);
}

void soft_store_system(SoftCpu *cpu, uint64_t linear, unsigned size, uint64_t value)
{
    linear &= cpu->efer & EFER_LMA ? UINT64_MAX : UINT32_MAX;
    check_linear(cpu, linear, size);
    unsigned context = cpu->cr4 & CR4_SMAP ? SOFT_CONTEXT_KERNEL : SOFT_CONTEXT_KERNEL_USER;
    SoftTlbEntry *table = cpu->tlb;
    cpu->tlb = cpu->tlb_table[context];
    void *p = soft_tlb_write(cpu, linear, size);
    cpu->tlb = table;
    if (p)
        host_store(p, size, value);
    else
        store_in_context(cpu, linear, size, value, context);
}

uint64_t soft_load(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size)
{
    uint64_t linear = soft_linear(cpu, seg, offset, size, false);
    void *p = soft_tlb_read(cpu, linear, size);
    if (p)
        return host_load(p, size);
    check_alignment(cpu, linear, size);
    return load_in_context(cpu, linear, size, cpu->context);
}

void soft_store(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t linear = soft_linear(cpu, seg, offset, size, true);
    void *p = soft_tlb_write(cpu, linear, size);
    if (p) {
        host_store(p, size, value);
        return;
    }
    check_alignment(cpu, linear, size);
    store_in_context(cpu, linear, size, value, cpu->context);
}

/* Byte runs of instructions (FXSAVE, 16-byte operands …): every page is translated before any byte
 * moves. At most two pages. */
typedef struct {
    uint64_t phys[2];
    unsigned head;
} ByteRun;

static ByteRun translate_run(SoftCpu *cpu, uint64_t linear, unsigned length, SoftAccess access)
{
    g_assert(length > 0 && length <= RAM_PAGE_SIZE);
    if (cpu->watch_any)
        soft_debug_access(cpu, linear, length, access == SOFT_WRITE);
    ByteRun run = { .head = MIN(length, PAGE_LEFT(linear)) };
    run.phys[0] = soft_translate(cpu, linear, access, cpu->context);
    if (run.head < length)
        run.phys[1] =
            soft_translate(cpu, (linear + run.head) & cpu->linear_mask, access, cpu->context);
    return run;
}

static void run_load(SoftCpu *cpu, uint64_t phys, uint8_t *out, unsigned length)
{
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (page->host) {
        memcpy(out, page->host + (phys & 0xFFF), length);
        return;
    }
    while (length > 0) {
        unsigned size = length >= 8 && !(phys & 7) ? 8 : 1;
        uint64_t value = device_read(cpu, phys, size);
        memcpy(out, &value, size);
        out += size, phys += size, length -= size;
    }
}

static void run_store(SoftCpu *cpu, uint64_t phys, const uint8_t *bytes, unsigned length)
{
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (page->host && page->writable) {
        memcpy(page->host + (phys & 0xFFF), bytes, length);
        memory_written(cpu, page, phys & 0xFFF, length, false);
        return;
    }
    while (length > 0) {
        unsigned size = length >= 8 && !(phys & 7) ? 8 : 1;
        uint64_t value = 0;
        memcpy(&value, bytes, size);
        device_write(cpu, phys, size, value);
        bytes += size, phys += size, length -= size;
    }
}

void soft_load_bytes(SoftCpu *cpu, unsigned seg, uint64_t offset, void *out, unsigned length)
{
    uint64_t linear = soft_linear(cpu, seg, offset, length, false);
    ByteRun run = translate_run(cpu, linear, length, SOFT_READ);
    run_load(cpu, run.phys[0], out, run.head);
    if (run.head < length)
        run_load(cpu, run.phys[1], (uint8_t *)out + run.head, length - run.head);
}

void soft_store_bytes(SoftCpu *cpu, unsigned seg, uint64_t offset, const void *bytes,
                      unsigned length)
{
    uint64_t linear = soft_linear(cpu, seg, offset, length, true);
    ByteRun run = translate_run(cpu, linear, length, SOFT_WRITE);
    run_store(cpu, run.phys[0], bytes, run.head);
    if (run.head < length)
        run_store(cpu, run.phys[1], (const uint8_t *)bytes + run.head, length - run.head);
}

void soft_probe_store_linear(SoftCpu *cpu, uint64_t linear, unsigned length)
{
    check_linear(cpu, linear, length);
    for (uint64_t page = linear & ~UINT64_C(0xFFF);
         page <= ((linear + length - 1) & ~UINT64_C(0xFFF)); page += RAM_PAGE_SIZE)
        soft_translate(cpu, MAX(page, linear), SOFT_WRITE, cpu->context);
}

void soft_probe_store(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned length)
{
    soft_probe_store_linear(cpu, soft_linear(cpu, seg, offset, length, true), length);
}

void *soft_lock_pointer(SoftCpu *cpu, unsigned seg, uint64_t offset, unsigned size)
{
    uint64_t linear = soft_linear(cpu, seg, offset, size, true);
    void *p = soft_tlb_write(cpu, linear, size);
    if (p)
        return p;
    check_alignment(cpu, linear, size);
    soft_probe_store_linear(cpu, linear, size);
    return soft_tlb_write(cpu, linear, size);
}

const uint8_t *soft_span_read(SoftCpu *cpu, uint64_t linear, unsigned *out_length)
{
    *out_length = PAGE_LEFT(linear);
    void *p = soft_tlb_read(cpu, linear, 1);
    if (p)
        return p;
    check_linear(cpu, linear, 1);
    if (cpu->watch_any)
        return NULL;
    uint64_t phys = soft_translate(cpu, linear, SOFT_READ, cpu->context);
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    return page->host ? page->host + (phys & 0xFFF) : NULL;
}

uint8_t *soft_span_write(SoftCpu *cpu, uint64_t linear, unsigned *out_length)
{
    *out_length = PAGE_LEFT(linear);
    void *p = soft_tlb_write(cpu, linear, 1);
    if (p)
        return p;
    check_linear(cpu, linear, 1);
    if (cpu->watch_any)
        return NULL;
    uint64_t phys = soft_translate(cpu, linear, SOFT_WRITE, cpu->context);
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (!page->host || !page->writable)
        return NULL;
    memory_written(cpu, page, phys & 0xFFF, *out_length, true);
    return page->host + (phys & 0xFFF);
}

uint32_t soft_port_read(SoftCpu *cpu, uint16_t port, unsigned size)
{
    clock_catch_up(cpu);
    Span gap;
    const Span *found = flat_view_find(cpu->port_view, port, &gap);
    Span span = found ? *found : gap;
    uint64_t value;
    if (!span_read_lockless(&span, port, size, &value)) {
        soft_guest_leave(cpu);
        value = span_read(&span, port, size, true);
        soft_guest_enter(cpu);
    }
    return (uint32_t)value;
}

void soft_port_write(SoftCpu *cpu, uint16_t port, unsigned size, uint32_t value)
{
    clock_catch_up(cpu);
    Span gap;
    const Span *found = flat_view_find(cpu->port_view, port, &gap);
    Span span = found ? *found : gap;
    if (span_write_lockless(&span, port, size, value))
        return;
    soft_guest_leave(cpu);
    span_write(&span, port, size, value, true);
    soft_guest_enter(cpu);
    /* The next instruction reaches memory by what the A20 gate says now. */
    if (G_UNLIKELY(__atomic_load_n(&cpu->vcpu.signals, __ATOMIC_RELAXED) & VCPU_SIGNAL_A20))
        cpu->break_block = true;
}
