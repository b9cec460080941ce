/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* virtio's registers on PCI (virtio 1.2 §4.1). */

#include "core/virtio/virtio-internal.h"

#include <string.h>

/* BAR 4 has the four structures, a page each; BAR 1 the MSI-X table. */
enum { BAR_MSIX = 1, BAR_STRUCTURES = 4 };
enum {
    COMMON_OFFSET = 0x0000,
    ISR_OFFSET = 0x1000,
    DEVICE_OFFSET = 0x2000,
    NOTIFY_OFFSET = 0x3000,
    STRUCTURES_SIZE = 0x4000,
    STRUCTURE_SIZE = 0x1000,
    MSIX_OFFSET = 0x10000, /* as our ops see it */
};
#define NOTIFY_MULTIPLIER 4
#define COMMON_SIZE 60

enum { /* struct virtio_pci_common_cfg, §4.1.4.3 */
       COMMON_DEVICE_FEATURE_SELECT = 0,
       COMMON_DEVICE_FEATURE = 4,
       COMMON_DRIVER_FEATURE_SELECT = 8,
       COMMON_DRIVER_FEATURE = 12,
       COMMON_CONFIG_VECTOR = 16,
       COMMON_N_QUEUES = 18,
       COMMON_STATUS = 20,
       COMMON_CONFIG_GENERATION = 21,
       COMMON_QUEUE_SELECT = 22,
       COMMON_QUEUE_SIZE = 24,
       COMMON_QUEUE_VECTOR = 26,
       COMMON_QUEUE_ENABLE = 28,
       COMMON_QUEUE_NOTIFY_OFFSET = 30,
       COMMON_QUEUE_DESCRIPTORS = 32,
       COMMON_QUEUE_DRIVER = 40,
       COMMON_QUEUE_DEVICE = 48,
       COMMON_QUEUE_NOTIFY_DATA = 56,
       COMMON_QUEUE_RESET = 58,
};
enum { /* struct virtio_pci_cap, §4.1.4 */
       CAP_VENDOR = 0x09,
       CAP_COMMON = 1,
       CAP_NOTIFY = 2,
       CAP_ISR = 3,
       CAP_DEVICE = 4,
       CAP_PCI = 5,
       CAP_SIZE = 16,
       CAP_SIZE_LONG = 20, /* with the multiplier, or the data */
};

const StateField virtio_state[] = {
    PCI_STATE(Virtio, pci),
    STATE_STRUCT(Virtio, msix, msix_state),
    STATE_UINT(Virtio, device_feature_select),
    STATE_UINT(Virtio, driver_feature_select),
    STATE_UINT(Virtio, driver_features),
    STATE_UINT(Virtio, config_vector),
    STATE_UINT(Virtio, queue_select),
    STATE_UINT(Virtio, status),
    STATE_UINT(Virtio, config_generation),
    STATE_UINT(Virtio, isr),
    STATE_BOOL(Virtio, needs_reset),
    STATE_STRUCTS(Virtio, queue, virtqueue_state),
    STATE_END,
};

static uint64_t offered_features(const Virtio *virtio)
{
    return UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_INDIRECT_DESC |
           UINT64_C(1) << VIRTIO_F_EVENT_IDX | UINT64_C(1) << VIRTIO_F_RING_RESET |
           virtio->kind->features(virtio);
}

/* --- interrupts ------------------------------------------------------------------------------- */

void virtio_interrupt(Virtio *virtio, unsigned vector, uint8_t isr)
{
    Device *dev = &virtio->pci.dev;

    if (msix_is_enabled(&virtio->msix)) {
        msix_signal(&virtio->msix, vector);
        return;
    }
    device_enter(dev);
    if (virtio->status & VIRTIO_STATUS_DRIVER_OK) { /* or it was reset while we waited */
        virtio->isr |= isr;
        pci_device_set_irq(&virtio->pci, virtio->isr != 0);
    }
    device_leave(dev);
}

/* §4.1.4.5: to read it is to acknowledge. */
static uint8_t read_isr(Virtio *virtio)
{
    uint8_t isr = virtio->isr;

    virtio->isr = 0;
    pci_device_set_irq(&virtio->pci, false);
    return isr;
}

