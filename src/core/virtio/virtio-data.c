/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The data side of a virtio device: its queues, and the thread that waits for the doorbell. */

#include "core/virtio/virtio-internal.h"

#include "core/machine/machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Chains taken before others get the lock: a guest can add to a queue for ever. */
#define SERVE_BUDGET 64

bool virtio_is_inline(const Virtio *virtio)
{
    return clock_kind(virtio->pci.dev.machine->clock) == CLOCK_DETERMINISTIC;
}

bool virtio_has_feature(const Virtio *virtio, unsigned bit)
{
    return virtio->driver_features >> bit & 1;
}

/* --- in and out ------------------------------------------------------------------------------- */

void virtio_enter(Virtio *virtio)
{
    g_mutex_lock(&virtio->lock);
}

/* Interrupts are sent with no lock of ours held, as they may need the board's. */
void virtio_leave(Virtio *virtio)
{
    uint16_t vector[VIRTIO_MAX_QUEUES];
    unsigned n = 0, pushed = virtio->to_signal;

    virtio->to_signal = 0;
    for (unsigned i = 0; i < virtio->n_queues; i++)
        if ((pushed >> i & 1) && virtqueue_take_signal(&virtio->queue[i]))
            vector[n++] = virtio->queue[i].vector;
    uint16_t config_vector = virtio->config_vector;
    g_mutex_unlock(&virtio->lock);
    for (unsigned i = 0; i < n; i++)
        virtio_interrupt(virtio, vector[i], VIRTIO_ISR_QUEUE);
    if (pushed & VIRTIO_SIGNAL_CONFIG)
        virtio_interrupt(virtio, config_vector, VIRTIO_ISR_CONFIG);
}

void virtio_finish(Virtio *virtio, unsigned queue, VirtChain *chain, uint32_t written)
{
    virtqueue_push(&virtio->queue[queue], chain, written);
    virtio->to_signal |= 1u << queue;
}

/* --- serving ---------------------------------------------------------------------------------- */

/* What the driver did wrong stops the device until it is reset (§2.1.2). */
static void note_broken(Virtio *virtio, unsigned index)
{
    if (!virtio->queue[index].is_broken || virtio->needs_reset)
        return;
    guest_warn(&virtio->pci.dev, "queue %u is damaged: the device waits to be reset", index);
    virtio->needs_reset = true;
    virtio->to_signal |= VIRTIO_SIGNAL_CONFIG;
}

static bool may_serve(const Virtio *virtio)
{
    return virtio->is_running && !virtio->is_resting && !virtio->needs_reset;
}

/* Where the guest waits for us it adds nothing meanwhile, unless its requests themselves write to
 * the ring: what a queue can hold is all that it gets at once. Returns whether there may be more.
 */
static bool serve_queue(Virtio *virtio, unsigned index)
{
    Virtqueue *queue = &virtio->queue[index];
    unsigned budget = virtio_is_inline(virtio) ? queue->size : SERVE_BUDGET;
    VirtChain *chain;

    virtqueue_want_doorbell(queue, false);
    for (unsigned n = 0; n < budget && may_serve(virtio); n++) {
        chain = virtqueue_pop(queue);
        if (chain)
            virtio->kind->begin(virtio, index, chain);
        else if (queue->is_broken || !virtqueue_want_doorbell(queue, true))
            break;
    }
    note_broken(virtio, index);
    return may_serve(virtio) && virtqueue_want_doorbell(queue, true);
}

static void serve(Virtio *virtio)
{
    bool more = false;

    virtio_enter(virtio);
    virtio->is_serving = true;
    for (unsigned i = 0; i < virtio->n_queues && may_serve(virtio); i++)
        more |= serve_queue(virtio, i);
    virtio_leave(virtio);
    g_mutex_lock(&virtio->lock);
    virtio->is_serving = false;
    g_cond_broadcast(&virtio->changed);
    g_mutex_unlock(&virtio->lock);
    if (more && !virtio_is_inline(virtio))
        virtio_ring(virtio);
}

static gpointer work(gpointer data)
{
    Virtio *virtio = data;
    eventfd_t count;

    while (!__atomic_load_n(&virtio->quits, __ATOMIC_SEQ_CST))
        if (eventfd_read(virtio->bell_fd, &count) == 0)
            serve(virtio);
    return NULL;
}

void virtio_ring(Virtio *virtio)
{
    if (virtio_is_inline(virtio))
        serve(virtio);
    else
        eventfd_write(virtio->bell_fd, 1);
}

/* --- following the registers ------------------------------------------------------------------ */

/* Requests that were under way when the state was saved are begun again. */
static void begin_in_flight(Virtio *virtio)
{
    VirtChain *chain;

    for (unsigned i = 0; i < virtio->n_queues; i++) {
        while (may_serve(virtio) && (chain = virtqueue_pop_in_flight(&virtio->queue[i])))
            virtio->kind->begin(virtio, i, chain);
        note_broken(virtio, i);
    }
}

