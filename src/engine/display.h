/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The screen's outgoing side: a thread that refreshes the guest's picture while somebody listens
 * (org.qemu.Display1 listeners), faster when things move, and stills for screenshots. The functions
 * are for the main thread, capture for any. */

#include "core/dev/vga.h"
#include "engine/picture.h"
#include <gio/gio.h>

typedef struct Display Display;

/* @resized: on the main thread, whenever the picture has another size. */
Display *display_new(Vga *vga, void (*resized)(gpointer opaque, unsigned width, unsigned height),
                     gpointer opaque);
void display_free(Display *display); /* ends the thread; says goodbye to listeners */

/* A client's listener on the connected socket @fd (taken over). */
void display_add_listener(Display *display, int fd);
/* Something will change on the screen soon (a key was pressed): look often. */
void display_poke(Display *display);
/* The screen as it is now. */
Picture *display_capture(Display *display);
/* Refreshes sent to listeners since the start. */
uint64_t display_frames(Display *display);
