/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Translation: the page walker (SDM vol. 3A chapter 4), its caches, and what fills the TLBs. */

#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/soft-machine.h"
#include "core/cpu/soft/translate.h"

#define PTE_P UINT64_C(1)
#define PTE_W UINT64_C(2)
#define PTE_U UINT64_C(4)
#define PTE_A UINT64_C(0x20)
#define PTE_D UINT64_C(0x40)
#define PTE_PS UINT64_C(0x80)
#define PTE_G UINT64_C(0x100)
#define PTE_NX (UINT64_C(1) << 63)

#define PAGE_FRAME CPU_PHYSICAL_PAGES

#define ERROR_P 1u
#define ERROR_W 2u
#define ERROR_U 4u
#define ERROR_RSVD 8u
#define ERROR_FETCH 16u

#define PHYS_CACHE_SIZE 512
#define TABLE_CACHE_SIZE 256
#define FILL_LOG_SIZE 1024

/* The last level's page table of a 2 MiB region, with what the levels above allow. */
typedef struct {
    uint64_t tag;    /* linear >> 21, plus 1; 0: empty */
    uint64_t table;  /* physical address of the page table */
    uint64_t rights; /* W and U (set when all levels have them), NX when any has it */
    uint32_t generation;
} TableCacheEntry;

struct SoftMmu {
    SoftPhysPage phys[PHYS_CACHE_SIZE];
    TableCacheEntry table[TABLE_CACHE_SIZE];
    uint32_t generation;
    /* Slots filled with non-global entries since the last flush, so that a flush touches only them.
     */
    uint16_t fill_log[SOFT_N_CONTEXTS][FILL_LOG_SIZE];
    unsigned n_filled[SOFT_N_CONTEXTS];
    uint16_t ifill_log[SOFT_ITLB_SIZE];
    unsigned n_ifilled;
    /* Where large pages have been met since the last whole flush; the TLBs hold them as pages of
     * 4 KiB. One bit for each 2 MiB (1 GiB) of linear addresses, modulo 256 (64). */
    uint64_t large[8], huge;
};

static const SoftTlbEntry tlb_empty = { .read = SOFT_TLB_NEVER, .write = SOFT_TLB_NEVER };

void soft_mmu_init(SoftCpu *cpu)
{
    cpu->mmu = g_new0(struct SoftMmu, 1);
    cpu->mmu->generation = 1;
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++)
        cpu->tlb_table[c] = g_aligned_alloc(SOFT_TLB_SIZE, sizeof(SoftTlbEntry), 64);
    cpu->itlb = g_new0(SoftItlbEntry, SOFT_ITLB_SIZE);
    cpu->tlb_unaligned = g_aligned_alloc(SOFT_TLB_SIZE, sizeof(SoftTlbEntry), 64);
    for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
        cpu->tlb_unaligned[i] = tlb_empty;
    cpu->tlb = cpu->tlb_table[0];
    soft_mmu_view_changed(cpu);
}

void soft_mmu_clear(SoftCpu *cpu)
{
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++)
        g_aligned_free(cpu->tlb_table[c]);
    g_aligned_free(cpu->tlb_unaligned);
    g_free(cpu->itlb);
    g_free(cpu->mmu);
}

static void tlb_flush_all(SoftCpu *cpu)
{
    struct SoftMmu *mmu = cpu->mmu;
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++) {
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
            cpu->tlb_table[c][i] = tlb_empty;
        mmu->n_filled[c] = 0;
    }
    memset(cpu->itlb, 0, SOFT_ITLB_SIZE * sizeof(SoftItlbEntry));
    mmu->n_ifilled = 0;
    mmu->generation++;
    memset(mmu->large, 0, sizeof mmu->large);
    mmu->huge = 0;
    soft_jump_keys_forget(cpu, false);
}

/* The bit of SoftMmu.large: user and kernel halves do not share any. */
static unsigned large_region(uint64_t linear)
{
    return (linear >> 21 & 255) | (unsigned)(linear >> 63) << 8;
}

