/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The kernel's memory slots follow the board's address space. A change touches only the slots that
 * it concerns: what lies under the PAM registers is kept in pieces of their size, so that opening
 * one does not unmap all of memory. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/irq/apic.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/ioctl.h>

#define PAM_START UINT64_C(0xC0000)
#define PAM_END UINT64_C(0x100000)
#define PAM_PIECE UINT64_C(0x4000)

/* Where a closed A20 gate shows: guests that close it count on the first 64 KiB there being those
 * at 0. Odd megabytes further up are not bent down: no guest that knows of them closes the gate. */
#define WRAP_START UINT64_C(0x100000)
#define WRAP_END UINT64_C(0x200000)

/* The kernel's own: it has slots of its own there, or answers before any slot. What a guest maps
 * there is left to exits. */
static const struct {
    uint64_t start, end;
} reserved[] = {
    { APIC_BASE_DEFAULT, APIC_BASE_DEFAULT + RAM_PAGE_SIZE },
    { KVM_IDENTITY_MAP, KVM_TSS_END },
};

static KvmSlot *slot_at(GArray *slots, unsigned i)
{
    return &g_array_index(slots, KvmSlot, i);
}

static int compare_slots(const KvmSlot *a, const KvmSlot *b)
{
    return a->start < b->start ? -1 : a->start > b->start;
}

static bool slots_equal(const KvmSlot *a, const KvmSlot *b)
{
    return a->start == b->start && a->size == b->size && a->ram == b->ram &&
           a->ram_offset == b->ram_offset && a->read_only == b->read_only;
}

static void add_piece(GArray *slots, const Span *span, uint64_t start, uint64_t end)
{
    KvmSlot slot = {
        .start = start,
        .size = end - start,
        .ram = span->ram,
        .ram_offset = span->ram_offset + (start - span->start),
        .read_only = span->kind == SPAN_ROM,
    };
    g_array_append_val(slots, slot);
}

/* Where the slot that begins at @start has to stop at the latest, or, in what is reserved, where
 * the next may begin: *@out_skip. */
static uint64_t next_border(uint64_t start, uint64_t end, bool *out_skip)
{
    *out_skip = false;
    if (start < PAM_START)
        return MIN(end, PAM_START);
    if (start < PAM_END)
        return MIN(end, (start & ~(PAM_PIECE - 1)) + PAM_PIECE);
    if (start < WRAP_END) /* a slot of its own, so that the gate costs no more than that */
        return MIN(end, WRAP_END);
    for (unsigned i = 0; i < G_N_ELEMENTS(reserved); i++) {
        if (start < reserved[i].start)
            return MIN(end, reserved[i].start);
        *out_skip = start < reserved[i].end;
        if (*out_skip)
            return MIN(end, reserved[i].end);
    }
    return end;
}

/* Slots are whole pages; the ragged ends of a span are left to exits. */
static void add_span(GArray *slots, const Span *span)
{
    uint64_t start = (span->start + RAM_PAGE_SIZE - 1) & ~UINT64_C(0xFFF);
    uint64_t end = span->end & ~UINT64_C(0xFFF);

    if ((span->ram_offset + (start - span->start)) & 0xFFF)
        return;
    while (start < end) {
        bool skip;
        uint64_t stop = next_border(start, end, &skip);
        if (!skip)
            add_piece(slots, span, start, stop);
        start = stop;
    }
}

static Span part_of(const Span *span, uint64_t start, uint64_t end)
{
    Span part = *span;

    part.start = MAX(span->start, start);
    part.end = MIN(span->end, end);
    part.ram_offset += part.start - span->start;
    return part;
}

static void add_wrapped_span(GArray *slots, const Span *span)
{
    Span low = part_of(span, 0, WRAP_START), high = part_of(span, WRAP_END, UINT64_MAX);

    add_span(slots, &low);
    low.start += WRAP_START;
    low.end += WRAP_START;
    add_span(slots, &low);
    add_span(slots, &high);
}

static bool is_a20_open(const KvmMachine *machine)
{
    const CpuBoard *board = machine->board;
    return !board->a20 || board->a20(board->opaque);
}

static GArray *slots_of(const KvmMachine *machine, const FlatView *view)
{
    GArray *slots = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    bool is_open = is_a20_open(machine);

    for (unsigned i = 0; i < view->n; i++) {
        const Span *span = &view->spans[i];
        if (span->kind != SPAN_RAM && span->kind != SPAN_ROM)
            continue;
        if (is_open)
            add_span(slots, span);
        else
            add_wrapped_span(slots, span);
    }
    g_array_sort(slots, (GCompareFunc)compare_slots);
    return slots;
}

uint64_t kvm_memory_bend(const KvmMachine *machine, uint64_t gpa)
{
    bool is_bent = gpa >= WRAP_START && gpa < WRAP_END && !is_a20_open(machine);
    return is_bent ? gpa - WRAP_START : gpa;
}

