/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The code cache of a vCPU: blocks of decoded instructions, found by the host address of their
 * first byte and the mode. A block lies in one page (one instruction may reach into the next).
 * Pages that hold decoded code are counted in Ram.code, which makes stores to them take the slow
 * door (memory.c), which comes back here to drop what was written. Dead blocks stay in the arena,
 * unreachable but for links, until it is full and everything goes. */

#include "core/cpu/soft/block.h"
#include "core/cpu/soft/branch.h"
#include "core/cpu/soft/decode.h"
#include "core/cpu/soft/soft-machine.h"
#include "core/cpu/soft/translate.h"
#include <sys/mman.h>

/* Of the whole machine, but each vCPU has at least a quarter. */
#define ARENA_SIZE (UINT64_C(32) << 20)
#define HASH_SIZE 65536
#define PAGE_HASH_SIZE 4096
/* Stores beside the code of a page before the page's code is dropped for their sake; four times as
 * many each time that the code came back. */
#define PAGE_PATIENCE 64
#define PAGE_PATIENCE_MOST (1u << 20)
#define MAX_RECORDS (SOFT_BLOCK_MAX * 3 + 4)

typedef struct CodePage {
    struct CodePage *next;
    uintptr_t host_page;
    Ram *ram;
    uint64_t ram_page;
    uint64_t lines;    /* 64-byte lines that hold decoded bytes */
    SoftBlock *blocks; /* through page_next, or page_next2 for the second page of a block */
    unsigned stores;   /* that touched no code, since the last decode */
    unsigned patience; /* how many of those the code stays for */
    bool claimed;      /* counted in Ram.code; outlives the blocks until a store finds none */
} CodePage;

struct SoftCodeCache {
    uint8_t *arena;
    uint64_t size, used;
    uint32_t generation; /* counts flushes */
    SoftBlock *hash[HASH_SIZE];
    CodePage *page[PAGE_HASH_SIZE];
    SoftOp single[8];
    uint8_t bytes[32];
    SoftOp buffer[MAX_RECORDS];
};

