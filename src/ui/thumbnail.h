/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine's picture for the library, read in the size that it is drawn in: scaling at each frame
 * would cost most of it where there is no GPU. Included by the machine. */

#include <gtk/gtk.h>

/* What fits into a tile (machine-tile.ui). */
#define THUMBNAIL_WIDTH 210
#define THUMBNAIL_HEIGHT 118

/* @scale: device pixels a pixel of the tile. Main thread; the reading is done on another. */
void thumbnail_load_async(const char *path, int scale, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer opaque);
/* NULL when there is none, or none that can be read. */
GdkTexture *thumbnail_load_finish(GAsyncResult *result);
