/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/headless-presenter.h"
#include <string.h>

struct HeadlessPresenter {
    VitrineFrame *frame; /* owned */
    uint32_t *pixels;    /* owned */
    unsigned width, height;
    uint64_t updates;
};

static void headless_copy(HeadlessPresenter *presenter, const VitrineRect *rect)
{
    unsigned stride;
    const uint8_t *source = vitrine_frame_get_pixels(presenter->frame, &stride);
    for (int y = rect->y; y < rect->y + rect->height; y++)
        memcpy(presenter->pixels + (size_t)y * presenter->width + rect->x,
               source + (size_t)y * stride + (size_t)rect->x * 4, (size_t)rect->width * 4);
    presenter->updates++;
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, HeadlessPresenter *presenter)
{
    headless_copy(presenter, rect);
}

static void on_resized(VitrineFrame *frame, HeadlessPresenter *presenter)
{
    presenter->width = vitrine_frame_get_width(frame);
    presenter->height = vitrine_frame_get_height(frame);
    g_clear_pointer(&presenter->pixels, g_free);
    if (presenter->width == 0)
        return;
    presenter->pixels = g_new(uint32_t, (size_t)presenter->width * presenter->height);
    headless_copy(presenter, &(VitrineRect){ 0, 0, (int)presenter->width, (int)presenter->height });
}

HeadlessPresenter *headless_presenter_new(VitrineFrame *frame)
{
    HeadlessPresenter *presenter = g_new0(HeadlessPresenter, 1);
    presenter->frame = g_object_ref(frame);
    g_signal_connect(frame, "resized", G_CALLBACK(on_resized), presenter);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), presenter);
    on_resized(frame, presenter);
    return presenter;
}

void headless_presenter_free(HeadlessPresenter *presenter)
{
    if (!presenter)
        return;
    g_signal_handlers_disconnect_by_data(presenter->frame, presenter);
    g_object_unref(presenter->frame);
    g_free(presenter->pixels);
    g_free(presenter);
}

const uint32_t *headless_presenter_get_pixels(HeadlessPresenter *presenter, unsigned *out_width,
                                              unsigned *out_height)
{
    *out_width = presenter->width;
    *out_height = presenter->height;
    return presenter->pixels;
}

uint64_t headless_presenter_get_updates(HeadlessPresenter *presenter)
{
    return presenter->updates;
}