/* Bits @shift of a large page that the walker found at @linear. */
static void note_large_page(struct SoftMmu *mmu, uint64_t linear, unsigned shift)
{
    if (shift == 30) {
        mmu->huge |= UINT64_C(1) << (linear >> 30 & 63);
        return;
    }
    unsigned region = large_region(linear);
    mmu->large[region / 64] |= UINT64_C(1) << (region % 64);
    if (shift == 22)
        mmu->large[region / 64] |= UINT64_C(1) << ((region ^ 1) % 64);
}

void soft_mmu_view_changed(SoftCpu *cpu)
{
    for (unsigned i = 0; i < PHYS_CACHE_SIZE; i++)
        cpu->mmu->phys[i].page = UINT64_MAX;
    tlb_flush_all(cpu);
}

void soft_tlb_flush(SoftCpu *cpu, bool keep_global)
{
    struct SoftMmu *mmu = cpu->mmu;
    mmu->generation++;
    if (!keep_global) {
        tlb_flush_all(cpu);
        return;
    }
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++) {
        SoftTlbEntry *table = cpu->tlb_table[c];
        if (mmu->n_filled[c] > FILL_LOG_SIZE) { /* the log ran over: look at all */
            for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
                if (!(table[i].info & SOFT_TLB_GLOBAL))
                    table[i] = tlb_empty;
        } else {
            for (unsigned i = 0; i < mmu->n_filled[c]; i++) {
                SoftTlbEntry *entry = &table[mmu->fill_log[c][i]];
                if (!(entry->info & SOFT_TLB_GLOBAL))
                    *entry = tlb_empty;
            }
        }
        mmu->n_filled[c] = 0;
    }
    if (mmu->n_ifilled > SOFT_ITLB_SIZE) {
        for (unsigned i = 0; i < SOFT_ITLB_SIZE; i++)
            if (!(cpu->itlb[i].info & SOFT_TLB_GLOBAL))
                cpu->itlb[i].tag = 0;
    } else {
        for (unsigned i = 0; i < mmu->n_ifilled; i++) {
            SoftItlbEntry *entry = &cpu->itlb[mmu->ifill_log[i]];
            if (!(entry->info & SOFT_TLB_GLOBAL))
                entry->tag = 0;
        }
    }
    mmu->n_ifilled = 0;
    soft_jump_keys_forget(cpu, true);
}

/* Drops the 2^@shift bytes around @linear, at least 4 MiB: that is every slot. */
static void tlb_flush_range(SoftCpu *cpu, uint64_t linear, unsigned shift)
{
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++)
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            SoftTlbEntry *entry = &cpu->tlb_table[c][i];
            uint64_t tag = entry->read != SOFT_TLB_NEVER ? entry->read : entry->write;
            if ((tag ^ linear) >> shift == 0)
                *entry = tlb_empty;
        }
    for (unsigned i = 0; i < SOFT_ITLB_SIZE; i++)
        if ((cpu->itlb[i].tag ^ linear) >> shift == 0)
            cpu->itlb[i].tag = 0;
    soft_jump_keys_forget_range(cpu, linear, shift);
}

void soft_tlb_flush_page(SoftCpu *cpu, uint64_t linear)
{
    uint64_t page = linear & ~UINT64_C(0xFFF);
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++) {
        SoftTlbEntry *entry = &cpu->tlb_table[c][(page >> 12) & (SOFT_TLB_SIZE - 1)];
        if (entry->read == page || entry->write == page)
            *entry = tlb_empty;
    }
    SoftItlbEntry *fetch = &cpu->itlb[(page >> 12) & (SOFT_ITLB_SIZE - 1)];
    if ((fetch->tag & ~UINT64_C(0xFFF)) == page)
        fetch->tag = 0;
    soft_jump_keys_forget_range(cpu, linear, 12);
    /* The paging-structure caches go with any INVLPG (SDM vol. 3A §4.10.4.1), and of a large page
     * all its parts. */
    struct SoftMmu *mmu = cpu->mmu;
    mmu->generation++;
    unsigned region = large_region(linear);
    if (G_UNLIKELY(mmu->huge >> (linear >> 30 & 63) & 1))
        tlb_flush_range(cpu, linear, 30);
    else if (G_UNLIKELY(mmu->large[region / 64] >> (region % 64) & 1))
        tlb_flush_range(cpu, linear, 22);
}