static uint16_t checked_vector(const Virtio *virtio, uint16_t vector)
{
    return vector < virtio->msix.n ? vector : VIRTQUEUE_NO_VECTOR;
}

/* --- common configuration --------------------------------------------------------------------- */

static Virtqueue *selected_queue(Virtio *virtio)
{
    return virtio->queue_select < virtio->n_queues ? &virtio->queue[virtio->queue_select] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> 32 * select) : 0;
}

static void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, (uint16_t)value);
    put16(to + 2, (uint16_t)(value >> 16));
}

static void put64(uint8_t *to, uint64_t value)
{
    put32(to, (uint32_t)value);
    put32(to + 4, (uint32_t)(value >> 32));
}

static void fill_queue(Virtio *virtio, uint8_t common[COMMON_SIZE])
{
    const Virtqueue *queue = selected_queue(virtio);

    if (!queue)
        return;
    put16(common + COMMON_QUEUE_SIZE, queue->size);
    put16(common + COMMON_QUEUE_VECTOR, queue->vector);
    put16(common + COMMON_QUEUE_ENABLE, queue->is_enabled);
    put16(common + COMMON_QUEUE_NOTIFY_OFFSET, virtio->queue_select);
    put64(common + COMMON_QUEUE_DESCRIPTORS, queue->descriptors);
    put64(common + COMMON_QUEUE_DRIVER, queue->driver);
    put64(common + COMMON_QUEUE_DEVICE, queue->device);
}

static void fill_common(Virtio *virtio, uint8_t common[COMMON_SIZE])
{
    memset(common, 0, COMMON_SIZE);
    put32(common + COMMON_DEVICE_FEATURE_SELECT, virtio->device_feature_select);
    put32(common + COMMON_DEVICE_FEATURE,
          feature_word(offered_features(virtio), virtio->device_feature_select));
    put32(common + COMMON_DRIVER_FEATURE_SELECT, virtio->driver_feature_select);
    put32(common + COMMON_DRIVER_FEATURE,
          feature_word(virtio->driver_features, virtio->driver_feature_select));
    put16(common + COMMON_CONFIG_VECTOR, virtio->config_vector);
    put16(common + COMMON_N_QUEUES, (uint16_t)virtio->n_queues);
    g_mutex_lock(&virtio->lock);
    common[COMMON_STATUS] = virtio->status | (virtio->needs_reset ? VIRTIO_STATUS_NEEDS_RESET : 0);
    g_mutex_unlock(&virtio->lock);
    common[COMMON_CONFIG_GENERATION] = virtio->config_generation;
    put16(common + COMMON_QUEUE_SELECT, virtio->queue_select);
    fill_queue(virtio, common);
}

static void reset_function(Virtio *virtio)
{
    virtio_data_reset(virtio);
    virtio->device_feature_select = virtio->driver_feature_select = 0;
    virtio->driver_features = 0;
    virtio->config_vector = VIRTQUEUE_NO_VECTOR;
    virtio->queue_select = 0;
    virtio->status = virtio->isr = 0;
    virtio->config_generation = 0;
    if (virtio->kind->reset)
        virtio->kind->reset(virtio);
    pci_device_set_irq(&virtio->pci, false);
}

static void write_status(Virtio *virtio, uint8_t status)
{
    uint64_t offered = offered_features(virtio);
    bool accepts =
        !(virtio->driver_features & ~offered) && virtio_has_feature(virtio, VIRTIO_F_VERSION_1);

    if (status == 0) {
        reset_function(virtio);
        return;
    }
    status &= ~VIRTIO_STATUS_NEEDS_RESET;
    if (!(virtio->status & VIRTIO_STATUS_FEATURES_OK) && !accepts)
        status &= ~VIRTIO_STATUS_FEATURES_OK; /* §3.1.1: the driver reads it back */
    if (!(status & VIRTIO_STATUS_FEATURES_OK))
        status &= ~VIRTIO_STATUS_DRIVER_OK;
    virtio->status |= status; /* §2.1.1: bits go by a reset only */
    virtio_data_update(virtio);
}

static void write_feature(Virtio *virtio, uint32_t value)
{
    unsigned shift = 32 * virtio->driver_feature_select;

    if (virtio->driver_feature_select > 1 || (virtio->status & VIRTIO_STATUS_FEATURES_OK))
        return;
    virtio->driver_features &= ~(UINT64_C(0xFFFFFFFF) << shift);
    virtio->driver_features |= (uint64_t)value << shift;
}

