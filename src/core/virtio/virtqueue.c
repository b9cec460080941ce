/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/virtio/virtqueue.h"

#include "core/memory/dma.h"
#include <string.h>

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 }; /* §2.7.5 */
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };
#define DESCRIPTOR_SIZE 16
#define RING_HEADER 4 /* flags, idx */
#define USED_ELEMENT 8
#define MAX_PIECES                                                                                 \
    (VIRTQUEUE_MAX_SEGMENTS + 16) /* a buffer may lie in several blocks of memory                  \
                                   */

const StateField virtqueue_state[] = {
    STATE_UINT_MAX(Virtqueue, size, VIRTQUEUE_MAX_SIZE),
    STATE_UINT(Virtqueue, vector),
    STATE_BOOL(Virtqueue, is_enabled),
    STATE_UINT(Virtqueue, descriptors),
    STATE_UINT(Virtqueue, driver),
    STATE_UINT(Virtqueue, device),
    STATE_UINT(Virtqueue, next_avail),
    STATE_UINT(Virtqueue, next_used),
    STATE_UINT(Virtqueue, signalled),
    STATE_BOOL(Virtqueue, has_signalled),
    STATE_BOOL(Virtqueue, is_broken),
    STATE_BYTES(Virtqueue, in_flight),
    STATE_END,
};

typedef struct {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
} Descriptor;

/* The guest changes memory while we look: each of these is one access, never repeated. Rings are
 * aligned as §2.7 wants them; indirect tables may be anywhere. */
typedef struct __attribute__((packed, may_alias)) {
    volatile uint64_t v;
} Shared64;
typedef struct __attribute__((packed, may_alias)) {
    volatile uint32_t v;
} Shared32;

static uint16_t load16(const uint8_t *p)
{
    return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE));
}

static void store16(uint8_t *p, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)p, GUINT16_TO_LE(value), __ATOMIC_RELEASE);
}

static Descriptor load_descriptor(const uint8_t *p)
{
    uint64_t address = ((const Shared64 *)(const void *)p)->v;
    uint64_t rest = ((const Shared64 *)(const void *)(p + 8))->v;

    return (Descriptor){ GUINT64_FROM_LE(address), (uint32_t)rest, (uint16_t)(rest >> 32),
                         (uint16_t)(rest >> 48) };
}

static bool get_bit(const uint8_t *bits, unsigned n)
{
    return bits[n / 8] >> n % 8 & 1;
}

static void set_bit(uint8_t *bits, unsigned n, bool value)
{
    bits[n / 8] = (uint8_t)(value ? bits[n / 8] | 1u << n % 8 : bits[n / 8] & ~(1u << n % 8));
}

/* The rings */

void virtqueue_reset(Virtqueue *queue, uint16_t size)
{
    *queue = (Virtqueue){ .size = size, .vector = VIRTQUEUE_NO_VECTOR };
}

static uint8_t *map_ring(const FlatView *view, uint64_t gpa, uint64_t length, unsigned alignment,
                         Ram **out_ram)
{
    uint64_t got;
    uint8_t *host = gpa % alignment ? NULL : dma_view_map(view, gpa, length, true, &got, out_ram);

    return host && got == length ? host : NULL;
}

bool virtqueue_map(Virtqueue *queue, const FlatView *view)
{
    unsigned size = queue->size;
    Ram *ram;

    queue->view = view;
    queue->descriptor_ring = queue->avail_ring = queue->used_ring = NULL;
    if (!queue->is_enabled)
        return true;
    if (size > 0 && size <= VIRTQUEUE_MAX_SIZE && (size & (size - 1)) == 0) {
        queue->descriptor_ring =
            map_ring(view, queue->descriptors, size * DESCRIPTOR_SIZE, 16, &ram);
        queue->avail_ring = map_ring(view, queue->driver, RING_HEADER + size * 2 + 2, 2, &ram);
        queue->used_ring = map_ring(view, queue->device, RING_HEADER + size * USED_ELEMENT + 2, 4,
                                    &queue->used_ram);
    }
    return queue->descriptor_ring && queue->avail_ring && queue->used_ring;
}

