/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/doorbell.h"

#include <stddef.h>
#include <sys/eventfd.h>

static bool rings(const Doorbell *bell, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t mask = size >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;

    return bell->offset == offset && (bell->size == 0 || bell->size == size) &&
           (!bell->has_value || bell->value == (value & mask));
}

const Doorbell *doorbell_find(const DoorbellSet *set, uint64_t offset, unsigned size,
                              uint64_t value)
{
    for (unsigned i = 0; i < set->n; i++)
        if (rings(&set->bell[i], offset, size, value))
            return &set->bell[i];
    return NULL;
}

void doorbell_ring(const Doorbell *bell)
{
    eventfd_write(bell->fd, 1);
}
