/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Hyper-V's interface for guests (Hypervisor Top Level Functional Specification 6.0b, chapters 2,
 * 3, 12): who the guest is, a page to call from, the number of a processor, and time.
 *
 * The pages are overlays: while one is there the guest finds it in place of its memory, and its
 * memory again when it is gone. We write into the memory, and keep what was there. */

#include "core/cpu/paravirt-private.h"
#include "core/irq/apic.h"
#include "core/memory/dma.h"

enum { /* TLFS appendix D */
       MSR_GUEST_OS_ID = 0x40000000,
       MSR_HYPERCALL,
       MSR_VP_INDEX,
       MSR_TIME_REF_COUNT = 0x40000020,
       MSR_REFERENCE_TSC,
       MSR_TSC_FREQUENCY,
       MSR_APIC_FREQUENCY,
       MSR_LAST = 0x400001FF,
};

#define PAGE_ENABLED 1u
#define PAGE_LOCKED 2u /* of the hypercall page: as it is until the next reset */
#define PAGE_ADDRESS (~UINT64_C(0xFFF))
#define REFERENCE_HZ UINT64_C(10000000) /* 100 ns */

/* What is at a hypercall page. HvNotifyLongSpinWait (8) is a PAUSE, which tells the processor
 * underneath as much; there is no other call. Callers are of either mode, and the first bytes tell:
 * 48h is DEC EAX in 32-bit code. The call is in RCX, or in EDX:EAX; so is the answer's RAX. */
static const uint8_t call_page[] = {
    0x50,                   /*     push rax */
    0x31, 0xC0,             /*     xor eax, eax */
    0x48, 0x90,             /*     64-bit: nop; 32-bit: dec eax; nop */
    0x85, 0xC0,             /*     test eax, eax */
    0x58,                   /*     pop rax */
    0x75, 0x0F,             /*     jnz 1f */
    0x66, 0x83, 0xF9, 0x08, /*     cmp cx, 8 */
    0x75, 0x05,             /*     jne 0f */
    0xF3, 0x90,             /*     pause */
    0x31, 0xC0,             /*     xor eax, eax: HV_STATUS_SUCCESS */
    0xC3,                   /*     ret */
    0x6A, 0x02, 0x58,       /* 0:  push 2; pop rax: HV_STATUS_INVALID_HYPERCALL_CODE */
    0xC3,                   /*     ret */
    0x31, 0xD2,             /* 1:  xor edx, edx */
    0x66, 0x83, 0xF8, 0x08, /*     cmp ax, 8 */
    0x75, 0x05,             /*     jne 2f */
    0xF3, 0x90,             /*     pause */
    0x31, 0xC0,             /*     xor eax, eax */
    0xC3,                   /*     ret */
    0x6A, 0x02, 0x58,       /* 2:  push 2; pop eax */
    0xC3,                   /*     ret */
};

typedef struct {
    uint32_t sequence; /* 0: of no use */
    uint32_t reserved;
    uint64_t scale; /* time in 100 ns = TSC * scale >> 64, + offset */
    int64_t offset;
} ReferenceTsc;

bool hyperv_has_msr(const CpuModel *model, uint32_t msr)
{
    return model->features[CPU_FEATURES_HYPERV] && msr >= MSR_GUEST_OS_ID && msr <= MSR_LAST;
}

/* Overlays */

static void overlay_remove(const CpuBoard *board, HypervOverlay *overlay)
{
    if (overlay->msr & PAGE_ENABLED)
        dma_write(board->memory, overlay->msr & PAGE_ADDRESS, overlay->beneath,
                  sizeof overlay->beneath);
    overlay->msr &= ~(uint64_t)PAGE_ENABLED;
}

/* False: there is no memory, and no page either. */
static bool overlay_put(const CpuBoard *board, HypervOverlay *overlay, uint64_t msr,
                        const void *content, size_t size)
{
    uint8_t page[RAM_PAGE_SIZE] = { 0 };
    uint64_t gpa = msr & PAGE_ADDRESS;

    overlay_remove(board, overlay);
    overlay->msr = msr & ~(uint64_t)PAGE_ENABLED;
    if (!(msr & PAGE_ENABLED))
        return true;
    if (size)
        memcpy(page, content, size);
    if (!dma_read(board->memory, gpa, overlay->beneath, sizeof overlay->beneath) ||
        !dma_write(board->memory, gpa, page, sizeof page))
        return false;
    overlay->msr = msr;
    return true;
}