static bool is_usable(const Virtqueue *queue)
{
    return queue->is_enabled && !queue->is_broken && queue->descriptor_ring && queue->avail_ring &&
           queue->used_ring;
}

static uint16_t avail_index(const Virtqueue *queue)
{
    return load16(queue->avail_ring + 2);
}

static void used_wrote(Virtqueue *queue, const uint8_t *at, unsigned length)
{
    ram_wrote(queue->used_ram, (uint64_t)(at - queue->used_ram->host), length);
}

/* Chains */

typedef struct {
    const uint8_t *table;
    unsigned n; /* descriptors in it */
    const FlatView *view;
    Descriptor descriptor[VIRTQUEUE_MAX_SEGMENTS];
    unsigned n_descriptors;
    uint8_t *copy; /* owned: an indirect table that lies in several blocks */
} Walk;

/* Appends the chain that begins at @index of the table. False: it cannot be. */
static bool walk_table(Walk *walk, unsigned index)
{
    for (unsigned steps = 0; steps < walk->n; steps++) {
        if (index >= walk->n || walk->n_descriptors >= VIRTQUEUE_MAX_SEGMENTS)
            return false;
        Descriptor d = load_descriptor(walk->table + index * DESCRIPTOR_SIZE);
        walk->descriptor[walk->n_descriptors++] = d;
        if ((d.flags & DESCRIPTOR_INDIRECT) || !(d.flags & DESCRIPTOR_NEXT))
            return !((d.flags & DESCRIPTOR_INDIRECT) && (d.flags & DESCRIPTOR_NEXT));
        index = d.next;
    }
    return false; /* a loop */
}

/* The last descriptor was a table of others (§2.7.5.3), in one block of memory. */
static bool walk_indirect(Walk *walk)
{
    Descriptor table = walk->descriptor[--walk->n_descriptors];
    uint64_t got;
    Ram *ram;

    if (table.length == 0 || table.length % DESCRIPTOR_SIZE ||
        table.length / DESCRIPTOR_SIZE > VIRTQUEUE_MAX_SEGMENTS)
        return false;
    walk->table = dma_view_map(walk->view, table.address, table.length, false, &got, &ram);
    if (!walk->table || got < table.length)
        return false;
    walk->n = table.length / DESCRIPTOR_SIZE;
    if (!walk_table(walk, 0))
        return false;
    return !(walk->descriptor[walk->n_descriptors - 1].flags & DESCRIPTOR_INDIRECT);
}

static bool collect(const Virtqueue *queue, Walk *walk, uint16_t head)
{
    walk->table = queue->descriptor_ring;
    walk->n = queue->size;
    walk->view = queue->view;
    if (!walk_table(walk, head))
        return false;
    if (!(walk->descriptor[walk->n_descriptors - 1].flags & DESCRIPTOR_INDIRECT))
        return true;
    return queue->has_indirect && walk_indirect(walk);
}

typedef struct {
    struct iovec iov[MAX_PIECES];
    Ram *ram[MAX_PIECES];
    unsigned n;
} Pieces;

static bool map_buffer(const FlatView *view, const Descriptor *d, Pieces *pieces)
{
    uint64_t gpa = d->address, left = d->length, got;

    if (left > UINT64_MAX - gpa)
        return false;
    while (left > 0) {
        if (pieces->n >= MAX_PIECES)
            return false;
        void *host = dma_view_map(view, gpa, left, d->flags & DESCRIPTOR_WRITE, &got,
                                  &pieces->ram[pieces->n]);
        if (!host)
            return false;
        pieces->iov[pieces->n++] = (struct iovec){ host, got };
        gpa += got;
        left -= got;
    }
    return true;
}

