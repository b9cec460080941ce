/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/virtio/virtio-blk.h"

#include <errno.h>
#include <string.h>

enum { /* feature bits, §5.2.3 */
       BLK_F_SEG_MAX = 2,
       BLK_F_RO = 5,
       BLK_F_BLK_SIZE = 6,
       BLK_F_FLUSH = 9,
       BLK_F_TOPOLOGY = 10,
       BLK_F_CONFIG_WCE = 11,
       BLK_F_MQ = 12,
       BLK_F_DISCARD = 13,
       BLK_F_WRITE_ZEROES = 14,
};
enum { /* request types, §5.2.6 */
       BLK_IN = 0,
       BLK_OUT = 1,
       BLK_FLUSH = 4,
       BLK_GET_ID = 8,
       BLK_DISCARD = 11,
       BLK_WRITE_ZEROES = 13,
};
enum { BLK_OK = 0, BLK_IOERR = 1, BLK_UNSUPPORTED = 2 };
enum { /* configuration, §5.2.4 */
       CONFIG_CAPACITY = 0,
       CONFIG_SEG_MAX = 12,
       CONFIG_BLK_SIZE = 20,
       CONFIG_PHYSICAL_EXPONENT = 24,
       CONFIG_MIN_IO = 26,
       CONFIG_OPTIMAL_IO = 28,
       CONFIG_WRITEBACK = 32,
       CONFIG_N_QUEUES = 34,
       CONFIG_MAX_DISCARD_SECTORS = 36,
       CONFIG_MAX_DISCARD_SEGMENTS = 40,
       CONFIG_DISCARD_ALIGNMENT = 44,
       CONFIG_MAX_ZEROES_SECTORS = 48,
       CONFIG_MAX_ZEROES_SEGMENTS = 52,
       CONFIG_ZEROES_MAY_UNMAP = 56,
};

#define SECTOR 512
#define PHYSICAL_EXPONENT 3 /* blocks of 4096 bytes */
#define QUEUE_SIZE 256
#define SEGMENTS_MAX (QUEUE_SIZE - 2)    /* besides header and status */
#define RANGE_SECTORS_MAX (1u << 21)     /* of a discard: 1 GiB */
#define TRANSFER_MAX (UINT64_C(1) << 30) /* whoever stops the guest waits for one to end */
#define HEADER_SIZE 16
#define RANGE_SIZE 16
#define RANGE_UNMAP 1u
#define SERIAL_SIZE 20

/* A write under way may be parked by a full host disk: looked at again after this time. */
#define CANCEL_LOOK_US (G_USEC_PER_SEC / 100)

struct VirtioBlk {
    Virtio virtio;
    /* wiring */
    Disk *disk; /* borrowed */
    char serial[SERIAL_SIZE + 1];
    /* guest state */
    bool is_write_through; /* what the driver wrote; counts if it may choose */
    /* data side */
    GQueue requests; /* of BlkRequest, by their own links */
};

typedef struct {
    DiskRequest request;
    VirtioBlk *blk; /* borrowed */
    unsigned queue;
    VirtChain *chain;   /* owned until finished */
    struct iovec *iov;  /* owned */
    uint64_t n_written; /* bytes for the guest if all goes well */
    bool flushes_after; /* write-through: not done before that */
    bool is_forgotten;  /* the driver has reset the queue */
    bool is_waited_for; /* the submitter ends it when … */
    bool is_done;       /* … the disk has, … */
    int result;         /* … with this */
    GList link;
} BlkRequest;

static const StateField virtio_blk_state[] = {
    VIRTIO_STATE(VirtioBlk, virtio),
    STATE_BOOL(VirtioBlk, is_write_through),
    STATE_END,
};

/* --- configuration ---------------------------------------------------------------------------- */

static uint64_t blk_features(const Virtio *virtio)
{
    const VirtioBlk *blk = (const VirtioBlk *)virtio;
    uint64_t features = 1 << BLK_F_SEG_MAX | 1 << BLK_F_BLK_SIZE | 1 << BLK_F_TOPOLOGY;

    if (virtio->n_queues > 1)
        features |= 1 << BLK_F_MQ;
    if (disk_is_read_only(blk->disk))
        return features | 1 << BLK_F_RO;
    return features | 1 << BLK_F_FLUSH | 1 << BLK_F_CONFIG_WCE | 1 << BLK_F_DISCARD |
           1 << BLK_F_WRITE_ZEROES;
}