static void set_half(uint64_t *of, bool high, uint32_t value)
{
    *of = high ? (*of & UINT32_MAX) | (uint64_t)value << 32 : (*of & ~UINT64_C(0xFFFFFFFF)) | value;
}

static void enable_queue(Virtio *virtio, Virtqueue *queue)
{
    virtio_enter(virtio);
    queue->is_enabled = true;
    virtio_leave(virtio);
    virtio_data_update(virtio);
    if (virtio->is_running) /* after a reset of the queue alone */
        virtio_ring(virtio);
}

static void write_queue(Virtio *virtio, unsigned field, uint32_t value)
{
    Virtqueue *queue = selected_queue(virtio);

    if (!queue)
        return;
    if (field == COMMON_QUEUE_RESET) {
        if (value == 1 && virtio_has_feature(virtio, VIRTIO_F_RING_RESET))
            virtio_data_reset_queue(virtio, virtio->queue_select);
        return;
    }
    if (field == COMMON_QUEUE_VECTOR) {
        virtio_enter(virtio);
        queue->vector = checked_vector(virtio, (uint16_t)value);
        virtio_leave(virtio);
        return;
    }
    if (queue->is_enabled) /* §4.1.4.3.2: no more changes */
        return;
    switch (field) {
    case COMMON_QUEUE_SIZE:
        if (value && value <= virtio->queue_size && !(value & (value - 1)))
            queue->size = (uint16_t)value;
        break;
    case COMMON_QUEUE_ENABLE:
        if (value == 1)
            enable_queue(virtio, queue);
        break;
    case COMMON_QUEUE_DESCRIPTORS:
    case COMMON_QUEUE_DESCRIPTORS + 4: set_half(&queue->descriptors, field & 4, value); break;
    case COMMON_QUEUE_DRIVER:
    case COMMON_QUEUE_DRIVER + 4: set_half(&queue->driver, field & 4, value); break;
    case COMMON_QUEUE_DEVICE:
    case COMMON_QUEUE_DEVICE + 4: set_half(&queue->device, field & 4, value); break;
    }
}

static void write_common(Virtio *virtio, unsigned field, uint32_t value)
{
    switch (field) {
    case COMMON_DEVICE_FEATURE_SELECT: virtio->device_feature_select = value; break;
    case COMMON_DRIVER_FEATURE_SELECT: virtio->driver_feature_select = value; break;
    case COMMON_DRIVER_FEATURE: write_feature(virtio, value); break;
    case COMMON_CONFIG_VECTOR:
        virtio_enter(virtio);
        virtio->config_vector = checked_vector(virtio, (uint16_t)value);
        virtio_leave(virtio);
        break;
    case COMMON_STATUS: write_status(virtio, (uint8_t)value); break;
    case COMMON_QUEUE_SELECT: virtio->queue_select = (uint16_t)value; break;
    default: write_queue(virtio, field, value);
    }
}

/* The field that has byte @offset, and its size; 64-bit ones are two of 32 bits. */
static unsigned common_field(unsigned offset, unsigned *out_size)
{
    if (offset == COMMON_STATUS || offset == COMMON_CONFIG_GENERATION) {
        *out_size = 1;
        return offset;
    }
    bool is_word = (offset >= COMMON_CONFIG_VECTOR && offset < COMMON_QUEUE_DESCRIPTORS) ||
                   offset >= COMMON_QUEUE_NOTIFY_DATA;
    *out_size = is_word ? 2 : 4;
    return offset & ~(*out_size - 1);
}

/* §4.1.3.1 wants accesses of a field's size; others change the bytes that they reach. */
static void write_common_bytes(Virtio *virtio, unsigned offset, unsigned size, uint64_t value)
{
    for (unsigned done = 0; done < size && offset + done < COMMON_SIZE;) {
        unsigned field_size, field = common_field(offset + done, &field_size);
        unsigned skip = offset + done - field, n = MIN(field_size - skip, size - done);
        uint8_t common[COMMON_SIZE];
        uint32_t whole = 0;

        fill_common(virtio, common);
        for (unsigned i = 0; i < field_size; i++) {
            bool is_new = i >= skip && i < skip + n;
            uint8_t byte = is_new ? (uint8_t)(value >> 8 * (done + i - skip)) : common[field + i];
            whole |= (uint32_t)byte << 8 * i;
        }
        write_common(virtio, field, whole);
        done += n;
    }
}