typedef enum { SLOT_ABSENT, SLOT_UNLOGGED, SLOT_PRESENT } SlotState;

static bool set_slot(KvmMachine *machine, const KvmSlot *slot, SlotState state)
{
    bool is_logged = slot->ram->dirty && !slot->read_only && state == SLOT_PRESENT;
    struct kvm_userspace_memory_region region = {
        .slot = slot->id,
        .flags =
            (slot->read_only ? KVM_MEM_READONLY : 0) | (is_logged ? KVM_MEM_LOG_DIRTY_PAGES : 0),
        .guest_phys_addr = slot->start,
        .memory_size = state == SLOT_ABSENT ? 0 : slot->size,
        .userspace_addr = (uintptr_t)slot->ram->host + slot->ram_offset,
    };
    if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0)
        return true;
    g_warning("KVM: memory slot %u at 0x%" G_GINT64_MODIFIER "x: %s", slot->id, slot->start,
              g_strerror(errno));
    return false;
}

static unsigned take_id(KvmMachine *machine)
{
    if (machine->free_ids->len == 0)
        return machine->n_ids++;
    unsigned id = g_array_index(machine->free_ids, unsigned, machine->free_ids->len - 1);
    g_array_set_size(machine->free_ids, machine->free_ids->len - 1);
    return id;
}

/* Switched off and on: as all of its pages are write-protected anew, it is as complete as at first.
 */
void kvm_memory_restart_log(KvmMachine *machine, const KvmSlot *slot)
{
    set_slot(machine, slot, SLOT_UNLOGGED);
    set_slot(machine, slot, SLOT_PRESENT);
}

/* Merges the sorted old and new slots: equal ones stay, others go and come. */
void kvm_memory_on_view(void *opaque, FlatView *view)
{
    KvmMachine *machine = opaque;
    g_autoptr(GArray) old = machine->slots;
    GArray *wanted = slots_of(machine, view);
    unsigned n_gone = 0;

    for (unsigned i = 0, j = 0; i < old->len; i++) {
        KvmSlot *slot = slot_at(old, i);
        while (j < wanted->len && slot_at(wanted, j)->start < slot->start)
            j++;
        slot->stays = j < wanted->len && slots_equal(slot, slot_at(wanted, j));
        if (slot->stays)
            slot_at(wanted, j)->id = slot->id + 1; /* 0: to be made */
        else
            n_gone++;
    }
    if (n_gone > 0) /* nobody may miss memory that is about to come back in other pieces */
        cpu_gate_close(&machine->gate);
    for (unsigned i = 0; i < old->len; i++) {
        KvmSlot *slot = slot_at(old, i);
        if (slot->stays)
            continue;
        kvm_dirty_collect_slot(machine, slot);
        set_slot(machine, slot, SLOT_ABSENT);
        g_array_append_val(machine->free_ids, slot->id);
    }
    for (unsigned i = 0; i < wanted->len; i++) {
        KvmSlot *slot = slot_at(wanted, i);
        bool stayed = slot->id != 0;
        slot->id = stayed ? slot->id - 1 : take_id(machine);
        if (!stayed)
            set_slot(machine, slot, SLOT_PRESENT);
    }
    machine->slots = wanted;
    kvm_coalesced_on_view(machine, view);
    if (n_gone > 0)
        cpu_gate_open(&machine->gate);
}

void kvm_memory_on_a20(KvmMachine *machine)
{
    const CpuBoard *board = machine->board;

    g_rec_mutex_lock(board->lock);
    kvm_memory_on_view(machine, address_space_view(board->memory));
    g_rec_mutex_unlock(board->lock);
}

bool kvm_memory_init(KvmMachine *machine, GError **error)
{
    const CpuBoard *board = machine->board;
    bool good = true;

    machine->slots = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    machine->free_ids = g_array_new(FALSE, FALSE, sizeof(unsigned));
    g_rec_mutex_lock(board->lock);
    g_autoptr(GArray) wanted = slots_of(machine, address_space_view(board->memory));
    for (unsigned i = 0; i < wanted->len && good; i++) {
        KvmSlot *slot = slot_at(wanted, i);
        slot->id = take_id(machine);
        good = set_slot(machine, slot, SLOT_PRESENT);
        g_array_append_val(machine->slots, *slot);
    }
    if (good)
        address_space_add_listener(board->memory, kvm_memory_on_view, machine);
    g_rec_mutex_unlock(board->lock);
    if (!good)
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                            _("KVM: the machine's memory cannot be mapped"));
    return good;
}

void kvm_memory_clear(KvmMachine *machine)
{
    g_clear_pointer(&machine->slots, g_array_unref);
    g_clear_pointer(&machine->free_ids, g_array_unref);
}