static void put(uint8_t *to, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void blk_get_config(const Virtio *virtio, uint8_t out[VIRTIO_CONFIG_SIZE])
{
    const VirtioBlk *blk = (const VirtioBlk *)virtio;

    memset(out, 0, VIRTIO_CONFIG_SIZE);
    put(out + CONFIG_CAPACITY, 8, disk_size(blk->disk) / SECTOR);
    put(out + CONFIG_SEG_MAX, 4, SEGMENTS_MAX);
    put(out + CONFIG_BLK_SIZE, 4, SECTOR);
    out[CONFIG_PHYSICAL_EXPONENT] = PHYSICAL_EXPONENT;
    put(out + CONFIG_MIN_IO, 2, 1 << PHYSICAL_EXPONENT);
    out[CONFIG_WRITEBACK] = !blk->is_write_through;
    put(out + CONFIG_N_QUEUES, 2, virtio->n_queues);
    put(out + CONFIG_MAX_DISCARD_SECTORS, 4, RANGE_SECTORS_MAX);
    put(out + CONFIG_MAX_DISCARD_SEGMENTS, 4, 1);
    put(out + CONFIG_DISCARD_ALIGNMENT, 4, 1 << PHYSICAL_EXPONENT);
    put(out + CONFIG_MAX_ZEROES_SECTORS, 4, RANGE_SECTORS_MAX);
    put(out + CONFIG_MAX_ZEROES_SEGMENTS, 4, 1);
    out[CONFIG_ZEROES_MAY_UNMAP] = 1;
}

static void blk_set_config(Virtio *virtio, unsigned offset, uint8_t value)
{
    VirtioBlk *blk = (VirtioBlk *)virtio;

    if (offset != CONFIG_WRITEBACK || !virtio_has_feature(virtio, BLK_F_CONFIG_WCE))
        return;
    virtio_enter(virtio);
    blk->is_write_through = !(value & 1);
    virtio_leave(virtio);
}

/* §5.2.5.2: a driver that cannot flush must not have to. */
static bool writes_through(const VirtioBlk *blk)
{
    if (virtio_has_feature(&blk->virtio, BLK_F_CONFIG_WCE))
        return blk->is_write_through;
    return !virtio_has_feature(&blk->virtio, BLK_F_FLUSH);
}

/* --- requests --------------------------------------------------------------------------------- */

/* The last byte that the device may write is the status (§5.2.6), wherever the buffers begin. */
static void finish(VirtioBlk *blk, unsigned queue, VirtChain *chain, uint8_t status,
                   uint64_t n_written)
{
    virt_chain_write(chain, chain->in_length - 1, &status, 1);
    virtio_finish(&blk->virtio, queue, chain,
                  (uint32_t)MIN(status == BLK_OK ? n_written + 1 : 1, UINT32_MAX));
}

static void request_free(BlkRequest *request)
{
    g_queue_unlink(&request->blk->requests, &request->link);
    virt_chain_free(request->chain);
    g_free(request->iov);
    g_free(request);
}

static void request_finish(BlkRequest *request, int result)
{
    uint8_t status = result == 0 ? BLK_OK : result == -ENOTSUP ? BLK_UNSUPPORTED : BLK_IOERR;
    VirtChain *chain = g_steal_pointer(&request->chain);

    finish(request->blk, request->queue, chain, status, request->n_written);
    request_free(request);
}

/* On a disk's worker, no lock held. Who waits for the request has the board lock, which a worker
 * must not want then, and sends the interrupts. */
static void on_disk_done(DiskRequest *disk_request, int result)
{
    BlkRequest *request = disk_request->opaque;
    VirtioBlk *blk = request->blk;

    virtio_enter(&blk->virtio);
    bool is_waited_for = request->is_waited_for;
    if (result == 0 && request->flushes_after && !request->is_forgotten) {
        request->flushes_after = false;
        request->request.operation = DISK_FLUSH;
        disk_submit(blk->disk, &request->request);
    } else {
        request->is_done = true;
        request->result = result;
        if (request->is_forgotten)
            request_free(request);
        else if (!is_waited_for)
            request_finish(request, result);
        g_cond_broadcast(&blk->virtio.changed);
    }
    if (is_waited_for)
        g_mutex_unlock(&blk->virtio.lock);
    else
        virtio_leave(&blk->virtio);
}

/* With a deterministic clock the host's speed must not show: the guest waits here, and is
 * interrupted from here. A disk that is full answers when there is room, which is another time on
 * every host anyway. */
static void wait_for(BlkRequest *request)
{
    VirtioBlk *blk = request->blk;
    Virtio *virtio = &blk->virtio;

    while (!request->is_done && !disk_is_stuck(blk->disk))
        g_cond_wait_until(&virtio->changed, &virtio->lock, g_get_monotonic_time() + CANCEL_LOOK_US);
    request->is_waited_for = false;
    if (request->is_done)
        request_finish(request, request->result);
}

static void submit(VirtioBlk *blk, unsigned queue, VirtChain *chain, const DiskRequest *model)
{
    BlkRequest *request = g_new(BlkRequest, 1);

    *request = (BlkRequest){ .request = *model, .blk = blk, .queue = queue, .chain = chain };
    request->iov = model->iov;
    request->request.done = on_disk_done;
    request->request.opaque = request;
    request->link.data = request;
    request->n_written = model->operation == DISK_READ ? model->length : 0;
    request->flushes_after =
        model->operation != DISK_READ && model->operation != DISK_FLUSH && writes_through(blk);
    g_queue_push_tail_link(&blk->requests, &request->link);
    request->is_waited_for = virtio_is_inline(&blk->virtio);
    disk_submit(blk->disk, &request->request);
    if (request->is_waited_for)
        wait_for(request);
}

static void begin_transfer(VirtioBlk *blk, unsigned queue, VirtChain *chain, bool in,
                           uint64_t sector)
{
    uint64_t length = in ? chain->in_length - 1 : chain->out_length - HEADER_SIZE;
    uint64_t disk = disk_size(blk->disk);
    DiskRequest model = { .operation = in ? DISK_READ : DISK_WRITE, .length = length };

    if (length % SECTOR || length > TRANSFER_MAX || sector > disk / SECTOR ||
        length > disk - sector * SECTOR) {
        finish(blk, queue, chain, BLK_IOERR, 0);
        return;
    }
    model.offset = sector * SECTOR;
    model.iov = virt_chain_dup_iov(chain, in, in ? 0 : HEADER_SIZE, length, &model.n_iov);
    submit(blk, queue, chain, &model);
}

static void begin_range(VirtioBlk *blk, unsigned queue, VirtChain *chain, bool discards)
{
    struct {
        uint64_t sector;
        uint32_t n_sectors, flags;
    } range;
    uint64_t n_disk = disk_size(blk->disk) / SECTOR;
    uint8_t status = BLK_OK;

    G_STATIC_ASSERT(sizeof range == RANGE_SIZE);
    if (chain->out_length != HEADER_SIZE + RANGE_SIZE ||
        virt_chain_read(chain, HEADER_SIZE, &range, sizeof range) < sizeof range) {
        finish(blk, queue, chain, BLK_IOERR, 0);
        return;
    }
    uint64_t sector = GUINT64_FROM_LE(range.sector);
    uint32_t n = GUINT32_FROM_LE(range.n_sectors), flags = GUINT32_FROM_LE(range.flags);
    if (flags & ~(discards ? 0 : RANGE_UNMAP))
        status = BLK_UNSUPPORTED;
    else if (n > RANGE_SECTORS_MAX || sector > n_disk || n > n_disk - sector)
        status = BLK_IOERR;
    if (status != BLK_OK) {
        finish(blk, queue, chain, status, 0);
        return;
    }
    DiskRequest model = { .operation = discards ? DISK_DISCARD : DISK_WRITE_ZEROES,
                          .offset = sector * SECTOR,
                          .length = (uint64_t)n * SECTOR };
    submit(blk, queue, chain, &model);
}

static void send_serial(VirtioBlk *blk, unsigned queue, VirtChain *chain)
{
    size_t n = virt_chain_write(chain, 0, blk->serial, MIN(SERIAL_SIZE, chain->in_length - 1));

    finish(blk, queue, chain, BLK_OK, n);
}

static void blk_begin(Virtio *virtio, unsigned queue, VirtChain *chain)
{
    VirtioBlk *blk = (VirtioBlk *)virtio;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;

    G_STATIC_ASSERT(sizeof header == HEADER_SIZE);
    if (chain->in_length < 1 || virt_chain_read(chain, 0, &header, HEADER_SIZE) < HEADER_SIZE) {
        virtio->queue[queue].is_broken = true; /* no room for an answer */
        virt_chain_free(chain);
        return;
    }
    bool may_write = !disk_is_read_only(blk->disk);
    uint32_t type = GUINT32_FROM_LE(header.type);
    uint64_t sector = GUINT64_FROM_LE(header.sector);
    if (type == BLK_IN || (type == BLK_OUT && may_write))
        begin_transfer(blk, queue, chain, type == BLK_IN, sector);
    else if (type == BLK_OUT)
        finish(blk, queue, chain, BLK_IOERR, 0);
    else if (type == BLK_FLUSH)
        submit(blk, queue, chain, &(DiskRequest){ .operation = DISK_FLUSH });
    else if ((type == BLK_DISCARD || type == BLK_WRITE_ZEROES) && may_write)
        begin_range(blk, queue, chain, type == BLK_DISCARD);
    else if (type == BLK_GET_ID)
        send_serial(blk, queue, chain);
    else
        finish(blk, queue, chain, BLK_UNSUPPORTED, 0);
}

/* What no worker has begun is taken back; what runs is waited for. A worker needs the data side's
 * lock only, which is free meanwhile. */
static void blk_cancel(Virtio *virtio, unsigned first, unsigned last)
{
    VirtioBlk *blk = (VirtioBlk *)virtio;
    bool waits;

    do {
        waits = false;
        for (GList *link = blk->requests.head, *next; link; link = next) {
            BlkRequest *request = link->data;
            next = link->next;
            if (request->queue < first || request->queue > last)
                continue;
            request->is_forgotten = true;
            if (disk_cancel(blk->disk, &request->request))
                request_free(request);
            else
                waits = true;
        }
        if (waits)
            g_cond_wait_until(&virtio->changed, &virtio->lock,
                              g_get_monotonic_time() + CANCEL_LOOK_US);
    } while (waits);
}

static void blk_drain(Virtio *virtio)
{
    disk_drain(((VirtioBlk *)virtio)->disk);
}

/* --- life ------------------------------------------------------------------------------------- */

static void blk_reset(Virtio *virtio)
{
    ((VirtioBlk *)virtio)->is_write_through = false;
}

static const VirtioKind blk_kind = {
    .type = 2,
    .class_code = 0x010000,
    .features = blk_features,
    .get_config = blk_get_config,
    .set_config = blk_set_config,
    .reset = blk_reset,
    .begin = blk_begin,
    .cancel = blk_cancel,
    .drain = blk_drain,
};

static bool blk_realize(Device *dev, Machine *machine, GError **error)
{
    return virtio_realize((Virtio *)dev, error);
}

static const DeviceOps virtio_blk_ops = {
    .name = "virtio-blk",
    .instance_size = sizeof(VirtioBlk),
    .state_version = 1,
    .state = virtio_blk_state,
    .min_access = VIRTIO_MIN_ACCESS,
    .max_access = VIRTIO_MAX_ACCESS,
    .realize = blk_realize,
    .unrealize = virtio_unrealize,
    .reset = virtio_reset,
    .update = virtio_update,
    .read = virtio_read,
    .write = virtio_write,
};

Device *virtio_blk_new(PciBus *bus, uint8_t devfn, const char *id, Disk *disk, const char *serial,
                       unsigned n_cpus)
{
    VirtioBlk *blk = device_alloc(&virtio_blk_ops, id);

    blk->virtio.kind = &blk_kind;
    blk->virtio.bus = bus;
    blk->virtio.devfn = devfn;
    blk->virtio.n_queues = CLAMP(n_cpus, 1, VIRTIO_MAX_QUEUES);
    blk->virtio.queue_size = QUEUE_SIZE;
    blk->disk = disk;
    g_strlcpy(blk->serial, serial ? serial : "", sizeof blk->serial);
    g_queue_init(&blk->requests);
    return &blk->virtio.pci.dev;
}