SoftCodeCache *soft_code_cache_new(SoftCpu *cpu)
{
    SoftCodeCache *code = g_new0(SoftCodeCache, 1);
    code->size = MAX(ARENA_SIZE / MAX(cpu->machine->n_vcpus, 1), ARENA_SIZE / 4);
    code->arena = mmap(NULL, code->size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (code->arena == MAP_FAILED)
        g_clear_pointer(&code, g_free);
    else
        cpu->block_arena = code->arena;
    return code;
}

/* Stores to the page are no longer this vCPU's business. */
static void page_release(CodePage *page)
{
    if (page->claimed)
        __atomic_fetch_sub(&page->ram->code[page->ram_page], 1, __ATOMIC_SEQ_CST);
    page->claimed = false;
}

static void forget_pages(SoftCodeCache *code)
{
    for (unsigned i = 0; i < PAGE_HASH_SIZE; i++) {
        while (code->page[i]) {
            CodePage *page = code->page[i];
            code->page[i] = page->next;
            page_release(page);
            g_free(page);
        }
    }
}

void soft_code_cache_free(SoftCpu *cpu)
{
    if (!cpu->code)
        return;
    forget_pages(cpu->code);
    munmap(cpu->code->arena, cpu->code->size);
    g_clear_pointer(&cpu->code, g_free);
}

/* Not while a handler still runs in a block: from the run loop, or followed by leaving the block.
 */
void soft_code_cache_flush(SoftCpu *cpu)
{
    SoftCodeCache *code = cpu->code;
    forget_pages(code);
    memset(code->hash, 0, sizeof code->hash);
    memset(cpu->jump, 0, sizeof cpu->jump);
    code->used = 0;
    code->generation++;
    soft_translator_flush(cpu);
    cpu->break_block = true;
}

void soft_code_cache_give_back(SoftCpu *cpu)
{
    uint64_t used = cpu->code->used;
    soft_code_cache_flush(cpu);
    madvise(cpu->code->arena, used, MADV_DONTNEED);
    soft_translator_give_back(cpu);
}

uint64_t soft_code_cache_used(const SoftCpu *cpu)
{
    return cpu->code->used;
}

uint32_t soft_block_generation(SoftCpu *cpu)
{
    return cpu->code->generation;
}

static unsigned page_slot(uintptr_t host_page)
{
    return (unsigned)((host_page >> 12) * UINT64_C(0x9E3779B97F4A7C15) >> 52);
}

static unsigned block_slot(uintptr_t host, uint32_t mode)
{
    return (unsigned)((host + ((uint64_t)mode << 48)) * UINT64_C(0x9E3779B97F4A7C15) >> 48);
}

static CodePage *page_find(SoftCodeCache *code, uintptr_t host_page)
{
    CodePage *page = code->page[page_slot(host_page)];
    while (page && page->host_page != host_page)
        page = page->next;
    return page;
}

/* Where the run of a dead block ends up, by a link or by the jump cache: RIP is set, the run loop
 * looks again and brings the jump cache up to date. */
static SoftNext soft_op_dead(SoftCpu *cpu, SoftOp *op)
{
    SOFT_LEAVE(cpu);
}

static void hash_remove(SoftCodeCache *code, SoftBlock *block)
{
    SoftBlock **at = &code->hash[block_slot(block->host, block->mode)];
    while (*at && *at != block)
        at = &(*at)->hash_next;
    if (*at)
        *at = block->hash_next;
}

SoftBlock *soft_block_of(SoftOp *first)
{
    return (SoftBlock *)((char *)first - offsetof(SoftBlock, ops));
}

void soft_block_retire(SoftCpu *cpu, SoftOp *first)
{
    SoftBlock *block = soft_block_of(first);
    if (block->dead)
        return;
    soft_translation_kill(cpu, first);
    block->dead = true;
    block->ops[0].fn = soft_op_dead;
    hash_remove(cpu->code, block);
}

static void page_drop(SoftCpu *cpu, CodePage *page)
{
    SoftBlock *block = page->blocks;
    if (!block)
        return;
    while (block) {
        bool is_first = (block->host & ~(uintptr_t)0xFFF) == page->host_page;
        if (!block->dead)
            soft_block_retire(cpu, block->ops);
        block = is_first ? block->page_next : block->page_next2;
    }
    page->blocks = NULL;
    page->lines = 0;
    page->stores = 0;
    cpu->break_block = true;
}

void soft_code_cache_written(SoftCpu *cpu, uint64_t host_page, uint64_t lines, bool bulk)
{
    CodePage *page = page_find(cpu->code, host_page);
    if (!page)
        return;
    /* Code that is patched and run again keeps its page; data that follows code has it back. */
    if (bulk || !page->blocks)
        page_release(page);
    bool enough = ++page->stores > page->patience;
    if (enough)
        page->patience = MIN(page->patience * 4, PAGE_PATIENCE_MOST);
    if (bulk || page->lines & lines || enough)
        page_drop(cpu, page);
}

/* The page is about to hold decoded code of this vCPU: from now on stores to it are seen. Other
 * vCPUs may hold write hits, so this happens while they stand still; what is decoded afterwards is
 * what they wrote. */
static CodePage *page_claim(SoftCpu *cpu, uintptr_t host_page, uint64_t phys)
{
    SoftCodeCache *code = cpu->code;
    CodePage *page = page_find(code, host_page);
    if (page && page->claimed)
        return page;
    if (!page) {
        const SoftPhysPage *seen = soft_phys_page(cpu, phys);
        page = g_new0(CodePage, 1);
        page->host_page = host_page;
        page->patience = PAGE_PATIENCE;
        page->ram = seen->ram;
        page->ram_page = seen->ram_page;
        page->next = code->page[page_slot(host_page)];
        code->page[page_slot(host_page)] = page;
    }
    soft_exclusive_begin(cpu);
    if (__atomic_fetch_add(&page->ram->code[page->ram_page], 1, __ATOMIC_SEQ_CST) == 0)
        for (unsigned i = 0; i < cpu->machine->n_vcpus; i++)
            if (cpu->machine->vcpu[i])
                soft_mmu_protect_page(cpu->machine->vcpu[i], host_page);
    page->claimed = true;
    soft_exclusive_end(cpu);
    return page;
}

static uint64_t lines_of(unsigned first_byte, unsigned length)
{
    unsigned first = first_byte / 64, last = (first_byte + length - 1) / 64;
    return (~UINT64_C(0) >> (63 - last)) & (~UINT64_C(0) << first);
}

/* Copies up to 15 bytes of code at @linear that the page of @entry does not hold alone, or that lie
 * in a device. Faults when the next page cannot be fetched. */
static unsigned gather_bytes(SoftCpu *cpu, uint64_t linear, unsigned have, uint8_t *bytes,
                             uintptr_t *out_host2, uint64_t *out_phys2)
{
    uint64_t next = (linear + have) & cpu->linear_mask;
    const SoftItlbEntry *entry = soft_itlb_lookup(cpu, next);
    unsigned rest = 15 - have;
    *out_phys2 = entry->phys;
    *out_host2 = (uintptr_t)entry->host;
    if (entry->host)
        memcpy(bytes + have, entry->host, rest);
    else
        memset(bytes + have, 0xFF, rest);
    return 15;
}

static void set_place(SoftOp *ops, unsigned n, unsigned offset, unsigned ordinal)
{
    for (unsigned i = 0; i < n; i++) {
        ops[i].offset = (uint16_t)offset;
        ops[i].ordinal = (uint16_t)ordinal;
    }
}

typedef struct {
    uintptr_t host; /* of the first byte */
    uint64_t phys, linear;
    unsigned limit; /* bytes that CS still allows, at most a page */
    unsigned n_instructions, n_records, length;
    uintptr_t host2; /* of the second page when the only instruction crosses */
    uint64_t phys2;
    bool single; /* one instruction only */
    bool ended;
} Assembly;

static void decode_start(SoftDecode *d, SoftCpu *cpu, const uint8_t *bytes, unsigned available,
                         const Assembly *a, SoftOp *op)
{
    memset(d, 0, sizeof *d);
    d->cpu = cpu;
    d->mode = cpu->mode;
    d->bytes = bytes;
    d->available = available;
    d->offset = a->length;
    d->op = op;
    d->n_records = 1;
    memset(op, 0, 4 * sizeof *op);
}

/* Fills code->buffer with the instructions from the start of the assembly on. */
static void assemble(SoftCpu *cpu, Assembly *a)
{
    SoftCodeCache *code = cpu->code;
    unsigned page_left = RAM_PAGE_SIZE - (unsigned)(a->linear & 0xFFF);
    unsigned max = a->single ? 1 : SOFT_BLOCK_MAX;
    SoftOp *previous = NULL;
    while (!a->ended && a->n_instructions < max) {
        SoftOp *op = &code->buffer[a->n_records];
        SoftDecode d;
        unsigned available = MIN(page_left - a->length, 15);
        available = MIN(available, a->limit - a->length);
        decode_start(&d, cpu, (const uint8_t *)a->host + a->length, available, a, op);
        if (available == 0 || !soft_decode_one(&d)) {
            if (a->n_instructions > 0)
                break; /* starts the next block */
            /* It needs bytes beyond the page, or beyond the limit. */
            if (a->limit < 15 && a->limit <= page_left)
                soft_fault_error(cpu, X86_GP, 0);
            memcpy(code->bytes, (const void *)a->host, page_left);
            available = gather_bytes(cpu, a->linear, page_left, code->bytes, &a->host2, &a->phys2);
            available = MIN(available, a->limit);
            decode_start(&d, cpu, code->bytes, available, a, op);
            if (!soft_decode_one(&d))
                soft_fault_error(cpu, X86_GP, 0);
            a->ended = d.ends_block;
            set_place(op, d.n_records, 0, 0);
            a->n_records = d.n_records;
            a->n_instructions = 1;
            a->length = op->len;
            break;
        }
        set_place(op, d.n_records, a->length, a->n_instructions);
        if (previous && previous + 1 == op)
            soft_fuse(code->buffer, previous, op);
        if (d.n_records)
            previous = op;
        a->n_records += d.n_records;
        a->n_instructions++;
        a->length += op->len;
        a->ended = d.ends_block;
    }
    if (!a->ended) {
        SoftOp *op = &code->buffer[a->n_records++];
        memset(op, 0, sizeof *op);
        op->fn = soft_op_fallthrough;
        op->disp = (int32_t)a->length;
        op->ordinal = (uint16_t)a->n_instructions;
        op->offset = (uint16_t)a->length;
        op->ashift = cpu->mode & SOFT_MODE_CODE64 ? 0 : 32;
    }
}

/* An instruction across a page border: valid only while the next page is still the same one. */
static SoftNext soft_op_check_crossing(SoftCpu *cpu, SoftOp *op)
{
    SOFT_AT(cpu, op);
    uint64_t next = ((cpu->seg[CPU_CS].base + cpu->rip) | 0xFFF) + 1;
    const SoftItlbEntry *entry = soft_itlb_lookup(cpu, next & cpu->linear_mask);
    if ((uintptr_t)entry->host != op->imm) {
        soft_block_retire(cpu, op);
        SOFT_LEAVE(cpu);
    }
    SOFT_NEXT(cpu, op);
}

static void page_add(CodePage *page, SoftBlock *block, SoftBlock **link, unsigned first_byte,
                     unsigned length)
{
    *link = page->blocks;
    page->blocks = block;
    page->lines |= lines_of(first_byte, length);
    page->stores = 0;
}

static SoftBlock *block_keep(SoftCpu *cpu, const Assembly *a)
{
    SoftCodeCache *code = cpu->code;
    bool may_translate =
        cpu->translator && cpu->mode & (SOFT_MODE_CODE64 | SOFT_MODE_FLAT) && !a->host2;
    unsigned extra = a->host2 || may_translate;
    uint64_t size = sizeof(SoftBlock) + (a->n_records + extra) * sizeof(SoftOp);
    if (code->used + size > code->size) {
        soft_code_cache_flush(cpu);
        return NULL;
    }
    SoftBlock *block = (SoftBlock *)(code->arena + code->used);
    code->used += (size + 31) & ~UINT64_C(31);
    memset(block, 0, sizeof *block);
    block->host = a->host;
    block->host2 = a->host2;
    block->mode = cpu->mode;
    block->length = (uint16_t)a->length;
    block->n_records = (uint16_t)(a->n_records + extra);
    if (a->host2)
        block->ops[0] = (SoftOp){ .fn = soft_op_check_crossing, .imm = a->host2 };
    else if (may_translate)
        block->ops[0] =
            (SoftOp){ .fn = soft_op_count, .imm = soft_translate_patience(cpu->translator) };
    memcpy(block->ops + extra, code->buffer, a->n_records * sizeof(SoftOp));
    SoftBlock **slot = &code->hash[block_slot(block->host, block->mode)];
    block->hash_next = *slot;
    *slot = block;
    unsigned first_byte = (unsigned)(a->linear & 0xFFF);
    unsigned head = MIN(a->length, RAM_PAGE_SIZE - first_byte);
    page_add(page_find(code, a->host & ~(uintptr_t)0xFFF), block, &block->page_next, first_byte,
             head);
    if (a->host2 && head < a->length)
        page_add(page_find(code, a->host2), block, &block->page_next2, 0, a->length - head);
    return block;
}

/* Code that cannot be kept (in a device, in one-instruction mode): decoded into a buffer, used
 * once. */
static SoftOp *assemble_single(SoftCpu *cpu, Assembly *a)
{
    SoftCodeCache *code = cpu->code;
    a->single = true;
    assemble(cpu, a);
    g_assert(a->n_records <= G_N_ELEMENTS(code->single));
    memcpy(code->single, code->buffer, a->n_records * sizeof(SoftOp));
    return code->single;
}

static SoftOp *single_from_device(SoftCpu *cpu, uint64_t linear, Assembly *a)
{
    SoftCodeCache *code = cpu->code;
    for (unsigned i = 0; i < 15; i++)
        code->bytes[i] = 0xFF; /* code in a device's window: nothing real does this */
    SoftDecode d;
    decode_start(&d, cpu, code->bytes, 15, a, code->single);
    if (!soft_decode_one(&d))
        soft_fault_error(cpu, X86_GP, 0);
    set_place(code->single, d.n_records, 0, 0);
    return code->single;
}

static SoftBlock *hash_find(SoftCpu *cpu, uintptr_t host)
{
    SoftBlock *block = cpu->code->hash[block_slot(host, cpu->mode)];
    while (block && (block->host != host || block->mode != cpu->mode))
        block = block->hash_next;
    return block;
}

static G_GNUC_NO_INLINE SoftOp *block_decode(SoftCpu *cpu, const SoftItlbEntry *entry,
                                             uint64_t linear)
{
    const SoftSegment *cs = &cpu->seg[CPU_CS];
    Assembly a = { .host = (uintptr_t)entry->host + (linear & 0xFFF),
                   .phys = entry->phys + (linear & 0xFFF),
                   .linear = linear,
                   .limit = RAM_PAGE_SIZE };
    if (!(cpu->mode & SOFT_MODE_CODE64)) {
        if (cpu->rip > cs->limit)
            soft_fault_error(cpu, X86_GP, 0);
        a.limit = (unsigned)MIN((uint64_t)RAM_PAGE_SIZE, (uint64_t)cs->limit - cpu->rip + 1);
    }
    if (!entry->host)
        return single_from_device(cpu, linear, &a);
    if (cpu->mode & (SOFT_MODE_ONE | SOFT_MODE_LIMIT) || cpu->shadow)
        return assemble_single(cpu, &a);
    for (;;) {
        /* Claimed before the bytes are read: what is written later is noticed. */
        page_claim(cpu, a.host & ~(uintptr_t)0xFFF, a.phys);
        Assembly attempt = a;
        assemble(cpu, &attempt);
        if (attempt.phys2 && !attempt.host2)
            return assemble_single(cpu, &a); /* its tail lies in a device */
        if (attempt.host2) {
            page_claim(cpu, attempt.host2, attempt.phys2);
            Assembly again = a; /* the tail may have changed before it was claimed */
            assemble(cpu, &again);
            attempt = again;
        }
        SoftBlock *block = block_keep(cpu, &attempt);
        if (block)
            return block->ops;
    }
}

SoftOp *soft_block_lookup(SoftCpu *cpu)
{
    uint64_t linear =
        cpu->mode & SOFT_MODE_CODE64 ? cpu->rip : (cpu->seg[CPU_CS].base + cpu->rip) & 0xFFFFFFFF;
    if (cpu->mode & SOFT_MODE_CODE64 && (uint64_t)((int64_t)(linear << 16) >> 16) != linear)
        soft_fault_error(cpu, X86_GP, 0);
    const SoftItlbEntry *entry = soft_itlb_lookup(cpu, linear);
    if (G_LIKELY(entry->host && !cpu->shadow)) {
        SoftBlock *block = hash_find(cpu, (uintptr_t)entry->host + (linear & 0xFFF));
        if (G_LIKELY(block)) {
            if (G_LIKELY(cpu->mode & SOFT_MODE_CODE64 ||
                         cpu->rip + block->length - 1 <= cpu->seg[CPU_CS].limit)) {
                SoftJump *jump = soft_jump_slot(cpu, linear);
                jump->linear = linear;
                jump->first = block->ops;
                jump->host = block->host;
                jump->mode = cpu->mode;
                return block->ops;
            }
            Assembly a = { .host = block->host, .phys = entry->phys, .linear = linear };
            if (cpu->rip > cpu->seg[CPU_CS].limit)
                soft_fault_error(cpu, X86_GP, 0);
            a.limit = (unsigned)(cpu->seg[CPU_CS].limit - cpu->rip + 1);
            return assemble_single(cpu, &a);
        }
    }
    return block_decode(cpu, entry, linear);
}

SoftOp *soft_block_next_slow(SoftCpu *cpu)
{
    if (cpu->mode & SOFT_MODE_ONE || cpu->shadow || cpu->break_block)
        return NULL;
    cpu->op = NULL; /* a fault is the fetch's */
    return soft_block_lookup(cpu);
}

SoftOp *soft_branch_slow(SoftCpu *cpu, SoftOp *branch)
{
    uint64_t from = cpu->rip;
    cpu->rip = soft_branch_target(cpu, branch);
    if (cpu->mode & (SOFT_MODE_ONE | SOFT_MODE_LIMIT) || cpu->shadow || cpu->break_block)
        return NULL;
    uint32_t generation = cpu->code->generation;
    uint64_t linear = (cpu->seg[CPU_CS].base + cpu->rip) & cpu->linear_mask;
    bool same_page =
        (((cpu->seg[CPU_CS].base + from) ^ linear) & ~UINT64_C(0xFFF) & cpu->linear_mask) == 0;
    if (!same_page)
        branch->scale = SOFT_BRANCH_CROSSES;
    SoftJump *jump = soft_jump_slot(cpu, linear);
    if (!same_page && soft_jump_hits(cpu, jump, linear))
        return jump->first;
    cpu->op = NULL;
    SoftOp *first = soft_block_lookup(cpu);
    /* Inside a page the target's page is the branch's own, whatever is mapped there. */
    if (same_page && generation == cpu->code->generation && !soft_is_single(cpu, first) &&
        !soft_is_single(cpu, branch))
        branch->link = first;
    return first;
}

bool soft_is_single(SoftCpu *cpu, const SoftOp *op)
{
    return op >= cpu->code->single && op < cpu->code->single + G_N_ELEMENTS(cpu->code->single);
}