/* --- windows ---------------------------------------------------------------------------------- */

static uint64_t bytes_at(const uint8_t *bytes, unsigned length, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && offset + i < length; i++)
        value |= (uint64_t)bytes[offset + i] << 8 * i;
    return value;
}

static void write_device_config(Virtio *virtio, uint64_t offset, unsigned size, uint64_t value)
{
    if (!virtio->kind->set_config)
        return;
    for (unsigned i = 0; i < size && offset + i < VIRTIO_CONFIG_SIZE; i++)
        virtio->kind->set_config(virtio, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
}

uint64_t virtio_read(Device *dev, uint64_t offset, unsigned size)
{
    Virtio *virtio = (Virtio *)dev;
    uint64_t at = offset % STRUCTURE_SIZE;
    uint8_t bytes[MAX(COMMON_SIZE, VIRTIO_CONFIG_SIZE)] = { 0 };

    if (offset >= MSIX_OFFSET)
        return msix_read(&virtio->msix, offset - MSIX_OFFSET, size);
    switch (offset - at) {
    case COMMON_OFFSET: fill_common(virtio, bytes); return bytes_at(bytes, COMMON_SIZE, at, size);
    case ISR_OFFSET: return at == 0 ? read_isr(virtio) : 0;
    case DEVICE_OFFSET:
        virtio->kind->get_config(virtio, bytes);
        return bytes_at(bytes, VIRTIO_CONFIG_SIZE, at, size);
    }
    return 0;
}

void virtio_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Virtio *virtio = (Virtio *)dev;
    uint64_t at = offset % STRUCTURE_SIZE;

    if (offset >= MSIX_OFFSET) {
        if (size == 4)
            msix_write(&virtio->msix, offset - MSIX_OFFSET, (uint32_t)value);
        return;
    }
    switch (offset - at) {
    case COMMON_OFFSET: write_common_bytes(virtio, (unsigned)at, size, value); break;
    case DEVICE_OFFSET: write_device_config(virtio, at, size, value); break;
    case NOTIFY_OFFSET:
        virtio->n_notified++;
        virtio_ring(virtio);
        break;
    }
}

/* --- configuration space ---------------------------------------------------------------------- */

static uint8_t add_capability(Virtio *virtio, uint8_t type, uint8_t size, uint32_t offset,
                              uint32_t length)
{
    uint8_t at = pci_device_add_capability(&virtio->pci, CAP_VENDOR, size);

    virtio->pci.config[at + 2] = size;
    virtio->pci.config[at + 3] = type;
    virtio->pci.config[at + 4] = BAR_STRUCTURES;
    pci_set32(&virtio->pci, at + 8, offset);
    pci_set32(&virtio->pci, at + 12, length);
    return at;
}

/* Firmware that cannot reach a BAR reads and writes it through this capability (§4.1.4.9). */
static bool config_access(Virtio *virtio, uint64_t *out_offset, unsigned *out_size)
{
    const PciDevice *pci = &virtio->pci;
    unsigned cap = virtio->pci_cap;
    uint32_t offset = pci_get32(pci, cap + 8), length = pci_get32(pci, cap + 12);

    if (pci->config[cap + 4] != BAR_STRUCTURES || (length != 1 && length != 2 && length != 4) ||
        offset >= STRUCTURES_SIZE || offset % length)
        return false;
    *out_offset = offset;
    *out_size = length;
    return true;
}

static bool touches_data(const Virtio *virtio, unsigned offset, unsigned size)
{
    unsigned data = virtio->pci_cap + CAP_SIZE;

    return offset < data + 4 && offset + size > data;
}

static void on_config_reading(PciDevice *pci, unsigned offset, unsigned size)
{
    Virtio *virtio = (Virtio *)pci;
    uint64_t at;
    unsigned length;

    if (touches_data(virtio, offset, size) && config_access(virtio, &at, &length))
        pci_set32(pci, virtio->pci_cap + CAP_SIZE, (uint32_t)virtio_read(&pci->dev, at, length));
}

