/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A presenter without a window: keeps a picture of its own and copies into it what the frame says
 * has changed, as the others do with textures and tiles. For tests and for measuring. Main thread.
 */

#include "display/frame.h"

typedef struct HeadlessPresenter HeadlessPresenter;

HeadlessPresenter *headless_presenter_new(VitrineFrame *frame);
void headless_presenter_free(HeadlessPresenter *presenter);
/* Pixels x8r8g8b8, rows without gaps; NULL and 0 × 0 while there is no picture. Borrowed. */
const uint32_t *headless_presenter_get_pixels(HeadlessPresenter *presenter, unsigned *out_width,
                                              unsigned *out_height);
/* Changes shown so far. */
uint64_t headless_presenter_get_updates(HeadlessPresenter *presenter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HeadlessPresenter, headless_presenter_free)