static VirtChain *make_chain(const Pieces *pieces, const VirtChain *model)
{
    VirtChain *chain = g_malloc(sizeof *chain + pieces->n * (sizeof(struct iovec) + sizeof(Ram *)));

    *chain = *model;
    chain->iov = (struct iovec *)(chain + 1);
    chain->ram = (Ram **)(chain->iov + pieces->n);
    if (pieces->n) {
        memcpy(chain->iov, pieces->iov, pieces->n * sizeof pieces->iov[0]);
        memcpy(chain->ram, pieces->ram, pieces->n * sizeof pieces->ram[0]);
    }
    return chain;
}

/* What the device reads comes before what it writes (§2.7.4.2). */
static VirtChain *build_chain(const Virtqueue *queue, uint16_t head)
{
    VirtChain model = { .head = head };
    Walk walk = { .n_descriptors = 0 };
    Pieces pieces;

    pieces.n = 0;
    if (!collect(queue, &walk, head))
        return NULL;
    for (unsigned i = 0; i < walk.n_descriptors; i++) {
        const Descriptor *d = &walk.descriptor[i];
        bool in = d->flags & DESCRIPTOR_WRITE;
        unsigned before = pieces.n;
        if (!in && model.in_length)
            return NULL;
        if (!map_buffer(queue->view, d, &pieces))
            return NULL;
        *(in ? &model.n_in : &model.n_out) += pieces.n - before;
        *(in ? &model.in_length : &model.out_length) += d->length;
    }
    return make_chain(&pieces, &model);
}

static VirtChain *begin_chain(Virtqueue *queue, uint16_t head)
{
    VirtChain *chain = head < queue->size ? build_chain(queue, head) : NULL;

    if (!chain) {
        queue->is_broken = true;
        return NULL;
    }
    set_bit(queue->in_flight, head, true);
    set_bit(queue->begun, head, true);
    return chain;
}

VirtChain *virtqueue_pop(Virtqueue *queue)
{
    if (!is_usable(queue))
        return NULL;
    uint16_t n = avail_index(queue) - queue->next_avail;
    if (n == 0)
        return NULL;
    unsigned slot = queue->next_avail & (queue->size - 1);
    uint16_t head = load16(queue->avail_ring + RING_HEADER + slot * 2);
    /* More than there is room for, or one that is still ours: no driver does that. */
    if (n > queue->size || head >= queue->size || get_bit(queue->in_flight, head)) {
        queue->is_broken = true;
        return NULL;
    }
    queue->next_avail++;
    return begin_chain(queue, head);
}

VirtChain *virtqueue_pop_in_flight(Virtqueue *queue)
{
    for (unsigned head = 0; head < queue->size && is_usable(queue); head++)
        if (get_bit(queue->in_flight, head) && !get_bit(queue->begun, head))
            return begin_chain(queue, (uint16_t)head);
    return NULL;
}

static void note_written(const VirtChain *chain, uint64_t written)
{
    for (unsigned i = chain->n_out; i < chain->n_out + chain->n_in && written > 0; i++) {
        uint64_t length = MIN(written, chain->iov[i].iov_len);
        uint8_t *host = chain->iov[i].iov_base;
        ram_wrote(chain->ram[i], (uint64_t)(host - chain->ram[i]->host), length);
        written -= length;
    }
}

void virtqueue_push(Virtqueue *queue, VirtChain *chain, uint32_t written)
{
    /* All that the device may have touched, whatever it says was worth telling. */
    note_written(chain, chain->in_length);
    set_bit(queue->in_flight, chain->head, false);
    set_bit(queue->begun, chain->head, false);
    if (is_usable(queue)) {
        uint8_t *element =
            queue->used_ring + RING_HEADER + (queue->next_used & (queue->size - 1)) * USED_ELEMENT;
        ((Shared32 *)(void *)element)->v = GUINT32_TO_LE(chain->head);
        ((Shared32 *)(void *)(element + 4))->v = GUINT32_TO_LE(written);
        queue->next_used++;
        store16(queue->used_ring + 2, queue->next_used);
        used_wrote(queue, element, USED_ELEMENT);
        used_wrote(queue, queue->used_ring, RING_HEADER);
    }
    virt_chain_free(chain);
}