/* A view without the rings may be followed by one with them: only what the driver says is wrong
 * counts, not what the board does meanwhile. */
static void map_queues(Virtio *virtio, bool must_be_there)
{
    bool has_event_index = virtio_has_feature(virtio, VIRTIO_F_EVENT_IDX);
    bool has_indirect = virtio_has_feature(virtio, VIRTIO_F_INDIRECT_DESC);

    for (unsigned i = 0; i < virtio->n_queues; i++) {
        virtio->queue[i].has_event_index = has_event_index;
        virtio->queue[i].has_indirect = has_indirect;
        if (!virtqueue_map(&virtio->queue[i], virtio->view) && must_be_there)
            virtio->queue[i].is_broken = true;
        note_broken(virtio, i);
    }
}

void virtio_data_update(Virtio *virtio)
{
    bool was_running = virtio->is_running;

    virtio_enter(virtio);
    virtio->is_running =
        (virtio->status & VIRTIO_STATUS_DRIVER_OK) && pci_device_bus_master(&virtio->pci);
    if (virtio->is_running) {
        map_queues(virtio, true);
        begin_in_flight(virtio);
    }
    if (virtio->is_running && !virtio->thread && !virtio_is_inline(virtio))
        virtio->thread = g_thread_new(virtio->pci.dev.id, work, virtio);
    bool runs = virtio->is_running && !was_running;
    virtio_leave(virtio);
    if (runs)
        virtio_ring(virtio);
}

void virtio_data_reset(Virtio *virtio)
{
    virtio_enter(virtio);
    virtio->is_running = false;
    virtio->kind->cancel(virtio, 0, virtio->n_queues - 1);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        virtqueue_reset(&virtio->queue[i], i < virtio->n_queues ? virtio->queue_size : 0);
    virtio->to_signal = 0;
    virtio->needs_reset = false;
    virtio_leave(virtio);
}

void virtio_data_reset_queue(Virtio *virtio, unsigned queue)
{
    virtio_enter(virtio);
    virtio->queue[queue].is_enabled = false;
    virtio->kind->cancel(virtio, queue, queue);
    virtqueue_reset(&virtio->queue[queue], virtio->queue_size);
    virtio->to_signal &= ~(1u << queue);
    virtio_leave(virtio);
}

/* Buffers of requests under way stay good, as RAM lives as long as the machine. */
static void on_view(void *opaque, FlatView *view)
{
    Virtio *virtio = opaque;

    virtio_enter(virtio);
    FlatView *old = virtio->view;
    virtio->view = flat_view_ref(view);
    if (virtio->is_running)
        map_queues(virtio, false);
    bool runs = virtio->is_running && !virtio_is_inline(virtio);
    virtio_leave(virtio);
    if (runs)
        virtio_ring(virtio);
    flat_view_unref(old);
}

/* --- life ------------------------------------------------------------------------------------- */

bool virtio_data_init(Virtio *virtio, GError **error)
{
    AddressSpace *memory = pci_bus_memory(virtio->bus);

    virtio->bell_fd = eventfd(0, EFD_CLOEXEC);
    if (virtio->bell_fd < 0) {
        int saved = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved),
                    _("The computer has no more file descriptors: %s"), g_strerror(saved));
        return false;
    }
    g_mutex_init(&virtio->lock);
    g_cond_init(&virtio->changed);
    virtio->view = flat_view_ref(address_space_view(memory));
    address_space_add_listener(memory, on_view, virtio);
    return true;
}

void virtio_data_stop(Virtio *virtio)
{
    __atomic_store_n(&virtio->quits, true, __ATOMIC_SEQ_CST);
    if (virtio->thread) {
        eventfd_write(virtio->bell_fd, 1);
        g_thread_join(virtio->thread);
    }
    virtio_data_reset(virtio);
}

void virtio_data_clear(Virtio *virtio)
{
    address_space_remove_listener(pci_bus_memory(virtio->bus), virtio);
    flat_view_unref(virtio->view);
    close(virtio->bell_fd);
    g_mutex_clear(&virtio->lock);
    g_cond_clear(&virtio->changed);
}

void virtio_take_no_more(Virtio *virtio)
{
    g_mutex_lock(&virtio->lock);
    virtio->is_resting = true;
    g_mutex_unlock(&virtio->lock);
}

void virtio_rest(Virtio *virtio)
{
    virtio_take_no_more(virtio);
    g_mutex_lock(&virtio->lock);
    while (virtio->is_serving)
        g_cond_wait(&virtio->changed, &virtio->lock);
    g_mutex_unlock(&virtio->lock);
    if (virtio->kind->drain)
        virtio->kind->drain(virtio);
}

void virtio_resume(Virtio *virtio)
{
    g_mutex_lock(&virtio->lock);
    virtio->is_resting = false;
    g_mutex_unlock(&virtio->lock);
    if (!virtio_is_inline(virtio))
        virtio_ring(virtio);
}
