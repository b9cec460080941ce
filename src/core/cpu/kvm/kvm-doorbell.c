/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Doorbells of devices are rung by the kernel, without leaving the guest for us (api.rst,
 * KVM_IOEVENTFD). They follow the address space, as memory slots do. What the kernel does not take,
 * or what is written while a window moves, comes as an exit and rings the bell through the device.
 * Board lock held. */

#include "core/cpu/kvm/kvm-machine.h"
#include <sys/ioctl.h>

/* As the kernel has it. */
typedef struct {
    uint64_t address;
    Doorbell bell;
} Bell;

static Bell *bell_at(GArray *bells, unsigned i)
{
    return &g_array_index(bells, Bell, i);
}

static bool bells_equal(const Bell *a, const Bell *b)
{
    return a->address == b->address && a->bell.fd == b->bell.fd && a->bell.size == b->bell.size &&
           a->bell.has_value == b->bell.has_value &&
           (!a->bell.has_value || a->bell.value == b->bell.value);
}

static bool contains(GArray *bells, const Bell *bell)
{
    for (unsigned i = 0; i < bells->len; i++)
        if (bells_equal(bell_at(bells, i), bell))
            return true;
    return false;
}

static GArray *bells_of(const FlatView *view)
{
    GArray *bells = g_array_new(FALSE, FALSE, sizeof(Bell));

    for (unsigned i = 0; i < view->n; i++) {
        const Span *span = &view->spans[i];
        if (span->kind != SPAN_DEVICE || !span->doorbells)
            continue;
        for (unsigned j = 0; j < span->doorbells->n; j++) {
            Bell bell = { .bell = span->doorbells->bell[j] };
            uint64_t skip = bell.bell.offset - span->offset;
            bell.address = span->start + skip;
            if (bell.bell.offset >= span->offset && skip < span->end - span->start)
                g_array_append_val(bells, bell);
        }
    }
    return bells;
}

/* Where the kernel knows no bells for writes of any size, drivers' are of two bytes. */
static bool set_bell(KvmMachine *machine, const Bell *bell, bool present)
{
    bool any = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
    struct kvm_ioeventfd event = {
        .datamatch = bell->bell.value,
        .addr = bell->address,
        .len = bell->bell.size ? bell->bell.size
               : any           ? 0
                               : 2,
        .fd = bell->bell.fd,
        .flags = (bell->bell.has_value ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
                 (present ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };

    return ioctl(machine->vm_fd, KVM_IOEVENTFD, &event) == 0;
}

static void on_view(void *opaque, FlatView *view)
{
    KvmMachine *machine = opaque;
    GArray *old = machine->bells, *wanted = bells_of(view);

    for (unsigned i = 0; i < old->len; i++)
        if (!contains(wanted, bell_at(old, i)))
            set_bell(machine, bell_at(old, i), false);
    for (unsigned i = 0; i < wanted->len; i++) {
        bool is_there = contains(old, bell_at(wanted, i));
        if (!is_there && !set_bell(machine, bell_at(wanted, i), true))
            g_array_remove_index(wanted, i--);
    }
    machine->bells = wanted;
    g_array_unref(old);
}

void kvm_doorbell_init(KvmMachine *machine)
{
    const CpuBoard *board = machine->board;

    machine->bells = g_array_new(FALSE, FALSE, sizeof(Bell));
    g_rec_mutex_lock(board->lock);
    on_view(machine, address_space_view(board->memory));
    address_space_add_listener(board->memory, on_view, machine);
    g_rec_mutex_unlock(board->lock);
}

void kvm_doorbell_clear(KvmMachine *machine)
{
    g_clear_pointer(&machine->bells, g_array_unref);
}
