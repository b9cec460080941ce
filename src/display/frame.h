/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The picture of one running machine as the engine sends it: a listener of org.qemu.Display1 that
 * maps the engine's framebuffer and says what changed. The engine may be in a guest's hand, so
 * sizes, strides and rectangles are checked here and nowhere else needs to. Main thread. Included
 * by presenters and by thumbnails. */

#include "display/damage.h"
#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_FRAME (vitrine_frame_get_type())
G_DECLARE_FINAL_TYPE(VitrineFrame, vitrine_frame, VITRINE, FRAME, GObject)

#define VITRINE_FRAME_MAX_SIZE 16384
#define VITRINE_FRAME_MAX_PIXELS (1u << 26) /* 256 MiB of them */

/* Signals: "resized" after the picture's size or memory changed (all of it is new), "damaged"
 * (VitrineRect *) after a part of it changed. */
VitrineFrame *vitrine_frame_new(void);

/* Registers with the console on @connection. Sends pictures from then on. */
void vitrine_frame_connect_async(VitrineFrame *self, GDBusConnection *connection,
                                 GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer opaque);
bool vitrine_frame_connect_finish(VitrineFrame *self, GAsyncResult *result, GError **error);
void vitrine_frame_disconnect(VitrineFrame *self);
/* What would be shown one to one, in device pixels @scale of which make a logical unit: the guest
 * is told by its monitor, and takes that mode when it next asks (at its start; some also later). */
void vitrine_frame_suggest_size(VitrineFrame *self, unsigned width, unsigned height, double scale);

/* 0 × 0 while there is none. */
unsigned vitrine_frame_get_width(VitrineFrame *self);
unsigned vitrine_frame_get_height(VitrineFrame *self);
/* Why there is none, in words for the user; NULL: the machine just shows nothing. Changes with
 * "resized". */
const char *vitrine_frame_get_problem(VitrineFrame *self);
/* Rows of 32-bit pixels, x8r8g8b8 little-endian, @out_stride bytes apart; NULL while there is none.
 * Good until the next "resized". The guest writes into it at any time. */
const uint8_t *vitrine_frame_get_pixels(VitrineFrame *self, unsigned *out_stride);

G_END_DECLS