void virt_chain_free(VirtChain *chain)
{
    g_free(chain);
}

/* Who wakes whom. On both sides an index is written, then the other's wish is read: with a full
 * barrier between them, either the wish is seen or its owner sees the index. */

bool virtqueue_take_signal(Virtqueue *queue)
{
    uint16_t now = queue->next_used, before = queue->signalled;
    bool is_first = !queue->has_signalled;

    if (!is_usable(queue) || (!is_first && now == before))
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    queue->signalled = now;
    queue->has_signalled = true;
    if (!queue->has_event_index)
        return !(load16(queue->avail_ring) & AVAIL_NO_INTERRUPT);
    uint16_t event = load16(queue->avail_ring + RING_HEADER + queue->size * 2);
    return is_first || (uint16_t)(now - event - 1) < (uint16_t)(now - before); /* §2.7.7.2 */
}

bool virtqueue_want_doorbell(Virtqueue *queue, bool want)
{
    if (!is_usable(queue))
        return false;
    if (queue->has_event_index) {
        uint8_t *event = queue->used_ring + RING_HEADER + queue->size * USED_ELEMENT;
        if (want) {
            store16(event, queue->next_avail);
            used_wrote(queue, event, 2);
        }
    } else {
        store16(queue->used_ring, want ? 0 : USED_NO_NOTIFY);
        used_wrote(queue, queue->used_ring, 2);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return want && avail_index(queue) != queue->next_avail;
}

/* Chains as bytes */

typedef struct {
    const struct iovec *iov;
    unsigned n;
} Part;

static Part part_of(const VirtChain *chain, bool in)
{
    return in ? (Part){ chain->iov + chain->n_out, chain->n_in }
              : (Part){ chain->iov, chain->n_out };
}

static size_t copy(Part part, uint64_t at, uint8_t *bytes, size_t length, bool to_guest)
{
    size_t done = 0;

    for (unsigned i = 0; i < part.n && done < length; i++) {
        uint64_t here = part.iov[i].iov_len;
        if (at >= here) {
            at -= here;
            continue;
        }
        size_t piece = MIN(here - at, length - done);
        uint8_t *host = (uint8_t *)part.iov[i].iov_base + at;
        memcpy(to_guest ? host : bytes + done, to_guest ? bytes + done : host, piece);
        done += piece;
        at = 0;
    }
    return done;
}

size_t virt_chain_read(const VirtChain *chain, uint64_t at, void *out, size_t length)
{
    return copy(part_of(chain, false), at, out, length, false);
}

size_t virt_chain_write(const VirtChain *chain, uint64_t at, const void *bytes, size_t length)
{
    return copy(part_of(chain, true), at, (uint8_t *)bytes, length, true);
}

struct iovec *virt_chain_dup_iov(const VirtChain *chain, bool in, uint64_t at, uint64_t length,
                                 unsigned *out_n)
{
    Part part = part_of(chain, in);
    uint64_t all = in ? chain->in_length : chain->out_length;
    unsigned n = 0;

    if (at > all || length > all - at)
        return NULL;
    struct iovec *iov = g_new(struct iovec, part.n + 1);
    for (unsigned i = 0; i < part.n && length > 0; i++) {
        uint64_t here = part.iov[i].iov_len;
        if (at >= here) {
            at -= here;
            continue;
        }
        uint64_t piece = MIN(here - at, length);
        iov[n++] = (struct iovec){ (uint8_t *)part.iov[i].iov_base + at, piece };
        length -= piece;
        at = 0;
    }
    *out_n = n;
    return iov;
}
