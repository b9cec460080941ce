/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* virtio entropy device 1AF4:1044 (virtio 1.2 §5.4): the host's random bytes for the guest's pool.
 * Included by the board. */

#include "core/virtio/virtio-pci.h"

Device *virtio_rng_new(PciBus *bus, uint8_t devfn);
