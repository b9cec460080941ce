/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Keeping the pointer inside a widget for a guest with a relative mouse: X11 lets programs move it,
 * Wayland lets them lock it where it is and tells how it would have moved. Included by the display
 * widget. */

#include <gtk/gtk.h>
#include <stdbool.h>

/* Moves the host's pointer to @x, @y of @widget; false where the windowing system does not let
 * programs do that. */
bool pointer_lock_warp(GtkWidget *widget, double x, double y);

typedef struct PointerLock PointerLock;
/* In logical units. */
typedef void (*PointerLockMoved)(double dx, double dy, gpointer opaque);

/* NULL where pointers cannot be locked (X11, or a compositor without zwp_pointer_constraints_v1 and
 * zwp_relative_pointer_v1): then motion comes as ever. @widget is realized as long as the lock
 * lives. */
PointerLock *pointer_lock_new(GtkWidget *widget, PointerLockMoved moved, gpointer opaque);
void pointer_lock_free(PointerLock *lock);