void soft_mmu_protect_page(SoftCpu *cpu, uint64_t host_page)
{
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++)
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            SoftTlbEntry *entry = &cpu->tlb_table[c][i];
            if ((entry->info & ~UINT64_C(0xFFF)) == host_page)
                entry->write = SOFT_TLB_NEVER;
        }
}

void soft_mmu_protect_logged(SoftCpu *cpu)
{
    for (unsigned c = 0; c < SOFT_N_CONTEXTS; c++)
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
            if (cpu->tlb_table[c][i].info & SOFT_TLB_LOGGED)
                cpu->tlb_table[c][i].write = SOFT_TLB_NEVER;
}

static G_GNUC_NO_INLINE void phys_page_fill(SoftCpu *cpu, SoftPhysPage *entry, uint64_t page)
{
    const CpuBoard *board = cpu->vcpu.board;
    const Span *span = flat_view_find(cpu->view, page, NULL);
    *entry = (SoftPhysPage){ .page = page };
    if (!span || span->kind == SPAN_DEVICE || span->kind == SPAN_NONE)
        return;
    if (page < span->start || page + RAM_PAGE_SIZE > span->end)
        return; /* a page of mixed nature goes access by access */
    if (board->apic_page && page == board->apic_page(board->opaque, cpu->vcpu.id)) {
        entry->page = UINT64_MAX; /* the APIC may move: never remembered */
        return;
    }
    uint64_t offset = span->ram_offset + (page - span->start);
    entry->host = span->ram->host + offset;
    entry->ram = span->ram;
    entry->ram_page = offset >> RAM_PAGE_SHIFT;
    entry->writable = span->kind == SPAN_RAM;
}

const SoftPhysPage *soft_phys_page(SoftCpu *cpu, uint64_t phys)
{
    uint64_t page = phys & cpu->phys_mask & ~UINT64_C(0xFFF);
    SoftPhysPage *entry = &cpu->mmu->phys[(page >> 12) & (PHYS_CACHE_SIZE - 1)];
    if (G_UNLIKELY(entry->page != page))
        phys_page_fill(cpu, entry, page);
    return entry;
}

/* Page table entries. In a device's window they read as that device would; firmware never does
 * this. */
static void *pte_pointer(SoftCpu *cpu, uint64_t phys)
{
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    return page->host ? page->host + (phys & 0xFFF) : NULL;
}

static uint64_t pte_read(SoftCpu *cpu, uint64_t phys, unsigned size)
{
    void *p = pte_pointer(cpu, phys);
    if (!p)
        return size == 8 ? UINT64_MAX : UINT32_MAX;
    return size == 8 ? __atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED)
                     : __atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
}

