/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/virtio/virtio-rng.h"

#include <string.h>
#include <sys/random.h>

#define QUEUE_SIZE 64
#define PIECE 256          /* what getrandom() always gives at once */
#define REQUEST_MAX 0x1000 /* a request may be answered with less than it has room for */

typedef struct {
    Virtio virtio;
} VirtioRng;

static const StateField virtio_rng_state[] = {
    VIRTIO_STATE(VirtioRng, virtio),
    STATE_END,
};

static uint64_t rng_features(const Virtio *virtio)
{
    return 0;
}

static void rng_get_config(const Virtio *virtio, uint8_t out[VIRTIO_CONFIG_SIZE])
{
    memset(out, 0, VIRTIO_CONFIG_SIZE);
}

static void rng_begin(Virtio *virtio, unsigned queue, VirtChain *chain)
{
    uint64_t wanted = MIN(chain->in_length, REQUEST_MAX), done = 0;
    uint8_t bytes[PIECE];

    while (done < wanted) {
        size_t piece = MIN(wanted - done, sizeof bytes);
        if (getrandom(bytes, piece, 0) != (ssize_t)piece)
            break; /* the guest gets what there is */
        done += virt_chain_write(chain, done, bytes, piece);
    }
    explicit_bzero(bytes, sizeof bytes);
    virtio_finish(virtio, queue, chain, (uint32_t)done);
}

/* Requests end where they begin. */
static void rng_cancel(Virtio *virtio, unsigned first, unsigned last)
{
}

static const VirtioKind rng_kind = {
    .type = 4,
    .class_code = 0x00FF00,
    .features = rng_features,
    .get_config = rng_get_config,
    .begin = rng_begin,
    .cancel = rng_cancel,
};

static bool rng_realize(Device *dev, Machine *machine, GError **error)
{
    return virtio_realize((Virtio *)dev, error);
}

static const DeviceOps virtio_rng_ops = {
    .name = "virtio-rng",
    .instance_size = sizeof(VirtioRng),
    .state_version = 1,
    .state = virtio_rng_state,
    .min_access = VIRTIO_MIN_ACCESS,
    .max_access = VIRTIO_MAX_ACCESS,
    .realize = rng_realize,
    .unrealize = virtio_unrealize,
    .reset = virtio_reset,
    .update = virtio_update,
    .read = virtio_read,
    .write = virtio_write,
};

Device *virtio_rng_new(PciBus *bus, uint8_t devfn)
{
    VirtioRng *rng = device_alloc(&virtio_rng_ops, "virtio-rng");

    rng->virtio.kind = &rng_kind;
    rng->virtio.bus = bus;
    rng->virtio.devfn = devfn;
    rng->virtio.n_queues = 1;
    rng->virtio.queue_size = QUEUE_SIZE;
    return &rng->virtio.pci.dev;
}
