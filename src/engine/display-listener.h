/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* One client that is shown the screen, over its own D-Bus connection. The display thread's. Updates
 * gather while an earlier one is unanswered, so a slow client sees fewer and larger ones. */

#include "core/dev/vga.h"
#include <gio/gio.h>

typedef struct DisplayListener DisplayListener;

/* Called when the connection ends; the listener is to be freed. */
typedef void (*DisplayListenerGone)(gpointer opaque, DisplayListener *listener);

/* @connection is kept. It gets a whole picture first. */
DisplayListener *display_listener_new(GDBusConnection *connection, bool maps,
                                      DisplayListenerGone gone, gpointer opaque);
void display_listener_free(DisplayListener *listener);

/* The picture has another shape or place. */
void display_listener_set_surface(DisplayListener *listener, const VgaSurface *surface);
void display_listener_add_damage(DisplayListener *listener, const VgaRect *rects, unsigned n);
/* Sends what gathered, unless the last sending is unanswered. Whether anything went out. */
bool display_listener_flush(DisplayListener *listener);