/* Sets A (and D) unless the entry has changed since it was read: then the walk starts over. */
static bool pte_set_bits(SoftCpu *cpu, uint64_t phys, unsigned size, uint64_t old, uint64_t bits)
{
    if ((old & bits) == bits)
        return true;
    const SoftPhysPage *page = soft_phys_page(cpu, phys);
    if (!page->host || !page->writable)
        return true;
    void *p = page->host + (phys & 0xFFF);
    bool done;
    if (size == 8) {
        done = __atomic_compare_exchange_n((uint64_t *)p, &old, old | bits, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    } else {
        uint32_t old32 = (uint32_t)old;
        done = __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)(old | bits), false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    if (page->ram->dirty)
        page->ram->dirty[page->ram_page] = 1;
    return done;
}

typedef struct {
    uint64_t phys; /* of the linear address */
    uint64_t
        rights; /* PTE_W, PTE_U granted by all levels; PTE_NX by any; PTE_D and PTE_G of the leaf */
} Walk;

static uint32_t error_code(SoftCpu *cpu, SoftAccess access, unsigned context, uint32_t bits)
{
    bool nx = (cpu->efer & EFER_NXE && cpu->cr4 & CR4_PAE) || cpu->cr4 & CR4_SMEP;
    return bits | (access == SOFT_WRITE ? ERROR_W : 0) |
           (context == SOFT_CONTEXT_USER ? ERROR_U : 0) |
           (access == SOFT_FETCH && nx ? ERROR_FETCH : 0);
}

static bool access_allowed(SoftCpu *cpu, uint64_t rights, SoftAccess access, unsigned context)
{
    if (context == SOFT_CONTEXT_USER) {
        if (!(rights & PTE_U) || (access == SOFT_WRITE && !(rights & PTE_W)))
            return false;
    } else {
        if (access == SOFT_WRITE && !(rights & PTE_W) && cpu->cr0 & CR0_WP)
            return false;
        if (rights & PTE_U) {
            if (access == SOFT_FETCH ? (cpu->cr4 & CR4_SMEP) != 0 : context == SOFT_CONTEXT_KERNEL)
                return false;
        }
    }
    return !(access == SOFT_FETCH && rights & PTE_NX);
}

/* 32-bit paging. */
static bool walk_32(SoftCpu *cpu, uint64_t linear, SoftAccess access, unsigned context, Walk *walk,
                    uint32_t *out_error)
{
    for (;;) {
        uint64_t pde_at = (cpu->cr3 & 0xFFFFF000) + ((linear >> 22) & 0x3FF) * 4;
        uint64_t pde = pte_read(cpu, pde_at, 4);
        if (!(pde & PTE_P)) {
            *out_error = 0;
            return false;
        }
        if (pde & PTE_PS && cpu->cr4 & CR4_PSE) {
            uint64_t frame = (pde & 0xFFC00000) | (pde & 0x1FE000) << 19; /* PSE-36 */
            if (pde & 0x200000) {
                *out_error = ERROR_P | ERROR_RSVD;
                return false;
            }
            note_large_page(cpu->mmu, linear, 22);
            walk->phys = (frame & CPU_PHYSICAL_MASK) | (linear & 0x3FFFFF);
            walk->rights = pde & (PTE_W | PTE_U | PTE_D | PTE_G);
            if (!access_allowed(cpu, walk->rights, access, context)) {
                *out_error = ERROR_P;
                return false;
            }
            if (!pte_set_bits(cpu, pde_at, 4, pde, PTE_A | (access == SOFT_WRITE ? PTE_D : 0)))
                continue;
            walk->rights |= access == SOFT_WRITE ? PTE_D : 0;
            return true;
        }
        uint64_t pte_at = (pde & 0xFFFFF000) + ((linear >> 12) & 0x3FF) * 4;
        if (!pte_set_bits(cpu, pde_at, 4, pde, PTE_A))
            continue;
        uint64_t pte = pte_read(cpu, pte_at, 4);
        if (!(pte & PTE_P)) {
            *out_error = 0;
            return false;
        }
        walk->phys = (pte & 0xFFFFF000) | (linear & 0xFFF);
        walk->rights = (pte & pde & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
        if (!access_allowed(cpu, walk->rights, access, context)) {
            *out_error = ERROR_P;
            return false;
        }
        if (!pte_set_bits(cpu, pte_at, 4, pte, PTE_A | (access == SOFT_WRITE ? PTE_D : 0)))
            continue;
        walk->rights |= access == SOFT_WRITE ? PTE_D : 0;
        return true;
    }
}

static uint64_t reserved_bits(SoftCpu *cpu, unsigned level, uint64_t entry)
{
    uint64_t reserved = ((UINT64_C(1) << 52) - 1) & ~CPU_PHYSICAL_MASK;
    if (!(cpu->efer & EFER_NXE))
        reserved |= PTE_NX;
    if (!soft_in_long_mode(cpu))
        reserved |= UINT64_C(0x7FF) << 52;
    if (level == 4)
        reserved |= PTE_PS;
    if (entry & PTE_PS) {
        if (level == 3)
            reserved |= UINT64_C(0x3FFFE000);
        if (level == 2)
            reserved |= UINT64_C(0x1FE000);
    }
    return reserved;
}

/* The last table, when a walk has been there since the last flush. */
static TableCacheEntry *table_cache_slot(SoftCpu *cpu, uint64_t linear)
{
    return &cpu->mmu->table[(linear >> 21) & (TABLE_CACHE_SIZE - 1)];
}

/* PAE and four-level paging. */
static bool walk_64(SoftCpu *cpu, uint64_t linear, SoftAccess access, unsigned context, Walk *walk,
                    uint32_t *out_error)
{
    for (;;) {
        uint64_t table, rights = PTE_W | PTE_U;
        unsigned level;
        TableCacheEntry *cached = table_cache_slot(cpu, linear);
        if (cached->tag == (linear >> 21) + 1 && cached->generation == cpu->mmu->generation) {
            table = cached->table;
            rights = cached->rights;
            level = 1;
        } else if (soft_in_long_mode(cpu)) {
            table = cpu->cr3 & PAGE_FRAME;
            level = 4;
        } else {
            uint64_t pdpte = cpu->pdpte[(linear >> 30) & 3];
            if (!(pdpte & PTE_P)) {
                *out_error = 0;
                return false;
            }
            table = pdpte & PAGE_FRAME;
            level = 2;
        }
        bool changed = false;
        for (;; level--) {
            unsigned shift = 12 + 9 * (level - 1);
            uint64_t at = table + ((linear >> shift) & 0x1FF) * 8;
            uint64_t entry = pte_read(cpu, at, 8);
            if (!(entry & PTE_P)) {
                *out_error = 0;
                return false;
            }
            if (entry & reserved_bits(cpu, level, level == 1 ? entry & ~PTE_PS : entry)) {
                *out_error = ERROR_P | ERROR_RSVD;
                return false;
            }
            rights = (rights & (entry | PTE_NX) & (PTE_W | PTE_U | PTE_NX)) | (entry & PTE_NX);
            if (level > 1 && !(entry & PTE_PS)) {
                if (!pte_set_bits(cpu, at, 8, entry, PTE_A)) {
                    changed = true;
                    break;
                }
                table = entry & PAGE_FRAME;
                if (level == 2)
                    *cached = (TableCacheEntry){ (linear >> 21) + 1, table, rights,
                                                 cpu->mmu->generation };
                continue;
            }
            uint64_t size_mask = (UINT64_C(1) << shift) - 1;
            if (shift > 12)
                note_large_page(cpu->mmu, linear, shift);
            walk->phys = (entry & PAGE_FRAME & ~size_mask) | (linear & size_mask);
            walk->rights = rights | (entry & (PTE_D | PTE_G));
            if (!access_allowed(cpu, walk->rights, access, context)) {
                *out_error = ERROR_P;
                return false;
            }
            changed = !pte_set_bits(cpu, at, 8, entry, PTE_A | (access == SOFT_WRITE ? PTE_D : 0));
            walk->rights |= access == SOFT_WRITE ? PTE_D : 0;
            break;
        }
        if (!changed)
            return true;
    }
}

static bool page_is_watched(SoftCpu *cpu, uint64_t linear)
{
    for (unsigned i = 0; i < 4; i++)
        if (cpu->dr[7] & (3u << i * 2) && ((cpu->dr[i] ^ linear) & ~UINT64_C(0xFFF)) == 0)
            return true;
    return false;
}

static void tlb_fill(SoftCpu *cpu, uint64_t linear, const Walk *walk, SoftAccess access,
                     unsigned context)
{
    const SoftPhysPage *page = soft_phys_page(cpu, walk->phys);
    if (!page->host || (cpu->watch_any && page_is_watched(cpu, linear)))
        return;
    uint64_t tag = linear & ~UINT64_C(0xFFF);
    unsigned slot = (linear >> 12) & (SOFT_TLB_SIZE - 1);
    SoftTlbEntry *entry = &cpu->tlb_table[context][slot];
    bool global = walk->rights & PTE_G && cpu->cr4 & CR4_PGE;
    bool may_write = page->writable && walk->rights & PTE_D &&
                     access_allowed(cpu, walk->rights, SOFT_WRITE, context) &&
                     !__atomic_load_n(&page->ram->code[page->ram_page], __ATOMIC_SEQ_CST);
    if (page->ram->dirty && may_write) {
        if (access == SOFT_WRITE)
            page->ram->dirty[page->ram_page] = 1;
        else
            may_write = page->ram->dirty[page->ram_page] != 0;
    }
    entry->read = tag;
    entry->write = may_write ? tag : SOFT_TLB_NEVER;
    entry->addend = (uintptr_t)page->host - tag;
    entry->info = (uintptr_t)page->host | (global ? SOFT_TLB_GLOBAL : 0) |
                  (page->ram->dirty ? SOFT_TLB_LOGGED : 0);
    if (!global) {
        struct SoftMmu *mmu = cpu->mmu;
        if (mmu->n_filled[context] < FILL_LOG_SIZE)
            mmu->fill_log[context][mmu->n_filled[context]++] = (uint16_t)slot;
        else
            mmu->n_filled[context] = FILL_LOG_SIZE + 1;
    }
}

static void walk_or_fault(SoftCpu *cpu, uint64_t linear, SoftAccess access, unsigned context,
                          Walk *walk)
{
    if (!(cpu->cr0 & CR0_PG)) {
        *walk = (Walk){ linear & 0xFFFFFFFF, PTE_W | PTE_U | PTE_D };
        return;
    }
    uint32_t error = 0;
    bool ok = cpu->cr4 & CR4_PAE ? walk_64(cpu, linear, access, context, walk, &error)
                                 : walk_32(cpu, linear, access, context, walk, &error);
    if (!ok)
        soft_fault_page(cpu, linear, error_code(cpu, access, context, error));
}

uint64_t soft_translate(SoftCpu *cpu, uint64_t linear, SoftAccess access, unsigned context)
{
    Walk walk;
    walk_or_fault(cpu, linear, access, context, &walk);
    tlb_fill(cpu, linear, &walk, access, context);
    return walk.phys & cpu->phys_mask;
}

const SoftItlbEntry *soft_itlb_fill(SoftCpu *cpu, uint64_t linear)
{
    Walk walk;
    unsigned context = cpu->cpl == 3 ? SOFT_CONTEXT_USER : SOFT_CONTEXT_KERNEL_USER;
    walk_or_fault(cpu, linear, SOFT_FETCH, context, &walk);
    const SoftPhysPage *page = soft_phys_page(cpu, walk.phys);
    unsigned slot = (linear >> 12) & (SOFT_ITLB_SIZE - 1);
    SoftItlbEntry *entry = &cpu->itlb[slot];
    bool global = walk.rights & PTE_G && cpu->cr4 & CR4_PGE;
    entry->tag = (linear & ~UINT64_C(0xFFF)) | (cpu->cpl == 3 ? 1 : 2);
    entry->phys = walk.phys & cpu->phys_mask & ~UINT64_C(0xFFF);
    entry->host = page->host;
    entry->info = global ? SOFT_TLB_GLOBAL : 0;
    if (!global) {
        struct SoftMmu *mmu = cpu->mmu;
        if (mmu->n_ifilled < SOFT_ITLB_SIZE)
            mmu->ifill_log[mmu->n_ifilled++] = (uint16_t)slot;
        else
            mmu->n_ifilled = SOFT_ITLB_SIZE + 1;
    }
    return entry;
}

void soft_load_pdptes(SoftCpu *cpu, uint64_t cr3)
{
    uint64_t pdpte[4];
    for (unsigned i = 0; i < 4; i++) {
        pdpte[i] = pte_read(cpu, (cr3 & 0xFFFFFFE0) + i * 8, 8);
        if (pdpte[i] & PTE_P && pdpte[i] & (UINT64_C(0x1E6) | ~CPU_PHYSICAL_MASK))
            soft_fault_error(cpu, X86_GP, 0);
    }
    memcpy(cpu->pdpte, pdpte, sizeof pdpte);
}