static void on_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    Virtio *virtio = (Virtio *)pci;
    uint64_t at;
    unsigned length;

    if (touches_data(virtio, offset, size) && config_access(virtio, &at, &length))
        virtio_write(&pci->dev, at, length,
                     pci_get32(pci, virtio->pci_cap + CAP_SIZE) &
                         (length == 4 ? UINT32_MAX : (1u << 8 * length) - 1));
    msix_update(&virtio->msix);
    virtio_data_update(virtio);
}

static void add_capabilities(Virtio *virtio)
{
    PciDevice *pci = &virtio->pci;

    add_capability(virtio, CAP_COMMON, CAP_SIZE, COMMON_OFFSET, COMMON_SIZE);
    add_capability(virtio, CAP_ISR, CAP_SIZE, ISR_OFFSET, 4);
    add_capability(virtio, CAP_DEVICE, CAP_SIZE, DEVICE_OFFSET, VIRTIO_CONFIG_SIZE);
    uint8_t notify = add_capability(virtio, CAP_NOTIFY, CAP_SIZE_LONG, NOTIFY_OFFSET,
                                    VIRTIO_MAX_QUEUES * NOTIFY_MULTIPLIER);
    pci_set32(pci, notify + CAP_SIZE, NOTIFY_MULTIPLIER);
    virtio->pci_cap = add_capability(virtio, CAP_PCI, CAP_SIZE_LONG, 0, 0);
    pci->config[virtio->pci_cap + 4] = 0;
    pci->writable[virtio->pci_cap + 4] = 0xFF;
    memset(&pci->writable[virtio->pci_cap + 8], 0xFF, 12);
}

static void add_doorbells(Virtio *virtio)
{
    for (unsigned i = 0; i < virtio->n_queues; i++)
        virtio->bell[i] =
            (Doorbell){ .offset = NOTIFY_OFFSET + i * NOTIFY_MULTIPLIER, .fd = virtio->bell_fd };
    virtio->bells = (DoorbellSet){ virtio->n_queues, virtio->bell };
    if (!virtio_is_inline(virtio))
        pci_device_bar_doorbells(&virtio->pci, BAR_STRUCTURES, &virtio->bells);
}

/* --- life ------------------------------------------------------------------------------------- */

bool virtio_realize(Virtio *virtio, GError **error)
{
    PciDevice *pci = &virtio->pci;
    PciIdentity identity = {
        .vendor = 0x1AF4,
        .device = 0x1040 + virtio->kind->type,
        .subsystem_vendor = 0x1AF4,
        .subsystem = 0x1100,
        .class_code = virtio->kind->class_code,
        .revision = 1,
        .interrupt_pin = 1,
    };

    if (!virtio_data_init(virtio, error))
        return false;
    pci_device_init(pci, virtio->bus, virtio->devfn, &identity);
    pci_device_bar_mem(pci, BAR_MSIX, PCI_BAR_MEM32, MSIX_WINDOW_SIZE, MSIX_OFFSET);
    pci_device_bar_mem(pci, BAR_STRUCTURES, PCI_BAR_MEM64_PREFETCH, STRUCTURES_SIZE, 0);
    add_doorbells(virtio);
    msix_init(&virtio->msix, pci, virtio->n_queues + 1, BAR_MSIX);
    add_capabilities(virtio);
    pci->config_written = on_config_written;
    pci->config_reading = on_config_reading;
    return true;
}

void virtio_unrealize(Device *dev)
{
    Virtio *virtio = (Virtio *)dev;

    virtio_data_stop(virtio);
    msix_clear(&virtio->msix);
    pci_device_clear(&virtio->pci);
    virtio_data_clear(virtio);
}

void virtio_reset(Device *dev)
{
    Virtio *virtio = (Virtio *)dev;

    reset_function(virtio);
    msix_reset(&virtio->msix);
    pci_device_reset(&virtio->pci);
}

void virtio_update(Device *dev)
{
    Virtio *virtio = (Virtio *)dev;

    pci_device_update(&virtio->pci);
    pci_device_set_irq(&virtio->pci, virtio->isr != 0);
    msix_update(&virtio->msix);
    virtio_data_update(virtio);
}
