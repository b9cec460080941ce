/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/char-backend.h"

#include <string.h>

#define CHAR_BACKEND_HISTORY 65536u
#define CHAR_BACKEND_MAX_QUEUED (1u << 20)

typedef struct {
    unsigned id;
    void (*output)(void *opaque, const uint8_t *bytes, size_t length);
    void *opaque;
} CharListener;

struct CharBackend {
    /* Order: the device's lock, then this one. Recursive, as a listener may detach itself. */
    GRecMutex lock;
    Device *device; /* borrowed */
    void (*receive)(Device *device, const uint8_t *bytes, size_t length);
    size_t (*can_accept)(Device *device);
    GArray *listeners; /* of CharListener */
    unsigned last_id;
    GByteArray *queued; /* for the guest; the first @n_taken are gone already */
    size_t n_taken;
    bool pumping;
    uint8_t history[CHAR_BACKEND_HISTORY]; /* a ring */
    uint64_t n_written;
};

CharBackend *char_backend_new(void)
{
    CharBackend *chr = g_new0(CharBackend, 1);

    g_rec_mutex_init(&chr->lock);
    chr->listeners = g_array_new(FALSE, FALSE, sizeof(CharListener));
    chr->queued = g_byte_array_new();
    return chr;
}

void char_backend_free(CharBackend *chr)
{
    if (!chr)
        return;
    g_array_unref(chr->listeners);
    g_byte_array_unref(chr->queued);
    g_rec_mutex_clear(&chr->lock);
    g_free(chr);
}

void char_backend_set_device(CharBackend *chr, Device *device,
                             void (*receive)(Device *, const uint8_t *, size_t),
                             size_t (*can_accept)(Device *))
{
    g_rec_mutex_lock(&chr->lock);
    chr->device = device;
    chr->receive = receive;
    chr->can_accept = can_accept;
    g_rec_mutex_unlock(&chr->lock);
}

static void char_backend_remember(CharBackend *chr, const uint8_t *bytes, size_t length)
{
    while (length) {
        size_t at = chr->n_written % CHAR_BACKEND_HISTORY;
        size_t n = MIN(length, CHAR_BACKEND_HISTORY - at);

        memcpy(chr->history + at, bytes, n);
        chr->n_written += n;
        bytes += n;
        length -= n;
    }
}

void char_backend_write(CharBackend *chr, const uint8_t *bytes, size_t length)
{
    g_rec_mutex_lock(&chr->lock);
    char_backend_remember(chr, bytes, length);
    for (guint i = chr->listeners->len; i > 0; i--) {
        CharListener listener;

        if (i > chr->listeners->len) /* one detached another */
            continue;
        listener = g_array_index(chr->listeners, CharListener, i - 1);
        listener.output(listener.opaque, bytes, length);
    }
    g_rec_mutex_unlock(&chr->lock);
}

/* Hands over as much as the device takes. Device lock held. */
void char_backend_accept(CharBackend *chr)
{
    if (chr->pumping || !chr->device) /* a device may say accept from within receive */
        return;
    chr->pumping = true;
    for (;;) {
        uint8_t chunk[64];
        size_t room = chr->can_accept(chr->device);
        size_t n;

        g_rec_mutex_lock(&chr->lock);
        n = MIN(MIN(room, sizeof(chunk)), chr->queued->len - chr->n_taken);
        if (n) /* an empty array has no data to point to */
            memcpy(chunk, chr->queued->data + chr->n_taken, n);
        chr->n_taken += n;
        if (chr->n_taken == chr->queued->len) {
            g_byte_array_set_size(chr->queued, 0);
            chr->n_taken = 0;
        }
        g_rec_mutex_unlock(&chr->lock);
        if (!n)
            break;
        chr->receive(chr->device, chunk, n);
    }
    chr->pumping = false;
}

unsigned char_backend_attach(CharBackend *chr, void (*output)(void *, const uint8_t *, size_t),
                             void *opaque)
{
    CharListener listener = { .output = output, .opaque = opaque };

    g_rec_mutex_lock(&chr->lock);
    listener.id = ++chr->last_id;
    g_array_append_val(chr->listeners, listener);
    g_rec_mutex_unlock(&chr->lock);
    return listener.id;
}

void char_backend_detach(CharBackend *chr, unsigned id)
{
    g_rec_mutex_lock(&chr->lock);
    for (guint i = 0; i < chr->listeners->len; i++) {
        if (g_array_index(chr->listeners, CharListener, i).id == id) {
            g_array_remove_index(chr->listeners, i);
            break;
        }
    }
    g_rec_mutex_unlock(&chr->lock);
}

GBytes *char_backend_dup_history(CharBackend *chr)
{
    uint8_t *copy = g_malloc(CHAR_BACKEND_HISTORY);
    size_t length, start;

    g_rec_mutex_lock(&chr->lock);
    length = MIN(chr->n_written, CHAR_BACKEND_HISTORY);
    start = (chr->n_written - length) % CHAR_BACKEND_HISTORY;
    memcpy(copy, chr->history + start, MIN(length, CHAR_BACKEND_HISTORY - start));
    if (length > CHAR_BACKEND_HISTORY - start)
        memcpy(copy + CHAR_BACKEND_HISTORY - start, chr->history,
               length - (CHAR_BACKEND_HISTORY - start));
    g_rec_mutex_unlock(&chr->lock);
    return g_bytes_new_take(copy, length);
}

void char_backend_send(CharBackend *chr, const uint8_t *bytes, size_t length)
{
    Device *device;
    size_t waiting;

    g_rec_mutex_lock(&chr->lock);
    waiting = chr->queued->len - chr->n_taken;
    if (chr->n_taken > CHAR_BACKEND_MAX_QUEUED) {
        g_byte_array_remove_range(chr->queued, 0, chr->n_taken);
        chr->n_taken = 0;
    }
    g_byte_array_append(chr->queued, bytes, MIN(length, CHAR_BACKEND_MAX_QUEUED - waiting));
    device = chr->device;
    g_rec_mutex_unlock(&chr->lock);
    if (!device)
        return;
    device_enter(device);
    char_backend_accept(chr);
    device_leave(device);
}
