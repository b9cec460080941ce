/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Keeping the pointer inside a widget for a guest with a relative mouse. Included by the display
 * widget. */

#include <gtk/gtk.h>
#include <stdbool.h>

/* Moves the host's pointer to @x, @y of @widget; false where the windowing system does not let
 * programs do that (Wayland: the pointer then stops at the window's edge, and vitrine-view is the
 * way to a locked one). */
bool pointer_lock_warp(GtkWidget *widget, double x, double y);