/* Time */

static uint64_t reference_scale(const CpuBoard *board)
{
    return (uint64_t)(((__uint128_t)REFERENCE_HZ << 64) / board->model.tsc_hz);
}

static uint64_t scaled(const CpuBoard *board, uint64_t ticks)
{
    return (uint64_t)((__uint128_t)ticks * reference_scale(board) >> 64);
}

/* A TSC that started before the clock did has a negative zero. */
static int64_t reference_offset(const CpuBoard *board, uint64_t zero)
{
    return (int64_t)zero < 0 ? (int64_t)scaled(board, -zero) : -(int64_t)scaled(board, zero);
}

static void write_reference(const CpuBoard *board)
{
    HypervState *hv = &board->paravirt->hyperv;
    ReferenceTsc page = { .sequence = ++hv->sequence,
                          .scale = reference_scale(board),
                          .offset = reference_offset(board, hv->zero) };
    uint64_t gpa = hv->reference.msr & PAGE_ADDRESS;
    uint32_t nothing = 0; /* whoever reads meanwhile asks the MSR */

    dma_write(board->memory, gpa, &nothing, sizeof nothing);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    dma_write(board->memory, gpa + 8, &page.scale, sizeof page - 8);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    dma_write(board->memory, gpa, &page.sequence, sizeof page.sequence);
}

static bool write_reference_msr(const CpuBoard *board, unsigned id, ParavirtTsc tsc, uint64_t value)
{
    HypervState *hv = &board->paravirt->hyperv;

    if (!overlay_put(board, &hv->reference, value, NULL, 0))
        return false;
    hv->reference_cpu = id;
    hv->zero = paravirt_zero(board->paravirt, tsc);
    if (value & PAGE_ENABLED)
        write_reference(board);
    return true;
}

void hyperv_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc)
{
    HypervState *hv = &board->paravirt->hyperv;
    uint64_t zero = paravirt_zero(board->paravirt, tsc);

    if (!(hv->reference.msr & PAGE_ENABLED) || hv->reference_cpu != id || hv->zero == zero)
        return;
    hv->zero = zero;
    write_reference(board);
}

/* Calls */

static bool write_guest_os_id(const CpuBoard *board, uint64_t value)
{
    HypervState *hv = &board->paravirt->hyperv;

    hv->guest_os_id = value;
    if (value == 0) /* nobody is there to call */
        overlay_remove(board, &hv->call);
    return true;
}

static bool write_call_msr(const CpuBoard *board, uint64_t value)
{
    HypervState *hv = &board->paravirt->hyperv;

    if (hv->call.msr & PAGE_LOCKED)
        return true;
    if (hv->guest_os_id == 0)
        value &= ~(uint64_t)PAGE_ENABLED;
    return overlay_put(board, &hv->call, value, call_page, sizeof call_page);
}

bool hyperv_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                     uint64_t *out_value)
{
    const Paravirt *pv = board->paravirt;
    const HypervState *hv = &pv->hyperv;

    switch (msr) {
    case MSR_GUEST_OS_ID: *out_value = hv->guest_os_id; return true;
    case MSR_HYPERCALL: *out_value = hv->call.msr; return true;
    case MSR_VP_INDEX: *out_value = id; return true;
    case MSR_TIME_REF_COUNT:
        *out_value =
            scaled(board, tsc.now) + (uint64_t)reference_offset(board, paravirt_zero(pv, tsc));
        return true;
    case MSR_REFERENCE_TSC: *out_value = hv->reference.msr; return true;
    case MSR_TSC_FREQUENCY: *out_value = board->model.tsc_hz; return true;
    case MSR_APIC_FREQUENCY: *out_value = APIC_BUS_HZ; return true;
    default: return false;
    }
}

bool hyperv_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                      uint64_t value)
{
    switch (msr) {
    case MSR_GUEST_OS_ID: return write_guest_os_id(board, value);
    case MSR_HYPERCALL: return write_call_msr(board, value);
    case MSR_REFERENCE_TSC: return write_reference_msr(board, id, tsc, value);
    default: return false; /* the others are read-only */
    }
}
