/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The host side of a character device (serial port, debug console): bytes out to whoever listens,
 * bytes in to the device. The device registers itself; the engine, a console or a test attaches. */

#include "core/dev/device.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CharBackend CharBackend;

CharBackend *char_backend_new(void);
void char_backend_free(CharBackend *chr);

/* Device side, lock of the device held. @can_accept: how many bytes the device can take now;
 * @receive gives it at most that many. Both are called with @device entered. @device NULL: nobody
 * listens, bytes wait. */
void char_backend_set_device(CharBackend *chr, Device *device,
                             void (*receive)(Device *device, const uint8_t *bytes, size_t length),
                             size_t (*can_accept)(Device *device));
void char_backend_write(CharBackend *chr, const uint8_t *bytes, size_t length); /* from the guest */
void char_backend_accept(CharBackend *chr); /* the device has room again */

/* Host side, any thread. @output gets what the guest writes, on the guest's thread: be quick, and
 * take no lock that is held while calling in here. The
 * last 64 KiB are kept and can be read at any time, for consoles that attach late. More than one
 * listener may be attached; the id detaches it. */
unsigned char_backend_attach(CharBackend *chr,
                             void (*output)(void *opaque, const uint8_t *bytes, size_t length),
                             void *opaque);
void char_backend_detach(CharBackend *chr, unsigned id);
GBytes *char_backend_dup_history(CharBackend *chr);
/* Queues bytes for the guest; they arrive as fast as the device takes them. What a guest leaves
 * unread beyond 1 MiB is lost. */
void char_backend_send(CharBackend *chr, const uint8_t *bytes, size_t length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CharBackend, char_backend_free)
