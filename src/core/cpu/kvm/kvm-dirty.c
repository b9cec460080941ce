/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Which pages the guest has written: the kernel's log goes to Ram.dirty. It comes as a ring a vCPU
 * where the kernel's rings can be relied on, and else as a bitmap a slot.
 *
 * What a look costs, at 60 a second, on a KVM that runs on page tables (μs, of the host's time; one
 * interleaved run):
 *
 *     guest memory that is logged     16 MiB         4 GiB         15 GiB
 *     guest writes                 none  a page   none  a page   none  a page
 *     ring                            6      26      6      14      7      43
 *     bitmap                         14      29    126     115    386     513
 *     bitmap, protected by hand      13      40     58      65    198     190
 *
 * So for video memory the ways are alike, and for all of memory only the ring costs what was
 * written, not what there is. Guests are as fast with either. The bitmap is protected as it is read
 * (no KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2): protecting by hand pays from some GiB on only. */

#include "core/cpu/kvm/kvm-machine.h"
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>

/* As many as video memory has pages: a guest that writes all of it between two looks leaves KVM
 * once or twice for that. */
#define RING_SIZE 4096

/* VITRINE_DIRTY_LOG=ring or bitmap is there to tell the two apart. */
void kvm_dirty_init(KvmMachine *machine)
{
    const char *wish = g_getenv("VITRINE_DIRTY_LOG");
    bool wants_ring = wish ? g_str_equal(wish, "ring") : kvm_ring_works(machine->kvm_fd);

    if (wants_ring && kvm_ring_enable(machine->vm_fd, RING_SIZE))
        machine->dirty_ring_size = RING_SIZE;
    g_debug("KVM: the dirty log is a %s", machine->dirty_ring_size ? "ring" : "bitmap");
}

bool kvm_dirty_add_cpu(KvmCpu *cpu)
{
    uint32_t size = cpu->machine->dirty_ring_size;

    return size == 0 || kvm_ring_map(&cpu->dirty_ring, cpu->fd, size);
}

void kvm_dirty_remove_cpu(KvmCpu *cpu)
{
    kvm_ring_unmap(&cpu->dirty_ring);
}

static bool is_logged(const KvmSlot *slot)
{
    return slot->ram->dirty && !slot->read_only;
}

static void mark(const KvmSlot *slot, uint64_t page)
{
    if (is_logged(slot) && page < slot->size >> RAM_PAGE_SHIFT)
        __atomic_store_n(&slot->ram->dirty[(slot->ram_offset >> RAM_PAGE_SHIFT) + page], 1,
                         __ATOMIC_RELAXED);
}

/* The bitmap. */

static void collect_slot(KvmMachine *machine, const KvmSlot *slot)
{
    uint64_t n_words = ((slot->size >> RAM_PAGE_SHIFT) + 63) / 64;
    g_autofree uint64_t *bits = g_new0(uint64_t, n_words);
    struct kvm_dirty_log log = { .slot = slot->id, .dirty_bitmap = bits };

    if (ioctl(machine->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0)
        memset(bits, 0xFF, n_words * sizeof *bits); /* rather too much than too little */
    for (uint64_t i = 0; i < n_words; i++)
        for (uint64_t word = bits[i]; word; word &= word - 1)
            mark(slot, i * 64 + (unsigned)__builtin_ctzll(word));
}

/* The rings. */

static void on_page(void *opaque, uint32_t id, uint64_t page)
{
    const KvmMachine *machine = opaque;

    for (unsigned i = 0; i < machine->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(machine->slots, KvmSlot, i);
        if (slot->id == id)
            mark(slot, page);
    }
}

/* A kernel that wrote over entries has pages that it logs no more: the log starts anew, with all
 * pages in it. */
static void start_anew(KvmMachine *machine)
{
    g_debug("KVM: a dirty ring was overrun");
    for (unsigned i = 0; i < machine->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(machine->slots, KvmSlot, i);
        if (!is_logged(slot))
            continue;
        kvm_memory_restart_log(machine, slot);
        for (uint64_t page = 0; page < slot->size >> RAM_PAGE_SHIFT; page++)
            mark(slot, page);
    }
}

/* Every vCPU's ring, or none. */
static KvmRing *ring_of(const KvmMachine *machine, unsigned i)
{
    KvmCpu *cpu = machine->vcpu[i];
    return cpu && cpu->dirty_ring.entries ? &cpu->dirty_ring : NULL;
}

static bool settle(KvmMachine *machine)
{
    bool good = true;

    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (ring_of(machine, i))
            good &= kvm_ring_settle(ring_of(machine, i));
    return good;
}

unsigned kvm_dirty_harvest(KvmMachine *machine)
{
    bool is_whole = true;
    uint32_t n = 0;

    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (ring_of(machine, i))
            is_whole &= kvm_ring_read(ring_of(machine, i), on_page, machine, &n);
    if (n == 0)
        return 0;
    kvm_ring_reset(machine->vm_fd, n);
    if (!settle(machine)) {
        is_whole = false;
        kvm_ring_reset(machine->vm_fd, 1);
        settle(machine);
    }
    if (!is_whole)
        start_anew(machine);
    return n;
}

/* Either. */

void kvm_dirty_collect(void *backend, Ram *ram)
{
    KvmMachine *machine = backend;

    g_rec_mutex_lock(machine->board->lock);
    kvm_coalesced_drain(machine);
    if (machine->dirty_ring_size)
        kvm_dirty_harvest(machine);
    for (unsigned i = 0; !machine->dirty_ring_size && i < machine->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(machine->slots, KvmSlot, i);
        if (slot->ram == ram && is_logged(slot))
            collect_slot(machine, slot);
    }
    g_rec_mutex_unlock(machine->board->lock);
}

void kvm_dirty_collect_slot(KvmMachine *machine, const KvmSlot *slot)
{
    if (machine->dirty_ring_size)
        kvm_dirty_harvest(machine);
    else if (is_logged(slot))
        collect_slot(machine, slot);
}

/* A page that a vCPU whose ring was full has marked is logged again only when that has told the
 * kernel so, board lock held. */
void kvm_dirty_sync(void *backend)
{
    KvmMachine *machine = backend;

    g_rec_mutex_lock(machine->board->lock);
    g_rec_mutex_unlock(machine->board->lock);
}
