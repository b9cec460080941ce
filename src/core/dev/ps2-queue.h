/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Bytes on their way from a PS/2 device to its controller. Answers to commands overtake events.
 * Included by the two devices and the controller. */

#include "core/state/state.h"

typedef struct {
    uint8_t bytes[256];
    uint8_t head;
    uint16_t count;
} Ps2Queue;

static inline void ps2_queue_clear(Ps2Queue *queue)
{
    queue->head = 0;
    queue->count = 0;
}

static inline unsigned ps2_queue_room(const Ps2Queue *queue)
{
    return sizeof(queue->bytes) - queue->count;
}

/* Drops the byte when there is no room. */
static inline void ps2_queue_push(Ps2Queue *queue, uint8_t byte)
{
    if (ps2_queue_room(queue))
        queue->bytes[(uint8_t)(queue->head + queue->count++)] = byte;
}

/* Queue must not be empty. */
static inline uint8_t ps2_queue_pop(Ps2Queue *queue)
{
    queue->count--;
    return queue->bytes[queue->head++];
}

#define PS2_QUEUE_STATE(type, field)                                                               \
    STATE_BYTES(type, field.bytes), STATE_UINT(type, field.head),                                  \
        STATE_UINT_MAX(type, field.count, 256)
